"""Which targets the subset sums of random items serve, in float64: the least ε of every event."""

import numpy as np

from tests.oracles.gaps import covering_radius
from tests.oracles.subset_sum import all_sums, least_error


def least_epsilons_of_target(items, target):
    """The least error of every number of leading items 0, 1, ..., all, largest coordinates."""
    return np.array([least_error(items[:n], target) for n in range(len(items) + 1)])


def least_epsilons_of_interval(items, low, high):
    """The covering radius of every number of leading items over [low, high], from sorted sums."""
    return np.array(
        [
            covering_radius(items[None, :n], np.array([low]), np.array([high]))[0]
            for n in range(len(items) + 1)
        ]
    )


def box_cover(points, radius):
    """Whether boxes around the points cover [-1, 1]^2 or [-1, 1]^3, by brute force.

    The sides of all boxes cut the cube into blocks, and a block is covered if one of its inner
    points is. Closed boxes that only touch do not occur with random points.
    """
    points = np.asarray(points, np.float64)
    points = points[(np.abs(points) < 1 + radius).all(axis=1)]
    middles = []
    for column in points.T:
        cuts = np.clip(np.concatenate([column - radius, column + radius, [-1, 1]]), -1, 1)
        cuts = np.unique(cuts)
        middles.append((cuts[1:] + cuts[:-1]) / 2)
    covers = [
        (np.abs(middle[:, None] - column[None]) < radius).astype(np.float32)
        for middle, column in zip(middles, points.T, strict=True)
    ]
    if len(covers) == 2:
        counts = np.einsum("ap,bp->ab", *covers, optimize=True)
    else:
        counts = np.einsum("ap,bp,cp->abc", *covers, optimize=True)
    return bool((counts > 0).all())


def covers_cube(items, radius):
    """`box_cover` of all subset sums."""
    return box_cover(all_sums(items), radius)
