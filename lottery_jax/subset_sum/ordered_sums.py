"""Ordered lists of subset sums, built by merging; one list, or many side by side.

The sums of k + 1 items in order are the ordered sums of k items merged with the same list shifted
by one item. Every merge is a bitonic one in Stone's perfect-shuffle order, so that all its stages
are one loop body. The lists of many instances have their lane axis last, which is what vectorises
on a CPU; a single list is folded into 64 lanes, in two directions one after the other.

A list is a tuple of arrays of the same shape. The first ones are compared, the most significant
first; the others are carried along. Sums that do not fit one word are two limbs, the lower of which
lies in [0, 2**24). Per list of 2**k keys the work is about 2 k 2**k compare-exchanges.
"""

from collections.abc import Callable
from typing import TypeVar

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

FINE_BITS = 24
_FOLD = 64  # lanes from which on the lane axis alone fills long loops over vector registers
# Items of a single list that a sort puts in order, by the number of arrays: less to compile than
# merges, but a sort of several arrays is slow.
_SORTED = {1: 12, 2: 10}
_ROWS_PER_TILE = 64  # rows of 64 keys that stay in the cache

Keys = tuple[Array, ...]
Limbs = TypeVar("Limbs", bound=tuple[Array, Array])


def ordered_sums(first: Keys, add: Callable, num_items: int, *, num_compared: int) -> Keys:
    """The ordered sums of all subsets of `num_items` items.

    Parameters
    ----------
    first
        The sum of the empty subset and what is carried along with it, each of shape (1, lane).
    add
        `add(keys, k)` is the list with item k added to every sum. It keeps the order.
    num_items
        At least 0; known to the compiler, and one loop is compiled for each item.
    num_compared
        How many leading arrays are compared.

    Returns
    -------
    keys
        Arrays of shape (2**num_items, lane), ascending along the first axis.

    Examples
    --------
    >>> items = jnp.array([5, -2], jnp.int32)
    >>> add = lambda keys, k: (keys[0] + items[k], keys[1] + 2**k)
    >>> sums, subsets = ordered_sums((jnp.zeros((1, 1), jnp.int32),) * 2, add, 2, num_compared=1)
    >>> sums[:, 0].tolist(), subsets[:, 0].tolist()
    ([-2, 0, 3, 5], [2, 0, 3, 1])
    """
    keys, num_sorted = first, 0
    if first[0].shape[1] < _FOLD:
        num_sorted = min(num_items, _SORTED[len(first)])
        for k in range(num_sorted):
            both = zip(keys, add(keys, k), strict=True)
            keys = tuple(jnp.concatenate(pair) for pair in both)
        keys = tuple(lax.sort(keys, dimension=0, num_keys=num_compared))
    for k in range(num_sorted, num_items):
        both = zip(keys, add(keys, k), strict=True)
        keys = tuple(jnp.concatenate([without, with_[::-1]]) for without, with_ in both)
        keys = merge(keys, num_compared=num_compared)
    return keys


def merge(keys: Keys, *, num_compared: int) -> Keys:
    """Sort a list of 2**k keys that ascends and then descends, or the other way round."""
    size, lanes = keys[0].shape
    fold = min(_FOLD, 1 << (size.bit_length() - 1) // 2)
    if lanes >= _FOLD or fold < 16:
        return _shuffle(keys, num_compared)
    # Key i lies in row i // fold and column i % fold. The stages that compare keys at least `fold`
    # apart compare rows, lane by lane; the others compare columns, with the rows as lanes.
    rows = size // fold
    keys = _shuffle(tuple(key.reshape(rows, fold * lanes) for key in keys), num_compared)
    tile = min(rows, _ROWS_PER_TILE)

    def sort_rows(keys: Keys) -> Keys:
        columns = tuple(jnp.moveaxis(key, 1, 0).reshape(fold, tile * lanes) for key in keys)
        columns = _shuffle(columns, num_compared)
        return tuple(jnp.moveaxis(key.reshape(fold, tile, lanes), 0, 1) for key in columns)

    tiles = tuple(key.reshape(rows // tile, tile, fold, lanes) for key in keys)
    return tuple(key.reshape(size, lanes) for key in lax.map(sort_rows, tiles))


def carry(
    coarse: Int[Array, "*shape"], fine: Int[Array, "*shape"]
) -> tuple[Int[Array, "*shape"], Int[Array, "*shape"]]:
    """The same number with its lower limb in [0, 2**24)."""
    return coarse + (fine >> FINE_BITS), fine & (2**FINE_BITS - 1)


def ordered_limbs(
    coarse: Int[Array, "item lane"], fine: Int[Array, "item lane"]
) -> tuple[Int[Array, "subset lane"], Int[Array, "subset lane"]]:
    """The exact subset sums of items of two limbs, in order."""
    zero = jnp.zeros((1, coarse.shape[1]), jnp.int32)

    def add(keys: Keys, k: int) -> Keys:
        return carry(keys[0] + coarse[k][None], keys[1] + fine[k][None])

    high, low = ordered_sums((zero, zero), add, len(coarse), num_compared=2)
    return high, low


def _shuffle(keys: Keys, num_compared: int) -> Keys:
    """The bitonic merge of every lane.

    Each stage compares the two halves and interleaves the results (Stone 1971): the bits of each
    address rotate by one, and after k stages they are back where they belong.
    """
    half = keys[0].shape[0] // 2

    def stage(_, keys: Keys) -> Keys:
        first, second = [key[:half] for key in keys], [key[half:] for key in keys]
        if len(keys) == 1:
            pairs = [(jnp.minimum(first[0], second[0]), jnp.maximum(first[0], second[0]))]
        else:
            swap = second[0] < first[0]
            if num_compared == 2:
                swap |= (second[0] == first[0]) & (second[1] < first[1])
            pairs = [
                (jnp.where(swap, b, a), jnp.where(swap, a, b))
                for a, b in zip(first, second, strict=True)
            ]
        interleaved = (jnp.stack(pair, axis=1) for pair in pairs)
        return tuple(new.reshape(key.shape) for new, key in zip(interleaved, keys, strict=True))

    return lax.fori_loop(0, keys[0].shape[0].bit_length() - 1, stage, keys)
