"""Exact sup of a ReLU sum's error in space, any number of neurons.

The planes orthogonal to the target and to the neurons cut the sphere along great circles.
Candidates are the vertices, where two circles cross; the maximisers of the edges, each of which
starts counterclockwise at a vertex of its circle; and those of the faces, each of which lies to the
left or right of an edge. A circle needs a crossing for its edges to be seen, so two coordinate
planes of weight zero join the arrangement. Faces and edges that rounding hides are so thin that
their boundaries do as well as their maximisers.
"""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lottery_jax.geometry.arrangement import (
    Point,
    active_near,
    arrangement,
    combine,
    error_at,
    error_on_face,
    largest,
    project,
    unit,
)


def sup_space(
    signs: Float[Array, " neuron"],
    vectors: Float[Array, "neuron 3"],
    target: Float[Array, "3"],
    *,
    output: str = "linear",
) -> Float[Array, ""]:
    """Exact sup over the unit sphere, any number of neurons; no checks, for use inside jit.

    Parameters, range and accuracy as in `sup_over_ball`. O(neuron^3) work; compiling takes 1 s for
    5 neurons and 7 s for 30.

    Examples
    --------
    >>> from lottery_jax.geometry import sup_space
    >>> vectors = jnp.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    >>> print(sup_space(jnp.array([1.0, -1.0]), vectors, jnp.array([0.0, 0.0, 0.0])))
    1.0
    """
    extra = jnp.eye(3, dtype=target.dtype)[:2]
    planes = arrangement(
        jnp.concatenate([signs, 0 * extra[:, 2]]), jnp.concatenate([vectors, extra]), target
    )
    circle, crossing, end = _starts(len(planes.normals), target.dtype)
    a, b = combine(circle, planes.units), combine(crossing, planes.units)
    start = [axis * end for axis in _cross(a, unit(project(b, [a])))]
    along = _cross(a, start)
    left = active_near([start, along, a], planes)
    right = active_near([start, along, [-axis for axis in a]], planes)
    errors = [error_at(start, planes, output), error_on_face(left, [a], planes, output)]
    errors += [error_on_face(side, [], planes, output) for side in (left, right)]
    if output == "relu":  # where the sum is negative the error is the target's alone
        normal = planes.normals[0]
        errors += [
            error_at(project(normal, [a]), planes, output),
            error_at(list(target[:, None]), planes, output),
        ]
    return largest(jnp.concatenate(errors))


def _cross(u: Point, v: Point) -> list[Array]:
    return [u[i] * v[j] - u[j] * v[i] for i, j in ((1, 2), (2, 0), (0, 1))]


@functools.cache
def _starts(
    num_planes: int, dtype: np.dtype
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Every circle, other circle and end of their line: a 1 in the circle's plane; +-1."""
    rows = [
        (*pair, end) for pair in itertools.permutations(range(num_planes), 2) for end in (1, -1)
    ]
    circle, crossing, end = np.array(rows).T
    choose = np.eye(num_planes, dtype=dtype)
    return list(choose[:, circle]), list(choose[:, crossing]), end.astype(dtype)
