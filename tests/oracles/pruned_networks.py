"""Errors of all small subnetworks on a fine grid of the sphere, one subset after the other."""

import itertools

import numpy as np


def sphere(dim: int, count: int) -> np.ndarray:
    """About `count` points, evenly spread over the unit sphere in 2 or 3 dimensions."""
    index = np.arange(count) + 0.5
    if dim == 2:
        angle = 2 * np.pi * index / count
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    height, angle = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)


def errors(hidden, output, points, subset, *, relu: bool) -> np.ndarray:
    """|g_S - f| at the points, f = relu(x_1)."""
    values = np.maximum(points @ hidden[list(subset)].T, 0) @ output[list(subset)]
    values = np.maximum(values, 0) if relu else values
    return np.abs(values - np.maximum(points[:, 0], 0))


def best_subset(hidden, output, *, max_kept, relu, count=20_000):
    """The least error over all subsets of at most `max_kept` neurons, and the subset."""
    hidden, output = np.asarray(hidden, np.float64), np.asarray(output, np.float64)
    points = sphere(hidden.shape[1], count)
    subsets = itertools.chain.from_iterable(
        itertools.combinations(range(len(output)), size) for size in range(max_kept + 1)
    )
    return min(
        (errors(hidden, output, points, subset, relu=relu).max(), subset) for subset in subsets
    )
