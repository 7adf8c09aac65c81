"""Exact sup of a ReLU sum's error in the plane, any number of neurons.

The lines orthogonal to the target and to the neurons cut the circle into arcs on which the error is
linear. Each arc starts, counterclockwise, at an end of one of these lines, so the ends and the
maximisers of the arcs that start there are all the candidates, and nothing is sorted. An arc that
rounding hides is so short that its ends do as well as its maximiser.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from lottery_jax.geometry.arrangement import (
    active_near,
    arrangement,
    error_at,
    error_on_face,
    largest,
    unit,
)


def sup_plane(
    signs: Float[Array, " neuron"],
    vectors: Float[Array, "neuron 2"],
    target: Float[Array, "2"],
    *,
    output: str = "linear",
) -> Float[Array, ""]:
    """Exact sup over the unit circle, any number of neurons; no checks, for use inside jit.

    Parameters, range and accuracy as in `sup_over_ball`. O(neuron^2) work; compiling takes 0.3 s
    for 5 neurons and 4 s for 60.

    Examples
    --------
    Two neurons whose difference is a line through the origin, against no target:

    >>> from lottery_jax.geometry import sup_plane
    >>> vectors = jnp.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> print(sup_plane(jnp.array([1.0, -1.0]), vectors, jnp.array([0.0, 0.0])))
    1.0
    """
    planes = arrangement(signs, vectors, target)
    x, y = jnp.concatenate([target[None], vectors]).T
    end = unit([jnp.concatenate([-y, y]), jnp.concatenate([x, -x])])
    arc = active_near([end, [-end[1], end[0]]], planes)
    errors = [error_at(end, planes, output), error_on_face(arc, [], planes, output)]
    if output == "relu":  # where the sum is negative the error is the target's alone
        errors.append(error_at(list(target[:, None]), planes, output))
    return largest(jnp.concatenate(errors))
