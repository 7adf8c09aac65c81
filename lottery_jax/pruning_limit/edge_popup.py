"""Edge-popup: a good subnetwork of an untrained network, found by training scores for its weights.

Ramanujan et al. (2020): every weight has a score; the network computes with the weights of highest
|score| in each layer, and the gradient goes straight through that choice to the scores. The weights
themselves never change. They are of constant size in a layer, with the signs of the usual start,
and of the size that keeps the variance when only the kept part of the layer is there ("signed
constant", "scaled").
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int32, PRNGKeyArray, PyTree

from lottery_jax import training
from lottery_jax.core import keys
from lottery_jax.core.leaves import Leaves
from lottery_jax.pruning_limit import at_start, lanes, ratios
from lottery_jax.pruning_limit.lanes import Pruned, Task
from lottery_jax.training.interface import Network

RATE = 0.1  # of the scores, as in the paper


class Untrained(NamedTuple):
    """What the scores are trained with, and training leaves as it is."""

    params: PyTree  # the weights
    counts: Int32[Array, " layer"]  # how many each layer loses
    state: PyTree  # averages of batch normalisation, which do change


class Scored(NamedTuple):
    """A network as a function of its scores, for `training`."""

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    init: Callable[..., Any]
    apply: Callable[..., Any]


def edge_popup(task: Task) -> Pruned:
    """Untrained networks with the kept weights that trained scores choose, and nothing trained.

    Each layer loses the same part. Parameters that are not prunable stay as they start.

    Notes
    -----
    Cost: one training run, with a selection of the largest scores at every step.
    """
    counts = jnp.asarray(at_start.counts_by_layer(task, ratios.equal_counts))
    recipe = task.recipe._replace(l1=0.0, learning_rate=RATE)
    scores, untrained, losses = _train(
        *(task.keys, counts, task.images, task.labels),
        model=task.model,
        recipe=recipe,
        leaves=task.leaves,
    )
    if not np.isfinite(np.asarray(losses)).all():
        raise FloatingPointError(f"scores did not stay finite; lower edge_popup.RATE={RATE}")
    kept = _keep(scores, counts, leaves=task.leaves)
    params = lanes.prune(task, untrained.params, kept)
    epochs = np.full(len(counts), float(recipe.epochs))
    return Pruned(params, untrained.state, kept, epochs)


def signed_constant(params: PyTree, counts: Int[Array, " layer"], *, leaves: Leaves) -> PyTree:
    """The prunable weights with their signs, in every layer of the size sqrt(2 / kept inputs).

    Kept inputs are those of one output, on average, after `counts` weights are removed.

    Examples
    --------
    >>> from lottery_jax.core.leaves import choose_leaves
    >>> params = {"kernel": jnp.array([[0.1], [-3.0], [2.0], [-0.2]])}
    >>> leaves = choose_leaves(params)
    >>> signed_constant(params, jnp.array([2]), leaves=leaves)["kernel"].ravel().tolist()
    [1.0, -1.0, 1.0, -1.0]
    """
    sizes = []
    for layer, (shape, (start, stop)) in enumerate(zip(leaves.shapes, leaves.bounds, strict=True)):
        num_inputs, num_weights = math.prod(shape[:-1]), np.float32(stop - start)
        part = (num_weights - counts[layer].astype(jnp.float32)) / num_weights
        # Without a kept weight the size does not matter.
        size = jnp.sqrt(2 / (num_inputs * jnp.maximum(part, 1 / num_weights)))
        sizes.append(jnp.broadcast_to(size, stop - start))
    signs = jnp.where(leaves.vector(params) < 0, np.float32(-1), np.float32(1))
    return leaves.replace(params, signs * jnp.concatenate(sizes))


@functools.cache  # one object for equal settings, and so one compilation
def scored(model: Network, leaves: Leaves) -> Scored:
    """The network whose parameters are scores; what it computes with is in its state."""

    def init(key: PRNGKeyArray):
        params, state = model.init(key)
        # As in the paper: uniform, below one over the root of the inputs.
        limits = [
            jnp.full(stop - start, 1 / math.sqrt(math.prod(shape[:-1])), jnp.float32)
            for shape, (start, stop) in zip(leaves.shapes, leaves.bounds, strict=True)
        ]
        draws = jax.random.uniform(
            keys.chunk(key, 2), (leaves.size,), jnp.float32, np.float32(-1), np.float32(1)
        )
        nothing = jnp.zeros(len(leaves.bounds), jnp.int32)
        return {"scores": draws * jnp.concatenate(limits)}, Untrained(params, nothing, state)

    def apply(params, state, images, is_training):
        magnitudes = jnp.abs(params["scores"])
        parts = [
            _largest(lax.stop_gradient(magnitudes[start:stop]), state.counts[layer])
            for layer, (start, stop) in enumerate(leaves.bounds)
        ]
        chosen = _straight_through(magnitudes, jnp.concatenate(parts).astype(jnp.float32))
        weights = leaves.vector(state.params) * chosen
        logits, averages = model.apply(
            leaves.replace(state.params, weights), state.state, images, is_training
        )
        return logits, state._replace(state=averages)

    return Scored(f"scores of {model.name}", model.input_shape, model.num_classes, init, apply)


@jax.custom_jvp
def _straight_through(magnitudes, chosen):
    """What is chosen; its gradient is that of the magnitudes."""
    return chosen


@_straight_through.defjvp
def _straight_through_jvp(primals, tangents):
    return primals[1], tangents[0]


def _largest(
    magnitudes: Float[Array, " weight"], num_removed: Int[Array, ""]
) -> Bool[Array, " weight"]:
    """The largest by bisection on their bits, several times faster than by sorting on a CPU.

    All of the weights that tie at the threshold are kept.
    """
    # The bits of floats that are not negative, read as integers, have the order of the floats.
    bits = lax.bitcast_convert_type(magnitudes, jnp.int32)

    def body(step, below):
        trial = below + (jnp.int32(1) << (30 - step))
        num_below = jnp.sum(bits < trial, dtype=jnp.int32)
        return jnp.where(num_below <= num_removed, trial, below)

    return bits >= lax.fori_loop(0, 31, body, jnp.int32(0))


@functools.partial(jax.jit, static_argnames=("model", "recipe", "leaves"))
def _train(seeds, counts, images, labels, *, model, recipe, leaves):
    network = scored(model, leaves)
    run = training.epoch(network, recipe)

    def of_one(counts, key):
        start = training.start(key, network, recipe)
        params = signed_constant(start.state.params, counts, leaves=leaves)
        start = start._replace(state=start.state._replace(params=params, counts=counts))

        def body(_, carry):
            return run(carry[0], images, labels)

        end, loss = lax.fori_loop(0, recipe.epochs, body, (start, jnp.float32(0)))
        return end.params["scores"], end.state, loss

    num_sparsities, num_seeds = len(counts), len(seeds)
    flat = jax.vmap(of_one)(
        jnp.repeat(counts, num_seeds, axis=0), lanes.repeat(seeds, num_sparsities)
    )
    return lanes.spread(flat, num_sparsities)


@functools.partial(jax.jit, static_argnames=("leaves",))
def _keep(scores, counts, *, leaves):
    def of_one(scores, counts):
        return ratios.keep_counts(jnp.abs(scores), leaves.bounds, counts)

    return jax.vmap(jax.vmap(of_one, (0, None)))(scores, counts)
