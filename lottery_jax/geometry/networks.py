"""Two-layer ReLU networks without biases, the object that every topic prunes.

g(x) = sum_i output_i relu(<hidden_i, x>), with one more ReLU after the sum where a topic says
output="relu". A pruned weight is a zero; a pruned neuron has a zero output weight.
"""

from typing import Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

Output = Literal["linear", "relu"]
OUTPUTS = ("linear", "relu")


class TwoLayerNetwork(NamedTuple):
    """Weights of g(x) = sum_i output_i relu(<hidden_i, x>)."""

    hidden: Float[Array, "neuron dim"]
    output: Float[Array, " neuron"]


def evaluate(
    network: TwoLayerNetwork, points: Float[Array, "point dim"], *, output: Output = "linear"
) -> Float[Array, " point"]:
    """The value of the network at each point, with a ReLU after the sum for output="relu".

    Examples
    --------
    >>> network = TwoLayerNetwork(hidden=jnp.eye(2), output=jnp.array([1.0, -1.0]))
    >>> evaluate(network, jnp.array([[3.0, 1.0], [-3.0, 1.0]])).tolist()
    [2.0, -1.0]
    """
    hidden = jnp.maximum(jnp.matmul(points, network.hidden.T, precision="highest"), 0)
    total = jnp.matmul(hidden, network.output, precision="highest")
    return jnp.maximum(total, 0) if output == "relu" else total


def signed_vectors(
    network: TwoLayerNetwork,
) -> tuple[Float[Array, " neuron"], Float[Array, "neuron dim"]]:
    """Each neuron as a sign s and a vector u with s relu(<u, x>) = output relu(<hidden, x>)."""
    return jnp.sign(network.output), jnp.abs(network.output)[:, None] * network.hidden
