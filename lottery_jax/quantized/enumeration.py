"""How many instances of a small problem are solvable, exactly: every instance is accounted for.

Solvability does not depend on the order of the items, so only multisets are decided, by the engine
of `subset_sum`, and each stands for as many instances as its items have orders. Instances of number
partitioning are counted by their largest item: one pass at the largest M gives every smaller M by
cumulative sums. `all_instances` counts the same without either idea.
"""

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, Int64, UInt32

from lottery_jax.subset_sum.solutions import count_solutions, has_solution

_MOST_MULTISETS = 2**26
_MOST_INSTANCES = 2**63 - 1  # of an int64
# Filled up to one of these numbers of items, and of multisets decided by one call: compiling takes
# longer than deciding.
_SIZES = (4, 8, 12, 24)
_BLOCKS = (2**9, 2**12, 2**16)


def num_multisets(num_items: int, num_values: int) -> int:
    """Multisets of n items from so many values.

    Examples
    --------
    >>> num_multisets(3, 4), num_multisets(24, 2)
    (20, 25)
    """
    return math.comb(num_items + num_values - 1, num_items)


def largest_within(num_items: int, instances: int) -> int:
    """The largest M with M^n at most `instances`.

    Examples
    --------
    >>> largest_within(3, 2**24), largest_within(5, 2**24)
    (256, 27)
    """
    largest = round(instances ** (1 / num_items))
    return largest if largest**num_items <= instances else largest - 1


def count_partitions(num_items: int, largest: int) -> Int64[np.ndarray, " largest"]:
    """How many instances of number partitioning are perfectly partitionable, for M up to `largest`.

    Of all (X_1, ..., X_n) in {1..M}^n, those where some subset has the sum ⌊ΣX/2⌋: signs give a
    difference of 0 where ΣX is even, of 1 where it is odd.

    Parameters
    ----------
    num_items
        n, from 1 to 24.
    largest
        Largest M, at least 1.

    Raises
    ------
    ValueError
        For n outside this range, more than 2^26 multisets, or 2^63 instances and more.

    Examples
    --------
    >>> count_partitions(3, 4)
    array([ 1,  7, 22, 46])
    """
    values = np.arange(1, largest + 1, dtype=np.int32)
    _check(num_items, largest, num_values=largest)
    found = np.zeros(largest + 1, np.int64)
    for items in _multisets(values, num_items):
        is_solved = np.asarray(_are_partitionable(_with_zeros(items)))[: items.shape[1]]
        np.add.at(found, items[-1, is_solved], _orders(items)[is_solved])
    return np.cumsum(found[1:])


def count_subset_sums(num_items: int, largest: int, target: int | np.integer) -> int:
    """How many instances of the quantised subset sum have a solution that is not the empty subset.

    Of all (X_1, ..., X_n) with items in {-M..M} without 0, those where some non-empty subset has
    exactly the sum `target`.

    Parameters
    ----------
    num_items
        n, from 1 to 24.
    largest
        M, at least 1.
    target
        Of magnitude at most M.

    Raises
    ------
    ValueError
        For arguments outside these ranges, a target that is not a whole number, more than 2^26
        multisets, or 2^63 instances and more.

    Examples
    --------
    >>> count_subset_sums(2, 2, 1), count_subset_sums(2, 2, 0)
    (9, 4)
    """
    if isinstance(target, bool) or not isinstance(target, (int, np.integer)):
        raise ValueError(f"{target=} must be a whole number")
    if abs(target) > largest:
        raise ValueError(f"{target=} must be of magnitude at most {largest=}")
    values = np.array([each for each in range(-largest, largest + 1) if each], np.int32)
    _check(num_items, largest, num_values=2 * largest)
    found = 0
    for items in _multisets(values, num_items):
        padded = _with_zeros(items)
        # Every zero doubles the subsets with the sum 0 that hold no item.
        empty = 0 if target else 2 ** (padded.shape[1] - num_items)
        is_solved = np.asarray(_have_more(padded, np.int32(target), np.uint32(empty)))
        found += int(_orders(items)[is_solved[: items.shape[1]]].sum())
    return found


