"""A dense test of many sums against a box, several coordinates in one machine word.

Each coordinate is rounded to a grid on which the box is a little less than 2^k steps wide, and gets
a field of the word, k of its bits and one to three guard bits above them. Words add like the
vectors they stand for: the word of a subset is the sum of those of its items, whatever is carried
from field to field. In the word of a subset inside the box no guard bit is set, so that one
addition and one `and` reject all the others but for those that the rounding, or a field that wraps
around, lets pass. Nothing inside the box is ever rejected.

What survives comes out as bits, and `first_set` finds them.

Cost: 3 or 4 integer operations per pair and word, of up to 4 coordinates each.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt

MAX_WORDS = 3
ROWS = 32  # rows of a tile: one bit of a word for each
_GROUP = 8  # rows compared in one unrolled stretch
_FINEST = 2.0**-18  # a step of the grid is no finer than this share of the largest item


class Window(NamedTuple):
    """The box in which the sum of a subset must lie."""

    lower: Float[Array, " dim"]  # may be -inf, except in the first coordinate
    upper: Float[Array, " dim"]  # may be +inf, except in the first coordinate


class Screen(NamedTuple):
    """The words of the items for one box."""

    items: Int[Array, "word item"]
    shift: Int[Array, " word"]  # add this once to the word of a subset
    guards: Int[Array, " word"]  # the bits that are not set in a subset inside the box


def make_screen(
    items: Float[Array, "item dim"], window: Window, *, max_kept: int, screened: int
) -> Screen:
    """The words for subsets of at most `max_kept` items, of the first `screened` coordinates.

    The window must be finite. A step is no finer than 2^-18 of the largest item, and the bounds of
    the window at most 8 times that item, so that float32 places every item within 0.55 steps, and
    the lower bound within 0.5.
    """
    num_words, num_fields, bits = _layout(min(screened, items.shape[1]))
    coordinates = min(num_words * num_fields, items.shape[1])
    items = items[:, :coordinates]
    lower, upper = (bound[:coordinates] for bound in window)
    largest = jnp.max(jnp.abs(items), axis=0)
    extent = upper - lower
    # Fewer guard bits leave finer steps; they suffice where the box holds most sums anyway.
    num_guards = (
        3
        - (extent > largest / 2).astype(jnp.int32)
        - (extent > max_kept * largest).astype(jnp.int32)
    )
    inside = bits - num_guards
    # Rounding moves a sum by at most `error` steps either way, and the lower bound by 2 in all.
    error = 0.55 * max_kept
    steps = (jnp.int32(1) << inside).astype(jnp.float32) - (2 * error + 3)
    step = jnp.maximum(jnp.maximum(extent / steps, _FINEST * largest), 1e-30)
    placed = jnp.round(items / step[None]).astype(jnp.int32)
    shift = jnp.ceil(0.5 + error - lower / step).astype(jnp.int32)
    ones = (jnp.int32(1) << bits) - 1 if bits < 32 else jnp.int32(-1)
    guards = ones & ~((jnp.int32(1) << inside) - 1)

    def pack(fields: Int[Array, "... field"]) -> Int[Array, "word ..."]:
        """Fields of a word added up, each shifted to its place."""
        padding = [(0, 0)] * (fields.ndim - 1) + [(0, num_words * num_fields - coordinates)]
        fields = jnp.pad(fields, padding).reshape(*fields.shape[:-1], num_words, num_fields)
        place = bits * jnp.arange(num_fields, dtype=jnp.int32)
        place = jnp.broadcast_to(place, fields.shape)
        return jnp.moveaxis(jnp.sum(fields << place, axis=-1, dtype=jnp.int32), -1, 0)

    return Screen(pack(placed), pack(shift), pack(guards))


def compare(
    rows: Int[Array, "word segment 32"], columns: Int[Array, "word segment width"], screen: Screen
) -> UInt[Array, "segment width"]:
    """Number c of a segment has bit r set where its row r plus its column c may lie in the box.

    Unrolled over a few rows, so that the innermost compiled loop runs along columns in vector
    registers; the scan over groups of rows keeps XLA from fusing the slices of the columns into it,
    which would keep a CPU from using them.
    """
    num_words, num_segments, _ = rows.shape
    shifted = rows + screen.shift[:, None, None]

    def add_group(fits: UInt[Array, "segment width"], first: Int[Array, ""]):
        start = jnp.int32(0), jnp.int32(0), first
        group = lax.dynamic_slice(shifted, start, (num_words, num_segments, _GROUP))
        for row in range(_GROUP):
            outside = (columns[0] + group[0, :, row, None]) & screen.guards[0]
            for word in range(1, num_words):
                outside |= (columns[word] + group[word, :, row, None]) & screen.guards[word]
            bit = jnp.uint32(1) << (first + row).astype(jnp.uint32)
            fits |= jnp.where(outside == 0, bit, jnp.uint32(0))
        return fits, None

    fits = jnp.zeros(columns.shape[1:], jnp.uint32)
    return lax.scan(add_group, fits, jnp.arange(0, ROWS, _GROUP, dtype=jnp.int32))[0]


def first_set(
    flags: Bool[Array, " flag"], size: int
) -> tuple[Int[Array, " {size}"], Bool[Array, " {size}"]]:
    """Positions of the first `size` flags that are set, and which of them exist.

    Select on a packed bit vector, without the scatter and the long scan of `jnp.nonzero`.
    """
    bit = jnp.arange(32, dtype=jnp.uint32)
    ones = jnp.where(flags.reshape(-1, 32), jnp.uint32(1) << bit[None], 0)
    words = jnp.sum(ones, axis=1, dtype=jnp.uint32)
    counts = lax.population_count(words).astype(jnp.int32)
    number = jnp.arange(words.shape[0], dtype=jnp.int32)
    is_before = number[None] <= number[:, None]
    ends = jnp.sum(jnp.where(is_before, counts[None], 0), axis=1, dtype=jnp.int32)
    slot = jnp.arange(size, dtype=jnp.int32)
    group = jnp.sum(ends[None] <= slot[:, None], axis=1, dtype=jnp.int32)
    exists = group < words.shape[0]
    group = jnp.minimum(group, words.shape[0] - 1)
    rank = slot - (ends - counts)[group]
    word = words[group]
    below = lax.population_count(word[:, None] & ((jnp.uint32(1) << bit) - 1)[None])
    is_it = (below.astype(jnp.int32) == rank[:, None]) & ((word[:, None] >> bit[None]) & 1 == 1)
    place = jnp.sum(jnp.where(is_it, bit[None].astype(jnp.int32), 0), axis=1, dtype=jnp.int32)
    return 32 * group + place, exists


def _layout(screened: int) -> tuple[int, int, int]:
    """How many words, fields of a word, and bits of a field."""
    num_words = min(MAX_WORDS, -(-screened // 4))
    num_fields = min(4, -(-screened // num_words))
    return num_words, num_fields, 32 // num_fields
