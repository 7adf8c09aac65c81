"""How many weights may go, by the curvature of the loss: the forms of the predicted limit.

Near its minimum w* the loss is 1/2 (w - w*)' H (w - w*). Its sublevel set S = {loss <= epsilon} is
an ellipsoid of squared radii r_i^2 = 2 epsilon / lambda_i. Removing a fraction rho of the D weights
moves w* by c, |c| = R, to w_rho, and leaves a subspace of dimension (1 - rho) D to the kept ones. A
random subspace through w_rho meets S while rho is below delta / D, where delta is the statistical
dimension of the cone of S seen from w_rho (Amelunxen et al. 2014; `window` says how sharply). Each
function gives delta / D under its own assumption, and the predicted limit is the rho at which it
equals rho (`crossing`).

With x = lambda R^2 / (2 epsilon) every form is the mean of 1 / (1 + t x) over the eigenvalues:

- `paper`: t = 1. Right where R is large against all radii that matter; never above the next two.
- `generic`: mean x / (1 + t x) = 1: a displacement to which no direction is special.
- `displacement`: the same, the mean taken over the measure of c in place of the eigenvalues.
- `reoptimised.reoptimised`: the same for the subspace that pruning leaves, which is orthogonal to c
  and contains the kept part of w*, and so is no random one.
"""

import numpy as np

from lottery_jax.pruning_limit.measures import (
    Displaced,
    Distances,
    Measures,
    Values,
    check_measure,
    check_points,
    mean,
    per_point,
    ratios,
    root,
    shares,
)


def paper(nodes: Measures, weights: Measures, *, distance: Distances, epsilon: float) -> Values:
    """The mean of r^2 / (R^2 + r^2): the closed form of the paper.

    Parameters
    ----------
    nodes, weights
        Curvatures (`measures.curvatures`) and their weights, which sum to 1 along the last axis.
        Leading axes are measures of their own, such as the probes of a spectrum.
    distance
        R >= 0, any number of them.
    epsilon
        The loss allowed above the minimum, > 0.

    Returns
    -------
    values
        delta / D in [0, 1]. Axes: those of `distance`, then the leading ones of `nodes`. It falls
        with the distance, from 1 at R = 0, and 1 - value <= R^2 mean(lambda) / (2 epsilon).

    Raises
    ------
    ValueError
        For a negative curvature, weights that are no probabilities, a distance or an epsilon
        outside its range.

    Notes
    -----
    Zhang et al., How sparse can we prune a deep network (arXiv 2306.05857). Cost: one pass over
    distances and nodes.

    Examples
    --------
    >>> print(paper(np.array([1.0, 0.0]), np.array([0.5, 0.5]), distance=2.0, epsilon=0.5))
    0.6
    """
    measure, scales = check_measure(nodes, weights), check_points(distance, epsilon)
    return shares(measure, scales, lambda _, block: np.ones(len(block)))


def generic(nodes: Measures, weights: Measures, *, distance: Distances, epsilon: float) -> Values:
    """The statistical dimension over D for a displacement in no special direction.

    It is 1 where the mean loss at that distance, R^2 mean(lambda) / 2, is at most epsilon: w_rho is
    then expected inside of S. For isotropic curvature it is exact, r^2 / R^2. Arguments, result and
    errors are those of `paper`. Each leading axis finds its own t; average the measures first to
    have one for all.

    Notes
    -----
    The value is 1 - t. Cost: 66 passes over distances and nodes.

    Examples
    --------
    >>> print(generic(np.ones(1), np.ones(1), distance=2.0, epsilon=0.5).round(12))
    0.25
    """
    measure, scales = check_measure(nodes, weights), check_points(distance, epsilon)

    def roots(_, block):
        x = ratios(measure.nodes, block.reshape(-1, *(1,) * measure.nodes.ndim))
        return root(lambda t: mean(measure.weights, x / (1 + t[..., None] * x)) > 1, x.shape[:-1])

    return shares(measure, scales, roots)


def displacement(
    nodes: Measures,
    weights: Measures,
    displaced_nodes: Displaced,
    displaced_weights: Displaced,
    *,
    distance: Distances,
    epsilon: float,
) -> Values:
    """The statistical dimension over D of the cone of S seen from w_rho.

    It is 1 where w_rho lies inside of S, 1/2 c'Hc <= epsilon, and never below `paper`. As a
    prediction for pruning it takes the space of the kept weights for one that knows nothing of c.
    It is orthogonal to c, which makes the prediction too high, the more the lower the limit, and
    contains the kept part of w*, which can make it too low. `reoptimised.reoptimised` knows both.

    Parameters
    ----------
    displaced_nodes, displaced_weights
        The measure of the displacement: nodes and weights of a Lanczos run started at c / |c|, or
        all eigenvalues with weights c_i^2 / R^2. Leading axes are those of `distance`, a
        displacement for each, or none: one for all. Other arguments, result and errors are those of
        `paper`.

    Notes
    -----
    delta = sum r_i^2 / (nu + r_i^2) with sum c_i^2 / (nu + r_i^2) = 1, and t = nu / R^2. The
    multiplier of the projection of a Gaussian vector on the cone is nu, up to fluctuations that
    vanish as D grows; the next term is `cones.second_order`. Cost: 66 passes over distances and
    nodes of the displacement.

    Examples
    --------
    >>> every = np.array([4.0, 0.0]), np.array([0.5, 0.5])
    >>> sharp, flat = (np.array([4.0]), np.ones(1)), (np.array([0.0]), np.ones(1))
    >>> print(displacement(*every, *sharp, distance=2.0, epsilon=2.0).round(12))
    0.625
    >>> print(displacement(*every, *flat, distance=2.0, epsilon=2.0))
    1.0
    """
    measure, scales = check_measure(nodes, weights), check_points(distance, epsilon)
    displaced = per_point(check_measure(displaced_nodes, displaced_weights), scales)

    def roots(points, block):
        of_block = displaced(points)
        x = ratios(of_block.nodes, block[:, None])
        return root(lambda t: mean(of_block.weights, x / (1 + t[:, None] * x)) > 1, block.shape)

    return shares(measure, scales, roots)
