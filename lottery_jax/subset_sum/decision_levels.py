"""What a depth-first search over subsets knows beforehand: four items a level, longest first.

A row is a linear form of a sum in which it is compared with the box: the coordinates, and the sum
and the difference of a few pairs of them. The range that the items after a level can still add is
kept for every row and level; a box and these ranges give the tests of all levels.
"""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt

from lottery_jax.subset_sum.fixed_point import FixedPoint, quantize
from lottery_jax.subset_sum.fold_subsets import Window

STEP = 4  # items decided at a level
CHILDREN = 2**STEP
_FAR = 2.0**30  # beyond every sum, and exact in float32
# Bit c of word s is set where child c keeps item s of its level.
KEEPING = tuple(sum(1 << c for c in range(CHILDREN) if c >> s & 1) for s in range(STEP))


class Levels(NamedTuple):
    """An instance, prepared. The items stand in the order in which they are decided."""

    fixed: FixedPoint  # in the caller's order
    place: Int[Array, " item"]  # where an item of the caller stands in the order of decision
    num_levels: Int[Array, ""]  # levels that decide an item that takes part
    coordinates: Int[Array, "level step entry"]  # of each item: the coordinates, and its mask bit
    children: Int[Array, "level row child"]  # what each child adds to each row
    above: Int[Array, "level row"]  # the most that the items after the level can add
    below: Int[Array, "level row"]  # the most that they can take away
    least: Int[Array, " row"]  # the range of all sums
    most: Int[Array, " row"]
    barred: UInt[Array, " level"]  # bit c: child c keeps an item that is absent, or two of a group
    begun: UInt[Array, "level word"]  # members, before the level, of the group that it cuts
    resumed: UInt[Array, " level"]  # bit c: child c keeps an item of that group


class LevelTests(NamedTuple):
    """The box, as one test for each level, row and child: abs(sum + shift) <= half."""

    shift: Int[Array, "level row child"]
    half: Int[Array, "level row"]


