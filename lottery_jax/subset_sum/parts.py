"""The parts from which subsets are joined: every subset of at most three items, sorted.

Sorted by the first coordinate of the sum. Items are rounded to a grid in that coordinate and the
place of a part is the sum of theirs, an integer, so that sorting is one integer sort of words that
hold place and number, or two where the numbers leave too few bits for the place.

Cost: 2 or 3 gathers per part, and one or two sorts.
"""

import functools
from math import comb
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

_BITS_OF_PART = 30  # a part is one word, shared out among the numbers of its items
_FINEST = 20  # bits of a place: float32 rounds the products to an eighth of a step
_COARSEST = 15  # with fewer, one step holds too many parts, and a second sort pays
_BLOCK = 32  # windows begin and end at multiples of this
_LAST = 2**30  # the place of parts not in use


class Grid(NamedTuple):
    """Where the items lie along the first coordinate."""

    places: Int[Array, " item"]  # the last one is "no item", at 0
    per_unit: Float[Array, ""]  # steps per unit


class Parts(NamedTuple):
    """All parts of at most a given size, sorted by their place."""

    members: Int[Array, " part"]  # item numbers, ascending; N stands for "no item"
    places: Int[Array, " part"]  # ascending
    count: Int[Array, ""]  # type: ignore[override]  # parts in use; the others come last


def bits_of_place(capacity: int, size: int) -> int:
    """Bits of a place: as many as one sort takes, or all that are useful where that is too few."""
    spare = 32 - max(1, (count_parts(capacity, size) - 1).bit_length())
    return min(spare, _FINEST) if spare >= _COARSEST else _FINEST


def make_grid(along: Float[Array, " item"], *, size: int) -> Grid:
    """Items on a grid on which parts of at most `size` of them have places of `bits_of_place`.

    `along` ends with the 0 of "no item". The place of an item is off by less than 0.75 steps.
    """
    extent = jnp.max(along) - jnp.min(along)
    steps = 2.0 ** bits_of_place(along.shape[0] - 1, size) / size - 4
    per_unit = steps / jnp.maximum(extent, 1e-30)
    return Grid(jnp.round(along * per_unit).astype(jnp.int32), per_unit)


