"""Nearest subset sums in float64, by listing every subset or by sort and search."""

import numpy as np


def all_sums(items):
    """The sums of all subsets, shape (2**num_items, *item shape)."""
    items = np.asarray(items, np.float64)
    sums = np.zeros((1, *items.shape[1:]))
    for item in items:
        sums = np.concatenate([sums, sums + item])
    return sums


def least_error(items, target):
    """The least abs(sum - target), in the largest-coordinate norm for vectors."""
    errors = np.abs(all_sums(items) - np.asarray(target, np.float64))
    return errors.max(axis=tuple(range(1, errors.ndim))).min()


def least_error_of_many(items, targets):
    """`least_error` of scalars for each row of items; faster for many short rows."""
    sums = np.zeros((len(items), 1))
    for item in np.asarray(items, np.float64).T:
        sums = np.concatenate([sums, sums + item[:, None]], axis=1)
    return np.abs(sums - np.asarray(targets, np.float64)[:, None]).min(axis=1)


def least_error_by_search(items, target):
    """`least_error` of scalars through sorted half sums, for up to about 40 items."""
    half = len(items) // 2
    low, high = np.sort(all_sums(items[:half])), float(target) - all_sums(items[half:])
    place = np.searchsorted(low, high)
    below, above = low[np.maximum(place - 1, 0)], low[np.minimum(place, len(low) - 1)]
    return min(np.abs(below - high).min(), np.abs(above - high).min())
