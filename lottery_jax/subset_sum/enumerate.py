"""Every subset, one after the other: the nearest sum of vectors in the largest-coordinate norm.

The items are dealt to a low and a high part. The sums of all subsets of the low part are one tile,
kept in the cache; a loop over the subsets of the high part shifts it. Each position of the tile
remembers its least error and the second least, so memory never depends on the number of subsets.

Sums are integers of 28 bits (`fixed_point`), which differ from the true sums by at most a known
margin; the few least are computed again from all bits of the input.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from lottery_jax.subset_sum.fixed_point import bracket, distance, quantize
from lottery_jax.subset_sum.problem import Match

MAX_ITEMS = 26
TILE_ITEMS = 11
_CANDIDATES = 4  # subsets computed again
_FAR = 2**31 - 1


def exhaustive(
    *, num_items: int
) -> Callable[[Float[Array, "item dim"], Float[Array, " dim"]], Match]:
    """Every one of the 2**num_items subsets, as one compiled reduction.

    Parameters
    ----------
    num_items
        0 to 26.

    Returns
    -------
    solver
        Takes items (num_items, dim) and a target (dim,), dim >= 1, finite and taken in float32, to
        the Match in the norm max_i abs(x_i). Traceable, and without checks. Its time is about
        2**num_items * dim / 4e9 seconds on a CPU core; memory is 2**11 * dim integers.

    Raises
    ------
    ValueError
        For a num_items outside the range.

    Examples
    --------
    >>> solver = exhaustive(num_items=3)
    >>> items = jnp.array([[0.5, 0.0], [0.25, 1.0], [0.0, -1.0]])
    >>> match = solver(items, jnp.array([0.75, 0.75]))
    >>> match.mask.tolist(), float(match.error), bool(match.is_exact)
    ([True, True, False], 0.25, True)
    """
    if not 0 <= num_items <= MAX_ITEMS:
        raise ValueError(
            f"{num_items=} needs 2**{num_items} sums; above {MAX_ITEMS} use "
            "subset_sum.nearest_sum for scalars, subset_sum.few_items_nearest for vectors"
        )
    low = min(num_items, TILE_ITEMS)

    def solve(items: Float[Array, "item dim"], target: Float[Array, " dim"]) -> Match:
        fixed = quantize(items.astype(jnp.float32), target.astype(jnp.float32), shared=True)
        tile = _all_sums(fixed.items[:low])
        high = fixed.items[low:]

        def visit(high_subset, seen):
            shift = _bits(high_subset, num_items - low) @ high - fixed.target
            errors = jnp.max(jnp.abs(tile + shift[:, None]), axis=0)
            least, second, at = seen
            return (
                jnp.minimum(least, errors),
                jnp.minimum(second, jnp.maximum(least, errors)),
                jnp.where(errors < least, high_subset, at),
            )

        far = jnp.full(2**low, _FAR, jnp.int32)
        least, second, at = lax.fori_loop(
            0, 2 ** (num_items - low), visit, (far, far, jnp.zeros_like(far))
        )

        def take(least, _):
            best = jnp.argmin(least).astype(jnp.int32)
            return least.at[best].set(_FAR), (least[best], best + (at[best] << low))

        others, (coarse, subsets) = lax.scan(take, least, length=min(_CANDIDATES, 2**low))
        masks = jax.vmap(lambda subset: _bits(subset, num_items) == 1)(subsets)
        errors = jax.vmap(lambda mask: jnp.max(distance(fixed, mask[:, None])))(masks)
        others = jnp.minimum(jnp.min(others), jnp.min(second))
        error_low, error = bracket(errors, coarse[0], others, jnp.max(fixed.margin))
        return Match(
            masks[jnp.argmin(errors)],
            jnp.ldexp(error, -fixed.shift),
            jnp.ldexp(error_low, -fixed.shift),
            error_low >= error,
        )

    return solve


def _bits(subset: Int[Array, ""], num_items: int) -> Int[Array, " item"]:
    """Bit k of the subset's number is 1 where item k is kept."""
    return subset >> jnp.arange(num_items, dtype=jnp.int32) & 1


def _all_sums(items: Int[Array, "item dim"]) -> Int[Array, "dim subset"]:
    """The sums of all subsets; the subset axis is last, where it vectorises."""
    sums = jnp.zeros((items.shape[1], 1), jnp.int32)
    for item in items:
        sums = jnp.concatenate([sums, sums + item[:, None]], axis=1)
    return sums
