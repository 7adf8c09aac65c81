"""The largest gap between the subset sums of an interval, in numba: marked cells, or a sort.

Needs numba. Every sum marks its cell; the longest runs of empty cells are measured exactly, by the
sums next to their middles. Nothing here is shared with the package.
"""

import numba
import numpy as np

_SORTED = 14  # items: up to here all sums are sorted


def radius(items: np.ndarray, low: float, high: float) -> float:
    """How far a target of [low, high] can lie from the nearest subset sum."""
    items = np.asarray(items, np.float64)
    if len(items) <= _SORTED:
        sums = _all_sums(items)
        sums.sort()
        return _of_sorted(sums, low, high)
    half = len(items) // 2
    a, b = np.sort(_all_sums(items[:half])), np.sort(_all_sums(items[half:]))
    return _of_cells(a, b, low, high, max(1024, 2 ** len(items)))


@numba.njit
def _all_sums(items):
    sums = np.empty(1 << len(items))
    sums[0] = 0.0
    size = 1
    for item in items:
        for k in range(size):
            sums[size + k] = sums[k] + item
        size *= 2
    return sums


@numba.njit
def _between(below, above, low, high):
    """The radius of the gap between two neighbouring sums."""
    target = min(max((below + above) / 2, low), high)
    return min(target - below, above - target)


@numba.njit
def _of_sorted(sums, low, high):
    best = max(sums[0] - low, high - sums[-1], 0.0)
    for k in range(len(sums) - 1):
        if sums[k] <= high and sums[k + 1] >= low:
            best = max(best, _between(sums[k], sums[k + 1], low, high))
    return best


@numba.njit
def _neighbours(a, b, target):
    """The sums next to a target, by two pointers."""
    below, above = -np.inf, np.inf
    j = len(b) - 1
    for i in range(len(a)):
        while j >= 0 and a[i] + b[j] > target:
            above = min(above, a[i] + b[j])
            j -= 1
        if j >= 0:
            below = max(below, a[i] + b[j])
    return below, above


@numba.njit
def _of_cells(a, b, low, high, num_cells):
    is_marked = np.zeros(num_cells, np.uint8)
    per_unit = (num_cells - 1) / (high - low)
    start = stop = len(a)
    for j in range(len(b)):  # the window of a moves down as b rises
        while start > 0 and a[start - 1] + b[j] >= low:
            start -= 1
        while stop > 0 and a[stop - 1] + b[j] > high:
            stop -= 1
        offset = b[j] - low
        for i in range(start, stop):
            is_marked[int((a[i] + offset) * per_unit)] = 1
    is_marked[0] = is_marked[num_cells - 1] = 1
    longest, last = 0, 0
    for cell in range(1, num_cells):
        if is_marked[cell]:
            longest = max(longest, cell - last - 1)
            last = cell
    best, last = 0.0, 0
    for end in (low, high):
        below, above = _neighbours(a, b, end)
        best = max(best, _between(below, above, low, high))
    for cell in range(1, num_cells):
        if is_marked[cell]:
            run = cell - last - 1
            # A gap is longer than its run of empty cells, by less than two cells.
            if run >= max(1, longest - 2):
                below, above = _neighbours(a, b, low + (last + 1 + cell) / 2 / per_unit)
                best = max(best, _between(below, above, low, high))
            last = cell
    return best