@jax.jit
def _are_partitionable(items: Int32[Array, "lane item"]) -> Bool[Array, " lane"]:
    return jax.vmap(has_solution)(items, jnp.sum(items, axis=1, dtype=jnp.int32) // 2)


@jax.jit
def _have_more(
    items: Int32[Array, "lane item"], target: Int32[Array, ""], empty: UInt32[Array, ""]
) -> Bool[Array, " lane"]:
    """More than `empty` subsets have the sum `target`; their number is below 2**32."""
    return jax.vmap(lambda row: count_solutions(row, target).low > empty)(items)


def _check(num_items: int, largest: int, *, num_values: int) -> None:
    if not 1 <= num_items <= _SIZES[-1] or largest < 1:
        raise ValueError(f"{num_items=} must lie in 1..{_SIZES[-1]}, and the largest item above 0")
    total = num_multisets(num_items, num_values)
    if total > _MOST_MULTISETS:
        raise ValueError(
            f"{num_items} items of {num_values} values are {total} multisets; at most "
            f"{_MOST_MULTISETS} are enumerated: take a smaller largest item"
        )
    # Below that the products of `_orders` fit too: a multinomial coefficient is far below the
    # number of sequences, and is multiplied by 24 at most.
    if num_values**num_items > _MOST_INSTANCES:
        fits = largest_within(num_items, _MOST_INSTANCES) // (num_values // largest)
        raise ValueError(
            f"{num_items} items of {num_values} values have {num_values**num_items} instances, and "
            f"counts are 64-bit integers: take {largest=} at most {fits}"
        )


def _multisets(
    values: Int32[np.ndarray, " value"], num_items: int
) -> Iterator[Int32[np.ndarray, "item block"]]:
    """All multisets as ascending columns, in blocks."""
    ranks = np.zeros((0, 1), np.int32)
    for _ in range(num_items - 1):
        ranks = np.concatenate(list(_longer(ranks, len(values))), axis=1)
    for block in _longer(ranks, len(values)):
        yield values[block]


def _longer(
    ranks: Int32[np.ndarray, "item column"], num_values: int
) -> Iterator[Int32[np.ndarray, "longer block"]]:
    """Every column with each rank that is not below its last one."""
    last = ranks[-1] if len(ranks) else np.zeros(1, np.int32)
    ends = np.cumsum(num_values - last, dtype=np.int64)  # of what a column gives
    for start in range(0, int(ends[-1]), _BLOCKS[-1]):
        numbers = np.arange(start, min(start + _BLOCKS[-1], int(ends[-1])), dtype=np.int64)
        column = np.searchsorted(ends, numbers, side="right")
        added = num_values - (ends[column] - numbers)
        yield np.concatenate([ranks[:, column], added[None].astype(np.int32)])


def _orders(items: Int32[np.ndarray, "item block"]) -> Int64[np.ndarray, " block"]:
    """How many sequences are an ascending column in some order, a multinomial coefficient.

    Item k multiplies it by k over its number among the equal ones: every step is whole.
    """
    orders = run = np.ones(items.shape[1], np.int64)
    for k in range(1, len(items)):
        run = np.where(items[k] == items[k - 1], run + 1, 1)
        orders = orders * (k + 1) // run
    return orders


def _with_zeros(items: Int32[np.ndarray, "item block"]) -> Int32[np.ndarray, "lane size"]:
    """Instances as rows; zeros fill them up, and the block to a size that others have too."""
    num_items, block = items.shape
    size = next(size for size in _SIZES if size >= num_items)
    lanes = next(lanes for lanes in _BLOCKS if lanes >= block)
    rows = np.zeros((lanes, size), np.int32)
    rows[:block, :num_items] = items.T
    return rows
