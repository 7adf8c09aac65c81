"""Fewest units that counting allows: no construction can do with less, and this one needs more.

Two bounds on n, the units of one sign half of one input before pruning. The paper's counts masks: a
random network of α parameters contains at most 2**α networks (`counting_bound`), and here a
layer of d x d weights comes from α = 4 n d². The other counts what the construction can use: a unit
with a <= 0 or b = 0 adds nothing, and L others have at most 2**L subset sums.
"""

import math

import numpy as np
from jaxtyping import Float64

from lottery_jax.quantized import laws
from lottery_jax.quantized.grid import steps

_MOST_UNITS = 4096


def counting_bound(
    bits: laws.Numbers, *, rows: int, columns: int, probability: float
) -> laws.Values:
    """Weights that a random network needs for a layer: rows columns log2(2 / delta + 1) + log2(p).

    Parameters
    ----------
    bits
        k >= 0: weights of the layer are multiples of delta = 2^-k in [-1, 1].
    rows, columns
        Outputs and inputs of the layer, at least 1; one weight is 1 by 1.
    probability
        p in (0, 1]: with at least this chance, a uniformly random layer of these shapes can be cut
        out of the network.

    Returns
    -------
    Values
        The least number of weights of the random network before pruning, a bound without error.

    Raises
    ------
    ValueError
        For arguments outside these ranges.

    Notes
    -----
    alpha weights have 2^alpha masks, so at most 2^alpha of the (2/delta + 1)^(rows columns) layers
    are represented (lower bound of arXiv 2508.11020).

    Examples
    --------
    >>> print(counting_bound([1, 3], rows=1, columns=1, probability=0.5).round(4))
    [1.3219 3.0875]
    """
    depth = np.asarray(bits, np.float64)[()]
    if np.any(depth < 0) or not np.all(np.isfinite(depth)):
        raise ValueError(f"{bits=} must be finite and not negative")
    for name, value in (("rows", rows), ("columns", columns)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name}={value!r} must be an integer of at least 1")
    if not 0 < probability <= 1:
        raise ValueError(f"{probability=} must lie in (0, 1]")
    levels = depth + 1 + np.log1p(np.exp2(-(depth + 1))) / np.log(2)
    return rows * columns * levels + np.log2(probability)


def by_parameters(bits: int, *, dim: int, probability: float) -> float:
    """(log2(2/δ + 1) + log2(p) / d²) / 4 units, at which all masks are just enough.

    Parameters
    ----------
    bits
        log2(1/δ).
    dim
        d, of a layer with d inputs and d outputs.
    probability
        With which the layer is to be represented, in (0, 1].

    Examples
    --------
    >>> round(by_parameters(3, dim=1, probability=0.5), 3)
    0.772
    """
    alpha = counting_bound(bits, rows=dim, columns=dim, probability=probability)
    return float(alpha) / (4 * dim**2)


def by_subsets(bits: int, *, event: str, probability: float) -> int:
    """The least number of units with enough different subset sums.

    Parameters
    ----------
    bits
        log2(1/δ).
    event
        "all": 2 K + 1 different sums are needed. "one": a random weight is one of at most 2**L sums
        with a chance of at most 2**L / (2 K + 1).
    probability
        Strictly between 0 and 1.

    Raises
    ------
    ValueError
        For an argument outside its range.

    Examples
    --------
    >>> [by_subsets(bits, event="all", probability=0.9) for bits in (1, 3, 6)]
    [15, 16, 22]
    """
    if event not in ("all", "one"):
        raise ValueError(f"{event=} must be 'all' or 'one'")
    if not 0 < probability < 1:
        raise ValueError(f"{probability=} must lie strictly between 0 and 1")
    for units in range(_MOST_UNITS + 1):
        if _most_success(bits, units, event) >= probability:
            return units
    raise ValueError(f"{probability=} needs more than {_MOST_UNITS} units; use a smaller one")


def live_share(bits: int) -> float:
    """The chance that a unit adds anything: a > 0 and b is not 0.

    Examples
    --------
    >>> round(live_share(3), 3)
    0.443
    """
    largest = steps(bits)
    return 2 * largest**2 / (2 * largest + 1) ** 2


def _most_success(bits: int, units: int, event: str) -> float:
    """What the success probability of so many units cannot exceed."""
    weights = 2 * steps(bits) + 1
    chances = _live_law(units, live_share(bits))
    sums = np.exp2(np.minimum(np.arange(units + 1), 64))
    enough = sums >= weights if event == "all" else np.minimum(sums / weights, 1)
    return float(np.sum(chances * enough))


def _live_law(units: int, share: float) -> Float64[np.ndarray, " live"]:
    """Probabilities of 0, 1, ... live units."""
    live = np.arange(units + 1)
    logs = [math.lgamma(units + 1) - math.lgamma(k + 1) - math.lgamma(units - k + 1) for k in live]
    return np.exp(np.array(logs) + live * math.log(share) + (units - live) * math.log1p(-share))
