"""Rows of scalar items of many kinds, for tests of every scalar method."""

import numpy as np

FAMILIES = {
    "uniform": lambda rng, shape: rng.uniform(-1, 1, shape),
    "products": lambda rng, shape: rng.normal(size=shape) * rng.normal(size=shape),
    "positive": lambda rng, shape: rng.uniform(0, 1, shape),
    "duplicates": lambda rng, shape: rng.choice([0.1, 0.25, -0.7], shape),
    "zeros": lambda rng, shape: rng.normal(size=shape) * rng.integers(0, 2, shape),
    "integers": lambda rng, shape: rng.integers(-50, 50, shape),
    "ratios": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.integers(-9, 4, shape),
    "one_giant": lambda rng, shape: np.where(
        np.arange(shape[1]) == 0, 1e3, 1e-6 * rng.uniform(0.5, 1, shape)
    ),
    "huge": lambda rng, shape: 1e33 * rng.normal(size=shape),
    "tiny": lambda rng, shape: 1e-30 * rng.normal(size=shape),
}


def draw_items(family, num_items, count, seed=0):
    """Items in float32, and the generator for whatever else the test draws."""
    rng = np.random.default_rng([num_items, list(FAMILIES).index(family), seed])
    return FAMILIES[family](rng, (count, num_items)).astype(np.float32), rng


def draw_intervals(items, rng):
    """Ends of intervals: wide, narrow, single points, between integers, and beyond all sums."""
    total = np.abs(items).sum(axis=1, dtype=np.float64) + (items.shape[1] == 0)
    count = len(items)
    low = 0.8 * total * rng.uniform(-1, 1, count)
    kind = np.arange(count) % 5
    width = total * np.choose(kind, [0, 0.01, 0.5, 2.5, rng.uniform(0, 1, count)])
    if np.all(items == np.round(items)):
        low, width = np.round(2 * low) / 2, np.round(2 * width) / 2
    low = np.where(np.arange(count) % 11 == 0, 1.5 * total, low).astype(np.float32)
    return low, np.maximum(low, (low + width).astype(np.float32))
