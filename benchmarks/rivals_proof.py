"""The counts of the proof's studies as a good user of NumPy would write them.

None of this shares code with the package. Draws come as float64 arrays, the draw first, and all of
them are treated together; the counts are sums over draws, by name.
"""

import itertools
import math
from typing import Any

import numpy as np


def chain(uniforms: np.ndarray, *, p: float, q: float, cap: int) -> dict[str, Any]:
    """Paths of the birth-death chain that are at 0 after each step, and where they are at last."""
    rises, falls = uniforms < p, (uniforms >= p) & (uniforms < p + q)
    moves = (rises.astype(np.int8) - falls.astype(np.int8)).T.copy()
    state = np.ones(len(uniforms), np.int16)
    zero = np.zeros(len(moves), np.int64)
    for step, move in enumerate(moves):
        state = np.clip(state + move, 0, cap, out=state)
        zero[step] = np.count_nonzero(state == 0)
    return {"zero": zero, "last": np.bincount(np.minimum(state, 63), minlength=64)}


def single_kinks(
    weights: np.ndarray,
    position: np.ndarray,
    *,
    radius: float,
    gammas: tuple[float, ...],
    constants: tuple[float, ...],
    cells: int,
    steep: float,
) -> dict[str, Any]:
    """One neuron and a bin of length 1: by the closed form of the gap of one kink."""
    slope, offset, output = weights.T
    place, jump = -offset / slope, output * np.abs(slope)
    size = np.abs(jump)
    is_inside = np.abs(place) <= math.sqrt(radius**2 - 1)
    gap = size * position * (1 - position)
    is_larger = size[:, None] > np.array(gammas)
    is_steep = size > steep
    cell = np.minimum((position * cells).astype(int), cells - 1)
    # A kink in the middle of an interval: the chord against the value at the kink.
    half = np.clip(np.abs(place), 1e-3, 1e3)
    error = np.abs(jump * half / 2) / 2
    breaks = is_inside[:, None] & (gap[:, None] >= 2 * np.array(constants))
    return {
        "inside": np.count_nonzero(is_inside),
        "jump": is_larger.sum(axis=0),
        "inside_jump": (is_larger & is_inside[:, None]).sum(axis=0),
        "breaks": breaks.sum(axis=0),
        "steep": np.bincount(cell[is_steep], minlength=cells),
        "unbroken": np.bincount(cell[is_steep & (gap < steep / 8)], minlength=cells),
        "flat": np.count_nonzero(np.abs(error - size * half / 4) > 1e-9 * size * half),
    }


def random_bins(
    weights: np.ndarray,
    targets: np.ndarray,
    number: np.ndarray,
    *,
    length: float,
    constant: float,
    radius: float,
) -> dict[str, Any]:
    """A network, a target and a bin: is it broken, and is the target near?

    The first from all triples of nodes of the network, the second from the slopes of all chords of
    its difference to the target.
    """
    slopes, offsets, output = np.moveaxis(weights, 2, 0)
    targets = targets / np.linalg.norm(targets, axis=1, keepdims=True)
    end = math.sqrt(radius**2 - 1)
    left = number * length - end
    right = np.minimum(left + length, end)
    kink = -targets[:, 1] / targets[:, 0]
    is_apart = (kink < left) | (kink > right)
    places = -offsets / slopes
    is_broken = gaps(places, output * np.abs(slopes), left, right) >= 2 * constant * length
    nodes = np.clip(np.concatenate([places, left[:, None], right[:, None]], axis=1).T, left, right)
    error = -np.maximum(nodes * targets[:, 0] + targets[:, 1], 0)
    for slope, offset, alpha in zip(slopes.T, offsets.T, output.T, strict=True):
        error += alpha * np.maximum(nodes * slope + offset, 0)
    best = np.full(len(weights), np.inf)
    for i, k in itertools.combinations(range(len(nodes)), 2):
        run = nodes[k] - nodes[i]
        chord = (error[k] - error[i]) / np.where(run == 0, np.inf, run)
        rest = error - chord * nodes
        best = np.minimum(best, rest.max(axis=0) - rest.min(axis=0))
    is_near = best / 2 < constant * length
    counted = {
        "apart": is_apart,
        "broken": is_apart & is_broken,
        "broken_near": is_apart & is_broken & is_near,
        "whole": is_apart & ~is_broken,
        "whole_far": is_apart & ~is_broken & ~is_near,
    }
    return {name: np.count_nonzero(each) for name, each in counted.items()}


def families(
    weights: np.ndarray, *, epsilon: float, radius: float, constant: float, jump: float
) -> dict[str, Any]:
    """Draws with at most 0, 1, 2, ... good families; only bins with a kink can be broken."""
    output, slopes, offsets = weights[..., 0], weights[..., 1::2], weights[..., 2::2]
    target = np.zeros((len(weights), 1, slopes.shape[2]))
    places = np.concatenate([-offsets / slopes, target], axis=1).swapaxes(1, 2)
    jumps = np.concatenate([output[..., None] * np.abs(slopes), target - jump], axis=1)
    jumps = jumps.swapaxes(1, 2)
    end = math.sqrt(radius**2 - 1)
    is_broken = np.zeros(places.shape[:2], bool)
    for kink in range(places.shape[2]):
        left = np.floor((places[..., kink] + end) / epsilon) * epsilon - end
        found = np.nonzero(np.abs(places[..., kink]) < end)
        left = left[found]
        gap = gaps(places[found], jumps[found], left, np.minimum(left + epsilon, end))
        is_broken[found] |= gap >= 2 * constant * epsilon
    good = np.bincount((~is_broken).sum(axis=1), minlength=places.shape[1] + 1)
    return {"at_most": np.cumsum(good)}


def gaps(places: np.ndarray, jumps: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The largest height of a node over the chord of two others, for rows of few kinks each.

    Kinks outside the interval are moved to its ends, where they bend nothing.
    """
    order = np.argsort(places, axis=1)
    places, jumps = (np.take_along_axis(each, order, axis=1) for each in (places, jumps))
    places = np.clip(places.T, left, right)
    nodes = np.concatenate([left[None], places, right[None]])
    # The value at each node from the slopes of the pieces before it.
    slopes = np.cumsum(jumps.T, axis=0)
    values = np.zeros_like(nodes)
    np.cumsum(slopes * np.diff(nodes[1:], axis=0), axis=0, out=values[2:])
    largest = np.zeros(len(left))
    for first, last in itertools.combinations(range(len(nodes)), 2):
        if last == first + 1:
            continue
        run = nodes[last] - nodes[first]
        slope = (values[last] - values[first]) / np.where(run > 0, run, np.inf)
        inner = slice(first + 1, last)
        heights = values[inner] - values[first] - slope * (nodes[inner] - nodes[first])
        largest = np.maximum(largest, np.abs(heights).max(axis=0))
    return largest
