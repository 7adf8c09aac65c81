"""Every subset of a few vectors in float64, with the constraints that a search may be given."""

import numpy as np


def all_masks(num_items: int) -> np.ndarray:
    """Each subset as a row of booleans."""
    return (np.arange(2**num_items)[:, None] >> np.arange(num_items) & 1) == 1


def errors(items: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The max-norm distance of the sum of each of `all_masks` from the target."""
    sums = all_masks(len(items)) @ np.asarray(items, np.float64)
    return np.abs(sums - np.asarray(target, np.float64)).max(axis=1)


def is_allowed(num_items: int, *, groups=None, max_kept=None) -> np.ndarray:
    """True for each of `all_masks` that keeps few enough items, and one of a group at most."""
    masks = all_masks(num_items)
    allowed = np.ones(len(masks), bool)
    if max_kept is not None:
        allowed &= masks.sum(axis=1) <= max_kept
    if groups is not None:
        for group in set(np.asarray(groups)[:num_items].tolist()):
            allowed &= masks[:, np.asarray(groups)[:num_items] == group].sum(axis=1) <= 1
    return allowed


def leading_distances(items: np.ndarray, target: np.ndarray, leading: int) -> np.ndarray:
    """The Euclidean distance of each sum from the target in the first coordinates."""
    difference = all_masks(len(items)) @ np.asarray(items, np.float64) - target
    return np.linalg.norm(difference[:, :leading], axis=1)
