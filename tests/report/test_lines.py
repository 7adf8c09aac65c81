"""Straight lines through measured points, against NumPy's weighted fit."""

import numpy as np
import pytest

from lottery_jax.report.lines import fit_line

X = np.array([3.3, 6.6, 10.0, 13.3, 16.6, 19.9])


def test_slope_and_intercept_are_those_of_a_weighted_fit():
    rng = np.random.default_rng(0)
    half = rng.uniform(0.1, 0.4, len(X))
    y = 1.08 * X - 0.7 + rng.normal(size=len(X)) * half / 1.96
    line = fit_line(X, y, y - half, y + half)
    (slope, constant), covariance = np.polyfit(X, y, 1, w=1.96 / half, cov="unscaled")
    residuals = (y - slope * X - constant) * 1.96 / half
    scale = np.sqrt(max(1.0, np.sum(residuals**2) / (len(X) - 2)))
    for found, value, variance in zip(line, (slope, constant), np.diag(covariance), strict=True):
        assert found.value == pytest.approx(value, rel=1e-4)
        reach = 1.96 * np.sqrt(variance) * scale
        assert found.high - found.value == pytest.approx(reach, rel=1e-3)
        assert found.value - found.low == pytest.approx(reach, rel=1e-3)


def test_limits_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    half = np.full(len(X), 0.3)
    held = np.zeros(2)
    for _ in range(2000):
        y = 2 * X + 1 + rng.normal(size=len(X)) * half / 1.96
        line = fit_line(X, y, y - half, y + half)
        held += [each.low <= true <= each.high for each, true in zip(line, (2, 1), strict=True)]
    assert (held / 2000 > 0.94).all()  # widened where points scatter, so above 95 % by a little


def test_points_that_cannot_be_fitted_are_refused():
    with pytest.raises(ValueError, match="leave out the open ones"):
        fit_line([1, 2], [1, 2], [0, 1], [2, np.inf])
    with pytest.raises(ValueError, match="two different places, not 1"):
        fit_line([1, 1], [1, 2], [0, 1], [2, 3])
