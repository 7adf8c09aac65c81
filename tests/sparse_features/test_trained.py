"""Fully trained networks: which weights move, which network is kept, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import root
from lottery_jax.sparse_features import trained
from tests.oracles import one_step as oracle


def train(problems, *, num_neurons=8, passes=12, batch=20, learning_rate=0.02):
    """Small and fast."""
    inputs, targets, masks = problems
    return trained.train(
        inputs,
        targets,
        masks,
        root(1),
        num_neurons=num_neurons,
        passes=passes,
        batch=batch,
        learning_rate=learning_rate,
    )


@pytest.fixture(scope="module")
def problems():
    """Two problems of 250 rows and 4 inputs; each mask keeps what one of the targets needs."""
    inputs = jax.random.normal(root(0), (2, 250, 4), jnp.float32)
    targets = jnp.stack([inputs[0, :, 0] ** 2 - 1, inputs[1, :, 1]])
    masks = jnp.array([[True, False, True, True], [False, True, True, True]])
    return inputs, targets, jnp.stack([masks, masks])


@pytest.fixture(scope="module")
def found(problems):
    """Both networks of both problems."""
    return train(problems)


def outputs_of(weights, problem, mask, inputs):
    """In float64, neuron by neuron."""
    first, biases, second, constant = (
        np.asarray(each[problem, mask], np.float64) for each in weights
    )
    return oracle.relu(np.asarray(inputs, np.float64), first, biases) @ second + constant


def test_outputs_and_errors_are_those_of_the_weights(problems, found):
    """A plain sum over neurons; float32 sums of 8 products of order 1."""
    inputs, targets, _ = problems
    outputs = trained.predict(found.weights, inputs)
    error = trained.fresh_error(found.weights, inputs, targets)
    for problem in range(2):
        for mask in range(2):
            plain = outputs_of(found.weights, problem, mask, inputs[problem])
            np.testing.assert_allclose(outputs[problem, :, mask], plain, atol=1e-5)
            squares = (plain - np.asarray(targets[problem], np.float64)) ** 2
            np.testing.assert_allclose(error.mean[problem, mask], squares.mean(), rtol=1e-4)
            deviation = squares.std() / np.sqrt(len(squares))
            np.testing.assert_allclose(error.deviation[problem, mask], deviation, rtol=1e-4)


def test_the_last_fifth_is_what_validates(problems, found):
    """The error that is reported is that of the network on the last 50 rows."""
    inputs, targets, _ = problems
    last = trained.fresh_error(found.weights, inputs[:, 200:], targets[:, 200:])
    np.testing.assert_allclose(found.validation, last.mean, rtol=1e-5)


def test_removed_inputs_keep_the_weight_0(problems, found):
    """All others have moved."""
    masks = np.broadcast_to(problems[2][:, :, None], found.weights.first.shape)
    assert not np.any(np.asarray(found.weights.first)[~masks])
    assert np.all(np.asarray(found.weights.first)[masks] != 0)


@pytest.mark.slow
def test_each_network_is_trained_as_if_alone(problems, found):
    """The first problem by itself; rounding differs with the shape of the products."""
    alone = train([each[:1] for each in problems])
    np.testing.assert_allclose(alone.validation[0], found.validation[0], rtol=1e-3)


def test_what_is_kept_is_learned(problems, found):
    """The mask with the input that the target needs, and not the other."""
    del problems
    assert found.validation[0, 0] < 0.5 * found.validation[0, 1]
    assert found.validation[1, 1] < 0.5 * found.validation[1, 0]


def test_the_best_pass_is_kept(problems):
    """A rate at which training diverges leaves the network of the start, whose output is 0."""
    targets = problems[1]
    wild = train(problems, learning_rate=50.0)
    assert not np.any(wild.best_pass)
    mean = np.mean(np.square(targets[:, 200:]), axis=1)
    np.testing.assert_allclose(wild.validation, np.stack([mean, mean], axis=1), rtol=1e-5)


def test_rows_that_are_not_finite(problems):
    """They would leave the network at its start, as if that were the best."""
    inputs, targets, masks = problems
    with pytest.raises(ValueError, match="row 3 is not finite"):
        train((inputs.at[1, 3, 0].set(jnp.nan), targets, masks))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_neurons": 7}, "num_neurons=7 must be even"),
        ({"batch": 201}, "batch=201 must be between 1 and 200"),
        ({"batch": 0}, "batch=0 must be between 1 and 200"),
        ({"passes": 0}, "passes=0"),
    ],
)
def test_wrong_settings_are_one_sentence(problems, change, said):
    """At the call."""
    with pytest.raises(ValueError, match=said):
        train(problems, **change)
