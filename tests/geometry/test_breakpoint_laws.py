"""The closed forms against a million neurons drawn with NumPy, and against exact gaps."""

import math
from fractions import Fraction

import numpy as np
import pytest

from lottery_jax.geometry import breakpoint_laws as laws
from tests.oracles import broken_bins as oracle
from tests.oracles.rates import assert_rate

TRIALS, RADIUS = 10**6, 2.0


@pytest.fixture(scope="module")
def neurons():
    """Places and jumps of Gaussian neurons, from the definition of a kink."""
    first, second, alpha = np.random.default_rng(12).normal(size=(3, TRIALS))
    return -second / first, np.where(first > 0, alpha * first, -alpha * first)


def _rate(event, expected, *wrong):
    hits = int(np.sum(event))
    assert_rate(hits, TRIALS, expected)
    for other in wrong:
        with pytest.raises(AssertionError):
            assert_rate(hits, TRIALS, other)


def test_the_mass_of_the_interval(neurons):
    is_inside = np.abs(neurons[0]) <= math.sqrt(RADIUS**2 - 1)
    _rate(is_inside, laws.mass_of_interval(RADIUS), 0.67)
    assert laws.mass_of_interval(1.0) == 0


@pytest.mark.parametrize("gamma", [0.1, 0.5, 2.0])
def test_the_law_of_the_jump(neurons, gamma):
    """The paper's jump, one Gaussian weight, is the control that must be refused."""
    places, jumps = neurons
    is_steep = np.abs(jumps) > gamma
    _rate(is_steep, laws.probability_jump_exceeds(gamma), math.erfc(gamma / math.sqrt(2)))
    is_there = is_steep & (places > -0.2) & (places < 1.5)
    _rate(is_there, laws.probability_jump_exceeds(gamma, -0.2, 1.5))


def test_the_number_in_the_text():
    assert round(laws.probability_jump_exceeds(0.5), 3) == 0.410
    assert round(math.erfc(0.5 / math.sqrt(2)), 3) == 0.617


def test_the_scaled_jump_is_laplace_and_independent_of_the_place(neurons):
    places, jumps = neurons
    scaled = jumps * np.sqrt(1 + places**2)
    for low, high in ((-np.inf, np.inf), (-0.1, 0.3), (2.0, np.inf)):
        is_there = (places > low) & (places < high)
        for level in (0.3, 1.0, 3.0):
            hits, trials = int(np.sum(scaled[is_there] > level)), int(np.sum(is_there))
            assert_rate(hits, trials, math.exp(-level) / 2)
    with pytest.raises(AssertionError):  # not scaled, it depends on the place
        assert_rate(int(np.sum(jumps[is_there] > 1)), trials, math.exp(-1) / 2)


@pytest.mark.parametrize("constant", [0.01, 0.1])
def test_one_kink_breaks_its_bin_as_often_as_said(neurons, constant):
    places, jumps = neurons
    position = np.random.default_rng(13).uniform(size=TRIALS)
    is_inside = np.abs(places) <= math.sqrt(RADIUS**2 - 1)
    breaks = laws.single_kink_breaks(jumps, position, constant) & is_inside
    _rate(
        breaks,
        laws.probability_breaks(RADIUS, constant),
        laws.probability_breaks(RADIUS, constant / 2),  # the gap taken for the error
    )


def test_one_kink_breaks_its_bin_as_definition_2_says():
    draw = np.random.default_rng(14)
    broken = 0
    for jump, position in zip(draw.laplace(size=300), draw.uniform(size=300), strict=True):
        place = float(np.float32(position))
        expected = oracle.is_broken([place], [jump], 0.0, 1.0, Fraction(0.03))
        assert bool(laws.single_kink_breaks(jump, place, 0.03)) == expected
        broken += expected
    assert 100 < broken < 250
