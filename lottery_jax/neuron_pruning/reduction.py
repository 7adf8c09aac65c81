"""Neuron pruning of a random two-layer network, as a subset sum that is decided exactly.

A neuron may be kept as it is or removed. Kept neurons S approximate the target relu(<w*, x>),
|w*| = 1, to epsilon on the ball of radius R when sup |g_S - f| <= epsilon (Definition 1 of
"Structured vs. Unstructured Pruning: An Exponential Gap"). The law of g is rotation invariant, so
the target is e_1 without loss. Everything is positively homogeneous: the error on the ball of
radius R is R times the error on the unit ball, and the functions here work with the latter.

At every point x of the unit sphere the error of S is a subset sum, so each test point is a
coordinate of a vector subset sum. A subset within tolerance must pass them all; one that passes is
decided by the exact supremum over the ball. Nothing is sampled: for subsets of at most `max_kept`
neurons the decision is exact up to float32 rounding, which is bounded and counted as undecided.
Few kept neurons are searched as pairs against pairs, any number of them by branch and bound.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

from lottery_jax.core import keys
from lottery_jax.geometry.networks import Output, TwoLayerNetwork, signed_vectors
from lottery_jax.geometry.relu_sums import rounding_bound, sup_on_sphere
from lottery_jax.subset_sum.branch_and_bound import MaskVisitor, fold_all_subsets
from lottery_jax.subset_sum.fold_subsets import Visitor, Window, fold_subsets

FEW = 4  # neurons; more than that are searched by branch and bound
_HANDED = 16  # masks that get their exact error at a time


class Match(NamedTuple):
    """The best subset of at most `max_kept` neurons, if one lies within the tolerance."""

    subset: Int[Array, " kept"]  # ascending neuron numbers, filled up with N
    error_low: Float[Array, ""]  # no subset has a smaller error on the unit ball; inf if none near
    error: Float[Array, ""]  # the error of this subset is not larger; inf if none is near


class FirstMatch(NamedTuple):
    """How many leading neurons are needed before a subset of them is within the tolerance."""

    certain: Int[Array, ""]  # enough for certain; N + 1 if all are not
    possible: Int[Array, ""]  # fewer are certainly not enough


def target(dim: int) -> Float[Array, " dim"]:
    """The weight of the target neuron, e_1."""
    return jnp.zeros((dim,), jnp.float32).at[0].set(1)


def draw(key: Key[Array, ""], *, dim: int, num_neurons: int) -> TwoLayerNetwork:
    """A random network, all weights N(0, 1); its first n neurons are the same for every width."""

    def neuron(key: Key[Array, ""]) -> Float[Array, " weight"]:
        return jax.random.normal(key, (dim + 1,), jnp.float32)

    weights = jax.vmap(neuron)(keys.items(key, num_neurons))
    return TwoLayerNetwork(hidden=weights[:, :dim], output=weights[:, dim])


def search(
    network: TwoLayerNetwork,
    num_neurons: Int[Array, ""],
    *,
    least: Float[Array, ""],
    most: Float[Array, ""],
    max_kept: int,
    output: Output,
) -> Match:
    """The best subset of the first `num_neurons` neurons, if its error is at most `most`.

    The tolerance starts at `least` and doubles until a subset is found or `most` is reached, so
    that no more of the list is searched than the answer needs. A subset within `least` ends the
    search at once: it may then not be the very best.
    """
    num_all = network.output.shape[0]
    problem = _problem(network, max_kept, output)

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
            num_neurons,
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
    network: TwoLayerNetwork,
    num_neurons: Int[Array, ""],
    *,
    tolerance: Float[Array, ""],
    max_kept: int,
    output: Output,
) -> FirstMatch:
    """How many leading neurons it takes, up to `num_neurons`, to come within the tolerance.

    One search finds every subset within the tolerance; the one whose highest neuron is lowest
    decides the success of all widths at once. Where there would be too many subsets to visit, as
    with any number of kept neurons, decide width after width instead (`decide`).
    """
    problem = _problem(network, max_kept, output)

    def visit(first: FirstMatch, subsets, is_subset) -> FirstMatch:
        low, high = problem.errors(subsets, is_subset)
        is_member = subsets < network.output.shape[0]
        needed = jnp.max(jnp.where(is_member, subsets + 1, 0), axis=1)
        never = num_neurons + 1
        certain = jnp.where(high <= tolerance, needed, never)
        possible = jnp.where(low <= tolerance, needed, never)
        return FirstMatch(
            certain=jnp.minimum(first.certain, jnp.min(certain)),
            possible=jnp.minimum(first.possible, jnp.min(possible)),
        )

    first, is_cut_off = problem.fold(
        num_neurons,
        FirstMatch(num_neurons + 1, num_neurons + 1),
        tolerance=lambda _: tolerance,
        visit=visit,
        is_done=lambda _: jnp.array(False),
    )
    return first._replace(possible=jnp.where(is_cut_off, 0, first.possible))


def decide(
    network: TwoLayerNetwork,
    num_neurons: Int[Array, ""],
    *,
    tolerance: Float[Array, ""],
    max_kept: int,
    output: Output,
) -> tuple[Bool[Array, ""], Bool[Array, ""]]:
    """Whether a subset of the first `num_neurons` neurons is certainly, or possibly, within the
    tolerance. The search ends at the first that certainly is.
    """
    problem = _problem(network, max_kept, output)

    def visit(found, subsets, is_subset):
        low, high = problem.errors(subsets, is_subset)
        return found[0] | jnp.any(high <= tolerance), found[1] | jnp.any(low <= tolerance)

    (is_certain, is_possible), is_cut_off = problem.fold(
        num_neurons,
        (jnp.array(False), jnp.array(False)),
        tolerance=lambda _: tolerance,
        visit=visit,
        is_done=lambda found: found[0],
    )
    return is_certain, is_certain | is_possible | is_cut_off


def lift(network: TwoLayerNetwork, match: Match) -> TwoLayerNetwork:
    """The pruned network: the output weights of the neurons that are not kept become zero."""
    is_kept = jnp.zeros(network.output.shape, bool).at[match.subset].set(True, mode="drop")
    return network._replace(output=jnp.where(is_kept, network.output, 0))


def audit(pruned: TwoLayerNetwork, *, max_kept: int, output: Output) -> Float[Array, ""]:
    """The error on the unit ball, recomputed from the weights of the pruned network alone."""
    order = jnp.argsort(pruned.output == 0, stable=True)[:max_kept]
    kept = TwoLayerNetwork(pruned.hidden[order], pruned.output[order])
    signs, vectors = signed_vectors(kept)
    return sup_on_sphere(signs, vectors, target(kept.hidden.shape[1]), output=output)


class _Problem:
    """The vector subset sum of one network: coordinates, box, full test and exact error."""

    def __init__(self, network: TwoLayerNetwork, max_kept: int, output: Output):
        dim = network.hidden.shape[1]
        points = probe_points(dim)
        heights = jnp.asarray(np.maximum(points[:, 0], 0), jnp.float32)
        # In full precision also where the default product of an accelerator rounds its factors.
        products = jnp.matmul(
            network.hidden, jnp.asarray(points, jnp.float32).T, precision=lax.Precision.HIGHEST
        )
        values = jnp.maximum(products, 0)
        self.items, self.heights = network.output[:, None] * values, heights
        self.max_kept, self.output, self.target = max_kept, output, target(dim)
        self.signs, self.vectors = signed_vectors(network)

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
            return sup_on_sphere(signs, vectors, self.target, output=self.output)

        error = jax.vmap(exact)(signs, vectors)
        band = jax.vmap(rounding_bound, in_axes=(0, None))(vectors, self.target)
        low = jnp.where(is_subset, error - band, jnp.inf)
        return low, jnp.where(is_subset, error + band, jnp.inf)


class _FewKept(_Problem):
    """Subsets are lists of ascending neuron numbers, filled up with N."""

    def fold(self, num_neurons, state, *, tolerance, visit, is_done):
        visitor = Visitor(
            window=lambda state: self.window(tolerance(state)),
            accept=lambda state, sums: self.accepts(tolerance(state), sums),
            visit=visit,
            is_done=is_done,
        )
        folded = fold_subsets(self.items, num_neurons, state, visitor, max_kept=self.max_kept)
        return folded, jnp.array(False)

    def errors(self, subsets: Int[Array, "batch kept"], is_subset: Bool[Array, " batch"]):
        signs = jnp.pad(self.signs, (0, 1))[subsets]
        vectors = jnp.pad(self.vectors, ((0, 1), (0, 0)))[subsets]
        return self.bounds(signs, vectors, is_subset)

    def numbers(self, subset: Int[Array, " kept"]) -> Int[Array, " kept"]:
        return subset


class _AnyKept(_Problem):
    """Subsets are masks."""

    def fold(self, num_neurons, state, *, tolerance, visit, is_done):
        visitor = MaskVisitor(
            window=lambda state: self.window(tolerance(state)),
            accept=lambda state, sums: self.accepts(tolerance(state), sums),
            visit=lambda state, masks, _, is_found: visit(state, masks, is_found),
            is_done=is_done,
        )
        folded, effort = fold_all_subsets(
            self.items[None],
            num_neurons[None],
            jax.tree.map(lambda leaf: leaf[None], state),
            visitor,
            max_kept=self.max_kept,
            handed=_HANDED,
        )
        return jax.tree.map(lambda leaf: leaf[0], folded), effort.is_cut_off[0]

    def errors(self, masks: Bool[Array, "batch neuron"], is_subset: Bool[Array, " batch"]):
        signs = jnp.where(masks, self.signs[None], 0)
        vectors = jnp.where(masks[:, :, None], self.vectors[None], 0)
        return self.bounds(signs, vectors, is_subset)

    def numbers(self, mask: Bool[Array, " neuron"]) -> Int[Array, " kept"]:
        number = jnp.arange(mask.shape[0], dtype=jnp.int32)
        ascending = jnp.sort(jnp.where(mask, number, mask.shape[0]))
        return jnp.pad(
            ascending, (0, max(0, self.max_kept - len(mask))), constant_values=len(mask)
        )[: self.max_kept]


def _problem(network: TwoLayerNetwork, max_kept: int, output: Output) -> _FewKept | _AnyKept:
    return (_FewKept if max_kept <= FEW else _AnyKept)(network, max_kept, output)


@functools.cache
def probe_points(dim: int) -> np.ndarray:
    """Points of the unit sphere at which every candidate is tested.

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
