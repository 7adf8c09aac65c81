"""Random subset sums measured: the items that serve one target, or all, against the accuracy.

For numbers, uniform or products of two Gaussians, and for Gaussian vectors of dimension 1 to 6. All
points of a curve are first widths of their own draws, so the points are independent. Beside the
exact limits on the (whole) number of items there is the place at which the line between two
neighbouring numbers crosses the probability: it moves less than a whole item, and fits use it.
"""

import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int64, PRNGKeyArray

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import (
    Progress,
    collect_rows,
    count_chunks,
    report_part,
    reporting,
)
from lottery_jax.montecarlo.experiment import Experiment, check_epsilons
from lottery_jax.montecarlo.store import Store, open_run
from lottery_jax.montecarlo.threshold import invert, threshold
from lottery_jax.random_subset_sum import scalars, vectors
from lottery_jax.report.items import ItemsRow, describe_items, write_items
from lottery_jax.report.tables import format_table

CONFIDENCE = 0.95
_NAMES = ("scalar_rss", "vector_rss")


class Curve(NamedTuple):
    """The items needed at a grid of accuracies, from coarse to fine."""

    event: str
    law: str  # of a coordinate of an item
    dim: int  # 0: numbers, with targets in [-1/2, 1/2]
    epsilons: tuple[float, ...]
    trials: int  # fresh draws at each accuracy
    guess: tuple[float, float]  # items per bit and a constant; only saves time
    probabilities: tuple[float, ...] = (0.5,)  # from the same draws

    def experiment(self, width: int) -> Experiment:
        """The experiment of this curve with so many items."""
        if self.dim:
            return vectors.experiment(dim=self.dim, width=width, event=self.event)
        return scalars.experiment(width=width, law=self.law, event=self.event)

    def near(self, epsilon: float) -> Experiment:
        """The experiment that a pilot starts from."""
        slope, constant = self.guess
        most = self.experiment(1).max_width or 1
        width = math.ceil(constant + slope * math.log2(1 / epsilon))
        return self.experiment(min(max(width, 1), most))


_DECADES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
_BOTH = (0.5, 0.9)

FULL = (
    Curve("target", "uniform", 0, _DECADES, 1024, (1.1, 4.0), _BOTH),
    Curve("target", "product_normal", 0, _DECADES, 1024, (1.1, 4.0), _BOTH),
    Curve("interval", "uniform", 0, _DECADES[:4], 256, (1.15, 4.5)),
    Curve("interval", "product_normal", 0, _DECADES[:4], 256, (1.15, 5.0)),
    Curve("interval", "uniform", 0, _DECADES[4:], 64, (1.15, 4.5)),
    Curve("interval", "product_normal", 0, _DECADES[4:], 64, (1.15, 5.0)),
    Curve("target", "normal", 1, (0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4), 256, (1.2, 6.0), _BOTH),
    Curve("target", "normal", 2, (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3), 256, (2.2, 8.0), _BOTH),
    Curve("target", "normal", 3, (0.5, 0.3, 0.1, 0.03, 0.01), 256, (3.2, 12.0), _BOTH),
    Curve("target", "normal", 4, (0.5, 0.3, 0.2, 0.1, 0.05), 256, (4.2, 14.0), _BOTH),
    Curve("target", "normal", 5, (0.5, 0.3, 0.2, 0.1), 256, (5.2, 16.0), _BOTH),
    Curve("target", "normal", 6, (0.5, 0.3, 0.2, 0.1), 128, (6.2, 18.0), _BOTH),
    Curve("cube", "normal", 1, (0.3, 0.1, 0.03, 0.01), 128, (1.2, 8.0)),
    Curve("cube", "normal", 2, (0.3, 0.1, 0.05, 0.03), 128, (2.2, 13.0)),
    Curve("cube", "normal", 3, (0.5, 0.3, 0.2, 0.15), 64, (3.2, 16.0)),
    Curve("cube", "normal", 4, (0.7, 0.6, 0.5), 64, (4.2, 19.0)),
)

# Guesses that let few pilots do, and widths that need no larger program.
QUICK = (
    Curve("target", "uniform", 0, (1e-1, 1e-2, 1e-3, 1e-4), 512, (1.1, 4.0), _BOTH),
    Curve("target", "product_normal", 0, (1e-1, 1e-2, 1e-3, 1e-4), 512, (1.1, 4.0), _BOTH),
    Curve("interval", "uniform", 0, (1e-1, 3e-2, 1e-2), 256, (1.3, 5.0)),
    Curve("interval", "product_normal", 0, (1e-1, 3e-2, 1e-2), 256, (1.3, 5.0)),
    Curve("target", "normal", 2, (0.3, 0.1, 0.03, 0.01), 256, (2.2, 8.0)),
    Curve("cube", "normal", 2, (0.5, 0.3, 0.2), 64, (2.2, 13.0)),
)


