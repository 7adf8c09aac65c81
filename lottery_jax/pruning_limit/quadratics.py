"""Random quadratic losses with a known spectrum: what pruning does to them, exactly.

The loss is 1/2 (w - w*)' H (w - w*) with H = U diag(lambda) U'. With U uniform over rotations they
are the setting in which the predicted limits of `forms` are theorems as D grows; with U the
identity, the control in which they are not. Magnitude pruning removes the smallest of |w*|, one at
a time, and all D losses come from one factorisation: with the kept weights as they are, and with
the best kept weights. All in float64 on the host.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Int, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.pruning_limit import forms
from lottery_jax.pruning_limit.crossing import Limit, last_step
from lottery_jax.pruning_limit.measures import check_points
from lottery_jax.pruning_limit.reoptimised import reoptimised

Vector = Float64[np.ndarray, " D"]

LAWS = ("gaussian", "laplace", "sparse", "two_scales")


class Quadratic(NamedTuple):
    """A quadratic loss around its minimum."""

    curvatures: Float64[np.ndarray, " D"]  # eigenvalues of H
    vectors: Float64[np.ndarray, "D D"]  # U: [weight, direction]
    weights: Float64[np.ndarray, " D"]  # w*


class Pruned(NamedTuple):
    """The losses of a quadratic with its j smallest weights at 0, for every j from 0 to D."""

    order: Int[np.ndarray, " D"]  # the weights, by magnitude
    distance: Float64[np.ndarray, " steps"]  # R: of the removed weights
    one_shot: Float64[np.ndarray, " steps"]  # the kept weights as they are
    reoptimised: Float64[np.ndarray, " steps"]  # the least over the kept weights


class Predictions(NamedTuple):
    """The limits that the forms predict from the whole spectrum."""

    paper: Limit
    generic: Limit
    displacement: Limit
    reoptimised: Limit


def quadratic(
    key: PRNGKeyArray,
    curvatures: Vector,
    *,
    law: str = "gaussian",
    lean: float = 0.0,
    is_rotated: bool = True,
) -> Quadratic:
    """A loss with the given eigenvalues and random eigenvectors and weights.

    Parameters
    ----------
    curvatures
        Not negative, not all 0.
    law
        Of the weights: "gaussian"; "laplace"; "sparse", nine of ten of them a tenth of the others;
        "two_scales", half of them a hundredth of the others.
    lean
        The weights' components along the eigenvectors are multiplied by curvature to this power
        over 2, of curvatures of at least 1e-4 of the largest: above 0 the weights lean to sharp
        directions, below 0 to flat ones.
    is_rotated
        True: eigenvectors uniform over rotations. False: the coordinate axes.

    Raises
    ------
    ValueError
        For another law or curvatures out of range.

    Notes
    -----
    Cost: one QR factorisation, D^3.

    Examples
    --------
    >>> loss = quadratic(keys.root(0), np.array([2.0, 1.0, 0.0]), law="laplace")
    >>> np.allclose(loss.vectors @ loss.vectors.T, np.eye(3))
    True
    """
    if law not in LAWS:
        raise ValueError(f"{law=} must be one of {', '.join(LAWS)}")
    if not (curvatures.size and np.all(curvatures >= 0) and 0 < np.max(curvatures) < math.inf):
        raise ValueError("curvatures must be finite, not negative, and not all 0")
    size = curvatures.size
    of_weights, of_scales, of_vectors = keys.items(keys.check_key(key), 3)
    sampler = jax.random.laplace if law == "laplace" else jax.random.normal
    weights = np.asarray(sampler(of_weights, (size,), jnp.float32), np.float64)
    if law in ("sparse", "two_scales"):
        large, small = (0.1, 0.1) if law == "sparse" else (0.5, 0.01)
        uniform = np.asarray(jax.random.uniform(of_scales, (size,), jnp.float32))
        weights = np.where(uniform < large, weights, small * weights)
    vectors = np.eye(size)
    if is_rotated:
        gaussian = jax.random.normal(of_vectors, (size, size), jnp.float32)
        vectors, triangle = np.linalg.qr(np.asarray(gaussian, np.float64))
        vectors = vectors * np.sign(np.diag(triangle))  # else the law is not uniform
    if lean:
        # In the eigenbasis, and back: the law is lost to the rotation, the lean stays.
        tilt = np.maximum(curvatures / curvatures.max(), 1e-4) ** (lean / 2)
        weights = vectors @ (tilt * (vectors.T @ weights))
    return Quadratic(curvatures, vectors, weights)


def prune(loss: Quadratic) -> Pruned:
    """Every step of magnitude pruning, ties by index.

    Notes
    -----
    Order the weights by magnitude and factor H = M M' with M upper triangular. With the first j
    weights fixed at 0, the others can bring all but the first j components of M'(w - w*) to 0, and
    do not enter those; so the least loss is half the sum of the squares of the first j components
    of M'w*. M comes from the QR factorisation of diag(lambda)^(1/2) U' with its columns reversed:
    H is never inverted, nor formed, and may be singular. Cost: D^3 multiplications.

    Examples
    --------
    Two weights that share one sharp direction: the kept one takes over.

    >>> vectors = np.array([[1.0, 1.0], [1.0, -1.0]]) / 2**0.5
    >>> found = prune(Quadratic(np.array([2.0, 0.0]), vectors, np.array([2.0, 1.0])))
    >>> print(found.one_shot.round(12), found.reoptimised.round(12) + 0.0)
    [0.  0.5 4.5] [0.  0.  4.5]
    """
    order = np.argsort(np.abs(loss.weights), kind="stable")
    weights = loss.weights[order]
    square_root = np.sqrt(loss.curvatures)[:, None] * loss.vectors[order].T
    triangle = np.linalg.qr(square_root[:, ::-1], mode="r")
    parts = (triangle @ weights[::-1])[::-1]
    moved = np.cumsum(square_root * weights, axis=1)

    def from_zero(squares):
        return np.concatenate([np.zeros(1), squares])

    return Pruned(
        order,
        np.sqrt(from_zero(np.cumsum(weights**2))),
        from_zero(np.sum(moved**2, axis=0) / 2),
        from_zero(np.cumsum(parts**2) / 2),
    )


def limit(losses: Float64[np.ndarray, " steps"], epsilon: float) -> float:
    """The largest fraction removed before the loss first exceeds epsilon.

    Examples
    --------
    >>> limit(np.array([0.0, 1.0, 3.0]), 2.0)
    0.5
    """
    above = np.flatnonzero(losses > epsilon)
    steps = int(above[0]) - 1 if above.size else losses.size - 1
    return steps / (losses.size - 1)


def displaced(loss: Quadratic, pruned: Pruned, removed: int) -> Vector:
    """The displacement c = w_rho - w* in the eigenbasis, with `removed` weights at 0."""
    places = pruned.order[:removed]
    return -(loss.weights[places] @ loss.vectors[places])


def predict(loss: Quadratic, pruned: Pruned, *, epsilon: float) -> Predictions:
    """The limits that the four forms predict, with every eigenvalue and component known.

    Notes
    -----
    Cost: about 4 log2(D) evaluations of forms, of 66 passes over D each.

    Examples
    --------
    >>> loss = quadratic(keys.root(0), np.ones(400))
    >>> pruned = prune(loss)
    >>> found = predict(loss, pruned, epsilon=0.3 * pruned.one_shot[-1])
    >>> found.reoptimised.removed == limit(pruned.reoptimised, 0.3 * pruned.one_shot[-1])
    True
    """
    check_points(0.0, epsilon)
    size = loss.weights.size
    every = loss.curvatures, np.full(size, 1 / size)
    arguments = [{"distance": float(each), "epsilon": epsilon} for each in pruned.distance]
    whole = displaced(loss, pruned, size)

    def paper(removed):
        return float(forms.paper(*every, **arguments[removed]))

    def generic(removed):
        return float(forms.generic(*every, **arguments[removed]))

    def by_displacement(removed):
        moved = _measure(displaced(loss, pruned, removed))
        return float(forms.displacement(*every, loss.curvatures, moved, **arguments[removed]))

    def by_both(removed):
        if removed == size:  # nothing is kept
            return float(pruned.one_shot[-1] <= epsilon)
        moved = displaced(loss, pruned, removed)
        pair = [_unit(moved), _unit(moved - whole)]
        pair.append((pair[0] + pair[1]) / math.sqrt(2))
        triple = np.stack([_measure(each) for each in pair])
        nodes = np.tile(loss.curvatures, (3, 1))
        return float(reoptimised(*every, nodes, triple, **arguments[removed]))

    def crossing(form):
        return last_step(
            lambda removed: 1.0 if pruned.distance[removed] == 0 else form(removed), size
        )

    return Predictions(*map(crossing, (paper, generic, by_displacement, by_both)))


def _unit(vector: Vector) -> Vector:
    return vector / np.linalg.norm(vector)


def _measure(vector: Vector) -> Vector:
    return vector**2 / np.sum(vector**2)
