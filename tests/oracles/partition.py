"""Number partitioning and quantised subset sums by listing everything; small sizes only."""

import itertools

import numpy as np


def sign_vectors(num_items: int) -> np.ndarray:
    """All of {-1, 1}^n as rows."""
    return np.array(list(itertools.product((-1, 1), repeat=num_items)), np.int64)


def masks(num_items: int) -> np.ndarray:
    """All of {0, 1}^n as rows, the empty one first."""
    return np.array(list(itertools.product((0, 1), repeat=num_items)), np.int64)


def instances(values, num_items: int) -> np.ndarray:
    """All ordered choices of items among the values, as rows."""
    return np.array(list(itertools.product(values, repeat=num_items)), np.int64)


def count_perfect(items: np.ndarray) -> np.ndarray:
    """Unordered perfect partitions of every row: pairs of sign vectors of either sign."""
    sums = items @ sign_vectors(items.shape[1]).T
    wanted = items.sum(axis=1) % 2
    return np.sum(np.abs(sums) == wanted[:, None], axis=1) // 2


def count_subsets(items: np.ndarray, target: int) -> np.ndarray:
    """Subsets of every row with this sum, the empty one included."""
    return np.sum(items @ masks(items.shape[1]).T == target, axis=1)


def signed_values(largest: int) -> list[int]:
    """-M, ..., M without 0."""
    return [value for value in range(-largest, largest + 1) if value]
