"""First widths by bisection: from a decision at one width to the first width that succeeds."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32

from lottery_jax.montecarlo.experiment import FirstWidth


def first_width_by_bisection(
    decide: Callable[[Int32[Array, ""]], tuple[Bool[Array, ""], Bool[Array, ""]]],
    width: int | Int32[Array, ""],
    *,
    least: int = 0,
) -> FirstWidth:
    """First widths of one draw from a decision at each width, by bisection.

    Parameters
    ----------
    decide
        Width -> (certain, possible); both monotone in the width, certain implies possible. Traced.
    width
        The largest width; may be traced.
    least
        The smallest width, >= 0.

    Returns
    -------
    FirstWidth
        In [least, width + 1], where width + 1 says that even `width` is too small.

    Notes
    -----
    About log2(width) decisions in one loop, up to twice as many for a draw that rounding leaves
    open: every decision narrows the brackets of both answers.

    Examples
    --------
    >>> first = first_width_by_bisection(lambda m: (m >= 6, m >= 5), 10)
    >>> int(first.certain), int(first.possible)
    (6, 5)
    """
    start = jnp.int32(least), jnp.asarray(width, jnp.int32) + 1

    def either_is_open(brackets):
        certain, possible = brackets
        return _is_open(certain) | _is_open(possible)

    def narrow(brackets):
        certain, possible = brackets
        low = jnp.where(_is_open(certain), certain[0], possible[0])
        high = jnp.where(_is_open(certain), certain[1], possible[1])
        middle = low + (high - low) // 2
        is_certain, is_possible = decide(middle)
        return _halve(certain, middle, is_certain), _halve(possible, middle, is_possible)

    (certain, _), (possible, _) = lax.while_loop(either_is_open, narrow, (start, start))
    return FirstWidth(certain, possible)


def _is_open(bracket):
    """A bracket [low, high] holds the first width at which the answer is yes; closed, it is it."""
    low, high = bracket
    return low < high


def _halve(bracket, middle, is_reached):
    """The part of the bracket that agrees with the decision at `middle`."""
    low, high = bracket
    return (
        jnp.where(is_reached, low, jnp.maximum(low, middle + 1)),
        jnp.where(is_reached, jnp.minimum(high, middle), high),
    )
