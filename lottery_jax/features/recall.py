"""Recall of the support against the number of samples: does it depend on n / s^k* alone?

The target is He_k* of one flat direction of s = sqrt(d) inputs, for k* = 1, 2, 3. PruneNetwork with
M = s is run on more and more rows. By theory about s^k* / c^(2 (k* - 1)) rows are enough, up to
logarithms, so that curves for all d should meet when drawn against n / s^k*. Theory takes c =
1 / log d; larger c need fewer rows, and k* = 3 is drawn at a larger one than the others to stay
affordable.
"""

import math
from typing import NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.features.recall_report import describe, draw
from lottery_jax.features.recall_rows import CONFIDENCE, Row, first_rise
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import Counts, collect_each, planned_seconds
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.sparse_features import links, recovery
from lottery_jax.sparse_features.recovery_limits import check_spread, recalls

__all__ = ["COUNTED", "FULL", "NAME", "QUESTION", "QUICK", "Curve", "Row", "Setup"]
__all__ += ["describe", "draw", "measure", "plan"]

NAME = "features_recall"
QUESTION = "How many samples does pruning need to find the support?"
COUNTED = (recovery.NAME,)


class Curve(NamedTuple):
    """Recall of one law of targets at several numbers of rows."""

    exponent: int  # k*
    dim: int  # d, a square; s = M = sqrt(d)
    shift: float  # c
    multiples: tuple[float, ...]  # n / s^k*
    trials: int


class Setup(NamedTuple):
    """What a run draws."""

    curves: tuple[Curve, ...]
    num_pairs: int  # m


def theory_shift(dim: int) -> float:
    """C = 1 / log d."""
    return 1 / math.log(dim)


_POINTS = (2.0, 4.0, 8.0, 16.0, 32.0)
FULL = Setup(
    curves=(
        *(Curve(1, dim, 0.5, _POINTS, 20) for dim in (64, 144, 256)),
        *(Curve(1, dim, 0.5, _POINTS, 10) for dim in (576, 1024)),
        *(Curve(2, dim, 0.5, _POINTS, 20) for dim in (64, 144, 256)),
        *(Curve(2, dim, 0.5, _POINTS, 10) for dim in (576, 1024)),
        Curve(2, 144, theory_shift(144), (8.0, 32.0, 128.0), 10),
        Curve(3, 64, 0.8, (1.0, *_POINTS, 64.0), 40),
        Curve(3, 144, 0.8, (*_POINTS, 64.0), 20),
        Curve(3, 256, 0.8, (*_POINTS, 64.0), 10),
        Curve(3, 576, 0.8, (4.0, 8.0, 16.0, 32.0), 6),
        Curve(3, 1024, 0.8, (8.0, 16.0, 32.0), 4),
    ),
    num_pairs=16,
)
QUICK = Setup(
    curves=tuple(Curve(2, 64, shift, (2.0, 8.0, 32.0), 8) for shift in (0.5, theory_shift(64))),
    num_pairs=8,
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    seconds = planned_seconds(_tasks(setup))
    dims = sorted({curve.dim for curve in setup.curves})
    exponents = sorted({curve.exponent for curve in setup.curves})
    return (
        f"{len(setup.curves)} curves of recall, k* = {', '.join(map(str, exponents))}, d = "
        f"{', '.join(map(str, dims))}, {sum(curve.trials for curve in setup.curves)} draws in all: "
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
    """A row for each curve and number of rows; draws that the store holds are not drawn again."""
    for curve in setup.curves:
        check_spread(curve.trials)
    tasks = _tasks(setup)
    counts = collect_each(tasks, label=NAME, key=key, store=store, mesh=mesh, progress=progress)
    return [
        row
        for curve, (experiment, _), each in zip(setup.curves, tasks, counts, strict=True)
        for row in _rows(curve, experiment, each)
    ]


def _tasks(setup: Setup) -> list[tuple[Experiment, int]]:
    return [(_experiment(curve, setup.num_pairs), curve.trials) for curve in setup.curves]


def _support_size(curve: Curve) -> int:
    return math.isqrt(curve.dim)


def _experiment(curve: Curve, num_pairs: int) -> Experiment:
    support_size = _support_size(curve)
    return recovery.recovery(
        dim=curve.dim,
        support_size=support_size,
        link=links.hermite({curve.exponent: 1.0}),
        sizes=[round(each * support_size**curve.exponent) for each in curve.multiples],
        kept=[support_size],
        num_pairs=num_pairs,
        shift=curve.shift,
    )


def _rows(curve: Curve, experiment: Experiment, counts: Counts) -> list[Row]:
    found = recalls(experiment, counts, confidence=CONFIDENCE)
    sizes = [each.size for each in found]
    levels = [(1 + each.chance) / 2 for each in found]
    half, half_low, half_high = (
        first_rise(sizes, [getattr(each, name) for each in found], levels)
        for name in ("recall", "high", "low")
    )
    support_size = _support_size(curve)
    return [
        Row(
            exponent=curve.exponent,
            dim=curve.dim,
            support_size=support_size,
            shift=curve.shift,
            size=each.size,
            scaled=each.size / support_size**curve.exponent,
            trials=each.trials,
            recall=each.recall,
            low=each.low,
            high=each.high,
            complete=each.complete,
            complete_low=each.complete_low,
            complete_high=each.complete_high,
            kept=each.kept,
            chance=each.chance,
            half=half,
            half_low=half_low,
            half_high=half_high,
        )
        for each in found
    ]
