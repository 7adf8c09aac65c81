"""Training: it learns, repeats itself, and its gradients are those of the loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax import training
from lottery_jax.core import keys
from lottery_jax.data import load_digits
from lottery_jax.training import dense

WIDTHS = (64, 100, 10)


def oracle_apply(weights, images):
    values = np.asarray(images, np.float64)
    for layer, matrix in enumerate(weights):
        values = (values if layer == 0 else np.maximum(values, 0)) @ np.float64(matrix).T
    return values


def oracle_training(weights, images, labels, *, steps, learning_rate):
    """Adam on the whole batch, written out in float64 for a network with one hidden layer."""
    first, second = (np.float64(matrix) for matrix in weights)
    moments = [[np.zeros_like(first), np.zeros_like(second)] for _ in range(2)]
    images, wanted = np.float64(images), np.eye(len(second))[labels]
    for step in range(1, steps + 1):
        before = images @ first.T
        hidden = np.maximum(before, 0)
        outputs = hidden @ second.T
        odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        slope = (odds / odds.sum(axis=1, keepdims=True) - wanted) / len(images)
        gradients = [((slope @ second) * (before > 0)).T @ images, slope.T @ hidden]
        for number, (matrix, gradient) in enumerate(zip((first, second), gradients, strict=True)):
            for power, (moment, rate) in enumerate(
                zip(moments, (0.9, 0.999), strict=True), start=1
            ):
                moment[number] = rate * moment[number] + (1 - rate) * gradient**power
            mean = moments[0][number] / (1 - 0.9**step)
            square = moments[1][number] / (1 - 0.999**step)
            matrix -= learning_rate * mean / (np.sqrt(square) + 1e-8)
    return first, second


def train(seed, **settings):
    digits = load_digits()
    return training.train(
        keys.root(seed), digits.train_images, digits.train_labels, widths=WIDTHS, **settings
    )


def test_held_out_digits_are_told_apart():
    digits, weights = load_digits(), train(0, epochs=20)
    assert training.accuracy(weights, digits.train_images, digits.train_labels) > 0.96
    assert training.accuracy(weights, digits.test_images, digits.test_labels) > 0.93
    guesses = oracle_apply(weights, digits.test_images).argmax(axis=1)
    assert training.accuracy(weights, digits.test_images, guesses) == 1


def test_outputs_are_those_of_the_matrices():
    weights = training.initial(keys.root(3), (6, 5, 4, 3))
    images = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    found = training.apply(weights, jnp.asarray(images))
    np.testing.assert_allclose(found, oracle_apply(weights, images), rtol=1e-5, atol=1e-6)


def test_steps_are_those_of_adam():
    generator = np.random.default_rng(1)
    images = generator.normal(size=(8, 5)).astype(np.float32)
    labels = generator.integers(0, 3, 8)
    start = training.initial(keys.root(2), (5, 6, 3))
    settings = dict(widths=(5, 6, 3), batch=8, learning_rate=0.01)
    found = training.train(keys.root(2), images, labels, epochs=5, **settings)
    expected = oracle_training(start, images, labels, steps=5, learning_rate=0.01)
    for matrix, wanted in zip(found, expected, strict=True):
        # Adam divides by the size of a gradient; of these none is near zero in float32.
        np.testing.assert_allclose(matrix, wanted, rtol=0, atol=1e-4)


def test_the_same_key_gives_the_same_weights():
    first, again, other = train(0, epochs=1), train(0, epochs=1), train(1, epochs=1)
    for matrix, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(matrix, same)
        assert not np.array_equal(matrix, different)


def test_every_image_but_the_rest_is_used_once_an_epoch(monkeypatch):
    seen = []
    apply = dense.apply

    def spy(weights, images):
        jax.debug.callback(lambda rows: seen.append(np.asarray(rows)), images)
        return apply(weights, images)

    monkeypatch.setattr(dense, "apply", spy)
    images = np.arange(11, dtype=np.float32)[:, None]
    training.train(keys.root(0), images, np.zeros(11, np.int64), widths=(1, 2), batch=3, epochs=2)
    jax.effects_barrier()
    assert len(seen) == 6
    for epoch in (seen[:3], seen[3:]):
        assert len(np.unique(np.concatenate(epoch))) == 9
    assert not np.array_equal(np.concatenate(seen[:3]), np.concatenate(seen[3:]))


def test_initial_weights_have_the_variance_of_he():
    (matrix,) = training.initial(keys.root(0), (200, 500))
    # The mean square of n normal numbers errs by sqrt(2 / n) = 0.0045 of its value.
    assert abs(np.mean(np.square(matrix, dtype=np.float64)) / (2 / 200) - 1) < 5 * 0.0045


IMAGES, LABELS = np.zeros((4, 3), np.float32), np.array([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"widths": (3,)}, "two or more widths"),
        ({"widths": (3, 0, 2)}, "at least 1"),
        ({"widths": (4, 2)}, "must be"),
        ({"widths": (3, 1)}, "between 0 and 0"),
        ({"widths": (3, 2), "batch": 5}, "batch=5"),
        ({"widths": (3, 2), "batch": 0}, "batch=0"),
        ({"widths": (3, 2), "epochs": -1}, "epochs=-1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        training.train(keys.root(0), IMAGES, LABELS, **{"batch": 2, **settings})


def test_importing_the_package_does_not_import_optax():
    import subprocess
    import sys

    code = "import sys, lottery_jax.training, lottery_jax.data; assert 'optax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
