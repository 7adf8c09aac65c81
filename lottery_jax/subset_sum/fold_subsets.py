"""Exact search over all subsets of at most K of N vectors, K = 1..4, as one compiled loop.

A subset of at most K items is a part of at most ceil(K/2) items joined to a part of at most
floor(K/2). All parts (at most 1 + N + N(N-1)/2) are listed once, sorted by the sum of their first
coordinates, and each block of 32 parts is compared with the one contiguous window of parts that can
complete it. The comparison is a dense tile over a few leading coordinates, packed into one machine
word per column; what survives is tested in full and handed to the caller in batches. Nothing is
sampled and no buffer can overflow: a tile is drained until it is empty, so every subset inside the
box is visited, and visited once.

Cost: N^4/8 tile elements (K = 4) times the fraction of sums inside the window of the first
coordinate, each a few additions and comparisons; memory is O(N^2) numbers per draw.
"""

from collections.abc import Callable
from math import comb
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt

from lottery_jax.subset_sum.parts import Parts, list_parts, position

ROWS = 32  # one bit of a word for each row of a tile
BATCH = 32  # survivors of a tile tested in full at a time
BUFFER = 2 * BATCH  # subsets handed to the caller at a time
MAX_KEPT = 4
MAX_ITEMS = 500
_GROUP = 8  # rows of a tile compared in one unrolled stretch


class Window(NamedTuple):
    """The box in which the sum of a subset must lie."""

    lower: Float[Array, " dim"]  # may be -inf, except in the first coordinate
    upper: Float[Array, " dim"]  # may be +inf, except in the first coordinate


class Visitor(NamedTuple):
    """What the caller does with the subsets that the search finds; `state` is any pytree."""

    window: Callable  # state -> Window: contains all that is accepted; may shrink, never grow
    accept: Callable  # (state, sums [batch dim]) -> Bool[batch]: the full test
    visit: Callable  # (state, subsets Int[batch kept], is_subset Bool[batch]) -> state
    is_done: Callable  # state -> Bool[]: True ends the search early


class _Scan(NamedTuple):
    """Where the search stands, and what it has found and not yet handed over."""

    block: Int[Array, ""]  # the current tile: block of rows,
    column: Int[Array, ""]  # and first column
    words: UInt[Array, " width"]  # bit r of word c: row r and column c may fit and are not drained
    is_drained: Bool[Array, ""]  # True where all words are zero
    pairs: Int[Array, "2 buffer"]  # rows and columns that may fit and are not yet tested in full
    untested: Int[Array, ""]  # how many of them
    subsets: Int[Array, "buffer kept"]  # accepted and not yet visited
    unvisited: Int[Array, ""]


