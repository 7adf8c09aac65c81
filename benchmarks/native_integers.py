"""Sets of sums as bits of 64-bit words, by numba, on one core.

None of this shares code with the package.
"""

import numba
import numpy as np


@numba.njit
def reachable_bits(items, most):
    """All sums up to `most`, in place from the highest word down; items in ascending order."""
    size = most // 64 + 1
    words = np.zeros(size, np.uint64)
    words[0] = 1
    total = 0
    for item in np.sort(items):
        whole, rest = item // 64, np.uint64(item % 64)
        used = total // 64 + 1
        total += item
        top = min(whole + used, size - 1)
        if rest == 0:
            for k in range(top, whole - 1, -1):
                words[k] |= words[k - whole]
        else:
            for k in range(top, whole, -1):
                high = words[k - whole] << rest
                words[k] |= high | (words[k - whole - 1] >> (np.uint64(64) - rest))
            if whole < size:
                words[whole] |= words[0] << rest
    return words


@numba.njit
def has_sum(items, target):
    """Whether some subset has this sum."""
    target = min(target, items.sum() - target)
    if target < 0:
        return False
    word = reachable_bits(items, target)[target // 64]
    return (word >> np.uint64(target % 64)) & np.uint64(1) == np.uint64(1)
