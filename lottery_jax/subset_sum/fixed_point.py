"""Exact sums without 64-bit numbers: two int32 limbs of 28 and 24 bits, scaled per instance.

float32 sums of 24 items report an error of exactly 0 on a quarter of random instances. Integer sums
are exact in any order, and the coarse limb alone ranks all subsets up to a bound known beforehand.
The two limbs together hold every number to 2**-53 of the sum of all magnitudes.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

COARSE_BITS = 28  # no coarse sum of a subset, minus the target, exceeds 2**28 + num_items
_FINE_BITS = 24


class FixedPoint(NamedTuple):
    """Items and targets as integers; one quantum is 2**-shift. Trailing axes as in the input."""

    items: Int[Array, "item *batch"]
    target: Int[Array, "*batch"]
    fine_items: Int[Array, "item *batch"]  # what rounding left over, in 2**-24 quanta
    fine_target: Int[Array, "*batch"]
    margin: Float[Array, "*batch"]  # quanta; the rest of a subset's sum - target is never larger
    shift: Int[Array, "*scales"]


def quantize(
    items: Float[Array, "item *batch"], target: Float[Array, "*batch"], *, shared: bool
) -> FixedPoint:
    """Round to integers, with one scale for the whole batch (`shared`) or one for each entry.

    The scale is a power of two, so the coarse limb is a correct rounding, the rest is exact, and
    numbers that fit the coarse limb (small integers, say) have margin 0.
    """
    total = jnp.sum(jnp.abs(items), axis=0) + jnp.abs(target)
    _, exponent = jnp.frexp(jnp.max(total) if shared else total)
    shift = COARSE_BITS - exponent
    scaled = jnp.ldexp(jnp.concatenate([items, target[None]]), shift if shared else shift[None])
    coarse = jnp.round(scaled)
    rest = scaled - coarse
    fine = jnp.round(rest * 2.0**_FINE_BITS).astype(jnp.int32)
    above = jnp.sum(jnp.maximum(rest[:-1], 0), axis=0) - rest[-1]
    below = jnp.sum(jnp.maximum(-rest[:-1], 0), axis=0) + rest[-1]
    # The factor exceeds the rounding of these float32 sums of at most 41 terms.
    margin = jnp.maximum(above, below) * (1 + 2.0**-16)
    coarse = coarse.astype(jnp.int32)
    return FixedPoint(coarse[:-1], coarse[-1], fine[:-1], fine[-1], margin, shift)


def distance(fixed: FixedPoint, mask: Bool[Array, "item *kept"]) -> Float[Array, "*batch"]:
    """abs(sum of the kept items - target) in quanta, from both limbs, rounded once.

    The mask has the batch axes of the items, or ones in their place.
    """
    coarse = jnp.sum(jnp.where(mask, fixed.items, 0), axis=0, dtype=jnp.int32) - fixed.target
    fine = (
        jnp.sum(jnp.where(mask, fixed.fine_items, 0), axis=0, dtype=jnp.int32) - fixed.fine_target
    )
    # Carrying makes the fine limb small enough for float32 to hold it exactly.
    coarse, fine = coarse + (fine >> _FINE_BITS), fine & (2**_FINE_BITS - 1)
    return jnp.abs(coarse.astype(jnp.float32) + fine.astype(jnp.float32) * 2.0**-_FINE_BITS)


def bracket(
    errors: Float[Array, "candidate *batch"],
    least: Int[Array, "*batch"],
    others: Int[Array, "*batch"],
    margin: Float[Array, "*batch"],
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Least error over all subsets, from both sides, in quanta.

    Parameters
    ----------
    errors
        `distance` of the candidates.
    least
        The least coarse error of all subsets.
    others
        No subset that is not among the candidates has a smaller coarse error.
    margin
        The most by which coarse and true error differ.
    """
    error = jnp.min(errors, axis=0)
    any_subset = jnp.maximum(least.astype(jnp.float32) - margin, 0)
    not_candidate = others.astype(jnp.float32) - margin
    return jnp.maximum(any_subset, jnp.minimum(error, not_candidate)), error
