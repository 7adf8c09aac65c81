"""The first units that serve one quantised weight exactly, and which of them to keep.

The set of all subset sums in units of δ² grows by one item at a time, and every stage is kept, so
that the subset can be read off backwards: an item is left out where the sums before it hold the
target already. This is for networks that are built and checked, with a few hundred to a few
thousand sums; `weight_widths.first_widths` only decides, and keeps one set.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32

from lottery_jax.subset_sum import bit_sets


class Found(NamedTuple):
    """The subset of the fewest leading items that has the target as its sum."""

    mask: Bool[Array, " item"]  # kept items; none where there is no such subset
    width: Int32[Array, ""]  # how many leading items it needs; number of items + 1 if all are few


def search(items: Int32[Array, " item"], target: Int32[Array, ""], *, reach: int) -> Found:
    """Decide one sum, and give a subset.

    Parameters
    ----------
    items, target
        Whole numbers of any sign.
    reach
        Sums of magnitude above it are lost: with less than the sum of the positive items or of the
        negative ones, the width found may be too large, and a subset may be missed. What is found
        is always right.

    Notes
    -----
    (items + 1) (2 reach + 1) / 8 bytes.

    Examples
    --------
    >>> found = search(jnp.array([5, -3, 7, 1], jnp.int32), jnp.int32(2), reach=20)
    >>> found.mask.tolist(), found.width.item()
    ([True, True, False, False], 2)
    """
    num_items = items.shape[0]
    start = bit_sets.origin_only(2 * reach + 1, reach)

    def include(words, item):
        more = bit_sets.include(words, item)
        return more, more

    _, stages = lax.scan(include, start, items)
    stages = jnp.concatenate([start[None], stages])
    position = target + reach
    holds = _contains(stages, position)
    first = jnp.argmax(holds).astype(jnp.int32)
    width = jnp.where(holds.any(), first, num_items + 1)

    def walk_back(position, stage):
        words, item, place = stage
        is_kept = (place < width) & ~_contains(words[None], position)[0]
        return jnp.where(is_kept, position - item, position), is_kept

    places = jnp.arange(num_items, dtype=jnp.int32)
    _, mask = lax.scan(walk_back, position, (stages[:-1], items, places), reverse=True)
    return Found(mask & holds.any(), width)


def _contains(stages: Array, position: Int32[Array, ""]) -> Bool[Array, " stage"]:
    """Which of several sets of the same range hold one position, as `bit_sets.contains` says."""
    is_inside = (position >= 0) & (position < stages.shape[1] * bit_sets.WORD)
    position = jnp.where(is_inside, position, 0)
    words = lax.dynamic_index_in_dim(stages, position >> 5, axis=1, keepdims=False)
    return is_inside & (((words >> (position & 31).astype(jnp.uint32)) & 1) == 1)
