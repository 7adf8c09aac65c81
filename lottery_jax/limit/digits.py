"""Predicted and measured limits of small networks on the digits: widths times l1 strengths."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax import training
from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.limit import network, network_rows
from lottery_jax.report.tables import format_table
from lottery_jax.training import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "limit_digits"
QUESTION = "Which prediction of the pruning limit matches which way to measure it?"


class Setup(NamedTuple):
    """Every combination of the widths and the strengths."""

    widths: tuple[tuple[int, ...], ...]  # of the hidden layers
    strengths: tuple[float, ...]  # of the l1 penalty
    recipe: Recipe  # but for the strength
    products: int
    passes: tuple[int, ...]  # to optimise the kept weights again; a limit for each


FULL = Setup(
    widths=((50, 30, 15, 10), (100, 60, 30, 20), (200, 120, 60, 40)),
    strengths=(1e-4, 3e-4, 1e-3),
    recipe=Recipe(0.05, epochs=100),
    products=1600,
    passes=(50, 400),
)
QUICK = Setup(((16,),), (1e-4, 1e-3), Recipe(0.05, epochs=10), products=100, passes=(5,))


class Row(NamedTuple):
    """One limit of one network."""

    hidden: str  # widths of the hidden layers
    l1: float
    weights: int  # D, prunable ones
    accuracy: float  # on the held-out images, before pruning
    loss: float  # on the training images
    epsilon: float
    gradient: float  # loss that the gradient adds at the displacement's limit, in epsilons
    how: str  # "predicted" or "measured"
    name: str
    removed: float
    low: float
    high: float


def plan(setup: Setup) -> str:
    """What a run will do."""
    count = len(setup.widths) * len(setup.strengths)
    return (
        f"{count} networks on the digits, {setup.recipe.epochs} epochs each, with "
        f"{setup.products} products of the curvature for the spectrum and some hundreds more, and "
        f"{3 + 2 * len(setup.passes)} measured limits"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None = None,
    progress: Any = True,
) -> list[Row]:
    """Train, predict and measure; networks that the store already has are not trained again."""
    del mesh
    rows = []
    for widths in setup.widths:
        for strength in setup.strengths:
            one = network.Setup(
                hidden=widths,
                recipe=setup.recipe._replace(l1=strength),
                products=setup.products,
                passes=setup.passes,
            )
            asked = {"run": network.identity(one, key)}
            known: Any = store.find(asked)
            if known is None:
                known = {"rows": _rows(one, key, progress)}
                store.add(asked, known)
            rows += [Row(*row) for row in known["rows"]]
    return rows


def _rows(setup: network.Setup, key: PRNGKeyArray, progress: Any) -> list[Row]:
    dataset, model = network.load(setup)
    stream = keys.stream(key, network.training_identity(setup, key))
    state = training.fit(keys.chunk(stream, 0), model, setup.recipe, dataset, progress=progress)
    trained = network_rows.judged(model, state, dataset)
    limit = network.predict_trained(setup, trained, key=keys.chunk(stream, 1))
    found = training.evaluate(
        model, state.params, state.state, dataset.test_images, dataset.test_labels
    )
    told: list[Any] = [
        "-".join(map(str, setup.hidden or ())),
        setup.recipe.l1,
        limit.size,
        found.accuracy,
        limit.loss,
        limit.epsilon,
        limit.gradient_change / limit.epsilon,
    ]
    limits = network_rows.predicted_rows(limit)
    limits += network_rows.measured_rows(
        trained, epsilon=limit.epsilon, batch=setup.recipe.batch, passes=setup.passes
    )
    return [Row(*[*told, *row[:5]]) for row in limits]


def draw(rows: Sequence[Row]) -> "Axes":
    """Predicted against measured limits, a panel for each way to measure."""
    from lottery_jax.report import limit_figures  # on first use: it imports matplotlib

    return limit_figures.limit_panels(_pairs(rows))


def describe(rows: Sequence[Row]) -> str:
    """Both tables and what they say."""
    names = list(dict.fromkeys((row.how, row.name) for row in rows))
    header = ["hidden", "l1", "D", "accuracy", "epsilon", "gradient", *map(_short, names)]
    cells = []
    for group in _networks(rows):
        first = group[0]
        found = {(row.how, row.name): row for row in group}
        limits = [
            f"{row.removed:.3f} [{row.low:.3f}, {row.high:.3f}]"
            if row.low < row.high
            else f"{row.removed:.3f}"
            for row in (found[name] for name in names)
        ]
        told = [first.hidden, first.l1, first.weights, f"{first.accuracy:.1%}", first.epsilon]
        cells.append([*told, f"{first.gradient:.1f}", *limits])
    wide = [list(column) for column in zip(header, *cells, strict=True)]
    table = format_table(wide[0], wide[1:])  # networks side by side, limits below each other
    return "\n".join([table, "", _differences(rows), "", _reading(rows)])


def _differences(rows: Sequence[Row]) -> str:
    """How far every form lies from every measurement, over all networks."""
    pairs = _pairs(rows)
    rules = list(dict.fromkeys(rule for _, rule in pairs))
    forms = list(dict.fromkeys(form for form, _ in pairs))
    cells = []
    for form in forms:
        gaps = [_gaps(pairs[form, rule]) for rule in rules]
        cells.append([form, *(f"{gap.mean():+.3f} ({np.abs(gap).mean():.3f})" for gap in gaps)])
    told = "predicted - measured: mean over the networks (and mean size)"
    return "\n".join([told, format_table(["form", *rules], cells)])


def _reading(rows: Sequence[Row]) -> str:
    pairs = _pairs(rows)
    rules = list(dict.fromkeys(rule for _, rule in pairs))
    lines = []
    for rule in rules:
        sizes = {
            form: float(np.abs(_gaps(pairs[form, rule])).mean())
            for form, other in pairs
            if other == rule
        }
        best = min(sizes, key=lambda form: sizes[form])
        inside = sum(
            predicted.low <= measured.high and measured.low <= predicted.high
            for predicted, measured in pairs[best, rule]
        )
        lines.append(
            f"{rule}: {best} is nearest, off by {sizes[best]:.3f} on average, and their intervals "
            f"meet for {inside} of {len(pairs[best, rule])} networks."
        )
    lines.append(
        "Optimised again, some network on the way is within epsilon: a lower bound, which rises "
        "with the passes."
    )
    gradient = [group[0].gradient for group in _networks(rows)]
    lines.append(
        f"At the limit of the displacement form the gradient adds {min(gradient):.1f} to "
        f"{max(gradient):.1f} epsilons: a network trained with an l1 penalty is at no minimum of "
        "its loss, and only the one-shot form takes that into account."
    )
    return "\n".join(lines)


def _networks(rows: Sequence[Row]) -> list[list[Row]]:
    groups: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.hidden, row.l1), []).append(row)
    return list(groups.values())


def _pairs(rows: Sequence[Row]) -> dict[tuple[str, str], list[tuple[Row, Row]]]:
    """(form, rule) -> the predicted and the measured row of every network."""
    pairs: dict[tuple[str, str], list[tuple[Row, Row]]] = {}
    for group in _networks(rows):
        for measured in (row for row in group if row.how == "measured"):
            for predicted in (row for row in group if row.how == "predicted"):
                pairs.setdefault((predicted.name, measured.name), []).append((predicted, measured))
    return pairs


def _gaps(pairs: list[tuple[Row, Row]]) -> np.ndarray:
    return np.array([predicted.removed - measured.removed for predicted, measured in pairs])


def _short(name: tuple[str, str]) -> str:
    how, what = name
    return f"{how}: {what}"
