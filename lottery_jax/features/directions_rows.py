"""The rows of the study of directions, and how sparse each law of directions is."""

import functools
from typing import NamedTuple

import jax
import numpy as np

from lottery_jax.sparse_features import directions
from lottery_jax.sparse_features.recovery_limits import limits_mean

CONFIDENCE = 0.95  # of each interval


class Row(NamedTuple):
    """What pruning keeps and gains at one number of rows, for one law of directions or inputs."""

    law: str  # "flat", "power 0.5", ..., or "dense"
    inputs: str  # law of the inputs: "normal", "uniform", "rademacher" or "laplace"
    dim: int  # d
    effective: float  # ||V||_{2,1}^2: as many equal entries would have this norm
    alpha: float  # its logarithm in units of log d
    exponent: int  # k*
    kept_entries: int  # M
    size: int  # n
    seeds: int
    mass: float  # mean of ||V_J||_F^2, the share of V on the inputs kept
    mass_low: float  # limits of this mean, from the spread over seeds
    mass_high: float
    largest: float  # ||V_J||_F^2 for the |J| largest entries: no set of this size keeps more
    chance: float  # |J| / d, which as many random inputs keep in the mean
    pruned: float  # mean test error of the pruned network, the target's variance being 1
    pruned_deviation: float  # standard error of this mean, from the spread over seeds
    dense: float  # of the network on all inputs
    dense_deviation: float
    gain: float  # mean of dense - pruned, seed by seed
    gain_low: float  # limits of it
    gain_high: float


def effective_size(law: str, dim: int, support_size: int) -> float:
    """||V||_{2,1}^2 for a direction of this law; for random ones its mean over a few.

    Examples
    --------
    >>> round(effective_size("flat", 64, 8), 3)
    8.0
    """
    norms = [
        directions.quasi_norm(draw_direction(law, dim, support_size)(jax.random.key(seed)), 1.0)
        for seed in range(4 if law == "dense" else 1)
    ]
    return float(np.mean(np.square(norms)))


def draw_direction(law: str, dim: int, support_size: int):
    """The function from a key to V: flat on `support_size` inputs, or i^-power on all of them."""
    if law == "dense":
        return functools.partial(directions.dense, dim=dim)
    if law == "flat":
        return functools.partial(directions.flat, dim=dim, support_size=support_size)
    power = float(law.removeprefix("power "))
    return functools.partial(directions.power_law, dim=dim, support_size=dim, power=power)


def share_limits(values, effective: float) -> tuple[float, float]:
    """Limits for the mean share of V, which may be the same for all seeds (see `limits_mean`)."""
    parts = np.round(np.asarray(values, np.float64) * 4096).astype(int)
    total, squares = int(parts.sum()), int((parts**2).sum())
    return limits_mean(
        total, squares, len(parts), 4096, confidence=CONFIDENCE, independent=round(effective)
    )
