"""One quantised layer from a random network with two, by pruning alone: draw, search, lift.

A weight w acts on x_i as w x_i = w σ(x_i) - w σ(-x_i). Hidden unit u belongs to one input i and to
one of two sides, and keeps no other input weight; on side 0 it is kept if its weight a to x_i is
positive, on side 1 if it is negative. It then gives |a| σ(x_i) or |a| σ(-x_i), and output o sees it
through b: an item b |a| in units of δ². The kept units of side 0 must add up to w_oi and those of
side 1 to -w_oi, exactly. So every weight of the layer is two subset sums, whose units are shared by
the outputs, whose output weights b are not.

With one input and one output this is the construction for a single weight, g(x) = v σ(u x).

The first matrix is (2 n d1) x d1 and is pruned to blocks, the second d2 x (2 n d1): before pruning
there are 2 n d1 (d1 + d2) parameters, which is 4 n for each target weight where d1 = d2.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32, Key

from lottery_jax.core import keys
from lottery_jax.quantized.grid import sample, steps
from lottery_jax.quantized.search import search


class Instance(NamedTuple):
    """A random network of two layers, and the layer that it is to represent."""

    first: Int32[Array, "unit input"]  # in units of δ; unit (side, input, place), place fastest
    second: Int32[Array, "output unit"]  # in units of δ
    target: Int32[Array, "output input"]  # in units of the target's δ_t


class SubsetSums(NamedTuple):
    """The subset sums of an instance, in units of δ²."""

    items: Int32[Array, "side input output place"]
    targets: Int32[Array, "side input output"]


class Subsets(NamedTuple):
    """What the search found for every subset sum."""

    masks: Bool[Array, "side input output place"]
    widths: Int32[Array, "side input output"]  # units needed; number of places + 1 if not found


def draw(
    key: Key[Array, ""], target: Int32[Array, "output input"], *, bits: int, num_units: int
) -> Instance:
    """A random network with `num_units` units for each side of each input.

    All its weights are uniform on the grid. The first n units of each side and input are the same
    for any number of units.
    """
    num_outputs, num_inputs = target.shape
    blocks = keys.items(key, 2 * num_inputs)
    units = jax.vmap(lambda block: keys.items(block, num_units))(blocks).reshape(-1)
    weights = jax.vmap(lambda unit: sample(unit, (num_inputs + num_outputs,), bits=bits))(units)
    return Instance(weights[:, :num_inputs], weights[:, num_inputs:].T, target)


def draw_target(
    key: Key[Array, ""], *, num_outputs: int, num_inputs: int, bits: int
) -> Int32[Array, "output input"]:
    """A layer with weights uniform on the grid."""
    return sample(key, (num_outputs, num_inputs), bits=bits)


def subset_sums(instance: Instance, *, bits: int, target_bits: int) -> SubsetSums:
    """Every weight as two subset sums.

    Parameters
    ----------
    bits, target_bits
        log2(1/δ) and log2(1/δ_t), with δ_t a multiple of δ².
    """
    num_outputs, num_inputs = instance.target.shape
    own = _own_weights(instance)
    active = jnp.stack([jnp.maximum(own[0], 0), jnp.maximum(-own[1], 0)])
    second = instance.second.reshape(num_outputs, 2, num_inputs, -1)
    items = jnp.transpose(second, (1, 2, 0, 3)) * active[:, :, None]
    weights = instance.target.T * 2 ** (2 * bits - target_bits)
    return SubsetSums(items, jnp.stack([weights, -weights]))


def solve(sums: Sequence[SubsetSums], *, bits: int) -> tuple[Subsets, ...]:
    """Search every subset sum of several layers, one after the other in one loop.

    Parameters
    ----------
    sums
        With one number of places.
    """
    num_places = sums[0].items.shape[-1]
    found = lax.map(
        lambda each: search(*each, reach=num_places * steps(bits) ** 2),
        (
            jnp.concatenate([each.items.reshape(-1, num_places) for each in sums]),
            jnp.concatenate([each.targets.reshape(-1) for each in sums]),
        ),
    )
    solved, start = [], 0
    for each in sums:
        part = slice(start, start + each.targets.size)
        start += each.targets.size
        masks, widths = found.mask[part], found.width[part]
        solved.append(Subsets(masks.reshape(each.items.shape), widths.reshape(each.targets.shape)))
    return tuple(solved)


def lift(
    instance: Instance, masks: Bool[Array, "side input output place"]
) -> tuple[Int32[Array, "unit input"], Int32[Array, "output unit"]]:
    """Both matrices of the pruned network: every weight that is not kept is a zero."""
    num_outputs, num_inputs = instance.target.shape
    num_units = instance.first.shape[0]
    own = _own_weights(instance)
    is_right = jnp.stack([own[0] > 0, own[1] < 0]).reshape(-1)
    belongs = jnp.broadcast_to(
        jnp.arange(num_inputs, dtype=jnp.int32)[None, :, None], own.shape
    ).reshape(-1)
    is_block = belongs[:, None] == jnp.arange(num_inputs, dtype=jnp.int32)[None]
    first = jnp.where(is_block & is_right[:, None], instance.first, 0)
    kept = jnp.transpose(masks, (2, 0, 1, 3)).reshape(num_outputs, num_units)
    return first, jnp.where(kept, instance.second, 0)


def num_parameters(num_inputs: int, num_outputs: int, num_units: int) -> int:
    """Parameters of both matrices before pruning.

    Examples
    --------
    >>> num_parameters(1, 1, 41)
    164
    """
    return 2 * num_units * num_inputs * (num_inputs + num_outputs)


def _own_weights(instance: Instance) -> Int32[Array, "side input place"]:
    """The weight of every unit to the input that it belongs to."""
    num_inputs = instance.target.shape[1]
    blocks = instance.first.reshape(2, num_inputs, -1, num_inputs)
    return jnp.transpose(jnp.diagonal(blocks, axis1=1, axis2=3), (0, 2, 1))
