"""Every subset of at most K items, one after the other, in NumPy."""

import itertools

import numpy as np


def subset_sums(items: np.ndarray, max_kept: int):
    """Each subset as a tuple, with its float32 sum in ascending order."""
    for size in range(max_kept + 1):
        for subset in itertools.combinations(range(len(items)), size):
            total = np.zeros(items.shape[1], np.float32)
            for item in subset:
                total = total + items[item]
            yield subset, total


def within(items, target, *, max_kept, tolerance, leading=0, leading_tolerance=np.inf) -> set:
    """The subsets whose sum is within the tolerances."""
    found = set()
    for subset, total in subset_sums(items, max_kept):
        difference = total - target
        near = np.max(np.abs(difference)) <= np.float32(tolerance)
        if near and np.linalg.norm(difference[:leading]) <= leading_tolerance:
            found.add(subset)
    return found


def nearest_error(items, target, *, max_kept) -> np.float32:
    """The least max-norm distance of a subset sum from the target."""
    return min(np.max(np.abs(total - target)) for _, total in subset_sums(items, max_kept))
