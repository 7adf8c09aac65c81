"""One-shot magnitude pruning of networks trained with an l1 penalty.

The way of the paper (arXiv 2306.05857): train with the penalty l1 of the recipe by subgradients,
then remove the smallest weights of the whole network, and do no more. Beside it the same with the
same part of every layer removed, and with another training run without penalty for the weights
that are left.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PyTree

from lottery_jax.pruning_limit import at_start, lanes, ratios
from lottery_jax.pruning_limit.lanes import Pruned, Task
from lottery_jax.pruning_limit.magnitude import keep_global
from lottery_jax.training import TrainState

Kept = Bool[Array, "sparsity seed weight"]


def one_shot_global(task: Task) -> Pruned:
    """The largest weights of all; no training after pruning."""
    dense = trained_dense(task)
    return _one_shot(task, dense, _keep_global(task, dense))


def one_shot_layerwise(task: Task) -> Pruned:
    """The largest weights of every layer, the same part of each; no training after pruning."""
    dense = trained_dense(task)
    counts = jnp.asarray(at_start.counts_by_layer(task, ratios.equal_counts))

    def keep(counts, magnitudes):
        return ratios.keep_counts(magnitudes, task.leaves.bounds, counts)

    return _one_shot(task, dense, jax.jit(lanes.over_both(keep))(counts, _magnitudes(task, dense)))


def fine_tuned_global(task: Task) -> Pruned:
    """As `one_shot_global`, and then another run without penalty from the weights that are left."""
    dense = trained_dense(task)
    params, state = lanes.repeat((dense.params, dense.state), len(task.sparsities))
    return fine_tune(
        task, params, state, _keep_global(task, dense), spent=float(task.recipe.epochs)
    )


def trained_dense(task: Task) -> TrainState:
    """The networks [seed] after training with the penalty of the recipe, nothing removed."""
    states = lanes.starts(task)
    everything = jnp.ones((len(task.keys), task.leaves.size), bool)
    epochs = task.recipe.epochs
    return lanes.train(task, states, everything, num_epochs=epochs, l1=task.recipe.l1)


def fine_tune(task: Task, params: PyTree, state: PyTree, kept: Kept, *, spent: float) -> Pruned:
    """Another run of all lanes from these parameters, epochs counted from 0 again."""
    # No memory of the gradients before pruning.
    fresh = lanes.repeat(lanes.starts(task), len(task.sparsities))
    return lanes.train_sparse(task, fresh._replace(params=params, state=state), kept, spent=spent)


def _one_shot(task: Task, dense: TrainState, kept: Kept) -> Pruned:
    repeated = lanes.repeat((dense.params, dense.state), len(kept))
    params, state = lanes.spread(repeated, len(kept))
    epochs = np.full(len(kept), float(task.recipe.epochs))
    return Pruned(lanes.prune(task, params, kept), state, kept, epochs)


def _keep_global(task: Task, dense: TrainState):
    keep = jax.jit(lanes.over_both(lambda number, magnitudes: keep_global(magnitudes, number)))
    return keep(jnp.asarray(task.num_removed), _magnitudes(task, dense))


def _magnitudes(task: Task, dense: TrainState):
    return jnp.abs(jax.vmap(task.leaves.vector)(dense.params))
