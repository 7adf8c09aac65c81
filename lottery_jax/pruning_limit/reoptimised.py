"""The form of the pruning limit for the subspace that pruning leaves to the kept weights.

`forms.displacement` lets a subspace in no special direction meet the sublevel set. The kept weights
move in no such space: it is orthogonal to the displacement c, and contains the kept part k of w*.
Scaling k alone can undo much of what c did to the loss where w* leans to sharp or flat directions.
This form takes both into account, and only the rest of the subspace for random.
"""

import numpy as np
from jaxtyping import Float64

from lottery_jax.pruning_limit.measures import (
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

Triples = Float64[np.ndarray, "... 3 step"]


def reoptimised(
    nodes: Measures,
    weights: Measures,
    triple_nodes: Triples,
    triple_weights: Triples,
    *,
    distance: Distances,
    epsilon: float,
) -> Values:
    """The fraction of weights that may go if the kept ones are optimised again, given c and k.

    Where it equals the fraction removed, the least loss over the kept weights is epsilon, exactly
    as D grows, when H is random but for its spectrum and its values on the span of c and k. It is 1
    where k times a number is enough to bring the loss to epsilon. Unlike `forms.displacement` it
    may lie below `forms.paper`, since it answers another question: for isotropic curvature the kept
    weights cannot help, and it falls from 1 to 0 where R = r.

    Parameters
    ----------
    nodes, weights, distance, epsilon
        As in `forms.paper`.
    triple_nodes, triple_weights
        Three measures: of c / |c|, of k / |k|, and of (c / |c| + k / |k|) / sqrt 2, as Lanczos runs
        started there give them; the last one holds what H makes of c and k together. Leading axes
        are those of `distance`, a triple for each, or none: one for all.

    Returns
    -------
    values
        In [0, 1]; axes as in `forms.paper`.

    Raises
    ------
    ValueError
        As `forms.paper`.

    Notes
    -----
    With means u_c, u_k of x / (1 + t x) and q_c of 1 / (1 + t x), over the measures of c and of k,
    and u_ck the bilinear one, t solves

        q_c + t u_ck^2 / u_k = u_c - u_ck^2 / u_k.

    Derivation. Split H into the span of c and k and the rest, with curvature B. For a random
    subspace of the rest of codimension tr (1 + s B)^-1, the least loss at c + a k is the quadratic
    form of the Schur complement in which the resolvent s (1 + s B)^-1 stands for the inverse of B.
    Schur complements turn the resolvent of B into that of H on the span; a is chosen best, and
    t = 2 epsilon s / R^2. Without k the condition is q_c = u_c, where `forms.displacement` has
    1 = u_c: the same as a displacement of length R / sqrt q_c, since a random subspace would share
    a part of c. Terms of order 1 / D are left out. Cost: 66 passes over distances and the nodes of
    the triples.

    Examples
    --------
    Half of the directions are flat. c is sharp and k flat; then both are half sharp, and their sum
    is sharp: the flat c - k, which is k scaled by -1, has no loss.

    >>> every = np.array([4.0, 0.0]), np.array([0.5, 0.5])
    >>> two = np.tile(every[0], (3, 1))
    >>> apart = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    >>> print(reoptimised(*every, two, apart, distance=2.0, epsilon=2.0).round(12))
    0.5
    >>> mixed = np.array([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]])
    >>> print(reoptimised(*every, two, mixed, distance=2.0, epsilon=0.1).round(12))
    1.0
    """
    measure, scales = check_measure(nodes, weights), check_points(distance, epsilon)
    triples = per_point(check_measure(triple_nodes, triple_weights), scales, own_axes=1)

    def roots(points, block):
        of_block = triples(points)
        x = ratios(of_block.nodes, block[:, None, None])

        def is_short(t):
            resolvent = 1 / (1 + t[:, None, None] * x)
            moved, kept, both = np.moveaxis(mean(of_block.weights, x * resolvent), 1, 0)
            mixed = both - (moved + kept) / 2
            gain = np.divide(mixed**2, kept, out=np.zeros_like(kept), where=kept > 0)
            gain = np.minimum(gain, moved)  # runs of few steps may break Cauchy and Schwarz
            return mean(of_block.weights, resolvent)[:, 0] + t * gain < moved - gain

        return root(is_short, block.shape)

    return shares(measure, scales, roots)
