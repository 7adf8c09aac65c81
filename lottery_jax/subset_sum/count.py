"""How many subsets have a sum within a tolerance of a target.

For every sum b of half of the items, the sums a of the other half with a + b in the window are a
stretch of their ordered list: the difference of two ranks (Horowitz and Sahni 1974).
Sums are integers: two int32 limbs of together 52 bits for float32 numbers, one int64 word of 61
bits for float64 numbers. The scale is a power of two, so that only the bits below the last one are
rounded off. What was rounded off is known, and widens or narrows the window.

With h = n/2 the work is about 4 h 2**h compare-exchanges and 2 h 2**h reads, twice as many reads
where something was rounded off; memory is `count_bytes`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from lottery_jax.subset_sum.ordered_sums import FINE_BITS, carry, ordered_sums
from lottery_jax.subset_sum.ranks import Limbs, ranks

MAX_ITEMS = {4: 30, 8: 40}  # by the bytes of a word: counts reach 2**num_items
_BITS = {4: 28, 8: 61}  # of the first limb
_NUM_LIMBS = {4: 2, 8: 1}


class Count(NamedTuple):
    """The number of subsets whose sum lies in the closed window, from both sides."""

    low: Int[Array, ""]  # at least so many subsets
    high: Int[Array, ""]  # at most so many; equal unless rounding hides on which side a sum lies


@jax.jit
def count_within(
    items: Float[Array, " item"], target: Float[Array, ""], tolerance: Float[Array, ""]
) -> Count:
    """How many subsets have abs(sum - target) <= tolerance; traceable, and without checks.

    Parameters
    ----------
    items
        Finite numbers: at most 30 in float32, at most 40 in float64 (which needs 64-bit types,
        `core.compat.enable_x64`). Every subset counts, the empty one and those of equal sums too.
    target, tolerance
        In the units and the type of the items; tolerance >= 0.

    Returns
    -------
    Count
        In int32 or int64. Both ends agree where all numbers are multiples of 2**-52 (float32) or
        2**-61 (float64) of the power of two above the sum of all magnitudes; otherwise they differ
        by the sums that lie on the boundary to that accuracy.

    Raises
    ------
    ValueError
        For more items than that: the counts would overflow.

    Notes
    -----
    `jax.vmap` of this function runs the instances one after the other.

    Examples
    --------
    >>> count = count_within(jnp.array([0.5, 0.25, 0.25]), jnp.array(0.5), jnp.array(0.25))
    >>> int(count.low), int(count.high)  # 0.25 (two), 0.5 (two), 0.75 (two)
    (6, 6)
    """
    num_items, size = items.shape[0], items.dtype.itemsize
    if num_items > MAX_ITEMS[size]:
        way_out = "take the items in float64, under enable_x64" if size == 4 else "take fewer"
        raise ValueError(
            f"{num_items=} in {items.dtype}: above {MAX_ITEMS[size]} items counts or lists are too "
            f"large; {way_out}"
        )
    return _count(items, target, tolerance)


def count_bytes(num_items: int) -> int:
    """The memory that `count_within` takes at most, in bytes.

    Examples
    --------
    >>> count_bytes(40) < 2**27
    True
    """
    return 96 * 2 ** ((num_items + 1) // 2)


@jax.custom_batching.sequential_vmap
def _count(items, target, tolerance) -> Count:
    word = jnp.dtype(f"int{8 * items.dtype.itemsize}")
    total = jnp.sum(jnp.abs(items)) + jnp.abs(target) + tolerance
    shift = _BITS[word.itemsize] - jnp.frexp(total)[1].astype(jnp.int32)
    numbers = jnp.concatenate([items, target[None], tolerance[None]])
    limbs, lost = _limbs(jnp.ldexp(numbers, shift), word)
    items_, target_, tolerance_ = (
        tuple(limb[part] for limb in limbs)
        for part in (slice(0, -2), slice(-2, -1), slice(-1, None))
    )
    # A sum minus the target is off by no more than `off` units of the last limb. The tolerance is
    # rounded down, which no sum that is exact can tell.
    off = jnp.ceil(jnp.sum(jnp.abs(lost[:-1])) * (1 + 2.0**-16)).astype(word)
    half = items.shape[0] // 2
    first, second = (
        _sums(tuple(limb[part] for limb in items_)) for part in (slice(0, half), slice(half, None))
    )
    others = _combine(target_, second, -1)

    def count(more: Int[Array, ""]) -> Int[Array, ""]:
        """With the tolerance widened by some units of the last limb, or narrowed."""
        reach = (*tolerance_[:-1], tolerance_[-1] + more)
        up_to = ranks(first, _combine(others, reach, 1), or_equal=True)
        below = ranks(first, _combine(others, reach, -1), or_equal=False)
        # With a tolerance below 0 the stretch is empty, not negative.
        return jnp.sum(jnp.maximum(up_to - below, 0).astype(word), dtype=word)

    low = count(-off)
    return Count(low, lax.cond(off > 0, lambda: count(off), lambda: low))


def _limbs(scaled: Float[Array, " number"], word: Any) -> tuple[Limbs, Float[Array, " number"]]:
    """Rounded numbers, the last one down, and what they lost in units of the last limb."""
    is_last = jnp.arange(len(scaled), dtype=jnp.int32) == len(scaled) - 1
    limbs = []
    for _ in range(_NUM_LIMBS[word.itemsize]):
        if limbs:
            scaled = scaled * 2.0**FINE_BITS
        whole = jnp.where(is_last, jnp.floor(scaled), jnp.round(scaled))
        limbs.append(whole.astype(word))
        scaled = scaled - whole
    return _carried(tuple(limbs)), scaled


def _sums(items: Limbs) -> Limbs:
    """The subset sums in order."""
    zeros = tuple(jnp.zeros((1, 1), limb.dtype) for limb in items)

    def add(keys: Limbs, k: int) -> Limbs:
        return _carried(tuple(key + limb[k] for key, limb in zip(keys, items, strict=True)))

    sums = ordered_sums(zeros, add, len(items[0]), num_compared=len(items))
    return tuple(limb[:, 0] for limb in sums)


def _combine(first: Limbs, second: Limbs, sign: int) -> Limbs:
    """The sum of two numbers, or their difference."""
    return _carried(tuple(a + sign * b for a, b in zip(first, second, strict=True)))


def _carried(limbs: Limbs) -> Limbs:
    """The same number with its second limb, if there is one, in its range."""
    return limbs if len(limbs) == 1 else carry(*limbs)
