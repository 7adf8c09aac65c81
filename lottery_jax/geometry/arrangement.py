"""Points and forms of a hyperplane arrangement, one array per coordinate.

A ReLU sum ``sum_i w_i relu(<v_i, x>)`` is linear on every face of the arrangement of the
hyperplanes orthogonal to the v_i. Plane 0 belongs to the target, with weight -1; the others
belong to the neurons, with their signs.

A point is a list of coordinates, each an array over candidates (or a scalar). Written out
coordinate by coordinate and plane by plane, all work is elementwise along the candidates, which
XLA fuses and vectorises; the same formulas with an array axis for the coordinates were 2 to 30
times slower on CPU, and as matrix products they would round to TF32 or bfloat16 elsewhere.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

Point = Sequence[Array]


class Arrangement(NamedTuple):
    """The hyperplanes of the target (first) and of the neurons."""

    normals: list[list[Array]]  # per plane, per coordinate, a scalar
    units: list[list[Array]]  # the normals at unit length; a zero vector stays zero
    weights: list[Array]  # per plane, a scalar: -1 for the target, the neuron's sign otherwise


def arrangement(
    signs: Float[Array, " neuron"],
    vectors: Float[Array, "neuron dim"],
    target: Float[Array, " dim"],
) -> Arrangement:
    """Split the arrays into scalars."""
    rows = [target, *(vectors[i] for i in range(vectors.shape[0]))]
    normals = [[row[axis] for axis in range(row.shape[0])] for row in rows]
    weights = [-jnp.ones((), target.dtype), *(signs[i] for i in range(signs.shape[0]))]
    return Arrangement(normals, [unit(normal) for normal in normals], weights)


def dot(u: Point, v: Point) -> Array:
    """Inner product, candidate by candidate."""
    return total([a * b for a, b in zip(u, v, strict=True)])


def total(terms: Sequence[Array]) -> Array:
    """Sum without a starting zero, whose dtype would be promoted."""
    return functools.reduce(jnp.add, terms)


def inverse_length(x: Point) -> Array:
    """1 / |x|, and zero where the square underflows (x shorter than 1e-15 in float32)."""
    square = dot(x, x)
    limits = jnp.finfo(square.dtype)
    is_accurate = square > limits.tiny / limits.eps
    return jnp.where(is_accurate, jax.lax.rsqrt(jnp.where(is_accurate, square, 1)), 0)


def unit(x: Point) -> list[Array]:
    """The point on the unit sphere in the direction of x; zero where it has none."""
    scale = inverse_length(x)
    return [a * scale for a in x]


def largest(errors: Array) -> Array:
    """Maximum of nonnegative numbers, not a NaN.

    Not `jnp.max`: XLA (jax 0.10) hands that reduction to a CPU library that first writes out every
    broadcast operand, which makes all of it several times slower, and to compile as well.
    """
    return jax.lax.reduce(
        errors, jnp.zeros((), errors.dtype), lambda a, b: jnp.where(a > b, a, b), (0,)
    )


def project(x: Point, basis: Sequence[Point]) -> list[Array]:
    """Project onto the flat orthogonal to an orthonormal basis.

    Twice, so that the result is orthogonal to rounding even where the first pass cancels nearly all
    of x.
    """
    for q in [*basis, *basis]:
        shadow = dot(q, x)
        x = [a - shadow * b for a, b in zip(x, q, strict=True)]
    return list(x)


def combine(coefficients: Sequence[ArrayLike], points: Sequence[Point]) -> list[Array]:
    """Linear combination of points, one coefficient each."""
    return [
        total([c * a for c, a in zip(coefficients, axis, strict=True)])
        for axis in zip(*points, strict=True)
    ]


def active_near(flag: Sequence[Point], planes: Arrangement) -> list[Array]:
    """Per plane, 1 where a point lies on the positive side and 0 elsewhere.

    The point is the flag's first unit vector, moved a little along its second, and much less along
    its third: a plane that contains a vector to rounding is decided by the next one.
    """
    rounding = 8 * jnp.finfo(flag[0][0].dtype).eps
    active = []
    for normal in planes.units:
        height = dot(normal, flag[-1])
        for direction in flag[-2::-1]:
            decisive = dot(normal, direction)
            height = jnp.where(jnp.abs(decisive) > rounding, decisive, height)
        active.append((height > 0).astype(height.dtype))
    return active


def error_at(x: Point, planes: Arrangement, output: str) -> Array:
    """The larger absolute error of x/|x| and -x/|x|.

    Scaled only at the end: a square root used more than once would split the computation into
    several kernels.
    """
    heights = [dot(normal, x) for normal in planes.normals]
    if output == "linear":  # relu(t) = (t + |t|)/2 splits the error into an odd and an even part
        odd = total([w * t for w, t in zip(planes.weights, heights, strict=True)])
        even = total([w * jnp.abs(t) for w, t in zip(planes.weights, heights, strict=True)])
        return (jnp.abs(odd) + jnp.abs(even)) * inverse_length(x) / 2
    ahead, behind = (_error_of_relu(t, planes.weights) for t in (heights, [-t for t in heights]))
    return jnp.maximum(ahead, behind) * inverse_length(x)


def error_on_face(
    active: Sequence[ArrayLike], basis: Sequence[Point], planes: Arrangement, output: str
) -> Array:
    """The largest error of the points of the sphere where a face's own linear pieces are extremal.

    Parameters
    ----------
    active
        Per plane, 1 where the face lies on the positive side (the ReLU is on) and 0 elsewhere.
        Planes that contain the face do not matter.
    basis
        Orthonormal basis of the normals of the planes that contain the face.

    Notes
    -----
    With a linear output the error on the face is ``<g, x>`` and its extremes on the flat are the
    two ends of the projection of g. With a ReLU output it is ``<g, x>`` where the sum ``<h, x>``
    is positive, ``-<target, x>`` where it is negative, and both on the fold ``<h, x> = 0``, which
    is one more plane. The extremes of ``-<target, x>`` itself are those of the face where the
    target alone is active, so the caller asks for that face too. Points outside the face are
    harmless: they are valid points of the sphere.
    """
    slopes = [a * w for a, w in zip(active, planes.weights, strict=True)]
    error = error_at(project(combine(slopes, planes.normals), basis), planes, output)
    dim, num_planes = len(planes.normals[0]), len(planes.normals)
    if (
        output == "linear" or num_planes == 1 or len(basis) == dim - 1
    ):  # a flat of one line has no fold
        return error
    fold = unit(project(combine(slopes[1:], planes.normals[1:]), basis))
    on_fold = project(planes.normals[0], [*basis, fold])
    return jnp.maximum(error, error_at(on_fold, planes, output))


def _error_of_relu(heights: Sequence[Array], weights: Sequence[Array]) -> Array:
    on = [jax.nn.relu(t) for t in heights]
    if len(on) == 1:
        return on[0]
    return jnp.abs(
        jax.nn.relu(total([w * t for w, t in zip(weights[1:], on[1:], strict=True)])) - on[0]
    )
