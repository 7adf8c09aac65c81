"""Many networks pruned and trained at once: a lane for each sparsity and seed.

Every way of pruning is given the same task and gives networks in the same form, so that they can be
compared. Networks of one seed start from the same weights and see the images in the same order,
whatever the method and the sparsity: differences are paired. All lanes are trained by one program,
compiled once for each number of lanes; masks, starts and numbers of epochs are its inputs.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Float64, Int32, Int64, Key, PRNGKeyArray, PyTree

from lottery_jax import training
from lottery_jax.core import keys
from lottery_jax.core.leaves import Chosen, Leaves, choose_leaves
from lottery_jax.pruning_limit.magnitude import num_removed
from lottery_jax.training import Recipe, TrainState
from lottery_jax.training.interface import Network, check_examples
from lottery_jax.training.recipe import check_recipe

_CHUNK = 512  # images evaluated at a time


class Task(NamedTuple):
    """What every method is given."""

    model: Network
    recipe: Recipe  # of one training run; its l1 is for methods that prune after such a run
    leaves: Leaves  # which parameters are prunable
    sparsities: tuple[float, ...]  # fractions removed, ascending
    keys: Key[Array, " seed"]
    images: Float32[Array, "image height width channel"]  # to train on
    labels: Int32[Array, " image"]

    @property
    def num_removed(self) -> Int32[np.ndarray, " sparsity"]:
        """How many weights each sparsity removes."""
        return np.array([num_removed(each, self.leaves.size) for each in self.sparsities], np.int32)


class Pruned(NamedTuple):
    """What every method gives: arrays have a leading axis for the sparsity and one for the seed."""

    params: PyTree  # zero where a weight is removed
    state: PyTree  # averages of batch normalisation
    kept: Bool[Array, "sparsity seed weight"]
    epochs: Float64[np.ndarray, " sparsity"]  # of training behind one network, mean over the seeds


def task(
    key: PRNGKeyArray,
    model: Network,
    recipe: Recipe,
    dataset: Any,
    *,
    sparsities: tuple[float, ...],
    num_seeds: int,
    chosen: Chosen = None,
) -> Task:
    """The task of pruning networks from `num_seeds` starts to several sparsities.

    Parameters
    ----------
    key
        Seed n has the stream fold_in(key, n): results of a seed do not depend on `num_seeds`.
    model, recipe, dataset
        As for `training.fit`.
    sparsities
        Fractions of the prunable weights to remove, in [0, 1), ascending.
    num_seeds
        At least 1.
    chosen
        Which parameters are prunable; see `core.leaves.choose_leaves`.

    Raises
    ------
    ValueError
        For settings out of range, or images that do not fit the model.

    Examples
    --------
    >>> from lottery_jax import data, models
    >>> model = models.build("mlp", input_shape=(8, 8, 1), num_classes=10, hidden=(16,))
    >>> digits = data.load("digits")
    >>> task(keys.root(0), model, Recipe(0.1), digits, sparsities=(0.5,), num_seeds=1).num_removed
    array([592], dtype=int32)
    """
    if not sparsities or any(not 0 <= each < 1 for each in sparsities):
        raise ValueError(f"{sparsities=} must be fractions removed in [0, 1), at least one")
    if list(sparsities) != sorted(set(sparsities)):
        raise ValueError(f"{sparsities=} must ascend; name each once")
    if num_seeds < 1:
        raise ValueError(f"{num_seeds=} must be at least 1")
    images, labels = dataset.train_images, dataset.train_labels
    check_recipe(recipe, len(images))
    check_examples(model, images, labels)
    lanes = jnp.arange(num_seeds, dtype=jnp.uint32)
    params, _ = model.init(keys.check_key(key))
    return Task(
        model=model,
        recipe=recipe,
        leaves=choose_leaves(params, chosen),
        sparsities=tuple(sparsities),
        keys=jax.vmap(keys.lane, (None, 0))(key, lanes),
        images=jnp.asarray(images, jnp.float32),
        labels=jnp.asarray(labels, jnp.int32),
    )


def starts(task: Task) -> TrainState:
    """The untrained networks, [seed]."""
    return _starts(task.keys, model=task.model, recipe=task.recipe)


def train(
    task: Task,
    states: TrainState,
    kept: Bool[Array, "lane weight"],
    *,
    num_epochs: int,
    l1: float = 0.0,
) -> TrainState:
    """All lanes after so many more epochs, the weights that are not kept zero all along.

    Parameters
    ----------
    task
        Its recipe is that of the training, but for the penalty.
    states, kept
        Of every lane.
    num_epochs
        May change from call to call; nothing is compiled again.
    l1
        Strength of the penalty, 0 for none.

    Raises
    ------
    FloatingPointError
        If the loss of a lane does not stay finite.

    Notes
    -----
    Memory: each lane holds parameters, momentum, gradient and mask, and one batch of activations.
    An epoch is one compiled loop, in which convolutions are slow on a CPU.
    """
    trained, losses = _train(
        *(states, kept, task.images, task.labels, np.int32(num_epochs)),
        model=task.model,
        recipe=task.recipe._replace(l1=l1),
        leaves=task.leaves,
    )
    is_finite = np.isfinite(np.asarray(losses))
    if not is_finite.all():
        raise FloatingPointError(
            f"the losses of {np.sum(~is_finite)} in {len(is_finite)} lanes are not finite; lower "
            f"learning_rate={task.recipe.learning_rate}"
        )
    return trained


def repeat(tree: PyTree, times: int) -> PyTree:
    """Arrays [seed, ...] as lanes [times * seed, ...], each seed once for every sparsity."""
    return jax.tree.map(lambda leaf: jnp.concatenate([leaf] * times), tree)


def spread(tree: PyTree, num_sparsities: int) -> PyTree:
    """Lanes [sparsity * seed, ...] as arrays [sparsity, seed, ...]."""
    return jax.tree.map(lambda leaf: leaf.reshape(num_sparsities, -1, *leaf.shape[1:]), tree)


def train_sparse(
    task: Task, states: TrainState, kept: Bool[Array, "sparsity seed weight"], *, spent: float
) -> Pruned:
    """Lanes trained with their masks from `states`, after `spent` epochs of other work.

    Masks found before training and after it are trained by the same program.
    """
    num_sparsities = len(kept)
    flat = kept.reshape(-1, kept.shape[2])
    trained = train(task, states, flat, num_epochs=task.recipe.epochs)
    params, state = spread((trained.params, trained.state), num_sparsities)
    epochs = np.full(num_sparsities, float(spent + task.recipe.epochs))
    return Pruned(params, state, kept, epochs)


def prune(task: Task, params: PyTree, kept: Bool[Array, "*lanes weight"]) -> PyTree:
    """The parameters, with the same leading axes as `kept`, with zeros where nothing is kept."""
    apply = functools.partial(_prune, task.leaves)
    for _ in kept.shape[:-1]:
        apply = jax.vmap(apply)
    return apply(params, kept)


def accuracies(
    model: Network, pruned: Pruned, images: np.ndarray, labels: np.ndarray
) -> Float64[np.ndarray, "sparsity seed"]:
    """The part of the images whose largest logit is that of their label."""
    check_examples(model, images, labels)
    chunk = min(_CHUNK, len(images))
    hits = np.zeros(pruned.kept.shape[:2], np.int64)
    for start in range(0, len(images), chunk):
        part, wanted = images[start : start + chunk], labels[start : start + chunk]
        rest = chunk - len(part)
        part = np.pad(np.asarray(part, np.float32), ((0, rest), (0, 0), (0, 0), (0, 0)))
        wanted = np.pad(np.asarray(wanted, np.int32), (0, rest))
        is_counted = np.arange(chunk) < chunk - rest
        hits += np.asarray(_hits(pruned.params, pruned.state, part, wanted, is_counted, model))
    return hits / len(images)


def num_zeros(leaves: Leaves, pruned: Pruned) -> Int64[np.ndarray, "sparsity seed"]:
    """How many prunable weights of each network are zero: counted, not remembered."""
    vectors = jax.vmap(jax.vmap(leaves.vector))(pruned.params)
    return np.asarray(np.sum(np.asarray(vectors) == 0, axis=2, dtype=np.int64))


def over_both(of_one: Callable) -> Callable:
    """A function of something by sparsity and something by seed, over [sparsity, seed]."""
    return jax.vmap(jax.vmap(of_one, (None, 0)), (0, None))


def _prune(leaves: Leaves, params: PyTree, kept: Bool[Array, " weight"]) -> PyTree:
    return jax.tree.map(jnp.multiply, params, leaves.mask(kept, params))


@functools.partial(jax.jit, static_argnames=("model", "recipe"))
def _starts(seeds, *, model, recipe):
    return jax.vmap(lambda key: training.start(key, model, recipe))(seeds)


@functools.partial(jax.jit, static_argnames=("model", "recipe", "leaves"))
def _train(states, kept, images, labels, num_epochs, *, model, recipe, leaves):
    run = training.epoch(model, recipe)

    def one(state, kept):
        mask = leaves.mask(kept, state.params)

        def body(_, carry):
            return run(carry[0], images, labels, mask)

        # Also without an epoch, what is not kept is zero.
        masked = state._replace(params=_prune(leaves, state.params, kept))
        return lax.fori_loop(0, num_epochs, body, (masked, jnp.float32(0)))

    return jax.vmap(one)(states, kept)


@functools.partial(jax.jit, static_argnames=("model",))
def _hits(params, state, images, labels, is_counted, model):
    def of_one(params, state):
        return training.totals(model)(params, state, images, labels, is_counted).hits

    return jax.vmap(jax.vmap(of_one))(params, state)
