"""How many subset sums lie in a window, in exact fractions or by sort and search."""

from fractions import Fraction

import numpy as np


def count_within_exactly(items, target, tolerance):
    """Every subset, in fractions."""
    sums = [Fraction(0)]
    for item in items:
        sums += [value + Fraction(float(item)) for value in sums]
    target, tolerance = Fraction(float(target)), Fraction(float(tolerance))
    return sum(abs(value - target) <= tolerance for value in sums)


def count_integers_within(items, target, tolerance):
    """Rows of int64 items, every subset."""
    sums = np.zeros((len(items), 1), np.int64)
    for item in np.asarray(items, np.int64).T:
        sums = np.concatenate([sums, sums + item[:, None]], axis=1)
    return (np.abs(sums - np.asarray(target)[:, None]) <= np.asarray(tolerance)[:, None]).sum(
        axis=1
    )


def count_of_many_integers(items, target, tolerance):
    """By the number of subsets of each sum, in Python integers: for many small integers."""
    counts = {0: 1}
    for item in items:
        more = dict(counts)
        for value, number in counts.items():
            more[value + item] = more.get(value + item, 0) + number
        counts = more
    return sum(number for value, number in counts.items() if abs(value - target) <= tolerance)
