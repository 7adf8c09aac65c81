"""The hidden directions of a target y = link(V^T x): matrices V with orthonormal columns.

Their sparsity is measured by the rows, of which V has one for every input:
``||V||_{2,q} = (sum of ||row||^q)^(1/q)`` with 0 <= q < 2. V with s equal rows and zeros elsewhere
has ||V||_{2,q}^q = s^(1 - q/2) r^(q/2) for r columns (arXiv 2406.08658, section 2).

For one column an s-sparse flat direction has the entries ±1/sqrt(s), and one with a power law
±i^-p, scaled. For r columns a fixed frame with rows of the same lengths is turned by a random
rotation of the columns: rotating from the right changes no row's length.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Float64, Key

from lottery_jax.core import laws
from lottery_jax.sparse_features import checks

# Columns that were normalised in float32 are off by some roundings of 6e-8 each; a mistake is not.
_TOLERANCE = 1e-5
_SMALLEST = float(np.finfo(np.float32).tiny)


def flat(
    key: Key[Array, ""], dim: int, support_size: int, num_directions: int = 1
) -> Float[Array, "input index"]:
    """`support_size` rows of one length at random inputs, and zeros elsewhere.

    Parameters
    ----------
    key
        May be traced; the sizes are compiled in.
    dim
        d, the number of inputs.
    support_size
        s, with r <= s <= d.
    num_directions
        r. For r = 1 the entries are ±1/sqrt(s) with random signs; for r > 1 all rows of the
        support have the length sqrt(r/s).

    Raises
    ------
    ValueError
        For sizes outside these ranges.

    Examples
    --------
    >>> abs(flat(jax.random.key(0), 4, 4)).ravel().tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    return power_law(key, dim, support_size, 0.0, num_directions)


def power_law(
    key: Key[Array, ""], dim: int, support_size: int, power: float, num_directions: int = 1
) -> Float[Array, "input index"]:
    """Rows that fall off like i^-power for i = 1, ..., `support_size`, at random inputs.

    Parameters
    ----------
    key, dim, support_size, num_directions
        As in `flat`.
    power
        p >= 0. For one column the law of the entries is exact. For more it holds of the frame
        before its columns are made orthonormal, which lets no row become longer than 1.

    Raises
    ------
    ValueError
        For arguments outside these ranges, or rows too short for float32.

    Examples
    --------
    >>> V = power_law(jax.random.key(0), 100, 3, 1.0)
    >>> [round(float(entry * 7 / 6), 3) for entry in jnp.sort(abs(V[:, 0]))[-3:]]
    [0.333, 0.5, 1.0]
    """
    _check_sizes(dim, num_directions)
    checks.check_whole("support_size", support_size, 1)
    if not num_directions <= support_size <= dim:
        raise ValueError(
            f"{support_size=} must lie between {num_directions=} and {dim=}: that many inputs "
            "carry the directions"
        )
    if not (np.isfinite(power) and power >= 0):
        raise ValueError(f"{power=} must be finite and at least 0; 0 makes all rows equally long")
    shortest = support_size**-power / np.linalg.norm(np.arange(1.0, support_size + 1) ** -power)
    if shortest < _SMALLEST:
        raise ValueError(
            f"{power=} and {support_size=} make the last row {shortest:.2g} long, which float32 "
            "rounds to 0; the support would be smaller than asked for"
        )
    place, sign, turn = jax.random.split(key, 3)
    signs = laws.signs(sign, (support_size, 1))
    rows = jnp.asarray(_frame(support_size, num_directions, float(power))) * signs
    if num_directions > 1:  # for one column a rotation is one more sign
        rotation = jax.random.orthogonal(turn, num_directions, dtype=jnp.float32)
        rows = jnp.matmul(rows, rotation, precision=jax.lax.Precision.HIGHEST)
    support = jax.random.permutation(place, jnp.arange(dim, dtype=jnp.int32))[:support_size]
    return jnp.zeros((dim, num_directions), jnp.float32).at[support].set(rows)


def dense(key: Key[Array, ""], dim: int, num_directions: int = 1) -> Float[Array, "input index"]:
    """Uniform on all matrices with orthonormal columns; for one column, on the sphere.

    Raises
    ------
    ValueError
        Unless 1 <= num_directions <= dim.

    Examples
    --------
    >>> dense(jax.random.key(0), 5, 2).shape
    (5, 2)
    """
    _check_sizes(dim, num_directions)
    columns = jax.random.normal(key, (dim, num_directions), jnp.float32)
    if num_directions == 1:
        return columns / jnp.linalg.norm(columns)
    orthonormal, triangle = jnp.linalg.qr(columns)
    # The law is uniform only once the signs of the triangle's diagonal are fixed (Mezzadri 2007).
    return orthonormal * jnp.sign(jnp.diagonal(triangle))[None]


