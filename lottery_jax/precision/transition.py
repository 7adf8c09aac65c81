"""The quantised random subset sum beside number partitioning: a softer transition.

Whole numbers uniform on -M, ..., M without 0, and a subset with exactly the sum t. The sum that
signs of the magnitudes have to reach is random, and not always a likely one, so that the chance of
a solution falls more slowly with kappa = log2(M) / n than that of a perfect partition of the same
magnitudes. Its law is an expectation over a normal variable.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import collect_each, planned_seconds
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.precision.points import draw_points
from lottery_jax.quantized import laws, partition, subset_sum_laws
from lottery_jax.report.tables import format_table

NAME = "quantized_transition"
QUESTION = "How fast do subsets with an exact sum run out, beside perfect partitions?"
COUNTED = ("number_partitioning", "quantized_subset_sum")
CONFIDENCE = 0.9999  # of each interval: a run sets a few dozen of them
_LABELS = {"partition": "perfect partition", "M/2": "subset with sum M/2", "0": "subset with sum 0"}


class Row(NamedTuple):
    """One problem with one number of items and one largest item."""

    problem: str  # "partition", or the target of a subset sum: "M/2" or "0" (not the empty subset)
    num_items: int  # n
    largest: int  # M, the nearest even number
    kappa: float  # log2(M) / n
    trials: int
    hits: int  # draws with a solution
    low: float  # limits of its probability
    high: float
    law: float  # of this n and M
    next_order: float  # the law with its terms of order 1 / n
    disagree: int  # draws on which existence and number of solutions contradict each other


class Setup(NamedTuple):
    """What a run draws."""

    sizes: tuple[int, ...]  # n
    kappas: tuple[float, ...]
    trials: int  # of each problem, n and kappa


FULL = Setup(sizes=(12, 16, 20), kappas=(0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1), trials=40_960)
QUICK = Setup(sizes=(10,), kappas=(0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1), trials=8_192)


class _Case(NamedTuple):
    problem: str
    num_items: int
    largest: int

    def experiment(self) -> Experiment:
        sizes = {"num_items": self.num_items, "largest": self.largest}
        if self.problem == "partition":
            return partition.number_partitioning(**sizes)
        return partition.quantized_subset_sum(**sizes, target=self._target())

    def chances(self) -> tuple[float, float]:
        """The law, and the same to the next order."""
        sizes = self.num_items, float(np.log2(self.largest))
        if self.problem == "partition":
            chances = laws.perfect(*sizes), laws.perfect_next_order(*sizes).either
        else:
            relative = self._target() / self.largest
            chances = (
                subset_sum_laws.solvable(*sizes, relative),
                subset_sum_laws.solvable_next_order(*sizes, relative),
            )
        return float(chances[0].success), float(chances[1].success)

    def _target(self) -> int:
        return self.largest // 2 if self.problem == "M/2" else 0


def _cases(setup: Setup) -> list[_Case]:
    return [
        _Case(problem, num_items, 2 * round(2.0 ** (kappa * num_items - 1)))
        for num_items in setup.sizes
        for problem in _LABELS
        for kappa in setup.kappas
    ]


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    cases = _cases(setup)
    seconds = planned_seconds([(case.experiment(), setup.trials) for case in cases])
    return (
        f"{len(cases)} points, n = {', '.join(map(str, setup.sizes))}, {setup.trials} draws each: "
        f"about {seconds:.0f} s of one core after compiling"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """A row for each point; draws that the store already holds are not drawn again."""
    cases = _cases(setup)
    tasks = [(case.experiment(), setup.trials) for case in cases]
    counts = collect_each(tasks, label=NAME, key=key, store=store, mesh=mesh, progress=progress)
    return [_row(*pair) for pair in zip(cases, counts, strict=True)]


def _row(case: _Case, counts) -> Row:
    hits = int(counts.totals["solvable"].sum())  # over parities, where they are counted apart
    low, high = limits_exact(hits, counts.trials, confidence=CONFIDENCE)
    law, next_order = case.chances()
    return Row(
        **case._asdict(),
        kappa=float(np.log2(case.largest)) / case.num_items,
        trials=counts.trials,
        hits=hits,
        low=float(low),
        high=float(high),
        law=law,
        next_order=next_order,
        disagree=int(counts.totals["disagree"]),
    )


def draw(rows: Sequence[Row]):
    """For each n the chance of a solution against kappa, below it that of none, on a log axis.

    Returns the first axis.
    """
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    sizes = sorted({row.num_items for row in rows})
    width = max(4.2 * len(sizes) + 0.5, 7.5)  # a title of two lines needs as much
    figure = figures.new_axis(width, 8.0).figure
    figure.clear()
    axes = figure.subplots(  # pyright: ignore[reportAttributeAccessIssue]
        2, len(sizes), sharex="col", sharey="row", squeeze=False
    )
    for (ax, below), num_items in zip(axes.T, sizes, strict=True):
        for number, (problem, label) in enumerate(_LABELS.items()):
            chosen = _chosen(rows, problem, num_items)
            at = [row.kappa for row in chosen]
            colour, marker = figures.COLOURS[number], figures.MARKERS[number]
            style = {"colour": colour, "marker": marker, "label": label}
            draw_points(ax, at, chosen, **style)
            draw_points(below, at, [_failures(row) for row in chosen], **style)
            if chosen:
                grid = np.linspace(min(at), max(at), 200)
                chance = _law(problem, num_items, grid)
                ax.plot(grid, chance.success, color=colour, lw=1)
                below.plot(grid, chance.failure, color=colour, lw=1)
        ax.plot([], [], color="black", lw=1, label="lines: the laws")
        ax.set_title(f"n = {num_items}", fontsize="medium")
        ax.set_ylim(-0.02, 1.02)
        below.set_xlabel("κ = log2(M)/n")
        below.set_yscale("log")
        below.set_ylim(1e-5, 1.5)
        arrow = {"marker": r"$\downarrow$", "ms": 9, "ls": "none", "color": "black"}
        below.plot([], [], label="upper limit: none seen", **arrow)
        for each in (ax, below):
            each.grid(True, alpha=0.3)
    axes[0, 0].set_ylabel("probability of a solution")
    axes[1, 0].set_ylabel("probability of no solution")
    axes[0, 0].legend(fontsize="small", frameon=False, loc="lower left")
    axes[1, -1].legend(fontsize="small", frameon=False, loc="lower right")
    trials = " or ".join(map(str, sorted({row.trials for row in rows})))
    title = (
        "n whole numbers: uniform on ±1 to ±M with a subset of exactly this sum (the empty one "
        "left out),\nor on 1 to M with a perfect partition; bars: "
        f"{100 * CONFIDENCE:g} % exact limits, {trials} draws each"
    )
    figure.suptitle(title, fontsize="small")  # type: ignore[union-attr]
    return axes[0, 0]


def _failures(row: Row) -> Row:
    """With draws without a solution in place of those with one."""
    return row._replace(hits=row.trials - row.hits, low=1 - row.high, high=1 - row.low)


def _law(problem: str, num_items: int, kappa) -> laws.Chance:
    log2_largest = kappa * num_items
    if problem == "partition":
        return laws.perfect(num_items, log2_largest)
    relative = 0.5 if problem == "M/2" else 0.0
    return subset_sum_laws.solvable(num_items, log2_largest, relative)


def _chosen(rows: Sequence[Row], problem: str, num_items: int) -> list[Row]:
    found = [row for row in rows if (row.problem, row.num_items) == (problem, num_items)]
    return sorted(found, key=lambda row: row.kappa)


def describe(rows: Sequence[Row]) -> str:
    """The points beside the laws, and what they say."""
    header = ["problem", "n", "M", "kappa", "share", "low", "high", "law", "n (share - law)"]
    header += ["next order", "law within limits"]
    cells = []
    for row in rows:
        share = row.hits / row.trials
        size = [row.problem, row.num_items, row.largest, row.kappa]
        off = row.num_items * (share - row.law)
        holds = "yes" if row.low <= row.law <= row.high else "no"
        cells.append([*size, share, row.low, row.high, row.law, off, row.next_order, holds])
    return f"{format_table(header, cells)}\n\n{_reading(rows)}"


def _reading(rows: Sequence[Row]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    words = []
    for problem, label in _LABELS.items():
        chosen = [row for row in rows if row.problem == problem]
        if not chosen:
            continue
        held = sum(row.low <= row.law <= row.high for row in chosen)
        next_held = sum(row.low <= row.next_order <= row.high for row in chosen)
        worst = max(chosen, key=lambda row: row.num_items * _distance(row))
        words.append(
            f"For a {label} the limits hold the law at {held} of {len(chosen)} points, and with "
            f"its terms of order 1 / n at {next_held}; the law is at most {_distance(worst):.3g} "
            f"beyond the limits{_where(worst)}."
        )
    near = sum(_distance(row) <= laws.WINDOW_ERROR / row.num_items for row in rows)
    words.append(
        f"The limits leave room for a probability within {laws.WINDOW_ERROR:g} / n of the law at "
        f"{near} of {len(rows)} points."
    )
    rare = [row for row in rows if 1 - row.high > 2 * (1 - row.law)]
    if rare:
        most = max(1 - row.hits / row.trials for row in rare)
        words.append(
            "Draws without a solution are more than twice as frequent as the law says, limits "
            f"included, at {len(rare)} points, where their share is at most {most:.2g}: "
            f"(n, kappa) = {', '.join(f'({row.num_items}, {row.kappa:.2f})' for row in rare)}."
        )
    softer, num_softer = [], 0
    for num_items in sorted({row.num_items for row in rows}):
        one, half, zero = (_range(_chosen(rows, problem, num_items)) for problem in _LABELS)
        if one and half and zero:
            softer.append(f"{half:.3f}, {zero:.3f} and {one:.3f} at n = {num_items}")
            num_softer += min(half, zero) > one
    if softer:
        words.append(
            "From a share of 3/4 to one of 1/4, between points, kappa rises by (sum M/2, sum 0 and "
            f"partition) {'; '.join(softer)}: by more for both sums than for partitions at "
            f"{num_softer} of {len(softer)} n."
        )
    contradictions, draws = sum(row.disagree for row in rows), sum(row.trials for row in rows)
    words.append(
        f"Search and counting contradict each other on {contradictions} of {draws} draws. Limits "
        f"are of {100 * CONFIDENCE:g} % at each point."
    )
    return " ".join(words)


def _distance(row: Row) -> float:
    """How far the law is from the limits; 0 inside."""
    return max(row.low - row.law, row.law - row.high, 0.0)


def _where(row: Row) -> str:
    return f", at n = {row.num_items} and kappa = {row.kappa:.2f}" if _distance(row) else ""


def _range(chosen: Sequence[Row]) -> float | None:
    """Distance in kappa between the shares 3/4 and 1/4, interpolated; None if out of reach.

    A share that is less than a later one, by chance, counts as that one: np.interp reads only
    shares in order.
    """
    if not chosen:
        return None
    shares = np.maximum.accumulate([row.hits / row.trials for row in chosen][::-1])[::-1]
    if shares[0] < 0.75 or shares[-1] > 0.25:
        return None
    at = np.interp([-0.75, -0.25], -shares, [row.kappa for row in chosen])
    return float(at[1] - at[0])
