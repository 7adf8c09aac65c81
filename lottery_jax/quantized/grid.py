"""The grid of weights: whole numbers -K, ..., K stand for -1, -1 + δ, ..., 1, with K = 2**bits.

A weight is stored as a multiple of δ = 1/K, a product of two weights as a multiple of δ². Nothing
is ever divided but by `round_nearest`, which coarsens a grid: the arithmetic of a quantised network
is that of int32 numbers, and two networks are equal or they are not.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int, Int32, Key

MAX_BITS = 14  # so that the 2 K + 1 weights are fewer than 2**16, see `sample`
LARGEST = 2**31 - 1  # of an int32


def steps(bits: int) -> int:
    """K = 2**bits, the number of steps from 0 to 1.

    Raises
    ------
    ValueError
        Unless 0 <= bits <= 14.

    Examples
    --------
    >>> steps(3)
    8
    """
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)):
        raise ValueError(f"{bits=} must be an integer from 0 to {MAX_BITS}")
    if not 0 <= bits <= MAX_BITS:
        raise ValueError(
            f"{bits=} must be from 0 to {MAX_BITS}: products of finer weights leave int32"
        )
    return 2 ** int(bits)


def sample(key: Key[Array, ""], shape: tuple[int, ...], *, bits: int) -> Int32[Array, "..."]:
    """Independent weights, uniform on all 2 K + 1 points of the grid, in units of δ.

    Notes
    -----
    `jax.random.randint` takes the remainder of 64 random bits, so that the probability of a point
    is off by less than 2**-64, and its share of 1 / (2 K + 1) by less than 2**-48.

    Examples
    --------
    >>> sample(jax.random.key(7), (4,), bits=3).tolist()
    [5, -3, 2, 3]
    """
    largest = steps(bits)
    return jax.random.randint(key, shape, -largest, largest + 1, jnp.int32)


def round_nearest(values: Int[Array, "..."], divisor: int) -> Int[Array, "..."]:
    """`values` / `divisor` rounded to the nearest whole number, ties toward zero.

    This is the rounding of a mixed-precision layer: from a grid to one that is `divisor` times
    coarser. Every int32 is allowed, -2**31 too. It is odd and does not decrease, so it commutes
    with a ReLU.

    Raises
    ------
    ValueError
        For a divisor that is not a positive int32.

    Examples
    --------
    >>> round_nearest(jnp.array([-7, -6, -5, 5, 6, 7], jnp.int32), 4).tolist()
    [-2, -1, -1, 1, 1, 2]
    """
    if not 1 <= divisor <= LARGEST:
        raise ValueError(f"{divisor=} must be from 1 to {LARGEST}")
    whole = jnp.full_like(values, divisor)
    quotient, rest = lax.div(values, whole), lax.rem(values, whole)  # both toward zero
    # Twice the remainder could overflow; what it lacks to the divisor cannot.
    is_over = jnp.abs(rest) > whole - jnp.abs(rest)
    return quotient + jnp.where(is_over, jnp.sign(rest), 0)


def check_fits(largest: int, what: str, instead: str) -> None:
    """Refuse magnitudes that int32 cannot hold.

    Parameters
    ----------
    largest
        No magnitude exceeds it.
    what, instead
        What is that large, and the way out.

    Raises
    ------
    ValueError
        For `largest` of 2**31 or more.

    Examples
    --------
    >>> check_fits(2**31, "a sum of products", "use fewer bits")
    Traceback (most recent call last):
    ValueError: a sum of products may reach 2147483648, which int32 does not hold; use fewer bits
    """
    if largest > LARGEST:
        raise ValueError(f"{what} may reach {largest}, which int32 does not hold; {instead}")
