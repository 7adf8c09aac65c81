"""Slopes and lines against numpy.polyfit, and the coverage of their limits in simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from lottery_jax.report.fits import fit_exponent, fit_line, fit_per_bit
from tests.oracles.rates import assert_rate, assert_rate_at_most

EPSILONS = np.array([0.4, 0.2, 0.1, 0.05, 0.025])
Z = stats.norm.ppf(0.975)


def limits(widths, deviations):
    """Limits of measured widths whose fits see these deviations, rounding to neurons included."""
    reach = Z * np.sqrt(np.asarray(deviations) ** 2 - 1 / 12)
    return widths - reach, widths + reach


def test_exponent_equals_polyfit():
    widths = np.array([18.0, 37.0, 72.0, 150.0, 330.0])
    deviations = np.array([1.0, 2.0, 4.0, 4.0, 20.0])
    slope = fit_exponent(EPSILONS, widths, *limits(widths, deviations))
    fitted, covariance = np.polyfit(
        np.log(1 / EPSILONS), np.log(widths), 1, w=widths / deviations, cov="unscaled"
    )
    assert slope.value == pytest.approx(fitted[0], rel=1e-12)
    assert (slope.high - slope.low) / 2 == pytest.approx(Z * math.sqrt(covariance[0, 0]), rel=1e-9)


def test_neurons_per_bit_equal_polyfit():
    widths = np.array([20.0, 26.0, 29.0, 36.0, 41.0])
    deviations = np.array([1.0, 2.0, 1.0, 3.0, 2.0])
    slope = fit_per_bit(EPSILONS, widths, *limits(widths, deviations))
    fitted, covariance = np.polyfit(
        np.log2(1 / EPSILONS), widths, 1, w=1 / deviations, cov="unscaled"
    )
    assert slope.value == pytest.approx(fitted[0], rel=1e-12)
    assert slope.high - slope.value == pytest.approx(Z * math.sqrt(covariance[0, 0]), rel=1e-9)


def test_scatter_beyond_the_limits_widens_those_of_the_slope():
    widths = np.array([20.0, 40.0, 29.0, 60.0, 41.0])
    slope = fit_per_bit(EPSILONS, widths, *limits(widths, np.ones(5)))
    fitted, covariance = np.polyfit(np.log2(1 / EPSILONS), widths, 1, cov=True)
    assert slope.value == pytest.approx(fitted[0], rel=1e-12)
    assert slope.high - slope.value == pytest.approx(Z * math.sqrt(covariance[0, 0]), rel=1e-9)


def test_limits_cover_the_true_exponent():
    """Medians of many draws scatter normally; the limits miss at most as often as they say.

    Widening by the scatter makes them miss less; a control that takes half the limits misses more.
    """
    rng = np.random.default_rng(0)
    runs, misses, control = 4000, 0, 0
    truth = 40 * EPSILONS**-1.2
    deviations = 0.03 * truth
    for _ in range(runs):
        widths = np.round(truth + deviations * rng.standard_normal(truth.size))
        reach = Z * deviations
        slope = fit_exponent(EPSILONS, widths, widths - reach, widths + reach)
        misses += not slope.low <= 1.2 <= slope.high
        half = (slope.high - slope.low) / 4
        control += abs(slope.value - 1.2) > half
    assert_rate_at_most(misses, runs, 0.05)
    assert misses > 0
    with pytest.raises(AssertionError):
        assert_rate_at_most(control, runs, 0.05)


def test_two_points_give_the_slope_between_them():
    slope = fit_per_bit([0.5, 0.25], [10, 13], [9, 12], [11, 14])
    assert slope.value == pytest.approx(3)
    assert str(slope) == f"3.00 [{slope.low:.2f}, {slope.high:.2f}]"
    deviation = math.hypot(1 / Z, math.sqrt(1 / 12))
    assert slope.high - 3 == pytest.approx(Z * math.sqrt(2) * deviation, rel=1e-12)


def test_confidence_sets_the_width_of_the_limits():
    points = EPSILONS, [10, 20, 40, 80, 160], [9, 18, 36, 72, 144], [11, 22, 44, 88, 176]
    narrow, wide = (fit_exponent(*points, confidence=level) for level in (0.8, 0.99))
    assert narrow.value == pytest.approx(1, abs=1e-3)
    # Rounding to neurons adds the same to both, so the two differ, but by little.
    assert narrow.high - narrow.low < wide.high - wide.low


def test_points_that_give_no_slope_are_refused():
    with pytest.raises(ValueError, match="at least two different epsilons, not 1"):
        fit_exponent([0.1, 0.1], [10, 11], [9, 10], [11, 12])
    with pytest.raises(ValueError, match="leave out the open ones"):
        fit_exponent([0.2, 0.1], [10, 20], [9, 18], [11, math.inf])


def test_assert_rate_is_sharp():
    assert_rate(6_021, 20_000, 0.30)
    with pytest.raises(AssertionError):
        assert_rate(6_021, 20_000, 0.33)


PLACES = np.array([3.3, 6.6, 10.0, 13.3, 16.6, 19.9])


def test_slope_and_intercept_are_those_of_a_weighted_fit():
    rng = np.random.default_rng(0)
    half = rng.uniform(0.1, 0.4, len(PLACES))
    y = 1.08 * PLACES - 0.7 + rng.normal(size=len(PLACES)) * half / 1.96
    line = fit_line(PLACES, y, y - half, y + half)
    (slope, constant), covariance = np.polyfit(PLACES, y, 1, w=1.96 / half, cov="unscaled")
    residuals = (y - slope * PLACES - constant) * 1.96 / half
    scale = np.sqrt(max(1.0, np.sum(residuals**2) / (len(PLACES) - 2)))
    for found, value, variance in zip(line, (slope, constant), np.diag(covariance), strict=True):
        assert found.value == pytest.approx(value, rel=1e-4)
        reach = 1.96 * np.sqrt(variance) * scale
        assert found.high - found.value == pytest.approx(reach, rel=1e-3)
        assert found.value - found.low == pytest.approx(reach, rel=1e-3)


def test_limits_of_a_line_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    half = np.full(len(PLACES), 0.3)
    held = np.zeros(2)
    for _ in range(2000):
        y = 2 * PLACES + 1 + rng.normal(size=len(PLACES)) * half / 1.96
        line = fit_line(PLACES, y, y - half, y + half)
        held += [each.low <= true <= each.high for each, true in zip(line, (2, 1), strict=True)]
    assert (held / 2000 > 0.94).all()  # widened where points scatter, so above 95 % by a little


def test_points_without_a_line_that_cannot_be_fitted_are_refused():
    with pytest.raises(ValueError, match="leave out the open ones"):
        fit_line([1, 2], [1, 2], [0, 1], [2, np.inf])
    with pytest.raises(ValueError, match="two different places, not 1"):
        fit_line([1, 1], [1, 2], [0, 1], [2, 3])
