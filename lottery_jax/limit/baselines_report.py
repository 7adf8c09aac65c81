"""The figure and the table of the pruning methods, and the paragraph that reads them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lottery_jax.limit import baselines_rows as of
from lottery_jax.limit.baselines_rows import CLOSE, CONFIDENCE, DENSE, TOLD, Row
from lottery_jax.pruning_limit.baselines import METHODS
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = (0.05, 0.99)  # accuracies in the figure


def draw(rows: Sequence[Row]) -> "Axes":
    """Accuracy against the fraction kept: means over the seeds, bars of one standard deviation."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    ax = figures.new_axis(9.0, 5.5)
    dense = of.accuracies(rows, "dense", 0.0)
    ax.axhline(float(dense.mean()), color="black", lw=1, label=TOLD["dense"])
    names = of.methods(rows)
    sparsities = of.sparsities(rows)
    groups = [[name for name in names if METHODS[name].is_at_start == is_at] for is_at in (1, 0)]
    for number, name in enumerate([*groups[0], *groups[1]]):
        is_at_start = name in groups[0]
        place = number if is_at_start else number - len(groups[0])  # colours by group
        values = [of.accuracies(rows, name, sparsity) for sparsity in sparsities]
        # Bars of several methods at one place would hide each other.
        shift = 1.02 ** (number - (len(names) - 1) / 2)
        means = np.array([each.mean() for each in values])
        ends = [
            np.clip(
                [
                    mean + side * of.deviation(each)
                    for mean, each in zip(means, values, strict=True)
                ],
                *_SHOWN,
            )
            for side in (-1, 1)
        ]
        ax.errorbar(
            [(1 - sparsity) * shift for sparsity in sparsities],
            means,
            np.abs(np.array(ends) - means),
            color=figures.COLOURS[place % len(figures.COLOURS)],
            marker=figures.MARKERS[place % len(figures.MARKERS)],
            ls="--" if is_at_start else "-",
            ms=4,
            lw=1.2,
            capsize=2,
            label=TOLD[name],
        )
    ax.set_xscale("log")
    ax.invert_xaxis()
    ticks = [1 - sparsity for sparsity in sparsities]
    ax.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yscale("logit")  # spreads what is close to 1
    ax.set_ylim(*_SHOWN)
    ax.set_yticks(
        [0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98], ["0.1", "0.2", "0.5", "0.8", "0.9", "0.95", "0.98"]
    )
    ax.set_yticks([], minor=True)
    ax.set_xlabel("fraction of the prunable weights kept")
    ax.set_ylabel("accuracy on held-out images")
    ax.set_title(
        f"{rows[0].weights} weights, {len(dense)} seeds; bars: one standard deviation; dashed: "
        "chosen before training; set apart sideways",
        fontsize="small",
    )
    ax.grid(True, alpha=0.3)
    ax.legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def describe(rows: Sequence[Row]) -> str:
    """The table of accuracies, and what it says."""
    sparsities = of.sparsities(rows)
    header = ["method", "epochs", *(f"{sparsity:g}" for sparsity in sparsities)]
    cells = []
    for name in of.methods(rows):
        epochs = sorted({row.epochs for row in rows if row.method == name})
        told = f"{epochs[0]:.0f}" if len(epochs) == 1 else f"{epochs[0]:.0f}-{epochs[-1]:.0f}"
        marks = ["*" if name in of.best(rows, sparsity) else " " for sparsity in sparsities]
        cells.append(
            [TOLD[name], told]
            + [
                _told(of.accuracies(rows, name, sparsity)) + mark
                for sparsity, mark in zip(sparsities, marks, strict=True)
            ]
        )
    references = [f"{TOLD[name]} {_told(of.accuracies(rows, name, 0.0))}" for name in DENSE]
    return "\n".join(
        [
            "Accuracy on held-out images in percent, mean and standard deviation over "
            f"{len(of.accuracies(rows, 'dense', 0.0))} seeds,\nby the fraction of "
            f"{rows[0].weights} weights removed ({', '.join(references)}):",
            "",
            format_table(header, cells),
            "",
            "epochs: of training behind one network. *: the highest mean; or within "
            f"{100 * CLOSE:g} points of it, and\nnot told apart from it by paired differences over "
            f"the seeds ({CONFIDENCE:.0%} limits).",
            "",
            _reading(rows),
        ]
    )


def _reading(rows: Sequence[Row]) -> str:
    """One paragraph, all of whose numbers are those of the rows."""
    off = [row for row in rows if row.zeros != row.asked]
    count = (
        "In every network exactly the asked number of weights is zero."
        if not off
        else f"In {len(off)} of {len(rows)} networks the number of zeros is not the asked one, by "
        f"up to {max(abs(row.zeros - row.asked) for row in off)}."
    )
    dense = float(of.accuracies(rows, "dense", 0.0).mean())
    limits = {name: of.largest_kept(rows, name, dense) for name in of.methods(rows)}
    by_limit = [
        f"{_listed(names)} to {limit:g}" if limit else f"{_listed(names)} at no sparsity tried"
        for limit in sorted(set(limits.values()), reverse=True)
        if (names := [TOLD[name] for name in limits if limits[name] == limit])
    ]
    leaders = []
    for sparsity in of.sparsities(rows):
        first, *others = of.best(rows, sparsity)
        also = f", with {_listed([TOLD[name] for name in others])}" if others else ""
        leaders.append(f"at {sparsity:g} {TOLD[first]}{also}")
    top = of.sparsities(rows)[-1]
    cheapest = min(row.epochs for row in rows if row.sparsity == top)
    cheap = [
        name
        for name in of.methods(rows)
        if any(r.epochs <= cheapest and r.sparsity == top for r in rows if r.method == name)
    ]
    best, best_cheap = of.best(rows, top)[0], of.ranked(rows, top, cheap)[0]
    cost = next(row.epochs for row in rows if row.method == best and row.sparsity == top)
    price = (
        f"At {top:g} the best with {cheapest:.0f} epochs of training is {TOLD[best_cheap]}, "
        f"{_told(of.accuracies(rows, best_cheap, top))}; the best of all, {TOLD[best]}, has "
        f"{_told(of.accuracies(rows, best, top))} after {cost:.0f} epochs."
    )
    return (
        f"Reading: {count} Mean accuracy within {100 * CLOSE:g} points of the dense networks is "
        f"kept by {'; '.join(by_limit)}. Highest means, and what is not told apart from them: "
        f"{'; '.join(leaders)}. {price}"
    )


def _told(accuracies: np.ndarray) -> str:
    return f"{100 * accuracies.mean():.1f} ± {100 * of.deviation(accuracies):.1f}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
