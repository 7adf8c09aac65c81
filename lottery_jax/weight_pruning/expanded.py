"""The random networks that contain a dense ReLU network, weight by weight, drawn block by block.

"independent" is the network of Pensia et al. (2020, Theorem 1). The target is
f(x) = W_l relu(... relu(W_1 x)) with widths d_0, ..., d_l; the random network has twice the depth,
and its weights are independent. Layer i becomes two: M_{2i-1} with 2 n d_{i-1} hidden neurons and
all their d_{i-1} inputs, a ReLU, and M_{2i} from all of them to the d_i outputs. 2 n neurons serve
each input coordinate and keep no other input weight; u is the one they keep. Those with u > 0 act
on the positive part of the input and those with u < 0 on the negative part, so that a weight w is
two subset sums over kept output weights v: sum of v u near w, and sum of v |u| near -w. Items of
different weights share at most u. The theorem has n = C log(d_{i-1} d_i l / min(ε, δ)) and weights
uniform on [-1, 1], and compares whole outputs; here n is given, and every weight is compared.

"pool" follows their first experiment: n random numbers are drawn once, and every weight of every
layer is a subset sum of them. As a network: n parallel edges in place of each weight, which carry
the same n numbers everywhere. These weights are not independent, and no theorem covers them.

Any neuron can be drawn alone: stream -> layer -> input it serves -> neuron -> all its weights. So
the draws do not depend on chunks or devices, and n neurons are the first n of more.
"""

import functools
import hashlib
from typing import NamedTuple

import jax
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, PRNGKeyArray, UInt32

from lottery_jax.core import keys, laws

CONSTRUCTIONS = ("independent", "pool")
LAWS = ("uniform", "product_normal")
MAX_ITEMS = {"independent": 128, "pool": 26}
BLOCK = 16  # inputs drawn together


class RandomNetwork(NamedTuple):
    """Everything that fixes a random network; its weights follow from it."""

    construction: str  # "independent" or "pool"
    law: str  # "uniform" on [-1, 1], or "product_normal": items are products of two N(0, 1)
    num_items: int  # n: of "pool" for each weight; of "independent" about that many for each sum
    widths: tuple[int, ...]  # of the target: input, hidden layers, output
    key: PRNGKeyArray  # its stream

    @property
    def num_edges(self) -> int:
        """Hidden neurons (independent) or parallel edges (pool) that serve one input."""
        return self.num_items * (2 if self.construction == "independent" else 1)

    @property
    def num_layers(self) -> int:
        """Layers of the target."""
        return len(self.widths) - 1

    @property
    def num_weights(self) -> int:
        """Weights before pruning, those that no mask of the construction keeps included."""
        layers = zip(self.widths[:-1], self.widths[1:], strict=True)
        if self.construction == "pool":
            return sum(self.num_edges * inputs * outputs for inputs, outputs in layers)
        return sum(self.num_edges * inputs * (inputs + outputs) for inputs, outputs in layers)


class Block(NamedTuple):
    """All weights of the neurons, or the parallel edges, that serve some inputs of a layer."""

    hidden: Float32[np.ndarray, "served edge input"]  # 1 for a parallel edge and its own input
    output: Float32[np.ndarray, "served edge output"]

    def own(self, inputs: range) -> Float32[np.ndarray, "served edge"]:
        """The one input weight of each neuron that may be kept; `inputs` are those served."""
        return self.hidden[np.arange(len(inputs)), :, np.asarray(inputs)]


def random_network(
    key: PRNGKeyArray, widths: tuple[int, ...], *, construction: str, law: str, num_items: int
) -> RandomNetwork:
    """A random network that can be pruned to a target of these widths.

    Parameters
    ----------
    law
        Of the random weights: "uniform" on [-1, 1], or "product_normal", which is N(0, 1) weights
        for "independent", whose items are products, and products of two of them for "pool".
    num_items
        1 to 128 for "independent", 1 to 26 for "pool".

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Notes
    -----
    The weights of "independent" are rounded to 12 significant bits, so that the product of two is
    exact in float32 and the sums searched are those of the network.

    Examples
    --------
    >>> wide = dict(construction="independent", law="uniform", num_items=40)
    >>> random_network(keys.root(0), (784, 500, 10), **wide).num_weights
    100932480
    """
    keys.check_key(key)
    for name, value, choices in (
        ("construction", construction, CONSTRUCTIONS),
        ("law", law, LAWS),
    ):
        if value not in choices:
            raise ValueError(f"{name}={value!r} must be one of {', '.join(choices)}")
    most = MAX_ITEMS[construction]
    is_integer = isinstance(num_items, int) and not isinstance(num_items, bool)
    if not is_integer or not 1 <= num_items <= most:
        raise ValueError(f"{num_items=} must be an integer from 1 to {most} for {construction=}")
    name = hashlib.sha256(f"network {construction} {law}".encode()).hexdigest()[:16]
    return RandomNetwork(construction, law, num_items, tuple(widths), keys.stream(key, name))


def pool(network: RandomNetwork) -> Float32[np.ndarray, " item"]:
    """The numbers that all weights of a "pool" network share."""
    sample = laws.law(network.law).sample
    items = jax.vmap(lambda key: sample(key, ()))(keys.items(network.key, network.num_items))
    return np.asarray(items)


def draw_block(network: RandomNetwork, layer: int, inputs: range) -> Block:
    """The weights of all neurons that serve these inputs of a layer (from 0).

    Memory: 4 bytes for each; a few inputs at a time.
    """
    width, outputs = network.widths[layer : layer + 2]
    if network.construction == "pool":
        shape = (len(inputs), network.num_items)
        hidden = np.broadcast_to(np.eye(width, dtype=np.float32)[inputs, None], (*shape, width))
        return Block(hidden, np.broadcast_to(pool(network)[None, :, None], (*shape, outputs)))
    # Filled up to a multiple, so that few programs serve all ranges.
    served = np.pad(np.asarray(inputs, np.uint32), (0, -len(inputs) % BLOCK), mode="edge")
    law = "uniform" if network.law == "uniform" else "normal"
    key = keys.chunk(network.key, layer)
    drawn = np.asarray(_draw(key, served, law, network.num_edges, width + outputs))[: len(inputs)]
    return Block(drawn[..., :width], drawn[..., width:])


@functools.partial(jax.jit, static_argnames=("law", "num_edges", "size"))
def _draw(key, served: UInt32[Array, " served"], law: str, num_edges: int, size: int):
    """All weights of each neuron, in one row."""

    def neuron(key):
        sample = laws.law(law).sample(key, (size,))
        return lax.reduce_precision(sample, exponent_bits=8, mantissa_bits=11)

    return jax.vmap(lambda number: jax.vmap(neuron)(keys.items(keys.lane(key, number), num_edges)))(
        served
    )
