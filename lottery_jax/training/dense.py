"""A dense ReLU network without biases, as a tuple of matrices, and its training.

f(x) = W_l relu(W_{l-1} ... relu(W_1 x)): the class of targets of Pensia et al. (2020). Training
minimises the cross-entropy of the outputs with Adam. It serves to have trained weights at hand; any
other tuple of matrices is as good a target.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from lottery_jax.core import keys

# One matrix [output, input] for each layer, the first layer first.
Weights = tuple[Float[Array, "_ _"], ...]
Images = Float[Array, "image pixel"] | Shaped[np.ndarray, "image pixel"]
Labels = Int[Array, " image"] | Shaped[np.ndarray, " image"]


def initial(key: PRNGKeyArray, widths: Sequence[int]) -> Weights:
    """Random weights of variance 2 / inputs (He et al. 2015).

    Parameters
    ----------
    widths
        Of the input, the hidden layers and the output, each at least 1.

    Raises
    ------
    ValueError
        For fewer than two widths, or a width below 1.

    Examples
    --------
    >>> [matrix.shape for matrix in initial(keys.root(0), (64, 500, 10))]
    [(500, 64), (10, 500)]
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"{widths=} must be two or more widths of at least 1, such as (64, 10)")
    shapes = zip(widths[1:], widths[:-1], strict=True)
    return tuple(
        jax.random.normal(jax.random.fold_in(key, layer), shape, jnp.float32)
        * np.float32((2 / shape[1]) ** 0.5)
        for layer, shape in enumerate(shapes)
    )


def apply(weights: Weights, images: Float[Array, "image input"]) -> Float[Array, "image output"]:
    """The outputs of the network, in the full precision of float32.

    Examples
    --------
    >>> apply((-jnp.eye(2), jnp.ones((1, 2))), jnp.array([[1.0, -3.0]])).tolist()
    [[3.0]]
    """
    values = images
    for layer, matrix in enumerate(weights):
        values = values if layer == 0 else jnp.maximum(values, 0)
        values = jnp.matmul(values, matrix.T, precision="highest")
    return values


def train(
    key: PRNGKeyArray,
    images: Images,
    labels: Labels,
    *,
    widths: Sequence[int],
    epochs: int = 40,
    batch: int = 64,
    learning_rate: float = 1e-3,
) -> Weights:
    """Weights of a network that tells the labels from the images.

    Deterministic on one kind of device: start and order of the images come from `key` alone.

    Parameters
    ----------
    images, labels
        Labels are 0 to widths[-1] - 1.
    epochs
        Passes over the images, each in a new order and without the last images % batch ones of it.
    batch
        Images to one step, at most all of them.
    learning_rate
        Of Adam, constant.

    Raises
    ------
    ValueError
        For widths, labels or sizes that do not fit the images.

    Notes
    -----
    Cost: epochs * images * 6 multiplications for each weight. Kingma and Ba (2015).

    Examples
    --------
    >>> images, labels = np.eye(4, dtype=np.float32), np.arange(4) % 2
    >>> weights = train(keys.root(0), images, labels, widths=(4, 16, 2), batch=4, epochs=200)
    >>> accuracy(weights, images, labels)
    1.0
    """
    images, labels = np.asarray(images, np.float32), np.asarray(labels, np.int32)
    weights = initial(keys.check_key(key), widths)  # checks the widths
    if images.shape != (len(labels), widths[0]):
        raise ValueError(f"{images.shape=} must be ({len(labels)}, {widths[0]}): labels, widths[0]")
    if not 1 <= batch <= len(labels) or epochs < 0:
        raise ValueError(f"{batch=} must lie between 1 and {len(labels)}, {epochs=} be at least 0")
    if labels.min() < 0 or labels.max() >= widths[-1]:
        raise ValueError(f"labels must lie between 0 and {widths[-1] - 1} for {widths=}")
    return _train(weights, key, images, labels, np.float32(learning_rate), epochs, batch)


def accuracy(weights: Weights, images: Images, labels: Labels) -> float:
    """The part of the images whose largest output is that of their label.

    Examples
    --------
    >>> accuracy((jnp.eye(2),), np.eye(2), np.array([0, 0]))
    0.5
    """
    guesses = np.argmax(np.asarray(apply(weights, jnp.asarray(images, jnp.float32))), axis=1)
    return float(np.mean(guesses == np.asarray(labels)))


@functools.partial(jax.jit, static_argnames=("epochs", "batch"))
def _train(weights, key, images, labels, learning_rate, epochs, batch):
    import optax  # on first use: importing the package stays light

    optimizer = optax.adam(learning_rate)

    def loss(weights, chosen):
        outputs = apply(weights, images[chosen])
        return jnp.mean(
            optax.losses.softmax_cross_entropy_with_integer_labels(outputs, labels[chosen])
        )

    def step(state, chosen):
        weights, memory = state
        gradient = jax.grad(loss)(weights, chosen)
        with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer power
            update, memory = optimizer.update(gradient, memory, weights)
        return (optax.apply_updates(weights, update), memory), None

    def epoch(state, number):
        # Layers took the first streams of the key.
        order = jax.random.permutation(jax.random.fold_in(key, number), len(labels))
        steps = len(labels) // batch
        return lax.scan(step, state, order[: steps * batch].reshape(steps, batch))

    numbers = 2**16 + jnp.arange(epochs, dtype=jnp.uint32)
    (weights, _), _ = lax.scan(epoch, (weights, optimizer.init(weights)), numbers)
    return weights
