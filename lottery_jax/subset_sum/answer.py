"""The questions that can be asked about subset sums, for one instance or a batch of them.

Each function checks at the call, takes the method that `choose` names, runs the batch on all local
devices, and gives NumPy arrays. Inside compiled code use the methods themselves: `nearest_sum`,
`sum_within`, `fold_subsets`, `fold_all_subsets`.
"""

import math
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from lottery_jax.subset_sum import batches
from lottery_jax.subset_sum.branch_and_bound import MOST_NODES
from lottery_jax.subset_sum.choose import explain, lists_few, uses_pool
from lottery_jax.subset_sum.count import Count
from lottery_jax.subset_sum.few_items import few_items_nearest
from lottery_jax.subset_sum.gaps import Gap
from lottery_jax.subset_sum.meet_in_the_middle import Decision
from lottery_jax.subset_sum.problem import Match, Problem, vectors


class Listed(NamedTuple):
    """The subsets within a tolerance."""

    masks: Bool[np.ndarray, "*batch capacity item"]  # the first `count`; then rows keeping nothing
    count: Int[np.ndarray, "*batch"]  # type: ignore[override]  # how many there are, listed or not
    has_overflowed: Bool[np.ndarray, "*batch"]  # True where there are more than the capacity lists
    is_cut_off: Bool[np.ndarray, "*batch"]  # True where a limit ended the search: some may miss


def nearest(problem: Problem, *, masks: bool = True, max_nodes: int = MOST_NODES) -> Match:
    """The subset of the items whose sum is nearest to the target.

    Parameters
    ----------
    problem
        From `numbers` (at most 50 items on a CPU, 56 elsewhere) or `vectors` (at most 64).
    masks
        Whether to find the subsets of numbers too; if not, masks are all False and errors, for
        items that int64 words hold exactly, come sooner.
    max_nodes
        Vectors only: how many partial subsets may be expanded before an instance is given up. Its
        error is then an upper limit, `error_low` is 0, and `is_exact` False.

    Returns
    -------
    Match
        In float64 for numbers, in float32 for vectors. Least errors lie in [error_low, error].

    Raises
    ------
    ValueError
        For more items than an exact method can take.

    Examples
    --------
    >>> from lottery_jax.subset_sum import numbers
    >>> match = nearest(numbers([3.0, 5.0, 9.0], 13.5))
    >>> match.mask.tolist(), float(match.error), bool(match.is_exact)
    ([False, True, True], 0.5, True)
    """
    explain(problem, "nearest")
    if problem.dim is not None:
        match = batches.nearest_vectors(*_every_instance(problem), max_nodes=max_nodes)
    elif uses_pool(problem):
        match = batches.nearest_of_pool(problem.items, problem.targets)
    else:
        match = batches.nearest_numbers(problem.items, problem.targets, masks=masks)
    # An item that is zero, or does not take part, is never kept.
    is_there = problem.items != 0
    is_there = is_there if problem.dim is None else is_there.any(axis=2)
    return _shaped(problem, match._replace(mask=match.mask & is_there))


def exists(
    problem: Problem,
    tolerance: Any,
    *,
    max_kept: int | None = None,
    groups: Any = None,
    max_nodes: int = MOST_NODES,
) -> Decision:
    """Whether some subset has a sum within the tolerance of the target.

    Numbers are decided with sums in int32 words; where these leave it open, with sums in int64
    words.

    Parameters
    ----------
    problem
        As in `nearest`.
    tolerance
        Not negative, in the units of the items; one number, or one for each instance.
    max_kept, groups, max_nodes
        Vectors only: keep at most that many items, and at most one of those with equal group
        numbers (shape (item,)); and a limit as in `nearest`, which leaves instances undecided.

    Returns
    -------
    Decision
        `exists` is only True, and `is_decided` and not `exists` only, where that is certain.

    Raises
    ------
    ValueError
        For a tolerance that is negative or not a number, or too many items.

    Examples
    --------
    >>> from lottery_jax.subset_sum import numbers
    >>> decision = exists(numbers([3.0, 5.0, 9.0], [13.0, 13.0]), [0.5, 1.0])
    >>> decision.exists.tolist(), decision.is_decided.tolist()
    ([False, True], [True, True])
    """
    explain(problem, "exists", max_kept=max_kept)
    tolerances = _tolerances(problem, tolerance)
    if problem.dim is None:
        _vectors_only(max_kept=max_kept, groups=groups)
        decision = batches.decide_numbers(problem.items, problem.targets, tolerances)
    else:
        decision = batches.decide_vectors(
            *_every_instance(problem),
            tolerances,
            _groups(problem, groups),
            max_kept=max_kept,
            max_nodes=max_nodes,
        )
    return _shaped(problem, decision)


