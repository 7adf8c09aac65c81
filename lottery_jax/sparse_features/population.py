"""The gradient that infinitely many samples give to a unit at the start, in closed form.

For a polynomial link f = sum of c_a He_a / sqrt(a!) over multi-indices a, orthonormal V, normal
inputs x, a unit weight w and a ReLU of bias b with the coefficients gamma_k(b), write u = V^T w and
Q_a(u) = c_a u^a / sqrt(a!). Then

    E f(V^T x) relu'(<w, x> + b) x = sum of gamma_|a| V grad Q_a(u) + gamma_{|a|+2} Q_a(u) w

over all a: by Stein's lemma one derivative falls on f or on relu', and the Hermite expansions of
the two meet degree by degree (arXiv 2406.08658, appendix, where T_k[u^k] / k! is the sum of Q_a
over |a| = k). The even part of the activation, (relu(t + b) + relu(-t + b)) / 2, has the
coefficients of even degree only and sees the even degrees of the link; the odd part sees the odd.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float64

from lottery_jax.sparse_features import hermite
from lottery_jax.sparse_features.directions import check_orthonormal
from lottery_jax.sparse_features.hermite import Part
from lottery_jax.sparse_features.link import Link, basis_norm


def gradient(
    link: Link,
    directions: ArrayLike | Sequence[Any],
    weight: ArrayLike | Sequence[Any],
    bias: ArrayLike | Sequence[Any],
    *,
    part: Part = "all",
) -> Float64[np.ndarray, "*batch input"]:
    """E y relu'_part(<w, x> + b) x in float64; a unit with output weight a gets -a times this.

    Parameters
    ----------
    link
        Polynomial: all its terms are known.
    directions
        V of shape [d, r], with orthonormal columns.
    weight
        w, of shape [..., d]. For a w that is not of length 1 it is the gradient at w / ||w|| and
        b / ||w||, since relu' is a step and does not see a common factor.
    bias
        b, of shape [...].
    part
        ``all`` of the activation, or its ``even`` or ``odd`` part (`hermite.relu_derivative`).

    Raises
    ------
    ValueError
        For a link that is no polynomial, V that is not orthonormal, shapes that disagree, a weight
        that is 0, weights or biases that are not finite, or an unknown part.

    Notes
    -----
    Independent noise in the targets changes nothing. Inputs must be normal. Cost: one pass over the
    terms for each weight. What V^T V is off the identity by, 1e-7 for a V of float32, enters as an
    error of the same order.

    Examples
    --------
    >>> from lottery_jax.sparse_features import links
    >>> link = links.hermite({(2, 0): 1, (0, 2): 1})
    >>> V = np.eye(4, 2)
    >>> print(gradient(link, V, np.eye(4), np.zeros(4))[:, :2].round(6))
    [[0.199471 0.      ]
     [0.       0.199471]
     [0.       0.      ]
     [0.       0.      ]]
    """
    hermite.check_part(part)
    if link.mass_beyond:
        raise ValueError(
            f"{link.name} is no polynomial: {link.mass_beyond:.2g} of its variance lies beyond its "
            "terms; use links.hermite or links.polynomial"
        )
    columns = check_orthonormal(directions)
    weights, biases = np.asarray(weight, np.float64), np.asarray(bias, np.float64)
    _check_shapes(link, columns, weights, biases)
    for name, values in (("weight", weights), ("bias", biases)):
        if not np.all(np.isfinite(values)):
            raise ValueError(f"a {name} is {values[~np.isfinite(values)][0]}; give finite ones")
    lengths = np.linalg.norm(weights, axis=-1)
    if not np.all(lengths > 0):
        raise ValueError("a weight is 0; a unit without direction has no gradient to rank")
    units, biases = weights / lengths[..., None], np.asarray(biases / lengths)
    gamma = hermite.relu_coefficients(biases, link.degree + 2)
    hidden = units @ columns
    along_directions, along_weight = np.zeros_like(hidden), np.zeros_like(biases)
    for index, coefficient in link.terms:
        degree = sum(index)
        if part != "all" and (degree % 2 == 0) != (part == "even"):
            continue
        scale = coefficient / basis_norm(index)
        along_weight += gamma[..., degree + 2] * scale * _power(hidden, index)
        for i, power in enumerate(index):
            if power:
                lowered = (*index[:i], power - 1, *index[i + 1 :])
                derivative = scale * power * _power(hidden, lowered)
                along_directions[..., i] += gamma[..., degree] * derivative
    return along_directions @ columns.T + along_weight[..., None] * units


def _power(hidden: Float64[np.ndarray, "*batch index"], index: tuple[int, ...]):
    return np.prod(hidden ** np.array(index), axis=-1)


def _check_shapes(link: Link, columns, weights, biases) -> None:
    dim, num_directions = columns.shape
    if num_directions != link.num_indices:
        raise ValueError(
            f"{num_directions} directions do not fit {link.name} of {link.num_indices} variables; "
            "give one for each"
        )
    if weights.shape[-1:] != (dim,) or weights.shape[:-1] != biases.shape:
        raise ValueError(
            f"weights of shape {weights.shape} and biases of shape {biases.shape} do not fit "
            f"{dim} inputs; give [..., {dim}] and [...]"
        )
