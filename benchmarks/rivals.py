"""Subset sums of numbers as a good user of NumPy would write them.

None of this shares code with the package.
"""

import numpy as np

_KEYS_PER_BLOCK = 2**16  # sorted together: they stay in the cache


def nearest_sum(items: np.ndarray, target: float) -> float:
    """The least |subset sum - target|, meet in the middle: one sort and one searchsorted."""
    left, right = items[: len(items) // 2], items[len(items) // 2 :]
    ordered = np.sort(all_sums(left))
    wanted = target - all_sums(right)
    above = np.searchsorted(ordered, wanted)
    gap_above = np.abs(ordered[np.minimum(above, len(ordered) - 1)] - wanted)
    gap_below = np.abs(ordered[np.maximum(above - 1, 0)] - wanted)
    return float(min(gap_above.min(), gap_below.min()))


def nearest_sums(items: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The least errors of a batch: one sorted row of tagged integers for each instance.

    A key is twice a sum of the first half, or twice what it lacks to the target of a sum of the
    second half, plus one: the least difference of neighbours of different parity is the answer.
    Integers of 60 bits are exact to 2**-60 of the sum of all magnitudes for each item.
    """
    half = items.shape[1] // 2
    block = max(1, _KEYS_PER_BLOCK >> (items.shape[1] - half + 1))
    errors = []
    for start in range(0, len(items), block):
        rows, goals = items[start : start + block], targets[start : start + block]
        total = np.abs(rows).sum(axis=1) + np.abs(goals)
        shift = 60 - np.frexp(total)[1]
        whole = np.rint(np.ldexp(rows, shift[:, None])).astype(np.int64)
        goals = np.rint(np.ldexp(goals, shift)).astype(np.int64)
        first, second = all_sums(whole[:, :half]), all_sums(whole[:, half:])
        keys = np.concatenate([2 * first, 2 * (goals[:, None] - second) + 1], axis=1)
        keys.sort(axis=1)
        differences = (keys[:, 1:] >> 1) - (keys[:, :-1] >> 1)
        is_mixed = ((keys[:, 1:] ^ keys[:, :-1]) & 1).astype(bool)
        least = np.where(is_mixed, differences, np.iinfo(np.int64).max).min(axis=1)
        errors.append(np.ldexp(least.astype(np.float64), -shift))
    return np.concatenate(errors)


def all_sums(items: np.ndarray) -> np.ndarray:
    """The sums of all subsets of the last axis."""
    sums = np.zeros((*items.shape[:-1], 1), items.dtype)
    for k in range(items.shape[-1]):
        sums = np.concatenate([sums, sums + items[..., k : k + 1]], axis=-1)
    return sums


def nearest_in_pool(items: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The least error of every target: all sums sorted once, and a bisection for each target."""
    sums = np.sort(all_sums(items))
    above = np.searchsorted(sums, targets)
    over = np.abs(sums[np.minimum(above, len(sums) - 1)] - targets)
    return np.minimum(over, np.abs(sums[np.maximum(above - 1, 0)] - targets))


def largest_gap(items: np.ndarray, low: float, high: float) -> float:
    """How far a target of [low, high] can lie from the nearest subset sum: all sums sorted."""
    sums = all_sums(items)
    below = sums[sums < low].max(initial=-np.inf)
    above = sums[sums > high].min(initial=np.inf)
    inside = np.sort(sums[(sums >= low) & (sums <= high)])
    sums = np.concatenate([[below], inside, [above]])
    farthest = np.clip((sums[:-1] + sums[1:]) / 2, low, high)
    return float(np.minimum(farthest - sums[:-1], sums[1:] - farthest).max())


def has_weights(items: list[np.ndarray], targets: np.ndarray, tolerance: float) -> bool:
    """Whether subset sums come near all targets: the norm of the larger errors of all pairs.

    Sums 2 i and 2 i + 1 belong to coordinate i. Stops at the first coordinate that fails.
    """
    square = 0.0
    for pair in range(0, len(targets), 2):
        errors = [nearest_sum(items[k], targets[k]) for k in (pair, pair + 1)]
        square += max(errors) ** 2
        if square > tolerance**2:
            return False
    return True
