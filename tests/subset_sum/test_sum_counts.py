"""Numbers of subsets in two words against Python's own integers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.subset_sum import sum_counts, wide
from tests.oracles.integer_sums import listed_sums, number_of_subsets

EXTREMES = np.array([0, 1, 2, 0xFFFF, 0x10000, 0x10001, 2**31, 2**32 - 2, 2**32 - 1], np.uint32)


def test_products_of_words():
    first, second = (each.ravel() for each in np.meshgrid(EXTREMES, EXTREMES))
    found = wide.to_uint64(wide.multiply(jnp.asarray(first), jnp.asarray(second)))
    assert [int(x) for x in found] == [int(a) * int(b) for a, b in zip(first, second, strict=True)]


def test_sums_carry():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 2**64, (2, 200), dtype=np.uint64)
    first, second = (
        wide.Wide(
            jnp.asarray((row >> np.uint64(32)).astype(np.uint32)),
            jnp.asarray(row.astype(np.uint32)),
        )
        for row in numbers
    )
    found = wide.to_uint64(wide.add(first, second))
    assert [int(x) for x in found] == [(int(a) + int(b)) % 2**64 for a, b in numbers.T]
    assert int(wide.to_uint64(wide.halved(first, times=3))[0]) == int(numbers[0, 0]) >> 3
    total = wide.to_uint64(wide.total(first))
    assert int(total) == sum(int(x) for x in numbers[0]) % 2**64


@pytest.mark.parametrize("length", [0, 1, 2**15, 2**15 + 1])
def test_total_of_the_largest_words(length):
    found = wide.total(wide.wide(jnp.full(length, 2**32 - 1, jnp.uint32)))
    assert int(wide.to_uint64(found)) == length * (2**32 - 1)


@pytest.mark.parametrize(("num_items", "largest"), [(0, 5), (1, 5), (7, 30), (64, 12)])
def test_every_sum(num_items, largest):
    rng = np.random.default_rng(num_items)
    items = rng.integers(0, largest + 1, (4, num_items)).astype(np.int32)
    items[0] = largest
    items[1, : num_items // 2] = 0
    num_sums = num_items * largest + 1
    found = jax.vmap(lambda row: sum_counts.count_sums(row, num_sums=num_sums))(items)
    for row, numbers in zip(items, wide.to_uint64(found), strict=True):
        truth = number_of_subsets(row)
        assert [int(x) for x in numbers] == [truth[s] for s in range(num_sums)]
        if num_items <= 7:
            assert truth == listed_sums(row)


def test_sums_beyond_the_table_are_left_out():
    items = jnp.array([1, 2, 5, 6, 8, 9, 10, 30, 2**30, 2**31 - 1], jnp.int32)
    found = sum_counts.count_sums(items, num_sums=5)
    assert wide.to_uint64(found).tolist() == [1, 1, 1, 1, 0]
