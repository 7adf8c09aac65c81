"""All targets of an interval at once: how far from the subset sums can a target lie?

The farthest target is the middle of a gap between neighbouring sums, or an end of the interval. Up
to 14 items all sums are put in order; above, they mark cells of a grid (`gap_grid`). Either way the
sums are known up to a rounding error, which leaves few gaps that may be the longest. Each of them
is probed: its two sums are found exactly (`probes`). The gaps that are not probed are bounded from
above. Both ends of the interval are always probed.

Cost: all sums in order, about 2 n 2**n compare-exchanges; a grid of 2**(n + 1) cells (from 23
items on 2**24, from 25 on 2**n, at most 2**28), a sort of up to 2**16 cells and some 20 passes over
words of 32 cells; a probe, about n/2 * 2**(n/2) compare-exchanges.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.subset_sum.fixed_point import quantize
from lottery_jax.subset_sum.gap_grid import LARGER, num_cells_of, num_probes, search_grid
from lottery_jax.subset_sum.ordered_sums import FINE_BITS, carry, ordered_sums
from lottery_jax.subset_sum.probes import Farthest, Instance, farthest_beside, halves_of

MAX_ITEMS = 40
_ALL_IN_ORDER = 14  # up to here all sums are put in order
_PROBED = 6  # of the longest gaps that are equally long up to rounding


class Gap(NamedTuple):
    """How far a target of the interval can lie from the nearest subset sum.

    The covering radius, sup over t in [low, high] of min over S of abs(sum(S) - t), lies in
    [radius_low, radius_high]: every target is served within ε if radius_high <= ε, and `at` is not
    if radius_low > ε. Both are float32 numbers, accurate to a relative 2**-21 and to 2**-47 of the
    sum of all magnitudes, those of the items and of both ends.
    """

    radius_low: Float[Array, ""]  # the distance of `at` from all subset sums
    radius_high: Float[Array, ""]  # no target of the interval is farther from all of them
    at: Float[Array, ""]  # a target of the interval, rounded to float32
    is_exact: Bool[Array, ""]  # True where both radii are equal


@jax.jit
def largest_gap(items: Float[Array, " item"], low: Float[Array, ""], high: Float[Array, ""]) -> Gap:
    """The covering radius of the subset sums over an interval; traceable, and without checks.

    Parameters
    ----------
    items
        At most 40 finite numbers, taken in float32. The empty subset counts.
    low, high
        The ends of the interval, low <= high, in the units of the items. Both belong to it: where
        an end has sums on one side only, its distance counts in full.

    Returns
    -------
    Gap
        Up to 28 items with sums all over the interval, `is_exact` holds but for ties of many gaps.
        With more items the cells are coarser than the gaps: radius_high is then a few cells of
        2**-28 of the interval, and radius_low only the distance of an end.

    Raises
    ------
    ValueError
        For more than 40 items.

    Notes
    -----
    `jax.vmap` runs instances of up to 14 items in tiles with the batch axis last, larger ones one
    after the other. `gap_bytes` says how much memory this takes.

    Examples
    --------
    >>> gap = largest_gap(jnp.array([0.5, 0.25]), jnp.array(0.0), jnp.array(1.0))
    >>> float(gap.radius_low), float(gap.radius_high), float(gap.at)  # 1 lies above all sums
    (0.25, 0.25, 1.0)
    """
    if items.shape[0] > MAX_ITEMS:
        raise ValueError(
            f"{items.shape=} needs lists of 2**{(items.shape[0] + 1) // 2} sums; above {MAX_ITEMS} "
            f"items give {MAX_ITEMS} of them: their radius_high holds for all"
        )
    return _largest_gap(*(number.astype(jnp.float32) for number in (items, low, high)))


def gap_bytes(num_items: int) -> int:
    """The most memory that `largest_gap` takes, in bytes, however many instances there are.

    Examples
    --------
    >>> gap_bytes(12) < gap_bytes(24) < 2**26
    True
    """
    if num_items <= _ALL_IN_ORDER:
        return 64 * 2**num_items * _lanes(num_items)
    grid = 8 * num_cells_of(num_items) // 8 + 32 * 2**LARGER
    return grid + 64 * 2 ** ((num_items + 1) // 2) * num_probes(num_items)


@jax.custom_batching.custom_vmap
def _largest_gap(items, low, high) -> Gap:
    """One instance as a batch of one."""
    gap = _gap_of_lanes(items[:, None], low[None], high[None])
    return jax.tree.map(lambda leaf: leaf[0], gap)


@_largest_gap.def_vmap
def _largest_gaps(axis_size, is_batched, *arguments):
    """Many instances, in tiles with the lane axis last."""
    lanes = min(axis_size, _lanes(arguments[0].shape[-1]))
    tiles = -(-axis_size // lanes)

    def split(argument, has_batch):
        if not has_batch:
            argument = jnp.broadcast_to(argument, (axis_size, *argument.shape))
        # The last tile is filled up with its last instance.
        index = jnp.minimum(jnp.arange(tiles * lanes, dtype=jnp.int32), axis_size - 1)
        return jnp.moveaxis(argument[index].reshape(tiles, lanes, *argument.shape[1:]), 1, -1)

    gaps = lax.map(lambda tile: _gap_of_lanes(*tile), tuple(map(split, arguments, is_batched)))
    gaps = jax.tree.map(lambda leaf: leaf.reshape(tiles * lanes)[:axis_size], gaps)
    return gaps, jax.tree.map(lambda _: True, gaps)


def _lanes(num_items: int) -> int:
    """Instances side by side: as many as stay in the cache of a core."""
    return min(64, max(32, 2**18 >> num_items)) if num_items <= _ALL_IN_ORDER else 1


def _gap_of_lanes(
    items: Float[Array, "item lane"], low: Float[Array, " lane"], high: Float[Array, " lane"]
) -> Gap:
    """Many instances; every field of the Gap has an axis "lane"."""
    numbers = jnp.concatenate([items, low[None], high[None]])
    fixed = quantize(numbers, jnp.zeros_like(low), shared=False)
    coarse, fine = fixed.items[:-2], fixed.fine_items[:-2]
    # To keep an item x < 0 is to leave out -x, with all sums moved by x.
    is_negative = (coarse < 0) | ((coarse == 0) & (fine < 0))
    move = (jnp.sum(jnp.where(is_negative, x, 0), axis=0, dtype=jnp.int32) for x in (coarse, fine))
    moved = tuple(limb[-2:] - x[None] for limb, x in zip(fixed[:4:2], move, strict=True))
    coarse, fine = (jnp.where(is_negative, -limb, limb) for limb in (coarse, fine))
    (lows, highs) = zip(*carry(*moved), strict=True)
    instance = Instance((coarse, fine), lows, highs)
    search = _search_in_order if len(items) <= _ALL_IN_ORDER else search_grid
    best, others = search(instance)
    return Gap(
        radius_low=jnp.ldexp(best.radius, -fixed.shift),
        radius_high=jnp.ldexp(jnp.maximum(best.radius, others), -fixed.shift),
        at=jnp.clip(low + jnp.ldexp(best.at, -fixed.shift), low, high),
        is_exact=best.radius >= others,
    )


def _search_in_order(instance: Instance) -> tuple[Farthest, Float[Array, " lane"]]:
    """The farthest target, and a bound on the distance of all others; quanta."""
    coarse, fine = instance.items
    zero = (jnp.zeros((1, coarse.shape[1]), jnp.int32),)
    (sums,) = ordered_sums(
        zero, lambda keys, k: (keys[0] + coarse[k][None],), len(coarse), num_compared=1
    )
    # A gap that goes on beyond an end is cut there. The ends are probed by themselves.
    ceil = instance.high[0] + (instance.high[1] > 0).astype(jnp.int32)
    sums = jnp.clip(sums, instance.low[0][None], ceil[None])
    # Fused into every line that reads them, they would be computed again and again.
    sums, lengths = lax.optimization_barrier((sums, sums[1:] - sums[:-1]))
    # Each length is off by no more than the fine limbs of all items together, so the longest gap
    # is among those that are shorter by twice as much.
    rest = jnp.sum(jnp.abs(fine).astype(jnp.float32), axis=0) * (1 + 2.0**-16) * 2.0**-FINE_BITS
    longest = jnp.max(lengths, axis=0, initial=0)
    least = longest - jnp.ceil(2 * rest).astype(jnp.int32) - (longest >> 20)
    place = jnp.arange(len(lengths), dtype=jnp.int32)[:, None]
    nowhere = jnp.int32(len(lengths))
    places = lax.optimization_barrier(jnp.where(lengths >= least[None], place, nowhere))
    halves = lax.optimization_barrier(halves_of(instance.items))

    def probe_next(at: Int[Array, " lane"], _):
        at = jnp.min(jnp.where(places > at[None], places, nowhere), axis=0, initial=nowhere)
        # Behind the last one this is an empty gap at the end of the list.
        before, after = (
            jnp.take_along_axis(sums, jnp.minimum(at + i, nowhere)[None], axis=0)[0] for i in (0, 1)
        )
        length = after - before
        middle = before + (length >> 1), (length & 1) << (FINE_BITS - 1)
        return at, farthest_beside(instance, halves, middle)

    at, of_gaps = lax.scan(probe_next, jnp.full_like(longest, -1), length=_PROBED)
    ends = (jnp.stack(limbs) for limbs in zip(instance.low, instance.high, strict=True))
    of_ends = lax.map(lambda end: farthest_beside(instance, halves, end), tuple(ends))
    found = jax.tree.map(lambda *both: jnp.concatenate(both), of_ends, of_gaps)
    best = jnp.argmax(found.radius, axis=0)
    best = Farthest(*(jnp.take_along_axis(field, best[None], axis=0)[0] for field in found))
    # A probe lies in its gap where it is far enough from both ends.
    is_open = jnp.any((places > at[None]) & (places < nowhere), axis=0)
    is_open |= longest.astype(jnp.float32) <= 4 * rest + 2
    others = jnp.where(is_open, longest, least).astype(jnp.float32) + rest
    return best, jnp.where(longest > 0, others / 2, 0)
