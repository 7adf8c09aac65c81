"""Whole numbers of 64 bits as two uint32 words, for programs that have no 64-bit types.

Arithmetic is modulo 2**64, as that of one 64-bit word is. A number of subsets of n items is at most
2**n, so that every count of fewer than 64 items fits.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt32, UInt64

_HALF = 16
_LOW = 2**_HALF - 1
_BLOCK = 2**15  # so many 16-bit numbers have a sum below 2**31


class Wide(NamedTuple):
    """`high * 2**32 + low`, entry by entry."""

    high: UInt32[Array, "*shape"]
    low: UInt32[Array, "*shape"]


def wide(low: UInt32[Array, "*shape"]) -> Wide:
    """One word as a number of two."""
    return Wide(jnp.zeros_like(low), low)


def add(first: Wide, second: Wide) -> Wide:
    """The sum modulo 2**64.

    Examples
    --------
    >>> most = jnp.array([2**32 - 1], jnp.uint32)
    >>> to_uint64(add(wide(most), wide(most))).tolist()
    [8589934590]
    """
    low = first.low + second.low
    carry = (low < first.low).astype(jnp.uint32)
    return Wide(first.high + second.high + carry, low)


def multiply(first: UInt32[Array, "*shape"], second: UInt32[Array, "*shape"]) -> Wide:
    """The whole product of two words, from products of their 16-bit halves.

    Examples
    --------
    >>> most = jnp.array([2**32 - 1], jnp.uint32)
    >>> int(to_uint64(multiply(most, most))[0]) == (2**32 - 1) ** 2
    True
    """
    low_first, low_second = first & _LOW, second & _LOW
    high_first, high_second = first >> _HALF, second >> _HALF
    lowest = low_first * low_second
    # At most (2**16 - 1)**2 + 2 (2**16 - 1) = 2**32 - 1: none of these sums overflows.
    middle = high_first * low_second + (lowest >> _HALF)
    other = low_first * high_second + (middle & _LOW)
    high = high_first * high_second + (middle >> _HALF) + (other >> _HALF)
    return Wide(high, (other << _HALF) | (lowest & _LOW))


def halved(number: Wide, *, times: int) -> Wide:
    """Divided by 2**times, rounded down; times < 32."""
    if times == 0:
        return number
    low = number.low >> times | number.high << (32 - times)
    return Wide(number.high >> times, low)


def total(numbers: Wide) -> Wide:
    """The sum over the first axis, modulo 2**64.

    Examples
    --------
    >>> to_uint64(total(wide(jnp.full((2, 3), 2**31, jnp.uint32)))).tolist()
    [4294967296, 4294967296, 4294967296]
    """
    while numbers.low.shape[0] > 1:
        length = numbers.low.shape[0]
        block = min(length, _BLOCK)
        blocks = -(-length // block)
        numbers = jax.tree.map(lambda words, b=block, n=blocks: _in_blocks(words, b, n), numbers)
        numbers = _total_of_blocks(numbers)
    if numbers.low.shape[0] == 0:
        return jax.tree.map(lambda words: jnp.zeros(words.shape[1:], jnp.uint32), numbers)
    return jax.tree.map(lambda words: words[0], numbers)


def to_uint64(numbers: Wide) -> UInt64[np.ndarray, "*shape"]:
    """On the host, one 64-bit word for each number."""
    words = np.asarray(numbers.high).astype(np.uint64)
    words = np.left_shift(words, np.uint64(32), out=words)
    return np.bitwise_or(words, np.asarray(numbers.low), out=words)


def _in_blocks(words: Array, block: int, blocks: int) -> Array:
    padding = [(0, block * blocks - words.shape[0])] + [(0, 0)] * (words.ndim - 1)
    return jnp.pad(words, padding).reshape(blocks, block, *words.shape[1:])


def _total_of_blocks(numbers: Wide) -> Wide:
    """Over the second axis, at most `_BLOCK` long: digits of 16 bits apart, then carried."""
    digits = [
        jnp.sum(digit, axis=1, dtype=jnp.uint32)
        for words in (numbers.low, numbers.high)
        for digit in (words & _LOW, words >> _HALF)
    ]
    carried = []
    carry = jnp.zeros_like(digits[0])
    for digit in digits:
        digit = digit + carry
        carried.append(digit & _LOW)
        carry = digit >> _HALF
    return Wide(carried[3] << _HALF | carried[2], carried[1] << _HALF | carried[0])
