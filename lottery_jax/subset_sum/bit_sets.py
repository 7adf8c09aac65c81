"""Sets of whole numbers as bits of uint32 words: which sums can be reached, all at once.

Bit p of a set is bit p % 32 of its word p // 32. To include an item is to unite the set with itself
shifted by the item: whole words by slices at a traced position, and the rest of the shift by bits.
The cost is proportional to the number of words, whatever the item.

A set is copied to where zeros surround it, and read from there. On a CPU these two steps are about
as fast as memory; to build the surroundings by concatenation, or to write the result where the
next item reads it, is far slower, because the compiler then fuses what should be copied.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32, UInt32

WORD = 32  # bits
_EIGHTHS = (1, 2, 4, 6, 8)  # of a set: the parts that sums so far fit in


def num_words(num_sums: int) -> int:
    """The words of a set of numbers below `num_sums`.

    Examples
    --------
    >>> num_words(32), num_words(33)
    (1, 2)
    """
    return -(-num_sums // WORD)


def rounded(num_sums: int) -> int:
    """At most an eighth more, and a round number, so that few sizes are ever compiled.

    Examples
    --------
    >>> rounded(1000), rounded(2**20 + 1) == 9 * 2**17
    (1024, True)
    """
    step = max(2 * WORD, 1 << max(0, num_sums.bit_length() - 4))
    return -(-num_sums // step) * step


def origin_only(num_sums: int, origin: int) -> UInt32[Array, " word"]:
    """The set that holds `origin` alone, of numbers from 0 to at least num_sums - 1.

    Raises
    ------
    ValueError
        Where the origin is not one of these numbers.

    Examples
    --------
    >>> origin_only(64, 33).tolist()
    [0, 2]
    """
    if not 0 <= origin < num_sums:
        raise ValueError(f"{origin=} must be at least 0 and below {num_sums=}")
    words = jnp.zeros(num_words(num_sums), jnp.uint32)
    return words.at[origin // WORD].set(jnp.uint32(1 << origin % WORD))


def include(words: UInt32[Array, " word"], item: Int32[Array, ""]) -> UInt32[Array, " word"]:
    """The set with all its numbers, and all its numbers plus the item.

    Parameters
    ----------
    words
        A set. What falls off either of its ends is lost: take a range that is wide enough.
    item
        Any int32 number, negative ones too.

    Examples
    --------
    >>> [hex(word) for word in include(origin_only(64, 4), jnp.int32(29)).tolist()]
    ['0x10', '0x2']
    >>> [hex(word) for word in include(origin_only(64, 33), jnp.int32(-33)).tolist()]
    ['0x1', '0x2']
    """
    return words | _shifted(words, item)


def contains(
    words: UInt32[Array, " word"], positions: Int32[Array, " target"]
) -> Bool[Array, " target"]:
    """Which of these numbers are in the set; none outside its range are.

    Examples
    --------
    >>> contains(origin_only(64, 33), jnp.array([33, 1, -31, 97], jnp.int32)).tolist()
    [True, False, False, False]
    """
    is_inside = (positions >= 0) & (positions < words.shape[0] * WORD)
    positions = jnp.where(is_inside, positions, 0)
    bits = words[positions >> 5] >> (positions & 31).astype(jnp.uint32)
    return is_inside & ((bits & 1) == 1)


def meeting(
    first: UInt32[Array, " word"],
    second: UInt32[Array, " other"],
    total: Int32[Array, ""],
    target: Int32[Array, ""],
) -> Int32[Array, ""]:
    """The least sum s of `first` with target - s in `second`; -1 if there is none.

    Parameters
    ----------
    first, second
        Sets of sums of non-negative items.
    total
        Of all items of `second`, which holds every sum of these. Leaving out what was kept turns a
        sum s into total - s, so that no order of bits has to be reversed: s + total - target is in
        `second` where target - s is.
    target
        From 0 to the total of all items of both sets.

    Examples
    --------
    >>> of = lambda items: reachable(jnp.array(items, jnp.int32), num_sums=32)
    >>> meeting(of([2, 5]), of([1, 9]), jnp.int32(10), jnp.int32(11)).item()
    2
    """
    size = max(first.shape[0], second.shape[0])
    first, second = (_resized(words, size) for words in (first, second))
    both = first & _shifted(second, target - total)
    place = jnp.arange(size, dtype=jnp.int32)
    word = jnp.min(jnp.where(both > 0, place, size))
    found = both[jnp.minimum(word, size - 1)]
    lowest = found & (~found + 1)
    bit = (WORD - 1) - lax.clz(lowest).astype(jnp.int32)
    return jnp.where(word < size, word * WORD + bit, -1)


def reachable(items: Int32[Array, " item"], *, num_sums: int) -> UInt32[Array, " word"]:
    """All sums of subsets of non-negative items that are below `num_sums`.

    Items are included in ascending order, and only the part of the set that sums so far can be in
    is worked on, in steps of some eighths of the whole.

    Parameters
    ----------
    items
        At least 0, with a total below 2**30.
    num_sums
        At most 2**30. Bits from here on, in the last word, may be set for sums that exist.

    Examples
    --------
    >>> bin(reachable(jnp.array([2, 3, 7], jnp.int32), num_sums=10).item())
    '0b1011010101101'
    """
    return _reachable(items, origin_only(num_sums, 0))


class Room(NamedTuple):
    """A set, and a place to copy it to where zeros are below it."""

    words: UInt32[Array, " word"]
    surrounded: UInt32[Array, " room"]  # one word more than twice as long


def room_for(words: UInt32[Array, " word"]) -> Room:
    """Room for a set to which items are added."""
    return Room(words, jnp.zeros(2 * words.shape[0] + 1, jnp.uint32))


def include_up(room: Room, item: Int32[Array, ""]) -> Room:
    """The set with a non-negative item included; for loops over many items."""
    words, surrounded = room
    size = words.shape[0]
    surrounded = lax.dynamic_update_slice(surrounded, words, (size + 1,))
    return Room(words | _slice(surrounded, size + 1, size, item), surrounded)


def include_growing(
    items: Int32[Array, " item"],
    totals: Int32[Array, " item"],
    start: UInt32[Array, " word"],
    *,
    eighths: tuple[int, ...],
) -> tuple[Int32[Array, ""], UInt32[Array, " part"]]:
    """Include leading items, in parts of a set that are as long as the sums so far.

    Parameters
    ----------
    items
        Non-negative.
    totals
        Of the items up to each.
    start
        The set that holds 0 alone.
    eighths
        The lengths of the parts, as eighths of the whole set, ascending.

    Returns
    -------
    number, words
        How many items were included: those whose sums fit into the last part, and all of them if
        that is the whole set. And that part.
    """
    size = start.shape[0]
    begin, words = jnp.int32(0), start[:0]
    for part in sorted({-(-size * each // 8) for each in eighths}):
        words = _resized(words, part) if words.shape[0] else start[:part]
        fits = totals < part * WORD if part < size else jnp.ones(items.shape, bool)
        end = jnp.sum(fits, dtype=jnp.int32)
        room = lax.fori_loop(
            begin, end, lambda k, room: include_up(room, items[k]), room_for(words)
        )
        begin, words = end, room.words
    return begin, words


@jax.custom_batching.sequential_vmap
def _reachable(items: Int32[Array, " item"], start: UInt32[Array, " word"]):
    if not items.shape[0]:
        return start
    items = jnp.sort(items)
    totals = jnp.cumsum(items, dtype=jnp.int32)
    return include_growing(items, totals, start, eighths=_EIGHTHS)[1]


@jax.custom_batching.sequential_vmap
def _shifted(words: UInt32[Array, " word"], item: Int32[Array, ""]) -> UInt32[Array, " word"]:
    """All numbers of the set plus the item, of any sign."""
    size = words.shape[0]
    surrounded = jnp.zeros(3 * size + 2, jnp.uint32)
    surrounded = lax.dynamic_update_slice(surrounded, words, (size + 1,))
    return _slice(surrounded, size + 1, size, item)


def _slice(
    surrounded: UInt32[Array, " room"], begin: int, size: int, item: Int32[Array, ""]
) -> UInt32[Array, " size"]:
    """The set that begins at some word, shifted up by the item: any shift gives zeros where it is
    too long.
    """
    whole, rest = jnp.clip(item >> 5, -size - 1, size), (item & 31).astype(jnp.uint32)
    # Scalars are computed once, and not for every word.
    whole, rest, other = lax.optimization_barrier((whole, rest, 31 - rest))
    same = lax.dynamic_slice(surrounded, (begin - whole,), (size,))
    below = lax.dynamic_slice(surrounded, (begin - 1 - whole,), (size,))
    # In two steps, because a shift by all 32 bits is not defined everywhere.
    return same << rest | (below >> 1) >> other


def _resized(words: UInt32[Array, " word"], size: int) -> UInt32[Array, " size"]:
    if words.shape[0] == size:
        return words
    return lax.dynamic_update_slice(jnp.zeros(size, jnp.uint32), words, (0,))
