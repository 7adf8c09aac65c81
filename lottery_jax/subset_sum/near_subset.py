"""A subset of at most K of N vectors whose sum is near to a target, by swapping single items.

A start for an exact search, nothing more: it may miss the nearest by any amount. From each of 64
items, the places of the subset in turn take the item, or none, that brings the sum nearest.

Cost: 192 K N distances, far fewer than the exact search compares.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

_STARTS = 64
_SWEEPS = 3


def near_subset(
    items: Float[Array, "item dim"],
    target: Float[Array, " dim"],
    groups: Int[Array, " item"] | None,
    *,
    max_kept: int,
) -> Int[Array, " kept"]:
    """Ascending item numbers, filled up with N; no two of one group, where groups are given.

    Traceable and without checks. The distance is the max norm.
    """
    num_items, dim = items.shape
    padded = jnp.concatenate([items, jnp.zeros((1, dim), items.dtype)])
    if groups is None:
        groups = jnp.arange(num_items, dtype=jnp.int32)
    groups = jnp.concatenate([groups, jnp.zeros((1,), jnp.int32)])
    is_item = jnp.arange(num_items + 1, dtype=jnp.int32) < num_items
    started = np.full((_STARTS, max_kept), num_items)
    started[:, 0] = np.arange(_STARTS) * num_items // _STARTS
    number = jnp.arange(_STARTS, dtype=jnp.int32)

    def swap(chosen: Int[Array, "start kept"], place: Int[Array, ""]):
        """Give one place of every subset to the item that suits it best."""
        is_other = jnp.arange(max_kept, dtype=jnp.int32) != place
        others = jnp.where(is_other[None], chosen, num_items)
        rest = jnp.sum(padded[others], axis=1) - target[None]

        def widen(distance: Float[Array, "start candidate"], axis: tuple):
            along, offset = axis
            here = jnp.abs(offset[:, None] + along[None])
            return jnp.where(here > distance, here, distance), None

        distance = jnp.zeros((_STARTS, num_items + 1), items.dtype)
        distance = lax.scan(widen, distance, (padded.T, rest.T))[0]
        for other in range(max_kept):
            is_taken = groups[others[:, other], None] == groups[None]
            is_taken &= is_item[None] & (others[:, other, None] < num_items)
            distance = jnp.where(is_taken, jnp.inf, distance)
        best = jnp.argmin(distance, axis=1).astype(jnp.int32)
        return chosen.at[:, place].set(best), distance[number, best]

    # The first place holds what the start is, so it is the last to be swapped.
    places = (jnp.arange(_SWEEPS * max_kept, dtype=jnp.int32) + 1) % max_kept
    chosen, distances = lax.scan(swap, jnp.asarray(started, jnp.int32), places)
    return jnp.sort(chosen[jnp.argmin(distances[-1])])
