"""How far a piecewise-linear function of one variable is from every affine one.

On an interval, the best affine function misses a continuous function by half the largest vertical
gap between the upper and the lower convex hull of its graph (Chebyshev). With

    spread(b) = max_i (y_i - b t_i) - min_i (y_i - b t_i)

over the nodes (t_i, y_i), the gap is the minimum of this convex function of the slope b. It is
piecewise linear, so cutting planes end after finitely many steps, a handful in practice: each step
costs two passes over the nodes. At the minimum, the points where the maximum and the minimum are
taken hold an alternating triple, the three points of Definition 2 of "Structured vs. Unstructured
Pruning: An Exponential Gap". Its height is computed from the three points alone, by one division,
so that small whole numbers give the exact gap.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

_MOST_STEPS = 64  # a function that needs more gets a wider band, never a wrong one


class Gap(NamedTuple):
    """The largest vertical gap between the two hulls, and what rounding leaves open."""

    height: Float[Array, ""]  # of an alternating triple of nodes
    band: Float[Array, ""]  # the true gap lies within height -+ band


def hull_gap(
    places: Float[Array, " point"],
    jumps: Float[Array, " point"],
    is_in: Bool[Array, " point"],
    left: Float[Array, ""],
    right: Float[Array, ""],
) -> Gap:
    """The largest gap between upper and lower hull, over an interval, of a function with kinks.

    Half of it is the best uniform error of an affine function. What the function is on the left of
    its kinks does not matter, so it is not asked for. Can be jitted and vmapped.

    Parameters
    ----------
    places
        Where the slope changes, in any order; kinks at one place add up.
    jumps
        By how much it changes there.
    is_in
        Kinks that are counted. Those outside the open interval change nothing in any case, also
        where their place is infinite or NaN.
    left, right
        The interval. An empty one has the gap 0.

    Returns
    -------
    Gap
        Within ``(2 m + 10) eps A (right - left)`` of the truth, and in `band` with it, where m
        kinks of total size A lie inside: eps/2 for each of the sums and products behind a node,
        twice for the two hulls, and 10 for the three points and the comparison of spreads.

    Notes
    -----
    Cost: one sort, and two passes over the kinks for each cut.

    Examples
    --------
    A kink of size 1 in the middle of [0, 1]: the hulls are 1/4 apart.

    >>> import jax.numpy as jnp
    >>> from lottery_jax.geometry import hull_gap
    >>> one = jnp.ones((1,))
    >>> print(hull_gap(one / 2, one, one > 0, jnp.array(0.0), jnp.array(1.0)).height)
    0.25
    """
    order = jnp.argsort(places)
    return hull_gap_sorted(places[order], jumps[order], is_in[order], left, right)


def hull_gap_sorted(
    places: Float[Array, " point"],
    jumps: Float[Array, " point"],
    is_in: Bool[Array, " point"],
    left: Float[Array, ""],
    right: Float[Array, ""],
) -> Gap:
    """As `hull_gap`, where the places ascend already (NaN last)."""
    is_in = is_in & (places > left) & (places < right)
    jumps = jnp.where(is_in, jumps, 0)
    # A kink that is left out becomes a copy of the left end: no mask is needed below.
    offsets = jnp.where(is_in, places - left, 0)
    moments = jumps * offsets
    values = jnp.where(is_in, offsets * jnp.cumsum(jumps) - jnp.cumsum(moments), 0)
    length = jnp.maximum(right - left, 0)
    end = length * jnp.sum(jumps) - jnp.sum(moments)
    t = jnp.concatenate([jnp.zeros_like(length)[None], offsets, length[None]])
    y = jnp.concatenate([jnp.zeros_like(end)[None], values, end[None]])
    noise = jnp.finfo(t.dtype).eps * jnp.sum(jnp.abs(jumps)) * length
    rising, falling, spread = _cut(t, y, noise)
    height = _height(t, y, rising, falling)
    num_inside = jnp.sum(is_in, dtype=jnp.int32).astype(t.dtype)
    return Gap(height, jnp.maximum(spread - height, 0) + (2 * num_inside + 10) * noise)


class _Pair(NamedTuple):
    """The nodes where y - b t is greatest and least at some slope b: one cut of the spread."""

    top: Int[Array, ""]
    bottom: Int[Array, ""]


def _cut(t: Array, y: Array, noise: Array) -> tuple[_Pair, _Pair, Array]:
    """The two cuts that meet at the least spread, one with its top on the right and one with its
    top on the left, and the least spread that was found.
    """
    nodes = jnp.arange(t.shape[0], dtype=jnp.int32)
    first, last = nodes[0], nodes[-1]

    def is_open(carry) -> Array:
        _, _, _, is_done, steps = carry
        return ~is_done & (steps < _MOST_STEPS)

    def step(carry):
        rising, falling, best, _, steps = carry
        run, rise = t[rising.top] - t[rising.bottom], y[rising.top] - y[rising.bottom]
        back, fall = t[falling.top] - t[falling.bottom], y[falling.top] - y[falling.bottom]
        away = run - back
        slope = (rise - fall) / jnp.where(away > 0, away, 1)
        bound = rise - slope * run  # no slope has a smaller spread
        rest = y - slope * t
        # Four plain reductions are faster than argmax and argmin on CPU.
        top = jnp.max(jnp.where(rest >= jnp.max(rest), nodes, 0))
        bottom = jnp.max(jnp.where(rest <= jnp.min(rest), nodes, 0))
        cut = _Pair(top, bottom)
        spread = rest[cut.top] - rest[cut.bottom]
        is_rising = t[cut.top] > t[cut.bottom]
        is_done = (spread <= bound + noise) | (t[cut.top] == t[cut.bottom])
        keep_rising, keep_falling = is_done | ~is_rising, is_done | is_rising
        rising = _Pair(*(jnp.where(keep_rising, a, b) for a, b in zip(rising, cut, strict=True)))
        falling = _Pair(*(jnp.where(keep_falling, a, b) for a, b in zip(falling, cut, strict=True)))
        return rising, falling, jnp.minimum(best, spread), is_done, steps + 1

    start = _Pair(last, first), _Pair(first, last), jnp.full_like(noise, jnp.inf)
    rising, falling, spread, _, _ = lax.while_loop(
        is_open, step, (*start, jnp.array(False), jnp.int32(0))
    )
    return rising, falling, spread


def _height(t: Array, y: Array, rising: _Pair, falling: _Pair) -> Array:
    """How far the middle point of the alternating triple lies from the chord of the outer two."""
    is_top = t[falling.bottom] > t[rising.top]  # the middle point is a top
    i = jnp.where(is_top, rising.bottom, falling.top)
    j = jnp.where(is_top, rising.top, falling.bottom)
    k = jnp.where(is_top, falling.bottom, rising.top)
    run = t[k] - t[i]
    area = (y[j] - y[i]) * run - (y[k] - y[i]) * (t[j] - t[i])
    return jnp.where(run > 0, jnp.abs(area) / jnp.where(run > 0, run, 1), 0)
