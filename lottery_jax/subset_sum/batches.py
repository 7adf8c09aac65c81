"""Whole batches, by each method of this room, over all local devices: the work behind `answer`.

Questions are checked already; arrays have a first axis "instance", of length 1 where all instances
share it. Functions that compile are cached by their settings, so that one compiles once.
"""

import functools

import jax
import numpy as np
from jaxtyping import Int

from lottery_jax.subset_sum.all_subsets import all_within, exists_within, nearest_of_all
from lottery_jax.subset_sum.count import Count, count_within
from lottery_jax.subset_sum.devices import map_batch
from lottery_jax.subset_sum.few_items import few_items_within
from lottery_jax.subset_sum.gaps import Gap, largest_gap
from lottery_jax.subset_sum.meet_in_the_middle import Decision, nearest_sum, sum_within
from lottery_jax.subset_sum.pool import pool_nearest
from lottery_jax.subset_sum.problem import Match

_MANY_ITEMS = 26  # vectors: from here on more derived rows drop more than they cost
_RESOLUTION = 2.0**-25  # of sums in int32 words, per sum of all magnitudes
_SMALLEST_SHARE = 64  # instances of numbers for which it is worth to wake another device


def nearest_numbers(items, targets, *, masks: bool) -> Match:
    """The nearest subset of each instance, from int64 words."""
    return map_batch(_nearest(masks), items, targets, smallest_share=_SMALLEST_SHARE)


def nearest_of_pool(items, targets) -> Match:
    """From one list of all sums; the few targets that it leaves open, one by one."""
    match = map_batch(_pool, items, targets, smallest_share=2**14)
    mask = (match.subset[:, None] >> np.arange(items.shape[1])) % 2 == 1
    match = Match(mask, *(field.copy() for field in match[1:]))
    is_open = padded(np.flatnonzero(~match.is_exact))
    if len(is_open):
        again = nearest_numbers(items, targets[is_open], masks=True)
        for whole, part in zip(match, again, strict=True):
            whole[is_open] = part
    return match


def nearest_vectors(items, targets, *, max_nodes: int) -> Match:
    """The nearest subset of each instance, by branch and bound."""
    return map_batch(_nearest_vectors(max_nodes), items, targets)


def decide_numbers(items, targets, tolerances) -> Decision:
    """In int32 words, and what they leave open in int64 words; at once in these where most
    tolerances are below the resolution of the former.
    """
    solve = functools.partial(map_batch, smallest_share=_SMALLEST_SHARE)
    total = np.abs(items).sum(axis=1) + np.abs(targets)
    if np.mean(tolerances < _RESOLUTION * total) > 0.5:
        return solve(_within("int64"), items, targets, tolerances)
    first = solve(_within("int32"), items, targets, tolerances)
    decision = Decision(*(field.copy() for field in first))
    is_open = padded(np.flatnonzero(~first.is_decided))
    if len(is_open):
        items = items if len(items) == 1 else items[is_open]
        again = solve(_within("int64"), items, targets[is_open], tolerances[is_open])
        for whole, part in zip(decision, again, strict=True):
            whole[is_open] = part
    return decision


def decide_vectors(items, targets, tolerances, groups, *, max_kept, max_nodes) -> Decision:
    """By branch and bound, up to the first subset within the tolerance; groups may be None."""
    solve = _exists_vectors(max_kept, groups is not None, max_nodes)
    found = map_batch(solve, items, targets, tolerances.astype(np.float32), _or_zeros(groups))
    return Decision(found.exists & found.is_decided, found.is_decided)


def count_numbers(items, targets, tolerances) -> Count:
    """One instance after the other."""
    return map_batch(_count_each, items, targets, tolerances)


def gaps_of(items, low: float, high: float) -> Gap:
    """The largest gap of each set of items over one interval."""
    ends = (np.full(1, end, np.float32) for end in (low, high))
    return map_batch(_gaps, items, *ends)


def list_all(items, targets, tolerances, groups, *, max_kept, capacity, max_nodes):
    """The subsets within the tolerance as `AllWithin`, by branch and bound; groups may be None."""
    solve = _list(max_kept, groups is not None, capacity, max_nodes)
    return map_batch(solve, items, targets, tolerances.astype(np.float32), _or_zeros(groups))


def list_few(
    items, targets, tolerances, groups, *, max_kept, capacity
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masks, counts and overflows of the subsets of at most `max_kept` of many items, one instance
    after the other.
    """
    rows = []
    for instance, target, tolerance in zip(items, targets, tolerances, strict=True):
        found = few_items_within(
            instance,
            target,
            max_kept=max_kept,
            tolerance=float(max(tolerance, np.finfo(np.float32).tiny)),
            groups=groups,
            capacity=capacity,
        )
        masks = np.zeros((capacity, len(instance) + 1), bool)
        np.put_along_axis(masks, np.asarray(found.subsets), True, axis=1)
        rows.append((masks[:, :-1], np.asarray(found.count), np.asarray(found.has_overflowed)))
    masks, counts, overflows = (np.stack(column) for column in zip(*rows, strict=True))
    return masks, counts, overflows


def padded(numbers: Int[np.ndarray, " open"]) -> Int[np.ndarray, " padded"]:
    """Filled up to a power of two with the last one, so that few shapes are ever compiled."""
    if not len(numbers):
        return numbers
    return np.pad(numbers, (0, (1 << (len(numbers) - 1).bit_length()) - len(numbers)), "edge")


def _or_zeros(groups):
    return np.zeros((1, 1), np.int32) if groups is None else groups


def _over_shared(solve, arrays):
    """`jax.vmap` over arrays of which those of length 1 are shared by all instances."""
    batch = max(len(array) for array in arrays)
    axes = [0 if len(array) == batch else None for array in arrays]
    taken = [array if axis == 0 else array[0] for array, axis in zip(arrays, axes, strict=True)]
    return jax.vmap(solve, in_axes=tuple(axes))(*taken)


@functools.cache
def _nearest(masks: bool):
    return lambda *arrays: _over_shared(functools.partial(nearest_sum, masks=masks), arrays)


@functools.cache
def _within(word: str):
    return lambda *arrays: _over_shared(functools.partial(sum_within, word=word), arrays)


def _pool(items, targets):
    return pool_nearest(items[0], targets)


def _count_each(*arrays):
    return jax.lax.map(lambda instance: count_within(*instance), arrays)


def _gaps(items, low, high) -> Gap:
    return jax.vmap(largest_gap, in_axes=(0, None, None))(items, low[0], high[0])


def _pairs(items) -> int:
    return 2 if items.shape[1] >= _MANY_ITEMS else 1


@functools.cache
def _nearest_vectors(max_nodes: int):
    def solve(items, targets) -> Match:
        pairs = _pairs(items)
        return Match(*nearest_of_all(items, targets, pairs=pairs, max_nodes=max_nodes)[:4])

    return solve


@functools.cache
def _exists_vectors(max_kept: int | None, has_groups: bool, max_nodes: int):
    def solve(items, targets, tolerances, groups):
        return exists_within(
            items,
            targets,
            tolerances,
            groups=groups if has_groups else None,
            max_kept=max_kept,
            pairs=_pairs(items),
            max_nodes=max_nodes,
        )

    return solve


@functools.cache
def _list(max_kept: int | None, has_groups: bool, capacity: int, max_nodes: int):
    def solve(items, targets, tolerances, groups):
        return all_within(
            items,
            targets,
            tolerances,
            groups=groups if has_groups else None,
            max_kept=max_kept,
            capacity=capacity,
            pairs=_pairs(items),
            max_nodes=max_nodes,
        )

    return solve
