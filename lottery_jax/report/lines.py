"""Straight lines through measured numbers of items: so many per bit of accuracy, and a constant."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lottery_jax.report.fits import Slope


class Line(NamedTuple):
    """y = slope x + intercept, each with its own confidence limits."""

    slope: Slope
    intercept: Slope  # the value at x = 0

    def __str__(self) -> str:
        return f"{self.slope} x + c, c = {self.intercept}"


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
    reach = NormalDist().inv_cdf((1 + confidence) / 2)
    # Limits that coincide would give a point all the weight.
    deviations = np.maximum((highs - lows) / (2 * reach), 1e-3)
    rows = np.stack([x, np.ones_like(x)], axis=1) / deviations[:, None]
    covariance = np.linalg.inv(rows.T @ rows)
    found = covariance @ rows.T @ (y / deviations)
    residuals = y / deviations - rows @ found
    scatter = np.sum(residuals**2) / max(len(x) - 2, 1)
    half = reach * np.sqrt(max(1.0, scatter) * np.diag(covariance))
    return Line(
        *(Slope(float(v), float(v - h), float(v + h)) for v, h in zip(found, half, strict=True))
    )
