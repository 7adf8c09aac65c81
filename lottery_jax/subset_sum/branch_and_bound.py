"""Exact search over all subsets of up to 64 vectors whose sum lies in a box, depth first.

The items are decided four at a time, longest first. A partial subset is dropped when in some row
its sum plus the most, or the least, that the undecided items could add misses the box. The rows are
the coordinates and, for a few pairs of them, their sum and their difference, whose ranges are
narrower than those of the coordinates would allow.

Up to `block` partial subsets of equal depth are expanded at once, as one dense tile of their 16
children each, which only marks the children that survive. These are made, `block` at a time and
deepest first, when their turn comes. So a level never holds more than the children of one block:
memory is fixed beforehand, nothing overflows, and every subset inside the box is met, once. All
members of a block belong to one instance and depth, so that a tile needs the same few numbers in
all its columns.

Sums are integers of 28 bits (`fixed_point`) that differ from the true ones by a known margin, by
which the box is widened; the sums that reach the caller are taken from all bits of the input.

Cost: for each partial subset expanded, 16 (dim + 2 pairs dim) comparisons of integers. How many
there are depends on the instance, and is exponential where the box is wide.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt

from lottery_jax.subset_sum.decision_levels import (
    CHILDREN,
    STEP,
    Levels,
    LevelTests,
    all_rows,
    build_levels,
    place_box,
)
from lottery_jax.subset_sum.fixed_point import FINE_BITS

MAX_ITEMS = 64
MOST_NODES = 2**30
_FINE_BITS = FINE_BITS[4]


class MaskVisitor(NamedTuple):
    """What the caller does with the subsets found for one instance; `state` is any pytree."""

    window: Callable  # state -> Window: contains all that is accepted; may shrink, never grow
    accept: Callable  # (state, sums [found dim]) -> Bool[found]: the full test
    visit: Callable  # (state, masks Bool[found item], sums [found dim], is_found [found]) -> state
    is_done: Callable  # state -> Bool[]: True ends the search early


class Effort(NamedTuple):
    """What the search of each instance cost, and whether it came to its end."""

    nodes: Int[Array, " batch"]  # partial subsets expanded
    is_cut_off: Bool[Array, " batch"]  # True where the limit ended it: subsets may be missing


class _Turn(NamedTuple):
    """Survivors of one block, whose turn it is to be made."""

    level: Int[Array, ""]  # how many levels are decided in their parents
    source: Int[Array, "entry column"]  # the record of the block of their parents
    first: Int[Array, ""]  # the number of the first of them
    size: Int[Array, ""]  # how many they are; 0 where nothing is left to do


class _Stack(NamedTuple):
    """The block expanded last at each level, and how many of its children are not yet made.

    The record of a block is its sums, its masks as two words, and two rows more: bit c of a mark
    is set where child c survived, and an end counts the survivors up to its column.
    """

    records: Int[Array, "level entry column"]
    waiting: Int[Array, " level"]
    nodes: Int[Array, ""]  # partial subsets expanded


def fold_all_subsets(
    items: Float[Array, "batch item dim"],
    num_items: Int[Array, " batch"],
    state: Any,
    visitor: MaskVisitor,
    *,
    start: Float[Array, "batch dim"] | None = None,
    groups: Int[Array, "batch item"] | None = None,
    max_kept: int | Int[Array, ""] | None = None,
    pairs: int = 1,
    block: int = 64,
    handed: int = 64,
    max_nodes: int | Int[Array, ""] = MOST_NODES,
    lanes: int = 1,
) -> tuple[Any, Effort]:
    """Visit every subset of the first `num_items` items that is accepted.

    Traceable and without checks: the form for use inside a compiled trial.

    Parameters
    ----------
    items
        Vectors, float32, at most 64 of at least one coordinate, all in the same units; those from
        number `num_items` on are ignored. Each instance is searched by itself.
    num_items
        How many items take part; traced, so that a sweep over widths compiles once.
    state
        What the caller accumulates; every leaf has the batch axis first. The visitor sees one
        instance, without this axis.
    visitor
        The box, the full test of a sum, and what to do with accepted subsets. Sums are correct to
        2**-22 of themselves and 2**-46 of the sum of all magnitudes; the box is widened here by
        more than that. Bounds may be infinite.
    start
        The sum of the empty subset, in place of zero: give minus the target to have differences
        that are as exact as sums.
    groups
        Group numbers, not negative: at most one item of each group is kept.
    max_kept
        Largest number of items kept; any number if None.
    pairs
        Each coordinate is paired with that many next ones, cyclically. More pairs drop more partial
        subsets and cost more for each; 0, 1 and 2 are sensible.
    block
        Partial subsets expanded at a time; a power of two.
    handed
        Subsets handed to the visitor at a time, at most `block`; those that it visits may be fewer.
    max_nodes
        How many partial subsets may be expanded before the search of an instance is given up.
    lanes
        Instances searched in lockstep. 1 is best on a CPU.

    Returns
    -------
    state, effort
        The state after every accepted subset was visited once, in no particular order. Where
        `effort.is_cut_off`, or where `is_done` ended the search, some were not visited.

    Examples
    --------
    Count the subsets of three numbers with sums between 2 and 4:

    >>> from lottery_jax.subset_sum.fold_subsets import Window
    >>> visitor = MaskVisitor(
    ...     window=lambda count: Window(jnp.array([2.0]), jnp.array([4.0])),
    ...     accept=lambda count, sums: (sums[:, 0] >= 2) & (sums[:, 0] <= 4),
    ...     visit=lambda count, masks, sums, is_found: count + jnp.sum(is_found, dtype=jnp.int32),
    ...     is_done=lambda count: jnp.array(False),
    ... )
    >>> items = jnp.array([[[1.0], [2.0], [3.0]]])
    >>> zero = jnp.zeros((1,), jnp.int32)
    >>> count, effort = fold_all_subsets(items, jnp.array([3], jnp.int32), zero, visitor)
    >>> count.tolist(), effort.is_cut_off.tolist()
    ([4], [False])
    """
    items = items.astype(jnp.float32)
    start = jnp.zeros(items.shape[::2], jnp.float32) if start is None else start

    def solve(instance):
        items, num_items, state, start, groups = instance
        levels = build_levels(items, num_items, start.astype(jnp.float32), groups, pairs)
        search = _Search(levels, visitor, max_kept, pairs, block, min(handed, block), max_nodes)
        return search.run(state)

    instances = items, num_items, state, start, groups
    return lax.map(solve, instances, batch_size=None if lanes == 1 else lanes)


class _Search:
    """The search of one instance."""

    def __init__(
        self,
        levels: Levels,
        visitor: MaskVisitor,
        max_kept: int | Int[Array, ""] | None,
        pairs: int,
        block: int,
        handed: int,
        max_nodes: int | Int[Array, ""],
    ):
        self.levels, self.visitor, self.max_kept, self.pairs = levels, visitor, max_kept, pairs
        self.block, self.handed, self.max_nodes = block, handed, max_nodes
        self.depth, self.dim = levels.coordinates.shape[0], levels.coordinates.shape[2] - 2
        self.column = jnp.arange(block, dtype=jnp.int32)

    def run(self, state) -> tuple[Any, Effort]:
        """Search to the end, to `is_done`, or to the limit."""
        root = jnp.concatenate([-self.levels.fixed.target, jnp.array([0, 0, 1, 1], jnp.int32)])
        root = jnp.broadcast_to(root[:, None], (self.dim + 4, self.block))
        turn = _Turn(jnp.int32(-1), root, jnp.int32(0), jnp.int32(1))
        stack = _Stack(
            records=jnp.zeros((self.depth, self.dim + 4, self.block), jnp.int32),
            waiting=jnp.zeros((self.depth,), jnp.int32),
            nodes=jnp.int32(0),
        )

        def collect(carry):
            """Expand until a block is complete or nothing is left, and visit the block."""
            state, tests, stack, turn, _ = carry
            stack, turn = lax.while_loop(
                lambda c: (c[1].size > 0) & ~self.is_complete(c[1]) & ~self.is_over(c[0]),
                lambda c: self.expand(tests, *c),
                (stack, turn),
            )
            has_found = (turn.size > 0) & self.is_complete(turn)
            state, tests = lax.cond(
                has_found, lambda: self.visit(state, tests, turn), lambda: (state, tests)
            )
            is_stopped = (turn.size > 0) & ~has_found
            return state, tests, *self.next_turn(stack), is_stopped

        def is_open(state, stack: _Stack, turn: _Turn) -> Bool[Array, ""]:
            return (turn.size > 0) & ~self.visitor.is_done(state) & ~self.is_over(stack)

        state, _, stack, turn, is_stopped = lax.while_loop(
            lambda c: is_open(c[0], c[2], c[3]),
            collect,
            (state, self.tests(state), stack, turn, jnp.array(False)),
        )
        is_unfinished = (turn.size > 0) | is_stopped
        return state, Effort(stack.nodes, is_unfinished & ~self.visitor.is_done(state))

    def tests(self, state) -> LevelTests:
        return place_box(self.levels, self.visitor.window(state), self.pairs)

    def is_over(self, stack: _Stack) -> Bool[Array, ""]:
        return stack.nodes >= self.max_nodes

    def is_complete(self, turn: _Turn) -> Bool[Array, ""]:
        """True where the survivors have no item left to decide."""
        return turn.level + 1 == self.levels.num_levels

    def expand(self, tests: LevelTests, stack: _Stack, turn: _Turn) -> tuple[_Stack, _Turn]:
        """Make a block, mark its children that survive, and see whose turn is next."""
        entries, level = self.make(turn), turn.level + 1
        marks = jnp.where(self.column < turn.size, self.mark(tests, level, entries), 0)
        ends = jnp.cumsum(lax.population_count(marks).astype(jnp.int32), dtype=jnp.int32)
        record = jnp.concatenate([entries, marks.astype(jnp.int32)[None], ends[None]])
        is_level = jnp.arange(self.depth, dtype=jnp.int32) == level
        stack = _Stack(
            records=lax.dynamic_update_index_in_dim(stack.records, record, level, 0),
            waiting=jnp.where(is_level, ends[-1], stack.waiting),
            nodes=stack.nodes + turn.size,
        )
        return self.next_turn(stack)

    def next_turn(self, stack: _Stack) -> tuple[_Stack, _Turn]:
        """The deepest survivors that wait, as many as fill a block."""
        number = jnp.arange(self.depth, dtype=jnp.int32)
        level = jnp.maximum(jnp.max(jnp.where(stack.waiting > 0, number, -1)), 0)
        waiting = _at(stack.waiting, level)
        source = _at(stack.records, level)
        size = jnp.minimum(waiting, self.block)
        left = jnp.where(number == level, stack.waiting - size, stack.waiting)
        return stack._replace(waiting=left), _Turn(level, source, source[-1, -1] - waiting, size)

    def mark(
        self, tests: LevelTests, level: Int[Array, ""], entries: Int[Array, "entry column"]
    ) -> UInt[Array, " column"]:
        """Bit c is set where child c of the column lies in the box in every row."""
        sums, masks = entries[: self.dim], entries[self.dim :].astype(jnp.uint32)
        # Asks for these to be ready before the tile is computed, instead of again for every child.
        sums, shift, half = lax.optimization_barrier(
            (all_rows(sums, self.pairs), _at(tests.shift, level), _at(tests.half, level))
        )
        inside = half[0] - jnp.abs(sums[0][None] + shift[0][:, None])  # negative: outside
        for row in range(1, sums.shape[0]):
            inside |= half[row] - jnp.abs(sums[row][None] + shift[row][:, None])
        if self.max_kept is not None:
            child = jnp.arange(CHILDREN, dtype=jnp.int32)
            kept = jnp.sum(lax.population_count(masks).astype(jnp.int32), axis=0, dtype=jnp.int32)
            kept = kept[None] + lax.population_count(child)[:, None]
            inside |= jnp.asarray(self.max_kept, jnp.int32) - kept
        bit = (jnp.uint32(1) << jnp.arange(CHILDREN, dtype=jnp.uint32))[:, None]
        marked = jnp.where(lax.optimization_barrier(inside) >= 0, bit, jnp.uint32(0))
        marks = lax.reduce(marked, np.uint32(0), lax.bitwise_or, (0,))
        has_begun = jnp.any((masks & _at(self.levels.begun, level)[:, None]) != 0, axis=0)
        barred = jnp.where(has_begun, _at(self.levels.resumed, level), jnp.uint32(0))
        return marks & ~(barred | _at(self.levels.barred, level))

    def make(self, turn: _Turn) -> Int[Array, "entry column"]:
        """The sums and masks of the survivors of a turn, in the order of their parents.

        The parent is found by bisection in the ends, the child by bisection in the mark.
        """
        ends, marks = turn.source[-1], turn.source[-2].astype(jnp.uint32)
        rank = turn.first + self.column
        parent = jnp.zeros((self.block,), jnp.int32)
        half = self.block // 2
        while half:
            is_later = _take(ends, parent + half - 1) <= rank
            parent = jnp.where(is_later, parent + half, parent)
            half //= 2
        mark = _take(marks, parent)
        rank = rank - (_take(ends, parent) - lax.population_count(mark).astype(jnp.int32))
        child = jnp.zeros((self.block,), jnp.int32)
        for half in (8, 4, 2, 1):
            low = mark >> child.astype(jnp.uint32) & jnp.uint32((1 << half) - 1)
            below = lax.population_count(low).astype(jnp.int32)
            is_later = below <= rank
            rank = jnp.where(is_later, rank - below, rank)
            child = jnp.where(is_later, child + half, child)
        entries = turn.source[:-2].at[:, parent].get(mode="promise_in_bounds")
        added = _at(self.levels.coordinates, jnp.maximum(turn.level, 0))
        for step in range(STEP):
            is_kept = (child >> step & 1) == 1
            entries = entries + jnp.where(is_kept[None], added[step][:, None], 0)
        return entries

    def visit(self, state, tests: LevelTests, turn: _Turn):
        """Test complete subsets in full, and hand those that are accepted over."""
        fixed, entries = self.levels.fixed, self.make(turn)
        words = entries[self.dim :]
        word = jnp.where((self.levels.place < 32)[:, None], words[0][None], words[1][None])
        masks = (word >> (self.levels.place % 32)[:, None] & 1) == 1  # [item, column]
        fine = jnp.where(masks[:, None], fixed.fine_items[:, :, None], 0)
        fine = jnp.sum(fine, axis=0, dtype=jnp.int32) - fixed.fine_target[:, None]
        coarse = entries[: self.dim] + (fine >> _FINE_BITS)
        rest = (fine & (2**_FINE_BITS - 1)).astype(jnp.float32) * 2.0**-_FINE_BITS
        sums = coarse.astype(jnp.float32) + rest
        sums = jnp.ldexp(sums, jnp.broadcast_to(-fixed.shift, sums.shape)).T
        masks = masks.T
        is_subset = self.column < turn.size

        def hand(carry):
            state, is_left = carry
            number = jnp.cumsum(is_left, dtype=jnp.int32) - 1
            slot = jnp.arange(self.handed, dtype=jnp.int32)
            is_it = is_left[None] & (number[None] == slot[:, None])
            which = jnp.sum(jnp.where(is_it, self.column[None], 0), axis=1, dtype=jnp.int32)
            is_found = jnp.any(is_it, axis=1)
            state = self.visitor.visit(state, masks[which], sums[which], is_found)
            return state, is_left & (number >= self.handed)

        is_left = is_subset & self.visitor.accept(state, sums)
        has_any = jnp.any(is_left)
        state, _ = lax.while_loop(
            lambda c: jnp.any(c[1]) & ~self.visitor.is_done(c[0]), hand, (state, is_left)
        )
        return state, lax.cond(has_any, lambda: self.tests(state), lambda: tests)


def _at(table, level: Int[Array, ""]):
    """The entry of a level."""
    return lax.dynamic_index_in_dim(table, level, 0, keepdims=False)


def _take(values, places: Int[Array, " place"]):
    """The values at places that are known to exist."""
    return values.at[places].get(mode="promise_in_bounds")
