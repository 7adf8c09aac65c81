"""Slopes and lines through measured points, with limits that carry those of the points."""

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


class Line(NamedTuple):
    """y = slope x + intercept, each with its own confidence limits."""

    slope: Slope
    intercept: Slope  # the value at x = 0

    def __str__(self) -> str:
        return f"{self.slope} x + c, c = {self.intercept}"


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


def misfit_power(
    epsilons: ArrayLike, widths: ArrayLike, lows: ArrayLike, highs: ArrayLike
) -> float:
    """How well a power of 1/epsilon fits: the chance of a worse fit if the widths were one.

    The p-value of chi^2 about the line of `fit_exponent`, with 95 % limits; 1 for two points.

    Examples
    --------
    >>> points = [[0.4, 0.2, 0.1], [10, 20, 40], [9, 18, 36], [11, 22, 44]]
    >>> round(misfit_power(*points), 2), misfit_bits(*points) < 1e-3
    (1.0, True)
    """
    x = np.log(1 / np.asarray(epsilons, np.float64))
    y = np.asarray(widths, np.float64)
    return _misfit(x, np.log(y), _deviations(lows, highs, 0.95) / y)


def misfit_bits(epsilons: ArrayLike, widths: ArrayLike, lows: ArrayLike, highs: ArrayLike) -> float:
    """How well a multiple of log(1/epsilon), and a constant, fits; see `misfit_power`.

    Examples
    --------
    >>> points = [[0.4, 0.2, 0.1], [10, 12, 14], [9, 11, 13], [11, 13, 15]]
    >>> round(misfit_bits(*points), 2)
    1.0
    """
    x = np.log2(1 / np.asarray(epsilons, np.float64))
    return _misfit(x, np.asarray(widths, np.float64), _deviations(lows, highs, 0.95))


def fit_line(
    x: ArrayLike, y: ArrayLike, lows: ArrayLike, highs: ArrayLike, *, confidence: float = 0.95
) -> Line:
    """Weighted least squares, with limits for the slope and for the intercept.

    Parameters
    ----------
    x
        At least two different places.
    y, lows, highs
        Measured values and their confidence limits, from independent draws at each place.
    confidence
        Of the given limits, and of those returned.

    Returns
    -------
    Line
        With normal limits. The weights follow from the limits of the points; where the points
        scatter around the line by more than that, or a curve is fitted by a line, the limits are
        widened by the square root of chi^2 per degree of freedom.

    Raises
    ------
    ValueError
        For fewer than two different places, or a point without finite limits.

    Examples
    --------
    >>> line = fit_line([1, 2, 3], [3, 5, 7], [2.8, 4.8, 6.8], [3.2, 5.2, 7.2])
    >>> print(line)
    2.00 [1.86, 2.14] x + c, c = 1.00 [0.69, 1.31]
    """
    x, y, lows, highs = (np.asarray(each, np.float64) for each in (x, y, lows, highs))
    if not np.all(np.isfinite(np.stack([y, lows, highs]))):
        raise ValueError("a fit needs finite limits at every point; leave out the open ones")
    if len(np.unique(x)) < 2:
        raise ValueError(f"a line needs at least two different places, not {len(np.unique(x))}")
    # Limits that coincide would give a point all the weight.
    deviations = np.maximum((highs - lows) / (2 * _quantile(confidence)), 1e-3)
    return _weighted_line(x, y, deviations, confidence)


def _deviations(lows, highs, confidence):
    """Standard deviations behind the limits, with that of rounding to whole neurons."""
    extent = np.asarray(highs, np.float64) - np.asarray(lows, np.float64)
    if not np.all(np.isfinite(extent)):
        raise ValueError("a fit needs finite limits at every point; leave out the open ones")
    return np.sqrt((extent / (2 * _quantile(confidence))) ** 2 + 1 / 12)


def _weighted_slope(x, y, deviations, confidence):
    if len(np.unique(x)) < 2:
        raise ValueError(f"a slope needs at least two different epsilons, not {len(np.unique(x))}")
    return _weighted_line(x, y, deviations, confidence).slope


def _misfit(x, y, deviations):
    from scipy.special import gammaincc  # on first use: importing the package stays light

    freedom = len(x) - 2
    return (
        float(gammaincc(freedom / 2, _least_squares(x, y, deviations)[2] / 2)) if freedom else 1.0
    )


def _least_squares(x, y, deviations):
    """Slope and intercept, their covariance, and chi^2."""
    rows = np.stack([x, np.ones_like(x)], axis=1) / deviations[:, None]
    covariance = np.linalg.inv(rows.T @ rows)
    found = covariance @ rows.T @ (y / deviations)
    return found, covariance, np.sum((y / deviations - rows @ found) ** 2)


def _weighted_line(x, y, deviations, confidence):
    """Weighted least squares; limits are widened where points scatter by more than theirs."""
    found, covariance, chi_squared = _least_squares(x, y, deviations)
    scatter = chi_squared / max(len(x) - 2, 1)
    half = _quantile(confidence) * np.sqrt(max(1.0, scatter) * np.diag(covariance))
    return Line(
        *(Slope(float(v), float(v - h), float(v + h)) for v, h in zip(found, half, strict=True))
    )


def _quantile(confidence):
    return NormalDist().inv_cdf((1 + confidence) / 2)
