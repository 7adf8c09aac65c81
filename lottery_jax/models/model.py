"""A network as a record of two pure functions, whatever library wrote it."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

Params = PyTree[Float[Array, "..."]]
State = PyTree[Float[Array, "..."]]  # averages of batch normalisation; {} for a network without


class Model(NamedTuple):
    """A network that tells classes of images apart.

    Both functions may be compiled, differentiated, and mapped over a leading axis of keys or
    parameters. Two models from the same call of `build` are the same object, so that what was
    compiled for one serves the other.
    """

    name: str
    input_shape: tuple[int, int, int]  # height, width, channels
    num_classes: int
    init: Callable[[PRNGKeyArray], tuple[Params, State]]
    # apply(params, state, images, is_training) -> (logits [image, class], new state). With
    # is_training False it has no side: the state comes back as it was, and equal images have equal
    # logits in any batch.
    apply: Callable[
        [Params, State, Float[Array, "image height width channel"], bool],
        tuple[Float[Array, "image class"], State],
    ]


def from_linen(
    name: str, module: Any, *, input_shape: tuple[int, int, int], num_classes: int
) -> Model:
    """The record of a flax Linen module, your own for example.

    Parameters
    ----------
    name
        For messages and files.
    module
        Called as ``module(images, is_training)``, it returns logits [image, class]. It draws no
        random numbers but its first weights: no dropout.
    input_shape, num_classes
        Of the images and the logits.

    Examples
    --------
    >>> import flax.linen as nn
    >>> class Linear(nn.Module):
    ...     @nn.compact
    ...     def __call__(self, images, is_training):
    ...         return nn.Dense(2)(images.reshape(len(images), -1))
    >>> count_parameters(from_linen("linear", Linear(), input_shape=(2, 2, 1), num_classes=2))
    10
    """

    @jax.jit
    def init(key: PRNGKeyArray) -> tuple[Params, State]:
        variables = module.init(key, jnp.zeros((1, *input_shape), jnp.float32), False)
        return variables["params"], {k: v for k, v in variables.items() if k != "params"}

    def apply(params: Params, state: State, images, is_training: bool):
        variables = {"params": params, **state}
        if not is_training:
            return module.apply(variables, images, False), state
        return module.apply(variables, images, True, mutable=list(state))

    return Model(name, input_shape, num_classes, init, apply)


@functools.cache
def count_parameters(model: Model) -> int:
    """The number of parameters, biases and normalisation included, without allocating them.

    Examples
    --------
    >>> from lottery_jax import models
    >>> count_parameters(models.build("vgg16", input_shape=(32, 32, 3), num_classes=10))
    14724042
    """
    params, _ = jax.eval_shape(model.init, jax.random.key(0))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