def fold_subsets(
    items: Float[Array, "item dim"],
    num_items: Int[Array, ""],
    state,
    visitor: Visitor,
    *,
    max_kept: int,
    screened: int = 6,
):
    """Visit every subset of at most `max_kept` of the first `num_items` items that is accepted.

    Traceable and without checks: the form for use inside a compiled trial.

    Parameters
    ----------
    items
        Vectors, float32; those from number `num_items` on are ignored. The first coordinate should
        be the one that the box restricts most, the next ones the most selective after it.
    num_items
        How many items take part; traced, so that a sweep over widths compiles once.
    state
        What the caller accumulates.
    visitor
        The box, the full test of a sum, and what to do with accepted subsets. The box is widened
        here by 4e-6 of the largest item and 1e-6 of its bounds, more than the rounding of a sum of
        four and of the comparison.
    max_kept
        Largest number of items in a subset, 1 to 4. The empty subset counts.
    screened
        How many leading coordinates the dense tiles compare.

    Returns
    -------
    state
        After every accepted subset was visited once, in no particular order, as ascending item
        numbers filled up with `len(items)` where fewer than `max_kept` are kept. If `is_done`
        ended the search, some were not visited.
    """
    capacity, dim = items.shape
    screened = min(screened, dim)
    small, large = max_kept // 2, (max_kept + 1) // 2
    width = _tile_width(capacity, large)
    in_use = jnp.arange(capacity, dtype=jnp.int32) < num_items
    padded = jnp.concatenate(
        [jnp.where(in_use[:, None], items, 0), jnp.zeros((1, dim), items.dtype)]
    )
    largest = jnp.max(jnp.abs(padded), axis=0)
    columns = list_parts(padded, num_items, large, screened, padding=width)
    is_symmetric = small == large
    rows = columns if is_symmetric else list_parts(padded, num_items, small, screened, padding=ROWS)

    def box(state) -> Window:
        """The window, widened by more than the rounding of any sum, and made finite."""
        lower, upper = visitor.window(state)
        widest = (max_kept + 1) * largest + 1e-30
        lower, upper = jnp.maximum(lower, -widest), jnp.minimum(upper, widest)
        slack = 4e-6 * largest + 1e-6 * (jnp.abs(lower) + jnp.abs(upper))
        return Window(lower - slack, upper + slack)

    starts, stops, num_blocks = _plan_tiles(rows, columns, box(state), is_symmetric)

    def is_scanned(scan: _Scan) -> Bool[Array, ""]:
        """True where no tile is left to compare."""
        is_last_of_block = scan.column + width >= stops[scan.block]
        return is_last_of_block & (scan.block + 1 >= num_blocks)

    def has_more(scan: _Scan) -> Bool[Array, ""]:
        return ~is_scanned(scan) | ~scan.is_drained | (scan.untested > 0)

    def compare(state, scan: _Scan) -> _Scan:
        """Go to the next tile of this block, or the first of the next, and compare it."""
        is_new_block = scan.column + width >= stops[scan.block]
        block = jnp.where(is_new_block, scan.block + 1, scan.block)
        column = jnp.where(is_new_block, starts[block], scan.column + width)
        row_sums = lax.dynamic_slice(rows.sums, (jnp.int32(0), block * ROWS), (screened, ROWS))
        tile = lax.dynamic_slice(columns.sums, (jnp.int32(0), column), (screened, width))
        words = _compare(row_sums, tile, box(state))
        is_drained = ~jnp.any(words != 0)
        return scan._replace(block=block, column=column, words=words, is_drained=is_drained)

    def drain(scan: _Scan) -> _Scan:
        """Take one survivor from each of the first words of the tile."""
        taken, is_taken = _first_set(scan.words != 0, BATCH)
        word = scan.words[taken]
        row = scan.block * ROWS + lax.population_count((word & (~word + 1)) - 1).astype(jnp.int32)
        pairs = jnp.stack([row, scan.column + taken])
        # All words up to the last one taken lose their lowest bit.
        is_cleared = jnp.arange(width, dtype=jnp.int32) <= jnp.max(jnp.where(is_taken, taken, -1))
        words = jnp.where(is_cleared, scan.words & (scan.words - 1), scan.words)
        return scan._replace(
            words=words,
            is_drained=~jnp.any(words != 0),
            pairs=lax.dynamic_update_slice(scan.pairs, pairs, (jnp.int32(0), scan.untested)),
            untested=scan.untested + jnp.sum(is_taken, dtype=jnp.int32),
        )

    def test(state, scan: _Scan) -> _Scan:
        """Test the first pairs in full."""
        row, column = scan.pairs[:, :BATCH]
        subsets, is_canonical = _join(
            rows.members[:, row],
            columns.members[:, column],
            none=capacity,
            sizes=(small, large),
        )
        if is_symmetric:
            is_canonical &= row <= column
        sums = padded[subsets[:, 0]]
        for kept in range(1, max_kept):  # ascending order: a subset has one sum, however it was met
            sums = sums + padded[subsets[:, kept]]
        is_pair = jnp.arange(BATCH, dtype=jnp.int32) < scan.untested
        found = is_pair & is_canonical & visitor.accept(state, sums)
        accepted = subsets[_first_set(found, BATCH)[0]]  # those beyond the last are overwritten
        place = scan.unvisited, jnp.int32(0)
        return scan._replace(
            pairs=jnp.roll(scan.pairs, -BATCH, axis=1),
            untested=jnp.maximum(scan.untested - BATCH, 0),
            subsets=lax.dynamic_update_slice(scan.subsets, accepted, place),
            unvisited=scan.unvisited + jnp.sum(found, dtype=jnp.int32),
        )

    def collect(carry):
        """Search until the buffer might overflow with one more batch, then hand it over."""
        state, scan = carry

        def step(scan: _Scan) -> _Scan:
            is_due = (scan.untested >= BATCH) | (is_scanned(scan) & scan.is_drained)
            stage = jnp.where(is_due, 2, jnp.where(scan.is_drained, 0, 1))
            stages = (lambda s: compare(state, s), drain, lambda s: test(state, s))
            return lax.switch(stage, stages, scan)

        scan = lax.while_loop(lambda s: has_more(s) & (s.unvisited <= BATCH), step, scan)
        is_subset = jnp.arange(BUFFER, dtype=jnp.int32) < scan.unvisited
        state = visitor.visit(state, scan.subsets, is_subset)
        return state, scan._replace(unvisited=jnp.int32(0))

    before_first = _Scan(
        block=jnp.int32(-1),
        column=columns.count,
        words=jnp.zeros((width,), jnp.uint32),
        is_drained=jnp.array(True),
        pairs=jnp.zeros((2, BUFFER), jnp.int32),
        untested=jnp.int32(0),
        subsets=jnp.full((BUFFER, max_kept), capacity, jnp.int32),
        unvisited=jnp.int32(0),
    )
    return lax.while_loop(
        lambda carry: has_more(carry[1]) & ~visitor.is_done(carry[0]),
        collect,
        (state, before_first),
    )[0]


