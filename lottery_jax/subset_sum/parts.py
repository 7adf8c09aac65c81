"""The parts from which subsets are joined: every subset of at most two items, sorted.

Sorted by the first coordinate of the sum, rounded to a grid so that one integer sort of packed
words does it; a grid step more on either side makes every window safe.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

_LAST = 1 << 30  # sorts behind every part in use


class Parts(NamedTuple):
    """All parts of at most a given size, sorted by their first coordinate."""

    members: Int[Array, "2 part"]  # item numbers, ascending; N stands for "no item"
    sums: Float[Array, "screened part"]  # +inf in the padding
    order: Int[Array, " part"]  # the first coordinate rounded to a grid, ascending
    count: Int[Array, ""]  # type: ignore[override]  # parts in use
    origin: Float[Array, ""]  # the value at order 0
    steps: Float[Array, ""]  # grid steps per unit


def list_parts(
    padded: Float[Array, "item dim"],
    num_items: Int[Array, ""],
    size: int,
    screened: int,
    *,
    padding: int,
) -> Parts:
    """Every part of at most `size` items (0, 1 or 2), sorted, then `padding` sums of +inf."""
    capacity = padded.shape[0] - 1
    members = _members(capacity, size)
    num_parts = members.shape[1]
    count = sum(
        (jnp.int32(1), num_items, num_items * (num_items - 1) // 2)[: size + 1], jnp.int32(0)
    )
    sums = (padded[members[0], :screened] + padded[members[1], :screened]).T
    number = jnp.arange(num_parts, dtype=jnp.int32)
    in_use = number < count
    origin = jnp.min(jnp.where(in_use, sums[0], jnp.inf))
    extent = jnp.max(jnp.where(in_use, sums[0], -jnp.inf)) - origin
    number_bits = max(1, (num_parts - 1).bit_length())
    steps = (2 ** (30 - number_bits) - 4) / jnp.maximum(extent, 1e-30)
    order = jnp.floor((sums[0] - origin) * steps).astype(jnp.int32)
    packed = lax.sort(jnp.where(in_use, (order << number_bits) | number, _LAST | number))
    number = packed & ((1 << number_bits) - 1)
    sums = jnp.where(jnp.arange(num_parts, dtype=jnp.int32) < count, sums[:, number], jnp.inf)
    return Parts(
        members=jnp.asarray(members)[:, number],
        sums=jnp.pad(sums, ((0, 0), (0, padding)), constant_values=jnp.inf),
        order=packed >> number_bits,
        count=count,
        origin=origin,
        steps=steps,
    )


def _members(capacity: int, size: int) -> np.ndarray:
    """The parts by number; those of the first n items come first, for every n."""
    parts = [(capacity, capacity)]
    for last in range(capacity if size else 0):
        parts.append((last, capacity))
        if size == 2:
            parts.extend((first, last) for first in range(last))
    return np.asarray(parts, np.int32).T


def position(parts: Parts, values: Float[Array, " value"], shift: int) -> Int[Array, " value"]:
    """First part in the order whose grid step is that of the value, plus `shift`, or more."""
    steps = jnp.floor(jnp.clip((values - parts.origin) * parts.steps, -4.0, 2.0**30))
    wanted = steps.astype(jnp.int32) + shift
    return jnp.searchsorted(parts.order, wanted, method="scan_unrolled").astype(jnp.int32)
