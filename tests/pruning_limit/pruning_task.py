"""A small task that the tests of all methods share: what is compiled for one serves the others."""

import functools

import numpy as np

from lottery_jax import data, models
from lottery_jax.core import keys
from lottery_jax.data import Dataset
from lottery_jax.pruning_limit import lanes
from lottery_jax.training import Recipe

SPARSITIES = (0.5, 0.8)
EPOCHS = 3
SIZES = (64 * 24, 24 * 16, 16 * 10)  # weights of each layer
BOUNDS = ((0, 1536), (1536, 1920), (1920, 2080))
REMOVED = (1040, 1664)


@functools.cache
def digits() -> Dataset:
    """A third of the digits."""
    whole = data.load("digits")
    return whole._replace(
        train_images=whole.train_images[::3], train_labels=whole.train_labels[::3]
    )


@functools.cache
def small_task(sparsities=SPARSITIES, num_seeds=2) -> lanes.Task:
    model = models.build("mlp", input_shape=(8, 8, 1), num_classes=10, hidden=(24, 16))
    recipe = Recipe(0.1, l1=1e-3, batch=32, epochs=EPOCHS)
    return lanes.task(
        keys.root(5), model, recipe, digits(), sparsities=sparsities, num_seeds=num_seeds
    )


def vectors(task: lanes.Task, params) -> np.ndarray:
    """Prunable weights [sparsity, seed, weight], or with one leading axis less."""
    leaves = [np.asarray(params[f"Dense_{layer}"]["kernel"]) for layer in range(3)]
    lead = leaves[0].shape[:-2]
    return np.concatenate([leaf.reshape(*lead, -1) for leaf in leaves], axis=-1)
