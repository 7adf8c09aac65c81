"""One pass over the images, as a pure function: compiled once, mapped over seeds and masks.

The order of the images in epoch e comes from fold_in(key, e) alone, so any epoch can be replayed
from the state before it. The last images of the order, fewer than a batch, sit the epoch out.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from lottery_jax.core import keys
from lottery_jax.training.evaluation import cross_entropy
from lottery_jax.training.interface import Images, Labels, Mask, Network
from lottery_jax.training.penalty import move
from lottery_jax.training.recipe import Recipe, check_recipe

_SHIFT = 4  # pixels, of augmented images


class TrainState(NamedTuple):
    """All that the rest of a training depends on."""

    params: PyTree
    state: PyTree  # averages of batch normalisation; {} for a network without
    memory: Any  # of the momentum (optax)
    key: PRNGKeyArray  # the stream of orders and augmentations; it stays the same
    epoch: Int[Array, ""]  # epochs done


def start(key: PRNGKeyArray, model: Network, recipe: Recipe) -> TrainState:
    """A network before its first step; may be mapped over keys.

    Examples
    --------
    >>> from lottery_jax import models
    >>> model = models.build("mlp", input_shape=(8, 8, 1), num_classes=10)
    >>> roots = jax.vmap(jax.random.key)(jnp.arange(3, dtype=jnp.uint32))
    >>> states = jax.vmap(lambda key: start(key, model, Recipe(0.1)))(roots)
    >>> states.params["Dense_0"]["kernel"].shape
    (3, 64, 100)
    """
    import optax  # on first use: importing the package stays light

    params, state = model.init(keys.chunk(key, 0))
    memory = optax.trace(recipe.momentum).init(params)
    return TrainState(params, state, memory, keys.chunk(key, 1), jnp.int32(0))


@functools.cache  # one function object for equal settings, and so one compilation
def epoch(model: Network, recipe: Recipe) -> Callable[..., tuple[TrainState, Float[Array, ""]]]:
    """One epoch as a pure function; compile it, or map it over states and masks, or both.

    Parameters
    ----------
    model
        A network.
    recipe
        Compiled in. ``recipe.epochs`` matters to the cosine schedule only.

    Returns
    -------
    ``run(state, images, labels, mask=None) -> (state, mean_loss)``. `mean_loss` is the
    cross-entropy of the steps, without penalty, each before its step. `mask` has the leaves of the
    parameters, ones and zeros; the parameters are multiplied by it at the start and after every
    step.

    Notes
    -----
    Cost: 6 multiplications for each weight, or use of it by a convolution, and image.

    Examples
    --------
    >>> from lottery_jax import models
    >>> model = models.build("mlp", input_shape=(2, 2, 1), num_classes=2, hidden=(8,))
    >>> recipe = Recipe(0.1, batch=4)
    >>> images, labels = jnp.eye(4).reshape(4, 2, 2, 1), jnp.arange(4) % 2
    >>> roots = jax.vmap(jax.random.key)(jnp.arange(5, dtype=jnp.uint32))
    >>> states = jax.vmap(lambda key: start(key, model, recipe))(roots)
    >>> run = jax.jit(jax.vmap(epoch(model, recipe), (0, None, None)))
    >>> states, losses = run(states, images, labels)
    >>> losses.shape, states.epoch.tolist()
    ((5,), [1, 1, 1, 1, 1])
    """
    check_recipe(recipe)

    def run(state: TrainState, images: Images, labels: Labels, mask: Mask = None):
        chosen = order(state, recipe, len(images))
        num_steps = len(chosen)

        def body(state, step_and_batch):
            step, batch = step_and_batch
            return take_step(
                model, recipe, state, images[batch], labels[batch], step, num_steps, mask
            )

        steps = jnp.arange(num_steps, dtype=jnp.int32)
        masked = state._replace(params=apply_mask(state.params, mask))
        state, losses = lax.scan(body, masked, (steps, chosen))
        return state._replace(epoch=state.epoch + 1), jnp.mean(losses)

    return run


def order(state: TrainState, recipe: Recipe, num_images: int) -> Int[Array, "step batch"]:
    """Which images each step of the next epoch takes."""
    check_recipe(recipe, num_images)
    stream = keys.lane(keys.chunk(state.key, state.epoch), 0)
    places = jax.random.permutation(stream, jnp.arange(num_images, dtype=jnp.int32))
    num_steps = num_images // recipe.batch
    return places[: num_steps * recipe.batch].reshape(num_steps, recipe.batch)


def take_step(
    model: Network,
    recipe: Recipe,
    state: TrainState,
    images: Images,
    labels: Labels,
    step: Int[Array, ""],
    num_steps: int,
    mask: Mask,
) -> tuple[TrainState, Float[Array, ""]]:
    """The state after step number `step` of its epoch, and the loss before it."""
    if recipe.augment:
        stream = keys.lane(keys.chunk(state.key, state.epoch), 1)
        images = _augment(keys.lane(stream, step), images)

    def mean_loss(params):
        logits, new = model.apply(params, state.state, images, True)
        return jnp.mean(cross_entropy(logits, labels)), new

    (loss, new), gradient = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
    rate = _rate(recipe, state.epoch * num_steps + step, recipe.epochs * num_steps)
    moved = move(recipe, state.params, state.memory, gradient, rate)
    params = apply_mask(moved.params, mask)
    return state._replace(params=params, state=new, memory=moved.memory), loss


def apply_mask(params: PyTree, mask: Mask) -> PyTree:
    """The parameters times the mask."""
    return params if mask is None else jax.tree.map(jnp.multiply, params, mask)


def _rate(recipe: Recipe, step: Int[Array, ""], num_steps: int) -> Float[Array, ""]:
    rate = jnp.float32(recipe.learning_rate)
    if recipe.schedule == "constant":
        return rate
    part = step.astype(jnp.float32) / jnp.float32(num_steps)
    return rate * jnp.float32(0.5) * (1 + jnp.cos(jnp.float32(jnp.pi) * part))


def _augment(key: PRNGKeyArray, images: Images) -> Images:
    """Mirror each image with probability 1/2, and shift it by -4 to 4 pixels over a zero border."""
    coins, shifts = keys.lane(key, 0), keys.lane(key, 1)
    is_mirrored = jax.random.bernoulli(coins, jnp.float32(0.5), (len(images), 1, 1, 1))
    images = jnp.where(is_mirrored, images[:, :, ::-1], images)
    corners = jax.random.randint(shifts, (len(images), 2), 0, 2 * _SHIFT + 1, jnp.int32)
    border = (_SHIFT, _SHIFT)
    padded = jnp.pad(images, ((0, 0), border, border, (0, 0)))
    return jax.vmap(
        lambda image, corner: lax.dynamic_slice(
            image, (corner[0], corner[1], jnp.int32(0)), images.shape[1:]
        )
    )(padded, corners)
