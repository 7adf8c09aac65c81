"""Gradual pruning by proximal steps whose strength is raised until enough weights are zero.

A proximal step of the l1 penalty sets small weights to exactly zero. Here its strength grows by the
same factor after every epoch, from `STRENGTHS[0]` to `STRENGTHS[1]` over as many epochs as a
training run has; one path serves all sparsities. Before the epoch that would bring the zeros to the
asked number or above it, the mask is taken: the weights that are zero, and the smallest of the
others that are missing from that number. They are then trained once more, without penalty.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int32, PyTree

from lottery_jax.pruning_limit import after_training, lanes
from lottery_jax.pruning_limit.lanes import Pruned, Task
from lottery_jax.pruning_limit.magnitude import keep_global
from lottery_jax.training import TrainState
from lottery_jax.training.epochs import order, take_step
from lottery_jax.training.penalty import soft

STRENGTHS = (1e-4, 1e-1)  # of the penalty, in the first epoch and in the last


class Found(NamedTuple):
    """Where the path came to one asked sparsity."""

    params: PyTree
    state: PyTree
    kept: Bool[Array, " weight"]
    epochs: Int32[Array, ""]  # of the path until then; all of them where it did not come there


def gradual(task: Task) -> Pruned:
    """Networks whose zeros were found by raising the strength of a proximal penalty, fine-tuned.

    Notes
    -----
    Cost: the epochs of a run for fine-tuning, and as many as it took to raise the strength so far;
    their mean over the seeds is reported. Where the path ends early, its smallest weights go.
    """
    first, last = STRENGTHS
    strengths = np.geomspace(first, last, max(task.recipe.epochs, 1), dtype=np.float32)
    # The strength is the only thing that changes from epoch to epoch.
    recipe = task.recipe._replace(l1=0.0, schedule="constant")
    found = _raise_strength(
        *(lanes.starts(task), strengths[: task.recipe.epochs], task.num_removed),
        *(task.images, task.labels),
        model=task.model,
        recipe=recipe,
        leaves=task.leaves,
    )
    params, state, kept = jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), found[:3])
    params, state = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), (params, state))
    tuned = after_training.fine_tune(task, params, state, kept, spent=0.0)
    return tuned._replace(epochs=tuned.epochs + np.mean(np.asarray(found.epochs), axis=0))


@functools.partial(jax.jit, static_argnames=("model", "recipe", "leaves"))
def _raise_strength(states, strengths, num_removed, images, labels, *, model, recipe, leaves):
    """What is `Found` [seed, sparsity]."""

    def shrinking_epoch(state: TrainState, strength: Float32[Array, ""]) -> TrainState:
        chosen = order(state, recipe, len(images))
        # As in `training.penalty`: a minimum of the loss plus the penalty stays where it is.
        threshold = strength * np.float32(recipe.learning_rate / (1 - recipe.momentum))

        def step(state, numbered):
            number, batch = numbered
            state, _ = take_step(
                model, recipe, state, images[batch], labels[batch], number, len(chosen), None
            )
            weights = soft(leaves.vector(state.params), threshold)
            return state._replace(params=leaves.replace(state.params, weights)), None

        steps = jnp.arange(len(chosen), dtype=jnp.int32)
        state, _ = lax.scan(step, state, (steps, chosen))
        return state._replace(epoch=state.epoch + 1)

    def take(state: TrainState, number: Int[Array, ""]) -> Found:
        weights = leaves.vector(state.params)
        kept = keep_global(jnp.abs(weights), number)
        return Found(state.params, state.state, kept, state.epoch)

    def of_seed(state):
        def body(carry, strength):
            before, found, has_come = carry
            after = shrinking_epoch(before, strength)
            num_zeros = jnp.sum(leaves.vector(after.params) == 0, dtype=jnp.int32)
            comes = num_zeros >= num_removed
            now = jax.vmap(take, (None, 0))(before, num_removed)
            # The epoch that went too far was run too.
            now = now._replace(epochs=now.epochs + 1)
            found = _where(comes & ~has_come, now, found)
            return (after, found, has_come | comes), None

        nothing = jax.vmap(take, (None, 0))(state, num_removed)
        begin = (state, nothing, jnp.zeros(len(num_removed), bool))
        (state, found, has_come), _ = lax.scan(body, begin, strengths)
        at_end = jax.vmap(take, (None, 0))(state, num_removed)
        return _where(has_come, found, at_end)

    return jax.vmap(of_seed)(states)


def _where(condition: Bool[Array, " sparsity"], these: Found, those: Found) -> Found:
    def choose(this, that):
        shape = (-1, *[1] * (this.ndim - 1))
        return jnp.where(condition.reshape(shape), this, that)

    return jax.tree.map(choose, these, those)
