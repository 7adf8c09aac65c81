"""Every instance of a small problem, one after the other in NumPy: the check of `enumeration`.

Ordered instances, with no use of symmetry, and nothing of the engine of `subset_sum`: the sums of
all subsets are rows of an array where the items are few, and the bits of one 64-bit word where they
are small. The last item is a loop over its values; the others come in blocks.
"""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt64

_BLOCK = 2**14  # instances of all items but the last
# Up to so many items all subsets are rows. With more, at most 2**24 instances have sums that fit.
_ROWS = 7
_ORIGIN = 31  # the bit of the sum 0 where sums have signs: bits are the sums -31 to 32
_ZERO = np.uint64(1 << _ORIGIN)

# Of one sum for each instance of a block, whether it is that of a subset.
Decide = Callable[[Int32[np.ndarray, " block"]], Bool[np.ndarray, " block"]]


def count_partitions(num_items: int, largest: int) -> Int64[np.ndarray, " largest"]:
    """How many instances of number partitioning are perfectly partitionable, for M up to `largest`.

    Of all (X_1, ..., X_n) in {1..M}^n, those where some subset has the sum ⌊ΣX/2⌋.

    Parameters
    ----------
    num_items
        n, at least 2.
    largest
        Largest M, at least 1; above 7 items at most 126 / n, so that half of a total is a bit.

    Raises
    ------
    ValueError
        For sizes outside these ranges.

    Notes
    -----
    The time grows with largest^n; 2^24 instances take seconds.

    Examples
    --------
    >>> count_partitions(3, 4)
    array([ 1,  7, 22, 46])
    """
    _check_sizes(num_items, largest, most=126)
    found = np.zeros(largest + 1, np.int64)  # by the largest item
    values = np.arange(1, largest + 1, dtype=np.int32)
    for items in _instances(values, num_items - 1):
        maxima, totals = items.max(axis=0), items.sum(axis=0, dtype=np.int32)
        is_sum = _is_row(_sums(items)) if num_items <= _ROWS else _is_bit(_bits(items))
        for last in values:
            half = (totals + last) // 2
            is_solved = is_sum(half) | is_sum(half - last)
            found += np.bincount(np.maximum(maxima, last)[is_solved], minlength=largest + 1)
    return np.cumsum(found[1:])


def count_subset_sums(num_items: int, largest: int, target: int | np.integer) -> int:
    """How many of the (2M)^n instances have a subset, not the empty one, with the sum `target`.

    Parameters
    ----------
    num_items
        n, at least 2.
    largest
        M, at least 1: the items are -M..M without 0. Above 7 items at most 32 / n.
    target
        Of magnitude at most M.

    Raises
    ------
    ValueError
        For arguments outside these ranges, or a target that is not a whole number.

    Examples
    --------
    >>> count_subset_sums(2, 2, 1), count_subset_sums(2, 2, 0)
    (9, 4)
    """
    _check_sizes(num_items, largest, most=32)
    if isinstance(target, bool) or not isinstance(target, (int, np.integer)):
        raise ValueError(f"{target=} must be a whole number")
    if abs(target) > largest:
        raise ValueError(f"{target=} must be of magnitude at most {largest=}")
    found = 0
    values = np.array([each for each in range(-largest, largest + 1) if each], np.int32)
    for items in _instances(values, num_items - 1):
        if num_items <= _ROWS:
            sums = _sums(items)
            is_sum, is_sum_or_empty = _is_row(sums[1:]), _is_row(sums)
        else:
            words = _signed_bits(items)
            is_sum, is_sum_or_empty = (
                _is_bit(each, origin=_ORIGIN) for each in (words, words | _ZERO)
            )
        goal = np.full(items.shape[1], target, np.int32)
        without = is_sum(goal)
        for last in values:
            found += int(np.count_nonzero(without | is_sum_or_empty(goal - last)))
    return found


def _check_sizes(num_items: int, largest: int, *, most: int) -> None:
    if num_items < 2 or largest < 1:
        raise ValueError(f"{num_items=} must be at least 2, and {largest=} at least 1")
    if num_items > _ROWS and num_items * largest > most:
        raise ValueError(
            f"{num_items=} and {largest=} do not fit a word: at most {most // num_items} does"
        )


def _instances(
    values: Int32[np.ndarray, " value"], num_items: int
) -> Iterator[Int32[np.ndarray, "item block"]]:
    """All tuples, in blocks: the digits of a number to the base of how many values there are."""
    total = len(values) ** num_items
    powers = len(values) ** np.arange(num_items, dtype=np.int64)
    for start in range(0, total, _BLOCK):
        numbers = np.arange(start, min(start + _BLOCK, total), dtype=np.int64)
        yield values[numbers // powers[:, None] % len(values)]


def _sums(items: Int32[np.ndarray, "item block"]) -> Int32[np.ndarray, "subset block"]:
    """The sums of all subsets, the empty one first."""
    sums = np.zeros((1, items.shape[1]), np.int32)
    for item in items:
        sums = np.concatenate([sums, sums + item])
    return sums


def _bits(items: Int32[np.ndarray, "item block"]) -> UInt64[np.ndarray, " block"]:
    """Bit s: some subset of the positive items has the sum s."""
    words = np.ones(items.shape[1], np.uint64)
    for item in items.astype(np.uint64):
        words |= words << item
    return words


def _signed_bits(items: Int32[np.ndarray, "item block"]) -> UInt64[np.ndarray, " block"]:
    """Bit 31 + s: some subset, not the empty one, has the sum s.

    A sum beyond the ends, with n M at most 32, is -32 and that of all items: no other grows out of
    it.
    """
    words = np.zeros(items.shape[1], np.uint64)
    for item in items:
        with_empty = words | _ZERO
        up, down = np.maximum(item, 0).astype(np.uint64), np.maximum(-item, 0).astype(np.uint64)
        words |= (with_empty << up) >> down
    return words


def _is_row(rows: Int32[np.ndarray, "subset block"]) -> Decide:
    return lambda sums: np.any(rows == sums, axis=0)


def _is_bit(words: UInt64[np.ndarray, " block"], *, origin: int = 0) -> Decide:
    def decide(sums: Int32[np.ndarray, " block"]) -> Bool[np.ndarray, " block"]:
        bit = sums + np.int32(origin)
        is_inside = (bit >= 0) & (bit < 64)
        shift = np.where(is_inside, bit, 0).astype(np.uint64)
        return is_inside & ((words >> shift) & np.uint64(1)).astype(bool)

    return decide
