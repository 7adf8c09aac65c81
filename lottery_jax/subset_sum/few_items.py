"""Subsets of at most K of N vectors, K = 1..4: all within a tolerance, or the nearest one.

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
    MAX_ITEMS,
    MAX_KEPT,
    Visitor,
    Window,
    fold_subsets,
)
from lottery_jax.subset_sum.problem import Match, check


class Found(NamedTuple):
    """The subsets within a tolerance."""

    subsets: Int[Array, "capacity kept"]  # ascending item numbers, filled up with N; then rows of N
    count: Int[Array, ""]  # type: ignore[override]  # how many there are, listed or not
    has_overflowed: Bool[Array, ""]  # True where there are more than the capacity lists


def few_items_within(
    items: Any,
    target: Any,
    *,
    max_kept: int,
    tolerance: float,
    leading: int = 0,
    leading_tolerance: float = math.inf,
    capacity: int = 1024,
) -> Found:
    """Every subset of at most `max_kept` items whose sum is within `tolerance` of the target.

    Parameters
    ----------
    items
        Shape (item, dim), at most 500 items, any units.
    target
        Shape (dim,), same units.
    max_kept
        1 to 4. The empty subset counts.
    tolerance
        Largest distance in the max norm, in the same units; positive, finite.
    leading, leading_tolerance
        The Euclidean norm of the first `leading` coordinates of the difference must not exceed
        `leading_tolerance` either.
    capacity
        How many subsets are listed; all are counted.

    Raises
    ------
    ValueError
        For shapes that do not fit, values that are not finite, or settings outside their range.

    Notes
    -----
    Cost: see `fold_subsets`; fast where few sums fall within the tolerance of the first coordinate.

    Examples
    --------
    >>> found = few_items_within([[1.0], [2.0], [4.0]], [3.0], max_kept=2, tolerance=0.5)
    >>> found.subsets[: int(found.count)].tolist()
    [[0, 1]]
    """
    items, target = _check(items, target, max_kept)
    for name, value in (("tolerance", tolerance), ("leading_tolerance", leading_tolerance)):
        if not value > 0 or (name == "tolerance" and not math.isfinite(value)):
            raise ValueError(f"{name}={value} must be positive and finite")
    if not 0 <= leading <= items.shape[1]:
        raise ValueError(f"{leading=} must lie between 0 and the dimension {items.shape[1]}")
    if capacity < 1:
        raise ValueError(f"{capacity=} must be at least 1")
    tolerances = np.float32(tolerance), np.float32(leading_tolerance)
    return _within(items, target, *tolerances, max_kept, leading, capacity)


def few_items_nearest(items: Any, target: Any, *, max_kept: int) -> Match:
    """The subset of at most `max_kept` items whose sum is nearest to the target in the max norm.

    Parameters
    ----------
    items, target, max_kept
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
    items, target = _check(items, target, max_kept)
    return _nearest(items, target, max_kept)


def _check(items, target, max_kept):
    items, target = check(items, target)
    if items.ndim != 2:
        raise ValueError(f"{items.shape=}: give items (item, dim), for numbers (item, 1)")
    if not 0 < len(items) <= MAX_ITEMS:
        raise ValueError(f"{len(items)} items: between 1 and {MAX_ITEMS} can be searched")
    if items.shape[1] < 1:
        raise ValueError(f"{items.shape=}: items need at least one coordinate")
    if isinstance(max_kept, bool) or max_kept not in range(1, MAX_KEPT + 1):
        raise ValueError(f"{max_kept=} must be an integer from 1 to {MAX_KEPT}")
    return items, target


@functools.partial(jax.jit, static_argnames=("max_kept", "leading", "capacity"))
def _within(
    items: Float[Array, "item dim"],
    target: Float[Array, " dim"],
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
        count = found.count + jnp.sum(is_subset, dtype=jnp.int32)
        return Found(found.subsets.at[place].set(subsets, mode="drop"), count, count > capacity)

    reach = jnp.full_like(target, tolerance)
    # A leading coordinate differs by no more than the norm of all of them.
    reach = reach.at[:leading].min(leading_tolerance)
    window = Window(target - reach, target + reach)
    nothing = Found(
        jnp.full((capacity, max_kept), num_items, jnp.int32), jnp.int32(0), jnp.array(False)
    )
    visitor = Visitor(lambda _: window, accept, visit, lambda _: jnp.array(False))
    return fold_subsets(items, jnp.int32(num_items), nothing, visitor, max_kept=max_kept)


@functools.partial(jax.jit, static_argnames="max_kept")
def _nearest(items: Float[Array, "item dim"], target: Float[Array, " dim"], max_kept: int) -> Match:
    """Search within a tolerance that doubles until something is found, then shrinks to it."""
    num_items = items.shape[0]
    padded = jnp.concatenate([items, jnp.zeros((1, items.shape[1]), items.dtype)])
    empty = jnp.max(jnp.abs(target))  # the error of the empty subset

    def distances(subsets: Int[Array, "batch kept"]) -> Float[Array, " batch"]:
        sums = padded[subsets[:, 0]]
        for kept in range(1, max_kept):
            sums = sums + padded[subsets[:, kept]]
        return jnp.max(jnp.abs(sums - target[None]), axis=1)

    def visit(best, subsets, is_subset):
        errors = jnp.where(is_subset, distances(subsets), jnp.inf)
        nearest = jnp.argmin(errors)
        is_better = errors[nearest] < best[1]
        return (
            jnp.where(is_better, subsets[nearest], best[0]),
            jnp.minimum(errors[nearest], best[1]),
        )

    def deepen(carry):
        tolerance, best, _ = carry

        def reach(best):
            return jnp.minimum(tolerance, best[1])

        visitor = Visitor(
            window=lambda best: Window(target - reach(best), target + reach(best)),
            accept=lambda best, sums: jnp.max(jnp.abs(sums - target[None]), axis=1) <= reach(best),
            visit=visit,
            is_done=lambda best: best[1] == 0,
        )
        best = fold_subsets(items, jnp.int32(num_items), best, visitor, max_kept=max_kept)
        return 2 * tolerance, best, (best[1] <= tolerance) | (tolerance >= empty)

    none = jnp.full((max_kept,), num_items, jnp.int32), empty
    first = jnp.maximum(empty, jnp.max(jnp.abs(items))) / 1024, none, jnp.array(False)
    subset, error = lax.while_loop(lambda carry: ~carry[2], deepen, first)[1]
    mask = jnp.zeros((num_items,), bool).at[subset].set(True, mode="drop")
    return Match(mask=mask, error=error, error_low=error, is_exact=jnp.array(True))
