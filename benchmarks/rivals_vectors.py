"""Subset sums of vectors as a good user of NumPy would write them, one instance at a time.

None of this shares code with the package. Errors are largest coordinates.
"""

import itertools
from collections.abc import Iterator

import numpy as np

_BLOCK = 256  # sums whose partners are looked up together


def of_four_within(items: np.ndarray, target: np.ndarray, tolerance: float) -> set:
    """All subsets of at most 4 items within the tolerance."""
    reach = np.full(len(target), tolerance)
    rows = itertools.chain.from_iterable(map(np.ndarray.tolist, within(items, target, reach)))
    return {tuple(item for item in row if item < len(items)) for row in rows}


def of_four_nearest(items: np.ndarray, target: np.ndarray) -> float:
    """The least error over subsets of at most 4 items: the window shrinks to the best so far."""
    padded = np.concatenate([items, np.zeros((1, items.shape[1]))])
    reach = np.full(len(target), np.abs(target).max())
    for single in np.flatnonzero(np.abs(items - target).max(axis=1) < reach[0]):
        reach[:] = min(reach[0], np.abs(items[single] - target).max())
    for members in within(items, target, reach):
        # `within` reads the reach again for every block.
        errors = np.abs(padded[members].sum(axis=1) - target).max(axis=1)
        reach[:] = min(reach[0], errors.min())
    return float(reach[0])


def within(items: np.ndarray, center: np.ndarray, reach: np.ndarray) -> Iterator[np.ndarray]:
    """Batches of subsets of at most 4 items with |sum - center| <= reach in every coordinate.

    Pairs are sorted by the first coordinate; for blocks of pairs the windows of partners come from
    searchsorted, and candidates are filtered coordinate by coordinate.
    """
    none = len(items)
    items = np.concatenate([items, np.zeros((1, items.shape[1]))])
    first, second = np.triu_indices(none, 1)
    first = np.concatenate([[none], np.arange(none), first])
    second = np.concatenate([[none], np.full(none, none), second])
    sums = items[first] + items[second]
    order = np.argsort(sums[:, 0])
    first, second, sums = first[order], second[order], sums[order].T.copy()
    along = sums[0]
    for start in range(0, len(along), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(along)))
        low = np.searchsorted(along, center[0] - reach[0] - along[rows])
        high = np.searchsorted(along, center[0] + reach[0] - along[rows], side="right")
        low = np.maximum(low, rows)  # every unordered pair of pairs once
        count = np.maximum(high - low, 0)
        if not count.sum():
            continue
        row = np.repeat(rows, count)
        column = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        column += np.repeat(low, count)
        for axis in range(1, len(center)):
            near = np.abs(sums[axis][row] + sums[axis][column] - center[axis]) <= reach[axis]
            row, column = row[near], column[near]
        members = np.stack([first[row], second[row], first[column], second[column]], axis=1)
        members.sort(axis=1)
        repeated = (members[:, 1:] == members[:, :-1]) & (members[:, 1:] < none)
        members = members[~repeated.any(axis=1)]
        if len(members):
            yield np.unique(members, axis=0)


def nearest_of_all(items: np.ndarray, target: np.ndarray) -> float:
    """The least error over all subsets: the sums of two halves, one list sorted by a coordinate.

    Partners come from windows of the best error so far, which starts at that of the rounded least
    squares, and candidates are filtered coordinate by coordinate.
    """
    first, second = (_sums(half) for half in (items[::2], items[1::2]))
    best = _rounded(items, target)
    axis = int(np.argmax(np.abs(items).sum(axis=0)))
    second = second[np.argsort(second[:, axis])]
    columns, along = second.T.copy(), second[:, axis]
    others = [other for other in range(len(target)) if other != axis]
    for start in range(0, len(first), _BLOCK):
        rest = target - first[start : start + _BLOCK]
        low = np.searchsorted(along, rest[:, axis] - best)
        count = np.searchsorted(along, rest[:, axis] + best, side="right") - low
        row = np.repeat(np.arange(len(rest)), count)
        column = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        column += np.repeat(low, count)
        for other in others:
            is_near = np.abs(columns[other][column] - rest[row, other]) < best
            row, column = row[is_near], column[is_near]
        if len(row):
            best = min(best, float(np.abs(second[column] - rest[row]).max(axis=1).min()))
    return best


def _sums(items: np.ndarray) -> np.ndarray:
    sums = np.zeros((1, items.shape[1]))
    for item in items:
        sums = np.concatenate([sums, sums + item])
    return sums


def _rounded(items: np.ndarray, target: np.ndarray) -> float:
    """The error of a subset that no change of one item improves, from rounded least squares."""
    weights = np.linalg.lstsq(items.T, target, rcond=None)[0]
    kept = weights > 0.5
    error = np.abs(items[kept].sum(axis=0) - target).max()
    while True:
        change = np.where(kept, -1.0, 1.0)[:, None] * items
        errors = np.abs(items[kept].sum(axis=0) + change - target).max(axis=1)
        if not errors.min() < error:
            return float(error)
        error = errors.min()
        kept[errors.argmin()] ^= True
