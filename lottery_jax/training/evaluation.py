"""The loss of a network and its accuracy, in evaluation mode and in full float32.

Products of matrices are asked for at the highest precision here, as the curvature of the loss and
small differences of it are measured; training leaves that to the device.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, Shaped

from lottery_jax.training.interface import Images, Labels, Network, check_examples

_CHUNK = 512  # images evaluated at a time


class Evaluation(NamedTuple):
    """How well a network does on some images."""

    loss: float  # mean cross-entropy, in nats
    accuracy: float  # the part whose largest logit is that of the label


class Totals(NamedTuple):
    """Sums over images."""

    loss: Float[Array, ""]  # of the cross-entropy
    hits: Int[Array, ""]  # images whose largest logit is that of the label


def cross_entropy(
    logits: Float[Array, "image class"], labels: Int[Array, " image"]
) -> Float[Array, " image"]:
    """-log softmax(logits)[label] of each image, in nats.

    Examples
    --------
    >>> cross_entropy(jnp.zeros((1, 4)), jnp.array([2])).tolist()
    [1.3862943649291992]
    """
    chosen = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return jax.nn.logsumexp(logits, axis=1) - chosen


def loss(model: Network, state: Any) -> Callable[[PyTree, tuple[Images, Labels]], Array]:
    """The mean cross-entropy as a function of the parameters: what is differentiated twice.

    Parameters
    ----------
    model
        A network.
    state
        Its averages of batch normalisation, as they are after training; {} where there are none.

    Returns
    -------
    ``loss(params, (images, labels)) -> scalar``, in evaluation mode, without penalty.

    Examples
    --------
    >>> from lottery_jax import models
    >>> model = models.build("mlp", input_shape=(8, 8, 1), num_classes=10)
    >>> params, state = model.init(jax.random.key(0))
    >>> batch = jnp.zeros((3, 8, 8, 1)), jnp.array([0, 1, 2])
    >>> round(float(loss(model, state)(params, batch)), 4)  # log 10
    2.3026
    """

    def mean_loss(params: PyTree, batch: tuple[Images, Labels]) -> Float[Array, ""]:
        images, labels = batch
        with jax.default_matmul_precision("highest"):
            logits, _ = model.apply(params, state, images, False)
        return jnp.mean(cross_entropy(logits, labels))

    return mean_loss


def totals(model: Network) -> Callable[..., Totals]:
    """Sums over one batch, as a pure function that may be compiled and mapped over networks.

    Returns
    -------
    ``sums(params, state, images, labels, is_counted=None) -> Totals``; images where `is_counted` is
    False add nothing.
    """

    def sums(params, state, images, labels, is_counted=None) -> Totals:
        with jax.default_matmul_precision("highest"):
            logits, _ = model.apply(params, state, images, False)
        losses, hits = cross_entropy(logits, labels), jnp.argmax(logits, axis=1) == labels
        if is_counted is not None:
            losses, hits = jnp.where(is_counted, losses, jnp.float32(0)), hits & is_counted
        return Totals(jnp.sum(losses), jnp.sum(hits, dtype=jnp.int32))

    return sums


def evaluate(
    model: Network,
    params: PyTree,
    state: Any,
    images: Shaped[np.ndarray, "image height width channel"] | Images,
    labels: Shaped[np.ndarray, " image"] | Labels,
) -> Evaluation:
    """Loss and accuracy over all images, 512 at a time in programs of one shape.

    Raises
    ------
    ValueError
        For images or labels that do not fit the network.

    Examples
    --------
    >>> from lottery_jax import models
    >>> model = models.build("mlp", input_shape=(8, 8, 1), num_classes=10)
    >>> params, state = model.init(jax.random.key(0))
    >>> evaluate(model, params, state, np.zeros((5, 8, 8, 1), np.float32), np.arange(5)).accuracy
    0.2
    """
    check_examples(model, images, labels)
    chunk = min(_CHUNK, len(images))
    total, hits = 0.0, 0
    for start in range(0, len(images), chunk):
        part, wanted = images[start : start + chunk], labels[start : start + chunk]
        rest = chunk - len(part)
        part = jnp.pad(jnp.asarray(part, jnp.float32), ((0, rest), (0, 0), (0, 0), (0, 0)))
        wanted = jnp.pad(jnp.asarray(wanted, jnp.int32), (0, rest))
        is_counted = jnp.arange(chunk, dtype=jnp.int32) < chunk - rest
        found = _compiled_totals(model)(params, state, part, wanted, is_counted)
        total, hits = total + float(found.loss), hits + int(found.hits)
    return Evaluation(total / len(images), hits / len(images))


@functools.cache
def _compiled_totals(model: Network):
    return jax.jit(totals(model))
