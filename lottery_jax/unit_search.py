"""Subsets of ReLU units that approximate one target unit: searched, and decided exactly.

A unit is a sign s and a vector u, for s relu(<u, x>). Kept units S approximate relu(<w*, x>),
|w*| = 1, to epsilon on the unit ball when sup |sum_S s relu(<u, x>) - relu(<w*, x>)| <= epsilon.
The neurons of a network are units (neuron pruning), and so are all its neurons with some input
weights removed (weight pruning), where at most one unit of each neuron is kept.

At every point x of the unit sphere the error of S is a subset sum, so each test point is a
coordinate of a vector subset sum. A subset within tolerance must pass them all; one that passes is
decided by the exact supremum over the ball. Nothing is sampled: for subsets of at most `max_kept`
units the decision is exact up to float32 rounding, which is bounded and counted as undecided. Few
kept units are searched as parts against parts, any number of them by branch and bound.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.geometry.networks import Output
from lottery_jax.geometry.relu_sums import rounding_bound, sup_on_sphere
from lottery_jax.subset_sum.branch_and_bound import MAX_ITEMS, MaskVisitor, fold_all_subsets
from lottery_jax.subset_sum.fold_subsets import MOST_ITEMS, Visitor, Window, fold_subsets

FEW = 4  # units; more than that are searched by branch and bound
_HANDED = 16  # masks that get their exact error at a time


class Units(NamedTuple):
    """The units on offer, and the target."""

    signs: Float[Array, " unit"]
    vectors: Float[Array, "unit dim"]
    target: Float[Array, " dim"]  # of unit length
    groups: Int[Array, " unit"] | None = None  # at most one unit of each group is kept


def most_units(max_kept: int) -> int:
    """How many units can be searched where at most `max_kept` of them are kept."""
    return MOST_ITEMS[max_kept] if max_kept <= FEW else MAX_ITEMS


class Match(NamedTuple):
    """The best subset of at most `max_kept` units, if one lies within the tolerance."""

    subset: Int[Array, " kept"]  # ascending unit numbers, filled up with N
    error_low: Float[Array, ""]  # no subset has a smaller error on the unit ball; inf if none near
    error: Float[Array, ""]  # the error of this subset is not larger; inf if none is near


class FirstMatch(NamedTuple):
    """How many leading units are needed before a subset of them is within the tolerance."""

    certain: Int[Array, ""]  # enough for certain; N + 1 if all are not
    possible: Int[Array, ""]  # fewer are certainly not enough


def search(
    units: Units,
    num_units: Int[Array, ""],
    *,
    least: Float[Array, ""],
    most: Float[Array, ""],
    max_kept: int,
    output: Output,
) -> Match:
    """The best subset of the first `num_units` units, if its error is at most `most`.

    The tolerance starts at `least` and doubles until a subset is found or `most` is reached, so
    that no more of the list is searched than the answer needs. A subset within `least` ends the
    search at once: it may then not be the very best.
    """
    num_all = len(units.signs)
    problem = _problem(units, max_kept, output)

    def visit(match: Match, subsets, is_subset) -> Match:
        low, high = problem.errors(subsets, is_subset)
        best = jnp.argmin(high)
        is_better = high[best] < match.error
        return Match(
            subset=jnp.where(is_better, problem.numbers(subsets[best]), match.subset),
            error_low=jnp.minimum(match.error_low, jnp.min(low)),
            error=jnp.minimum(match.error, high[best]),
        )

    def deepen(carry: tuple[Float[Array, ""], Match, Bool[Array, ""]]):
        tolerance, match, _ = carry
        match, is_cut_off = problem.fold(
            num_units,
            match,
            tolerance=lambda match: jnp.minimum(tolerance, match.error),
            visit=visit,
            is_done=lambda match: match.error <= least,
        )
        match = match._replace(error_low=jnp.where(is_cut_off, 0, match.error_low))
        is_last = (match.error <= tolerance) | (tolerance >= most)
        return jnp.minimum(2 * tolerance, most), match, is_last

    nothing = Match(
        subset=jnp.full((max_kept,), num_all, jnp.int32),
        error_low=jnp.float32(jnp.inf),
        error=jnp.float32(jnp.inf),
    )
    return lax.while_loop(lambda c: ~c[2], deepen, (least, nothing, jnp.array(False)))[1]


def search_first(
    units: Units,
    num_units: Int[Array, ""],
    *,
    tolerance: Float[Array, ""],
    max_kept: int,
    output: Output,
) -> FirstMatch:
    """How many leading units it takes, up to `num_units`, to come within the tolerance.

    One search finds every subset within the tolerance; the one whose highest unit is lowest
    decides the success of all widths at once. Where there would be too many subsets to visit, as
    with any number of kept units, decide width after width instead (`decide`).
    """
    problem = _problem(units, max_kept, output)

    def visit(first: FirstMatch, subsets, is_subset) -> FirstMatch:
        low, high = problem.errors(subsets, is_subset)
        is_member = subsets < len(units.signs)
        needed = jnp.max(jnp.where(is_member, subsets + 1, 0), axis=1)
        never = num_units + 1
        certain = jnp.where(high <= tolerance, needed, never)
        possible = jnp.where(low <= tolerance, needed, never)
        return FirstMatch(
            certain=jnp.minimum(first.certain, jnp.min(certain)),
            possible=jnp.minimum(first.possible, jnp.min(possible)),
        )

    first, is_cut_off = problem.fold(
        num_units,
        FirstMatch(num_units + 1, num_units + 1),
        tolerance=lambda _: tolerance,
        visit=visit,
        is_done=lambda _: jnp.array(False),
    )
    return first._replace(possible=jnp.where(is_cut_off, 0, first.possible))


def decide(
    units: Units,
    num_units: Int[Array, ""],
    *,
    tolerance: Float[Array, ""],
    max_kept: int,
    output: Output,
) -> tuple[Bool[Array, ""], Bool[Array, ""]]:
    """Whether a subset of the first `num_units` units is certainly, or possibly, within the
    tolerance. The search ends at the first that certainly is.
    """
    problem = _problem(units, max_kept, output)

    def visit(found, subsets, is_subset):
        low, high = problem.errors(subsets, is_subset)
        return found[0] | jnp.any(high <= tolerance), found[1] | jnp.any(low <= tolerance)

    (is_certain, is_possible), is_cut_off = problem.fold(
        num_units,
        (jnp.array(False), jnp.array(False)),
        tolerance=lambda _: tolerance,
        visit=visit,
        is_done=lambda found: found[0],
    )
    return is_certain, is_certain | is_possible | is_cut_off


class _Problem:
    """The vector subset sum of the units: coordinates, box, full test and exact error."""

    def __init__(self, units: Units, max_kept: int, output: Output):
        points = _facing(units.target)
        # In full precision also where the default product of an accelerator rounds its factors.
        product = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)
        values = jnp.maximum(product(units.vectors, points.T), 0)
        self.items = units.signs[:, None] * values
        self.heights = jnp.maximum(product(points, units.target), 0)
        self.units, self.max_kept, self.output = units, max_kept, output

    def window(self, tolerance: Float[Array, ""]) -> Window:
        """The box that contains the coordinates of every subset within the tolerance."""
        upper = self.heights + tolerance
        lower = self.heights - tolerance
        if self.output == "relu":  # anything negative will do where the target is near 0
            lower = jnp.where(lower > 0, lower, -jnp.inf)
        return Window(lower, upper)

    def accepts(self, tolerance: Float[Array, ""], sums: Float[Array, "batch coordinate"]):
        """Whether sums lie in the box, widened by more than their rounding."""
        window = self.window(tolerance)
        slack = 1e-5 * (1 + jnp.max(jnp.abs(self.items)))
        inside = (sums >= window.lower[None] - slack) & (sums <= window.upper[None] + slack)
        return jnp.all(inside, axis=1)

    def bounds(
        self,
        signs: Float[Array, "batch kept"],
        vectors: Float[Array, "batch kept dim"],
        is_subset: Bool[Array, " batch"],
    ) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
        """Certain bounds on the error of each subset on the unit ball; inf where there is none."""

        def exact(signs, vectors):
            return sup_on_sphere(signs, vectors, self.units.target, output=self.output)

        error = jax.vmap(exact)(signs, vectors)
        band = jax.vmap(rounding_bound, in_axes=(0, None))(vectors, self.units.target)
        low = jnp.where(is_subset, error - band, jnp.inf)
        return low, jnp.where(is_subset, error + band, jnp.inf)


class _FewKept(_Problem):
    """Subsets are lists of ascending unit numbers, filled up with N."""

    def fold(self, num_units, state, *, tolerance, visit, is_done):
        visitor = Visitor(
            window=lambda state: self.window(tolerance(state)),
            accept=lambda state, sums: self.accepts(tolerance(state), sums),
            visit=visit,
            is_done=is_done,
        )
        folded = fold_subsets(
            self.items,
            num_units,
            state,
            visitor,
            max_kept=self.max_kept,
            groups=self.units.groups,
        )
        return folded, jnp.array(False)

    def errors(self, subsets: Int[Array, "batch kept"], is_subset: Bool[Array, " batch"]):
        signs = jnp.pad(self.units.signs, (0, 1))[subsets]
        vectors = jnp.pad(self.units.vectors, ((0, 1), (0, 0)))[subsets]
        return self.bounds(signs, vectors, is_subset)

    def numbers(self, subset: Int[Array, " kept"]) -> Int[Array, " kept"]:
        return subset


class _AnyKept(_Problem):
    """Subsets are masks."""

    def fold(self, num_units, state, *, tolerance, visit, is_done):
        visitor = MaskVisitor(
            window=lambda state: self.window(tolerance(state)),
            accept=lambda state, sums: self.accepts(tolerance(state), sums),
            visit=lambda state, masks, _, is_found: visit(state, masks, is_found),
            is_done=is_done,
        )
        folded, effort = fold_all_subsets(
            self.items[None],
            num_units[None],
            jax.tree.map(lambda leaf: leaf[None], state),
            visitor,
            groups=None if self.units.groups is None else self.units.groups[None],
            max_kept=self.max_kept,
            handed=_HANDED,
        )
        return jax.tree.map(lambda leaf: leaf[0], folded), effort.is_cut_off[0]

    def errors(self, masks: Bool[Array, "batch unit"], is_subset: Bool[Array, " batch"]):
        if self.max_kept < masks.shape[1]:  # the supremum costs more the more vectors it is given
            chosen = jnp.argsort(~masks, axis=1, stable=True)[:, : self.max_kept]
            is_kept = jnp.take_along_axis(masks, chosen, axis=1)
            signs, vectors = self.units.signs[chosen], self.units.vectors[chosen]
        else:
            is_kept, signs, vectors = masks, self.units.signs[None], self.units.vectors[None]
        signs = jnp.where(is_kept, signs, 0)
        return self.bounds(signs, jnp.where(is_kept[:, :, None], vectors, 0), is_subset)

    def numbers(self, mask: Bool[Array, " unit"]) -> Int[Array, " kept"]:
        number = jnp.arange(mask.shape[0], dtype=jnp.int32)
        ascending = jnp.sort(jnp.where(mask, number, mask.shape[0]))
        return jnp.pad(
            ascending, (0, max(0, self.max_kept - len(mask))), constant_values=len(mask)
        )[: self.max_kept]


def _problem(units: Units, max_kept: int, output: Output) -> _FewKept | _AnyKept:
    return (_FewKept if max_kept <= FEW else _AnyKept)(units, max_kept, output)


def _facing(target: Float[Array, " dim"]) -> Float[Array, "point dim"]:
    """The probe points, reflected so that the first axis becomes the target."""
    (dim,) = target.shape
    points = jnp.asarray(probe_points(dim), jnp.float32)
    mirror = target - jnp.zeros((dim,), jnp.float32).at[0].set(1)
    square = jnp.sum(mirror * mirror)
    along = jnp.matmul(points, mirror, precision=lax.Precision.HIGHEST)
    shift = 2 * along / jnp.where(square == 0, 1, square)
    return points - shift[:, None] * mirror[None]


@functools.cache
def probe_points(dim: int) -> np.ndarray:
    """Points of the unit sphere at which every candidate is tested, for the target e_1.

    The axes and, in few dimensions, the diagonals between two of them (in the plane, sixteen
    directions); each next one is the farthest from all before, so that the first few tell most. Any
    points would do: they only decide how many candidates reach the exact supremum.
    """
    axes = np.eye(dim)
    pairs = itertools.combinations(range(dim), 2) if dim <= 8 else ((0, i) for i in range(1, dim))
    diagonals = [axes[i] + s * axes[j] for i, j in pairs for s in (1, -1)]
    points = np.stack([*axes, *diagonals])
    points = np.concatenate([points, -points])
    if dim == 2:
        angle = np.pi / 8 + np.pi / 4 * np.arange(8)
        points = np.concatenate([np.stack([np.cos(angle), np.sin(angle)], axis=1), points])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    order = [0]
    distance = np.full(len(points), np.inf)
    while len(order) < len(points):
        distance = np.minimum(distance, np.linalg.norm(points - points[order[-1]], axis=1))
        order.append(int(np.argmax(distance)))
    return points[order]
