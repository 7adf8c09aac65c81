"""Weight pruning where few neurons stay: every masked version of every neuron on offer.

Of a neuron with weights w and output weight v, removing input weights leaves v relu(<m * w, x>)
for one of the 2^d - 1 masks m that keep something; removing its output weight leaves nothing. So
weight pruning of a two-layer network is the choice of at most one version of each neuron, and with
at most `max_kept` neurons left it is decided exactly by `unit_search`, with a linear output too,
where the construction of `reduction` does not apply.

With a linear output the target's kink has to be matched by versions with two weights or more, for
versions with one weight have their kinks on the axes. Its weight is uniform on the sphere: weight
pruning is not rotation invariant, and a target on an axis would need one neuron with one weight.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from lottery_jax import unit_search
from lottery_jax.core import keys
from lottery_jax.geometry.networks import Output, TwoLayerNetwork, signed_vectors
from lottery_jax.geometry.relu_sums import sup_on_sphere
from lottery_jax.unit_search import Match, Units


class Instance(NamedTuple):
    """A random network and its target."""

    network: TwoLayerNetwork
    target: Float[Array, " dim"]  # of unit length


def num_versions(dim: int) -> int:
    """Versions of a neuron that keep some of its input weights."""
    return 2**dim - 1


def draw(key: Key[Array, ""], *, dim: int, num_neurons: int) -> Instance:
    """Weights N(0, 1) and a uniform target; the first n neurons do not depend on their number."""
    of_target, of_neurons = keys.items(key, 2)
    direction = jax.random.normal(of_target, (dim,), jnp.float32)
    weights = jax.vmap(lambda neuron: jax.random.normal(neuron, (dim + 1,), jnp.float32))(
        keys.items(of_neurons, num_neurons)
    )
    network = TwoLayerNetwork(hidden=weights[:, :dim], output=weights[:, dim])
    return Instance(network, direction / jnp.linalg.norm(direction))


def units(instance: Instance) -> Units:
    """The versions of each neuron in turn, those of one neuron in one group."""
    num_neurons, dim = instance.network.hidden.shape
    versions = num_versions(dim)
    signs, vectors = signed_vectors(instance.network)
    masked = jnp.where(_masks(dim)[None], vectors[:, None], 0)
    return Units(
        signs=jnp.repeat(signs, versions),
        vectors=masked.reshape(num_neurons * versions, dim),
        target=instance.target,
        groups=jnp.repeat(jnp.arange(num_neurons, dtype=jnp.int32), versions),
    )


def search(
    instance: Instance,
    num_neurons: Int[Array, ""],
    *,
    least: Float[Array, ""],
    most: Float[Array, ""],
    max_kept: int,
    output: Output,
) -> Match:
    """The best choice among the first `num_neurons` neurons, in versions; see `unit_search`."""
    number = num_neurons * num_versions(instance.target.size)
    return unit_search.search(
        units(instance), number, least=least, most=most, max_kept=max_kept, output=output
    )


def lift(instance: Instance, match: Match) -> TwoLayerNetwork:
    """The pruned network: every weight that is not kept is a zero."""
    num_neurons, dim = instance.network.hidden.shape
    neuron, version = jnp.divmod(match.subset, jnp.int32(num_versions(dim)))
    masks = jnp.asarray(_masks(dim))[version]
    kept = jnp.zeros((num_neurons, dim), bool).at[neuron].set(masks, mode="drop")
    hidden = jnp.where(kept, instance.network.hidden, 0)
    return TwoLayerNetwork(hidden, jnp.where(kept.any(axis=1), instance.network.output, 0))


def audit(
    pruned: TwoLayerNetwork, target: Float[Array, " dim"], *, max_kept: int, output: Output
) -> Float[Array, ""]:
    """The error on the unit ball, recomputed from the weights of the pruned network alone."""
    order = jnp.argsort(pruned.output == 0, stable=True)[:max_kept]
    signs, vectors = signed_vectors(TwoLayerNetwork(pruned.hidden[order], pruned.output[order]))
    return sup_on_sphere(signs, vectors, target, output=output)


@functools.cache
def _masks(dim: int) -> np.ndarray:
    """The masks that keep something, one row each."""
    number = np.arange(1, 2**dim)
    return (number[:, None] >> np.arange(dim)) & 1 == 1
