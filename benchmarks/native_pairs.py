"""At most 4 of N vectors, pairs against pairs in numba: all within a tolerance, or the nearest.

Needs numba. Pairs are sorted into strips of the first coordinate, and by the second coordinate
inside a strip. The partners of a pair lie in a few strips, in one contiguous window of each; a
branch-free pass over the next coordinates, which the compiler vectorises, marks those that may fit,
and each of them is tested coordinate by coordinate. For the nearest sum the window shrinks with the
best error so far, which starts at that of greedy swaps. Float32 sums; nothing here is shared with
the package.
"""

import numba
import numpy as np

_FAST = 6  # coordinates compared without a branch, after the first two


@numba.njit
def _pairs(items):
    num_items, dim = items.shape
    count = 1 + num_items + num_items * (num_items - 1) // 2
    first = np.full(count, num_items, np.int32)
    second = np.full(count, num_items, np.int32)
    sums = np.zeros((dim, count), np.float32)
    at = 1
    for i in range(num_items):
        first[at] = i
        for axis in range(dim):
            sums[axis, at] = items[i, axis]
        at += 1
    for i in range(num_items):
        for j in range(i + 1, num_items):
            first[at], second[at] = i, j
            for axis in range(dim):
                sums[axis, at] = items[i, axis] + items[j, axis]
            at += 1
    return first, second, sums


@numba.njit
def _greedy(items, target, sweeps, starts):
    """The error of a subset of at most 4 that no swap of one item improves much."""
    num_items, dim = items.shape
    best = np.float32(0)
    for axis in range(dim):
        best = max(best, abs(target[axis]))
    for start in range(starts):
        chosen = np.full(4, num_items)
        chosen[0] = start * num_items // starts
        for step in range(4 * sweeps):
            place = (step + 1) % 4
            rest = -target
            for other in range(4):
                if other != place and chosen[other] < num_items:
                    rest = rest + items[chosen[other]]
            chosen[place] = num_items
            least = np.float32(0)
            for axis in range(dim):
                least = max(least, abs(rest[axis]))
            for i in range(num_items):
                if i in (chosen[0], chosen[1], chosen[2], chosen[3]):
                    continue
                error = np.float32(0)
                for axis in range(dim):
                    error = max(error, abs(rest[axis] + items[i, axis]))
                    if error >= least:
                        break
                if error < least:
                    least = error
                    chosen[place] = i
            best = min(best, least)
    return best


@numba.njit
def _search(first, second, sums, target, reach, shrinks, found):
    """Number of subsets within `reach`, the first of them in `found`; and the least error."""
    dim, count = sums.shape
    none = first.max()
    fast = min(_FAST, dim - 2)
    strip = max(reach / 2, np.float32(1e-3))
    lowest = sums[0].min()
    strips = np.floor((sums[0] - lowest) / strip).astype(np.int32)
    num_strips = strips.max() + 1
    bounds = np.zeros(num_strips + 1, np.int64)
    for part in range(count):
        bounds[strips[part] + 1] += 1
    bounds = np.cumsum(bounds)
    order = np.argsort(sums[1])
    place = bounds.copy()
    sort = np.empty(count, np.int64)
    for part in order:
        sort[place[strips[part]]] = part
        place[strips[part]] += 1
    first, second, strips = first[sort], second[sort], strips[sort]
    rows = np.empty((count, dim), np.float32)
    ordered = np.empty((dim, count), np.float32)
    for axis in range(dim):
        ordered[axis] = sums[axis][sort]
        rows[:, axis] = ordered[axis]
    marks = np.empty(count, np.uint8)
    total = 0
    wanted = np.empty(dim, np.float32)
    for p in range(count):
        for axis in range(dim):
            wanted[axis] = target[axis] - rows[p, axis]
        low_strip = int(np.floor((wanted[0] - reach - lowest) / strip)) - 1
        high_strip = int(np.floor((wanted[0] + reach - lowest) / strip)) + 1
        for s in range(max(low_strip, strips[p]), min(high_strip, num_strips - 1) + 1):
            window = ordered[1, bounds[s] : bounds[s + 1]]
            start = bounds[s] + np.searchsorted(window, wanted[1] - reach - np.float32(1e-5))
            stop = bounds[s] + np.searchsorted(window, wanted[1] + reach + np.float32(1e-5))
            start = max(start, p)
            if start >= stop:
                continue
            width = stop - start
            along, mark = ordered[0, start:stop], marks[:width]
            want = wanted[0]
            for c in range(width):
                mark[c] = abs(along[c] - want) <= reach
            for axis in range(2, 2 + fast):
                along, want = ordered[axis, start:stop], wanted[axis]
                for c in range(width):
                    mark[c] &= abs(along[c] - want) <= reach
            for c in range(width):
                if mark[c] == 0:
                    continue
                q = start + c
                error = np.float32(0)
                for axis in range(dim):
                    error = max(error, abs(rows[q, axis] - wanted[axis]))
                    if error > reach:
                        break
                if error > reach:
                    continue
                i, j, k, m = first[p], second[p], first[q], second[q]
                shares = (i < none and i in (k, m)) or (j < none and j in (k, m))
                if shares:
                    continue
                if shrinks:
                    reach = min(reach, error)
                else:
                    # One of its three splits, the one that counts: the lowest items first.
                    low = (k == none) or (j != none and j < k)
                    high = (i == none) or (m != none and m < i)
                    if (low or high) and not (k != none and i > k and low and not high):
                        if total < found.shape[0]:
                            found[total, 0], found[total, 1] = i, j
                            found[total, 2], found[total, 3] = k, m
                        total += 1
    return total, reach


def least_error(items: np.ndarray, target: np.ndarray) -> float:
    """The least max-norm error over subsets of at most 4 items."""
    items, target = np.float32(items), np.float32(target)
    start = _greedy(items, target, 3, 32) * np.float32(1.00001)
    return float(_search(*_pairs(items), target, start, True, np.empty((0, 4), np.int32))[1])


def within(items: np.ndarray, target: np.ndarray, tolerance: float, capacity: int = 1 << 16) -> set:
    """The subsets of at most 4 items within the tolerance, as a set of tuples."""
    items, target = np.float32(items), np.float32(target)
    found = np.empty((capacity, 4), np.int32)
    total = _search(*_pairs(items), target, np.float32(tolerance), False, found)[0]
    if total > capacity:
        raise ValueError(f"{total} subsets: give a larger {capacity=}")
    return {tuple(sorted(i for i in row if i < len(items))) for row in found[:total].tolist()}
