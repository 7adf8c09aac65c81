"""The cone of a sublevel set seen from a pruned point: projections on it, and its dimension.

The set is {x : 1/2 (x - w*)' H (x - w*) <= epsilon} and the point w_rho = w* + c outside of it. The
cone of the directions from w_rho into the set is an elliptic cone, so projecting on it is one
equation in one unknown. Its statistical dimension, the mean squared length of the projection of a
Gaussian vector, is measured here by drawing such vectors, to compare with `forms.displacement`.

All vectors are in the eigenbasis of H, in float64 on the host.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.pruning_limit.measures import (
    Displaced,
    Measures,
    Values,
    check_measure,
    check_points,
    mean,
    ratios,
    root,
)

Vector = Float64[np.ndarray, " D"]
Vectors = Float64[np.ndarray, "draw D"]

_ELEMENTS = 2**20  # of one block of draws x D


class Dimension(NamedTuple):
    """A statistical dimension over D, by Monte Carlo."""

    value: float
    standard_error: float
    draws: int


def statistical_dimension(
    key: PRNGKeyArray, curvatures: Vector, displaced: Vector, *, epsilon: float, draws: int
) -> Dimension:
    """Mean squared length, over D, of the projections of `draws` Gaussian vectors on the cone.

    Parameters
    ----------
    curvatures, displaced, epsilon
        As in `project`.
    draws
        At least 2.

    Raises
    ------
    ValueError
        As `project`, and for fewer than 2 draws.

    Notes
    -----
    Amelunxen et al. (arXiv 1303.6672). Draw n depends on the key and on n alone.
    Cost: 60 passes over draws x D.

    Examples
    --------
    For a circular cone of squared sine 1/4 it is D / 4 and 1/2 more (its `second_order`):

    >>> c = np.full(400, 0.05)
    >>> found = statistical_dimension(keys.root(0), np.ones(400), c, epsilon=0.125, draws=1000)
    >>> abs(found.value - (100 + 0.5) / 400) < 4 * found.standard_error < 0.01
    True
    """
    if draws < 2:
        raise ValueError(f"{draws=} must be at least 2 to have a standard error")
    keys.check_key(key)
    size = max(1, _ELEMENTS // curvatures.size)
    lengths = []
    for first in range(0, draws, size):
        numbers = jnp.arange(first, min(first + size, draws), dtype=jnp.uint32)
        lanes = jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
        normal = jax.vmap(lambda lane: jax.random.normal(lane, curvatures.shape, jnp.float32))
        directions = np.asarray(normal(lanes), np.float64)
        found = project(directions, curvatures, displaced, epsilon=epsilon)
        lengths.append(np.sum(found**2, axis=1) / curvatures.size)
    every = np.concatenate(lengths)
    return Dimension(float(every.mean()), float(every.std(ddof=1) / math.sqrt(draws)), draws)


def project(
    directions: Vectors, curvatures: Vector, displaced: Vector, *, epsilon: float
) -> Vectors:
    """The nearest point of the cone to each direction.

    Parameters
    ----------
    curvatures
        Eigenvalues of H, not negative.
    displaced
        c, from the minimum to the point; 1/2 c'Hc > epsilon.
    epsilon
        > 0.

    Raises
    ------
    ValueError
        For a point inside of the set, where there is no cone, or arguments out of range.

    Notes
    -----
    With A = H / (2 epsilon), kappa = c'Ac - 1 and a = -Ac the cone is the part with a'x >= 0 of
    kappa x'Ax <= (a'x)^2. If nu / kappa is its multiplier, the projection of g is

        x = K (g + nu p / (phi - 1) a),  K = (1 + nu A)^-1,  p = a'Kg,  phi = c'AKc,

    and h(nu) = g'Kg + nu p^2 / (phi - 1) is stationary, with value |x|^2. phi = 1 at the nu of
    `forms.displacement`, which splits the line: nu lies below it if p > 0 there, and else above it.
    The stationary points beyond would be projections on the opposite cone, which has its own on the
    other side, so h has no other. 60 bisections of the quotient of nu and the split. The multiple
    of Ka then follows from x'(g - x) = 0, which is well conditioned at the split too.

    Examples
    --------
    A cone in the plane with the axis (-1, 0) and an opening of 30 degrees to each side:

    >>> g = np.array([[-1.0, 0.1], [0.0, 1.0], [1.0, 0.0]])
    >>> project(g, np.ones(2), np.array([2.0, 0.0]), epsilon=0.5).round(3) + 0.0
    array([[-1.   ,  0.1  ],
           [-0.433,  0.25 ],
           [ 0.   ,  0.   ]])
    """
    distance = float(np.linalg.norm(displaced))
    scale = check_points(distance, epsilon)
    x = ratios(
        check_measure(curvatures, np.full(curvatures.size, 1 / curvatures.size)).nodes, scale
    )
    unit = displaced / (distance or 1.0)
    if unit**2 @ x <= 1:
        raise ValueError(f"the point lies inside of the set at {epsilon=}: there is no cone")
    split = root(lambda t: unit**2 @ (x / (1 + t * x)) > 1, ())
    at_split = x / (1 + split * x)
    along, squares = directions * unit, directions**2
    is_below = along @ at_split < 0  # p > 0
    low, high = np.zeros(len(directions)), np.ones(len(directions))
    for _ in range(60):
        middle = (low + high) / 2
        t = split * np.where(is_below, middle, 1 / middle)
        share = 1 / (1 + t[:, None] * x)
        slope = x * share
        turned = np.sum(along * slope, 1)  # -p
        excess = (split - t) * (slope @ (unit**2 * at_split))  # phi - 1, without cancellation
        rate = (  # of h, times the square of the excess
            t * turned**2 * (slope**2 @ unit**2)
            + (turned**2 - 2 * t * turned * np.sum(along * slope**2, 1)) * excess
            - np.sum(squares * share * slope, 1) * excess**2
        )
        # Below the split the quotient grows with nu, above it falls.
        is_low = rate < 0
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    t = split * np.where(is_below, high, 1 / high)
    share = 1 / (1 + t[:, None] * x)
    return _balanced(directions, share * directions, share * x * unit)


def _balanced(directions: Vectors, start: Vectors, step: Vectors) -> Vectors:
    """The x = start + b step, b <= 0, with x'(direction - x) = 0."""
    square = np.sum(step**2, 1)
    linear = np.sum((2 * start - directions) * step, 1)
    rest = np.minimum(np.sum(start * (start - directions), 1), 0.0)
    spread = np.sqrt(linear**2 - 4 * square * rest)
    return start - ((spread + linear) / (2 * square))[:, None] * step