def given(array: ArrayLike | Sequence[Any]) -> Float[Array, "input index"]:
    """`array` of shape [d, r], or [d] for one direction, checked.

    Raises
    ------
    ValueError
        For another shape, entries that are not finite, or columns that are not orthonormal.

    Examples
    --------
    >>> given(np.array([0.6, 0.8])).shape
    (2, 1)
    >>> given(np.array([1.0, 1.0]))
    Traceback (most recent call last):
    ValueError: V is not orthonormal: V^T V differs from the identity by 1; take the Q of its QR
    """
    return jnp.asarray(check_orthonormal(array), jnp.float32)


def check_orthonormal(array: ArrayLike | Sequence[Any]) -> Float64[np.ndarray, "input index"]:
    """`array` in float64 with an axis for the directions; raises as `given`, which rounds it."""
    columns = np.asarray(array, np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2 or not 1 <= columns.shape[1] <= columns.shape[0]:
        raise ValueError(
            f"directions of shape {np.shape(array)} are no V of shape [inputs, directions]; give a "
            "column for each direction, at most as many as inputs"
        )
    if not np.all(np.isfinite(columns)):
        row, column = np.argwhere(~np.isfinite(columns))[0]
        raise ValueError(f"V[{row}, {column}] is {columns[row, column]}; give finite entries")
    deviation = float(np.max(np.abs(columns.T @ columns - np.eye(columns.shape[1]))))
    if deviation > _TOLERANCE:
        raise ValueError(
            f"V is not orthonormal: V^T V differs from the identity by {deviation:.3g}; take the Q "
            "of its QR"
        )
    return columns


def support(directions: Float[Array, "input index"]) -> Bool[Array, " input"]:
    """The inputs on which the target depends: rows of V that are not 0.

    Examples
    --------
    >>> support(given(np.array([0.6, 0.0, 0.8]))).tolist()
    [True, False, True]
    """
    return jnp.any(directions != 0, axis=1)


def quasi_norm(directions: Float[Array, "input index"], q: float | int) -> float:
    """||V||_{2,q}; for q = 0, by convention, the number of rows that are not 0.

    Raises
    ------
    ValueError
        For q outside [0, 2].

    Examples
    --------
    >>> V = flat(jax.random.key(0), 256, 16)
    >>> quasi_norm(V, 0.0), round(quasi_norm(V, 1.0), 6), round(quasi_norm(V, 2.0), 6)
    (16.0, 4.0, 1.0)
    """
    if not 0 <= q <= 2:
        raise ValueError(f"{q=} must lie in [0, 2]; sparsity is measured below 2")
    lengths = np.linalg.norm(np.asarray(directions, np.float64), axis=1)
    lengths = lengths[lengths > 0]
    return float(len(lengths)) if q == 0 else float(np.sum(lengths**q) ** (1 / q))


def _check_sizes(dim: int, num_directions: int) -> None:
    for name, value in (("dim", dim), ("num_directions", num_directions)):
        checks.check_whole(name, value, 1)
    if num_directions > dim:
        raise ValueError(f"{num_directions=} must lie between 1 and {dim=}")


@functools.cache
def _frame(support_size: int, num_directions: int, power: float):
    """Orthonormal columns; for the power 0 by waves, whose rows all have the same length."""
    # A stride of about the golden section: neighbours in the power law are no neighbours on a wave.
    stride = next(
        step
        for step in range(max(1, round(0.618 * support_size)), 2 * support_size + 2)
        if np.gcd(step, support_size) == 1
    )
    places = np.arange(support_size) * stride % support_size
    waves = []
    if num_directions % 2 or num_directions == support_size:
        waves.append(np.ones(support_size))
    if num_directions == support_size and num_directions % 2 == 0:
        waves.append((-1.0) ** places)
    for frequency in range(1, (num_directions - len(waves)) // 2 + 1):
        angle = 2 * np.pi * frequency * places / support_size
        waves += [np.cos(angle), np.sin(angle)]
    columns = np.stack(waves, axis=1) * np.arange(1.0, support_size + 1)[:, None] ** -power
    return np.linalg.qr(columns)[0].astype(np.float32)
