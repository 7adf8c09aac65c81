"""Joint success on m families beside the product of Lemma 3, from histograms of good families.

Given the output weights alpha of a draw its J families are independent and alike. If s of them are
good, m chosen ones are all good in a share C(s, m) / C(J, m) of the choices, and the mean of this
share is E p(alpha)^m: joint success, without bias, from all families of every draw. The product is
(E s / J)^m.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lottery_jax.montecarlo.counts import Counts, limits_jackknife

LEAST_EFFECTIVE = 100.0  # draws that must carry a mean for its limits to be told


class Measured(NamedTuple):
    """A positive number with its confidence limits, families left open by rounding covered."""

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """What Lemma 3 compares."""

    joint: Measured  # E p^m
    product: Measured  # (E p)^m
    ratio: Measured  # of the two
    effective: float  # draws that carry the joint success, see `effective_draws`


def compare(counts: Counts, families: int, *, confidence: float = 0.95) -> Comparison:
    """Joint success, product and their ratio for m families.

    Parameters
    ----------
    counts
        Of `families.experiment`, in at least 10 chunks.
    families
        m, from 1 to the number of families of a draw.
    confidence
        Of each pair of limits, strictly between 0 and 1.

    Raises
    ------
    ValueError
        For arguments outside these ranges.

    Notes
    -----
    Limits are those of the logarithms by `limits_jackknife`. Families that rounding left open count
    as good where that makes an upper limit larger, and as not good otherwise, so in the ratio they
    count on one side only. Where fewer than 100 draws carry the joint success, its mean is not
    nearly normal, and the limits of joint success and ratio are left open.

    Examples
    --------
    Draws that have all of two families good or none: success on both is success on one.

    >>> halves = np.array([[50, 0, 50], [48, 0, 52]] * 10)
    >>> chunks = {"certain": halves, "possible": halves}
    >>> totals = {name: each.sum(axis=0) for name, each in chunks.items()}
    >>> print(np.round(compare(Counts(2000, totals, chunks, 0.0), 2).ratio, 2))
    [1.96 1.94 1.98]
    """

    def log_joint(totals, name):
        return _log(joint(totals[name], families))

    def log_product(totals, name):
        return families * _log(joint(totals[name], 1))

    def log_ratio(totals, name):
        other = "possible" if name == "certain" else "certain"
        return log_joint(totals, name) - log_product(totals, other)

    effective = effective_draws(counts.totals["certain"], families)
    is_told = effective >= LEAST_EFFECTIVE
    measure = partial(_measure, counts, confidence=confidence)
    return Comparison(
        joint=measure(log_joint, 1.0, is_told),
        product=measure(log_product, 1.0, True),
        ratio=measure(log_ratio, math.inf, is_told),
        effective=effective,
    )


def _measure(
    counts: Counts, statistic: Callable, largest: float, is_told: bool, *, confidence: float
) -> Measured:
    """A number from its logarithm, by the histogram that makes it least and the one of most."""
    least, low, _ = limits_jackknife(
        counts, partial(statistic, name="certain"), confidence=confidence
    )
    most, _, high = limits_jackknife(
        counts, partial(statistic, name="possible"), confidence=confidence
    )
    value = math.exp((least + most) / 2)
    if not is_told:
        return Measured(value, 0.0, largest)
    return Measured(value, math.exp(low), min(math.exp(high), largest))


def _log(value: float) -> float:
    return math.log(value) if value else -math.inf


def joint(good: Int64[np.ndarray, " number"], families: int) -> float:
    """The share of choices of so many families in which all are good; its mean is E p^m.

    Parameters
    ----------
    good
        Histogram of draws by the number of good families, 0 to J.
    families
        m, 1 to J.

    Raises
    ------
    ValueError
        For other m.

    Examples
    --------
    One draw with 1 and one with 2 good families of 3: 0 and 1 of the 3 pairs.

    >>> joint(np.array([0, 1, 1, 0]), 2) == 1 / 6
    True
    """
    return float(np.sum(good * _shares(len(good) - 1, families)) / np.sum(good))


def effective_draws(good: Int64[np.ndarray, " number"], families: int) -> float:
    """How many draws carry the mean of `joint`: (sum u)^2 / (sum u^2) over their shares u.

    Parameters and errors are those of `joint`.

    Examples
    --------
    >>> effective_draws(np.array([90, 5, 5]), 2)
    5.0
    """
    shares = _shares(len(good) - 1, families)
    squares = np.sum(good * shares**2)
    return float(np.sum(good * shares) ** 2 / squares) if squares else 0.0


def _shares(num_families: int, families: int) -> Float64[np.ndarray, " number"]:
    if not 1 <= families <= num_families:
        raise ValueError(f"{families=} must lie in 1 to {num_families}")
    choices = math.comb(num_families, families)
    return np.array([math.comb(good, families) / choices for good in range(num_families + 1)])