def second_order(
    nodes: Measures,
    weights: Measures,
    displaced_nodes: Displaced,
    displaced_weights: Displaced,
    *,
    distance: float,
    epsilon: float,
) -> Values:
    """The next term of the statistical dimension: what to add to D times `forms.displacement`.

    It lies between -1 and 1. What is left out vanishes as D grows.

    Parameters
    ----------
    nodes, weights, displaced_nodes, displaced_weights, distance, epsilon
        As in `forms.displacement`, of one displacement; w_rho outside of S.

    Notes
    -----
    Derived from the dual function h of `project` around the split: its first correction is odd in
    the Gaussian vector, and the second has the mean

        nu (sum k_i m_i^2 / sum k_i m_i + sum c_i^2 m_i^3 / sum c_i^2 m_i^2) - 1

    with k_i = r_i^2 / (r_i^2 + nu), m_i = 1 / (r_i^2 + nu). For a circular cone of angle a it is
    cos 2a, beside D sin^2 a.

    Examples
    --------
    >>> one = np.ones(1), np.ones(1)
    >>> print(second_order(*one, *one, distance=2.0, epsilon=0.5).round(12))
    0.5
    """
    measure, displaced = (
        check_measure(nodes, weights),
        check_measure(displaced_nodes, displaced_weights),
    )
    scale = check_points(distance, epsilon)
    own = ratios(displaced.nodes, scale)
    t = root(lambda t: mean(displaced.weights, own / (1 + t[..., None] * own)) > 1, own.shape[:-1])
    # 1 - k = nu m, in [0, 1].
    filled = 1 - 1 / (1 + t * ratios(measure.nodes, scale))
    own_filled = 1 - 1 / (1 + t * own)
    first = mean(measure.weights, (1 - filled) * filled)
    own_first = mean(displaced.weights, own_filled**2)
    return (
        mean(measure.weights, (1 - filled) * filled**2) / first
        + mean(displaced.weights, own_filled**3) / own_first
        - 1
    )
