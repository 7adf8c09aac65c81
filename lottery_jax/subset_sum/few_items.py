"""Subsets of at most K of N vectors, K = 1..6: all within a tolerance, or the nearest one.

Both are exact searches over every subset (`fold_subsets`), for sums in float32: a subset has one
sum, that of its items added in ascending order, and a comparison is that of this sum.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.subset_sum.fold_subsets import (
    BATCH,
    MOST_ITEMS,
    Visitor,
    Window,
    fold_subsets,
)
from lottery_jax.subset_sum.near_subset import near_subset
from lottery_jax.subset_sum.problem import Match, Problem, vectors


class Found(NamedTuple):
    """The subsets within a tolerance; of a batch, with a leading axis."""

    # Ascending item numbers, filled up with N; then rows of N.
    subsets: Int[Array, "*batch capacity kept"]
    # How many there are, listed or not.
    count: Int[Array, "*batch"]  # type: ignore[override]
    has_overflowed: Bool[Array, "*batch"]  # True where there are more than the capacity lists


def few_items_within(
    items: Any,
    targets: Any,
    *,
    max_kept: int,
    tolerance: float,
    leading: int = 0,
    leading_tolerance: float = math.inf,
    groups: Any = None,
    capacity: int = 1024,
) -> Found:
    """Every subset of at most `max_kept` items whose sum is within `tolerance` of the target.

    Parameters
    ----------
    items
        Shape (item, dim), any units: at most 65536, 16384, 2048, 1000, 128 and 128 items
        where `max_kept` is 1, 2, 3, 4, 5 and 6. Shape (batch, item, dim) for many instances.
    targets
        Shape (dim,), same units, or (batch, dim).
    max_kept
        1 to 6. The empty subset counts.
    tolerance
        Largest distance in the max norm, in the same units; positive, finite.
    leading, leading_tolerance
        The Euclidean norm of the first `leading` coordinates of the difference must not exceed
        `leading_tolerance` either.
    groups
        Shape (item,), integers: at most one item of each group is kept. An item that may be kept
        beside every other has a group of its own.
    capacity
        How many subsets are listed; all are counted.

    Raises
    ------
    ValueError
        For shapes that do not fit, values that are not finite, or settings outside their range.

    Notes
    -----
    Cost: see `fold_subsets`; fast where few sums fall within the tolerance of the first coordinate.
    The instances of a batch are searched one after the other, in one compiled program.

    Examples
    --------
    >>> found = few_items_within([[1.0], [2.0], [4.0]], [3.0], max_kept=2, tolerance=0.5)
    >>> found.subsets[: int(found.count)].tolist()
    [[0, 1]]
    """
    problem, groups = _check(items, targets, max_kept, groups)
    for name, value in (("tolerance", tolerance), ("leading_tolerance", leading_tolerance)):
        if not value > 0 or (name == "tolerance" and not math.isfinite(value)):
            raise ValueError(f"{name}={value} must be positive and finite")
    if not 0 <= leading <= problem.items.shape[2]:
        raise ValueError(f"{leading=} must lie between 0 and the dimension {problem.dim}")
    if capacity < 1:
        raise ValueError(f"{capacity=} must be at least 1")
    tolerances = np.float32(tolerance), np.float32(leading_tolerance)
    return _each(_within, problem, groups, tolerances, (max_kept, leading, capacity))


def few_items_nearest(items: Any, targets: Any, *, max_kept: int, groups: Any = None) -> Match:
    """The subset of at most `max_kept` items whose sum is nearest to the target in the max norm.

    Parameters
    ----------
    items, targets, max_kept, groups
        As in `few_items_within`.

    Returns
    -------
    Match
        Exact among all subsets of at most `max_kept` items, for sums in float32.

    Raises
    ------
    ValueError
        As in `few_items_within`.

    Examples
    --------
    >>> match = few_items_nearest([[1.0], [2.0], [4.0]], [5.25], max_kept=2)
    >>> match.mask.tolist(), float(match.error)
    ([True, False, True], 0.25)
    """
    problem, groups = _check(items, targets, max_kept, groups)
    return _each(_nearest, problem, groups, (), (max_kept,))


def _check(items, targets, max_kept, groups) -> tuple[Problem, np.ndarray | None]:
    if np.ndim(items) == 1:
        raise ValueError(f"items.shape={np.shape(items)}: for numbers give items (item, 1)")
    problem = vectors(items, targets)
    if isinstance(max_kept, bool) or max_kept not in MOST_ITEMS:
        raise ValueError(f"{max_kept=} must be an integer from 1 to {max(MOST_ITEMS)}")
    most = MOST_ITEMS[max_kept]
    if not 0 < problem.num_items <= most:
        fewer = max(
            [kept for kept in MOST_ITEMS if MOST_ITEMS[kept] >= problem.num_items], default=1
        )
        raise ValueError(
            f"{problem.num_items} items: between 1 and {most} can be searched with {max_kept=}; "
            f"up to {MOST_ITEMS[fewer]} with max_kept={fewer}, or search a part of the items for "
            "an upper limit on the least error"
        )
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != (problem.num_items,) or not np.issubdtype(groups.dtype, np.integer):
            raise ValueError(
                f"groups of shape {groups.shape} and type {groups.dtype} must be one integer for "
                f"each of the {problem.num_items} items"
            )
        groups = np.unique(groups, return_inverse=True)[1].astype(np.int32)
    return problem, groups


def _each(search, problem: Problem, groups: np.ndarray | None, traced: tuple, fixed: tuple):
    """The search of one instance, or of all in turn; `fixed` settings are compiled in."""
    if problem.is_single:
        return search(problem.items[0], problem.targets[0], groups, *traced, *fixed)
    return _in_turn(search, problem.items, problem.targets, groups, traced, fixed)


@functools.partial(jax.jit, static_argnames=("search", "fixed"))
def _in_turn(search, items, targets, groups, traced, fixed):
    def one(items, target):
        return search(items, target, groups, *traced, *fixed)

    if items.shape[0] == 1:  # shared by all targets
        return lax.map(lambda target: one(items[0], target), targets)
    return lax.map(lambda instance: one(*instance), (items, targets))


@functools.partial(jax.jit, static_argnames=("max_kept", "leading", "capacity"))
def _within(
    items: Float[Array, "item dim"],
    target: Float[Array, " dim"],
    groups: Int[Array, " item"] | None,
    tolerance: Float[Array, ""],
    leading_tolerance: Float[Array, ""],
    max_kept: int,
    leading: int,
    capacity: int,
) -> Found:
    num_items = items.shape[0]

    def accept(_, sums: Float[Array, "batch dim"]) -> Bool[Array, " batch"]:
        difference = sums - target[None]
        distance = jnp.linalg.norm(difference[:, :leading], axis=1)
        is_near = jnp.max(jnp.abs(difference), axis=1) <= tolerance
        return is_near & (distance <= leading_tolerance)

    def visit(found: Found, subsets, is_subset) -> Found:
        place = found.count + jnp.cumsum(is_subset, dtype=jnp.int32) - 1
        place = jnp.where(is_subset, place, capacity)
        # A count that no longer fits stays large.
        count = jnp.minimum(found.count, jnp.int32(2**31 - 1 - BATCH))
        count += jnp.sum(is_subset, dtype=jnp.int32)
        return Found(found.subsets.at[place].set(subsets, mode="drop"), count, count > capacity)

    reach = jnp.full_like(target, tolerance)
    # A leading coordinate differs by no more than the norm of all of them.
    reach = reach.at[:leading].min(leading_tolerance)
    window = Window(target - reach, target + reach)
    nothing = Found(
        jnp.full((capacity, max_kept), num_items, jnp.int32), jnp.int32(0), jnp.array(False)
    )
    visitor = Visitor(lambda _: window, accept, visit, lambda _: jnp.array(False))
    return fold_subsets(
        items, jnp.int32(num_items), nothing, visitor, max_kept=max_kept, groups=groups
    )


@functools.partial(jax.jit, static_argnames="max_kept")
def _nearest(
    items: Float[Array, "item dim"],
    target: Float[Array, " dim"],
    groups: Int[Array, " item"] | None,
    max_kept: int,
) -> Match:
    """Search within the error of a near subset, which shrinks to that of the best one found."""
    num_items, dim = items.shape
    padded = jnp.concatenate([items, jnp.zeros((1, dim), items.dtype)])

    def errors_of(subsets: Int[Array, "batch kept"]) -> Float[Array, " batch"]:
        sums = padded[subsets[:, 0]]
        for kept in range(1, max_kept):
            sums = sums + padded[subsets[:, kept]]
        return jnp.max(jnp.abs(sums - target[None]), axis=1)

    def visit(best, subsets, is_subset):
        errors = jnp.where(is_subset, errors_of(subsets), jnp.inf)
        nearest = jnp.argmin(errors)
        is_better = errors[nearest] < best[1]
        return (
            jnp.where(is_better, subsets[nearest], best[0]),
            jnp.minimum(errors[nearest], best[1]),
        )

    visitor = Visitor(
        window=lambda best: Window(target - best[1], target + best[1]),
        accept=lambda best, sums: jnp.max(jnp.abs(sums - target[None]), axis=1) < best[1],
        visit=visit,
        is_done=lambda best: best[1] == 0,
    )
    start = jnp.stack(
        [
            jnp.full((max_kept,), num_items, jnp.int32),  # the empty subset counts
            near_subset(items, target, groups, max_kept=max_kept),
        ]
    )
    best = visit((start[0], jnp.float32(jnp.inf)), start, jnp.ones((2,), bool))
    subset, error = fold_subsets(
        items, jnp.int32(num_items), best, visitor, max_kept=max_kept, groups=groups
    )
    mask = jnp.zeros((num_items,), bool).at[subset].set(True, mode="drop")
    return Match(mask=mask, error=error, error_low=error, is_exact=jnp.array(True))
