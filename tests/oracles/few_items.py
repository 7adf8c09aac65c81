"""Every subset of at most K items, one after the other or for many instances at once, in NumPy."""

import itertools

import numpy as np


def subset_sums(items: np.ndarray, max_kept: int, groups=None):
    """Each subset as a tuple, with its float32 sum in ascending order."""
    for size in range(max_kept + 1):
        for subset in itertools.combinations(range(len(items)), size):
            if groups is not None and len({groups[item] for item in subset}) < size:
                continue
            total = np.zeros(items.shape[1], np.float32)
            for item in subset:
                total = total + items[item]
            yield subset, total


def within(
    items, target, *, max_kept, tolerance, leading=0, leading_tolerance=np.inf, groups=None
) -> set:
    """The subsets whose sum is within the tolerances."""
    found = set()
    for subset, total in subset_sums(items, max_kept, groups):
        difference = total - target
        near = np.max(np.abs(difference)) <= np.float32(tolerance)
        if near and np.linalg.norm(difference[:leading]) <= leading_tolerance:
            found.add(subset)
    return found


def nearest_error(items, target, *, max_kept, groups=None) -> np.float32:
    """The least max-norm distance of a subset sum from the target."""
    sums = subset_sums(items, max_kept, groups)
    return min(np.max(np.abs(total - target)) for _, total in sums)


def errors_of_many(items, targets, *, max_kept, groups=None) -> tuple[np.ndarray, np.ndarray]:
    """Max-norm errors [instance, subset] of every subset, and the subsets as bit sets [subset]."""
    num_items = items.shape[1]
    subsets = [
        subset
        for size in range(max_kept + 1)
        for subset in itertools.combinations(range(num_items), size)
        if groups is None or len({groups[item] for item in subset}) == size
    ]
    errors = np.empty((len(items), len(subsets)), np.float32)
    for number, subset in enumerate(subsets):
        total = np.zeros_like(targets)
        for item in subset:
            total = total + items[:, item]
        errors[:, number] = np.max(np.abs(total - targets), axis=1)
    return errors, np.array([sum(1 << item for item in subset) for subset in subsets])
