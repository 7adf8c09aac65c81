"""Least errors and counts of scalar subset sums in whole numbers or fractions: nothing rounds."""

from fractions import Fraction

import numpy as np


def integer_errors(items, targets, scale):
    """The least errors, times `scale`, of rows of numbers that are integers after scaling."""
    items, targets = (
        np.rint(np.asarray(each) * scale).astype(np.int64) for each in (items, targets)
    )
    sums = np.zeros((len(items), 1), np.int64)
    for item in items.T:
        sums = np.concatenate([sums, sums + item[:, None]], axis=1)
    return np.abs(sums - targets[:, None]).min(axis=1)


def fractions_of(items):
    """All subset sums of float64 numbers."""
    sums = [Fraction(0)]
    for item in items:
        sums += [total + Fraction(float(item)) for total in sums]
    return sums


def count_of(items, target, tolerance) -> int:
    """How many subset sums are within the tolerance."""
    target, tolerance = Fraction(float(target)), Fraction(float(tolerance))
    return sum(abs(total - target) <= tolerance for total in fractions_of(items))


def decisions_of(items, targets, tolerance):
    """Whether the least error of each row is at most the tolerance.

    Rows that float64 leaves open are decided in fractions.
    """
    sums = np.zeros((len(items), 1))
    for item in np.asarray(items, np.float64).T:
        sums = np.concatenate([sums, sums + item[:, None]], axis=1)
    errors = np.abs(sums - np.asarray(targets)[:, None])
    decided = errors.min(axis=1) <= tolerance
    for row in np.flatnonzero(np.abs(errors.min(axis=1) - tolerance) < 1e-13):
        near = errors[row].argsort()[:4]
        number = [[bool(subset >> k & 1) for k in range(len(items[row]))] for subset in near]
        exact = [
            abs(
                sum((Fraction(float(x)) for x, keep in zip(items[row], mask) if keep), Fraction(0))  # noqa: B905
                - Fraction(float(targets[row]))
            )
            for mask in number
        ]
        decided[row] = min(exact) <= Fraction(tolerance)
    return decided
