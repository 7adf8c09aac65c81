"""Outlying eigenvalues one by one, and the rest of the spectrum by random probes off them.

Most of the trace of |H| / (c + |H|) of a trained network sits in some tens of eigenvalues far
outside the bulk. One run with a full basis finds them with their vectors. Probes that are
projected off these have a smaller spread, and since none of their eigenvalues converges soon,
three terms keep them orthogonal: no basis is stored for them, which is what lets D grow to 10^8.

The trace splits as tr f(H) = Σ f(outlier) + tr f(PHP) on the complement, exactly for exact
vectors. For one of residual r and a gap g to the rest of the spectrum the error is of the order of
f' r²/g.
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Float64

from lottery_jax.spectrum import blocks, lanczos
from lottery_jax.spectrum.blocks import Cut, Shared
from lottery_jax.spectrum.lanczos import Recursion

# An outlier is accepted when its residual is below this part of its magnitude.
_RESIDUAL = 0.1


class Outliers(NamedTuple):
    """Leading eigenvalues of an operator, by magnitude."""

    values: Float64[np.ndarray, " outlier"]
    errors: Float64[np.ndarray, " outlier"]  # norms of the residuals
    vectors: Shared  # orthonormal


def outliers_of(recursion: Recursion, *, at_most: int | None = None) -> Outliers:
    """The eigenvalues that a run of one vector has separated from the rest.

    Parameters
    ----------
    recursion
        With its basis; its first vector is read.
    at_most
        How many to keep, those of the largest magnitude.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from lottery_jax.spectrum.operator import diagonal
    >>> operator = diagonal(jnp.array([0.0, 1.0, -9.0]))
    >>> run = lanczos.extend(operator, lanczos.begin(operator, jnp.ones((1, 3))), 3)
    >>> outliers_of(run, at_most=1).values.round(4).tolist()
    [-9.0]
    """
    from scipy import linalg  # on first use: importing the package stays light

    runs = lanczos.coefficients(recursion)
    zeros = np.flatnonzero(runs.off_diagonal[0] == 0)
    stop = int(zeros[0]) + 1 if len(zeros) else recursion.num_steps
    values, mixtures = linalg.eigh_tridiagonal(
        runs.diagonal[0, :stop], runs.off_diagonal[0, : stop - 1]
    )
    errors = np.abs(mixtures[-1]) * runs.off_diagonal[0, stop - 1]
    order = np.argsort(-np.abs(values), kind="stable")
    # Rounding alone separates nothing: a Ritz value there is one of many near zero.
    noise = 2.0**-20 * float(np.max(np.abs(values)))
    accepted = order[(errors < _RESIDUAL * np.abs(values))[order] & (np.abs(values) > noise)[order]]
    chosen = accepted[:at_most]
    vectors = lanczos.ritz_vectors(recursion, mixtures[:, chosen])
    return Outliers(values[chosen], errors[chosen], vectors)


def project_off(
    outliers: Outliers, starts: Float[Array, "vector size"], cut: Cut
) -> Float[Array, "vector size"]:
    """`starts` less their parts along the outliers, twice."""
    return _project_off(cut, outliers.vectors, starts)


def _project_off_twice(cut, vectors, starts):
    blocked = cut.split(starts)
    for _ in range(2):
        blocked = blocks.without(vectors, blocked)
    return cut.join(blocked)


_project_off = jax.jit(_project_off_twice, static_argnums=0)
