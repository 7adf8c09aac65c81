"""Covering radii of intervals against float64 enumeration."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core.compat import enable_x64
from lottery_jax.subset_sum import gap_grid
from lottery_jax.subset_sum.gaps import gap_bytes, largest_gap
from tests.oracles.gaps import covering_radius, distances
from tests.oracles.scalar_items import FAMILIES, draw_intervals, draw_items

RELATIVE = 2.0**-21  # the accuracy that Gap promises
ABSOLUTE = 2.0**-47
FLUSHED = 2.0**-126  # smaller numbers are zeros on most devices
ALWAYS_EXACT = "uniform", "products", "positive", "integers", "tiny"


@functools.cache
def solver():
    return jax.jit(jax.vmap(largest_gap))


def assert_right(items, low, high, gap, truth=None):
    """Everything that a Gap promises, row by row."""
    items, low, high = (np.asarray(x, np.float64) for x in (items, low, high))
    radius_low, radius_high, at, is_exact = (np.asarray(x) for x in gap)
    truth = covering_radius(items, low, high) if truth is None else truth
    ends = np.abs(low) + np.abs(high)
    slack = RELATIVE * truth + ABSOLUTE * (np.abs(items).sum(axis=1) + ends) + FLUSHED
    assert np.all(radius_low <= truth + slack)
    assert np.all(radius_high >= truth - slack)
    assert np.all(np.abs(radius_low - truth)[is_exact] <= slack[is_exact])
    np.testing.assert_array_equal(is_exact, radius_low >= radius_high)
    assert np.all((low <= at) & (at <= high))
    if items.shape[1] < 20:
        # The target itself is rounded to float32.
        assert np.all(np.abs(distances(items, at) - radius_low) <= slack + 2.0**-22 * ends)


@pytest.mark.parametrize("num_items", [0, 1, 7, 15])  # all sums in order, and a grid
@pytest.mark.parametrize("family", FAMILIES)
def test_against_enumeration(family, num_items):
    items, rng = draw_items(family, num_items, 77)
    low, high = draw_intervals(items, rng)
    gap = solver()(items, low, high)
    assert_right(items, low, high, gap)
    if family in ALWAYS_EXACT and num_items < 12:
        assert np.all(gap.is_exact)


@pytest.mark.parametrize("num_items", [7, 15])
def test_random_instances_are_exact(num_items):
    items, _ = draw_items("uniform", num_items, 77, seed=1)
    low, high = np.full(77, -0.5, np.float32), np.full(77, 0.5, np.float32)
    gap = solver()(items, low, high)
    assert_right(items, low, high, gap)
    assert np.all(gap.is_exact)


@pytest.mark.parametrize("num_items", [1, 7, 15])
def test_both_ends_count_in_full(num_items):
    # The sums are 0 and 1 to 1 + 2**-9: the ends are further away than half of the gap.
    items = np.full((77, num_items), 2.0**-13, np.float32)
    items[:, 0] = 1
    for low, high, radius in [(-2.0, 0.5, 2.0), (0.25, 3.25, 2.25), (0.75, 0.75, 0.25)]:
        low, high = (np.full(77, end, np.float32) for end in (low, high))
        gap = solver()(items, low, high)
        np.testing.assert_allclose(gap.radius_low, radius, atol=2.0**-8)
        assert_right(items, low, high, gap)


def test_sums_in_float32_are_not_enough():
    items, _ = draw_items("uniform", 15, 77)
    low, high = np.full(77, -0.5, np.float32), np.full(77, 0.5, np.float32)
    truth = covering_radius(items, low, high)
    rounded = items[:, :0].sum(axis=1, keepdims=True)
    for item in items.T:
        rounded = np.concatenate([rounded, rounded + item[:, None]], axis=1)
    rounded = np.sort(rounded, axis=1)
    inside = (rounded[:, 1:] <= 0.5) & (rounded[:, :-1] >= -0.5)
    naive = np.where(inside, np.diff(rounded, axis=1), 0).max(axis=1) / 2
    assert np.mean(np.abs(naive - truth) > 10 * RELATIVE * truth) > 0.5  # control
    gap = solver()(items, low, high)
    assert_right(items, low, high, gap, truth)
    assert np.all(gap.is_exact)


def test_a_coarse_grid_admits_that_it_is_coarse(monkeypatch):
    num_cells = 2**10
    monkeypatch.setattr(gap_grid, "num_cells_of", lambda _: num_cells)
    items, rng = draw_items("uniform", 16, 40)
    low, high = draw_intervals(items, rng)
    gap = jax.jit(jax.vmap(largest_gap))(items, low, high)
    assert_right(items, low, high, gap)
    assert 0.1 < np.mean(gap.is_exact) < 0.95
    assert np.median(gap.radius_high - gap.radius_low) < 4 * (3 + 16) / num_cells


def test_many_equal_gaps_of_integers_are_exact():
    items = np.concatenate([2.0 ** np.arange(13), [0, 0]]).astype(np.float32)[None]
    gap = solver()(np.repeat(items, 77, 0), *np.full((2, 77), [[0.0], [8191.0]], np.float32))
    assert np.all(gap.is_exact)
    np.testing.assert_array_equal(gap.radius_low, 0.5)


def test_one_by_one_equals_batched():
    items, rng = draw_items("products", 7, 77)
    arguments = (items, *draw_intervals(items, rng))
    one_by_one = jax.jit(lambda *all_: jax.lax.map(lambda each: largest_gap(*each), all_))
    jax.tree.map(np.testing.assert_array_equal, solver()(*arguments), one_by_one(*arguments))


@pytest.mark.parametrize("num_items", [7, 15])
def test_the_same_with_64_bit_types(num_items):
    items, rng = draw_items("uniform", num_items, 20)
    arguments = (items, *draw_intervals(items, rng))
    with enable_x64():
        gap = jax.jit(jax.vmap(largest_gap))(*arguments)
    assert gap.radius_low.dtype == np.float32
    assert_right(*arguments, gap)


def test_too_many_items_are_refused_before_compilation():
    with pytest.raises(ValueError, match=r"items.shape=\(41,\) needs lists of 2\*\*21 sums.*40"):
        largest_gap(jnp.ones(41), jnp.array(0.0), jnp.array(1.0))


def test_memory_is_stated():
    assert gap_bytes(24) < gap_bytes(28) <= gap_bytes(32) < 2**30


@pytest.mark.slow
@pytest.mark.parametrize(("num_items", "count"), [(8, 100_000), (15, 2_000)])
def test_many_instances(num_items, count):
    for family in FAMILIES:
        items, rng = draw_items(family, num_items, count // len(FAMILIES), seed=2)
        low, high = draw_intervals(items, rng)
        gap = solver()(items, low, high)
        for rows in np.array_split(np.arange(len(items)), 20):
            assert_right(items[rows], low[rows], high[rows], [field[rows] for field in gap])


@pytest.mark.slow
@pytest.mark.parametrize("family", ["uniform", "products", "positive"])
def test_many_items(family):
    items, _ = draw_items(family, 24, 1)
    low, high = np.full(1, -0.25, np.float32), np.full(1, 0.25, np.float32)
    gap = solver()(items, low, high)
    assert_right(items, low, high, gap)
    assert np.all(gap.is_exact)


@pytest.mark.slow
def test_more_items_than_the_grid_can_tell_apart():
    items, rng = draw_items("uniform", 30, 1)
    low, high = np.full(1, -0.5, np.float32), np.full(1, 0.5, np.float32)
    gap = solver()(items, low, high)
    part = solver()(items[:, :24], low, high)
    assert np.all(gap.radius_low <= part.radius_high)
    assert np.all((gap.radius_high > 0) & (gap.radius_high < 1e-6))
    assert not np.any(gap.is_exact)
    # An interval between two sums only: the first two items, and 28 that are far too large.
    items = np.concatenate([[1.0, 2.5], 100 + rng.uniform(0, 1, 28)])[None].astype(np.float32)
    gap = solver()(items, np.float32([0]), np.float32([3.5]))
    assert (float(gap.radius_low[0]), bool(gap.is_exact[0])) == (0.75, True)
