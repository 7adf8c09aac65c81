"""Slopes of measured widths, with limits that carry those of the points."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Slope(NamedTuple):
    """A slope and its confidence limits."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def fit_exponent(
    epsilons: ArrayLike,
    widths: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    *,
    confidence: float = 0.95,
) -> Slope:
    """The exponent a of width ~ (1/epsilon)^a, by weighted least squares of the logarithms.

    Parameters
    ----------
    epsilons
        At least two different accuracies.
    widths, lows, highs
        Measured widths and their confidence limits, from independent draws at each epsilon.
    confidence
        Of the given limits, and of those returned.

    Returns
    -------
    Slope
        With normal limits. The weights follow from the limits of the points; where the points
        scatter around a straight line by more than that, or a curve is fitted by a line, the limits
        are widened by the square root of chi^2 per degree of freedom.

    Raises
    ------
    ValueError
        For fewer than two different epsilons, or a point without finite limits.

    Examples
    --------
    >>> str(fit_exponent([0.4, 0.2, 0.1], [10, 20, 40], [9, 18, 36], [11, 22, 44]))
    '1.00 [0.89, 1.11]'
    """
    x = np.log(1 / np.asarray(epsilons, np.float64))
    y = np.asarray(widths, np.float64)
    deviations = _deviations(lows, highs, confidence) / y
    return _weighted_slope(x, np.log(y), deviations, confidence)


def fit_per_bit(
    epsilons: ArrayLike,
    widths: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    *,
    confidence: float = 0.95,
) -> Slope:
    """The slope of the width against log2(1/epsilon): neurons per bit of accuracy.

    Parameters, limits and errors are those of `fit_exponent`.

    Examples
    --------
    >>> str(fit_per_bit([0.4, 0.2, 0.1], [10, 12, 14], [9, 11, 13], [11, 13, 15]))
    '2.00 [1.19, 2.81]'
    """
    x = np.log2(1 / np.asarray(epsilons, np.float64))
    y = np.asarray(widths, np.float64)
    return _weighted_slope(x, y, _deviations(lows, highs, confidence), confidence)


def _deviations(lows, highs, confidence):
    """Standard deviations behind the limits, with that of rounding to whole neurons."""
    extent = np.asarray(highs, np.float64) - np.asarray(lows, np.float64)
    if not np.all(np.isfinite(extent)):
        raise ValueError("a fit needs finite limits at every point; leave out the open ones")
    return np.sqrt((extent / (2 * _quantile(confidence))) ** 2 + 1 / 12)


def _weighted_slope(x, y, deviations, confidence):
    if len(np.unique(x)) < 2:
        raise ValueError(f"a slope needs at least two different epsilons, not {len(np.unique(x))}")
    weights = deviations**-2
    center = np.average(x, weights=weights)
    precision = np.sum(weights * (x - center) ** 2)
    slope = np.sum(weights * (x - center) * y) / precision
    residuals = y - np.average(y, weights=weights) - slope * (x - center)
    scatter = np.sum(weights * residuals**2) / max(len(x) - 2, 1)
    reach = _quantile(confidence) * np.sqrt(max(1.0, scatter) / precision)
    return Slope(float(slope), float(slope - reach), float(slope + reach))


def _quantile(confidence):
    return NormalDist().inv_cdf((1 + confidence) / 2)
