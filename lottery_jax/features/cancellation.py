"""The cancellation that makes the shifted basis necessary, and what random biases do to it.

The target is a sum of f(x_i) with f = He_2 / sqrt(2) + 2 sqrt(3) He_4 / sqrt(24). In the gradient
of a unit without bias at the weight e_i its terms of degree 2 and 4 cancel: the unshifted basis
(c = 1) sees nothing there, however many samples there are. At c e_i + sqrt(1 - c^2) e_d the
gradient does not vanish. Nor does it at e_i for a unit with a bias, but for a few values of it.
"""

import math
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.features.cancellation_report import describe, draw
from lottery_jax.features.cancellation_rows import CONFIDENCE, Row
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import collect_each, planned_seconds
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.sparse_features import links, population, recovery
from lottery_jax.sparse_features.recovery_limits import check_spread, recalls

__all__ = ["COUNTED", "FULL", "NAME", "QUESTION", "QUICK", "Row", "Setup"]
__all__ += ["describe", "draw", "measure", "plan"]

NAME = "features_cancellation"
QUESTION = "Is the shifted basis necessary?"
COUNTED = (recovery.NAME,)
TERMS = {2: 1.0, 4: 2 * math.sqrt(3)}  # of f, by degree, in the orthonormal basis


class Setup(NamedTuple):
    """What a run draws."""

    dim: int
    support_size: int  # summands
    sizes: tuple[int, ...]
    shift: float  # c of the shifted basis
    num_pairs: int
    trials: int
    grid: int  # places of c at which the gradient is computed


FULL = Setup(100, 4, (1000, 4000, 16_000, 64_000), 0.5, 16, 20, 41)
QUICK = Setup(30, 2, (1000, 8000), 0.5, 8, 10, 21)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    tasks = _tasks(setup)
    seconds = planned_seconds([(each, setup.trials) for each in tasks])
    return (
        f"{len(tasks)} experiments at d = {setup.dim}, n up to {setup.sizes[-1]}, {setup.trials} "
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
    """Gradients on a grid of c, and recall by basis, biases and rows."""
    check_spread(setup.trials)
    tasks = [(experiment, setup.trials) for experiment in _tasks(setup)]
    counts = collect_each(tasks, label=NAME, key=key, store=store, mesh=mesh, progress=progress)
    rows = _gradients(setup.grid)
    for (biases, shift), (experiment, _), each in zip(_cases(setup), tasks, counts, strict=True):
        for found in recalls(experiment, each, confidence=CONFIDENCE):
            rows.append(
                Row(
                    what="recall",
                    biases=biases,
                    shift=shift,
                    norm=None,
                    dim=setup.dim,
                    support_size=setup.support_size,
                    size=found.size,
                    trials=found.trials,
                    line=found.even,
                    line_low=found.even_low,
                    line_high=found.even_high,
                    line_chance=found.kept_entries / setup.dim,
                    recall=found.recall,
                    low=found.low,
                    high=found.high,
                    chance=found.chance,
                )
            )
    return rows


def gradient_norms(shifts, biases):
    """Norms of the gradient at the shifted first input, by shift and bias, for f alone.

    Examples
    --------
    >>> print(np.round(gradient_norms([1.0, 0.5], [0.0])[:, 0] * math.sqrt(13), 4))
    [0.     0.1331]
    """
    places, offsets = np.meshgrid(np.asarray(shifts), np.asarray(biases), indexing="ij")
    weights = np.stack([places, np.sqrt(np.maximum(0.0, 1 - places**2))], axis=-1)
    found = population.gradient(_link(1), np.eye(2)[:, :1], weights, offsets, part="even")
    return np.linalg.norm(found, axis=-1)


def _gradients(grid: int) -> list[Row]:
    """Without bias, and the root mean square over standard normal biases."""
    shifts = np.linspace(1, 0, grid, endpoint=False)[::-1]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    spread = np.sqrt(gradient_norms(shifts, nodes) ** 2 @ weights / math.sqrt(2 * math.pi))
    none = gradient_norms(shifts, [0.0])[:, 0]
    empty = dict.fromkeys(Row._fields)
    return [
        Row(**{**empty, "what": "gradient", "biases": name, "shift": float(c), "norm": float(norm)})
        for name, norms in (("zero", none), ("normal", spread))
        for c, norm in zip(shifts, norms, strict=True)
    ]


def _cases(setup: Setup) -> list[tuple[str, float]]:
    return [(biases, shift) for biases in ("zero", "normal") for shift in (1.0, setup.shift)]


def _link(support_size: int) -> links.Link:
    """The sum of f over the inputs of the support."""
    terms: dict[tuple[int, ...], float] = {}
    for i in range(support_size):
        for degree, coefficient in TERMS.items():
            terms[tuple(degree if j == i else 0 for j in range(support_size))] = coefficient
    return links.hermite(terms, name=f"{support_size} cancelling summands")


def _tasks(setup: Setup) -> list[Experiment]:
    return [
        recovery.recovery(
            dim=setup.dim,
            support_size=setup.support_size,
            link=_link(setup.support_size),
            sizes=setup.sizes,
            kept=[setup.support_size],
            num_pairs=setup.num_pairs,
            shift=shift,
            law="coordinates",
            biases=biases,
        )
        for biases, shift in _cases(setup)
    ]
