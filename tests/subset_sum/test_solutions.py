"""One exact target by meet in the middle against dynamic programming over a dictionary."""

import functools
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core.compat import enable_x64
from lottery_jax.subset_sum import solutions
from lottery_jax.subset_sum.wide import to_uint64
from tests.oracles.integer_sums import listed_sums, number_of_subsets

MAGNITUDES = [0, 1, 3, 50, 2**20]


@functools.cache
def batched(solve):
    return jax.jit(jax.vmap(solve))


def draw(num_items, rng):
    """Rows of every size of numbers, with targets in and out of reach."""
    items = np.concatenate([rng.integers(-m, m + 1, (6, num_items)) for m in MAGNITUDES])
    truth = [number_of_subsets(row) for row in items]
    targets = [rng.choice(sorted(sums)) for sums in truth]
    targets = np.where(np.arange(len(items)) % 3 == 0, targets + rng.integers(-2, 3), targets)
    return items.astype(np.int32), targets.astype(np.int32), truth


def check(items, targets, numbers):
    """Existence, number and a subset, of rows of int32."""
    assert to_uint64(batched(solutions.count_solutions)(items, targets)).tolist() == numbers
    exists = np.asarray(batched(solutions.has_solution)(items, targets))
    assert exists.tolist() == [number > 0 for number in numbers]
    masks = np.asarray(batched(solutions.find_solution)(items, targets))
    sums = (items.astype(np.int64) * masks).sum(axis=1)
    np.testing.assert_array_equal(sums[exists], targets[exists])


@pytest.mark.parametrize("num_items", [0, 1, 2, 5, 10])
def test_against_a_dictionary(num_items):
    items, targets, truth = draw(num_items, np.random.default_rng(num_items))
    if num_items <= 5:
        assert truth == [listed_sums(row) for row in items]
    numbers = [sums[int(target)] for sums, target in zip(truth, targets, strict=True)]
    check(items, targets, numbers)
    assert num_items < 5 or (max(numbers) > 1 and 0 in numbers)


def test_the_largest_magnitudes():
    """Sums just below 2**30, of either sign, and targets at every end of int32."""
    largest = solutions.MAX_SUM
    rows = [
        [largest, 0, 0],
        [-largest, 0, 0],
        [largest // 2, -(largest // 2), 1],
        [largest - 2, 1, 1],
        [2 - largest, -1, -1],
    ]
    ends = [largest, -largest, 0, 1, -1, 2**31 - 1, -(2**31), 2 - largest, largest // 2]
    pairs = [(row, end) for row in rows for end in ends]
    items = np.array([row for row, _ in pairs], np.int32)
    targets = np.array([end for _, end in pairs], np.int32)
    check(items, targets, [listed_sums(row)[end] for row, end in pairs])


def test_a_run_one_longer_than_what_is_compared():
    """Five equal sums of one half meet one of the other: the last distance has a single pair.

    In all rows: one with a longer run would have those of its tile measured too.
    """
    row = [1, 16, 1, 64, 1, 256, 1, 1024, 1, 4096]
    items = np.full((30, 10), row, np.int32)
    check(items, np.full(30, 1 + 256, np.int32), [5] * 30)


def test_long_runs_of_equal_sums():
    """Binomial coefficients: sums that are dense, in runs longer than 2**10 keys."""
    items = np.repeat([[1], [-1], [0]], 21, axis=1).astype(np.int32)
    targets = np.array([11, -4, 0], np.int32)
    found = to_uint64(batched(solutions.count_solutions)(items, targets))
    assert found.tolist() == [comb(21, 11), comb(21, 4), 2**21]


@pytest.mark.slow
def test_numbers_above_32_bits():
    items = jnp.ones(39, jnp.int32)
    found = solutions.count_solutions(items, jnp.int32(18))
    assert int(to_uint64(found)) == comb(39, 18)
    assert (
        int(to_uint64(solutions.count_solutions(jnp.zeros(40, jnp.int32), jnp.int32(0)))) == 2**40
    )


def test_64_bit_types_change_nothing():
    items, targets, truth = draw(3, np.random.default_rng(0))
    numbers = [sums[int(target)] for sums, target in zip(truth, targets, strict=True)]
    with enable_x64():  # off in all other tests here
        check(items, targets, numbers)


def test_too_many_items_are_refused():
    with pytest.raises(ValueError, match="41 items need lists"):
        solutions.has_solution(jnp.zeros(41, jnp.int32), jnp.int32(0))
