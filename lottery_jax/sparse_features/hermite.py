"""Probabilists' Hermite polynomials He_k, and coefficients of functions of a normal variable.

He_0 = 1, He_1 = t, He_{k+1} = t He_k - k He_{k-1}; for a standard normal g, E He_j(g) He_k(g) is k!
where j = k, and 0 elsewhere. The coefficients of a function f are gamma_k = E f(g) He_k(g), so that
f = sum of gamma_k / k! He_k. Those of the units that a network starts from say how much of each
degree of its target a gradient can see.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

Function = Callable[[Float64[np.ndarray, " node"]], Float64[np.ndarray, " node"]]

Part = Literal["all", "even", "odd"]

_ROUNDING = 2.0**-40


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


def coefficients(
    function: Function, max_degree: int, *, kinks: Sequence[float] = (0.0,)
) -> Float64[np.ndarray, " degree"]:
    """gamma_0, ..., gamma_max_degree of a function on the host, by quadrature.

    Parameters
    ----------
    function
        From a float64 array of points to their values.
    max_degree
        The highest degree wanted.
    kinks
        Where the function may jump or have a corner (see `normal_rule`).

    Raises
    ------
    ValueError
        For values that are not finite, or of another shape than the points.

    Examples
    --------
    >>> print(coefficients(lambda t: t**3, 3).round(9) + 0.0)
    [0. 3. 0. 6.]
    """
    nodes, weights = normal_rule(kinks)
    values = np.asarray(function(nodes), np.float64)
    if values.shape != nodes.shape:
        raise ValueError(f"the function gives {values.shape} for points of shape {nodes.shape}")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"the function is not finite at {nodes[~np.isfinite(values)][0]:.6g}")
    return evaluate_host(nodes, max_degree) @ (weights * values)


def information_exponent(coefficients: Float64[np.ndarray, " degree"]) -> int:
    """The lowest degree k >= 1 whose coefficient gamma_k is more than rounding.

    Rounding is taken as 2^-40 of the root of the sum of all gamma_k^2 / k!: a quadrature with some
    hundred nodes errs by less in float64.

    Raises
    ------
    ValueError
        When there is none.

    Examples
    --------
    >>> information_exponent(coefficients(lambda t: abs(t), 6))
    2
    """
    shares = coefficients / _roots(len(coefficients) - 1)
    is_term = np.abs(shares) > _ROUNDING * np.linalg.norm(shares)
    if not np.any(is_term[1:]):
        raise ValueError(f"no coefficient of degree 1 to {len(shares) - 1} is above rounding")
    return 1 + int(np.argmax(is_term[1:]))


def relu_coefficients(
    biases: Float64[np.ndarray, "*batch"], max_degree: int
) -> Float64[np.ndarray, "*batch degree"]:
    """Coefficients of t -> max(t + b, 0) for every bias b, in closed form.

    With the normal density p and distribution P they are b P(b) + p(b), P(b), and then
    p(b) He_{k-2}(-b).

    Examples
    --------
    >>> print(relu_coefficients(np.zeros(1), 4)[0].round(4))
    [ 0.3989  0.5     0.3989 -0.      -0.3989]
    """
    from scipy import special  # on first use: importing the package stays light

    density, mass = np.exp(-(biases**2) / 2) / math.sqrt(2 * math.pi), special.ndtr(biases)
    rest = density * evaluate_host(np.asarray(-biases), max(max_degree - 2, 0))
    first = np.stack([biases * mass + density, mass])
    return np.moveaxis(np.concatenate([first, rest])[: max_degree + 1], 0, -1)


def activation_coefficients(
    activation: Function,
    biases: Float64[np.ndarray, " neuron"],
    max_degree: int,
    *,
    kinks: Sequence[float] = (0.0,),
) -> Float64[np.ndarray, "neuron degree"]:
    """Coefficients of t -> activation(t + b) for every bias b, by quadrature.

    Parameters
    ----------
    activation
        From a float64 array to its values.
    biases
        One for every neuron.
    max_degree
        The highest degree wanted.
    kinks
        Arguments of the activation where it is not smooth; the pieces of the quadrature end at
        them for every bias.

    Examples
    --------
    >>> print(activation_coefficients(np.tanh, np.zeros(1), 3)[0].round(4) + 0.0)
    [ 0.      0.6057  0.     -0.3636]
    """
    return np.stack(
        [
            coefficients(
                lambda t, bias=bias: activation(t + bias),
                max_degree,
                kinks=np.subtract(kinks, bias).tolist(),
            )
            for bias in biases.tolist()
        ]
    )


def relu_derivative(
    t: Float[Array, "*shape"], bias: Float[Array, "*shape"], *, part: Part = "all"
) -> Float[Array, "*shape"]:
    """The derivative at t of max(t + b, 0), or of its even or odd part in t; traceable.

    With step(t + b) it is (step(t + b) - step(-t + b)) / 2 for the even part, itself odd, and
    (step(t + b) + step(-t + b)) / 2 for the odd part; arXiv 2406.08658 writes + and - for them in
    its appendix, and the other way round in its main text.

    Raises
    ------
    ValueError
        For an unknown part.

    Examples
    --------
    >>> t, bias = jnp.array([-2.0, 0.0, 2.0]), jnp.ones(3)
    >>> relu_derivative(t, bias, part="even").tolist()
    [-0.5, 0.0, 0.5]
    >>> relu_derivative(t, bias, part="odd").tolist()
    [0.5, 1.0, 0.5]
    """
    check_part(part)
    ahead, behind = (t + bias > 0).astype(t.dtype), (bias - t > 0).astype(t.dtype)
    if part == "all":
        return ahead
    return (ahead - behind if part == "even" else ahead + behind) / 2


def check_part(part: str) -> None:
    """Raise unless `part` is one of `Part`."""
    if part not in get_args(Part):
        raise ValueError(f"{part=} is unknown; choose {', '.join(get_args(Part))}")


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


def _roots(max_degree: int) -> Float64[np.ndarray, " degree"]:
    """sqrt(k!), the norms of He_k."""
    return np.sqrt([float(math.factorial(degree)) for degree in range(max_degree + 1)])
