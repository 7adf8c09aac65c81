"""How far targets of an interval can lie from all subset sums, in float64."""

import numpy as np


def covering_radius(items, low, high):
    """The largest distance of a target in [low, high] from the nearest subset sum, per row.

    Shapes (row, item), (row,), (row,). Between two neighbouring sums that meet the interval the
    farthest target is their middle, or the end of the interval nearest to it; in front of the first
    sum and behind the last one there is nothing.
    """
    sums = np.zeros((len(items), 1))
    for item in np.asarray(items, np.float64).T:
        sums = np.concatenate([sums, sums + item[:, None]], axis=1)
    beyond = np.full((len(items), 1), np.inf)
    sums = np.concatenate([-beyond, np.sort(sums, axis=1), beyond], axis=1)
    low, high = (np.asarray(end, np.float64)[:, None] for end in (low, high))
    before, after = sums[:, :-1], sums[:, 1:]
    meets = (before <= high) & (after >= low)
    target = np.clip((before + after) / 2, low, high)
    return np.where(meets, np.minimum(target - before, after - target), 0).max(axis=1)


def distances(items, targets):
    """The distance of each row's target from the nearest subset sum."""
    return covering_radius(items, targets, targets)
