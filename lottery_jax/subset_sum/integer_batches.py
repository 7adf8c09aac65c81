"""Whole batches of questions about whole numbers, by each method, over all local devices.

Questions are in terms of magnitudes and checked already; targets are -1 where out of reach. What is
compiled is cached by its settings, so that one size compiles once. Numbers of instances are filled
up to few sizes, but for answers that are large.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Int, UInt32, UInt64

from lottery_jax.subset_sum import bit_sets, solutions, sum_counts, windows
from lottery_jax.subset_sum.devices import map_batch
from lottery_jax.subset_sum.wide import Wide, to_uint64

_SMALLEST_SHARE = 64  # instances for which it is worth to wake another device
_LEAF = 24  # items from which down witnesses come from lists of half sums


def decide(
    magnitudes: Int[np.ndarray, "instance item"],
    targets: Int[np.ndarray, "instance target"],
    *,
    method: str,
    num_sums: int,
) -> tuple[Bool[np.ndarray, "instance target"], Bool[np.ndarray, " instance"]]:
    """Which targets are sums, and which instances are decided: all but those that a window leaves
    open.
    """
    if method == "halves":
        width = targets.shape[1]
        repeated = np.repeat(_words(magnitudes), width, axis=0)
        found = _in_lanes(_has_solution, repeated, targets.ravel())
        return found.reshape(targets.shape), np.ones(len(targets), bool)
    if method == "window":
        solve = _in_window(windows.window_for(int(magnitudes.max(initial=0))))
    else:
        solve = _in_bit_set(num_sums)
    return _in_turn(solve, magnitudes, targets)


def sets_of(
    magnitudes: Int[np.ndarray, "instance item"], *, num_sums: int
) -> UInt32[np.ndarray, "instance word"]:
    """All sums of each instance."""
    return map_batch(_bit_set(num_sums), _words(magnitudes))


def count_solutions(
    magnitudes: Int[np.ndarray, "instance item"], targets: Int[np.ndarray, "instance target"]
) -> UInt64[np.ndarray, "instance target"]:
    """The number of subsets for each target, by meet in the middle."""
    repeated = np.repeat(_words(magnitudes), targets.shape[1], axis=0)
    found = _in_lanes(_count_solutions, repeated, targets.ravel())
    return to_uint64(found).reshape(targets.shape)


def count_in_tables(
    magnitudes: Int[np.ndarray, "instance item"],
    positions: Int[np.ndarray, "instance target"],
    *,
    num_sums: int,
) -> UInt64[np.ndarray, "instance target"]:
    """The number of subsets for each of these sums, which are below num_sums or -1."""
    return to_uint64(_in_turn(_count_at(num_sums), magnitudes, positions))


def tables_of(
    magnitudes: Int[np.ndarray, "instance item"], *, num_sums: int
) -> UInt64[np.ndarray, "instance sum"]:
    """The number of subsets for every sum."""
    return to_uint64(map_batch(_table(num_sums), _words(magnitudes)))


def find(
    magnitudes: Int[np.ndarray, "instance item"], targets: Int[np.ndarray, " instance"]
) -> Bool[np.ndarray, "instance item"]:
    """A subset for each target, all of which are sums.

    Items are dealt to two halves. A sum s of the first with target - s in the second, from their
    bit sets, makes it two questions of half the size, down to a few items.
    """
    num_items = magnitudes.shape[1]
    if num_items <= _LEAF:
        return _in_lanes(_find, magnitudes, targets)
    magnitudes = np.pad(magnitudes, ((0, 0), (0, num_items % 2)))
    first, second = magnitudes[:, 0::2], magnitudes[:, 1::2]
    largest = int(max(first.sum(axis=1).max(), second.sum(axis=1).max()))
    solve = _meet(bit_sets.rounded(largest + 1))
    sums = _in_turn(solve, first, second, targets).astype(np.int64)
    kept = find(np.concatenate([first, second]), np.concatenate([sums, targets - sums]))
    dealt = np.stack([kept[: len(targets)], kept[len(targets) :]], axis=2)
    return dealt.reshape(len(targets), -1)[:, :num_items]


def _in_lanes(solve, *arrays: np.ndarray):
    """Small instances side by side."""
    filled, _ = _filled_up(arrays)
    answers = map_batch(solve, *filled, smallest_share=_SMALLEST_SHARE)
    return jax.tree.map(lambda leaf: leaf[: len(arrays[0])], answers)


def _in_turn(solve, *arrays: np.ndarray):
    """Large instances one after the other; those that fill up are passed over."""
    filled, is_asked = _filled_up(arrays)
    answers = map_batch(solve, is_asked, *filled)
    return jax.tree.map(lambda leaf: leaf[: len(arrays[0])], answers)


def _filled_up(arrays: tuple[np.ndarray, ...]) -> tuple[list[np.ndarray], np.ndarray]:
    """Copies of the last instance to a power of two, above 64 to a multiple of an eighth of one."""
    batch = len(arrays[0])
    bits = max(batch - 1, 0).bit_length()
    step = 1 << (bits if bits <= 6 else bits - 4)
    place = np.arange(-(-batch // step) * step)
    return [_words(array[np.minimum(place, batch - 1)]) for array in arrays], place < batch


def _words(numbers: np.ndarray) -> np.ndarray:
    """As int32, which the plan has made sure they fit."""
    return numbers.astype(np.int32)


_has_solution = jax.vmap(solutions.has_solution)
_count_solutions = jax.vmap(solutions.count_solutions)
_find = jax.vmap(solutions.find_solution)


@functools.cache
def _in_window(window: int):
    def solve(items, targets):
        found = windows.window_sums(items, window=window)
        return windows.contains(found, targets), found.is_certain

    return _those_asked(solve)


@functools.cache
def _in_bit_set(num_sums: int):
    def solve(items, targets):
        words = bit_sets.reachable(items, num_sums=num_sums)
        return bit_sets.contains(words, targets), jnp.ones((), bool)

    return _those_asked(solve)


@functools.cache
def _bit_set(num_sums: int):
    return _one_by_one(functools.partial(bit_sets.reachable, num_sums=num_sums))


@functools.cache
def _count_at(num_sums: int):
    def solve(items, positions):
        table = sum_counts.count_sums(items, num_sums=num_sums)
        is_there = positions >= 0
        places = jnp.maximum(positions, 0)
        return Wide(*(jnp.where(is_there, words[places], 0) for words in table))

    return _those_asked(solve)


@functools.cache
def _table(num_sums: int):
    return _one_by_one(functools.partial(sum_counts.count_sums, num_sums=num_sums))


@functools.cache
def _meet(num_sums: int):
    def solve(first, second, target):
        of_first, of_second = (
            bit_sets.reachable(items, num_sums=num_sums) for items in (first, second)
        )
        total = jnp.sum(second, dtype=jnp.int32)
        return bit_sets.meeting(of_first, of_second, total, target)

    return _those_asked(solve)


def _one_by_one(solve):
    """One large instance after the other, so that the memory is that of one."""
    return lambda *arrays: lax.map(lambda instance: solve(*instance), arrays)


def _those_asked(solve):
    """The same, where the first array tells which instances are asked about; zeros for others."""

    def solve_or_not(instance):
        is_asked, *arrays = instance
        shapes = jax.eval_shape(solve, *arrays)
        none = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return lax.cond(is_asked, lambda: solve(*arrays), lambda: none)

    return lambda *arrays: lax.map(solve_or_not, arrays)
