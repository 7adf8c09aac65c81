"""Two quantised networks side by side, in whole numbers, on every input of a grid.

The audit knows nothing of subset sums: it evaluates the pruned network from its masked weights, and
the target network from its own, and counts the inputs at which they differ.

Inputs and rounded outputs are multiples of γ. Weights in units of δ make outputs in units of δ γ,
and after two layers δ² γ; a layer that rounds divides by 1/δ or 1/δ², to the nearest whole number,
ties toward zero. In γ-double mixed precision every layer rounds, in γ-triple every second one.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32, Key

from lottery_jax.core import keys
from lottery_jax.quantized.grid import round_nearest, sample, steps

Weights = tuple[Int32[Array, "_ _"], ...]  # [output, input] of each layer
CHUNK = 1024  # inputs that are evaluated together
MOST_POINTS = 10**6  # a grid with more inputs is checked at its corners and at random ones
_CORNER_BITS = 16  # beyond as many inputs, corners are drawn, and may repeat


class Differences(NamedTuple):
    """Inputs at which the networks differ."""

    rounded: Int32[Array, ""]  # in their outputs
    exact: Int32[Array, ""]  # in their outputs before the rounding of the last layer; not fewer


def evaluate(
    weights: Weights, inputs: Int32[Array, "point input"], *, divisors: Sequence[int]
) -> Int32[Array, "point output"]:
    """The outputs before the rounding of the last layer.

    Parameters
    ----------
    weights
        Of every layer; a ReLU follows all but the last.
    divisors
        What the outputs of each layer are divided by when they are rounded; 1 does not round. The
        last is not applied.

    Examples
    --------
    >>> weights = (jnp.array([[3], [-5]], jnp.int32), jnp.array([[2, 1]], jnp.int32))
    >>> evaluate(weights, jnp.array([[3], [-3]], jnp.int32), divisors=(4, 4)).tolist()
    [[4], [4]]
    """
    for layer, (matrix, divisor) in enumerate(zip(weights, divisors, strict=True)):
        outputs = jnp.matmul(inputs, matrix.T, preferred_element_type=jnp.int32)
        if layer + 1 == len(weights):
            return outputs
        inputs = jnp.maximum(round_nearest(outputs, divisor), 0)
    raise ValueError("weights are those of at least one layer, not of none")


def differences(
    key: Key[Array, ""],
    pruned: Weights,
    target: Weights,
    *,
    pruned_divisors: Sequence[int],
    target_divisors: Sequence[int],
    bits: int,
) -> Differences:
    """Compare two networks on the inputs that `num_checked` counts.

    Parameters
    ----------
    key
        For random inputs, where the grid has more than 10^6 points.
    pruned, target
        Weights of both networks, over their own units.
    pruned_divisors, target_divisors
        As in `evaluate`, the last included: it brings both to multiples of γ.
    bits
        log2(1/γ); the inputs are all points of this grid in [-1, 1]^inputs.
    """
    dim = target[0].shape[1]
    total = num_checked(dim, bits)
    finer = pruned_divisors[-1] // target_divisors[-1]

    def compare(start):
        index = start + jnp.arange(CHUNK, dtype=jnp.int32)
        inputs = _inputs(key, index, dim, bits)
        ours = evaluate(pruned, inputs, divisors=pruned_divisors)
        theirs = evaluate(target, inputs, divisors=target_divisors)
        is_other = round_nearest(ours, pruned_divisors[-1]) != round_nearest(
            theirs, target_divisors[-1]
        )
        return (_count(is_other, index < total), _count(ours != theirs * finer, index < total))

    starts = jnp.arange(0, total, CHUNK, dtype=jnp.int32)
    rounded, exact = lax.map(compare, starts)
    return Differences(jnp.sum(rounded, dtype=jnp.int32), jnp.sum(exact, dtype=jnp.int32))


def num_checked(dim: int, bits: int) -> int:
    """How many inputs `differences` looks at.

    All (2/γ + 1)^dim points of the grid, if they are at most 10^6; else corners, and 2^16 random
    points with all coordinates uniform on the grid. Up to 16 inputs these are all corners; beyond,
    2^16 random ones, which may repeat.

    Examples
    --------
    >>> num_checked(3, 4), num_checked(5, 4)
    (35937, 65568)
    """
    points = (2 * steps(bits) + 1) ** dim
    return points if points <= MOST_POINTS else _num_corners(dim) + 2**_CORNER_BITS


def is_whole_grid(dim: int, bits: int) -> bool:
    """Whether `differences` looks at every input."""
    return (2 * steps(bits) + 1) ** dim <= MOST_POINTS


def largest_value(widths: Sequence[int], *, weight: int, terms: Sequence[int], bits: int) -> int:
    """No magnitude in the evaluation of a pruned network exceeds it.

    Parameters
    ----------
    widths
        Of the target network, whose rounded outputs are at most the product of the widths before.
    weight
        Largest magnitude of an item of a sum that stands for a weight, in its own units.
    terms
        How many items each layer may add up for one weight.
    bits
        log2(1/γ).

    Examples
    --------
    >>> largest_value((2, 3, 1), weight=64, terms=(48, 48), bits=3)
    147456
    """
    return max(
        inputs * each * weight * steps(bits) * math.prod(widths[:layer])
        for layer, (inputs, each) in enumerate(zip(widths, terms, strict=False))
    )


def _inputs(key, index: Int32[Array, " point"], dim: int, bits: int) -> Int32[Array, "point input"]:
    """The inputs with these numbers."""
    size = 2 * steps(bits) + 1
    if is_whole_grid(dim, bits):
        powers = jnp.array([size**i for i in range(dim)], jnp.int32)
        return index[:, None] // powers[None] % size - steps(bits)
    free = jax.vmap(lambda number: sample(keys.lane(key, number), (dim,), bits=bits))(
        index.astype(jnp.uint32)
    )
    if dim <= _CORNER_BITS:
        signs = index[:, None] >> jnp.arange(dim, dtype=jnp.int32)[None] & 1
    else:
        signs = (free > 0).astype(jnp.int32)
    corners = (2 * signs - 1) * steps(bits)
    return jnp.where(index[:, None] < _num_corners(dim), corners, free)


def _num_corners(dim: int) -> int:
    return 2 ** min(dim, _CORNER_BITS)


def _count(is_other: Bool[Array, "point output"], is_there: Bool[Array, " point"]):
    return jnp.sum(jnp.any(is_other, axis=1) & is_there, dtype=jnp.int32)
