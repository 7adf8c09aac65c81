"""The first layer after one gradient step that erases where it started, for many masks at once.

A network of 2 m ReLU neurons, a_j relu(<w_j, x> + b_j) summed over j, starts symmetric: neuron
2 m + 1 - j has the weights and the bias of neuron j and the opposite sign a, so that the output is
0 and the residual is the target. w_j is uniform on the unit sphere of the inputs that a mask keeps,
b_j is normal and a_j is a sign. A step with weight decay 1/eta erases w_j and leaves

    w_j = eta a_j mean( y phi'(<w_j, x> + b_j) x ) on the kept inputs,

whose partner is -w_j. eta is chosen such that the median length of the w_j is 1: the rate that the
paper states for several indices contradicts its own bound. All masks see the same rows and start
from the same signs, biases and normal vectors, so that their differences are paired.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from lottery_jax.core import keys, laws
from lottery_jax.sparse_features import data
from lottery_jax.sparse_features.data import EXACT


class Start(NamedTuple):
    """One neuron of each symmetric pair."""

    weights: Float[Array, "mask pair input"]  # of length 1; 0 where a mask keeps nothing
    biases: Float[Array, " pair"]
    signs: Float[Array, " pair"]


def start(key: Key[Array, ""], masks: Bool[Array, "mask input"], *, num_pairs: int) -> Start:
    """A symmetric start; the first pairs do not depend on the number of pairs.

    Examples
    --------
    >>> from lottery_jax.core import root
    >>> masks = jnp.array([[True, True, False]])
    >>> start(root(0), masks, num_pairs=4).weights[0, :, 2].tolist()
    [0.0, 0.0, 0.0, 0.0]
    """

    def pair(key):
        normals = jax.random.normal(keys.lane(key, 0), (masks.shape[1] + 1,), jnp.float32)
        sign = laws.signs(keys.lane(key, 1), ())
        return normals[:-1], normals[-1], sign

    normals, biases, signs = jax.vmap(pair)(keys.items(key, num_pairs))
    return Start(_unit(jnp.where(masks[:, None], normals[None], 0)), biases, signs)


def linear_part(
    source: data.Source,
    first: Int[Array, ""],
    last: Int[Array, ""],
    masks: Bool[Array, "mask input"],
) -> Float[Array, "mask input"]:
    """The mean of y x over rows `first` to `last` - 1, on the kept inputs."""

    def add(sums, inputs, targets, is_used):
        used = jnp.where(is_used, targets, jnp.float32(0))
        return sums + jnp.matmul(used, inputs, precision=EXACT)

    sums = data.fold(source, first, last, add, jnp.zeros(source.dim, jnp.float32))
    return jnp.where(masks, sums / _count(first, last), 0)


def step(
    source: data.Source,
    first: Int[Array, ""],
    last: Int[Array, ""],
    masks: Bool[Array, "mask input"],
    begin: Start,
    linear: Float[Array, "mask input"] | None = None,
) -> Float[Array, "mask pair input"]:
    """The weights after the step on rows `first` to `last` - 1.

    Parameters
    ----------
    linear
        A linear function of the inputs for each mask, subtracted from the targets.

    Notes
    -----
    Cost: 4 m d operations for each row and mask, with m pairs and d inputs.
    """
    num_masks, num_pairs, dim = begin.weights.shape
    flat = begin.weights.reshape(-1, dim)

    def add(sums, inputs, targets, is_used):
        residuals = targets[:, None]
        if linear is not None:
            residuals = residuals - jnp.matmul(inputs, linear.T, precision=EXACT)
        residuals = jnp.where(is_used[:, None], residuals, 0)[:, :, None]
        before = jnp.matmul(inputs, flat.T, precision=EXACT).reshape(-1, num_masks, num_pairs)
        slopes = jnp.where(before + begin.biases[None, None] > 0, residuals, 0)
        return sums + jnp.matmul(slopes.reshape(len(inputs), -1).T, inputs, precision=EXACT)

    sums = data.fold(source, first, last, add, jnp.zeros_like(flat))
    gradients = sums.reshape(begin.weights.shape) / _count(first, last)
    moved = jnp.where(masks[:, None], begin.signs[None, :, None] * gradients, 0)
    return moved / _or_one(jnp.median(_lengths(moved), axis=1, keepdims=True))


def features(
    weights: Float[Array, "mask pair input"],
    biases: Float[Array, " neuron"],
    inputs: Float[Array, "row input"],
) -> Float[Array, "row mask neuron"]:
    """relu(<w_j, x> + b_j) of all neurons: those with weights `weights`, then their partners.

    Partners have opposite weights and biases of their own.
    """
    num_masks, num_pairs, dim = weights.shape
    along = jnp.matmul(inputs, weights.reshape(-1, dim).T, precision=EXACT)
    along = along.reshape(-1, num_masks, num_pairs)
    return jax.nn.relu(jnp.concatenate([along, -along], axis=2) + biases[None, None])


def _count(first, last) -> Float[Array, ""]:
    return jnp.maximum(last - first, 1).astype(jnp.float32)


def _unit(vectors):
    return vectors / _or_one(_lengths(vectors))


def _lengths(vectors):
    return jnp.sqrt(jnp.sum(jnp.square(vectors), axis=-1, keepdims=True))


def _or_one(lengths):
    """Vectors of length 0 stay what they are."""
    return jnp.where(lengths > 0, lengths, 1)
