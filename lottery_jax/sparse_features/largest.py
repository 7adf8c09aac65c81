"""The M largest of many numbers, with M traced: a sweep over M compiles nothing.

Numbers that are not negative are in the order of their bits read as whole numbers, so the M-th
largest is found exactly by deciding its 31 bits from the highest on. That needs no sorting, and
takes the same time for every M.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32


class _State(NamedTuple):
    """Bits of the threshold so far, and how many values are at least that."""

    step: Int32[Array, ""]
    lowest: Int32[Array, "*batch"]
    number: Int32[Array, "*batch"]


def largest_sum(
    values: Float[Array, "coordinate *batch"], kept: Int32[Array, ""]
) -> Float[Array, "*batch"]:
    """The sum of the `kept` largest of each column.

    Parameters
    ----------
    values
        At least 0 each. A column with a nan has no sum: nan.
    kept
        At least 0; from the length of a column on, all are summed.

    Notes
    -----
    Once some threshold has `kept` numbers of every column above it, they are summed. With ties, and
    to the last bit, the threshold is the `kept`-th largest number itself, which is then added for
    each that is still missing. Costs at most 33 passes over the values, and fewest for columns
    side by side in memory: counting is then one vector instruction for several of them.

    Examples
    --------
    >>> largest_sum(jnp.array([1.0, 4.0, 4.0, 2.0]), jnp.int32(3)).tolist()
    10.0
    """
    bits = jax.lax.bitcast_convert_type(values, jnp.int32)
    columns = values.shape[1:]

    def is_open(state: _State) -> Bool[Array, ""]:
        return (state.step >= 0) & jnp.any(state.number != kept)

    def decide(state: _State) -> _State:
        higher = state.lowest | (jnp.int32(1) << state.step)
        number = jnp.sum(bits >= higher[None], axis=0, dtype=jnp.int32)
        enough = number >= kept
        return _State(
            state.step - 1,
            jnp.where(enough, higher, state.lowest),
            jnp.where(enough, number, state.number),
        )

    none = _State(
        jnp.int32(30), jnp.zeros(columns, jnp.int32), jnp.full(columns, len(values), jnp.int32)
    )
    lowest = jax.lax.while_loop(is_open, decide, none).lowest
    above = bits > lowest[None]
    missing = jnp.maximum(kept - jnp.sum(above, axis=0, dtype=jnp.int32), 0)
    threshold = jax.lax.bitcast_convert_type(lowest, jnp.float32)
    total = jnp.sum(jnp.where(above, values, jnp.float32(0)), axis=0)
    return total + jnp.where(missing > 0, threshold * missing.astype(jnp.float32), jnp.float32(0))


def largest(
    values: Float[Array, " coordinate"], kept: Int32[Array, ""]
) -> Bool[Array, " coordinate"]:
    """Which are the `kept` largest; of equal ones those with the lower numbers.

    Examples
    --------
    >>> largest(jnp.array([1.0, 4.0, 2.0, 2.0]), jnp.int32(2)).tolist()
    [False, True, True, False]
    """
    order = jnp.argsort(-values, stable=True)
    return jnp.zeros(values.shape, bool).at[order].set(jnp.arange(values.size) < kept)