def list_parts(
    grid: Grid,
    num_items: Int[Array, ""],
    *,
    size: int,
    bits: int,
    padding: int,
    groups: Int[Array, " item"] | None = None,
) -> Parts:
    """Every part of at most `size` items (0 to 3), no two of one group; then `padding` more.

    `bits` of a place are as many as the grid was made for: those of the largest parts.
    """
    capacity = grid.places.shape[0] - 1
    numbered = jnp.asarray(_members(capacity, size))
    (num_parts,) = numbered.shape
    sizes = [jnp.int32(1), num_items, num_items * (num_items - 1) // 2]
    sizes.append(sizes[2] * (num_items - 2) // 3)
    number = jnp.arange(num_parts, dtype=jnp.int32)
    in_use = number < sum(sizes[: size + 1], jnp.int32(0))
    if groups is not None:
        in_use &= has_distinct_groups(items_of(numbered, size), groups)
    count = jnp.sum(in_use, dtype=jnp.int32)
    places = jnp.zeros((num_parts,), jnp.int32)
    for item in items_of(numbered, size):
        places += grid.places[item]
    lowest = size * jnp.min(grid.places)
    order = _order(jnp.where(in_use, places - lowest, 2**bits - 1), bits)
    places = jnp.where(number < count, places[order], _LAST)
    return Parts(
        members=jnp.pad(numbered[order], (0, padding)),
        places=jnp.pad(places, (0, padding), constant_values=_LAST),
        count=count,
    )


def items_of(members: Int[Array, " part"], size: int) -> list[Int[Array, " part"]]:
    """The items of each part, ascending; N stands for "no item"."""
    bits = _bits_of_item(size)
    return [(members >> (bits * number)) & (2**bits - 1) for number in range(size)]


def has_distinct_groups(
    items: list[Int[Array, " part"]], groups: Int[Array, " item"]
) -> Bool[Array, " part"]:
    """True where no two of the items, with "no item" as often as you like, have one group."""
    capacity = groups.shape[0]
    group = [groups.at[item].get(mode="clip") for item in items]
    is_free = jnp.ones(items[0].shape, bool) if items else jnp.array(True)
    for first in range(len(items)):
        for second in range(first):
            is_both = (items[first] < capacity) & (items[second] < capacity)
            is_free &= ~(is_both & (group[first] == group[second]))
    return is_free


def window_of(
    parts: Parts, lowest: Int[Array, " window"], highest: Int[Array, " window"]
) -> tuple[Int[Array, " window"], Int[Array, " window"]]:
    """Where the parts with a place from `lowest` to `highest` begin and end, to a block or less."""
    firsts = parts.places[::_BLOCK]
    # Few are counted at once; among many, bisection takes fewer steps.
    method = "compare_all" if firsts.shape[0] <= 512 else "scan_unrolled"
    begin = jnp.searchsorted(firsts, lowest, side="left", method=method).astype(jnp.int32)
    end = jnp.searchsorted(firsts, highest, side="right", method=method).astype(jnp.int32)
    begin, end = jnp.maximum(begin - 1, 0) * _BLOCK, end * _BLOCK
    return jnp.minimum(begin, parts.count), jnp.minimum(end, parts.count)


def join(
    row: list[Int[Array, " batch"]], column: list[Int[Array, " batch"]], *, none: int
) -> tuple[Int[Array, "batch kept"], Bool[Array, " batch"]]:
    """The union of two parts, and whether this is the one split of it that counts.

    A subset splits into parts in several ways. The one that counts has the lowest items in a part
    that is as large as can be, and the rest in the other. Parts that share an item never qualify.
    """
    if not row:
        return jnp.stack(column, axis=1), jnp.ones(column[0].shape, bool)

    def precedes(low, high):
        return (high[0] == none) | ((low[-1] != none) & (low[-1] < high[0]))

    if len(row) < len(column):
        return jnp.stack(column + row, axis=1), precedes(column, row)
    row_is_low = precedes(row, column) & ~((column[0] != none) & (row[0] > column[0]))
    pairs = [(row, column), (column, row)]
    low, high = (
        [jnp.where(row_is_low, mine, other) for mine, other in zip(*pair, strict=True)]
        for pair in pairs
    )
    return jnp.stack(low + high, axis=1), row_is_low | precedes(column, row)


def _order(places: Int[Array, " part"], bits: int) -> Int[Array, " part"]:
    """The numbers of the parts by ascending place."""
    (num_parts,) = places.shape
    bits_of_number = max(1, (num_parts - 1).bit_length())
    spare = 32 - bits_of_number
    order = number = jnp.arange(num_parts, dtype=jnp.uint32)
    for first in range(0, bits, spare):  # least significant bits first: each sort keeps the last
        place = places[order].astype(jnp.uint32) if first else places.astype(jnp.uint32)
        key = ((place >> first) << bits_of_number) | number
        order = order[lax.sort(key) & jnp.uint32(2**bits_of_number - 1)]
    return order.astype(jnp.int32)


def count_parts(capacity: int, size: int) -> int:
    """How many parts of at most `size` items there are."""
    return sum(comb(capacity, kept) for kept in range(size + 1))


def _bits_of_item(size: int) -> int:
    """Bits of the number of an item; the largest such number is never an item."""
    return _BITS_OF_PART // max(size, 1)


@functools.cache
def _members(capacity: int, size: int) -> np.ndarray:
    """The parts by number; those of the first n items come first, for every n."""
    number = np.arange(capacity)
    listed = [np.zeros((1, 0), np.int64)]
    if size >= 1:
        listed.append(number[:, None])
    if size >= 2:
        listed.append(np.stack(np.triu_indices(capacity, k=1), axis=1))
    if size >= 3:
        pairs = listed[2]
        triples = [np.insert(pairs[pairs[:, 1] < last], 2, last, axis=1) for last in number]
        listed.append(np.concatenate(triples))
    highest = np.concatenate([np.max(each, axis=1, initial=-1) for each in listed])
    members = np.concatenate(
        [
            np.pad(each, ((0, 0), (0, size - each.shape[1])), constant_values=capacity)
            for each in listed
        ]
    )
    members = members[np.argsort(highest, kind="stable")]
    return (members << _bits_of_item(size) * np.arange(size)).sum(axis=1).astype(np.int32)
