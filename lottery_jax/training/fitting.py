"""Train one network to the end: progress, checkpoints, and an end to diverging runs.

An epoch is one program where it can be. A step is the program, and each batch is gathered on the
host, where the images are too large for the device, or where a CPU would run convolutions inside a
compiled loop: XLA takes a slow path for these there. The steps are the same in both.
"""

import functools
import hashlib
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from lottery_jax.core import checkpoint as files
from lottery_jax.core import keys
from lottery_jax.training import epochs
from lottery_jax.training.epochs import TrainState
from lottery_jax.training.interface import Examples, Mask, Network, check_examples
from lottery_jax.training.recipe import Recipe, check_recipe

_ON_DEVICE = 2**31  # bytes of images that are kept on the device


def fit(
    key: PRNGKeyArray,
    model: Network,
    recipe: Recipe,
    dataset: Examples,
    *,
    mask: Mask = None,
    initial: TrainState | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int = 10,
    progress: bool = True,
) -> TrainState:
    """The network after ``recipe.epochs`` epochs.

    Deterministic on one kind of device: weights and orders come from `key` alone.

    Parameters
    ----------
    key
        Of the start and the orders.
    model, recipe, dataset
        What is trained, how, and on which images.
    mask
        Ones and zeros with the leaves of the parameters (`core.leaves.Leaves.mask`): a removed
        weight is zero from the start and after every step.
    initial
        Go on from here, from ``initial.epoch`` to ``recipe.epochs``, in place of a new start. Its
        own key gives the orders. Set its epoch to 0 to train for all epochs.
    checkpoint
        A file that is written every `checkpoint_every` epochs and at the end. If it is there
        already, its state is where training goes on: the result is the same to the bit on a CPU.
    progress
        Show a bar on the first process.

    Raises
    ------
    ValueError
        For settings out of range, images or labels that do not fit the network, a mask of another
        structure, all before anything is compiled; CheckpointError for a file of another run.
    FloatingPointError
        When the mean loss of an epoch is not finite.

    Examples
    --------
    >>> from lottery_jax import data, models
    >>> digits = data.load("digits")
    >>> model = models.build("mlp", input_shape=(8, 8, 1), num_classes=10, hidden=(16,))
    >>> trained = fit(keys.root(0), model, Recipe(0.1, epochs=2), digits, progress=False)
    >>> int(trained.epoch)
    2
    """
    from tqdm.auto import tqdm  # on first use: importing the package stays light

    images, labels = dataset.train_images, dataset.train_labels
    check_recipe(recipe, len(images))
    check_examples(model, images, labels)
    if checkpoint_every < 1:
        raise ValueError(f"{checkpoint_every=} must be at least 1")
    state = epochs.start(keys.check_key(key), model, recipe) if initial is None else initial
    _check_mask(state.params, mask)
    identity = ""
    if checkpoint is not None:
        identity = _identity(model, recipe, dataset, state, mask)
        state = _resume(checkpoint, identity, state)
    run = _runner(model, recipe, state.params, images, labels, mask)
    numbers = range(int(state.epoch), recipe.epochs)
    is_shown = progress and jax.process_index() == 0
    bar = tqdm(numbers, desc=f"training {model.name}", unit="epoch", disable=not is_shown)
    for number in bar:
        state, mean_loss = run(state)
        mean_loss = float(mean_loss)
        if not np.isfinite(mean_loss):
            raise FloatingPointError(
                f"the loss of epoch {number + 1} is {mean_loss}: training of {model.name!r} "
                f"diverged; lower learning_rate={recipe.learning_rate}"
            )
        bar.set_postfix(loss=f"{mean_loss:.4f}", refresh=False)
        if checkpoint is not None and (
            (number + 1) % checkpoint_every == 0 or number + 1 == recipe.epochs
        ):
            files.save(checkpoint, identity, _arrays(state))
    return state


def _runner(model, recipe, params, images, labels, mask):
    """What turns a state into (state after an epoch, mean loss) on this network and device."""
    if _is_one_program(params, images):
        placed = jnp.asarray(images, jnp.float32), jnp.asarray(labels, jnp.int32)
        return lambda state: _compiled_epoch(model, recipe)(state, *placed, mask)
    return lambda state: _epoch_from_host(model, recipe, state, images, labels, mask)


def _is_one_program(params, images) -> bool:
    has_convolutions = any(leaf.ndim > 2 for leaf in jax.tree.leaves(params))
    is_slow = has_convolutions and jax.default_backend() == "cpu"
    return images.nbytes <= _ON_DEVICE and not is_slow


@functools.cache
def _compiled_epoch(model, recipe):
    return jax.jit(epochs.epoch(model, recipe))


@functools.cache
def _compiled_step(model, recipe, num_steps):
    def step(state, images, labels, number, mask):
        return epochs.take_step(model, recipe, state, images, labels, number, num_steps, mask)

    return jax.jit(step)


def _epoch_from_host(model, recipe, state, images, labels, mask):
    chosen = np.asarray(epochs.order(state, recipe, len(images)))
    step = _compiled_step(model, recipe, len(chosen))
    state = state._replace(params=epochs.apply_mask(state.params, mask))
    losses = []
    for number, batch in enumerate(chosen):
        part = np.asarray(images[batch], np.float32), np.asarray(labels[batch], np.int32)
        state, mean_loss = step(state, *part, np.int32(number), mask)
        losses.append(mean_loss)
    return state._replace(epoch=state.epoch + 1), jnp.mean(jnp.stack(losses))


def _check_mask(params: Any, mask: Mask) -> None:
    if mask is None:
        return
    wanted, found = jax.tree.structure(params), jax.tree.structure(mask)
    if wanted != found:
        raise ValueError(f"the mask has structure {found}, the parameters {wanted}")
    for leaf, ones in zip(jax.tree.leaves(params), jax.tree.leaves(mask), strict=True):
        if leaf.shape != ones.shape or leaf.dtype != ones.dtype:
            raise ValueError(
                f"a leaf of the mask is {ones.dtype}{ones.shape}, its weights "
                f"{leaf.dtype}{leaf.shape}; make masks with core.leaves.Leaves.mask"
            )


def _identity(model, recipe, dataset, state, mask) -> str:
    """A hash of all that the result depends on."""
    digest = hashlib.sha256(
        repr((model.name, model.input_shape, tuple(recipe), keys.STREAM_VERSION)).encode()
    )
    arrays = _arrays(state) | {"images": dataset.train_images, "labels": dataset.train_labels}
    arrays |= {f"mask {place}": leaf for place, leaf in enumerate(jax.tree.leaves(mask))}
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:16]


def _arrays(state: TrainState) -> dict[str, np.ndarray]:
    """The state as named arrays, the key by its words."""
    plain = state._replace(key=jax.random.key_data(state.key))
    found, _ = jax.tree_util.tree_flatten_with_path(plain)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in found}


def _resume(checkpoint: str | os.PathLike, identity: str, state: TrainState) -> TrainState:
    """The state in the file, or `state` where there is no file."""
    if not Path(checkpoint).parent.is_dir():
        raise ValueError(f"{checkpoint=} must lie in a folder that exists")
    arrays = files.load(checkpoint, identity)
    if arrays is None:
        return state
    plain = state._replace(key=jax.random.key_data(state.key))
    leaves = [jnp.asarray(arrays[name]) for name in _arrays(state)]
    held = jax.tree.unflatten(jax.tree.structure(plain), leaves)
    return held._replace(key=state.key)
