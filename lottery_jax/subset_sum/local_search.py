"""A near subset by restarted local search: an upper limit on the least error, and no more.

From each of a few fixed pseudo-random subsets the best change of one or two items is made until
none lowers the error. The optimum may be missed by any amount, so this never decides anything; it
gives an exact search (`branch_and_bound`) a small box to begin with.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.subset_sum.fixed_point import distance, quantize


class Near(NamedTuple):
    """A subset that no change of one or two items improves."""

    mask: Bool[Array, " item"]  # True where the item is kept
    error: Float[Array, ""]  # largest coordinate of abs(sum of the kept items - target)


class _Walks(NamedTuple):
    """Where the search from each start stands; starts are last, where they vectorise."""

    kept: Bool[Array, "item start"]
    rest: Int[Array, "dim start"]  # sum of the kept items - target, in quanta
    error: Int[Array, " start"]
    is_moving: Bool[Array, " start"]


def local_minimum(
    items: Float[Array, "item dim"],
    target: Float[Array, " dim"],
    num_items: Int[Array, ""],
    *,
    starts: int = 16,
) -> Near:
    """The best of `starts` local minima of the error in the max norm, without checks.

    Traceable and deterministic: the starts depend on their number and the item's alone.

    Parameters
    ----------
    items, target
        Float32, finite, in the same units; any number of items, dim >= 1.
    num_items
        How many items take part; the others are never kept.
    starts
        How many searches; they run in lockstep.

    Returns
    -------
    Near
        With the error of the mask to a relative 2**-22. The least error may be smaller.

    Notes
    -----
    Cost: item**2 dim integer operations for each start and step, a step for each change made.

    Examples
    --------
    >>> items = jnp.array([[3.0], [5.0], [9.0]])
    >>> near = local_minimum(items, jnp.array([13.25]), jnp.int32(3))
    >>> near.mask.tolist(), float(near.error)
    ([False, True, True], 0.75)
    """
    capacity = items.shape[0]
    in_use = jnp.arange(capacity, dtype=jnp.int32) < num_items
    fixed = quantize(jnp.where(in_use[:, None], items, 0), target, shared=True)
    number = jnp.arange(capacity, dtype=jnp.int32)

    def improve(walks: _Walks) -> _Walks:
        change = jnp.where(walks.kept[:, None], -1, 1) * fixed.items[:, :, None]
        moved = walks.rest[None] + change  # [item, dim, start]
        errors = jnp.zeros((capacity, capacity, starts), jnp.int32)
        for axis in range(items.shape[1]):
            second = jnp.where(
                (number[:, None] == number[None])[:, :, None], 0, change[None, :, axis]
            )  # the same item twice stands for a change of one item
            errors = jnp.maximum(errors, jnp.abs(moved[:, None, axis] + second))
        is_move = (in_use[:, None] & in_use[None])[:, :, None]
        errors = jnp.where(is_move, errors, np.iinfo(np.int32).max)
        errors = lax.optimization_barrier(errors.reshape(-1, starts))
        least = jnp.min(errors, axis=0)
        move = jnp.arange(capacity**2, dtype=jnp.int32)
        best = jnp.min(jnp.where(errors == least[None], move[:, None], capacity**2), axis=0)
        is_moving = walks.is_moving & (least < walks.error)
        is_changed = (number[:, None] == (best // capacity)[None]) | (
            number[:, None] == (best % capacity)[None]
        )
        is_changed &= is_moving[None]
        rest = walks.rest + jnp.sum(
            jnp.where(is_changed[:, None], change, 0), axis=0, dtype=jnp.int32
        )
        error = jnp.where(is_moving, least, walks.error)
        return _Walks(walks.kept ^ is_changed, rest, error, is_moving)

    kept = jnp.asarray(_pattern(capacity, starts)) & in_use[:, None]
    rest = jnp.sum(jnp.where(kept[:, None], fixed.items[:, :, None], 0), axis=0, dtype=jnp.int32)
    rest = rest - fixed.target[:, None]
    first = _Walks(kept, rest, jnp.max(jnp.abs(rest), axis=0), jnp.ones((starts,), bool))
    kept = lax.while_loop(lambda walks: jnp.any(walks.is_moving), improve, first).kept
    errors = jax.vmap(lambda mask: jnp.max(distance(fixed, mask[:, None])), in_axes=1)(kept)
    best = jnp.argmin(errors)
    return Near(kept[:, best], jnp.ldexp(errors[best], -fixed.shift))


def _pattern(num_items: int, starts: int) -> np.ndarray:
    """Fixed bits without visible structure: the high bits of multiples of an odd number, mixed."""
    word = np.arange(num_items * starts, dtype=np.uint64).reshape(num_items, starts) + 1
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # the mixer of splitmix64
        word = (word ^ (word >> np.uint64(30))) * np.uint64(factor)
    return (word >> np.uint64(63)) == 1
