"""The sign in line 3 of PruneNetwork: as the appendix has it, and as the main text prints it.

Line 3 is there for information exponent k* = 1: it keeps the largest entries of one neuron's
gradient at the appended input. By the appendix that is the gradient of the odd part of the
activation, which sees a linear target. The main text exchanges the two parts, and the gradient of
the even part sees nothing but noise there, however many samples there are. For k* = 2 lines 4 and 5
find the support between them, whichever is called which.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.limits import limits_exact
from lottery_jax.features.points import CAUTION
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import collect_each, planned_seconds
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.report.tables import format_table
from lottery_jax.sparse_features import links, recovery
from lottery_jax.sparse_features.checks import CONVENTIONS
from lottery_jax.sparse_features.recovery_limits import check_spread, recalls

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "features_signs"
QUESTION = "Which sign does line 3 of PruneNetwork need?"
COUNTED = (recovery.NAME,)
CONFIDENCE = 0.95  # of each interval
_NAMES = {"appendix": "the appendix's sign", "main_text": "the main text's sign"}
_LINES = ("line 3", "line 4", "line 5", "all three")


class Row(NamedTuple):
    """What was kept under one sign."""

    exponent: int  # k*: the target is He_k* of one flat direction
    convention: str  # "appendix" or "main_text"
    dim: int  # d
    support_size: int  # s, and M
    size: int  # n
    shift: float  # c
    trials: int
    recall: float  # mean share of the support that is kept
    low: float  # limits of this mean, from the spread over draws
    high: float
    complete: int  # draws in which the whole support is kept
    chance: float  # |J| / d, the recall of as many random inputs
    first: float  # mean share of the support that line 3 alone finds
    even: float  # line 4
    odd: float  # line 5
    chance_line: float  # M / d, the recall of a line that sees nothing


class Setup(NamedTuple):
    """What a run draws."""

    exponents: tuple[int, ...]
    dim: int
    support_size: int
    sizes: tuple[int, ...]
    shift: float
    num_pairs: int
    trials: int


FULL = Setup((1, 2), 400, 10, (1000, 4000, 16_000), 0.5, 16, 10)
QUICK = Setup((1,), 64, 8, (250, 1000), 0.5, 8, 4)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    tasks = _tasks(setup)
    seconds = planned_seconds([(each, setup.trials) for each in tasks])
    return (
        f"{len(tasks)} experiments at d = {setup.dim}, n = {', '.join(map(str, setup.sizes))}, "
        f"{setup.trials} draws each: about {seconds:.0f} s of one core after compiling"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """A row for each exponent, sign and number of rows; stored draws are not drawn again."""
    check_spread(setup.trials)
    tasks = [(experiment, setup.trials) for experiment in _tasks(setup)]
    counts = collect_each(tasks, label=NAME, key=key, store=store, mesh=mesh, progress=progress)
    rows = []
    for (exponent, convention), (experiment, _), each in zip(
        _cases(setup), tasks, counts, strict=True
    ):
        for found in recalls(experiment, each, confidence=CONFIDENCE):
            rows.append(
                Row(
                    exponent=exponent,
                    convention=convention,
                    dim=setup.dim,
                    support_size=setup.support_size,
                    size=found.size,
                    shift=setup.shift,
                    trials=found.trials,
                    recall=found.recall,
                    low=found.low,
                    high=found.high,
                    complete=found.complete,
                    chance=found.chance,
                    first=found.first,
                    even=found.even,
                    odd=found.odd,
                    chance_line=found.kept_entries / setup.dim,
                )
            )
    return rows


def _cases(setup: Setup) -> list[tuple[int, str]]:
    return [(each, name) for each in setup.exponents for name in CONVENTIONS]


def _tasks(setup: Setup) -> list[Experiment]:
    return [
        recovery.recovery(
            dim=setup.dim,
            support_size=setup.support_size,
            link=links.hermite({exponent: 1.0}),
            sizes=setup.sizes,
            kept=[setup.support_size],
            num_pairs=setup.num_pairs,
            shift=setup.shift,
            convention=convention,
        )
        for exponent, convention in _cases(setup)
    ]


def draw(rows: Sequence[Row]) -> "Axes":
    """Recall by line and sign, a panel for each k*. Returns the first axis."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    exponents = sorted({row.exponent for row in rows})
    size = _shown_size(rows)
    figure = figures.new_axis(1.5 + 4.0 * len(exponents), 4.6).figure
    figure.clear()
    axes = figure.subplots(1, len(exponents), sharey=True, squeeze=False)[0]  # type: ignore[union-attr]
    for ax, exponent in zip(axes, exponents, strict=True):
        shown = [row for row in rows if (row.exponent, row.size) == (exponent, size)]
        for number, row in enumerate(shown):
            heights = [row.first, row.even, row.odd, row.recall]
            at = [place + 0.36 * (number - 0.5) for place in range(4)]
            ax.bar(
                at, heights, width=0.32, color=figures.COLOURS[number], label=_NAMES[row.convention]
            )
            ax.plot([at[3]] * 2, [row.low, row.high], color="black", lw=1.5)
            ends = [at[3] - 0.16, at[3] + 0.16]
            ax.plot(ends, [row.chance] * 2, ":", color="black", lw=1.5)
        ax.plot(
            [-0.5, 2.5],
            [shown[0].chance_line] * 2,
            ":",
            color="black",
            lw=1.5,
            label="chance level",
        )
        ax.set_xticks(range(4), _LINES)
        ax.set_title(f"information exponent k* = {exponent}", fontsize="medium")
        ax.set_ylim(0, 1.25)
        ax.legend(fontsize="small", frameon=False, loc="upper left", ncols=1)
    axes[0].set_ylabel("recall: share of the support that is kept")
    first = next(row for row in rows if row.size == size)
    title = (
        f"PruneNetwork, d = {first.dim}, s = M = {first.support_size}, n = {size}, c = "
        f"{first.shift:g}, {first.trials} draws\nblack bars: {100 * CONFIDENCE:g} % limits of the "
        f"mean recall, {CAUTION}"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return axes[0]


def describe(rows: Sequence[Row]) -> str:
    """The rows, and what they say of each sign."""
    header = ["k*", "sign", "n", "draws", "recall", "low", "high", "complete", "chance"]
    header += ["line 3", "line 4", "line 5", "M/d"]
    cells = [
        [
            *(row.exponent, row.convention.replace("_", " "), row.size, row.trials, row.recall),
            *(row.low, row.high, row.complete, row.chance),
            *(row.first, row.even, row.odd, row.chance_line),
        ]
        for row in rows
    ]
    return f"{format_table(header, cells)}\n\n{_reading(rows)}"


def _shown_size(rows: Sequence[Row]) -> int:
    """The number of rows at which signs are compared: 4000, or the largest without it."""
    sizes = {row.size for row in rows}
    return 4000 if 4000 in sizes else max(sizes)


def _reading(rows: Sequence[Row]) -> str:
    said = []
    for row in rows:
        if row.size != _shown_size(rows):
            continue
        parts = {"line 3": row.first, "line 4": row.even, "line 5": row.odd}
        best = max(parts, key=lambda name: parts[name])
        alone = (
            f"{best} alone finds {parts[best]:.2f}"
            if parts[best] > 0.5
            else f"no line alone finds more than {parts[best]:.2f}"
        )
        level = "above" if row.low > row.chance else "not clearly above"
        low, high = limits_exact(row.complete, row.trials, confidence=CONFIDENCE)
        said.append(
            f"With {_NAMES[row.convention]} at k* = {row.exponent} and n = {row.size} the recall "
            f"is {row.recall:.3f} [{row.low:.3f}, {row.high:.3f}], {level} the chance level "
            f"{row.chance:.3f}, the whole support kept in {row.complete} of {row.trials} draws "
            f"(exact limits of its probability [{low:.2f}, {high:.2f}]); {alone}."
        )
    largest = max(row.size for row in rows)
    for row in rows:
        if row.size == largest > _shown_size(rows) and row.convention == "main_text":
            said.append(
                f"With the main text's sign at k* = {row.exponent}, line 3 finds {row.first:.3f} "
                f"of the support from {largest} rows, against {row.chance_line:.3f} by chance."
            )
    said.append(
        f"Limits are {100 * CONFIDENCE:g} % each, those of recall from the spread over "
        f"{rows[0].trials} draws: {CAUTION}."
    )
    return " ".join(said)
