"""Subset sums for many target weights at once, in either construction of `expanded`.

"independent": each weight is two sums over items of its own. The first 18 items are searched; a sum
that is further from its target than ε is searched again with the first 22, 28, then 34 items of its
side. So a sum within ε is the nearest one of the items searched, not of all. "pool": the all sums
of the items are sorted, and every target is looked up among them.
"""

import functools
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Bool, Float32, Int

from lottery_jax.subset_sum.meet_in_the_middle import nearest_sum
from lottery_jax.subset_sum.pool import pool_nearest

# Items searched, and sums handed to the program for so many items at once.
STAGES = ((18, 2**14), (22, 2**11), (28, 2**8), (34, 2**5))
_MOST = STAGES[-1][0]


class Approximation(NamedTuple):
    """Masks for the weights from some inputs of a layer, and how near their sums are."""

    mask: Bool[np.ndarray, "input output edge"]  # True where the edge to the output is kept
    error: Float32[np.ndarray, "input output"]  # the larger one where a weight is two sums
    error_low: Float32[np.ndarray, "input output"]  # no subset of the items searched is nearer


def by_own_items(
    hidden: Float32[np.ndarray, "input edge"],
    output: Float32[np.ndarray, "input edge output"],
    targets: Float32[np.ndarray, "input output"],
    *,
    epsilon: float,
    mesh: Mesh,
) -> Approximation:
    """Subset sums of v u near each target and of v |u| near its negative.

    Parameters
    ----------
    hidden, output
        u and v of the neurons that serve each input, with at most 12 significant bits.

    Notes
    -----
    Cost: two searches of 18 items for each target, and a few of more items.
    """
    place, number = _places(hidden)
    inputs, outputs = targets.shape
    neuron = np.argsort(place, axis=-1, kind="stable")[..., :_MOST]
    each = np.arange(inputs)[:, None, None]
    # Exact: both factors have 12 significant bits.
    products = output[each, neuron] * np.abs(hidden)[each, neuron][..., None]
    items = np.moveaxis(products, -1, 2).reshape(inputs * 2 * outputs, -1)
    items = np.pad(items, ((0, 0), (0, _MOST - items.shape[1])))
    number = np.broadcast_to(number[..., None], (inputs, 2, outputs)).reshape(-1)
    goals = np.stack([targets, -targets], axis=1).reshape(-1)
    found = _nearest_sums(items, goals, number, epsilon, mesh)
    kept = found.mask[:, : neuron.shape[-1]].reshape(inputs, 2, outputs, -1)
    mask = np.zeros((inputs, outputs, hidden.shape[1]), bool)
    for side in (0, 1):
        of_side = neuron[:, side, None]
        # Beyond the neurons of this side no mask is set, so the other side's are left alone.
        both = np.take_along_axis(mask, of_side, axis=2) | kept[:, side]
        np.put_along_axis(mask, of_side, both, axis=2)
    error, low = (each.reshape(inputs, 2, outputs).max(axis=1) for each in found[1:])
    return Approximation(mask, error, low)


def by_pool(
    items: Float32[np.ndarray, " item"], targets: Float32[np.ndarray, "input output"]
) -> Approximation:
    """Subset sums of the same items near each target.

    Cost: that of `subset_sum.pool`: 2**items sums to sort, and a bisection for each target.
    """
    mask, error, low = _pool_nearest(items, targets.reshape(-1))
    shape = targets.shape
    return Approximation(mask.reshape(*shape, len(items)), error.reshape(shape), low.reshape(shape))


class _Sums(NamedTuple):
    """Nearest sums, one in each row."""

    mask: Bool[np.ndarray, "sum item"]
    error: Float32[np.ndarray, " sum"]
    error_low: Float32[np.ndarray, " sum"]


def _places(
    hidden: Float32[np.ndarray, "input edge"],
) -> tuple[Int[np.ndarray, "input 2 edge"], Int[np.ndarray, "input 2"]]:
    """The place of each neuron on its side (u > 0, then u < 0), others last, and how many are."""
    is_mine = np.stack([hidden > 0, hidden < 0], axis=1)
    return np.where(is_mine, 0, 1), is_mine.sum(axis=2)


def _nearest_sums(
    items: Float32[np.ndarray, "sum item"],
    targets: Float32[np.ndarray, " sum"],
    number: Int[np.ndarray, " sum"],
    epsilon: float,
    mesh: Mesh,
) -> _Sums:
    """Nearest sums of the first few items; of more where they are further than ε.

    `number` items of each row exist. In place of the others stand zeros, which change no sum; with
    them the engine may settle for a subset that is not the nearest one by a rounding error, and
    gives a lower limit that says so.
    """
    items = np.where(np.arange(items.shape[1]) < number[:, None], items, np.float32(0))
    found = _Sums(np.zeros(items.shape, bool), np.zeros_like(targets), np.zeros_like(targets))
    is_open = np.ones(len(targets), bool)
    for capacity, rows in STAGES:
        chosen = np.flatnonzero(is_open)
        for start in range(0, len(chosen), rows):
            part = chosen[start : start + rows]
            best = _nearest(items[part, :capacity], targets[part], rows, mesh)
            found.mask[part, :capacity] = best.mask
            found.error[part], found.error_low[part] = best.error, best.error_low
        is_open = (found.error > epsilon) & (number > capacity)
    return found._replace(mask=found.mask & (items != 0))


def _nearest(items, targets, rows: int, mesh: Mesh) -> _Sums:
    """The engine for items of their own: every row by itself, shared out over the devices.

    Rows are filled up to `rows`, and to a multiple of the devices, with the last one: each number
    of items compiles once.
    """
    rows = -(-rows // mesh.size) * mesh.size
    filled = [
        np.pad(each, [(0, rows - len(each))] + [(0, 0)] * (each.ndim - 1), mode="edge")
        for each in (items, targets)
    ]
    match = jax.device_get(_program(mesh)(*filled))
    return _Sums(*(leaf[: len(targets)] for leaf in (match.mask, match.error, match.error_low)))


@functools.cache
def _program(mesh: Mesh):
    lanes = PartitionSpec(mesh.axis_names)
    # As in montecarlo.chunk: replication is not checked, loops start from constants.
    return jax.jit(
        jax.shard_map(
            jax.vmap(nearest_sum),
            mesh=mesh,
            in_specs=(lanes, lanes),
            out_specs=lanes,
            check_vma=False,
        )
    )


def _pool_nearest(items, targets):
    """The engine for a pool: masks [target, item], errors, and lower limits of the errors.

    Targets are filled up to a power of two: few sizes are compiled.
    """
    size = 1 << (len(targets) - 1).bit_length()
    filled = np.pad(targets, (0, size - len(targets)), mode="edge")
    match = jax.device_get(pool_nearest(items, filled))
    subset, error, low = (
        leaf[: len(targets)] for leaf in (match.subset, match.error, match.error_low)
    )
    return (subset[:, None] >> np.arange(len(items)) & 1).astype(bool), error, low
