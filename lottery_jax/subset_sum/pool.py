"""One pool of items, many scalar targets: the nearest subset sum of each.

All 2**n sums are put in order once, each with the number of its subset (`ordered_sums`). A target
is then a bisection, whatever the number of targets. The ordered sums are integers of 30 bits that
differ from the true sums by at most a known margin, so the few nearest ones on both sides of the
target are computed again from all bits. They settle the answer when the next ones are further away
by more than the margin.

Cost: 2 n 2**n compare-exchanges for the pool, about n + 30 reads for each target.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.subset_sum.fixed_point import bracket
from lottery_jax.subset_sum.ordered_sums import FINE_BITS, carry, ordered_sums
from lottery_jax.subset_sum.ranks import ranks

MAX_ITEMS = 26
_COARSE_BITS = 30
_BESIDE = 4  # sums on each side of a target that are computed again
_TARGETS = 2**13  # answered together
_FAR = 2**31 - 1


class PoolMatch(NamedTuple):
    """The nearest subset sum of each target, and what is certain about the others.

    As in `problem.Match`, the least error of a target lies in [error_low, error], both accurate to
    2**-49 of the sum of the magnitudes of all items and the largest target, and to a relative
    2**-22 or, in float64, 2**-51.
    """

    subset: Int[Array, " target"]  # bit k is 1 where item k is kept
    error: Float[Array, " target"]  # abs(sum of the kept items - target)
    error_low: Float[Array, " target"]  # no subset has a smaller error
    is_exact: Bool[Array, " target"]  # True where the two ends agree


@jax.jit
def pool_nearest(items: Float[Array, " item"], targets: Float[Array, " target"]) -> PoolMatch:
    """The nearest subset sum of every target; traceable, and without checks.

    Parameters
    ----------
    items
        At most 26 finite numbers; those that are not float64 are taken in float32.
    targets
        Finite, in the units and the type of the items; any number of them. A target far outside all
        sums makes the quanta of all targets coarser.

    Returns
    -------
    PoolMatch
        For targets among random items `is_exact` holds almost always up to 24 items; the others can
        be asked again one by one with `nearest_sum`.

    Raises
    ------
    ValueError
        For more than 26 items.

    Notes
    -----
    Memory: `pool_bytes`.

    Examples
    --------
    >>> match = pool_nearest(jnp.array([0.5, 0.25, -1.0]), jnp.array([0.8, -2.0]))
    >>> kept_items(match.subset, 3).tolist(), match.error.tolist()[1]
    ([[True, True, False], [False, False, True]], 1.0)
    """
    num_items = items.shape[0]
    if num_items > MAX_ITEMS:
        raise ValueError(
            f"{num_items=} needs a list of 2**{num_items} sums; above {MAX_ITEMS} items use "
            "nearest_sum for each target"
        )
    if items.dtype != jnp.float64:
        items = items.astype(jnp.float32)
    targets, real = targets.astype(items.dtype), items.dtype
    largest = jnp.max(jnp.abs(targets), initial=0)
    shift = _COARSE_BITS - jnp.frexp(jnp.sum(jnp.abs(items)) + largest)[1].astype(jnp.int32)
    coarse, fine, rest = _limbs(items, shift)
    off = jnp.stack([jnp.sum(jnp.maximum(rest, 0)), jnp.sum(jnp.maximum(-rest, 0))])
    zero = jnp.zeros((1, 1), jnp.int32)
    pool = ordered_sums(
        (zero, zero),
        lambda keys, k: (keys[0] + coarse[k], keys[1] + 2**k),
        num_items,
        num_compared=1,
    )
    sums, subsets = (key[:, 0] for key in pool)
    # The fine sum of a subset is read from two small tables.
    half = num_items // 2
    tables = _sums_by_subset(fine[:half]), _sums_by_subset(fine[half:])

    def answer(targets: Float[Array, " target"]) -> PoolMatch:
        near, far, of_targets = _limbs(targets, shift)
        place = ranks((sums,), (near,), or_equal=False)
        margin = jnp.maximum(off[0] - of_targets, off[1] + of_targets) * (1 + 2.0**-16)
        size = len(sums)

        def compute(step: Int[Array, ""]):
            at = jnp.clip(place + step, 0, size - 1)
            subset = subsets[at]
            fine_sum = tables[0][subset & (2**half - 1)] + tables[1][subset >> half]
            away, below = carry(sums[at] - near, fine_sum - far)
            error = jnp.abs(away.astype(real) + below.astype(real) * 2.0**-FINE_BITS)
            return subset, error, jnp.abs(sums[at] - near)

        steps = jnp.arange(-_BESIDE, _BESIDE, dtype=jnp.int32)
        found, errors, away = lax.map(compute, steps)
        best = jnp.argmin(errors, axis=0)
        before, after = place - _BESIDE - 1, place + _BESIDE
        below = jnp.where(before >= 0, near - sums[jnp.maximum(before, 0)], _FAR)
        above = jnp.where(after < size, sums[jnp.minimum(after, size - 1)] - near, _FAR)
        low, error = bracket(errors, jnp.min(away, axis=0), jnp.minimum(below, above), margin)
        subset = jnp.take_along_axis(found, best[None], axis=0)[0]
        return PoolMatch(subset, jnp.ldexp(error, -shift), jnp.ldexp(low, -shift), low >= error)

    count = targets.shape[0]
    block = max(1, min(count, _TARGETS))
    blocks = jnp.pad(targets, (0, -count % block)).reshape(-1, block)
    matches = lax.map(answer, blocks)
    return jax.tree.map(lambda field: field.reshape(-1)[:count], matches)


def kept_items(subsets: Int[Array, "*shape"], num_items: int) -> Bool[Array, "*shape item"]:
    """True where an item is kept, from the numbers of subsets.

    Examples
    --------
    >>> kept_items(jnp.array([0, 6], jnp.int32), 3).tolist()
    [[False, False, False], [False, True, True]]
    """
    bit = jnp.arange(num_items, dtype=jnp.int32).reshape(*[1] * subsets.ndim, num_items)
    return (subsets[..., None] >> bit & 1).astype(bool)


def pool_bytes(num_items: int, num_targets: int) -> int:
    """The memory that `pool_nearest` takes at most, in bytes.

    Examples
    --------
    >>> pool_bytes(24, 10**6) < 2**30
    True
    """
    return 32 * 2**num_items + 32 * num_targets + 256 * _TARGETS


def _limbs(numbers: Float[Array, " n"], shift: Int[Array, ""]):
    """Two limbs, and what the first one leaves over; quanta."""
    scaled = jnp.ldexp(numbers, shift)
    coarse = jnp.round(scaled)
    rest = scaled - coarse
    return coarse.astype(jnp.int32), jnp.round(rest * 2.0**FINE_BITS).astype(jnp.int32), rest


def _sums_by_subset(items: Int[Array, " item"]) -> Int[Array, " subset"]:
    """All subset sums; bit k of the index tells whether item k is kept."""
    sums = jnp.zeros((1,), jnp.int32)
    for item in items:
        sums = jnp.concatenate([sums, sums + item])
    return sums
