"""The sums of two halves of the items in one sorted list: the kernel of meet in the middle.

The subset sums of half A, tagged 0, and target minus the subset sums of half B, tagged 1 in the
lowest bit, go into one sorted list of keys; the least difference between neighbours of different
tags is the least error (Horowitz and Sahni 1974, without the search).

Items are made non-negative: to keep -x is to leave out x, with the target shifted. Then a list of
all subset sums is symmetric, with every sum s it holds total - s, and only its lower half P is
stored. The lower half with one more item x is P and min(total - s, x + s) for the s in P: a
sequence that rises once and falls once, which the log2 stages of a bitonic merge put in order. That
is less than half of the work of merging whole lists.

Arrays have the batch ("lane") axis last, which is what vectorises on a CPU, and two stages of a
merge are one pass over memory. With h = n/2, an instance takes (h + 1) 2**h compare-exchanges for
the list of keys and less than (h - 2) 2**h for the lists of both halves, of int32 or int64 words.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int

from lottery_jax.subset_sum.fixed_point import coarse_bits

_SMALLEST_HALF = 4  # instances with fewer items in a half share one program


class Halves(NamedTuple):
    """Both halves side by side on the last axis: the lanes of A, then those of B."""

    items: Int[Array, "half both"]  # magnitudes; `out` where there is no item
    totals: Int[Array, "half both"]  # the total of items 0 to k; `2 out` where item k is missing
    target: Int[Array, " lane"]  # for the sums of magnitudes


class Pair(NamedTuple):
    """Two neighbouring keys of different tags."""

    difference: Int[Array, " lane"]
    key: Int[Array, " lane"]  # the lower one


def out(dtype: Any) -> int:
    """A sum with an item that is missing: further from the target than any sum without."""
    bits = coarse_bits(dtype)
    return 2 ** (bits + 1) + 2 ** (bits - 1)


def far(dtype: Any) -> int:
    """Exceeds every difference between two sums without missing items; a power of two."""
    return 2 ** (coarse_bits(dtype) + 2)


def split(
    items: Int[Array, "item lane"],
    target: Int[Array, " lane"],
    taken: Bool[Array, "item lane"] | None = None,
) -> Halves:
    """Deal items 0, 2, 4, ... to half A and items 1, 3, 5, ... to half B.

    Done for many tiles at once and apart from the loop over them: inside, the compiler would add up
    totals again for every element.

    Parameters
    ----------
    items, target
        Integers below 2**coarse_bits, as are the sums of magnitudes.
    taken
        Which items exist: a leading part of each lane, or all if None. With an odd number of items
        half B lacks its last one.
    """
    num_items = items.shape[0]
    if taken is not None:
        items = jnp.where(taken, items, 0)
    target = target - jnp.sum(jnp.minimum(items, 0), axis=0, dtype=items.dtype)
    size = max(2, num_items + num_items % 2)
    padding = ((0, size - num_items), (0, 0))
    magnitudes = _side_by_side(jnp.pad(jnp.abs(items), padding))
    totals = jnp.cumsum(magnitudes, axis=0, dtype=items.dtype)
    if has_gaps(num_items, taken):
        taken = jnp.ones(items.shape, bool) if taken is None else taken
        exists = _side_by_side(jnp.pad(taken, padding))
        # The first missing item doubles a list by sums that are out of reach: its lower half is the
        # whole list before. From then on nothing within reach is added.
        magnitudes = jnp.where(exists, magnitudes, out(items.dtype))
        totals = jnp.where(exists, totals, 2 * out(items.dtype))
    return Halves(magnitudes, totals, target)


def has_gaps(num_items: int, taken: Any) -> bool:
    """Whether an item may be missing in one of the halves."""
    return taken is not None or num_items % 2 == 1 or num_items == 0


def _side_by_side(rows: Array) -> Array:
    """Row 2k of all lanes, then row 2k + 1, as row k."""
    return rows.reshape(rows.shape[0] // 2, -1)


def with_sorted_keys(
    halves: Halves,
    finish: Callable[[Int[Array, "key lane"], int], Any],
    *,
    gaps: bool,
    needed: Int[Array, ""] | None = None,
) -> Any:
    """`finish(keys, half)` of the keys of all sums, in ascending order, from `half` items a half.

    Parameters
    ----------
    gaps
        Whether items may be missing.
    needed
        How many items of each half take part, traced; all if None. The size of the lists is known
        to the compiler, so that `finish` is compiled once for each number.
    """
    size, both = halves.items.shape

    def join(lower: Int[Array, "sum both"], half: int):
        upper = halves.totals[half - 1][None] - lower[::-1]
        if gaps:
            upper = jnp.minimum(upper, out(upper.dtype))
        sums = jnp.concatenate([lower, upper])
        lanes = both // 2
        others = halves.target[None] - sums[:, lanes:]
        return finish(_merge(jnp.concatenate([2 * sums[:, :lanes], 2 * others + 1])), half)

    def grow(lower: Int[Array, "sum both"], half: int):
        def add():
            descending = lower[::-1]
            added = jnp.minimum(
                halves.totals[half - 1][None] - descending, halves.items[half][None] + descending
            )
            if gaps:
                added = jnp.minimum(added, out(added.dtype))
            return grow(_merge(jnp.concatenate([lower, added])), half + 1)

        if half == size:
            return join(lower, half)
        if needed is None or half < _SMALLEST_HALF:
            return add()
        return lax.cond(needed <= half, lambda: join(lower, half), add)

    return grow(jnp.zeros((1, both), halves.items.dtype), 1)


def least_difference(
    keys: Int[Array, "key lane"], after: Pair | None = None
) -> Int[Array, " lane"]:
    """The least difference between neighbours of different tags, or that of the pairs after one in
    the order of ascending differences, and of descending keys among equal ones.

    It is `far` or more where there is no such pair.
    """
    return jnp.min(_differences_after(keys, after), axis=0)


def pair_with(
    keys: Int[Array, "key lane"], difference: Int[Array, " lane"], after: Pair | None = None
) -> Pair:
    """The pair whose difference `least_difference` found."""
    is_it = _differences_after(keys, after) == difference[None]
    lowest = jnp.iinfo(keys.dtype).min
    return Pair(difference, jnp.max(jnp.where(is_it, keys[:-1], lowest), axis=0))


def least_span(keys: Int[Array, "key lane"]) -> Int[Array, " lane"]:
    """No two keys of different tags that are not neighbours are nearer to each other than this.

    They span three consecutive keys that are not all of one tag, equal keys included.
    """
    sums = keys >> 1
    is_mixed = (keys[2:] ^ keys[1:-1]) | (keys[1:-1] ^ keys[:-2])
    spans = (sums[2:] - sums[:-2]) | (~is_mixed & 1) << _far_bit(keys.dtype)
    return jnp.min(spans, axis=0)


def _differences_after(keys: Int[Array, "key lane"], after: Pair | None) -> Int[Array, "pair lane"]:
    """Between neighbours; `far` or more where both have the same tag.

    Tags are not compared by a select, which is compiled to a branch that is mispredicted half of
    the time.
    """
    is_same = ~(keys[1:] ^ keys[:-1]) & 1
    difference = ((keys[1:] >> 1) - (keys[:-1] >> 1)) | is_same << _far_bit(keys.dtype)
    if after is None:
        return difference
    is_after = (difference > after.difference[None]) | (
        (difference == after.difference[None]) & (keys[:-1] < after.key[None])
    )
    return jnp.where(is_after, difference, far(keys.dtype))


def _far_bit(dtype: Any) -> int:
    return far(dtype).bit_length() - 1


def kept_of_half(halves: Halves, sums: Int[Array, " both"], half: int) -> Int[Array, " both"]:
    """A subset of the first `half` items of each half with this sum of magnitudes, as a number of
    which bit k tells whether item k is kept.
    """
    listed = jnp.zeros((1, sums.shape[0]), sums.dtype)
    for item in halves.items[:half]:
        more = jnp.minimum(listed + item[None], out(sums.dtype))
        listed = jnp.concatenate([listed, more])
    subset = jnp.arange(2**half, dtype=jnp.int32)[:, None]
    return jnp.max(jnp.where(listed == sums[None], subset, 0), axis=0)


def _merge(keys: Int[Array, "key lane"]) -> Int[Array, "key lane"]:
    """Sort a list of 2**k keys that rises and then falls, or the other way round.

    Two stages at a time: passes over memory are what a stage costs. Rows that stay together are
    one long row for the compiler.
    """
    size, lanes = keys.shape
    distance = size // 2
    while distance > 1:
        quarter = distance // 2
        rows = keys.reshape(size // (4 * quarter), 4, quarter * lanes)
        low = [jnp.minimum(rows[:, k], rows[:, k + 2]) for k in (0, 1)]
        high = [jnp.maximum(rows[:, k], rows[:, k + 2]) for k in (0, 1)]
        parts = [order(*pair) for pair in (low, high) for order in (jnp.minimum, jnp.maximum)]
        keys = jnp.stack(parts, axis=1).reshape(size, lanes)
        distance //= 4
    if distance == 1:
        rows = keys.reshape(size // 2, 2, lanes)
        parts = [order(rows[:, 0], rows[:, 1]) for order in (jnp.minimum, jnp.maximum)]
        keys = jnp.stack(parts, axis=1).reshape(size, lanes)
    return keys
