"""Measures of curvature seen at a distance: what the forms of the pruning limit are means over.

A measure is nodes and weights, as a Lanczos run gives them, or all eigenvalues with weights 1/D, in
float64 on the host. At distance R a curvature lambda enters as x = lambda R^2 / (2 epsilon), the
squared ratio of the distance to the radius of the sublevel set. x is clipped at 1e150, so that no
ratio of eigenvalues can overflow, and a curvature of 0, an infinite radius, is exact.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

# The last axis counts nodes; leading axes are measures of their own, such as probes.
Measures = Float64[np.ndarray, "... node"]
Displaced = Float64[np.ndarray, "... step"]  # of a displacement, with nodes of its own
Distances = float | np.floating | Float64[np.ndarray, "..."]
Values = Float64[np.ndarray, "..."] | np.float64
Negative = Literal["abs", "flat"]

_LARGEST = 1e150  # its square is still a number
_LOG_LARGEST = math.log(_LARGEST)
_ELEMENTS = 2**22  # of one block of points x nodes: 32 MB


class Measure(NamedTuple):
    """Probability measures of curvature."""

    nodes: Float64[np.ndarray, "... node"]  # not negative
    weights: Float64[np.ndarray, "... node"]  # sum to 1 along the last axis


def curvatures(nodes: Measures, negative: Negative = "abs") -> Measures:
    """The eigenvalues as curvatures, which are not negative.

    Parameters
    ----------
    negative
        What an eigenvalue below 0 counts as: "abs" its size, which gives a set inside of the
        sublevel set and is what the paper does; "flat" 0, which gives a set that contains it.

    Raises
    ------
    ValueError
        For another `negative`, or an eigenvalue that is not finite.

    Examples
    --------
    >>> curvatures(np.array([2.0, -1.0]), "abs"), curvatures(np.array([2.0, -1.0]), "flat")
    (array([2., 1.]), array([2., 0.]))
    """
    if negative not in ("abs", "flat"):
        raise ValueError(f'{negative=} must be "abs" or "flat"')
    if not np.all(np.isfinite(nodes)):
        raise ValueError("an eigenvalue is not finite; check the loss at these parameters")
    return np.abs(nodes) if negative == "abs" else np.maximum(nodes, 0.0)


def check_measure(
    nodes: Float64[np.ndarray, "..."], weights: Float64[np.ndarray, "..."]
) -> Measure:
    """The measures with weights that sum to exactly 1; raises ValueError if they are none."""
    if nodes.shape != weights.shape or nodes.ndim == 0 or nodes.size == 0:
        raise ValueError(f"{nodes.shape=} and {weights.shape=} must be equal, with a node or more")
    if not np.all(nodes >= 0) or not np.all(np.isfinite(nodes)):
        raise ValueError(
            f"curvatures must be finite and not negative, the least is {np.min(nodes):g}; say what "
            "negative ones count as with `curvatures`"
        )
    totals = np.sum(weights, axis=-1, keepdims=True)
    if not (np.all(weights >= 0) and np.all(np.abs(totals - 1) <= 1e-3)):  # float32 runs are so
        raise ValueError(
            f"weights must be probabilities along the last axis; the least is {np.min(weights):g} "
            f"and their sums lie between {np.min(totals):g} and {np.max(totals):g}"
        )
    return Measure(nodes, weights / totals)


def check_points(distance: Distances, epsilon: float) -> Float64[np.ndarray, "..."]:
    """R^2 / (2 epsilon) at every distance; raises ValueError outside the range."""
    distances = np.asarray(distance, np.float64)
    if not 0 < epsilon < math.inf:
        raise ValueError(f"{epsilon=} must be positive: the loss allowed above the minimum")
    if not np.all((distances >= 0) & (distances < math.inf)):
        raise ValueError(f"{distance=} must be finite and not negative")
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.minimum((distances / math.sqrt(2 * epsilon)) ** 2, _LARGEST))


def ratios(nodes: Measures, scales: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "... node"]:
    """The x = nodes * R^2 / (2 epsilon), clipped."""
    with np.errstate(over="ignore", under="ignore"):
        return np.minimum(nodes * scales, _LARGEST)


def mean(
    weights: Float64[np.ndarray, "..."], values: Float64[np.ndarray, "..."]
) -> Float64[np.ndarray, "..."]:
    """The means of values over their measures, on the last axis."""
    return np.asarray(np.einsum("...n,...n->...", weights, values))


def root(
    is_short: Callable[[Float64[np.ndarray, "..."]], Bool[np.ndarray, "..."] | np.bool_],
    shape: tuple[int, ...],
) -> Float64[np.ndarray, "..."]:
    """The t >= 0 at which `is_short` turns from true to false, elementwise; 0 if it never is true.

    Bisection of log t between the ends of what x can be, to the last bit.
    """
    low, high = np.full(shape, -_LOG_LARGEST), np.full(shape, _LOG_LARGEST)
    with np.errstate(under="ignore"):
        for _ in range(64):
            middle = (low + high) / 2
            short = is_short(np.exp(middle))
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.where(is_short(np.zeros(shape)), np.exp((low + high) / 2), 0.0)


def per_point(
    measure: Measure, scales: Float64[np.ndarray, "..."], *, own_axes: int = 0
) -> Callable[[slice], Measure]:
    """A measure for each point, or one for all, by the places of points in `scales`, flattened.

    The last `own_axes` axes before the nodes belong to each point. Raises ValueError where the
    other leading axes are neither none nor those of `scales`.
    """
    split = measure.nodes.ndim - 1 - own_axes
    leading, own = measure.nodes.shape[:split], measure.nodes.shape[split:]
    if leading not in ((), scales.shape):
        raise ValueError(
            f"measures with leading axes {leading} do not fit distances with axes {scales.shape}: "
            "give a measure for each distance, or one for all"
        )
    nodes, weights = (each.reshape((-1, *own)) for each in measure)
    one_for_all = leading == ()
    return lambda points: Measure(*(e if one_for_all else e[points] for e in (nodes, weights)))


def shares(
    measure: Measure,
    scales: Float64[np.ndarray, "..."],
    roots: Callable[[slice, Float64[np.ndarray, " point"]], Float64[np.ndarray, "..."]],
) -> Values:
    """The mean of 1 / (1 + t x) at every scale, in blocks; `roots` gives t for a block of points.

    Axes: those of `scales`, then the leading ones of the measure. t has the axis of the points, and
    may have those of the measure.
    """
    probes = measure.nodes.shape[:-1]
    flat = scales.reshape(-1)
    size = max(1, _ELEMENTS // measure.nodes.size)
    values: list[np.ndarray] = [np.zeros((0, *probes))]
    for first in range(0, flat.size, size):
        points = slice(first, first + size)
        block = flat[points]
        x = ratios(measure.nodes, block.reshape(-1, *(1,) * measure.nodes.ndim))
        t = roots(points, block)
        t = t.reshape(*t.shape, *(1,) * (x.ndim - t.ndim))
        with np.errstate(under="ignore"):
            part = mean(measure.weights, 1 / (1 + t * x))
        # The same sum of weights above and below: exactly 1 where all of x is 0.
        values.append(np.asarray(part / mean(measure.weights, np.ones(measure.nodes.shape))))
    return np.concatenate(values).reshape((*scales.shape, *probes))[()]
