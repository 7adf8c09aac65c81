"""Ridge regression from streamed sums, for several strengths at once.

The rows are met once, a block at a time: what is kept is the Gram matrix of the features, so that
the memory does not depend on the number of rows. The constant is fitted and not penalised, which is
the regression of the centred target on the centred features. Strengths are in units of the mean
variance of the features, so that one grid serves every width and every scale of the first layer.

All in float32. Features are met without their means (`update`). Rounding perturbs the Gram matrix
by about its largest eigenvalue times 2^-23, however many rows there are in a block, and a strength
t below that is not resolved: for p features whose variance lies mostly in one direction this is
t = 2^-23 p, or 2e-5 for 128 of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from lottery_jax.sparse_features.data import EXACT

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)  # the last one: almost the constant alone


class Sums(NamedTuple):
    """Of the rows met so far."""

    num_rows: Float[Array, ""]  # whole, and exact below 2^24
    shift: Float[Array, " feature"]  # what is taken off the features first: see `update`
    features: Float[Array, " feature"]
    targets: Float[Array, ""]
    gram: Float[Array, "feature other"]
    cross: Float[Array, " feature"]  # of features times targets


class Fits(NamedTuple):
    """A linear function of the features for each strength."""

    weights: Float[Array, "strength feature"]
    constant: Float[Array, " strength"]


def start(num_features: int) -> Sums:
    """The sums over no rows.

    Examples
    --------
    >>> start(3).gram.shape
    (3, 3)
    """
    zero, zeros = jnp.float32(0), jnp.zeros(num_features, jnp.float32)
    return Sums(
        zero, zeros, zeros, zero, jnp.zeros((num_features, num_features), jnp.float32), zeros
    )


def update(
    sums: Sums,
    features: Float[Array, "row feature"],
    targets: Float[Array, " row"],
    is_used: Bool[Array, " row"],
) -> Sums:
    """The sums with a block of rows; those not used add nothing, whatever they hold.

    Notes
    -----
    Cost: 2 p^2 operations for each row of p features. The means over the first block with rows that
    are used are taken off all features: it changes no fit but for its constant, and the rounding of
    the Gram matrix is in proportion to how the features vary, not to how large they are.
    """
    count = jnp.sum(is_used, dtype=jnp.float32)
    features = jnp.where(is_used[:, None], features, jnp.float32(0))
    means = jnp.sum(features, axis=0) / jnp.maximum(count, jnp.float32(1))
    shift = jnp.where(sums.num_rows == 0, means, sums.shift)
    features = jnp.where(is_used[:, None], features - shift[None], jnp.float32(0))
    targets = jnp.where(is_used, targets, jnp.float32(0))
    return Sums(
        sums.num_rows + count,
        shift,
        sums.features + jnp.sum(features, axis=0),
        sums.targets + jnp.sum(targets),
        sums.gram + jnp.matmul(features.T, features, precision=EXACT),
        sums.cross + jnp.matmul(features.T, targets, precision=EXACT),
    )


def solve(sums: Sums, strengths: Sequence[float]) -> Fits:
    """The minimisers of mean squared error + t v |weights|^2 for each strength t.

    v is the mean variance of the features. Features that do not vary get the weight 0.

    Notes
    -----
    Cost: 2 p^3 operations for each strength and p features, in p steps.

    Raises
    ------
    ValueError
        For no strengths, or one that is not positive.

    Examples
    --------
    >>> x = jnp.array([[-1.0], [0.0], [1.0]])
    >>> fits = solve(update(start(1), x, 2 * x[:, 0] + 5, jnp.ones(3, bool)), (1e-6, 1.0))
    >>> fits.weights.round(3).tolist(), fits.constant.tolist()
    ([[2.0], [1.0]], [5.0, 5.0])
    """
    check_strengths(strengths)
    count = jnp.maximum(sums.num_rows, jnp.float32(1))
    mean, target = sums.features / count, sums.targets / count
    covariance = sums.gram / count - mean[:, None] * mean[None]
    cross = sums.cross / count - mean * target
    variance = jnp.trace(covariance) / len(mean)
    penalties = jnp.asarray(strengths, jnp.float32) * variance
    weights = jax.vmap(lambda penalty: _eliminate(covariance, penalty, cross))(penalties)
    return Fits(weights, target - jnp.matmul(weights, mean + sums.shift, precision=EXACT))


def predict(fits: Fits, features: Float[Array, "row feature"]) -> Float[Array, "row strength"]:
    """What the linear functions give for each row."""
    return jnp.matmul(features, fits.weights.T, precision=EXACT) + fits.constant[None]


def _eliminate(matrix, penalty, right):
    """The solution of (matrix + penalty) weights = right, by Gauss-Jordan without pivoting.

    For positive definite matrices that is as accurate as their condition allows (Higham, Accuracy
    and Stability of Numerical Algorithms, section 14.4). One eigendecomposition would serve all
    strengths, but in a compiled loop that runs on several CPU devices at once, those of several
    matrices wait for each other forever.
    """
    size = len(right)
    numbers = jnp.arange(size, dtype=jnp.int32)
    system = matrix + penalty * jnp.eye(size, dtype=jnp.float32)
    system = jnp.concatenate([system, right[:, None]], axis=1)

    def step(place, system):
        pivot = system[place, place]
        # Without variance and penalty there is nothing to divide by, and the weight is 0.
        row = jnp.where(pivot > 0, system[place] / jnp.where(pivot > 0, pivot, 1), 0)
        column = jnp.where(numbers == place, 0, system[:, place])
        return (system - column[:, None] * row[None]).at[place].set(row)

    return lax.fori_loop(0, size, step, system)[:, -1]


def check_strengths(strengths: Sequence[float]) -> None:
    """Raise for no strengths, or one that is not positive."""
    if not len(strengths) or not all(0 < strength < float("inf") for strength in strengths):
        raise ValueError(f"{strengths=} must be positive numbers, such as {STRENGTHS}")
