"""Neuron pruning of a random two-layer network, as a subset sum that is decided exactly.

A neuron may be kept as it is or removed. Kept neurons S approximate the target relu(<w*, x>),
|w*| = 1, to epsilon on the ball of radius R when sup |g_S - f| <= epsilon (Definition 1 of
"Structured vs. Unstructured Pruning: An Exponential Gap"). The law of g is rotation invariant, so
the target is e_1 without loss. Everything is positively homogeneous: the error on the ball of
radius R is R times the error on the unit ball, and the functions here work with the latter.

The neurons are the units among which `unit_search` decides.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from lottery_jax import unit_search
from lottery_jax.core import keys
from lottery_jax.geometry.networks import Output, TwoLayerNetwork, signed_vectors
from lottery_jax.geometry.relu_sums import sup_on_sphere
from lottery_jax.unit_search import Match, Units


def target(dim: int) -> Float[Array, " dim"]:
    """The weight of the target neuron, e_1."""
    return jnp.zeros((dim,), jnp.float32).at[0].set(1)


def draw(key: Key[Array, ""], *, dim: int, num_neurons: int) -> TwoLayerNetwork:
    """A random network, all weights N(0, 1); its first n neurons are the same for every width."""

    def neuron(key: Key[Array, ""]) -> Float[Array, " weight"]:
        return jax.random.normal(key, (dim + 1,), jnp.float32)

    weights = jax.vmap(neuron)(keys.items(key, num_neurons))
    return TwoLayerNetwork(hidden=weights[:, :dim], output=weights[:, dim])


def units(network: TwoLayerNetwork) -> Units:
    """Every neuron as a unit, and the target."""
    signs, vectors = signed_vectors(network)
    return Units(signs, vectors, target(network.hidden.shape[1]))


def search(
    network: TwoLayerNetwork,
    num_neurons: Int[Array, ""],
    *,
    least: Float[Array, ""],
    most: Float[Array, ""],
    max_kept: int,
    output: Output,
) -> Match:
    """The best subset of the first `num_neurons` neurons; see `unit_search.search`."""
    return unit_search.search(
        units(network), num_neurons, least=least, most=most, max_kept=max_kept, output=output
    )


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
