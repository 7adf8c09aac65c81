"""Sets of whole numbers as bits of uint32 words: which sums can be reached, all at once.

Bit p of a set is bit p % 32 of its word p // 32. To include an item is to unite the set with itself
shifted by the item: whole words by one slice at a traced position, and the rest of the shift by
bits. The cost is proportional to the number of words, whatever the item.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32, UInt32

WORD = 32  # bits


def num_words(num_sums: int) -> int:
    """The words of a set of numbers below `num_sums`.

    Examples
    --------
    >>> num_words(32), num_words(33)
    (1, 2)
    """
    return -(-num_sums // WORD)


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
    return words | shifted(words, item)


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


def reachable(items: Int32[Array, " item"], *, num_sums: int) -> UInt32[Array, " word"]:
    """All sums of subsets of non-negative items that are below `num_sums`.

    Bits beyond num_sums - 1 in the last word may be set, for sums that exist.

    Examples
    --------
    >>> bin(reachable(jnp.array([2, 3, 7], jnp.int32), num_sums=10).item())
    '0b1011010101101'
    """
    words, _ = lax.scan(
        lambda words, item: (include(words, item), None), origin_only(num_sums, 0), items
    )
    return words


@jax.custom_batching.sequential_vmap
def shifted(words: UInt32[Array, " word"], item: Int32[Array, ""]) -> UInt32[Array, " word"]:
    """All numbers of the set plus the item."""
    size = words.shape[0]
    whole, rest = jnp.clip(item >> 5, -size - 1, size), (item & 31).astype(jnp.uint32)
    beyond = jnp.zeros(size + 1, jnp.uint32)
    both = lax.dynamic_slice(jnp.concatenate([beyond, words, beyond]), (size - whole,), (size + 1,))
    # A barrier: fused with the slice, every word would be fetched twice from where it is not
    # aligned. In two steps, because a shift by all 32 bits is not defined everywhere.
    both = lax.optimization_barrier(both)
    return both[1:] << rest | (both[:-1] >> 1) >> (31 - rest)