def count(problem: Problem, tolerance: Any, *, max_nodes: int = MOST_NODES) -> Count:
    """How many subsets have a sum within the tolerance of the target.

    Parameters
    ----------
    problem
        From `numbers` (at most 40 items) or `vectors` (at most 62).
    tolerance
        Not negative, in the units of the items; one number, or one for each instance.
    max_nodes
        As in `nearest`; for an instance given up the count has only a lower limit.

    Returns
    -------
    Count
        Limits from both sides, equal but for sums whose side of the boundary rounding hides.

    Examples
    --------
    >>> from lottery_jax.subset_sum import numbers
    >>> counted = count(numbers([0.5, 0.25, 0.25], 0.5), 0.25)
    >>> int(counted.low), int(counted.high)
    (6, 6)
    """
    explain(problem, "count")
    tolerances = _tolerances(problem, tolerance)
    if problem.dim is None:
        counted = batches.count_numbers(*_every_instance(problem), tolerances)
        return _shaped(problem, counted)
    found = batches.list_all(
        *_every_instance(problem), tolerances, None, max_kept=None, capacity=1, max_nodes=max_nodes
    )
    most = np.where(found.is_cut_off, 2 ** min(problem.num_items, 62), found.count.astype(np.int64))
    return _shaped(problem, Count(found.count.astype(np.int64), most))


def largest_gap(items: Any, low: float, high: float) -> Gap:
    """The target of an interval that is farthest from all subset sums.

    So every target of the interval is served to within ε exactly where `radius` is at most ε.

    Parameters
    ----------
    items
        Shape (item,), or (batch, item) for many instances; rounded to float32. Exact to 28 items.
    low, high
        The ends of the interval, which belong to it; rounded to float32.

    Returns
    -------
    Gap
        Limits of the distance from both sides, and the target; with a batch axis if items have one.

    Raises
    ------
    ValueError
        For values that are not finite, or low > high.

    Examples
    --------
    >>> gap = largest_gap([1.0, 2.0, 4.0], 0.0, 7.5)
    >>> float(gap.radius_low), float(gap.radius_high)
    (0.5, 0.5)
    """
    items = np.asarray(items)
    if items.ndim not in (1, 2):
        raise ValueError(f"{items.shape=}: give items (item,) or (batch, item)")
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"{low=} and {high=} must be finite, and low at most high")
    problem = vectors(items[..., None], np.full((*items.shape[:-1], 1), max(abs(low), abs(high))))
    return _shaped(problem, batches.gaps_of(problem.items[:, :, 0], low, high))


def few_items(problem: Problem, *, max_kept: int, groups: Any = None) -> Match:
    """The subset of at most `max_kept` items whose sum is nearest to the target, of many items.

    Parameters
    ----------
    problem
        From `vectors`, or `numbers` (then rounded to float32): up to 1,000 items for max_kept to 4,
        fewer for 5 and 6.
    max_kept
        1 to 6. The empty subset counts.
    groups
        Shape (item,): at most one of the items with equal numbers is kept; no restriction if None.

    Returns
    -------
    Match
        Exact among all subsets of at most `max_kept` items, for sums in float32.

    Raises
    ------
    ValueError
        For a number of items that cannot be searched.

    Examples
    --------
    >>> match = few_items(vectors([[1.0], [2.0], [4.0]], [5.25]), max_kept=2)
    >>> match.mask.tolist(), float(match.error)
    ([True, False, True], 0.25)
    """
    problem = _as_vectors(problem)
    explain(problem, "few_items", max_kept=max_kept)
    items, targets = _every_instance(problem)
    match = few_items_nearest(items, targets, max_kept=max_kept, groups=groups)
    return _shaped(problem, jax.tree.map(np.asarray, match))


