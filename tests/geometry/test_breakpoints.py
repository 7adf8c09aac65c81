"""Kinks, bins and broken bins against their definitions in exact arithmetic."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax import geometry
from lottery_jax.geometry import networks
from tests.oracles import broken_bins as oracle

COUNT, POINTS = 500, 6  # functions of each family, kinks of each


def _functions(family: str, count: int, seed: int):
    """Random kinks of one kind, with the interval they are judged on."""
    draw = np.random.default_rng(seed)
    shape = (count, POINTS)
    if family == "gaussian":
        places, jumps, ends = draw.normal(size=shape), draw.normal(size=shape), (-1.0, 1.0)
    elif family == "whole numbers":  # duplicates, kinks on the ends and outside, exact ties
        places, jumps = draw.integers(-1, 10, shape), draw.integers(-2, 3, shape)
        ends = (0.0, 8.0)
    elif family == "duplicates":  # few different places, jumps that cancel
        places = draw.choice(draw.normal(size=3), shape)
        jumps, ends = draw.choice([-0.7, 0.7, 0.3], shape), (-0.9, 1.1)
    elif family == "short":  # an interval far from zero
        places = 1.7 + 0.01 * draw.uniform(size=shape)
        jumps, ends = draw.laplace(size=shape), (1.7, 1.71)
    else:  # slopes far apart
        places, jumps = (
            draw.normal(size=shape),
            draw.normal(size=shape) * 10 ** draw.uniform(-4, 4, shape),
        )
        ends = (-2.0, 2.0)
    return places.astype(np.float32), jumps.astype(np.float32), np.float32(ends)


FAMILIES = ("gaussian", "whole numbers", "duplicates", "short", "wide")


def _check_gaps(family: str, count: int, seed: int) -> None:
    places, jumps, (left, right) = _functions(family, count, seed)
    is_in = np.random.default_rng(seed + 1).uniform(size=places.shape) < 0.9
    gap = jax.jit(jax.vmap(geometry.hull_gap, in_axes=(0, 0, 0, None, None)))(
        places, jumps, is_in, left, right
    )
    for i, (height, band) in enumerate(zip(*map(np.asarray, gap), strict=True)):
        expected = oracle.largest_gap(places[i][is_in[i]], jumps[i][is_in[i]], left, right)
        assert abs(Fraction(float(height)) - expected) <= Fraction(float(band))
        if family == "whole numbers" and Fraction(float(expected)) == expected:
            assert Fraction(float(height)) == expected, "a tie must be exact"
    assert np.all(np.asarray(gap.band) <= 1e-5 * np.abs(jumps).sum(axis=1) * (right - left))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gap_is_that_of_the_worst_triple(family):
    _check_gaps(family, COUNT, 1)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_gap_of_ten_thousand_functions(family):
    _check_gaps(family, 2000, 11)


def test_double_precision_gives_a_narrower_band():
    from lottery_jax.core import enable_x64

    places, jumps, ends = _functions("gaussian", 20, 3)
    with enable_x64():
        gap = jax.jit(jax.vmap(geometry.hull_gap, in_axes=(0, 0, 0, None, None)))(
            jnp.asarray(places, jnp.float64),
            jnp.asarray(jumps, jnp.float64),
            np.ones(places.shape, bool),
            *np.float64(ends),
        )
        heights, bands = np.asarray(gap.height), np.asarray(gap.band)
    assert bands.max() < 1e-12
    for i, height in enumerate(heights):
        expected = oracle.largest_gap(places[i], jumps[i], *ends)
        assert abs(Fraction(float(height)) - expected) <= Fraction(float(bands[i]))


def test_no_kink_no_gap():
    none = jnp.zeros((0,), jnp.float32)
    gap = geometry.hull_gap(none, none, none > 0, jnp.float32(0), jnp.float32(1))
    assert float(gap.height) == float(gap.band) == 0
    far = jnp.array([jnp.inf, -jnp.inf, jnp.nan, 0.0, 1.0, 0.5], jnp.float32)
    is_in = jnp.array([True] * 5 + [False])
    gap = geometry.hull_gap(far, jnp.ones_like(far), is_in, jnp.float32(0), jnp.float32(1))
    assert float(gap.height) == float(gap.band) == 0
    empty = geometry.hull_gap(far, jnp.ones_like(far), ~is_in, jnp.float32(1), jnp.float32(1))
    assert float(empty.height) == 0


def test_many_kinks_end_their_cuts():
    """Points on a parabola are all hull vertices: the most cuts a function can need."""
    places = jnp.linspace(0.001, 0.999, 500, dtype=jnp.float32)
    jumps = jnp.full((500,), 2 / 500, jnp.float32)
    gap = geometry.hull_gap(places, jumps, jumps > 0, jnp.float32(0), jnp.float32(1))
    assert abs(float(gap.height) - 0.25) < 2e-3  # t^2 and its chord
    assert float(gap.band) < 5e-4


def test_breakpoints_are_where_the_network_bends():
    draw = np.random.default_rng(5)
    network = networks.TwoLayerNetwork(
        jnp.asarray(draw.normal(size=(7, 5)), jnp.float32),
        jnp.asarray(draw.normal(size=(7,)), jnp.float32),
    )
    found = geometry.breakpoints(*network)
    assert found.places.shape == found.jumps.shape == (7, 2)  # the fifth coordinate has no family
    hidden, output = (np.asarray(each, np.float64) for each in network)
    for family in (0, 1):
        for neuron in range(7):

            def along(t, family=family, neuron=neuron):
                x = np.zeros(5)
                x[2 * family], x[2 * family + 1] = t, 1
                return output[neuron] * max(hidden[neuron] @ x, 0)

            place, jump = float(found.places[neuron, family]), float(found.jumps[neuron, family])
            step = 1e-2 * max(1, abs(place))
            right = (along(place + 2 * step) - along(place + step)) / step
            left = (along(place - step) - along(place - 2 * step)) / step
            assert right - left == pytest.approx(jump, abs=1e-4)


def test_bins_cover_the_interval():
    assert geometry.num_bins(2.0, 10.0) == 1
    assert geometry.num_bins(2**0.5, 0.1) == 20  # sqrt(R^2 - 1) is 1 but for rounding
    edges = np.asarray(geometry.bin_edges(2.0, 0.1, num=40))
    assert np.all(np.diff(edges) >= 0)
    assert edges[0] == -edges[-1]
    assert edges[-1] == pytest.approx(3**0.5)
    assert np.diff(edges)[:34] == pytest.approx(0.1, abs=1e-6)
    assert np.all(edges[35:] == edges[-1])
    traced = jax.jit(lambda r, e: geometry.bin_edges(r, e, num=40))(2.0, 0.1)
    assert np.asarray(traced) == pytest.approx(edges, abs=1e-6)


def test_each_place_has_one_bin():
    edges = geometry.bin_edges(2.0, 0.5, num=9)  # two of them empty
    inside = jnp.asarray(np.random.default_rng(2).uniform(-2, 2, 500), jnp.float32)
    odd = jnp.array([jnp.inf, -jnp.inf, jnp.nan], jnp.float32)
    places = jnp.concatenate([inside, odd, edges])
    found = geometry.bin_of(places, edges)
    for place, number in zip(np.asarray(places), np.asarray(found), strict=True):
        expected = oracle.bin_number(float(place), np.asarray(edges))
        assert number == (9 if expected is None else expected)


@pytest.mark.parametrize("length", [0.1, 0.5, 2.0])
def test_broken_bins_are_those_of_definition_2(length):
    draw, constant = np.random.default_rng(7), 0.03
    edges = geometry.bin_edges(2.0, length, num=40)
    decide = jax.jit(
        jax.vmap(lambda p, j: geometry.broken_bins(p, j, edges, length=length, constant=constant))
    )
    places = draw.standard_cauchy((60, 15)).astype(np.float32)
    jumps = draw.laplace(size=(60, 15)).astype(np.float32)
    certain, possible = map(np.asarray, decide(places, jumps))
    assert np.all(certain <= possible)
    threshold = Fraction(float(np.float32(constant))) * Fraction(float(np.float32(length)))
    ends, seen = np.asarray(edges), 0
    for i in range(60):
        for b in range(40):
            truth = oracle.is_broken(places[i], jumps[i], ends[b], ends[b + 1], threshold)
            assert certain[i, b] <= truth <= possible[i, b]
            seen += truth
    assert seen > 50
    assert np.sum(possible & ~certain) <= 2


def test_rounding_is_undecided_and_nothing_else():
    """A kink of size 1 in the middle has the best affine error 1/8, up to a few eps."""
    edges, one = jnp.array([0.0, 1.0], jnp.float32), jnp.ones((1,), jnp.float32)
    for constant, expected in ((0.125, (False, True)), (0.1249, (True, True)), (0.1251, (0, 0))):
        found = geometry.broken_bins(one / 2, one, edges, length=1.0, constant=constant)
        assert (bool(found.certain[0]), bool(found.possible[0])) == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: geometry.num_bins(1.0, 0.1), "radius=1.0"),
        (lambda: geometry.num_bins(float("inf"), 0.1), "radius=inf"),
        (lambda: geometry.num_bins(2.0, 0.0), "length=0.0"),
        (lambda: geometry.bin_edges(2.0, 0.1, num=34), "num=34.*give 35 or more"),
        (lambda: geometry.breakpoints(jnp.ones((3, 1)), jnp.ones(3)), "dim=1 has no family"),
    ],
)
def test_wrong_arguments_name_the_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
