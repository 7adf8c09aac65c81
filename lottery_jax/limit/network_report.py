"""What a run on one network prints, draws and writes."""

from pathlib import Path

from lottery_jax import models
from lottery_jax.limit.network import Result, Setup, load, num_used
from lottery_jax.report.tables import format_table, write_rows

FILES = ("limit.csv", "limit_sweep.csv", "limit_layers.csv", "limit.jsonl", "limit.png")


def plan(setup: Setup) -> str:
    """What a run will do, without doing it; raises ValueError for settings it would refuse."""
    dataset, model = load(setup)
    recipe = setup.recipe
    counts = len(dataset.train_images), num_used(setup, dataset)
    batches, used = (-(-count // recipe.batch) for count in counts)
    return (
        f"{model.name} with {models.count_parameters(model)} parameters on {dataset.name}: "
        f"{recipe.epochs} epochs of {batches} batches of {recipe.batch}; about "
        f"{setup.products + 600} products of the curvature, each a pass over {used} batches "
        f"that costs two to three of training; {setup.points} sparsities on all images; and 16 "
        f"times {' and '.join(map(str, setup.passes))} passes to optimise kept weights again"
    )


def describe(result: Result) -> str:
    """The tables, and a paragraph that reads them."""
    header = ["limit", "removed", "low", "high", "window", "kept"]
    cells = [
        [
            f"{row.how}: {row.name}",
            f"{row.removed:.3f}",
            f"{row.low:.3f}",
            f"{row.high:.3f}",
            "" if row.window_low is None else f"{row.window_low:.3f}-{row.window_high:.3f}",
            f"{row.kept:.3f}",
        ]
        for row in result.limits
    ]
    layers = [[row.path, row.size, row.removed, f"{row.sparsity:.3f}"] for row in result.layers]
    return "\n".join(
        [
            result.title,
            result.told,
            "",
            format_table(header, cells),
            "",
            "What global pruning takes from each layer at the limit of the displacement form:",
            format_table(["layer", "weights", "removed", "sparsity"], layers),
            "",
            _reading(result),
        ]
    )


def _reading(result: Result) -> str:
    """Which prediction lies nearest to which measurement, from the rows alone."""
    predicted = [row for row in result.limits if row.how == "predicted"]
    lines = []
    for row in result.limits:
        if row.how == "measured":
            nearest = min(predicted, key=lambda each: abs(each.removed - row.removed))
            lines.append(
                f"{row.name}: nearest is {nearest.name}, off by "
                f"{abs(nearest.removed - row.removed):.3f}"
            )
    lines.append(
        "one-shot, measured: low and high are 95 % limits by the spread over images.\n"
        "reoptimised, measured: some network on the way is within epsilon, a lower bound, which\n"
        "rises with the passes; low is the last sparsity that was met, high the first that was not."
    )
    return "\n".join([*lines, "Masks alone do not make a network faster."])


def write(result: Result, folder: Path) -> None:
    """Write the rows as limit.csv, limit_sweep.csv, limit_layers.csv, and the figure limit.png."""
    from lottery_jax.report import figures, limit_figures  # on first use: it imports matplotlib

    write_rows(folder / "limit.csv", result.limits)
    write_rows(folder / "limit_sweep.csv", result.sweep)
    write_rows(folder / "limit_layers.csv", result.layers)
    axis = limit_figures.pruned_network(result.sweep, result.limits, title=result.title)
    figures.save(axis, folder / "limit.png")