def _plan_tiles(
    rows: Parts, columns: Parts, window: Window, is_symmetric: bool
) -> tuple[Int[Array, " block"], Int[Array, " block"], Int[Array, ""]]:
    """For each block of rows the first column that can complete one of them, and the end of these;
    and how many blocks there are to compare.
    """
    num_blocks = -(-rows.order.shape[0] // ROWS)
    along = rows.sums[0, : num_blocks * ROWS].reshape(num_blocks, ROWS)
    least = jnp.min(along, axis=1)
    most = jnp.max(jnp.where(along < jnp.inf, along, -jnp.inf), axis=1)
    starts = position(columns, window.lower[0] - most, -1)
    stops = position(columns, window.upper[0] - least, 2)
    count = rows.count
    if is_symmetric:  # an unordered pair of parts is met from its lower part, at most half the sum
        starts = jnp.maximum(starts, ROWS * jnp.arange(num_blocks, dtype=jnp.int32))
        count = jnp.minimum(count, position(rows, window.upper[:1] / 2, 2)[0])
    return (
        jnp.minimum(starts, columns.count),
        jnp.minimum(stops, columns.count),
        (count + ROWS - 1) // ROWS,
    )


def _compare(
    rows: Float[Array, "screened row"],
    columns: Float[Array, "screened width"],
    window: Window,
) -> UInt[Array, " width"]:
    """Word c has bit r set where row r plus column c lies in the (finite) box.

    Unrolled over a few rows, so that the innermost compiled loop runs along columns in vector
    registers; the scan over groups of rows keeps XLA from fusing the slice of the columns into it,
    which would keep a CPU from using them.
    """
    lower, upper = (bound[: rows.shape[0]] for bound in window)
    half = (upper - lower) / 2
    shifted = rows - ((upper + lower) / 2)[:, None]

    def add_group(words: UInt[Array, " width"], first: Int[Array, ""]):
        group = lax.dynamic_slice(shifted, (jnp.int32(0), first), (rows.shape[0], _GROUP))
        for row in range(_GROUP):
            fits = jnp.abs(columns[0] + group[0, row]) <= half[0]
            for axis in range(1, columns.shape[0]):
                fits &= jnp.abs(columns[axis] + group[axis, row]) <= half[axis]
            bit = jnp.uint32(1) << (first + row).astype(jnp.uint32)
            words |= jnp.where(fits, bit, jnp.uint32(0))
        return words, None

    words = jnp.zeros(columns.shape[1:], jnp.uint32)
    return lax.scan(add_group, words, jnp.arange(0, ROWS, _GROUP, dtype=jnp.int32))[0]


def _first_set(
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


def _join(
    row: Int[Array, "2 batch"],
    column: Int[Array, "2 batch"],
    *,
    none: int,
    sizes: tuple[int, int],
) -> tuple[Int[Array, "batch kept"], Bool[Array, " batch"]]:
    """The union of two parts, and whether this is the one split of it that counts.

    A subset splits into parts in several ways. The one that counts has the lowest items in a part
    that is as large as can be, and the rest in the other. Parts that share an item never qualify.
    """
    small, large = sizes

    def precedes(low, high):
        return (high[0] == none) | ((low[large - 1] != none) & (low[large - 1] < high[0]))

    if small == large:
        row_is_low = precedes(row, column) & ~((column[0] != none) & (row[0] > column[0]))
        is_canonical = row_is_low | precedes(column, row)
        low, high = jnp.where(row_is_low, row, column), jnp.where(row_is_low, column, row)
    else:
        is_canonical, low, high = precedes(column, row), column, row
    return jnp.concatenate([low[:large], high[:small]]).T, is_canonical


def _tile_width(capacity: int, part_size: int) -> int:
    """Columns of a tile: enough to amortise one step of the loop, few that lie past a window."""
    num_parts = sum(comb(capacity, size) for size in range(part_size + 1))
    return int(np.clip(1 << (num_parts // 32).bit_length(), 256, 2048))
