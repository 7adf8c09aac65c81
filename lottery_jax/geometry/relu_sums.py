"""Exact sup over a ball of the error of a kept ReLU network against one target neuron.

The error ``sum_i signs_i relu(<vectors_i, x>) - relu(<target, x>)`` is linear on every face of
the arrangement of the hyperplanes orthogonal to the vectors and to the target, so its sup over
the ball is attained at one of finitely many points. Three methods list them: `sup_faces` (any
dimension, few neurons), `sup_plane` and `sup_space` (two and three dimensions, any number of
neurons). Vectors of zero, the padding of absent neurons, change nothing.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lottery_jax.geometry.faces import sup_faces
from lottery_jax.geometry.networks import OUTPUTS
from lottery_jax.geometry.plane import sup_plane
from lottery_jax.geometry.space import sup_space


def sup_over_ball(
    signs: ArrayLike,
    vectors: ArrayLike,
    target: ArrayLike,
    radius: float = 1.0,
    output: str = "linear",
) -> Float[Array, ""]:
    """Exact sup over the ball of ``|h(x) - relu(<target, x>)|``, after checking the arguments.

    ``h(x) = sum_i signs_i relu(<vectors_i, x>)``, or ``relu`` of that sum. The error is positively
    homogeneous, so the sup is `radius` times that over the unit sphere. Can be jitted and vmapped;
    traced values are not checked, and non-finite ones give NaN.

    Parameters
    ----------
    signs
        ``[neuron]``, usually +-1; any weights are right.
    vectors
        ``[neuron, dim]``, of the kept neurons; entries between 1e-15 and 1e15 in size, or zero.
        Float64 inputs are decided in float64 where x64 is enabled, all others in float32.
    target
        ``[dim]``, same range.
    radius
        Of the ball, positive.
    output
        "linear" or "relu": the activation after the sum.

    Returns
    -------
    Float[Array, ""]
        The sup, to within ``radius * rounding_bound(vectors, target)``.

    Raises
    ------
    ValueError
        On shapes that do not fit, values out of range, an unknown output, and more than 10 neurons
        in more than three dimensions (7 in more than eight), where the cost is 3^neuron. In two or
        three dimensions it is neuron^2 or neuron^3; up to some 60 or 30 neurons compile in seconds.

    Examples
    --------
    One unit neuron at 30 degrees from the target errs by the sine of the angle:

    >>> from lottery_jax.geometry import sup_over_ball
    >>> vectors = jnp.array([[0.75**0.5, 0.5]])
    >>> print(f"{sup_over_ball(jnp.ones(1), vectors, jnp.array([1.0, 0.0])):.4f}")
    0.5000
    """
    signs, vectors, target = _checked(signs, vectors, target, output)
    if not _holds(jnp.isfinite(radius) & (jnp.asarray(radius) > 0)):
        raise ValueError(f"{radius=} must be positive and finite")
    return _scaled_sup(signs, vectors, target, jnp.asarray(radius, target.dtype), output)


def sup_on_sphere(
    signs: Float[Array, " neuron"],
    vectors: Float[Array, "neuron dim"],
    target: Float[Array, " dim"],
    *,
    output: str = "linear",
) -> Float[Array, ""]:
    """Exact sup over the unit sphere, the cheapest method for the shape; no checks, for inside jit.

    Parameters, range and accuracy as in `sup_over_ball`. With few neurons every face is tried,
    about 3^(neuron + 1) candidates, and twice as many with the output "relu". In the plane, and in
    space with more than five neurons, the candidates are polynomial in their number.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from lottery_jax.geometry import sup_on_sphere
    >>> nothing_kept = jnp.zeros((0,)), jnp.zeros((0, 2))
    >>> print(sup_on_sphere(*nothing_kept, jnp.array([3.0, 4.0])))
    5.0
    """
    num_neurons, dim = vectors.shape
    if dim == 1:
        vectors, target = jnp.pad(vectors, ((0, 0), (0, 1))), jnp.pad(target, (0, 1))
    if dim <= 2:
        return sup_plane(signs, vectors, target, output=output)
    if dim == 3 and num_neurons > 5:
        return sup_space(signs, vectors, target, output=output)
    return sup_faces(signs, vectors, target, output=output)


def rounding_bound(
    vectors: Float[Array, "neuron dim"], target: Float[Array, " dim"]
) -> Float[Array, ""]:
    """Bound on |computed - true| of the unit-sphere sup: ``8 eps (|target| + sum_i |vectors_i|)``.

    Every candidate is a point of the sphere whatever rounding did to it, and the error there is a
    sum computed to a few eps of ``S = |target| + sum |vectors_i|``: too large by no more than
    that. Nor is it much too small. A computed candidate lies within a few eps of every plane it
    should lie on (projecting twice sees to that), while along those planes it may be far off
    where they are nearly parallel; there the error's slope, at a maximiser, is at most the kink
    of those planes, which is small in the same proportion, so that a few eps of S are lost. A
    maximiser inside a flat loses the square of its displacement.

    The constant has a margin of three over what was measured. Against an independent float64
    computation, 2.1 eps S was the worst of 1.8e5 random and adversarial instances of up to 4
    neurons in up to 20 dimensions (vectors parallel to 1e-8, lengths in ratios up to 1e8, sums
    that cancel the target, coplanar normals, duplicates: `tests/geometry/test_rounding.py`).

    Parameters
    ----------
    vectors, target
        As in `sup_on_sphere`. Signs are taken to be of size one.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from lottery_jax.geometry import rounding_bound
    >>> bool(rounding_bound(jnp.ones((4, 2)), jnp.ones(2)) < 1e-5)
    True
    """
    rows = jnp.concatenate([target[None], vectors])
    return 8 * jnp.finfo(target.dtype).eps * jnp.sum(jnp.sqrt(jnp.sum(rows * rows, axis=-1)))


@functools.partial(jax.jit, static_argnames="output")
def _scaled_sup(signs: Array, vectors: Array, target: Array, radius: Array, output: str) -> Array:
    return radius * sup_on_sphere(signs, vectors, target, output=output)


def _checked(
    signs: ArrayLike, vectors: ArrayLike, target: ArrayLike, output: str
) -> tuple[Array, Array, Array]:
    arrays = {
        "signs": jnp.asarray(signs),
        "vectors": jnp.asarray(vectors),
        "target": jnp.asarray(target),
    }
    shapes = {name: array.shape for name, array in arrays.items()}
    fits = arrays["vectors"].ndim == 2 and shapes["vectors"] == shapes["signs"] + shapes["target"]
    if not fits or arrays["target"].ndim != 1:
        raise ValueError(f"{shapes=} must be signs (k,), vectors (k, dim), target (dim,)")
    num_neurons, dim = shapes["vectors"]
    if dim == 0:
        raise ValueError(f"{dim=} must be at least 1")
    if output not in OUTPUTS:
        raise ValueError(f"{output=} must be one of {OUTPUTS}")
    most = math.inf if dim <= 3 else 10 if dim <= 8 else 7
    if num_neurons > most:
        raise ValueError(
            f"{num_neurons=} in {dim=} has 3**{num_neurons + 1} faces; keep at most {most}, or "
            "project vectors and target to 2 or 3 dimensions (any number) for a lower bound"
        )
    is_double = any(array.dtype == jnp.float64 for array in arrays.values())
    arrays = {
        name: array.astype(jnp.float64 if is_double else jnp.float32)
        for name, array in arrays.items()
    }
    for name, array in arrays.items():
        greatest = jnp.max(jnp.abs(array), initial=0)
        if not _holds(greatest <= 1e15):
            raise ValueError(
                f"{name} reaches {greatest}: entries must be finite and at most 1e15 in size "
                "(dividing vectors and target by a number divides the sup by it)"
            )
    return arrays["signs"], arrays["vectors"], arrays["target"]


def _holds(condition: Array) -> bool:
    """Whether a concrete condition is true; a traced one passes."""
    try:
        return bool(condition)
    except jax.errors.TracerBoolConversionError:
        return True
