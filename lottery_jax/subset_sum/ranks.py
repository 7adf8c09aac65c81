"""Where numbers stand in an ordered list: bisection of many numbers side by side.

`jnp.searchsorted` decides one number after the other; here every step of the bisection is one
gather for a block of numbers. Numbers that follow each other should be close to each other, so that
what they read is in the cache.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int

_BLOCK = 2**13  # numbers looked up together

Limbs = tuple[Array, ...]  # most significant first; the others are not negative


def ranks(ordered: Limbs, numbers: Limbs, *, or_equal: bool) -> Int[Array, " number"]:
    """How many entries of an ascending list are less than each number, or equal.

    Parameters
    ----------
    ordered
        Of any length of at least 1.
    numbers
        Of any length.
    or_equal
        Whether entries equal to the number count.

    Examples
    --------
    >>> listed = (jnp.array([1, 3, 3, 5], jnp.int32),)
    >>> numbers = (jnp.array([0, 3, 9], jnp.int32),)
    >>> [ranks(listed, numbers, or_equal=each).tolist() for each in (False, True)]
    [[0, 1, 4], [0, 3, 4]]
    """
    size, count = len(ordered[0]), len(numbers[0])
    block = min(_BLOCK, max(1, count))
    padding = (0, -count % block)
    blocks = tuple(jnp.pad(limb, padding).reshape(-1, block) for limb in numbers)

    def look_up(numbers: Limbs) -> Int[Array, " block"]:
        def halve(step, rank):
            further = rank + (jnp.int32(1) << (size.bit_length() - 1 - step))
            at = jnp.minimum(further, size) - 1
            is_before = _is_before(tuple(limb[at] for limb in ordered), numbers, or_equal)
            return jnp.where((further <= size) & is_before, further, rank)

        steps = size.bit_length()
        return lax.fori_loop(jnp.int32(0), jnp.int32(steps), halve, jnp.zeros((block,), jnp.int32))

    return lax.map(look_up, blocks).reshape(-1)[:count]


def _is_before(first: Limbs, second: Limbs, or_equal: bool) -> Bool[Array, " block"]:
    """Comparison of numbers of one or more limbs."""
    answer = first[-1] <= second[-1] if or_equal else first[-1] < second[-1]
    for high, other in zip(first[-2::-1], second[-2::-1], strict=True):
        answer = (high < other) | ((high == other) & answer)
    return answer
