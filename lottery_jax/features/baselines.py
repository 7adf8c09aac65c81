"""Which ways to choose inputs see the support: PruneNetwork beside simpler ones.

From the same rows as PruneNetwork, others keep as many inputs as it does: by gradients of the first
layer at random weights (their norm, or times the weights as in SNIP), by the correlation of the
target with each input, and by chance. PruneNetwork in the unshifted basis with random biases keeps
a set of its own, which is judged by the chance level of its own size. For information exponent 1 a
correlation is enough; above, it sees nothing, and gradients at random weights meet the direction
with a cosine of about d^(-1/2) only.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.features.points import CAUTION, draw_chance, draw_shares, first_of_all
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import collect_each, planned_seconds
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.report.tables import format_table
from lottery_jax.sparse_features import baseline_recovery, links
from lottery_jax.sparse_features.baseline_recovery import METHODS
from lottery_jax.sparse_features.recovery_limits import check_spread, limits_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "features_baselines"
QUESTION = "Which ways to choose inputs find the support?"
COUNTED = (baseline_recovery.NAME,)
CONFIDENCE = 0.95  # of each interval


class Row(NamedTuple):
    """The recall of one method from one number of rows."""

    exponent: int  # k*: the target is He_k* of one flat direction
    method: str
    dim: int  # d
    support_size: int  # s, and M
    shift: float  # c of PruneNetwork
    size: int  # n
    trials: int  # draws, shared by all methods and the points of a curve
    recall: float  # mean share of the support that is kept
    low: float  # limits of this mean, from the spread over draws
    high: float
    kept: float  # mean number of inputs kept, |J|; but for "unshifted" that of PruneNetwork
    chance: float  # kept / d


class Setup(NamedTuple):
    """What a run draws."""

    exponents: tuple[int, ...]
    dim: int
    support_size: int
    multiples: tuple[float, ...]  # n / s^k*
    shift: float
    num_pairs: int
    trials: int


FULL = Setup((1, 2), 144, 12, (4.0, 16.0, 64.0, 256.0), 0.5, 16, 10)
QUICK = Setup((2,), 36, 6, (4.0, 64.0), 0.5, 8, 6)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    seconds = planned_seconds([(each, setup.trials) for each in _tasks(setup)])
    return (
        f"{len(METHODS)} ways to choose inputs at d = {setup.dim} for k* = "
        f"{', '.join(map(str, setup.exponents))}, {setup.trials} draws each: about {seconds:.0f} s "
        "of one core after compiling"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """A row for each exponent, method and number of rows; stored draws are not drawn again."""
    check_spread(setup.trials)
    tasks = [(experiment, setup.trials) for experiment in _tasks(setup)]
    counts = collect_each(tasks, label=NAME, key=key, store=store, mesh=mesh, progress=progress)
    rows = []
    for exponent, each in zip(setup.exponents, counts, strict=True):
        for i, method in enumerate(METHODS):
            for j, size in enumerate(_sizes(setup, exponent)):
                found = int(each.totals["found"][i, j])
                squares = int(each.totals["found_squared"][i, j])
                low, high = limits_mean(
                    found, squares, each.trials, setup.support_size, confidence=CONFIDENCE
                )
                kept = int(each.totals["kept"][i, j]) / each.trials
                rows.append(
                    Row(
                        exponent=exponent,
                        method=method,
                        dim=setup.dim,
                        support_size=setup.support_size,
                        shift=setup.shift,
                        size=size,
                        trials=each.trials,
                        recall=found / (each.trials * setup.support_size),
                        low=low,
                        high=high,
                        kept=kept,
                        chance=kept / setup.dim,
                    )
                )
    return rows


def _sizes(setup: Setup, exponent: int) -> list[int]:
    return [round(each * setup.support_size**exponent) for each in setup.multiples]


def _tasks(setup: Setup) -> list[Experiment]:
    return [
        baseline_recovery.baseline_recovery(
            dim=setup.dim,
            support_size=setup.support_size,
            link=links.hermite({exponent: 1.0}),
            sizes=_sizes(setup, exponent),
            kept=setup.support_size,
            num_pairs=setup.num_pairs,
            shift=setup.shift,
        )
        for exponent in setup.exponents
    ]


def draw(rows: Sequence[Row]) -> "Axes":
    """Recall of every method against n / s^k*, a panel for each k*. Returns the first axis."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    exponents = sorted({row.exponent for row in rows})
    figure = figures.new_axis(3.0 + 4.5 * len(exponents), 4.8).figure
    figure.clear()
    axes = figure.subplots(1, len(exponents), sharey=True, squeeze=False)[0]  # type: ignore[union-attr]
    for ax, exponent in zip(axes, exponents, strict=True):
        for number, method in enumerate(METHODS):
            curve = [row for row in rows if (row.exponent, row.method) == (exponent, method)]
            at = [row.size / row.support_size**exponent for row in curve]
            ends = [row.low for row in curve], [row.high for row in curve]
            style = {"colour": figures.COLOURS[number], "marker": figures.MARKERS[number]}
            draw_shares(ax, at, [row.recall for row in curve], *ends, label=method, **style)
        curve = [row for row in rows if (row.exponent, row.method) == (exponent, METHODS[0])]
        at = [row.size / row.support_size**exponent for row in curve]
        draw_chance(ax, at, [r.chance for r in curve], colour="black", label="chance level |J|/d")
        own = [row for row in rows if (row.exponent, row.method) == (exponent, "unshifted")]
        draw_chance(
            ax,
            at,
            [row.chance for row in own],
            colour=figures.COLOURS[METHODS.index("unshifted")],
            label="chance level of unshifted",
        )
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlabel("samples n / s" + (f"^{exponent}" if exponent > 1 else ""))
        ax.set_title(f"information exponent k* = {exponent}", fontsize="medium")
        ax.set_ylim(-0.02, 1.04)
        ax.grid(True, alpha=0.3)
    # Beside the panels, which share it: curves fill them.
    axes[-1].legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    axes[0].set_ylabel("recall: share of the support that is kept")
    first = rows[0]
    title = (
        f"d = {first.dim}, s = M = {first.support_size}, PruneNetwork with c = {first.shift:g}; "
        "all keep as many inputs as it does, but the unshifted basis its own\n"
        f"bars: {100 * CONFIDENCE:g} % limits of the mean recall over {first.trials} draws, which "
        f"all points of a panel share:\n{CAUTION}"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return axes[0]


def describe(rows: Sequence[Row]) -> str:
    """The rows, and which methods see the support."""
    header = ["k*", "method", "n", "draws", "recall", "low", "high", "kept", "chance"]
    cells = [
        [
            *(row.exponent, row.method, row.size, row.trials, row.recall, row.low, row.high),
            *(row.kept, row.chance),
        ]
        for row in rows
    ]
    return f"{format_table(header, cells)}\n\n{_reading(rows)}"


def _reading(rows: Sequence[Row]) -> str:
    said = []
    for exponent in sorted({row.exponent for row in rows}):
        shown = [row for row in rows if row.exponent == exponent]
        most = max(row.size for row in shown)
        last = [row for row in shown if row.size == most]
        told = {
            row: f"{row.method} ({row.recall:.2f}"
            + (f", its chance {row.chance:.2f})" if row.chance != last[0].chance else ")")
            for row in last
        }
        seeing = [told[row] for row in last if row.low > row.chance]
        blind = [told[row] for row in last if row.low <= row.chance]
        said.append(
            f"For k* = {exponent}, {most} samples let these recall more than chance "
            f"({last[0].chance:.2f}): {', '.join(seeing) or 'none'}; not apart from chance are "
            f"{', '.join(blind) or 'none'}."
        )
        reached = []
        for method in METHODS:
            curve = [row for row in shown if row.method == method]
            start = first_of_all([row.size for row in curve], [row.recall >= 0.9 for row in curve])
            if start is not None:
                reached.append(f"{method} (n = {start})")
        said.append(
            f"A recall of .9, there and from all more rows, is reached by {', '.join(reached)}."
            if reached
            else "None reaches a recall of .9."
        )
    said.append(
        f"Limits are {100 * CONFIDENCE:g} % each, from the spread over {rows[0].trials} draws: "
        f"{CAUTION}."
    )
    return " ".join(said)
