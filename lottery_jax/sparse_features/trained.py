"""Fully trained networks, as a reference: all layers, by Adam, stopped by the last fifth of rows.

The network is that of `learn.py` and starts from the same kind of point: symmetric pairs, weights
on the unit sphere of the kept inputs, output 0. Then all weights that the mask keeps, both biases
and the second layer are trained. After every pass the last fifth of the rows, which no step sees,
decides whether the network is the best one so far. Many problems and masks run side by side: Adam
works number by number, and so the sum of their losses trains each as if it were alone.

This is a reference for networks after one step, and no search for the best optimiser.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from lottery_jax.core import keys
from lottery_jax.sparse_features import checks, learn, one_step
from lottery_jax.sparse_features.data import EXACT
from lottery_jax.training import descent


class Weights(NamedTuple):
    """Neurons a_j relu(<w_j, x> + b_j) and a constant, for every problem and mask."""

    first: Float[Array, "problem mask neuron input"]
    biases: Float[Array, "problem mask neuron"]
    second: Float[Array, "problem mask neuron"]
    constant: Float[Array, "problem mask"]


class Trained(NamedTuple):
    """The best network of each problem and mask on the rows that validate."""

    weights: Weights
    validation: Float[Array, "problem mask"]  # its mean squared error there
    best_pass: Float[Array, "problem mask"]  # after how many passes it was reached


def train(
    inputs: Float[Array, "problem sample input"],
    targets: Float[Array, "problem sample"],
    masks: Bool[Array, "problem mask input"],
    key: Key[Array, ""],
    *,
    num_neurons: int = 128,
    passes: int = 30,
    batch: int = 64,
    learning_rate: float = 3e-3,
) -> Trained:
    """Train every network on the first four fifths of its rows, and keep the best by the last.

    Parameters
    ----------
    inputs, targets
        Rows of each problem, all of which count as samples.
    masks
        Inputs that the networks of each problem keep.
    num_neurons
        An even number.
    passes, batch, learning_rate
        Of Adam: the rate falls linearly to a tenth. Rows beyond the last full batch sit out.

    Raises
    ------
    ValueError
        For shapes that disagree, rows that are not finite, an odd number of neurons, or fewer rows
        to train on than a batch.

    Notes
    -----
    Cost: 6 d operations for each pass, row, mask and neuron of d inputs.

    Examples
    --------
    >>> from lottery_jax.core import root
    >>> inputs = jax.random.normal(root(0), (1, 500, 2))
    >>> masks = jnp.array([[[True, False], [False, True]]])
    >>> trained = train(inputs, inputs[..., 0], masks, root(1), num_neurons=8, passes=20)
    >>> (trained.validation < 0.1).tolist()
    [[True, False]]
    """
    keys.check_key(key)
    num_fitted = _check(inputs, targets, masks, num_neurons, batch)
    problems, num_masks = masks.shape[:2]
    params = _start(key, masks, num_neurons)
    ones = jax.tree.map(lambda each: jnp.ones([1] * each.ndim, jnp.float32), params)
    kept = ones._replace(first=masks[:, :, None].astype(jnp.float32))
    batches = [
        (inputs[:, at : at + batch], targets[:, at : at + batch])
        for at in range(0, num_fitted - batch + 1, batch)
    ]
    rest = inputs[:, num_fitted:], targets[:, num_fitted:]
    best = Trained(
        params,
        jnp.full((problems, num_masks), jnp.inf, jnp.float32),
        jnp.zeros((problems, num_masks), jnp.float32),
    )
    run = descent.descent(_loss, params, kept, batches, passes=passes, learning_rate=learning_rate)
    for number, weights in enumerate(run):
        best = _better(best, weights, rest, np.float32(number))
    return best


def predict(
    weights: Weights, inputs: Float[Array, "problem row input"]
) -> Float[Array, "problem row mask"]:
    """The outputs of all networks on the rows of their problem."""
    along = jnp.einsum("prd,pmjd->prmj", inputs, weights.first, precision=EXACT)
    hidden = jax.nn.relu(along + weights.biases[:, None])
    outputs = jnp.einsum("prmj,pmj->prm", hidden, weights.second, precision=EXACT)
    return outputs + weights.constant[:, None]


@jax.jit
def fresh_error(
    weights: Weights,
    inputs: Float[Array, "problem row input"],
    targets: Float[Array, "problem row"],
) -> learn.Error:
    """Mean squared errors of all networks on rows of their problem, which should be fresh."""
    squares = jnp.square(predict(weights, inputs) - targets[:, :, None])
    deviation = jnp.std(squares, axis=1) / jnp.sqrt(jnp.float32(targets.shape[1]))
    return learn.Error(jnp.mean(squares, axis=1), deviation)


def _loss(params, batch):
    """A sum over networks, of which each weight enters one."""
    return jnp.sum(_errors(params, *batch))


def _errors(weights, inputs, targets):
    return jnp.mean(jnp.square(predict(weights, inputs) - targets[:, :, None]), axis=1)


@jax.jit
def _better(best, weights, rest, number):
    found = _errors(weights, *rest)
    is_better = found < best.validation

    def choose(new, old):
        return jnp.where(is_better.reshape(is_better.shape + (1,) * (new.ndim - 2)), new, old)

    number = jnp.full(found.shape, number, jnp.float32)
    return jax.tree.map(choose, Trained(weights, found, number), best)


def _start(key, masks, num_neurons: int) -> Weights:
    def start(key, masks):
        begin = one_step.start(key, masks, num_pairs=num_neurons // 2)
        first = jnp.concatenate([begin.weights, begin.weights], axis=1)
        shape = (len(masks), num_neurons)
        biases = jnp.broadcast_to(jnp.tile(begin.biases, 2)[None], shape)
        signs = jnp.concatenate([begin.signs, -begin.signs])[None]
        second = jnp.broadcast_to(signs / jnp.sqrt(jnp.float32(num_neurons)), shape)
        return Weights(first, biases, second, jnp.zeros(len(masks), jnp.float32))

    return jax.vmap(start)(keys.items(key, len(masks)), masks)


def _check(inputs, targets, masks, num_neurons: int, batch: int) -> int:
    """The rows to train on."""
    problems, samples, dim = inputs.shape if inputs.ndim == 3 else (0, 0, 0)
    fits = targets.shape == (problems, samples) and masks.shape[::2] == (problems, dim)
    if not problems or not fits or masks.ndim != 3 or masks.dtype != bool:
        raise ValueError(
            f"inputs of shape {inputs.shape}, targets of shape {targets.shape} and masks of shape "
            f"{masks.shape} disagree; give [problem, sample, input], [problem, sample] and "
            "[problem, mask, input], masks as booleans"
        )
    checks.check_neurons(num_neurons)
    for rows, wanted in zip(inputs, targets, strict=True):
        checks.check_rows(rows, wanted)
    num_fitted = int(learn.num_fitted(samples))
    if not 1 <= batch <= num_fitted or samples == num_fitted:
        raise ValueError(
            f"{batch=} must be between 1 and {num_fitted}, the rows to train on of {samples}, of "
            "which some must be left to validate"
        )
    return num_fitted
