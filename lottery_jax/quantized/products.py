"""The law of a product of two weights of the grid, and how far it falls short of a finer grid.

A hidden unit with input weight a > 0 and output weight b contributes b a+ to a weight, a+ the
positive part: a multiple of δ². But not every multiple of δ² is such a product. The positive ones
are the distinct entries of the K x K multiplication table, K = 1/δ, whose share of the K² points
tends to zero (Erdos; OEIS A027424; their number is of the order of K² / ((log K)^0.086...
(log log K)^1.5), Ford 2008, Annals of Mathematics 168).

So the quantised paper's step from products to items that are uniform on the grid of δ², by
rejecting some of them, cannot work as written: what is never drawn cannot be accepted. Rejection to
the uniform law on the products alone is possible, and `acceptance` says how few would be kept. None
of it is needed to prune: here the items are the products themselves, under their own law.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from lottery_jax.quantized.grid import steps

MOST_BITS = 12  # of a table: K² entries of 8 bytes


class ProductLaw(NamedTuple):
    """The law of b a+ for a and b uniform on the grid, as whole numbers."""

    values: Int64[np.ndarray, " value"]  # -K² to K², in units of δ², all of them
    ways: Int64[np.ndarray, " value"]  # pairs (a, b) with this value
    pairs: int  # all pairs, (2 K + 1)²: a probability is ways / pairs


def product_law(bits: int) -> ProductLaw:
    """The number of pairs of weights behind every value of b a+.

    Parameters
    ----------
    bits
        log2(1/δ), 0 to 12.

    Raises
    ------
    ValueError
        For bits outside the range.

    Notes
    -----
    K steps of at most 2 K + 1 additions: K² in all.

    Examples
    --------
    At δ = 1/2 (K = 2), 17 of the 25 pairs give zero, and 3 units of δ² are out of reach:

    >>> law = product_law(1)
    >>> law.values.tolist(), law.ways.tolist(), law.pairs
    ([-4, -3, -2, -1, 0, 1, 2, 3, 4], [1, 0, 2, 1, 17, 1, 2, 0, 1], 25)
    """
    largest = _steps(bits)
    square = largest**2
    ways = np.zeros(2 * square + 1, np.int64)
    ways[square] = (largest + 1) * (2 * largest + 1)  # a <= 0
    for a in range(1, largest + 1):
        ways[square - a * largest : square + a * largest + 1 : a] += 1
    return ProductLaw(np.arange(-square, square + 1), ways, (2 * largest + 1) ** 2)


def is_product(bits: int) -> Bool[np.ndarray, " point"]:
    """Which of the points 0, δ², 2 δ², ..., 1 are products of two weights of the grid.

    Parameters and errors are those of `product_law`.

    Examples
    --------
    10 of the 17 points at δ = 1/4:

    >>> np.flatnonzero(is_product(2)).tolist()
    [0, 1, 2, 3, 4, 6, 8, 9, 12, 16]
    """
    largest = _steps(bits)
    found = np.zeros(largest**2 + 1, bool)
    for a in range(1, largest + 1):
        found[: a * largest + 1 : a] = True
    return found


def share(bits: int) -> float:
    """The share of the K² + 1 points of `is_product` that are products.

    Examples
    --------
    >>> [round(share(bits), 3) for bits in (0, 1, 2, 3, 6, 10)]
    [1.0, 0.8, 0.588, 0.477, 0.309, 0.248]
    """
    return float(np.mean(is_product(bits)))


def acceptance(bits: int) -> float:
    """The largest rate at which rejection turns b a+ into the uniform law on its own values.

    A value v must be kept with a probability proportional to 1 / P(v): the rate is the number of
    values times the least of their probabilities. For the uniform law on all of the points of the
    finer grid it is zero from bits = 1 on, where some point is no product.

    Examples
    --------
    >>> [round(acceptance(bits), 3) for bits in (1, 3, 6, 10)]
    [0.28, 0.211, 0.152, 0.124]
    """
    law = product_law(bits)
    drawn = law.ways[law.ways > 0]
    return float(drawn.size * drawn.min() / law.pairs)


def _steps(bits: int) -> int:
    largest = steps(bits)
    if bits > MOST_BITS:
        raise ValueError(f"{bits=} needs a table of 4**{bits} points; use at most {MOST_BITS}")
    return largest