def all_subsets(
    problem: Problem,
    tolerance: Any,
    *,
    max_kept: int | None = None,
    groups: Any = None,
    capacity: int = 1024,
    max_nodes: int = MOST_NODES,
) -> Listed:
    """Every subset whose sum is within the tolerance of the target.

    Parameters
    ----------
    problem
        From `vectors`, or `numbers` (then rounded to float32): at most 64 items, or as many as
        `few_items` takes where `max_kept` is given.
    tolerance
        Not negative, in the units of the items; one number, or one for each instance.
    max_kept, groups, max_nodes
        As in `exists`.
    capacity
        How many subsets are listed for each instance; all are counted.

    Raises
    ------
    ValueError
        For settings outside their ranges, or too many items.

    Examples
    --------
    >>> from lottery_jax.subset_sum import numbers
    >>> listed = all_subsets(numbers([1.0, 2.0, 4.0], 3.25), 0.5, capacity=2)
    >>> listed.masks.tolist(), int(listed.count)
    ([[True, True, False], [False, False, False]], 1)
    """
    if capacity < 1:
        raise ValueError(f"{capacity=} must be at least 1")
    problem = _as_vectors(problem)
    explain(problem, "all_subsets", max_kept=max_kept)
    tolerances = _tolerances(problem, tolerance)
    items, targets = _every_instance(problem)
    if lists_few(problem, max_kept):
        few = batches.list_few(
            items, targets, tolerances, groups, max_kept=max_kept, capacity=capacity
        )
        return _shaped(problem, Listed(*few, np.zeros(problem.batch, bool)))
    found = batches.list_all(
        items,
        targets,
        tolerances,
        _groups(problem, groups),
        max_kept=max_kept,
        capacity=capacity,
        max_nodes=max_nodes,
    )
    return _shaped(
        problem, Listed(found.masks, found.count, found.has_overflowed, found.is_cut_off)
    )


def _every_instance(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Items and targets with one entry for each instance."""
    shape = (problem.batch, *problem.items.shape[1:])
    return np.broadcast_to(problem.items, shape), problem.targets


def _as_vectors(problem: Problem) -> Problem:
    """Numbers as vectors of one coordinate."""
    if problem.dim is not None:
        return problem
    items = problem.items[0] if len(problem.items) == 1 else problem.items
    targets = problem.targets[0] if problem.is_single else problem.targets
    return vectors(items[..., None], np.asarray(targets)[..., None])


def _shaped(problem: Problem, answers: Any) -> Any:
    """Without the batch axis where one instance was given."""
    return jax.tree.map(lambda leaf: leaf[0], answers) if problem.is_single else answers


def _tolerances(problem: Problem, tolerance: Any) -> Float[np.ndarray, " batch"]:
    tolerances = np.asarray(tolerance, np.float64)
    if tolerances.shape not in ((), (problem.batch,)):
        raise ValueError(
            f"{tolerances.shape=}: give one tolerance, or one for each of {problem.batch} instances"
        )
    if not (tolerances >= 0).all():
        raise ValueError(f"{tolerance=} must be 0 or more")
    return np.broadcast_to(tolerances, (problem.batch,))


def _vectors_only(**settings: Any) -> None:
    for name, value in settings.items():
        if value is not None:
            raise ValueError(f"{name}={value} is for vectors; give numbers as vectors (item, 1)")


def _groups(problem: Problem, groups: Any) -> Int[np.ndarray, "batch item"] | None:
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (problem.num_items,) or not np.issubdtype(groups.dtype, np.integer):
        raise ValueError(
            f"groups of shape {groups.shape} and type {groups.dtype} must be one integer for each "
            f"of the {problem.num_items} items"
        )
    numbered = np.unique(groups, return_inverse=True)[1].astype(np.int32)
    return np.broadcast_to(numbered, (problem.batch, len(numbered)))
