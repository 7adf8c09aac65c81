"""Networks of which one gradient step trains the first layer, and ridge regression the second.

Dense, pruned, or kept by any other mask: many of them at once on the same rows, in three passes
over the data (four where a linear part is fitted first), whatever the number of rows:

1. one gradient step (`one_step.py`) on the first four fifths of the rows;
2. biases drawn again, and the sums of the ridge regression (`ridge.py`) on the same rows;
3. the last fifth, which neither saw, chooses the strength of the ridge.

The number of samples counts all of these rows. A step or a mask that had seen the last fifth would
leak the targets into the features there, and the choice would be worth nothing: choose masks from
`num_fitted` rows too.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Key

from lottery_jax.core import keys
from lottery_jax.sparse_features import checks, data, one_step, ridge
from lottery_jax.sparse_features.data import EXACT

Numbers = TypeVar("Numbers", int, Array)


class Network(NamedTuple):
    """One network for each mask, of neurons a_j relu(<w_j, x> + b_j), with a linear part."""

    weights: Float[Array, "mask pair input"]  # of the first half of the neurons; the others' is -w
    biases: Float[Array, " neuron"]  # the same for all masks
    second: Float[Array, "mask neuron"]
    constant: Float[Array, " mask"]
    linear: Float[Array, "mask input"]  # 0 unless it was subtracted


class Learned(NamedTuple):
    """What was fitted, and how the strength of the ridge was chosen."""

    network: Network
    strength: Float[Array, " mask"]
    validation: Float[Array, "mask strength"]  # mean squared error on the last fifth


class Error(NamedTuple):
    """Mean squared error on other rows."""

    mean: Float[Array, "*problem mask"]
    deviation: Float[Array, "*problem mask"]  # standard error of the mean over these rows


def num_fitted(num_samples: Numbers) -> Numbers:
    """The rows that the step and the regression use; the others choose the strength.

    Examples
    --------
    >>> num_fitted(1000)
    800
    """
    return num_samples - num_samples // 5


def learn(
    source: data.Source,
    num_samples: data.Integer,
    masks: ArrayLike | Sequence[Any],
    key: Key[Array, ""],
    *,
    num_neurons: int = 128,
    strengths: Sequence[float] = ridge.STRENGTHS,
    fits_linear: bool = False,
) -> Learned:
    """One gradient step and a ridge regression for every mask, on the first `num_samples` rows.

    Traceable, and to be compiled by the caller: the number of samples may be traced, so that a
    sweep over it compiles once. Masks share rows, signs, biases and normal vectors.

    Parameters
    ----------
    source
        Rows with inputs of mean 0 and variance 1, for which the start is made, and targets of mean
        0 and of a size near 1: the errors that choose the strength are squares of it.
    num_samples
        At least 10, all of which count: see `num_fitted`. Where it is traced, more than a held
        source has act as all its rows, and below 5 none are left to validate: `validation` is nan.
    masks
        Inputs that the first layer keeps: all for a dense network. Booleans of shape [mask, input].
    num_neurons
        2 m, an even number: symmetric pairs.
    strengths
        Of the ridge, in units of the mean variance of the features, see `ridge.solve`.
    fits_linear
        Subtract the mean of y x, on the kept inputs, from the target first and add it to the
        output: for several indices.

    Raises
    ------
    ValueError
        For a mask that is no row of booleans for the inputs, an odd number of neurons, a number of
        samples below 10 or a strength that is not positive.

    Notes
    -----
    Cost: 10 m d + 8 m^2 operations for each row and mask, with d inputs and 2 m neurons. The memory
    is that of a block of rows and of 4 m^2 + m d numbers for each mask. The algorithm is that of
    arXiv:2406.08658, which leaves the strength open and has another rate.

    Examples
    --------
    >>> from lottery_jax.core import root
    >>> inputs = jax.random.normal(root(0), (500, 3))
    >>> source = data.held(inputs, inputs[:, 0] ** 2 - 1)
    >>> masks = jnp.array([[True, False, False], [False, True, True]])
    >>> learned = jax.jit(lambda n: learn(source, n, masks, root(1), num_neurons=16))(500)
    >>> [bool(each < 0.1) for each in jnp.min(learned.validation, axis=1)]
    [True, False]
    """
    keys.check_key(key)
    masks = jnp.asarray(masks)
    _check(source, num_samples, masks, num_neurons)
    ridge.check_strengths(strengths)
    zero, last = jnp.int32(0), data.available(source, num_samples)
    fitted = jnp.asarray(num_fitted(last), jnp.int32)
    linear = one_step.linear_part(source, zero, fitted, masks) if fits_linear else None
    begin = one_step.start(keys.lane(key, 0), masks, num_pairs=num_neurons // 2)
    weights = one_step.step(source, zero, fitted, masks, begin, linear)
    biases = jax.vmap(lambda key: jax.random.normal(key, (), jnp.float32))(
        keys.items(keys.lane(key, 1), num_neurons)
    )
    linear = jnp.zeros(masks.shape, jnp.float32) if linear is None else linear

    def rest(inputs, targets):
        along = jnp.matmul(inputs, linear.T, precision=EXACT)
        return one_step.features(weights, biases, inputs), targets[:, None] - along

    def add(sums, inputs, targets, is_used):
        features, residuals = rest(inputs, targets)
        return jax.vmap(ridge.update, (0, 1, 1, None))(sums, features, residuals, is_used)

    none = jax.tree.map(
        lambda each: jnp.zeros((len(masks), *each.shape), each.dtype), ridge.start(num_neurons)
    )
    sums = data.fold(source, zero, fitted, add, none)
    fits = jax.vmap(lambda each: ridge.solve(each, strengths))(sums)

    def validate(total, inputs, targets, is_used):
        features, residuals = rest(inputs, targets)
        found = jax.vmap(ridge.predict, (0, 1))(fits, features)
        squares = jnp.square(found - residuals.T[:, :, None])
        return total + jnp.sum(jnp.where(is_used[None, :, None], squares, 0), axis=1)

    total = jnp.zeros((len(masks), len(strengths)), jnp.float32)
    validation = data.fold(source, fitted, last, validate, total) / (last - fitted).astype(
        jnp.float32
    )
    best = jnp.argmin(validation, axis=1)
    second, constant = jax.vmap(lambda each, at: (each.weights[at], each.constant[at]))(fits, best)
    network = Network(weights, biases, second, constant, linear)
    return Learned(network, jnp.asarray(strengths, jnp.float32)[best], validation)


def predict(network: Network, inputs: Float[Array, "row input"]) -> Float[Array, "row mask"]:
    """The outputs of the networks of all masks."""
    features = one_step.features(network.weights, network.biases, inputs)
    outputs = jnp.einsum("rmj,mj->rm", features, network.second, precision=EXACT)
    along = jnp.matmul(inputs, network.linear.T, precision=EXACT)
    return outputs + along + network.constant[None]


def fresh_error(network: Network, source: data.Source, num_samples: data.Integer) -> Error:
    """Mean squared error over the first rows of a source, which should be fresh.

    With targets without noise this is the error of the network in units of the target's variance,
    which is 1. More rows than a held source has act as all of them, where traced.
    """

    def add(sums, inputs, targets, is_used):
        squares = jnp.square(predict(network, inputs) - targets[:, None])
        squares = jnp.where(is_used[:, None], squares, 0)
        return sums[0] + jnp.sum(squares, axis=0), sums[1] + jnp.sum(squares * squares, axis=0)

    zeros = jnp.zeros(len(network.second), jnp.float32)
    checks.check_whole("num_samples", num_samples, 1)
    count = data.available(source, num_samples)
    first, second = data.fold(source, jnp.int32(0), count, add, (zeros, zeros))
    size = count.astype(jnp.float32)
    mean = first / size
    variance = jnp.maximum(second / size - mean * mean, 0)
    return Error(mean, jnp.sqrt(variance / size))


def _check(source: data.Source, num_samples: data.Integer, masks, num_neurons: int) -> None:
    if masks.ndim != 2 or masks.shape[1] != source.dim or masks.dtype != bool or not len(masks):
        raise ValueError(
            f"{masks.shape=} of {masks.dtype} must be rows of {source.dim} booleans, one row for "
            "each mask"
        )
    checks.check_neurons(num_neurons)
    checks.check_whole("num_samples", num_samples, 10)  # of which a fifth validates
    data.check_range(source, 0, num_samples)
