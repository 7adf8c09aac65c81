"""Pruning before training: masks for the untrained network, which is then trained with them.

Every function here takes a task and gives the trained networks; they differ in the mask alone. The
scores see one batch, the first that training will see, and the network in training mode, as batch
normalisation has no averages yet. SynFlow sees no data, and the network in evaluation mode.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from lottery_jax.core import keys
from lottery_jax.pruning_limit import lanes, ratios, scores
from lottery_jax.pruning_limit.lanes import Pruned, Task
from lottery_jax.pruning_limit.magnitude import keep_global
from lottery_jax.training.epochs import order

Rule = Callable[[Sequence[int], int], np.ndarray]  # sizes, number removed -> by layer


def random_equal(task: Task) -> Pruned:
    """Random masks, the same part of every layer."""
    return _train(task, _random(task, ratios.equal_counts))


def random_smart(task: Task) -> Pruned:
    """Random masks with smart ratios (Su et al. 2020); see `ratios.smart_counts`."""
    return _train(task, _random(task, ratios.smart_counts))


def magnitude(task: Task) -> Pruned:
    """The largest weights before training: what a score must do better than."""
    return _train(task, _ranked(task, _magnitude_scores))


def snip(task: Task) -> Pruned:
    """The highest scores of SNIP (Lee et al. 2019); see `scores.snip`."""
    return _train(task, _ranked(task, _snip_scores))


def grasp(task: Task) -> Pruned:
    """The highest scores of GraSP (Wang et al. 2020); see `scores.grasp`."""
    return _train(task, _ranked(task, _grasp_scores))


def synflow(task: Task) -> Pruned:
    """What 100 rounds of SynFlow leave (Tanaka et al. 2020); see `scores.synflow`."""
    states = lanes.starts(task)
    return _train(task, _synflow(states, task.num_removed, model=task.model, leaves=task.leaves))


def counts_by_layer(task: Task, rule: Rule) -> np.ndarray:
    """How many weights each layer [sparsity, layer] loses by `ratios.equal_counts` or another rule.

    Rules are given the layers from input to output, and the result is in the order of the tree.
    """
    depths = ratios.depth_order(task.leaves.paths)
    sizes = [stop - start for start, stop in task.leaves.bounds]
    counts = np.zeros((len(task.sparsities), len(sizes)), np.int32)
    for row, number in zip(counts, task.num_removed, strict=True):
        row[depths] = rule([sizes[place] for place in depths], int(number))
    return counts


def _train(task: Task, kept: Bool[Array, "sparsity seed weight"]) -> Pruned:
    states = lanes.repeat(lanes.starts(task), len(task.sparsities))
    return lanes.train_sparse(task, states, kept, spent=0.0)


def _random(task: Task, rule: Rule) -> Bool[Array, "sparsity seed weight"]:
    """Nested masks: a seed has one random number for each weight."""
    counts = jnp.asarray(counts_by_layer(task, rule))
    return _keep_random(task.keys, counts, leaves=task.leaves)


def _ranked(task: Task, score) -> Bool[Array, "sparsity seed weight"]:
    """The highest scores of the whole network; nested too."""
    states = lanes.starts(task)
    found = score(
        *(states, task.images, task.labels),
        model=task.model,
        recipe=task.recipe,
        leaves=task.leaves,
    )
    return _keep_ranked(found, task.num_removed)


@functools.partial(jax.jit, static_argnames=("leaves",))
def _keep_random(seeds, counts, *, leaves):
    def of_one(counts, key):
        # Streams 0 and 1 of a seed are the start and the order of the images.
        numbers = jax.random.uniform(keys.chunk(key, 2), (leaves.size,), jnp.float32)
        return ratios.keep_counts(numbers, leaves.bounds, counts)

    return lanes.over_both(of_one)(counts, seeds)


@jax.jit
def _keep_ranked(found, num_removed):
    return lanes.over_both(lambda number, scores: keep_global(scores, number))(num_removed, found)


@functools.partial(jax.jit, static_argnames=("model", "leaves"))
def _synflow(states, num_removed, *, model, leaves):
    def of_one(number, state):
        def outputs(params, images):
            return model.apply(params, state.state, images, False)[0]

        return scores.synflow(
            outputs, state.params, number, input_shape=model.input_shape, leaves=leaves
        )

    return lanes.over_both(of_one)(num_removed, states)


def _of_each_seed(score):
    """A score of one network and batch, as a compiled function of all seeds."""

    @functools.partial(jax.jit, static_argnames=("model", "recipe", "leaves"))
    def scores_of(states, images, labels, *, model, recipe, leaves) -> Float[Array, "seed weight"]:
        def of_one(state):
            def outputs(params, images):
                return model.apply(params, state.state, images, True)[0]

            first = order(state, recipe, len(images))[0]
            return score(outputs, state.params, (images[first], labels[first]), leaves)

        return jax.vmap(of_one)(states)

    return scores_of


@_of_each_seed
def _magnitude_scores(outputs, params, batch, leaves):
    return jnp.abs(leaves.vector(params))


@_of_each_seed
def _snip_scores(outputs, params, batch, leaves):
    return scores.snip(scores.tempered_loss(outputs), params, batch, leaves=leaves)


@_of_each_seed
def _grasp_scores(outputs, params, batch, leaves):
    loss = scores.tempered_loss(outputs, temperature=scores.GRASP_TEMPERATURE)
    return scores.grasp(loss, params, batch, leaves=leaves)
