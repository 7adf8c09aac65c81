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
    pairs = _pairs(len(items))
    yield from _join(items, pairs, pairs, center, reach)


def within_three(items: np.ndarray, center: np.ndarray, reach: np.ndarray) -> Iterator[np.ndarray]:
    """The same for at most 3 items: pairs against items."""
    yield from _join(items, _pairs(len(items)), np.arange(len(items) + 1)[:, None], center, reach)


def within_two(items: np.ndarray, center: np.ndarray, reach: np.ndarray) -> Iterator[np.ndarray]:
    """The same for at most 2 items: items against items."""
    singles = np.arange(len(items) + 1)[:, None]
    yield from _join(items, singles, singles, center, reach)


def _pairs(number: int) -> np.ndarray:
    """No item, one item or two, filled up with `number`."""
    first, second = np.triu_indices(number, 1)
    first = np.concatenate([[number], np.arange(number), first])
    second = np.concatenate([[number], np.full(number, number), second])
    return np.stack([first, second], axis=1)


def _join(items, lefts, rights, center, reach):
    """Batches of one of the lefts with one of the rights, each in order of the first coordinate."""
    none, is_same = len(items), lefts is rights
    items = np.concatenate([items, np.zeros((1, items.shape[1]))])
    (lefts, left_sums), (rights, right_sums) = (_ordered(items, parts) for parts in (lefts, rights))
    for start in range(0, len(lefts), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(lefts)))
        rest = center[0] - left_sums[0][rows]
        low = np.searchsorted(right_sums[0], rest - reach[0])
        high = np.searchsorted(right_sums[0], rest + reach[0], side="right")
        low = np.maximum(low, rows) if is_same else low  # every unordered pair of parts once
        count = np.maximum(high - low, 0)
        if not count.sum():
            continue
        row = np.repeat(rows, count)
        column = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        column += np.repeat(low, count)
        for axis in range(1, len(center)):
            sums = left_sums[axis][row] + right_sums[axis][column]
            near = np.abs(sums - center[axis]) <= reach[axis]
            row, column = row[near], column[near]
        members = np.concatenate([lefts[row], rights[column]], axis=1)
        members.sort(axis=1)
        repeated = (members[:, 1:] == members[:, :-1]) & (members[:, 1:] < none)
        members = members[~repeated.any(axis=1)]
        if len(members):
            yield np.unique(members, axis=0)


def _ordered(items, parts):
    """Parts and their sums, coordinate by coordinate, in order of the first coordinate."""
    sums = items[parts].sum(axis=1)
    order = np.argsort(sums[:, 0])
    return parts[order], sums[order].T.copy()


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
