"""Batches of vector subset sums over all subsets, up to 64 items: nearest, any, or all within.

Each is an exact search (`branch_and_bound`) in the norm max_i abs(x_i), and says so where a limit
ended it first. Sums are right to a relative 2**-22 and to 2**-46 of the sum of all magnitudes.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.subset_sum.branch_and_bound import MOST_NODES, MaskVisitor, fold_all_subsets
from lottery_jax.subset_sum.fold_subsets import Window
from lottery_jax.subset_sum.local_search import local_minimum

_SETTINGS = ("pairs", "block", "lanes")  # compiled in


class Nearest(NamedTuple):
    """For each instance the subset whose sum is nearest to the target."""

    mask: Bool[Array, "batch item"]  # True where the item is kept
    error: Float[Array, " batch"]  # of this subset, in the target's units
    error_low: Float[Array, " batch"]  # no subset has a smaller error
    is_exact: Bool[Array, " batch"]  # True where the search came to its end: the two agree
    nodes: Int[Array, " batch"]  # partial subsets expanded


class Existence(NamedTuple):
    """For each instance whether some subset is within the tolerance."""

    exists: Bool[Array, " batch"]  # meaningful where decided
    is_decided: Bool[Array, " batch"]  # False where rounding or the limit leaves it open
    mask: Bool[Array, "batch item"]  # a subset certainly within the tolerance, where one exists
    nodes: Int[Array, " batch"]


class AllWithin(NamedTuple):
    """For each instance the subsets within the tolerance."""

    masks: Bool[Array, "batch capacity item"]  # the first `count`; then rows that keep nothing
    count: Int[Array, " batch"]  # type: ignore[override]  # how many there are, listed or not
    has_overflowed: Bool[Array, " batch"]  # True where there are more than the capacity lists
    is_cut_off: Bool[Array, " batch"]  # True where the limit ended the search: some may be missing
    nodes: Int[Array, " batch"]


@functools.partial(jax.jit, static_argnames=("starts", *_SETTINGS))
def nearest_of_all(
    items: Float[Array, "batch item dim"],
    targets: Float[Array, "batch dim"],
    num_items: Int[Array, " batch"] | None = None,
    *,
    starts: int = 16,
    pairs: int = 1,
    block: int = 64,
    max_nodes: int | Int[Array, ""] = MOST_NODES,
    lanes: int = 1,
) -> Nearest:
    """The subset of each instance whose sum is nearest to its target, over all subsets.

    Parameters
    ----------
    items, targets
        Finite, in the same units, taken in float32; at most 64 items, dim >= 1. No checks.
    num_items
        How many items of each instance take part, 0 to item; all if None.
    starts
        Of the local search for the first limit.
    pairs, block, max_nodes, lanes
        As in `fold_all_subsets`.

    Returns
    -------
    Nearest
        Where the search was cut off, `error` is an upper limit and `error_low` is 0.

    Notes
    -----
    Cost: see `fold_all_subsets`; for random items the nodes grow exponentially with their number.

    Examples
    --------
    >>> items = jnp.array([[[3.0, 0.0], [5.0, 1.0], [9.0, 1.0]]])
    >>> best = nearest_of_all(items, jnp.array([[13.25, 1.5]]))
    >>> best.mask.tolist(), best.error.tolist(), best.is_exact.tolist()
    ([[False, True, True]], [0.75], [True])
    """
    items, targets, num_items = _prepared(items, targets, num_items)
    first = lax.map(lambda i: local_minimum(*i, starts=starts), (items, targets, num_items))
    visitor = MaskVisitor(
        window=lambda best: _window(best[1], targets.shape[1:]),
        accept=lambda best, sums: _largest(sums) < best[1],
        visit=_keep_best,
        is_done=lambda best: best[1] == 0,
    )
    (mask, error), effort = fold_all_subsets(
        items,
        num_items,
        (first.mask, first.error),
        visitor,
        start=-targets,
        pairs=pairs,
        block=block,
        max_nodes=max_nodes,
        lanes=lanes,
    )
    error_low = jnp.where(effort.is_cut_off, 0, error)
    return Nearest(mask, error, error_low, ~effort.is_cut_off, effort.nodes)


@functools.partial(jax.jit, static_argnames=_SETTINGS)
def exists_within(
    items: Float[Array, "batch item dim"],
    targets: Float[Array, "batch dim"],
    tolerances: Float[Array, " batch"],
    num_items: Int[Array, " batch"] | None = None,
    *,
    groups: Int[Array, "batch item"] | None = None,
    max_kept: int | Int[Array, ""] | None = None,
    pairs: int = 1,
    block: int = 64,
    max_nodes: int | Int[Array, ""] = MOST_NODES,
    lanes: int = 1,
) -> Existence:
    """Whether a subset of each instance has a sum within the tolerance of its target.

    The search of an instance ends at the first subset that is certainly within. A subset whose
    error differs from the tolerance by less than 2**-21 of it and 2**-45 of the sum of all
    magnitudes certainly is neither; where there are only such, the answer is open.

    Parameters
    ----------
    items, targets, num_items
        As in `nearest_of_all`.
    tolerances
        Largest distances in the max norm, positive, in the same units.
    groups, max_kept, pairs, block, max_nodes, lanes
        As in `fold_all_subsets`.

    Examples
    --------
    >>> items, target = jnp.array([[[3.0], [5.0], [9.0]]]), jnp.array([[13.0]])
    >>> for tolerance in (0.5, 1.5):
    ...     answer = exists_within(items, target, jnp.array([tolerance]))
    ...     print(answer.exists.tolist(), answer.is_decided.tolist(), answer.mask.tolist())
    [False] [True] [[False, False, False]]
    [True] [True] [[False, True, True]]
    """
    items, targets, num_items = _prepared(items, targets, num_items)
    tolerances = tolerances.astype(jnp.float32)
    total = jnp.max(jnp.sum(jnp.abs(items), axis=1) + jnp.abs(targets), axis=1)
    band = 2.0**-21 * tolerances + 2.0**-45 * total

    def visit(state, masks, sums, is_found):
        mask, is_certain, _, tolerance, band = state
        errors = jnp.where(is_found, _largest(sums), jnp.float32(jnp.inf))
        best = jnp.argmin(errors)
        is_hit = errors[best] <= tolerance - band
        mask = jnp.where(is_hit, masks[best], mask)
        return mask, is_certain | is_hit, jnp.array(True), tolerance, band

    visitor = MaskVisitor(
        window=lambda state: _window(state[3] + state[4], targets.shape[1:]),
        accept=lambda state, sums: _largest(sums) <= state[3] + state[4],
        visit=visit,
        is_done=lambda state: state[1],
    )
    no = jnp.zeros(items.shape[:1], bool)
    state, effort = fold_all_subsets(
        items,
        num_items,
        (jnp.zeros(items.shape[:2], bool), no, no, tolerances, band),
        visitor,
        start=-targets,
        groups=groups,
        max_kept=max_kept,
        pairs=pairs,
        block=block,
        max_nodes=max_nodes,
        lanes=lanes,
    )
    mask, is_certain, is_possible = state[:3]
    is_decided = is_certain | (~is_possible & ~effort.is_cut_off)
    return Existence(is_certain, is_decided, mask, effort.nodes)


@functools.partial(jax.jit, static_argnames=("capacity", "leading", *_SETTINGS))
def all_within(
    items: Float[Array, "batch item dim"],
    targets: Float[Array, "batch dim"],
    tolerances: Float[Array, " batch"],
    num_items: Int[Array, " batch"] | None = None,
    *,
    capacity: int = 1024,
    leading: int = 0,
    leading_tolerance: float | Float[Array, ""] = math.inf,
    groups: Int[Array, "batch item"] | None = None,
    max_kept: int | Int[Array, ""] | None = None,
    pairs: int = 1,
    block: int = 64,
    max_nodes: int | Int[Array, ""] = MOST_NODES,
    lanes: int = 1,
) -> AllWithin:
    """Every subset of each instance whose sum is within the tolerance of its target.

    Parameters
    ----------
    items, targets, num_items, tolerances
        As in `exists_within`; errors are compared with the tolerance in float32.
    capacity
        How many subsets are listed; all are counted.
    leading, leading_tolerance
        The Euclidean norm of the first `leading` coordinates of the difference must not exceed
        `leading_tolerance` either.
    groups, max_kept, pairs, block, max_nodes, lanes
        As in `fold_all_subsets`.

    Examples
    --------
    >>> items = jnp.array([[[1.0], [2.0], [4.0]]])
    >>> found = all_within(items, jnp.array([[3.0]]), jnp.array([0.5]), capacity=2)
    >>> found.masks.tolist(), found.count.tolist()
    ([[[True, True, False], [False, False, False]]], [1])
    """
    items, targets, num_items = _prepared(items, targets, num_items)
    tolerances = tolerances.astype(jnp.float32)
    reach = jnp.asarray(leading_tolerance, jnp.float32)

    def window(state) -> Window:
        # A leading coordinate differs by no more than the norm of all of them.
        is_leading = jnp.arange(targets.shape[1], dtype=jnp.int32) < leading
        half = jnp.where(is_leading, jnp.minimum(state[2], reach * (1 + 1e-6)), state[2])
        return Window(-half, half)

    def accept(state, sums: Float[Array, "found dim"]) -> Bool[Array, " found"]:
        distance = jnp.linalg.norm(sums[:, :leading], axis=1)
        return (_largest(sums) <= state[2]) & (distance <= reach)

    def visit(state, masks, sums, is_found):
        listed, count, tolerance = state
        place = jnp.where(is_found, count + jnp.cumsum(is_found, dtype=jnp.int32) - 1, capacity)
        listed = listed.at[place].set(masks, mode="drop")
        return listed, count + jnp.sum(is_found, dtype=jnp.int32), tolerance

    batch, item = items.shape[:2]
    nothing = jnp.zeros((batch, capacity, item), bool), jnp.zeros((batch,), jnp.int32), tolerances
    (masks, count, _), effort = fold_all_subsets(
        items,
        num_items,
        nothing,
        MaskVisitor(window, accept, visit, lambda state: jnp.array(False)),
        start=-targets,
        groups=groups,
        max_kept=max_kept,
        pairs=pairs,
        block=block,
        max_nodes=max_nodes,
        lanes=lanes,
    )
    return AllWithin(masks, count, count > capacity, effort.is_cut_off, effort.nodes)


def _prepared(items, targets, num_items):
    items, targets = items.astype(jnp.float32), targets.astype(jnp.float32)
    batch, item = items.shape[:2]
    if num_items is None:
        return items, targets, jnp.full((batch,), item, jnp.int32)
    return items, targets, num_items.astype(jnp.int32)


def _window(half: Float[Array, ""], shape: tuple[int, ...]) -> Window:
    """The box of that half width around zero."""
    return Window(jnp.full(shape, -half), jnp.full(shape, half))


def _largest(sums: Float[Array, "found dim"]) -> Float[Array, " found"]:
    return jnp.max(jnp.abs(sums), axis=1)


def _keep_best(best, masks, sums, is_found):
    errors = jnp.where(is_found, _largest(sums), jnp.float32(jnp.inf))
    nearest = jnp.argmin(errors)
    is_better = errors[nearest] < best[1]
    return jnp.where(is_better, masks[nearest], best[0]), jnp.minimum(errors[nearest], best[1])
