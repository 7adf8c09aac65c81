"""Probabilists' Hermite polynomials He_k, and coefficients of functions of a normal variable.

He_0 = 1, He_1 = t, He_{k+1} = t He_k - k He_{k-1}; for a standard normal g, E He_j(g) He_k(g) is k!
where j = k, and 0 elsewhere. The coefficients of a function f are gamma_k = E f(g) He_k(g), so that
f = sum of gamma_k / k! He_k. Those of the units that a network starts from say how much of each
degree of its target a gradient can see.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

Function = Callable[[Float64[np.ndarray, " node"]], Float64[np.ndarray, " node"]]


def evaluate(x: Float[Array, "*shape"], max_degree: int) -> Float[Array, "degree *shape"]:
    """He_0(x), ..., He_max_degree(x), in the dtype of `x`.

    Examples
    --------
    >>> evaluate(jnp.float32(2.0), 3).tolist()
    [1.0, 2.0, 3.0, 2.0]
    """
    values = [jnp.ones_like(x), x]
    for degree in range(1, max_degree):
        values.append(x * values[degree] - jnp.asarray(degree, x.dtype) * values[degree - 1])
    return jnp.stack(values[: max_degree + 1])


def evaluate_host(x: Float64[np.ndarray, "*shape"], max_degree: int) -> Float64[np.ndarray, "..."]:
    """`evaluate` in float64 on the host; the degree is the first axis.

    Examples
    --------
    >>> evaluate_host(np.array([2.0]), 3).ravel().tolist()
    [1.0, 2.0, 3.0, 2.0]
    """
    values = [np.ones_like(x), x]
    for degree in range(1, max_degree):
        values.append(x * values[degree] - degree * values[degree - 1])
    return np.stack(values[: max_degree + 1])


def normal_rule(
    kinks: Sequence[float] = (0.0,),
    *,
    widest: float = 0.5,
    end: float = 12.0,
    num_nodes: int = 12,
) -> tuple[Float64[np.ndarray, " node"], Float64[np.ndarray, " node"]]:
    """Nodes and weights for means over a standard normal of a function smooth between `kinks`.

    Gauss-Legendre pieces that end at the kinks, with the normal density in the weights. A rule of
    Gauss and Hermite converges only like 1/nodes across a kink; this one does not see it.

    Parameters
    ----------
    kinks
        Where the function may jump or have a corner.
    widest
        No piece is longer.
    end
        Pieces cover -`end` to `end`; beyond 12 a standard normal has a mass of 4e-33.
    num_nodes
        Of each piece.

    Examples
    --------
    >>> nodes, weights = normal_rule()
    >>> print(round(float(weights @ np.abs(nodes)), 12), round(math.sqrt(2 / math.pi), 12))
    0.797884560803 0.797884560803
    """
    inner = sorted({float(kink) for kink in kinks if abs(kink) < end})
    corners = [-end, *inner, end]
    edges = [
        np.linspace(low, high, math.ceil((high - low) / widest) + 1)[:-1]
        for low, high in itertools.pairwise(corners)
    ]
    edges = np.concatenate([*edges, [end]])
    legendre, legendre_weights = np.polynomial.legendre.leggauss(num_nodes)
    middles, halves = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    nodes = (middles[:, None] + halves[:, None] * legendre).ravel()
    density = np.exp(-(nodes**2) / 2) / math.sqrt(2 * math.pi)
    return nodes, (halves[:, None] * legendre_weights).ravel() * density
