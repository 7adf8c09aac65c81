"""Exact enumeration: known integers, an oracle of loops and of sets, and one of all instances."""

import inspect
import math

import numpy as np
import pytest

from lottery_jax.quantized import all_instances, enumeration
from tests.oracles import enumeration as oracle

KNOWN = [(1, 9, 1), (3, 4, 46), (4, 8, 2692), (6, 8, 244_150)]
SMALL = [(2, 7), (3, 6), (5, 5), (6, 4), (8, 3), (9, 3), (11, 2)]


@pytest.mark.parametrize(("num_items", "largest", "solvable"), KNOWN)
def test_known_counts(num_items, largest, solvable):
    assert enumeration.count_partitions(num_items, largest)[-1] == solvable
    if num_items > 1:
        assert all_instances.count_partitions(num_items, largest)[-1] == solvable
    assert oracle.partitions_by_states(num_items, largest) == solvable


@pytest.mark.parametrize(("num_items", "largest"), SMALL)
def test_partitions_at_every_smaller_size(num_items, largest):
    expected = [oracle.partitions_by_states(num_items, each) for each in range(1, largest + 1)]
    assert enumeration.count_partitions(num_items, largest).tolist() == expected
    assert all_instances.count_partitions(num_items, largest).tolist() == expected


@pytest.mark.parametrize(("num_items", "largest"), [(2, 4), (3, 3), (4, 3), (5, 2)])
def test_the_oracles_agree(num_items, largest):
    expected = oracle.partitions_by_loops(num_items, largest)
    assert oracle.partitions_by_states(num_items, largest) == expected


@pytest.mark.parametrize(("num_items", "largest"), [(1, 3), (2, 5), (3, 3), (5, 2), (8, 1), (9, 1)])
def test_subset_sums(num_items, largest):
    for target in (0, largest // 2, largest, -1):
        expected = oracle.subset_sums_by_loops(num_items, largest, target)
        assert enumeration.count_subset_sums(num_items, largest, target) == expected
        if num_items > 1:
            assert all_instances.count_subset_sums(num_items, largest, target) == expected


def test_words_at_their_ends():
    """Eight items of magnitude 4: the sum -32 has no bit, and nothing is lost."""
    for target in (0, 4, -4):
        expected = enumeration.count_subset_sums(8, 4, target)
        assert all_instances.count_subset_sums(8, 4, target) == expected


def test_more_multisets_than_a_block():
    assert enumeration.num_multisets(2, 400) > 2**16
    largest = np.arange(1, 401)
    # Neighbours and equal numbers.
    assert np.array_equal(enumeration.count_partitions(2, 400), 3 * largest - 2)


@pytest.mark.parametrize(("num_items", "largest"), [(2, 4096), (5, 27), (7, 10), (12, 4), (24, 2)])
def test_largest_within(num_items, largest):
    assert enumeration.largest_within(num_items, 2**24) == largest
    assert enumeration.largest_within(num_items, largest**num_items - 1) == largest - 1


@pytest.mark.slow
@pytest.mark.parametrize("num_items", range(2, 25))
def test_all_that_are_at_most_2_to_the_24(num_items):
    largest = enumeration.largest_within(num_items, 2**24)
    expected = all_instances.count_partitions(num_items, largest)
    assert np.array_equal(enumeration.count_partitions(num_items, largest), expected)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: enumeration.count_partitions(0, 3), "num_items=0"),
        (lambda: enumeration.count_partitions(25, 1), "1..24"),
        (lambda: enumeration.count_partitions(2, 0), "above 0"),
        (lambda: enumeration.count_partitions(3, 1000), "take a smaller largest item"),
        (lambda: enumeration.count_partitions(24, 7), "largest=7 at most 6"),
        (lambda: enumeration.count_subset_sums(22, 4, 1), "largest=4 at most 3"),
        (lambda: enumeration.count_subset_sums(3, 4, 5), "target=5"),
        (lambda: all_instances.count_partitions(1, 3), "num_items=1"),
        (lambda: all_instances.count_partitions(9, 15), "at most 14"),
        (lambda: all_instances.count_subset_sums(9, 4, 0), "at most 3"),
        (lambda: all_instances.count_subset_sums(3, 4, -5), "target=-5"),
    ],
)
def test_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize("module", [enumeration, all_instances])
@pytest.mark.parametrize("target", [0.5, 1.0, True, np.float32(1)])
def test_targets_that_are_not_whole(module, target):
    count = inspect.unwrap(module.count_subset_sums)  # without the check of types in tests
    with pytest.raises(ValueError, match="must be a whole number"):
        count(2, 2, target)
    assert count(2, 2, np.int64(1)) == 9


@pytest.mark.parametrize("num_items", [1, 2, 7, 15, 16, 20, 24])
def test_numbers_of_orders_fit_64_bits(num_items):
    """Of the multiset with most orders, for as many values as are allowed; in Python's integers."""
    num_values = min(enumeration.largest_within(num_items, 2**63 - 1), num_items)
    items = np.sort(np.arange(num_items, dtype=np.int32) % num_values)[:, None]
    equal = np.bincount(items[:, 0]).tolist()
    orders = math.factorial(num_items) // math.prod(map(math.factorial, equal))
    assert enumeration._orders(items).tolist() == [orders]
    assert orders * num_items < 2**63
