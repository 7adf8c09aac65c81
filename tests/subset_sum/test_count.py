"""Numbers of subsets in a window against exact enumeration."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core.compat import enable_x64
from lottery_jax.subset_sum.count import count_bytes, count_within
from tests.oracles.counts import (
    count_integers_within,
    count_of_many_integers,
    count_within_exactly,
)
from tests.oracles.scalar_items import FAMILIES, draw_items

DTYPES = [np.float32, np.float64]


@functools.cache
def solver():
    return jax.jit(jax.vmap(count_within))


def count(items, target, tolerance):
    """Both ends, as Python integers or arrays; float64 in 64-bit words."""
    with enable_x64(items.dtype == np.float64):
        find = solver() if items.ndim == 2 else count_within
        found = find(*map(jnp.asarray, (items, target, tolerance)))
        assert found.low.dtype == f"int{8 * items.dtype.itemsize}"
        return np.asarray(found.low), np.asarray(found.high)


def draw_windows(items, rng):
    """Windows with sums on their boundary, empty ones, and some that hold every sum."""
    kept = rng.integers(0, 2, (2, *items.shape))
    target, boundary = (items * kept).sum(axis=2).astype(items.dtype)
    total = np.abs(items).sum(axis=1)
    tolerance = np.choose(
        np.arange(len(items)) % 5,
        [0 * total, abs(boundary - target), 0.1 * total, 1e-7 * total, 3 * total],
    )
    target = np.where(np.arange(len(items)) % 3 == 0, total / 7, target)
    return target.astype(items.dtype), tolerance.astype(items.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("num_items", [0, 1, 6])
def test_against_fractions(num_items, dtype):
    for family in FAMILIES:
        items, rng = draw_items(family, num_items, 20)
        if family == "ratios":  # more bits than a word has
            items = rng.normal(size=items.shape) * 10.0 ** rng.integers(-12, 4, items.shape)
        items = items.astype(dtype)
        target, tolerance = draw_windows(items, rng)
        low, high = count(items, target, tolerance)
        truth = list(map(count_within_exactly, items, target, tolerance))
        assert np.all((low <= truth) & (truth <= high))
        if dtype == np.float64 and family not in ("ratios", "one_giant"):
            np.testing.assert_array_equal(low, high)
        if family in ("integers", "duplicates", "uniform"):
            np.testing.assert_array_equal(low, high)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_of_integers(dtype):
    items, rng = draw_items("integers", 11, 50)
    items = items.astype(dtype)
    target, tolerance = (rng.integers(0, 60, 50).astype(dtype) for _ in range(2))
    truth = count_integers_within(items, target, tolerance)
    for bound in count(items, target, tolerance):
        np.testing.assert_array_equal(bound, truth)


def test_what_rounding_hides_is_an_interval():
    # With one giant item the others are far below the last bit of a word.
    items = np.float64([1e6, *1e-14 * np.arange(1, 9)])
    low, high = count(items, np.float64(0), np.float64(1e-13))
    truth = count_within_exactly(items, 0.0, 1e-13)
    assert low <= truth <= high
    assert low < high


def test_counts_beyond_32_bits():
    items = np.random.default_rng(0).integers(-9, 9, 34).astype(np.float64)
    low, high = count(items, np.float64(3), np.float64(40))
    truth = count_of_many_integers(items.astype(int).tolist(), 3, 40)
    assert truth > 2**33
    assert low == high == truth


@pytest.mark.parametrize(
    ("num_items", "dtype", "way_out"), [(31, np.float32, "enable_x64"), (41, np.float64, "fewer")]
)
def test_counts_that_do_not_fit_are_refused(num_items, dtype, way_out):
    with pytest.raises(ValueError, match=rf"num_items={num_items} in .*{way_out}"):
        count(np.ones(num_items, dtype), dtype(0), dtype(0))


def test_memory_is_stated():
    assert count_bytes(12) < count_bytes(40) < 2**27


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_many_instances(dtype):
    for seed in range(10):
        items, rng = draw_items("integers", 8, 10_000, seed=seed)
        # Halves and quarters, so that not all numbers are multiples of the same quantum.
        items = items / 4
        target, tolerance = (rng.integers(0, 99, len(items)) / 4 for _ in range(2))
        truth = count_integers_within(4 * items, 4 * target, 4 * tolerance)
        for bound in count(*(x.astype(dtype) for x in (items, target, tolerance))):
            np.testing.assert_array_equal(bound, truth)


@pytest.mark.slow
@pytest.mark.parametrize("num_items", [24, 40])
def test_many_items(num_items):
    items = np.random.default_rng(1).integers(-99, 99, num_items).astype(np.float64)
    low, high = count(items, np.float64(17), np.float64(11))
    assert low == high == count_of_many_integers(items.astype(int).tolist(), 17, 11)
