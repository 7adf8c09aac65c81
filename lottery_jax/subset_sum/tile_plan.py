"""Which columns each block of rows must be compared with, and in which tiles.

Rows and columns are parts, sorted by place. Those that can complete one of 32 rows lie in one
contiguous window of columns. Windows are cut into segments of one width, and a tile is a few
segments in a row, of one block or of several, so that short windows share a tile.

Cost: two binary searches per block of rows.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from lottery_jax.subset_sum.parts import Grid, Parts, count_parts, window_of
from lottery_jax.subset_sum.screen import ROWS, Window


class Position(NamedTuple):
    """The next segment to compare; all before it are done."""

    block: Int[Array, ""]  # of rows
    column: Int[Array, ""]
    segment: Int[Array, ""]  # its number in the plan


class Segments(NamedTuple):
    """The segments of one tile."""

    blocks: Int[Array, " segment"]
    columns: Int[Array, " segment"]  # the first column of each
    widths: Int[Array, " segment"]  # columns inside the window; 0 or less past the last segment


class Plan(NamedTuple):
    """The segments of every block, numbered through."""

    # Column of segment s of block b: starts[b] + width * s. Where a number exceeds 32 bits it wraps
    # around, and back in the sum.
    starts: Int[Array, " block"]
    stops: Int[Array, " block"]  # the column after the window
    ends: Int[Array, " block"]  # segments of this block and of all before
    count: Int[Array, ""]  # type: ignore[override]  # segments in all


def start() -> Position:
    """The position before anything is compared."""
    return Position(jnp.int32(0), jnp.int32(0), jnp.int32(0))


def plan_tiles(
    rows: Parts,
    columns: Parts,
    grid: Grid,
    window: Window,
    position: Position,
    *,
    shape: tuple[int, int],
    num_blocks: int,
    max_kept: int,
    is_symmetric: bool,
) -> tuple[Plan, Position]:
    """The plan for what is left from a position on, and the position in this plan.

    `shape` is that of a tile. Where rows and columns are the same parts (`is_symmetric`), each
    unordered pair is met from the lower part.
    """
    num_segments, width = shape
    # An item is off by less than 0.75 steps, and the bounds of the window by less than one.
    error = 0.75 * max_kept + 1
    lowest = jnp.floor(window.lower[0] * grid.per_unit - error).astype(jnp.int32)
    highest = jnp.ceil(window.upper[0] * grid.per_unit + error).astype(jnp.int32)
    block = jnp.arange(num_blocks, dtype=jnp.int32)
    least = rows.places[: num_blocks * ROWS : ROWS]
    most = rows.places[ROWS - 1 : num_blocks * ROWS : ROWS]
    most = jnp.minimum(most, rows.places[rows.count - 1])  # the last block may not be full
    starts, stops = window_of(columns, lowest - most, highest - least)
    is_open = (block >= position.block) & (ROWS * block < rows.count)
    if is_symmetric:
        starts = jnp.maximum(starts, ROWS * block)
        is_open &= least <= highest // 2  # the lower part has at most half the sum
    starts = jnp.where(block == position.block, jnp.maximum(starts, position.column), starts)
    is_filled = is_open & (starts < stops)
    first = jnp.argmax(is_filled).astype(jnp.int32)
    # A later block with nothing to compare has one segment, without columns: `next_segments` counts
    # on that.
    segments = jnp.maximum((stops - starts + width - 1) // width, 1)
    segments = jnp.where(is_open & (block >= first) & jnp.any(is_filled), segments, 0)
    ends = jnp.cumsum(segments, dtype=jnp.int32)
    fill = 0, num_segments + 1
    plan = Plan(
        starts=jnp.pad(starts - width * (ends - segments), fill),
        stops=jnp.pad(stops, fill),
        ends=jnp.pad(ends, fill, constant_values=2**30),
        count=ends[-1],
    )
    is_behind = position.block < first
    return plan, Position(
        block=jnp.maximum(position.block, first),
        column=jnp.where(is_behind, 0, position.column),
        segment=jnp.int32(0),
    )


def next_segments(
    plan: Plan, position: Position, shape: tuple[int, int]
) -> tuple[Segments, Position]:
    """The segments of the next tile, and the position after it."""
    num_segments, width = shape
    segment = position.segment + jnp.arange(num_segments + 1, dtype=jnp.int32)
    # Every block has a segment, so that these lie in no more blocks than they are.
    ends = lax.dynamic_slice_in_dim(plan.ends, position.block, num_segments)
    is_past = ends[None] <= segment[:, None]
    block = position.block + jnp.sum(is_past, axis=1, dtype=jnp.int32)
    column = plan.starts[block] + width * segment
    stop = jnp.where(segment < plan.count, plan.stops[block], 0)
    segments = Segments(block[:-1], column[:-1], (stop - column)[:-1])
    return segments, Position(block[-1], column[-1], segment[-1])


def tile_shape(capacity: int, part_size: int) -> tuple[int, int]:
    """Segments of a tile and columns of a segment.

    Segments are about as wide as a window, so that few columns lie past it; a tile is large enough
    to amortise one step of the loop.
    """
    num_parts = count_parts(capacity, part_size)
    width = int(np.clip(1 << (num_parts // 32).bit_length(), 128, 2048))
    size = 1024 if width < 1024 else 2048
    return size // width, width
