"""How much the settings of PruneNetwork matter: M, the entries kept, and the shift c.

Both at a fixed number of samples, once too few for the usual settings and once enough. Theory asks
for M of the order of s and for c = 1 / log d, and is silent on constants.
"""

import math
from typing import NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.features.sensitivity_report import describe, draw
from lottery_jax.features.sensitivity_rows import CONFIDENCE, Row
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import collect_each, planned_seconds
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.sparse_features import links, recovery
from lottery_jax.sparse_features.recovery_limits import check_spread, recalls

__all__ = ["COUNTED", "FULL", "NAME", "QUESTION", "QUICK", "Row", "Setup"]
__all__ += ["describe", "draw", "measure", "plan"]

NAME = "features_sensitivity"
QUESTION = "How much do M and the shift matter?"
COUNTED = (recovery.NAME,)


class Setup(NamedTuple):
    """What a run draws."""

    dim: int
    support_size: int
    exponent: int  # k*
    multiples: tuple[float, ...]  # n / s^k*
    kept: tuple[float, ...]  # M / s; 1 where c is swept
    shifts: tuple[float, ...]  # c, beside 1 / log d
    shift: float  # c where M is swept
    num_pairs: int
    trials: int


FULL = Setup(
    dim=256,
    support_size=16,
    exponent=2,
    multiples=(8.0, 32.0),
    kept=(0.25, 0.5, 1.0, 2.0, 4.0),
    shifts=(0.1, 0.3, 0.5, 0.7, 0.9),
    shift=0.5,
    num_pairs=16,
    trials=20,
)
QUICK = Setup(64, 8, 2, (8.0, 32.0), (0.5, 1.0, 2.0), (0.1, 0.5, 0.9), 0.5, 8, 8)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    tasks = _tasks(setup)
    seconds = planned_seconds([(each, setup.trials) for each in tasks])
    return (
        f"{len(setup.kept)} values of M and {len(tasks) - 1} of c at d = {setup.dim}, "
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
    """A row for each M or c and number of rows; stored draws are not drawn again."""
    check_spread(setup.trials)
    tasks = [(experiment, setup.trials) for experiment in _tasks(setup)]
    counts = collect_each(tasks, label=NAME, key=key, store=store, mesh=mesh, progress=progress)
    rows = []
    for number, ((experiment, _), each) in enumerate(zip(tasks, counts, strict=True)):
        for found in recalls(experiment, each, confidence=CONFIDENCE):
            rows.append(
                Row(
                    sweep="c" if number else "M",
                    dim=setup.dim,
                    support_size=setup.support_size,
                    exponent=setup.exponent,
                    size=found.size,
                    kept_entries=found.kept_entries,
                    shift=float(dict(experiment.settings)["shift"]),
                    trials=found.trials,
                    recall=found.recall,
                    low=found.low,
                    high=found.high,
                    complete=found.complete,
                    kept=found.kept,
                    false=found.kept - found.recall * setup.support_size,
                    chance=found.chance,
                )
            )
    return rows


def _tasks(setup: Setup) -> list[Experiment]:
    """All M in one experiment, whose draws they share; an experiment for each c."""
    size = setup.support_size
    settings = {
        "dim": setup.dim,
        "support_size": size,
        "link": links.hermite({setup.exponent: 1.0}),
        "sizes": [round(each * size**setup.exponent) for each in setup.multiples],
        "num_pairs": setup.num_pairs,
    }
    choices = [max(1, round(each * size)) for each in setup.kept]
    shifts = sorted([*setup.shifts, 1 / math.log(setup.dim)])
    return [recovery.recovery(kept=choices, shift=setup.shift, **settings)] + [
        recovery.recovery(kept=[size], shift=shift, **settings) for shift in shifts
    ]
