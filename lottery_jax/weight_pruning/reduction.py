"""Weight pruning of a random two-layer network, decided through scalar subset sums.

Pensia et al. (2020, "Optimal lottery tickets via subset sum") build relu(<w*, x>) from relu(sum_j
v_j relu(<u_j, x>)) by removing weights. Hidden neuron j serves coordinate i = j mod d and keeps no
other input weight. The neurons with u_ji > 0 act where x_i > 0 and must contribute w*_i x_i; those
with u_ji < 0 act where x_i < 0, and must again contribute w*_i x_i. Removing neurons from each
group leaves 2 d independent subset sums: sum of kept v_j |u_ji| near w*_i, and near -w*_i.

With errors p_i and q_i of these sums, the network before its last ReLU differs from <w*, x> by at
most sqrt(sum_i max(|p_i|, |q_i|)^2) on the unit ball, and the last ReLU does not increase that.
This is the criterion; radius R multiplies it. It may exceed the true error of the pruned network:
p_i and q_i of one sign at one x can be smaller than those of the other, and the ReLU hides errors
where both sides are negative. The nearest subset sums minimise it exactly over all masks of this
construction. So what is counted, "some mask of the construction has criterion <= ε", implies that
weight pruning succeeds: its probability is a lower bound, and the widths found are upper bounds.

The target's weight is uniform on the sphere. Weight pruning is not rotation invariant: for w* = e_1
the empty subset would solve every other coordinate. Weights are N(0, 1) rounded to 12 significant
bits, which makes the product of two of them exact in float32 and the decisions those of the very
network that is returned.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Key

from lottery_jax.core import keys
from lottery_jax.geometry.networks import TwoLayerNetwork
from lottery_jax.subset_sum.meet_in_the_middle import nearest_sum
from lottery_jax.subset_sum.problem import Match

MAX_ITEMS = 28  # of one subset sum: more would be nearer than its 28-bit integers can tell
NEVER = 2**31 - 1  # arrives after every width


class Instance(NamedTuple):
    """A random network and its target; hidden neuron j has one input weight, to j mod dim."""

    hidden: Float[Array, " neuron"]
    output: Float[Array, " neuron"]
    target: Float[Array, " dim"]  # of unit length


class SubsetSums(NamedTuple):
    """The subset sums of an instance; number 2 i + s serves coordinate i on x_i > 0 (s = 0) or
    x_i < 0 (s = 1).
    """

    items: Float[Array, "sum item"]  # v |u| in the order of the neurons, then zeros
    target: Float[Array, " sum"]
    width: Int[Array, "sum item"]  # the smallest width that contains the item; NEVER in the padding
    full: Int[Array, " sum"]  # the smallest width with an item for which there was no room


def draw(key: Key[Array, ""], *, dim: int, num_neurons: int) -> Instance:
    """A random network and target; its first n neurons are the same for every number of neurons."""
    of_target, of_neurons = keys.items(key, 2)
    direction = jax.random.normal(of_target, (dim,), jnp.float32)
    weights = jax.vmap(lambda neuron: jax.random.normal(neuron, (2,), jnp.float32))(
        keys.items(of_neurons, num_neurons)
    )
    hidden, output = lax.reduce_precision(weights, exponent_bits=8, mantissa_bits=11).T
    return Instance(hidden, output, direction / jnp.linalg.norm(direction))


def subset_sums(instance: Instance) -> SubsetSums:
    """Sort the neurons into the subset sums they serve; each has room for MAX_ITEMS."""
    dim, num_neurons = instance.target.size, instance.hidden.size
    neuron = jnp.arange(num_neurons, dtype=jnp.int32)
    is_negative = instance.hidden < 0
    serves = 2 * (neuron % dim) + is_negative.astype(jnp.int32)
    sides = jnp.pad(jnp.stack([~is_negative, is_negative]), ((0, 0), (0, -num_neurons % dim)))
    seen = jnp.cumsum(sides.reshape(2, -1, dim), axis=1, dtype=jnp.int32).reshape(2, -1)
    place = jnp.where(is_negative, seen[1, :num_neurons], seen[0, :num_neurons]) - 1
    room = min(MAX_ITEMS, -(-num_neurons // dim))
    return SubsetSums(
        items=jnp.zeros((2 * dim, room), jnp.float32)
        .at[serves, place]
        .set(instance.output * jnp.abs(instance.hidden), mode="drop"),
        target=jnp.stack([instance.target, -instance.target], axis=1).reshape(-1),
        width=jnp.full((2 * dim, room), NEVER, jnp.int32)
        .at[serves, place]
        .set(neuron + 1, mode="drop"),
        full=jnp.full(2 * dim, NEVER, jnp.int32)
        .at[serves]
        .min(jnp.where(place < room, NEVER, neuron + 1)),
    )


def search(
    instance: Instance, num_neurons: Int[Array, ""], *, goal: Float[Array, ""] | float = 0.0
) -> Match:
    """The nearest subset of each of the 2 dim sums, among the first `num_neurons` neurons.

    Parameters
    ----------
    num_neurons
        Traced, so that a sweep over widths compiles once.
    goal
        A sum is not searched further than an error of at most `goal` among its first few items; its
        `error_low` is then 0. With goal 0 every sum is searched to the end.

    Returns
    -------
    Match
        Every field with a leading axis "sum".
    """
    sums = subset_sums(instance)
    num_items = jnp.sum(sums.width <= num_neurons, axis=1, dtype=jnp.int32)

    def solve(sum_):
        items, target, number, full = sum_

        def deepen(carry):
            tried = jnp.minimum(jnp.maximum(carry[0] + 4, 8), number)
            match = nearest_sum(items, target, num_items=tried)
            is_all = (tried == number) & (full > num_neurons)
            low = jnp.where(is_all, match.error_low, 0)
            return tried, match._replace(error_low=low, is_exact=match.is_exact & is_all)

        def is_open(carry):
            return (carry[0] < number) & (carry[1].error > goal)

        nothing = jnp.zeros(items.shape, bool)
        untried = Match(nothing, jnp.float32(jnp.inf), jnp.float32(0), jnp.array(False))
        return lax.while_loop(is_open, deepen, (jnp.int32(-1), untried))[1]

    return lax.map(solve, (sums.items, sums.target, num_items, sums.full))


def criterion(errors: Float[Array, " sum"]) -> Float[Array, ""]:
    """sqrt(sum_i max(|p_i|, |q_i|)^2) from the errors of the 2 dim sums: on the unit ball, no less
    than the error of the pruned network.
    """
    return jnp.linalg.norm(jnp.max(jnp.abs(errors).reshape(-1, 2), axis=1))


def rounding_bound(dim: int) -> float:
    """The relative error of `criterion`, division by the radius included, is not larger."""
    return (dim + 16) * 2.0**-24


def lift(instance: Instance, match: Match) -> TwoLayerNetwork:
    """The pruned network: every weight that is not kept is a zero."""
    num_neurons, dim = instance.hidden.size, instance.target.size
    neuron = subset_sums(instance).width - 1
    is_kept = jnp.zeros(num_neurons, bool).at[neuron].max(match.mask, mode="drop")
    serves = jnp.arange(num_neurons, dtype=jnp.int32) % dim
    is_edge = is_kept[:, None] & (serves[:, None] == jnp.arange(dim, dtype=jnp.int32)[None])
    hidden = jnp.where(is_edge, instance.hidden[:, None], 0)
    return TwoLayerNetwork(hidden, jnp.where(is_kept, instance.output, 0))


def audit(instance: Instance, network: TwoLayerNetwork) -> Float[Array, ""]:
    """The criterion, recomputed from the pruned network alone: its values before the last ReLU at
    the points ±e_i, which determine it where every neuron has one input weight.
    """
    dim = instance.target.size
    points = jnp.stack([jnp.eye(dim, dtype=jnp.float32), -jnp.eye(dim, dtype=jnp.float32)], axis=1)
    points = points.reshape(2 * dim, dim)
    hidden = jnp.maximum(jnp.matmul(points, network.hidden.T, precision="highest"), 0)
    values = jnp.matmul(hidden, network.output, precision="highest")
    return criterion(values - jnp.matmul(points, instance.target, precision="highest"))
