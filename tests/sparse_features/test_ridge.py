"""Streamed ridge regression against least squares in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.sparse_features import ridge
from tests.oracles import one_step as oracle

ROUNDING = 2.0**-23


solve = jax.jit(ridge.solve, static_argnums=1)


def relu_features(seed, *, rows=600, size=24):
    """As of a trained first layer: neurons along one line, and so a Gram matrix of low rank."""
    random = np.random.default_rng(seed)
    along = random.normal(size=(rows, 1)) + 0.05 * random.normal(size=(rows, size))
    features = np.maximum(along * random.choice([-1, 1], size) + random.normal(size=size), 0)
    return np.float32(features), np.float32(along[:, 0] ** 2 - 1)


def streamed(features, targets, strengths, *, block=128, filling=7.0):
    """Blocks of one shape; the last one is filled with rows that are not used."""
    sums = ridge.start(features.shape[1])
    for first in range(0, len(features), block):
        rows, wanted = features[first : first + block], targets[first : first + block]
        missing = block - len(rows)
        sums = ridge.update(
            sums,
            jnp.asarray(np.pad(rows, ((0, missing), (0, 0)), constant_values=filling)),
            jnp.asarray(np.pad(wanted, (0, missing), constant_values=filling)),
            jnp.arange(block, dtype=jnp.int32) < len(rows),
        )
    return solve(sums, strengths)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (100.0, 0.0), (1.0, 30.0)])
def test_predictions_are_those_of_least_squares(scale, offset):
    """Badly conditioned: the tolerance is that of a rounded Gram matrix, which the module states.

    A perturbation of relative size r of the largest eigenvalue moves what is predicted by at most
    about r top / penalty of its size; r = 2^-23 for each of few blocks. A mean that features have
    enters in the predictions alone, as rounding of weight times mean.
    """
    features, targets = relu_features(0)
    features = features * np.float32(scale) + np.float32(offset)
    strengths = (1e-4, 1e-2, 1.0, 100.0)
    fits = streamed(features, targets, strengths)
    weights, constant = oracle.ridge(features, targets, strengths)
    expected = features @ weights.T + constant
    found = np.asarray(ridge.predict(fits, jnp.asarray(features)))
    covariance = np.cov(features.T.astype(np.float64), bias=True)
    top = np.linalg.eigvalsh(covariance)[-1] / np.mean(np.diag(covariance))
    assert top > 10  # nearly all variance in one direction
    for each, strength in enumerate(strengths):
        size = np.sqrt(np.mean(expected[:, each] ** 2))
        error = np.sqrt(np.mean((found - expected)[:, each] ** 2)) / size
        of_mean = offset * np.abs(weights[each]).sum() / size
        assert error < 4 * ROUNDING * (1 + of_mean + top / strength), (strength, error)


def test_unused_rows_add_nothing_even_when_not_finite():
    """Blocks are padded with whatever is there."""
    features, targets = relu_features(1, rows=300)
    plain = streamed(features, targets, (0.1,))
    broken = streamed(features, targets, (0.1,), filling=np.nan)
    np.testing.assert_array_equal(plain.weights, broken.weights)


def test_constant_is_not_penalised():
    """However strong the ridge is, the mean of the targets remains."""
    features, targets = relu_features(2)
    fits = streamed(features, targets + np.float32(3), (1e6,))
    found = np.asarray(ridge.predict(fits, jnp.asarray(features)))
    np.testing.assert_allclose(found[:, 0], np.mean(targets) + 3, atol=1e-3)


def test_features_without_variance_get_no_weight():
    """A mask that keeps nothing gives constant features; the fit is the mean."""
    fits = streamed(np.ones((256, 3), np.float32), np.arange(256, dtype=np.float32), (1e-4, 1.0))
    assert np.array_equal(fits.weights, np.zeros((2, 3)))
    np.testing.assert_allclose(fits.constant, 127.5)


@pytest.mark.parametrize("strengths", [(), (0.0,), (1.0, -1.0), (float("nan"),), (float("inf"),)])
def test_strengths_are_checked(strengths):
    """One sentence with the value."""
    with pytest.raises(ValueError, match=r"strengths=.* must be positive"):
        ridge.solve(ridge.start(2), strengths)
