"""Exact search over all subsets of at most K of N vectors, K = 1..6, as one compiled loop.

A subset of at most K items is a part of at most ceil(K/2) items joined to a part of at most
floor(K/2). All parts (`parts.py`) are listed once, sorted by the sum of their first coordinates,
and each block of 32 parts is compared with the one contiguous window of parts that can complete it.
The comparison is a dense tile over a few leading coordinates, four to a machine word (`screen.py`);
what survives is tested in full and handed to the caller in batches. Nothing is sampled and no
buffer can overflow: a tile is drained until it is empty, so every subset inside the box is visited,
and visited once. When the box has shrunk, the words are made anew for the smaller one.

Cost: N^3/2, N^4/8, N^5/12, N^6/72 tile elements for K = 3, 4, 5, 6, times the fraction of sums
inside the window of the first coordinate, each 4 integer operations for every four coordinates;
memory is about 8 numbers per part.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt

from lottery_jax.subset_sum.parts import (
    Parts,
    bits_of_place,
    count_parts,
    has_distinct_groups,
    items_of,
    join,
    list_parts,
    make_grid,
)
from lottery_jax.subset_sum.screen import ROWS, Window, compare, first_set, make_screen
from lottery_jax.subset_sum.tile_plan import (
    Position,
    Segments,
    next_segments,
    plan_tiles,
    start,
    tile_shape,
)

BATCH = 32  # survivors of a tile tested in full at a time
BUFFER = 2 * BATCH  # half of it is handed to the caller at a time
# By the most items kept.
MOST_ITEMS = {1: 65536, 2: 16384, 3: 2048, 4: 1000, 5: 128, 6: 128}
_SHRUNK = 0.85  # the words are made anew when the box is narrower than this share of theirs


class Visitor(NamedTuple):
    """What the caller does with the subsets that the search finds; `state` is any pytree."""

    window: Callable  # state -> Window: contains all that is accepted; may shrink, never grow
    accept: Callable  # (state, sums [batch dim]) -> Bool[batch]: the full test
    visit: Callable  # (state, subsets Int[batch kept], is_subset Bool[batch]) -> state
    is_done: Callable  # state -> Bool[]: True ends the search early


class _Scan(NamedTuple):
    """Where the search stands, and what it has found and not yet handed over."""

    position: Position
    tile: Segments  # the current tile
    words: UInt[Array, "segment width"]  # bit r: row r and this column may fit and are not drained
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
    screened: int = 12,
    groups: Int[Array, " item"] | None = None,
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
        six and of the comparison.
    max_kept
        Largest number of items in a subset, 1 to 6. The empty subset counts.
    screened
        How many leading coordinates the dense tiles compare, at most 12.
    groups
        If given, two items of one group are never kept together.

    Returns
    -------
    state
        After every accepted subset was visited once, in no particular order, as ascending item
        numbers filled up with `len(items)` where fewer than `max_kept` are kept. If `is_done`
        ended the search, some were not visited.
    """
    capacity, dim = items.shape
    small, large = max_kept // 2, (max_kept + 1) // 2
    shape = num_segments, width = tile_shape(capacity, large)
    in_use = jnp.arange(capacity, dtype=jnp.int32) < num_items
    padded = jnp.concatenate(
        [jnp.where(in_use[:, None], items, 0), jnp.zeros((1, dim), items.dtype)]
    )
    largest = jnp.max(jnp.abs(padded), axis=0)
    grid = make_grid(padded[:, 0], size=large)
    listing = {"bits": bits_of_place(capacity, large), "groups": groups}
    columns = list_parts(grid, num_items, size=large, padding=width, **listing)
    is_symmetric = small == large
    rows = columns
    if not is_symmetric:
        rows = list_parts(grid, num_items, size=small, padding=ROWS, **listing)

    def box(state) -> Window:
        """The window, widened by more than the rounding of any sum, and made finite."""
        lower, upper = visitor.window(state)
        widest = (max_kept + 1) * largest + 1e-30
        lower, upper = jnp.maximum(lower, -widest), jnp.minimum(upper, widest)
        slack = 4e-6 * largest + 1e-6 * (jnp.abs(lower) + jnp.abs(upper))
        return Window(lower - slack, upper + slack)

    def extent(state) -> Float[Array, ""]:
        """How wide the box is in the first coordinate."""
        window = box(state)
        return window.upper[0] - window.lower[0]

    def test(state, scan: _Scan) -> _Scan:
        """Test the first pairs in full."""
        row, column = scan.pairs[:, :BATCH]
        subsets, is_canonical = join(
            items_of(rows.members[row], small),
            items_of(columns.members[column], large),
            none=capacity,
        )
        if is_symmetric:
            is_canonical &= row <= column
        if groups is not None:
            is_canonical &= has_distinct_groups(list(subsets.T), groups)
        sums = padded[subsets[:, 0]]
        for kept in range(1, max_kept):  # ascending order: a subset has one sum, however it was met
            sums = sums + padded[subsets[:, kept]]
        is_pair = (jnp.arange(BATCH, dtype=jnp.int32) < scan.untested) & (row < rows.count)
        found = is_pair & is_canonical & visitor.accept(state, sums)
        accepted = subsets[first_set(found, BATCH)[0]]  # those beyond the last are overwritten
        place = scan.unvisited, jnp.int32(0)
        return scan._replace(
            pairs=jnp.roll(scan.pairs, -BATCH, axis=1),
            untested=jnp.maximum(scan.untested - BATCH, 0),
            subsets=lax.dynamic_update_slice(scan.subsets, accepted, place),
            unvisited=scan.unvisited + jnp.sum(found, dtype=jnp.int32),
        )

    def drain(scan: _Scan) -> _Scan:
        """Take one survivor from each of the first words of the tile."""
        words = scan.words.reshape(-1)
        taken, is_taken = first_set(words != 0, BATCH)
        word, segment = words[taken], taken // width
        bit = lax.population_count((word & (~word + 1)) - 1).astype(jnp.int32)
        row = scan.tile.blocks[segment] * ROWS + bit
        pairs = jnp.stack([row, scan.tile.columns[segment] + taken % width])
        # All words up to the last one taken lose their lowest bit.
        number = jnp.arange(words.shape[0], dtype=jnp.int32)
        is_cleared = number <= jnp.max(jnp.where(is_taken, taken, -1))
        words = jnp.where(is_cleared, words & (words - 1), words)
        return scan._replace(
            words=words.reshape(scan.words.shape),
            is_drained=~jnp.any(words != 0),
            pairs=lax.dynamic_update_slice(scan.pairs, pairs, (jnp.int32(0), scan.untested)),
            untested=scan.untested + jnp.sum(is_taken, dtype=jnp.int32),
        )

    def search(carry):
        """Search until the box has shrunk enough to make the words anew, or to the end."""
        state, scan, _ = carry
        window = box(state)
        screen = make_screen(padded, window, max_kept=max_kept, screened=screened)
        column_words = _words(screen.items, columns, large)
        row_words = column_words if is_symmetric else _words(screen.items, rows, small)
        plan, position = plan_tiles(
            rows,
            columns,
            grid,
            window,
            scan.position,
            shape=shape,
            num_blocks=-(-count_parts(capacity, small) // ROWS),
            max_kept=max_kept,
            is_symmetric=is_symmetric,
        )
        scan = scan._replace(position=position)
        before = extent(state)
        # Below zero where no sum comes near the window; nothing has shrunk then.
        least_extent = jnp.minimum(_SHRUNK * before, before)

        def has_tiles(scan: _Scan) -> Bool[Array, ""]:
            return scan.position.segment < plan.count

        def has_more(scan: _Scan) -> Bool[Array, ""]:
            return has_tiles(scan) | ~scan.is_drained | (scan.untested > 0)

        def is_over(scan: _Scan) -> Bool[Array, ""]:
            return ~has_more(scan) & (scan.unvisited == 0)

        def advance(scan: _Scan) -> _Scan:
            """Compare the next segments."""
            segments, position = next_segments(plan, scan.position, shape)
            row_tile = [
                lax.dynamic_slice_in_dim(row_words, segments.blocks[number] * ROWS, ROWS, axis=1)
                for number in range(num_segments)
            ]
            column_tile = [
                lax.dynamic_slice_in_dim(column_words, segments.columns[number], width, axis=1)
                for number in range(num_segments)
            ]
            words = compare(jnp.stack(row_tile, axis=1), jnp.stack(column_tile, axis=1), screen)
            is_inside = jnp.arange(width, dtype=jnp.int32)[None] < segments.widths[:, None]
            words = jnp.where(is_inside, words, jnp.uint32(0))
            is_drained = ~jnp.any(words != 0)
            return scan._replace(
                position=position, tile=segments, words=words, is_drained=is_drained
            )

        def collect(carry):
            """Search until there is a batch to hand over, or nothing left."""
            state, scan, _ = carry

            def step(scan: _Scan) -> _Scan:
                scan = lax.cond(scan.is_drained, advance, lambda s: s, scan)
                scan = lax.cond(scan.is_drained, lambda s: s, drain, scan)
                is_due = (scan.untested >= BATCH) | (~has_tiles(scan) & scan.is_drained)
                return lax.cond(is_due, lambda s: test(state, s), lambda s: s, scan)

            scan = lax.while_loop(lambda s: has_more(s) & (s.unvisited < BATCH), step, scan)
            is_subset = jnp.arange(BATCH, dtype=jnp.int32) < scan.unvisited
            state = visitor.visit(state, scan.subsets[:BATCH], is_subset)
            scan = scan._replace(
                subsets=jnp.roll(scan.subsets, -BATCH, axis=0),
                unvisited=jnp.maximum(scan.unvisited - BATCH, 0),
            )
            return state, scan, is_over(scan) | visitor.is_done(state)

        def goes_on(carry) -> Bool[Array, ""]:
            state, _, has_ended = carry
            return ~has_ended & (extent(state) >= least_extent)

        return lax.while_loop(goes_on, collect, (state, scan, is_over(scan)))

    nowhere = jnp.zeros((num_segments,), jnp.int32)
    before_first = _Scan(
        position=start(),
        tile=Segments(nowhere, nowhere, nowhere),
        words=jnp.zeros((num_segments, width), jnp.uint32),
        is_drained=jnp.array(True),
        pairs=jnp.zeros((2, BUFFER), jnp.int32),
        untested=jnp.int32(0),
        subsets=jnp.full((BUFFER, max_kept), capacity, jnp.int32),
        unvisited=jnp.int32(0),
    )
    begin = state, before_first, visitor.is_done(state)
    return lax.while_loop(lambda carry: ~carry[2], search, begin)[0]


def _words(items: Int[Array, "word item"], parts: Parts, size: int) -> Int[Array, "word part"]:
    """The word of each part: the sum of those of its items."""
    words = jnp.zeros((items.shape[0], parts.members.shape[0]), jnp.int32)
    for item in items_of(parts.members, size):
        words += items[:, item]
    return words
