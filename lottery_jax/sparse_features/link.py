"""A link with its Hermite terms: the function of a few hidden features V^T x that a target is.

For a multi-index (a_1, ..., a_r) the coefficient is that of the product of He_{a_i}(z_i) /
sqrt(a_i!), an orthonormal basis for standard normal z. The lowest degree with a term is the
information exponent k*: one gradient step needs about d^k* samples to see the link in d dimensions
(arXiv 2406.08658, section 2). `links` makes them, with mean 0 and variance 1, so that the squares
of the coefficients are shares of the target's variance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from lottery_jax.sparse_features import hermite

Index = tuple[int, ...]
Function = Callable[[Float[Array, "sample index"]], Float[Array, " sample"]]


@dataclass(frozen=True)
class Link:
    """A function of `num_indices` standard normal variables with mean 0 and variance 1."""

    name: str
    num_indices: int  # r
    terms: tuple[tuple[Index, float], ...]  # by degree; those not 0, in the orthonormal basis
    mass_beyond: float = 0.0  # share of the variance that the terms leave out; 0 for a polynomial
    tolerance: float = (
        0.0  # terms of a callable up to this size are within its errors, and left out
    )
    function: Function | None = None  # what is evaluated, if not the terms

    def evaluate(self, z: Float[Array, "sample index"]) -> Float[Array, " sample"]:
        """The values at the rows of `z`; traceable, in float32."""
        if self.function is not None:
            return self.function(z)
        table = hermite.evaluate(z, self.degree)
        total = jnp.zeros(z.shape[0], jnp.float32)
        for index, coefficient in self.terms:
            factors = [table[degree, :, i] for i, degree in enumerate(index) if degree]
            total += jnp.float32(coefficient / basis_norm(index)) * math.prod(
                factors[1:], start=factors[0]
            )
        return total

    @property
    def degree(self) -> int:
        """The highest degree among the terms."""
        return max((sum(index) for index, _ in self.terms), default=0)

    @property
    def information_exponent(self) -> int:
        """k*, the lowest degree with a term.

        Raises
        ------
        ValueError
            For a callable without a term up to the degree that was searched.

        Examples
        --------
        >>> Link("product", 2, (((1, 1), 1.0),)).information_exponent
        2
        """
        if not self.terms:
            raise ValueError(
                f"{self.name} has no term above {self.tolerance:.1e} up to the degree searched; "
                "raise max_degree of links.function"
            )
        return min(sum(index) for index, _ in self.terms)


def basis_norm(index: Index) -> float:
    """sqrt(a!), the norm of the product of He_{a_i}.

    Examples
    --------
    >>> round(basis_norm((2, 3)) ** 2, 9)
    12.0
    """
    return math.sqrt(math.prod(map(math.factorial, index)))
