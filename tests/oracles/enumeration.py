"""Small instances counted exactly, in Python integers and fractions.

Two ways to the number of solvable instances: plain loops over all of them, and a recursion over the
sets of sums that a prefix can reach, which many prefixes share. Moments of the number of solutions
by loops over all instances and all their subsets.
"""

import itertools
from collections import Counter
from fractions import Fraction


def partitions_by_loops(num_items, largest):
    """Instances in {1..largest}^num_items with a perfect partition, one by one."""
    return sum(
        any(sum(s) == sum(items) // 2 for s in subsets(items))
        for items in itertools.product(range(1, largest + 1), repeat=num_items)
    )


def partitions_by_states(num_items, largest):
    """The same: tuples are counted by the set of differences that signs can give them.

    Bit s of a set: some signs make the sum s >= 0. The last item, x, is right where a sum lies
    within 1 of it, so that the difference is 0 or 1, whichever the parity of the total allows.
    """
    states = Counter({1: 1})
    for _ in range(num_items - 1):
        after = Counter()
        for state, number in states.items():
            for item in range(1, largest + 1):
                low = state & ((1 << item) - 1)  # sums below the item: their difference to it
                turned = sum(1 << (item - s) for s in range(item) if low >> s & 1)
                after[(state << item) | (state >> item) | turned] += number
        states = after
    within = ((1 << (largest + 1)) - 1) & ~1
    return sum(
        number * ((state | state << 1 | state >> 1) & within).bit_count()
        for state, number in states.items()
    )


def subset_sums_by_loops(num_items, largest, target):
    """Instances in {-largest..largest, not 0}^num_items with a non-empty subset of this sum."""
    values = [x for x in range(-largest, largest + 1) if x]
    return sum(
        any(sum(s) == target for s in subsets(items) if s)
        for items in itertools.product(values, repeat=num_items)
    )


def partition_moments(num_items, largest, difference):
    """E[Z] and E[Z^2] of Z, the number of sign vectors σ in {-1, 1}^n with σ·X = difference.

    X uniform on {1..largest}^num_items; fractions; all instances with all signs.
    """
    signs = list(itertools.product((-1, 1), repeat=num_items))
    numbers = [
        sum(sum(map(int.__mul__, sign, items)) == difference for sign in signs)
        for items in itertools.product(range(1, largest + 1), repeat=num_items)
    ]
    return _moments(numbers)


def subset_sum_moments(num_items, largest, target):
    """E[Z] and E[Z^2] of Z, the number of subsets, the empty one included, with the sum target.

    X uniform on {-largest..largest} without 0; fractions; all instances with all subsets.
    """
    values = [x for x in range(-largest, largest + 1) if x]
    numbers = [
        sum(sum(s) == target for s in subsets(items))
        for items in itertools.product(values, repeat=num_items)
    ]
    return _moments(numbers)


def subsets(items):
    for size in range(len(items) + 1):
        yield from itertools.combinations(items, size)


def _moments(numbers):
    return (
        Fraction(sum(numbers), len(numbers)),
        Fraction(sum(z * z for z in numbers), len(numbers)),
    )
