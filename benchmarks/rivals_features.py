"""The scores of PruneNetwork as good users of NumPy would compute them.

None of this shares code with the package. Both take all rows at once: their memory grows with n.
"""

import numpy as np


def scores_by_products(
    inputs: np.ndarray,
    targets: np.ndarray,
    noise: np.ndarray,
    biases: np.ndarray,
    *,
    shift: float,
    kept: int,
) -> np.ndarray:
    """Even and odd scores, by a product of two matrices for each bias and sign."""
    places, steps = _prepared(inputs, targets, noise, shift)
    scores = np.zeros((2, places.shape[1]))
    mask = np.empty_like(places)
    for bias in biases:
        np.greater(places, -bias, out=mask, casting="unsafe")  # t + b > 0
        right = mask.T @ steps
        np.less(places, bias, out=mask, casting="unsafe")  # -t + b > 0
        scores += _squares(right, mask.T @ steps, len(inputs), kept)
    return scores


def scores_by_runs(
    inputs: np.ndarray,
    targets: np.ndarray,
    noise: np.ndarray,
    biases: np.ndarray,
    *,
    shift: float,
    kept: int,
) -> np.ndarray:
    """The same from rows in the order of their bins: for each weight one sum over every run."""
    places, steps = _prepared(inputs, targets, noise, shift)
    # A row belongs to all edges below it: for t < b, the number next to b says the same.
    lowest = np.concatenate([-biases, np.nextafter(biases, np.float32(-np.inf))])
    edges = np.sort(lowest)
    right, left = np.split(np.searchsorted(edges, lowest) + 1, 2)
    numbers = np.arange(len(edges) + 1)
    padded = np.append(steps, np.zeros_like(steps[:1]), axis=0)  # for runs that start at the end
    scores = np.zeros((2, places.shape[1]))
    for i, place in enumerate(places.T):
        bins = np.searchsorted(edges, place)
        order = np.append(np.argsort(bins, kind="stable"), len(bins))
        starts = np.searchsorted(bins[order[:-1]], numbers)
        runs = np.add.reduceat(padded[order], starts, axis=0)
        runs[:-1][starts[1:] == starts[:-1]] = 0  # an empty run has one row instead of none
        sums = np.concatenate([np.zeros_like(runs[:1]), np.cumsum(runs, axis=0)])
        squares = _squares(sums[-1] - sums[right], sums[left], len(inputs), kept)
        scores[:, i] = squares.sum(axis=1)
    return scores


def _prepared(inputs, targets, noise, shift):
    """Projections of all rows to all weights, and what a row adds to a gradient."""
    extended = np.concatenate([inputs, noise[:, None]], axis=1)
    places = np.float32(shift) * inputs + np.float32(np.sqrt(1 - shift**2)) * noise[:, None]
    return np.concatenate([places, noise[:, None]], axis=1), targets[:, None] * extended


def _squares(right, left, num_samples, kept):
    """Sums of the largest squares of the even and odd parts of gradients."""
    parts = np.stack([right - left, right + left]) / np.float32(2 * num_samples)
    return np.partition(parts**2, -kept, axis=-1)[..., -kept:].sum(axis=-1)
