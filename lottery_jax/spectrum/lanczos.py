"""The Lanczos recursion: a symmetric operator, seen from a vector, as a small tridiagonal matrix.

From a unit vector v the recursion builds an orthonormal basis of span(v, Hv, H²v, ...) in which H
is tridiagonal. The eigenvalues of that matrix and the squared first entries of its eigenvectors
are the Gauss quadrature of H seen from v: vᵀf(H)v = Σ weight f(node), exactly for polynomials of
degree 2 steps - 1. In float32 the basis loses orthogonality as soon as an eigenvalue converges, so
every new vector is made orthogonal to all former ones, and once more where the first time took
much of it (Daniel, Gragg, Kaufman, Stewart 1976: twice is enough).

Several vectors advance together. The product is called from the host once a step, and all the rest
of a step is one compiled call: on CPU, convolutions inside a compiled loop run several times
slower than alone, and a call costs less than a thousandth of a product worth estimating with. The
basis grows by blocks of rows that are updated in place, so it is never copied and a run goes on
from m to 2m steps as if it had been asked for 2m.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Float64

from lottery_jax.spectrum import blocks as blocks_
from lottery_jax.spectrum.blocks import Blocked, Cut, Shared
from lottery_jax.spectrum.operator import Operator, Vectors

# Rows of the basis to one array: what is compiled depends on the number of such arrays.
ROWS = 16
# A next vector shorter than this part of the longest product so far is rounding, not direction: the
# entries of a float32 product err by some units of 6e-8, and so does their norm.
_ROUNDING = 2.0**-19


class Recursion(NamedTuple):
    """Where a run stands. The arrays of the basis are given up to the next step: use it once."""

    cut: Cut
    basis: tuple[Float[Array, "vector block row entry"], ...] | None  # None: three-term recursion
    previous: Blocked
    vector: Blocked  # the next one to multiply; zeros once the recursion has ended
    tail: Float[Array, " vector"]  # the last off-diagonal entry, which couples to `vector`
    scale: Float[Array, " vector"]  # norm of the longest product so far
    norms: Float64[np.ndarray, " vector"]  # of the vectors it started from
    diagonal: tuple[Float[Array, " vector"], ...]  # one entry for each step
    off_diagonal: tuple[Float[Array, " vector"], ...]  # likewise; the last is `tail`

    @property
    def num_steps(self) -> int:
        """Products that each vector has had."""
        return len(self.diagonal)


class Tridiagonal(NamedTuple):
    """The coefficients of a run, on the host."""

    diagonal: Float64[np.ndarray, "vector step"]
    off_diagonal: Float64[np.ndarray, "vector step"]  # the last couples to the step not taken
    norms: Float64[np.ndarray, " vector"]  # of the vectors it started from
    has_ended: Bool[np.ndarray, " vector"]  # an invariant subspace was found: the measure is exact


def begin(
    operator: Operator, starts: Vectors, *, keeps_basis: bool = True, mesh: Mesh | None = None
) -> Recursion:
    """A recursion of no steps yet.

    Parameters
    ----------
    starts
        One vector for each run, of any length but 0.
    keeps_basis
        False for three terms only, which is right while no eigenvalue converges.
    mesh
        One axis of devices over which every vector is cut.

    Raises
    ------
    ValueError
        For vectors that do not fit the operator, or are zero or not finite; says which.

    Examples
    --------
    >>> from lottery_jax.spectrum.operator import diagonal
    >>> operator = diagonal(jnp.array([1.0, 3.0]))
    >>> run = extend(operator, begin(operator, jnp.ones((1, 2))), 2)
    >>> coefficients(run).diagonal.round(4).tolist()
    [[2.0, 2.0]]
    """
    if starts.shape[1] != operator.size:
        raise ValueError(f"{starts.shape=} must be (vectors, {operator.size}): the operator's size")
    cut = blocks_.cut(operator.size, mesh)
    vector, lengths = _unit(cut, jnp.asarray(starts, jnp.float32))
    norms = np.asarray(lengths, np.float64)
    wrong = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
    if len(wrong):
        raise ValueError(f"start vector {wrong[0]} has norm {norms[wrong[0]]}; it must be positive")
    zero = jnp.zeros(len(starts), jnp.float32)
    basis = () if keeps_basis else None
    return Recursion(cut, basis, jnp.zeros_like(vector), vector, zero, zero, norms, (), ())


def extend(
    operator: Operator,
    recursion: Recursion,
    steps: int,
    *,
    outliers: Shared | None = None,
    after_step: Callable[[Recursion], None] | None = None,
) -> Recursion:
    """`steps` more steps.

    Parameters
    ----------
    recursion
        Given up: its basis becomes part of the result.
    outliers
        Orthonormal vectors in blocks, off which every product is projected.
    after_step
        Called with the state after each step; it may read it, and must not keep it.

    Raises
    ------
    FloatingPointError
        Where a product is not finite; says in which step.

    Notes
    -----
    Cost of a step with j vectors in the basis: a product, and 4 j D operations for each run, or
    8 j D where the vector is made orthogonal twice.
    """
    multiply = _multiply if operator.is_compiled else _multiply_from_host
    cut, first = recursion.cut, recursion.num_steps
    for _ in range(steps):
        products = multiply(operator.product, cut, operator.arrays, recursion.vector)
        recursion = _one_step(recursion, products, outliers)
        # Steps that are only asked for would hold their vectors already.
        jax.block_until_ready(recursion.tail)
        if after_step is not None:
            after_step(recursion)
    if steps:
        _check_finite(recursion, first)
    return recursion


def coefficients(recursion: Recursion) -> Tridiagonal:
    """The tridiagonal matrices so far, in float64 on the host."""
    diagonal, off_diagonal = (
        np.stack([np.asarray(entry, np.float64) for entry in entries], axis=1)
        if entries
        else np.zeros((len(recursion.norms), 0))
        for entries in (recursion.diagonal, recursion.off_diagonal)
    )
    ended = np.any(off_diagonal == 0, axis=1)
    return Tridiagonal(diagonal, off_diagonal, recursion.norms, ended)


def shortened(recursion: Recursion, steps: int) -> Recursion:
    """The coefficients of the first `steps` steps of a run that may have taken more."""
    return recursion._replace(
        diagonal=recursion.diagonal[:steps], off_diagonal=recursion.off_diagonal[:steps]
    )


def ritz_vectors(
    recursion: Recursion, mixtures: Float64[np.ndarray, "step mixture"], number: int = 0
) -> Shared:
    """Mixtures of the basis vectors of run `number`, in blocks."""
    if recursion.basis is None:
        raise ValueError("no basis was kept; begin with keeps_basis=True")
    rows = ROWS * len(recursion.basis)
    padded = np.zeros((rows, mixtures.shape[1]), np.float32)
    padded[: len(mixtures)] = mixtures
    return _mix(recursion.basis, jnp.asarray(padded), number)


def _one_step(recursion, products, outliers):
    row = recursion.num_steps % ROWS
    basis = recursion.basis
    if basis is not None and row == 0:
        new = jnp.zeros((*recursion.vector.shape[:2], ROWS, recursion.cut.length), jnp.float32)
        basis = (*basis, recursion.cut.place(new))
    if basis is not None:
        basis = (*basis[:-1], _write(basis[-1], recursion.vector, np.int32(row)))
    previous, vector, tail, scale, entry = _advance(
        recursion.previous,
        products,
        recursion.vector,
        recursion.tail,
        recursion.scale,
        () if basis is None else basis,
        outliers,
    )
    return recursion._replace(
        basis=basis,
        previous=previous,
        vector=vector,
        tail=tail,
        scale=scale,
        diagonal=(*recursion.diagonal, entry),
        off_diagonal=(*recursion.off_diagonal, tail),
    )


@functools.partial(jax.jit, static_argnums=0)
def _unit(cut, starts):
    vectors = cut.split(starts)
    # Scaled first: the squares of very long or short vectors leave the range of float32.
    largest = jnp.max(jnp.abs(vectors), axis=(1, 2))
    largest = jnp.where(largest == 0, np.float32(1), largest)  # the caller refuses the length 0
    vectors = vectors / largest[:, None, None]
    lengths = jnp.sqrt(blocks_.inner(vectors, vectors))
    return vectors / lengths[:, None, None], lengths * largest


@functools.partial(jax.jit, static_argnums=(0, 1))
def _multiply(product, cut, arrays, vector):
    return cut.split(product(arrays, cut.join(vector)))


def _multiply_from_host(product, cut, arrays, vector):
    return _split(cut, product(arrays, _join(cut, vector)))


_split = jax.jit(Cut.split, static_argnums=0)
_join = jax.jit(Cut.join, static_argnums=0)


@functools.partial(jax.jit, donate_argnums=0)
def _write(rows, vector, row):
    """Apart from the rest: where XLA also reads what it updates, it copies all of it first."""
    return jax.lax.dynamic_update_slice_in_dim(rows, vector[:, :, None], row, axis=2)


@functools.partial(jax.jit, donate_argnums=(0, 1))
def _advance(previous, products, vector, tail, scale, basis, outliers):
    scale = jnp.maximum(scale, jnp.sqrt(blocks_.inner(products, products)))
    if outliers is not None:
        # In every step: rounding of a product lies along the outliers, and a step multiplies it by
        # their ratio to the bulk.
        products = blocks_.without(outliers, products)
    entry = blocks_.inner(products, vector)
    new = products - entry[:, None, None] * vector - tail[:, None, None] * previous
    if basis:
        new = _orthogonal(basis, new)
    length = jnp.sqrt(blocks_.inner(new, new))
    goes_on = ~(length <= np.float32(_ROUNDING) * scale)  # a NaN goes on, to be reported
    tail = jnp.where(goes_on, length, np.float32(0))
    inverse = jnp.where(goes_on, 1 / jnp.where(goes_on, length, np.float32(1)), np.float32(0))
    return vector, new * inverse[:, None, None], tail, scale, entry


def _orthogonal(basis, vectors):
    """`vectors` less their parts along each one's own basis, twice where once leaves any.

    The first pass leaves rounding relative to the length before it. Where it took more than half of
    the square of a length, that is too much of what is left, and there is a second.
    """

    def once(vectors):
        for rows in basis:
            vectors = _off(rows, vectors)
        return vectors

    passed = once(vectors)
    shrank = blocks_.inner(passed, passed) < np.float32(0.5) * blocks_.inner(vectors, vectors)
    return jax.lax.cond(jnp.any(shrank), once, lambda vectors: vectors, passed)


def _off(rows, vectors):
    parts = jnp.sum(jnp.einsum("vbre,vbe->vbr", rows, vectors, precision="highest"), axis=1)
    # Batched over blocks like the first product: XLA on CPU is many times slower otherwise.
    parts = jnp.broadcast_to(parts[:, None], rows.shape[:3])
    return vectors - jnp.einsum("vbre,vbr->vbe", rows, parts, precision="highest")


@functools.partial(jax.jit, static_argnums=2)
def _mix(basis, mixtures, number):
    def of_block(parts):
        rows = jnp.concatenate(parts)  # of one block of entries: small, and then one product
        return jnp.einsum("re,rm->em", rows, mixtures, precision="highest")

    return jax.lax.map(of_block, tuple(rows[number] for rows in basis))


def _check_finite(recursion, first):
    entries = coefficients(recursion)
    bad = ~(np.isfinite(entries.diagonal) & np.isfinite(entries.off_diagonal))
    if bad.any():
        vector, step = np.argwhere(bad)[0]
        raise FloatingPointError(
            f"the product of step {max(step, first)} with vector {vector} is not finite; look for "
            "a loss that is not finite at one of the batches, or scale the operator down"
        )
