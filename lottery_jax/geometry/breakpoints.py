"""Breakpoints of a network along lines, bins on those lines, and which bins are broken.

The lower bound of "Structured vs. Unstructured Pruning: An Exponential Gap" looks at a network
along floor(dim / 2) input families: family i is x_i(t) = t in coordinate 2i - 1, 1 in coordinate
2i, 0 elsewhere. There a neuron alpha relu(<w, x>) has one kink, at t = -w_2i / w_(2i-1), where the
slope grows by alpha |w_(2i-1)|. On the ball of radius R, |t| <= sqrt(R^2 - 1); this interval is cut
into bins of length epsilon. A bin is broken (Definition 2) if no affine function comes within
c epsilon of the network on it, which is the case if half the gap between the hulls is c epsilon or
more. The constant c, which the paper leaves open, is an argument of every function that needs it.

The edges of the bins are the floating-point numbers of `bin_edges`; they are the partition.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.geometry.hull_gap import hull_gap_sorted

_SLIVER = 1e-6  # of a bin: what rounding may leave over at the right end


class Breakpoints(NamedTuple):
    """Where each neuron bends along each family, and by how much."""

    places: Float[Array, "neuron family"]  # infinite or NaN where the neuron has no kink
    jumps: Float[Array, "neuron family"]  # right slope - left slope


class Broken(NamedTuple):
    """Which bins are broken; where the two differ, rounding cannot tell."""

    certain: Bool[Array, " bin"]
    possible: Bool[Array, " bin"]


def breakpoints(hidden: Float[Array, "neuron dim"], output: Float[Array, " neuron"]) -> Breakpoints:
    """The kink of every neuron along each of the dim // 2 input families.

    Parameters
    ----------
    hidden, output
        Weights of g(x) = sum_i output_i relu(<hidden_i, x>).

    Raises
    ------
    ValueError
        In one dimension, where there is no family.

    Examples
    --------
    >>> hidden, output = jnp.array([[2.0, 1.0], [-1.0, 3.0]]), jnp.array([1.0, -4.0])
    >>> found = breakpoints(hidden, output)
    >>> found.places.ravel().tolist(), found.jumps.ravel().tolist()
    ([-0.5, 3.0], [2.0, -4.0])
    """
    num_families = hidden.shape[1] // 2
    if num_families == 0:
        raise ValueError(f"dim={hidden.shape[1]} has no family; a family takes two coordinates")
    slopes, offsets = (hidden[:, first : 2 * num_families : 2] for first in (0, 1))
    return Breakpoints(places=-offsets / slopes, jumps=output[:, None] * jnp.abs(slopes))


def num_bins(radius: float, length: float) -> int:
    """How many bins of this length cover |t| <= sqrt(radius^2 - 1); the last may be partial.

    Raises
    ------
    ValueError
        Unless 1 < radius < inf and 0 < length < inf.

    Examples
    --------
    >>> num_bins(2.0, 0.5)
    7
    """
    if not 1 < radius < math.inf:
        raise ValueError(
            f"{radius=} must be finite and above 1: (t, 1) is never inside the unit ball"
        )
    if not 0 < length < math.inf:
        raise ValueError(f"{length=} must be positive and finite")
    width = 2 * math.sqrt((radius - 1) * (radius + 1))
    return max(1, math.ceil(width / length - _SLIVER))


def bin_edges(radius: ArrayLike, length: ArrayLike, *, num: int) -> Float[Array, " edge"]:
    """The edges of `num` bins from -sqrt(radius^2 - 1), ascending.

    Where `num` exceeds `num_bins(radius, length)` the rest of the bins are empty, at the right end:
    so one compiled program serves every length with at most `num` bins.

    Parameters
    ----------
    radius, length
        As in `num_bins`. Python numbers are checked; arrays, traced or not, are taken as they are,
        and the edges have the type of the radius.
    num
        At least `num_bins(radius, length)`.

    Raises
    ------
    ValueError
        For fewer bins than cover the interval, and as `num_bins`.

    Examples
    --------
    >>> print(bin_edges(1.25, 0.5, num=3))
    [-0.75 -0.25  0.25  0.75]
    """
    if isinstance(radius, (int, float)) and isinstance(length, (int, float)):
        least = num_bins(radius, length)
        if num < least:
            raise ValueError(f"{num=} bins of {length=} do not reach the end; give {least} or more")
    real = radius.dtype if isinstance(radius, jax.Array) else jnp.result_type(float)
    radius, length = jnp.asarray(radius, real), jnp.asarray(length, real)
    end = jnp.sqrt((radius - 1) * (radius + 1))
    edges = jnp.minimum(length * jnp.arange(num + 1, dtype=real) - end, end)
    return edges.at[num].set(end)


def bin_of(places: Float[Array, "*shape"], edges: Float[Array, " edge"]) -> Int[Array, "*shape"]:
    """The number of the bin that owns each place; the number of bins where none does.

    A place on an edge belongs to the bin on its right, and one on the last edge to none: on the
    edge of a bin a kink breaks nothing.

    Examples
    --------
    >>> bin_of(jnp.array([-9.0, -0.5, 0.0, 0.5]), jnp.array([-0.5, 0.0, 0.5])).tolist()
    [2, 0, 1, 2]
    """
    count = edges.shape[0] - 1
    number = jnp.searchsorted(edges, places, side="right").astype(jnp.int32) - 1
    return jnp.where(number < 0, count, number)


def broken_bins(
    places: Float[Array, " point"],
    jumps: Float[Array, " point"],
    edges: Float[Array, " edge"],
    *,
    length: Float[Array, ""] | float,
    constant: Float[Array, ""] | float,
) -> Broken:
    """Which bins are broken for the function with these kinks, on one family.

    Can be jitted and vmapped over draws and families.

    Parameters
    ----------
    places, jumps
        One column of `Breakpoints`, and further kinks, such as that of a mirrored target.
    edges
        From `bin_edges`.
    length
        epsilon, of the threshold; also for a last bin that is shorter.
    constant
        c of Definition 2, positive.

    Returns
    -------
    Broken
        The two differ where the gap lies within its rounding band of 2 c epsilon.

    Notes
    -----
    Cost: one sort, and for each bin a few passes over all kinks.

    Examples
    --------
    A kink of size 1 in the middle of the middle one of three bins has the best affine error 1/8:

    >>> edges, one = jnp.array([-1.5, -0.5, 0.5, 1.5]), jnp.ones((1,))
    >>> broken_bins(0 * one, one, edges, length=1.0, constant=0.12).certain.tolist()
    [False, True, False]
    """
    order = jnp.argsort(places)
    places, jumps = places[order], jumps[order]
    everything = jnp.ones(places.shape, bool)
    gap = jax.vmap(lambda left, right: hull_gap_sorted(places, jumps, everything, left, right))(
        edges[:-1], edges[1:]
    )
    return Broken(*breaks(gap.height, gap.band, length=length, constant=constant))


def breaks(
    height: Float[Array, "*shape"],
    band: Float[Array, "*shape"],
    *,
    length: Float[Array, ""] | float,
    constant: Float[Array, ""] | float,
) -> tuple[Bool[Array, "*shape"], Bool[Array, "*shape"]]:
    """Whether gaps certainly, and possibly, make a bin broken: half of the gap is c epsilon.

    Examples
    --------
    >>> height = jnp.array([0.1, 0.2, 0.3])
    >>> [each.tolist() for each in breaks(height, 0 * height + 1e-6, length=1.0, constant=0.1)]
    [[False, False, True], [False, True, True]]
    """
    threshold = 2 * jnp.asarray(constant, height.dtype) * jnp.asarray(length, height.dtype)
    rounding = 2 * jnp.finfo(height.dtype).eps * threshold  # of c, epsilon and their product
    return height - band >= threshold + rounding, height + band >= threshold - rounding
