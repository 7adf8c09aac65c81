"""Nearest subset sums in numba: two ordered lists of the sums of half of the items, and scans.

Needs numba. All sums are float64; nothing here is shared with the package.
"""

import numba
import numpy as np


@numba.njit(error_model="numpy")
def _whole_list(items, sums, other):
    """The ordered sums of all subsets, one merge for each item; their number, and a shift."""
    sums[0] = 0.0
    size, shift = 1, 0.0
    for item in items:
        step = abs(item)
        shift += min(item, 0.0)
        sums[size] = np.inf
        i, j = 0, 0
        for k in range(2 * size):
            first, second = sums[i], sums[j] + step
            is_first = first <= second
            other[k] = first if is_first else second
            i += is_first
            j += 1 - is_first
        size *= 2
        for k in range(size):
            sums[k] = other[k]
    return size, shift


@numba.njit(error_model="numpy")
def _mirrored_list(items, sums, other):
    """The same; sums of magnitudes are symmetric, so half of each merge is a mirror image."""
    sums[0] = 0.0
    size, shift, total = 1, 0.0, 0.0
    for item in items:
        step = abs(item)
        shift += min(item, 0.0)
        total += step
        i, j = 0, 0
        for k in range(size):
            first, second = sums[i], sums[j] + step
            is_first = first <= second
            other[k] = first if is_first else second
            i += is_first
            j += 1 - is_first
        for k in range(size):
            sums[k] = other[k]
        for k in range(size):
            sums[size + k] = total - other[size - 1 - k]
        size *= 2
    return size, shift


@numba.njit(error_model="numpy")
def _one_scan(items, target, a, b, other):
    half = len(items) // 2
    of_a, low_a = _whole_list(items[:half], a, other)
    of_b, low_b = _whole_list(items[half:], b, other)
    target = target - low_a - low_b
    i, j, best = 0, of_b - 1, np.inf
    while i < of_a and j >= 0:
        rest = a[i] + b[j] - target
        best = min(best, abs(rest))
        is_above = rest > 0
        j -= is_above
        i += 1 - is_above
    return best


@numba.njit(error_model="numpy")
def _two_scans(items, target, a, b, other):
    """From both corners at once: two chains of dependent steps that the core overlaps."""
    half = len(items) // 2
    of_a, low_a = _mirrored_list(items[:half], a, other)
    of_b, low_b = _mirrored_list(items[half:], b, other)
    target = target - low_a - low_b
    i, j, best = 0, of_b - 1, np.inf
    k, m, other_best = of_a - 1, 0, np.inf
    while i <= k and j >= m:
        rest = a[i] + b[j] - target
        best = min(best, abs(rest))
        is_above = rest > 0
        j -= is_above
        i += 1 - is_above
        rest = a[k] + b[m] - target
        other_best = min(other_best, abs(rest))
        is_below = rest < 0
        m += is_below
        k -= 1 - is_below
    return min(best, other_best)


@numba.njit
def merge(items, targets):
    """The least error of every instance: whole merges, and one scan."""
    size = (1 << ((items.shape[1] + 1) // 2)) + 1
    a, b, other = np.empty(size), np.empty(size), np.empty(size)
    errors = np.empty(len(targets))
    for row in range(len(targets)):
        errors[row] = _one_scan(items[row], targets[row], a, b, other)
    return errors


@numba.njit
def merge_mirrored(items, targets):
    """The least error of every instance: half merges, and two scans."""
    size = (1 << ((items.shape[1] + 1) // 2)) + 1
    a, b, other = np.empty(size), np.empty(size), np.empty(size)
    errors = np.empty(len(targets))
    for row in range(len(targets)):
        errors[row] = _two_scans(items[row], targets[row], a, b, other)
    return errors


@numba.njit(parallel=True)
def merge_mirrored_parallel(items, targets):
    """`merge_mirrored` with every core at work on stretches of the batch."""
    size = (1 << ((items.shape[1] + 1) // 2)) + 1
    parts = min(len(targets), 4 * numba.get_num_threads())
    errors = np.empty(len(targets))
    for part in numba.prange(parts):
        a, b, other = np.empty(size), np.empty(size), np.empty(size)
        start, stop = part * len(targets) // parts, (part + 1) * len(targets) // parts
        for row in range(start, stop):
            errors[row] = _two_scans(items[row], targets[row], a, b, other)
    return errors
