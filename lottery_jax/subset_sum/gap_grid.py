"""The longest gaps between the subset sums of an interval, from marked cells.

The sums of the larger items mark the cells they lie in. A smaller item is a shift by a whole number
of cells plus a rest, so a sum lies in its marked cell up to the rests of the smaller items: known
bounds on both sides. A run of empty cells that is longer than these is a gap, and no gap is longer
than its run and the bounds together. The longest runs are probed (`probes`), the longest one first,
until no run that is left can hold a farther target.

Lengths are counted in steps of 2**-zoom quanta, of which a cell has 1 to 7. Where all sums are
multiples of a cell (small integers, say), marks are exact.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.subset_sum.cells import longest_runs, mark, mark_outside, spread
from lottery_jax.subset_sum.ordered_sums import FINE_BITS, carry
from lottery_jax.subset_sum.probes import Farthest, Instance, Limbs, farthest_beside, halves_of

MOST_CELLS = 28  # bits
LARGER = 16  # items whose sums are marked one by one


class _Grid(NamedTuple):
    """Where the cells lie, and by how much a sum may lie outside its own."""

    origin: Int[Array, ""]  # quanta
    extent: Int[Array, ""]  # quanta; what lies farther from the origin plays no part
    zoom: Int[Array, ""]
    cell: Int[Array, ""]  # steps
    below: Float[Array, ""]  # steps from a sum to the first step of its cell, at most
    above: Float[Array, ""]  # steps from the first step of its cell to a sum, at most


def search_grid(instance: Instance) -> tuple[Farthest, Float[Array, " lane"]]:
    """The farthest target of one instance, and a bound on the distance of all other targets."""
    num_runs = _num_runs(len(instance.items[0]))
    order = jnp.argsort(-instance.items[0][:, 0])
    coarse, fine = (limb[order] for limb in instance.items)
    num_items = len(order)
    larger = max(0, min(num_items - 6, LARGER))
    num_cells = num_cells_of(num_items)
    smaller = coarse[larger:, 0], fine[larger:, 0]
    low, high = ((end[0][0], end[1][0]) for end in (instance.low, instance.high))

    grid = _plan(coarse[:, 0], fine[:, 0], low[0], high[0], smaller[0], num_cells)
    grid, shifts = _shifts(grid, smaller, num_cells)
    sums = carry(*(_all_sums(limb[:larger, 0]) for limb in (coarse, fine)))
    is_inside = (sums[0] >= grid.origin) & (sums[0] - grid.origin < grid.extent)
    cells = jnp.where(is_inside, _steps(grid, *sums) // grid.cell, num_cells)
    words = spread(mark(num_cells // 32, lax.sort(cells)), shifts)
    ends = (_steps(grid, *end) // grid.cell for end in (low, high))
    # Not fused into each pass over the cells.
    words = lax.optimization_barrier(mark_outside(words, *ends))
    runs = longest_runs(words, num_runs)

    order = jnp.argsort(-runs.length)
    first, length = runs.first[order], runs.length[order]
    # The sums on both sides of a run are at least so far apart, and no more than that.
    steps = (grid.cell * (length + 1)).astype(jnp.float32)
    is_gap = (length > 0) & (steps > grid.above + grid.below + 2)
    bounds = jnp.where(length > 0, _radius(grid, length), 0)
    middle = ((steps + grid.above - grid.below) / 2).astype(jnp.int32)
    probes = _limbs(grid, grid.cell * (first - 1) + middle)

    width = num_probes(num_items)
    ends_ = (instance.low, instance.high)
    probes = tuple(
        jnp.concatenate([*(end[i] for end in ends_), jnp.where(is_gap, probe, instance.low[i])])
        for i, probe in enumerate(probes)
    )
    halves = halves_of(instance.items)
    num_probed = 2 + jnp.sum(is_gap, dtype=jnp.int32)
    pad = -(num_runs + 2) % width
    probes = tuple(jnp.concatenate([p, jnp.broadcast_to(p[:1], (pad,))]) for p in probes)
    bounds = jnp.pad(bounds, (0, pad + 1))
    bounds = jnp.concatenate([jnp.full((2,), jnp.inf, bounds.dtype), bounds])

    def may_improve(state: tuple[Int[Array, ""], Farthest]) -> Bool[Array, ""]:
        start, best = state
        return (start < num_probed) & (bounds[start] > best.radius)

    def look(state: tuple[Int[Array, ""], Farthest]) -> tuple[Int[Array, ""], Farthest]:
        start, best = state
        coarse, fine = (lax.dynamic_slice(probe, (start,), (width,)) for probe in probes)
        found = farthest_beside(instance, halves, (coarse, fine))
        at = jnp.argmax(found.radius)
        is_better = found.radius[at] > best.radius
        best = jax.tree.map(lambda new, old: jnp.where(is_better, new[at], old), found, best)
        return start + width, best

    none = Farthest(jnp.full((), -1.0, jnp.float32), jnp.zeros((), jnp.float32))
    start, best = lax.while_loop(may_improve, look, (jnp.int32(0), none))
    left = jnp.maximum(bounds[jnp.minimum(start, num_probed)], _radius(grid, runs.others))
    whole = carry(high[0] - low[0], high[1] - low[1])
    half = (whole[0].astype(jnp.float32) + whole[1].astype(jnp.float32) * 2.0**-FINE_BITS) / 2
    return jax.tree.map(lambda leaf: leaf[None], best), jnp.minimum(left, half)[None]


def num_cells_of(num_items: int) -> int:
    """Cells of the grid: as many as sums or twice as many, up to what memory allows."""
    return 2 ** min(num_items + 1, max(24, num_items), MOST_CELLS)


def _num_runs(num_items: int) -> int:
    """Runs listed: the larger the grid, the less it costs to list them."""
    return 64 if num_items < 22 else 256


def num_probes(num_items: int) -> int:
    """Probes side by side; at least the two ends."""
    return max(2, 16 >> max(0, (num_items - 28) // 2))


def _all_sums(items: Int[Array, " item"]) -> Int[Array, " subset"]:
    """The sums of all subsets of at most 20 items, from those of two halves."""
    half = len(items) // 2
    tables = []
    for part in (items[:half], items[half:]):
        bit = jnp.arange(len(part), dtype=jnp.int32)
        is_kept = jnp.arange(2 ** len(part), dtype=jnp.int32)[:, None] >> bit[None] & 1
        tables.append(jnp.sum(is_kept * part[None], axis=1, dtype=jnp.int32))
    return (tables[0][:, None] + tables[1][None]).reshape(-1)


def _plan(coarse, fine, low, high, smaller, num_cells: int) -> _Grid:
    """A grid from where the smaller items can no longer reach the interval to its high end."""
    any_coarse, any_fine = (
        lax.reduce(x, jnp.int32(0), lax.bitwise_or, (0,)) for x in (coarse, fine)
    )
    # All sums are multiples of this power of two, which is 0 where it is less than a quantum.
    grain = jnp.where(any_fine == 0, any_coarse & -any_coarse, 0)
    origin = low - jnp.sum(smaller, dtype=jnp.int32) - len(coarse)
    origin = jnp.where(grain > 0, origin & -grain, origin)
    extent = high - origin + 2
    fits = [
        (extent >> max(0, -zoom)) < (7 * num_cells >> max(0, zoom))
        for zoom in range(-FINE_BITS, FINE_BITS + 1)
    ]
    zoom = jnp.sum(jnp.stack(fits), dtype=jnp.int32) - FINE_BITS - 1
    # With half as many steps a cell of 4 is large enough, and it divides the grain.
    is_granular = (grain >> jnp.maximum(0, 3 - zoom)) > 0
    zoom = jnp.where(is_granular, zoom - 1, zoom)
    steps = (extent << jnp.maximum(zoom, 0)) >> jnp.maximum(-zoom, 0)
    cell = jnp.where(is_granular, 4, steps // num_cells + 1)
    zero = jnp.zeros((), jnp.float32)
    above = jnp.where(is_granular, zero, cell.astype(jnp.float32))
    return _Grid(origin, extent, zoom, cell, zero, above)


def _shifts(grid: _Grid, smaller: Limbs, num_cells: int) -> tuple[_Grid, Int[Array, " item"]]:
    """Whole cells by which each item moves a sum; what is left over widens the bounds."""
    coarse, fine = carry(*smaller)
    is_far = coarse >= grid.extent
    steps = _steps(grid._replace(origin=jnp.int32(0)), coarse, fine)
    shifts = (steps + grid.cell // 2) // grid.cell
    zoom_in, zoom_out = jnp.maximum(grid.zoom, 0), jnp.maximum(-grid.zoom, 0)
    rest = (coarse & ((1 << zoom_out) - 1)).astype(jnp.float32)
    rest += (fine & ((1 << (FINE_BITS - zoom_in)) - 1)).astype(jnp.float32) * 2.0**-FINE_BITS
    rest = jnp.ldexp(rest, grid.zoom) + (steps - shifts * grid.cell).astype(jnp.float32)
    rest = jnp.where(is_far, 0, rest) * (1 + 2.0**-16)  # exceeds the rounding of all of this
    above = grid.above + jnp.sum(jnp.maximum(rest, 0))
    below = grid.below + jnp.sum(jnp.maximum(-rest, 0))
    return grid._replace(above=above, below=below), jnp.where(is_far, num_cells, shifts)


def _steps(grid: _Grid, coarse: Int[Array, "*shape"], fine: Int[Array, "*shape"]):
    """Whole steps from the origin, cut at the extent."""
    away = jnp.clip(coarse - grid.origin, -1, grid.extent)
    zoom_in, zoom_out = jnp.maximum(grid.zoom, 0), jnp.maximum(-grid.zoom, 0)
    return (away << zoom_in | fine >> (FINE_BITS - zoom_in)) >> zoom_out


def _limbs(grid: _Grid, steps: Int[Array, " run"]) -> Limbs:
    """The place that lies some steps above the origin."""
    zoom_in, zoom_out = jnp.maximum(grid.zoom, 0), jnp.maximum(-grid.zoom, 0)
    coarse = grid.origin + ((steps >> zoom_in) << zoom_out)
    return coarse, (steps & ((1 << zoom_in) - 1)) << (FINE_BITS - zoom_in)


def _radius(grid: _Grid, length: Int[Array, "*run"]) -> Float[Array, "*run"]:
    """Half the distance, in quanta, of the sums on both sides of a run of cells, at most."""
    steps = (grid.cell * (length + 1)).astype(jnp.float32) + (grid.above + grid.below)
    return jnp.ldexp(steps, -grid.zoom) / 2
