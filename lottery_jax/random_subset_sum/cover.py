"""Do boxes of one size around given points cover the cube [-1, 1]^d?

That is, does every target of the cube have a point within the radius, in the max norm? Halving the
cells of a net of test targets would not end where targets are nearly missed: in the max norm the
farthest targets fill whole faces. Subtracting boxes does. The cube is cut into cells about as wide
as the radius. A cell inside one box is done. From another cell the box of the point nearest to its
centre is subtracted, and the rest falls into at most 2 d smaller cells, which are treated in the
same way. A centre that lies in no box is a target that is missed. So the answer is exact but for
rounding.

Cost: (2 / radius)^dim cells, for each of them the points of its slab, which is three radii wide in
the first coordinate, and a few dozen small operations for each box that is subtracted.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

_TILE = 512  # points compared at a time
_NEAR = 1024  # points whose boxes meet a cell
_STACK = 512  # cells that wait to be cut again
_MOST_CELLS = 2**22
_UNIT = 2.0**-20  # of 1 + radius: exceeds the rounding of points, cells and distances together


class Cover(NamedTuple):
    """Whether every target of the cube lies within the radius of a point.

    At most one of the two is True. None is where rounding or a limit leaves the answer open.
    """

    is_covered: Bool[Array, ""]  # certainly all
    is_missed: Bool[Array, ""]  # certainly not all
    cells: Int[Array, ""]  # looked at


class _Slab(NamedTuple):
    """The points near a slab of the cube."""

    points: Float[Array, "dim point"]  # the first `count`; then infinity
    count: Int[Array, ""]  # type: ignore[override]


class _State(NamedTuple):
    is_missed: Bool[Array, ""]
    is_open: Bool[Array, ""]  # some cell is neither certainly covered nor certainly missed
    cells: Int[Array, ""]


@jax.jit
def covers_cube(
    points: Float[Array, "point dim"], count: Int[Array, ""], radius: Float[Array, ""]
) -> Cover:
    """Whether boxes around the first `count` points cover [-1, 1]^dim; traceable, no checks.

    Parameters
    ----------
    points
        Finite float32 numbers, right to a relative 2**-22.
    count
        How many of them take part.
    radius
        Half the side of a box, positive.

    Examples
    --------
    >>> points = jnp.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    >>> for count, radius in ((4, 0.51), (4, 0.49), (3, 0.51)):
    ...     cover = covers_cube(points, jnp.int32(count), jnp.float32(radius))
    ...     print(bool(cover.is_covered), bool(cover.is_missed))
    True False
    False True
    False True
    """
    points, count = points.astype(jnp.float32).T, jnp.asarray(count, jnp.int32)
    dim = points.shape[0]
    points = jnp.pad(points, ((0, 0), (0, -points.shape[1] % _TILE)))
    radius = radius.astype(jnp.float32)
    margin = _UNIT * (1 + radius)
    inner, outer = radius - margin, radius + margin
    across = jnp.clip(jnp.ceil(2 / radius), 1, 2.0**24).astype(jnp.int32)  # cells along an axis
    is_small = across.astype(jnp.float32) ** dim <= _MOST_CELLS
    in_slab = jnp.where(is_small, across, 1) ** (dim - 1)
    stride = jnp.where(is_small, across, 1) ** jnp.arange(dim - 2, -1, -1, dtype=jnp.int32)

    def bound(number: Int[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Where a cell begins; the last one ends at 1."""
        return (2 * number).astype(jnp.float32) / across.astype(jnp.float32) - 1

    def look_at_slab(carry):
        first, state = carry
        low, high = bound(first), bound(first + 1)
        slab = _gather(
            points, count, lambda tile: (tile[0] >= low - outer) & (tile[0] <= high + outer)
        )

        def look_at_cell(carry):
            number, state = carry
            place = jnp.concatenate([first[None], number // stride % across])
            state = _look(slab, bound(place), bound(place + 1), inner, outer, state)
            return number + 1, state

        return first + 1, lax.while_loop(
            lambda c: (c[0] < in_slab) & ~c[1].is_missed, look_at_cell, (jnp.int32(0), state)
        )[1]

    start = _State(jnp.array(False), ~is_small | (inner <= 0), jnp.int32(0))
    _, state = lax.while_loop(
        lambda c: (c[0] < across) & is_small & ~c[1].is_missed, look_at_slab, (jnp.int32(0), start)
    )
    return Cover(~state.is_missed & ~state.is_open, state.is_missed, state.cells)


def _look(slab: _Slab, low, high, inner, outer, state: _State) -> _State:
    """One cell of the grid: done where it lies inside one box, else cut."""
    centre = (low + high) / 2
    half = jnp.max(jnp.maximum(high - centre, centre - low))
    goal = lax.bitcast_convert_type(jnp.maximum(inner - half, 0), jnp.int32)

    def compare(carry):
        at, best = carry
        return at + _TILE, jnp.minimum(best, _least(_distances(_tile(slab.points, at), centre)))

    # Floats that are not negative are in the order of their bits, and integers compare faster.
    infinite = lax.bitcast_convert_type(jnp.float32(jnp.inf), jnp.int32)
    _, best = lax.while_loop(
        lambda c: (c[0] < slab.count) & (c[1] > goal), compare, (jnp.int32(0), infinite)
    )
    nearest = lax.bitcast_convert_type(best, jnp.float32)
    state = state._replace(cells=state.cells + 1)

    def cut(state: _State) -> _State:
        return _cut(slab, low, high, inner, outer, state)

    def miss(state: _State) -> _State:
        return state._replace(is_missed=jnp.array(True))

    number = (best > goal).astype(jnp.int32) + (nearest > outer).astype(jnp.int32)
    return lax.switch(number, [lambda state: state, cut, miss], state)


def _cut(slab: _Slab, low, high, inner, outer, state: _State) -> _State:
    """Subtract box after box, until nothing of the cell is left."""
    dim = low.shape[0]

    def meets(tile):
        return functools.reduce(
            jnp.logical_and,
            [(tile[q] >= low[q] - outer) & (tile[q] <= high[q] + outer) for q in range(dim)],
        )

    near = _gather(slab.points, slab.count, meets, capacity=_NEAR)
    is_complete = near.count <= _NEAR
    waiting = jnp.zeros((_STACK, 2, dim), jnp.float32).at[0].set(jnp.stack([low, high]))

    def step(carry):
        waiting, size, state = carry
        size = size - 1
        low, high = waiting[size]
        centre = (low + high) / 2
        half = jnp.maximum(high - centre, centre - low)
        apart = jnp.abs(near.points - centre[:, None])
        bits = lax.bitcast_convert_type(jnp.max(apart, axis=0), jnp.int32)
        best = jnp.argmin(bits)
        distance = lax.bitcast_convert_type(bits[best], jnp.float32)
        is_inside = jnp.min(jnp.max(apart + half[:, None], axis=0)) <= inner
        is_missed = ~is_inside & (distance > outer) & is_complete
        is_cut = ~is_inside & (distance <= inner)
        is_open = ~(is_inside | is_missed | is_cut)
        rest, is_left = _subtract(low, high, near.points[:, best], inner)
        is_left = is_left & is_cut
        place = size + jnp.cumsum(is_left, dtype=jnp.int32) - 1
        waiting = waiting.at[jnp.where(is_left, place, _STACK)].set(rest, mode="drop")
        size = size + jnp.sum(is_left, dtype=jnp.int32)
        is_open = is_open | (size > _STACK) | (state.cells >= _MOST_CELLS)
        state = _State(is_missed, state.is_open | is_open, state.cells + 1)
        return waiting, jnp.minimum(size, _STACK), state

    return lax.while_loop(
        lambda c: (c[1] > 0) & ~c[2].is_missed & (c[2].cells <= _MOST_CELLS),
        step,
        (waiting, jnp.int32(1), state),
    )[2]


def _subtract(low, high, point, radius):
    """What a box leaves of a cell: two cells for each coordinate, and which of them exist."""
    rest, is_left = [], []
    for q in range(low.shape[0]):
        below, above = point[q] - radius, point[q] + radius
        rest += [jnp.stack([low, high.at[q].set(below)]), jnp.stack([low.at[q].set(above), high])]
        is_left += [low[q] < below, above < high[q]]
        low, high = low.at[q].max(below), high.at[q].min(above)
    return jnp.stack(rest), jnp.stack(is_left)


def _gather(points, count, is_taken, *, capacity: int | None = None) -> _Slab:
    """The points that are taken, side by side. Its count may exceed the capacity."""
    dim, most = points.shape
    most = most if capacity is None else capacity
    column = jnp.arange(_TILE, dtype=jnp.int32)

    def take(carry):
        at, taken, number = carry
        tile = _tile(points, at)
        is_it = is_taken(tile) & (at + column < count)
        place = jnp.where(is_it, number + jnp.cumsum(is_it, dtype=jnp.int32) - 1, most)
        taken = taken.at[:, place].set(tile, mode="drop")
        return at + _TILE, taken, number + jnp.sum(is_it, dtype=jnp.int32)

    nothing = jnp.full((dim, most), jnp.inf, jnp.float32)
    _, taken, number = lax.while_loop(
        lambda c: c[0] < jnp.minimum(count, points.shape[1]),
        take,
        (jnp.int32(0), nothing, jnp.int32(0)),
    )
    return _Slab(taken, number)


def _tile(points, at):
    return lax.dynamic_slice(points, (jnp.int32(0), at), (points.shape[0], _TILE))


def _distances(tile, centre):
    """In the max norm."""
    apart = jnp.abs(tile - centre[:, None])
    return functools.reduce(jnp.maximum, [apart[q] for q in range(tile.shape[0])])


def _least(distances):
    bits = lax.bitcast_convert_type(distances, jnp.int32)
    return lax.reduce(bits, np.int32(2**31 - 1), lax.min, (0,))
