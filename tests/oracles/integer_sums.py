"""Subset sums of whole numbers by the simplest means: Python's own integers, and plain loops."""

import itertools
from collections import Counter


def sums_as_bits(items) -> int:
    """Bit s is set where s is a sum of non-negative items."""
    bits = 1
    for item in items:
        bits |= bits << int(item)
    return bits


def bits_of(words) -> int:
    """Words of 32 bits, the lowest first, as one number."""
    return sum(int(word) << 32 * place for place, word in enumerate(words))


def number_of_subsets(items) -> Counter:
    """The number of subsets for every sum of items of any sign."""
    numbers = Counter({0: 1})
    for item in items:
        more = Counter(numbers)
        for total, number in numbers.items():
            more[total + int(item)] += number
        numbers = more
    return numbers


def listed_sums(items) -> Counter:
    """The same from all subsets one by one, for a few items."""
    items = [int(item) for item in items]
    chosen = itertools.product((0, 1), repeat=len(items))
    return Counter(sum(x for x, kept in zip(items, mask, strict=True) if kept) for mask in chosen)
