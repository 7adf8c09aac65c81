"""The exact neighbours of a point among all subset sums, and the farthest target beside it.

The ordered sums of half of the items, tagged 0, are merged with probe minus the ordered sums of the
other half, tagged 1. The least difference of neighbours tagged 0, 1 is the distance to the nearest
sum below or at the probe; the least one of neighbours tagged 1, 0 is that to the nearest sum above.
All sums are two limbs, so nothing is rounded before the distance is.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from lottery_jax.subset_sum.ordered_sums import FINE_BITS, carry, merge, ordered_limbs

_OUT = 2**30  # a sum with an item that does not exist: farther out than any sum - probe
_FAR = 2.0**29  # exceeds every difference of a probe and a sum that does exist
_NONE = 2.0**100  # the distance to a sum that does not exist

Limbs = tuple[Int[Array, "..."], Int[Array, "..."]]


class Instance(NamedTuple):
    """Items of at least 0 and an interval, in quanta of 28 bits and a second limb of 24."""

    items: Limbs  # [item, lane]
    low: Limbs  # [lane]
    high: Limbs  # [lane]


class Halves(NamedTuple):
    """The ordered sums of the items with even and with odd numbers; [subset, lane]."""

    even: Limbs
    odd: Limbs


class Farthest(NamedTuple):
    """A target and its distance from all subset sums, in quanta."""

    radius: Float[Array, "..."]
    at: Float[Array, "..."]  # above the low end; to be cut at the ends of the interval


def halves_of(items: Limbs) -> Halves:
    """Both ordered lists; they are equally long, also when the number of items is odd."""
    coarse, fine = items
    if len(coarse) % 2:
        coarse = jnp.concatenate([coarse, jnp.full((1, coarse.shape[1]), _OUT, jnp.int32)])
        fine = jnp.concatenate([fine, jnp.zeros((1, fine.shape[1]), jnp.int32)])
    half, lanes = len(coarse) // 2, coarse.shape[1]
    # Side by side, so that both lists are put in order by one program.
    sums = ordered_limbs(coarse.reshape(half, 2 * lanes), fine.reshape(half, 2 * lanes))
    return Halves(
        (sums[0][:, :lanes], sums[1][:, :lanes]), (sums[0][:, lanes:], sums[1][:, lanes:])
    )


def farthest_beside(instance: Instance, halves: Halves, probe: Limbs) -> Farthest:
    """The farthest target between the two sums beside each probe; [lane]."""
    below, above = _neighbours(halves, probe)
    to_low, to_high = _length(probe, instance.low), _length(instance.high, probe)
    return _farthest(below + above, above + to_low, below + to_high)


def _farthest(
    gap: Float[Array, "..."], low_to_above: Float[Array, "..."], below_to_high: Float[Array, "..."]
) -> Farthest:
    """The middle of a gap, or the end of the interval where the middle lies beyond it."""
    radius = jnp.minimum(gap / 2, jnp.minimum(low_to_above, below_to_high))
    return Farthest(radius, low_to_above - gap / 2)


def _neighbours(
    halves: Halves, probe: Limbs
) -> tuple[Float[Array, " lane"], Float[Array, " lane"]]:
    """The distances from each probe to the nearest sums below (or at) it and above it."""
    others = carry(probe[0][None] - halves.odd[0], probe[1][None] - halves.odd[1])
    shape = others[0].shape
    coarse = jnp.concatenate([jnp.broadcast_to(halves.even[0], shape), others[0]])
    fine = jnp.concatenate([jnp.broadcast_to(halves.even[1], shape) * 2, others[1] * 2 + 1])
    coarse, fine = merge((coarse, fine), num_compared=2)
    tag, fine = fine & 1, fine >> 1
    length = _length((coarse[1:], fine[1:]), (coarse[:-1], fine[:-1]))
    # The order of floats that are not negative is that of their bits, and NaN plays no part.
    bits, none = (lax.bitcast_convert_type(x, jnp.int32) for x in (length, jnp.float32(_NONE)))
    distances = []
    for first in (0, 1):
        is_pair = (tag[:-1] == first) & (tag[1:] == 1 - first)
        least = jnp.min(jnp.where(is_pair, bits, none), axis=0, initial=none)
        distance = lax.bitcast_convert_type(least, jnp.float32)
        distances.append(jnp.where(distance < _FAR, distance, _NONE))
    return distances[0], distances[1]


def _length(to: Limbs, from_: Limbs) -> Float[Array, "..."]:
    """The difference of two numbers, exact but for its rounding to float32."""
    coarse, fine = carry(to[0] - from_[0], to[1] - from_[1])
    return coarse.astype(jnp.float32) + fine.astype(jnp.float32) * 2.0**-FINE_BITS
