"""The M largest of many numbers, with M traced: a sweep over M compiles nothing.

Numbers that are not negative are in the order of their bits read as whole numbers, so the M-th
largest is found exactly by deciding its 31 bits from the highest on. That needs no sorting, and
takes the same time for every M.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32


def largest_sum(
    values: Float[Array, "*batch coordinate"], kept: Int32[Array, ""]
) -> Float[Array, "*batch"]:
    """The sum of the `kept` largest of each row.

    Parameters
    ----------
    values
        At least 0 each. A row with a nan has no sum: nan.
    kept
        At least 0; from the length of a row on, all are summed.

    Notes
    -----
    With tau the `kept`-th largest, those above it are added up, and tau for each that is still
    missing, so that ties do not matter. Costs 33 passes over the values.

    Examples
    --------
    >>> largest_sum(jnp.array([[1.0, 4.0, 4.0, 2.0]]), jnp.int32(3)).tolist()
    [10.0]
    """
    bits = jax.lax.bitcast_convert_type(values, jnp.int32)

    def decide(step: Int32[Array, ""], lowest: Int32[Array, "*batch"]) -> Int32[Array, "*batch"]:
        higher = lowest | (jnp.int32(1) << (jnp.int32(30) - step))
        enough = jnp.sum(bits >= higher[..., None], axis=-1, dtype=jnp.int32) >= kept
        return jnp.where(enough, higher, lowest)

    last = jax.lax.fori_loop(0, 31, decide, jnp.zeros(values.shape[:-1], jnp.int32))
    above = bits > last[..., None]
    missing = jnp.maximum(kept - jnp.sum(above, axis=-1, dtype=jnp.int32), 0)
    tau = jax.lax.bitcast_convert_type(last, jnp.float32)
    total = jnp.sum(jnp.where(above, values, jnp.float32(0)), axis=-1)
    return total + jnp.where(missing > 0, tau, jnp.float32(0)) * missing.astype(jnp.float32)


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
