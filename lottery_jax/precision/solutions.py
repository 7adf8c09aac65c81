"""How many solutions there are: Poisson laws, their means and second moments, even and odd totals.

The number of perfect partitions of n whole numbers uniform on 1, ..., M is nearly Poisson, with
mean rho / 2 given an even total and rho given an odd one. The number of subsets with the sum M / 2,
for numbers uniform on -M, ..., M without 0, is Poisson with a mean that depends on the total of the
numbers: its pairs of solutions exceed the square of its mean. Means and pairs are known exactly for
every n and M, and tend to those of the laws like 1 / n.
"""

from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import Counts, collect_each, limits_jackknife, planned_seconds
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.precision.solutions_report import describe, draw
from lottery_jax.precision.solutions_rows import CONFIDENCE, Row
from lottery_jax.quantized import laws, moments, partition, subset_sum_laws

__all__ = ["COUNTED", "FULL", "NAME", "QUESTION", "QUICK", "describe", "draw", "measure", "plan"]

NAME = "quantized_solutions"
QUESTION = "How many exact solutions does a random instance have, and is the number Poisson?"
COUNTED = ("number_partitioning", "quantized_subset_sum")
_MOST_ITEMS = 16  # of subsets whose exact moments are computed: a minute beyond

_Size = dict[str, Any]  # problem, num_items and largest of a row


class Setup(NamedTuple):
    """What a run draws."""

    sizes: tuple[int, ...]  # n
    place: float  # lambda: where in the window of perfect partitions
    trials: int  # of each problem and n; at least 10 chunks of 4096


FULL = Setup(sizes=(8, 12, 16, 20), place=-1.0, trials=204_800)
QUICK = Setup(sizes=(8,), place=-1.0, trials=40_960)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    experiments = [each for num_items in setup.sizes for each in _experiments(setup, num_items)]
    seconds = planned_seconds([(each, setup.trials) for each in experiments])
    return (
        f"{len(experiments)} problems, n = {', '.join(map(str, setup.sizes))}, {setup.trials} "
        f"draws each: about {seconds:.0f} s of one core after compiling"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows of every n; draws that the store already holds are not drawn again."""
    pairs = [_experiments(setup, num_items) for num_items in setup.sizes]
    tasks = [(experiment, setup.trials) for pair in pairs for experiment in pair]
    found = collect_each(tasks, label=NAME, key=key, store=store, mesh=mesh, progress=progress)
    rows = []
    for number, num_items in enumerate(setup.sizes):
        both = found[2 * number : 2 * number + 2]
        rows += _rows(num_items, _largest(num_items, setup.place), *both)
    return rows


def _largest(num_items: int, place: float) -> int:
    return 2 * round(2.0 ** (float(laws.log2_largest_at(num_items, place)) - 1))


def _experiments(setup: Setup, num_items: int) -> tuple[Experiment, Experiment]:
    sizes = {"num_items": num_items, "largest": _largest(num_items, setup.place)}
    return (
        partition.number_partitioning(**sizes),
        partition.quantized_subset_sum(**sizes, target=sizes["largest"] // 2),
    )


def _rows(num_items: int, largest: int, partitions: Counts, subsets: Counts) -> list[Row]:
    from scipy import special  # on first use: importing the package stays light

    log2_largest = float(np.log2(largest))
    rho = 2.0 ** float(laws.log2_solutions(num_items, log2_largest))
    exact = moments.perfect_moments(num_items, largest)
    cells = np.arange(partition.MOST_COUNTED + 1)
    rows = []
    for parity, (problem, mean, known) in enumerate(
        (("even", rho / 2, exact.even), ("odd", rho, exact.odd))
    ):
        chosen = partitions._replace(
            totals={name: each[parity] for name, each in _split(partitions.totals)},
            chunks={name: each[:, parity] for name, each in _split(partitions.chunks)},
        )
        size = {"problem": problem, "num_items": num_items, "largest": largest}
        law = np.exp(cells * np.log(mean) - mean - special.gammaln(cells + 1))
        rows += _of_cells(size, chosen, "partitions", law)
        rows += _of_moments(size, chosen, (mean, mean**2), known)
    setting = num_items, log2_largest, 0.5
    law = subset_sum_laws.number_of_subsets(*setting, cells)
    limit = (
        2.0 ** float(subset_sum_laws.log2_expected_subsets(*setting)),
        2.0 ** float(subset_sum_laws.log2_expected_pairs(*setting)),
    )
    known = None
    if num_items <= _MOST_ITEMS:
        known = moments.subset_moments(num_items, largest, largest // 2)
    size = {"problem": "M/2", "num_items": num_items, "largest": largest}
    rows += _of_cells(size, subsets, "subsets", np.asarray(law))
    return rows + _of_moments(size, subsets, limit, known)


def _split(counts):
    return ((name, each) for name, each in counts.items() if name != "disagree")


def _of_cells(size: _Size, counts: Counts, name: str, law) -> list[Row]:
    draws = int(counts.totals["draws"])
    rows = []
    # The last count is that of more solutions.
    for cell, (hits, limit) in enumerate(zip(counts.totals[name][:-1], law, strict=True)):
        low, high = limits_exact(int(hits), draws, confidence=CONFIDENCE)
        rows.append(
            Row(
                **size,
                what="cell",
                cell=cell,
                draws=draws,
                value=int(hits) / draws,
                low=float(low),
                high=float(high),
                limit=float(limit),
                exact=None,
            )
        )
    return rows


def _of_moments(
    size: _Size, counts: Counts, limits: tuple[float, float], exact: moments.Moments | None
) -> list[Row]:
    known = {
        what: (law, None if exact is None else exact[number])
        for number, (what, law) in enumerate(zip(("mean", "pairs"), limits, strict=True))
    }
    ratio = None if exact is None else exact[1] / exact[0] ** 2
    known["ratio"] = limits[1] / limits[0] ** 2, ratio
    rows = []
    for what, statistic in (("mean", _mean), ("pairs", _pairs), ("ratio", _ratio)):
        value, low, high = limits_jackknife(counts, statistic, confidence=CONFIDENCE)
        law, certain = known[what]
        rows.append(
            Row(
                **size,
                what=what,
                cell=None,
                draws=int(counts.totals["draws"]),
                value=value,
                low=low,
                high=high,
                limit=law,
                exact=certain,
            )
        )
    return rows


def _mean(totals) -> float:
    return partition.whole(totals["sum"]) / int(totals["draws"])


def _pairs(totals) -> float:
    """Ordered pairs of different solutions."""
    pairs = partition.whole(totals["squares"]) - partition.whole(totals["sum"])
    return pairs / int(totals["draws"])


def _ratio(totals) -> float:
    """Pairs over the square of the mean; not a number where no draw has a solution."""
    mean = _mean(totals)
    return _pairs(totals) / mean**2 if mean else float("nan")