def build_levels(
    items: Float[Array, "item dim"],
    num_items: Int[Array, ""],
    start: Float[Array, " dim"],
    groups: Int[Array, " item"] | None,
    pairs: int,
) -> Levels:
    """Everything about the instance that does not depend on the box.

    Parameters
    ----------
    items, num_items
        Vectors, and how many of them take part.
    start
        Sum of the empty subset.
    groups
        Group number of each item, or None; at most one item of a group may be kept.
    pairs
        Each coordinate is paired with that many next ones, cyclically.
    """
    capacity, dim = items.shape
    depth = max(-(-capacity // STEP), 1)
    in_use = jnp.arange(capacity, dtype=jnp.int32) < num_items
    fixed = quantize(jnp.where(in_use[:, None], items, 0), -start, shared=True)
    place = _places(fixed.items, in_use, groups)
    position = jnp.arange(depth * STEP, dtype=jnp.int32)
    is_at = place[None] == position[:, None]  # [position, item]

    number = jnp.arange(capacity, dtype=jnp.int32)
    order = jnp.sum(jnp.where(is_at, number[None], 0), axis=1, dtype=jnp.int32)
    is_item = position < num_items
    ordered = jnp.where(is_item[None], fixed.items.T[:, order], 0)  # [dim, position]
    rows = all_rows(ordered, pairs)
    rises, falls = jnp.maximum(rows, 0), jnp.maximum(-rows, 0)
    bits = jnp.int32(1) << (position % 32)
    low, high = jnp.where(position < 32, bits, 0), jnp.where(position < 32, 0, bits)
    coordinates = jnp.concatenate([ordered, low[None], high[None]])
    absent = (~is_item).reshape(depth, STEP)
    barred = _union(jnp.where(absent, jnp.array(KEEPING, jnp.uint32)[None], 0))
    begun = jnp.zeros((depth, 2), jnp.uint32)
    resumed = jnp.zeros((depth,), jnp.uint32)
    if groups is not None:
        member = jnp.where(is_item, groups[order], -1 - position)
        rises, falls = _one_of_each(rises, member), _one_of_each(falls, member)
        by_level = member.reshape(depth, STEP)
        for first, second in itertools.combinations(range(STEP), 2):
            both = KEEPING[first] & KEEPING[second]
            is_shared = by_level[:, first] == by_level[:, second]
            barred |= jnp.where(is_shared, jnp.uint32(both), 0)
        cut = jnp.concatenate([jnp.full((1,), jnp.iinfo(jnp.int32).min), by_level[:-1, -1]])
        is_resumed = by_level == cut[:, None]
        resumed = _union(jnp.where(is_resumed, jnp.array(KEEPING, jnp.uint32)[None], 0))
        is_before = position[None] < STEP * jnp.arange(depth, dtype=jnp.int32)[:, None]
        is_begun = is_before & (member[None] == cut[:, None])
        words = jnp.stack([low, high]).astype(jnp.uint32)
        begun = jnp.sum(jnp.where(is_begun[:, None], words[None], 0), axis=2, dtype=jnp.uint32)
    above, all_rises = _after(rises.reshape(-1, depth, STEP))
    below, all_falls = _after(falls.reshape(-1, depth, STEP))
    origin = all_rows(-fixed.target[:, None], pairs)[:, 0]
    return Levels(
        fixed=fixed,
        place=place,
        num_levels=(num_items + STEP - 1) // STEP,
        coordinates=jnp.transpose(coordinates.reshape(dim + 2, depth, STEP), (1, 2, 0)),
        children=_children(rows.reshape(-1, depth, STEP)),
        above=above,
        below=below,
        least=origin - all_falls,
        most=origin + all_rises,
        barred=barred,
        begun=begun,
        resumed=resumed,
    )


def place_box(levels: Levels, box: Window, pairs: int) -> LevelTests:
    """The tests that no partial subset of an accepted one can fail."""
    fixed = levels.fixed
    margin = jnp.max(fixed.margin) + 2

    def scaled(bound: Float[Array, " dim"], side: int) -> Int[Array, " dim"]:
        """In quanta, moved outwards by the margin and the rounding of the caller's sums."""
        bound = jnp.ldexp(bound.astype(jnp.float32), jnp.broadcast_to(fixed.shift, bound.shape))
        bound = bound + side * (margin + 2.0**-20 * jnp.abs(bound))
        bound = jnp.floor(bound) if side < 0 else jnp.ceil(bound)
        # The order of these comparisons sends a bound that is not a number outwards.
        return jnp.where(jnp.abs(bound) < _FAR, bound, jnp.where(bound > 0, _FAR, -_FAR)).astype(
            jnp.int32
        )

    dim = box.lower.shape[0]
    least, most = levels.least[:dim], levels.most[:dim]
    lower = jnp.clip(scaled(box.lower, -1), least, most + 1)
    upper = jnp.clip(scaled(box.upper, 1), least - 1, most)
    first, second = _pairs(dim, pairs)
    lower = jnp.concatenate([lower, lower[first] + lower[second], lower[first] - upper[second]])
    upper = jnp.concatenate([upper, upper[first] + upper[second], upper[first] - lower[second]])
    lower = jnp.clip(lower, levels.least, levels.most + 1)
    upper = jnp.clip(upper, levels.least - 1, levels.most)
    # A partial sum must lie between these; no sum exceeds 2**29 here, so nothing wraps around.
    lowest, highest = lower[None] - levels.above, upper[None] + levels.below
    middle = (lowest + highest) >> 1
    return LevelTests(levels.children - middle[:, :, None], highest - middle)


def all_rows(values: Int[Array, "dim column"], pairs: int) -> Int[Array, "row column"]:
    """The rows of coordinates: themselves, and the sums and the differences of the pairs."""
    first, second = _pairs(values.shape[0], pairs)
    return jnp.concatenate([values, values[first] + values[second], values[first] - values[second]])


def _pairs(dim: int, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Each coordinate with the next `pairs` ones, cyclically, and no pair twice."""
    chosen = dict.fromkeys(
        tuple(sorted((axis, (axis + offset) % dim)))
        for offset in range(1, min(pairs, dim // 2) + 1)
        for axis in range(dim)
    )
    both = np.array(list(chosen), np.int32).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _places(
    items: Int[Array, "item dim"], in_use: Bool[Array, " item"], groups: Int[Array, " item"] | None
) -> Int[Array, " item"]:
    """Longest first, the members of a group together, and items that take no part last."""
    number = jnp.arange(items.shape[0], dtype=jnp.int32)
    length = jnp.sum((items.astype(jnp.float32) * 2.0**-28) ** 2, axis=1)
    length = jnp.where(in_use, length, -1)
    if groups is None:
        group = number
    else:
        group = jnp.where(in_use, groups, jnp.iinfo(jnp.int32).max)
        is_same = group[:, None] == group[None]
        length = jnp.max(jnp.where(is_same, length[None], -1), axis=1)
    is_longer = length[None] > length[:, None]
    is_earlier = (group[None] < group[:, None]) | (
        (group[None] == group[:, None]) & (number[None] < number[:, None])
    )
    precedes = is_longer | ((length[None] == length[:, None]) & is_earlier)
    return jnp.sum(precedes, axis=1, dtype=jnp.int32)


def _one_of_each(
    values: Int[Array, "row position"], member: Int[Array, " position"]
) -> Int[Array, "row position"]:
    """Shares that add up, from any position on, to the best choice of one item of each group."""
    position = jnp.arange(member.shape[0], dtype=jnp.int32)
    is_rest = (member[:, None] == member[None]) & (position[None] >= position[:, None])
    best = jnp.max(jnp.where(is_rest[None], values[:, None], 0), axis=2)
    is_followed = jnp.concatenate([member[:-1] == member[1:], jnp.zeros((1,), bool)])
    return best - jnp.where(is_followed[None], jnp.roll(best, -1, axis=1), 0)


def _after(
    shares: Int[Array, "row level step"],
) -> tuple[Int[Array, "level row"], Int[Array, " row"]]:
    """Sum of the shares after each level, and of all."""
    by_level = jnp.sum(shares, axis=2, dtype=jnp.int32)
    total = jnp.sum(by_level, axis=1, dtype=jnp.int32)
    return (total[:, None] - jnp.cumsum(by_level, axis=1, dtype=jnp.int32)).T, total


def _children(rows: Int[Array, "row level step"]) -> Int[Array, "level row child"]:
    """The sums of all subsets of the items of each level."""
    sums = jnp.zeros((*rows.shape[:2], 1), jnp.int32)
    for step in range(STEP):
        sums = jnp.concatenate([sums, sums + rows[:, :, step, None]], axis=2)
    return jnp.swapaxes(sums, 0, 1)


def _union(words: UInt[Array, "level step"]) -> UInt[Array, " level"]:
    return lax.reduce(words, np.uint32(0), lax.bitwise_or, (1,))
