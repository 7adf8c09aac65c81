"""A symmetric matrix that is known only by its products with vectors.

Everything in this room reads matrices this way, so that the curvature of a loss with 10^8
parameters and a small matrix in a test are the same thing. What a product needs (weights, data,
residuals of a linearisation) travels as arguments of the compiled program: nothing is baked into
it, and new values of the same shapes compile nothing.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

Vectors = Float[Array, "vector size"]


class Operator(NamedTuple):
    """A symmetric matrix of `size` rows, as products with several vectors at once.

    `product` is compiled once for each function and each number of vectors, so make it once and put
    what changes into `arrays`.
    """

    size: int  # rows of the matrix
    product: Callable[[PyTree, Vectors], Vectors]  # (arrays, vectors) -> the matrix times each
    arrays: PyTree  # everything that a product reads besides the vectors
    is_compiled: bool  # True: pure and traceable. False: called from the host, once a step
    is_semidefinite: bool  # True where no eigenvalue is negative, by construction

    def __matmul__(self, vectors: Vectors) -> Vectors:
        """The matrix times each of the vectors.

        Examples
        --------
        >>> (diagonal(jnp.array([1.0, 2.0])) @ jnp.ones((1, 2))).tolist()
        [[1.0, 2.0]]
        """
        if self.is_compiled:
            return _multiply(self.product, self.arrays, vectors)
        return self.product(self.arrays, vectors)


@functools.partial(jax.jit, static_argnums=0)
def _multiply(product, arrays, vectors):
    return product(arrays, vectors)


def dense(matrix: Float[Array, "size size"], *, is_semidefinite: bool = False) -> Operator:
    """A matrix at hand; only its symmetric part should be present, which is not checked.

    Examples
    --------
    >>> (dense(jnp.array([[0.0, 1.0], [1.0, 0.0]])) @ jnp.array([[2.0, 3.0]])).tolist()
    [[3.0, 2.0]]
    """
    return Operator(len(matrix), _dense_product, matrix, True, is_semidefinite)


def diagonal(values: Float[Array, " size"], *, is_semidefinite: bool = False) -> Operator:
    """A diagonal matrix: the cheapest operator whose spectrum is known.

    Examples
    --------
    >>> diagonal(jnp.array([1.0, 2.0])).size
    2
    """
    return Operator(len(values), _diagonal_product, values, True, is_semidefinite)


def _dense_product(matrix, vectors):
    return jnp.matmul(vectors, matrix, precision="highest")


def _diagonal_product(values, vectors):
    return values[None, :] * vectors