def measure(
    curves: Sequence[Curve],
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[ItemsRow]:
    """Measure every point of the curves; what the store already holds is not run again.

    Progress counts the draws that estimate, not those of the pilots.
    """
    total = sum(curve.trials * len(curve.epsilons) for curve in curves)
    rows, done = [], 0
    with reporting(progress, total, "rss") as report:
        for curve in curves:
            for epsilon in curve.epsilons:
                part = partial(report_part, report, done, curve.trials, total)
                rows += _measure_point(curve, epsilon, part, key=key, store=store, mesh=mesh)
                done += curve.trials
    return rows


def _measure_point(curve: Curve, epsilon: float, progress, *, key, store, mesh) -> list[ItemsRow]:
    """A row for every probability, from the draws that serve the largest of them."""
    found = threshold(
        curve.near(epsilon),
        key=key,
        epsilon=epsilon,
        trials=curve.trials,
        probability=max(curve.probabilities),
        confidence=CONFIDENCE,
        store=store,
        mesh=mesh,
        progress=progress,
    )
    capped = curve.experiment(found.cap)
    certain, possible = np.zeros((2, found.cap + 2), np.int64)
    for row in collect_rows(
        capped,
        key=key,
        kind="first_width",
        epsilons=check_epsilons([epsilon]),
        chunks=range(count_chunks(capped, curve.trials)),
        store=store,  # it holds all of them by now
        mesh=mesh,
    ):
        for counts, histogram in ((certain, row["certain"]), (possible, row["possible"])):
            for width, count in histogram.items():
                counts[int(width)] += count
    certain, possible = certain[:-1].cumsum(), possible[:-1].cumsum()
    rows = []
    for probability in curve.probabilities:
        width, low, high = invert(certain, possible, found.trials, probability, CONFIDENCE)
        place, place_low, place_high = _places(certain, possible, found.trials, probability)
        rows.append(
            ItemsRow(
                event=curve.event,
                law=curve.law,
                dim=curve.dim,
                epsilon=found.epsilon,
                probability=probability,
                width=float(width),
                width_low=float(low),
                width_high=float(high),
                place=place,
                place_low=place_low,
                place_high=place_high,
                trials=found.trials,
                undecided=found.undecided,
                cap=found.cap,
            )
        )
    return rows


def _places(
    certain: Int64[np.ndarray, " width"],
    possible: Int64[np.ndarray, " width"],
    trials: int,
    probability: float,
) -> tuple[float, float, float]:
    """Where the share of successes, and its limits, cross the probability."""
    low, high = limits_exact(certain, trials, undecided=possible - certain, confidence=CONFIDENCE)
    # Half of the open draws each way.
    share = (certain + possible) / (2 * trials)
    place, place_low, place_high = (
        _crossing(np.asarray(each), probability) for each in (share, high, low)
    )
    return place, place_low, place_high


def _crossing(shares: Float[np.ndarray, " width"], probability: float) -> float:
    """The place at which the line through the shares at 0, 1, 2, ... crosses the probability."""
    at = int(np.argmax(shares >= probability))
    if shares[at] < probability:
        return math.inf
    before = shares[at - 1] if at else 0.0
    return at - 1 + float((probability - before) / (shares[at] - before))


def describe(rows: Sequence[ItemsRow]) -> str:
    """The table, and the lines through it."""
    return describe_items(rows)


def write(rows: Sequence[ItemsRow], folder: Path) -> None:
    """Write rss.csv and rss.png into the folder."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    write_items(folder / "rss.csv", rows)
    figures.save(figures.item_curves(rows), folder / "rss.png")


def plan(curves: Sequence[Curve]) -> str:
    """What a run will do, without doing it: points, draws, and rough time and memory."""
    header = ["event", "items", "d", "epsilon", "n", "draws", "seconds", "MiB"]
    cells, programs, total = [], set(), 0.0
    for curve in curves:
        for epsilon in curve.epsilons:
            experiment = curve.near(epsilon)
            draws = count_chunks(experiment, curve.trials) * experiment.lanes
            programs.add(experiment.first_width)
            seconds = draws * (experiment.seconds_per_draw or (lambda: 0.0))()
            size = (experiment.bytes_per_draw or (lambda: 0.0))() / 2**20
            total += seconds
            what = [curve.event, curve.law, curve.dim, epsilon, experiment.width]
            cells.append([*what, draws, seconds, size])
    return "\n".join(
        [
            format_table(header, cells),
            "",
            f"{len(cells)} points, about {total:.0f} s of one core, some more for pilots, and some "
            f"seconds for each of {len(programs)} programs to compile; memory is per draw at work.",
        ]
    )


def open_store(folder: str | os.PathLike) -> Store:
    """The store of a folder, refused if it holds counts of something else."""
    return open_run(Path(folder) / "rss.jsonl", _NAMES)
