"""Every other way to choose inputs, against plain NumPy in float64."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.sparse_features import baselines, checks, data, prune, sums
from lottery_jax.sparse_features.scores import Scores, scores_at
from tests.oracles import prune_network
from tests.sparse_features.test_scores import DIM, NEURONS, draw, noise_of

SIZES = (9, 40)


def network(key):
    """Weights and biases, drawn from their addresses one by one."""
    stream = jax.random.fold_in(key, 2)
    rows = [jax.random.normal(jax.random.fold_in(stream, j), (DIM,)) for j in range(NEURONS)]
    weights = np.array(rows, np.float64)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return weights, np.asarray(sums.draw_biases(key, NEURONS), np.float64)


def assert_close(found, wanted):
    """Within float32: means of 40 terms below 100."""
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_at_start(seed):
    """Norms and SNIP, from one gradient per row and neuron."""
    inputs, targets = draw(seed)
    key = keys.root(seed)
    weights, biases = network(key)
    source = data.held(jnp.asarray(inputs), jnp.asarray(targets), rows=16)
    norms = baselines.gradient_norms(source, SIZES, key, num_pairs=NEURONS)
    snip = baselines.snip(source, SIZES, key, num_pairs=NEURONS)
    plain = baselines.first_order(source, SIZES)
    for i, size in enumerate(SIZES):
        gradients = np.zeros((NEURONS, DIM))
        for j in range(NEURONS):
            for row, target in zip(inputs[:size], targets[:size], strict=True):
                is_on = weights[j] @ row.astype(np.float64) + biases[j] > 0
                gradients[j] -= target * row * is_on / size
        assert_close(norms[i], np.linalg.norm(gradients, axis=0))
        assert_close(snip[i], np.abs(gradients * weights).sum(axis=0))
        means = np.abs(np.mean(targets[:size, None] * inputs[:size].astype(np.float64), axis=0))
        assert_close(plain[i], means)


def test_unshifted():
    """PruneNetwork's loops at c = 1."""
    inputs, targets = draw(7)
    key = keys.root(7)
    source = data.held(jnp.asarray(inputs), jnp.asarray(targets), rows=16)
    found = baselines.unshifted(source, SIZES, key, num_pairs=NEURONS, kept=[2])
    biases = np.asarray(sums.draw_biases(key, NEURONS))
    for i, size in enumerate(SIZES):
        wanted = prune_network.prune(
            inputs[:size], targets[:size], noise_of(key, size), biases, shift=1.0, kept=2
        )
        assert_close(found.even[i, 0], wanted.even)
        assert_close(found.odd[i, 0], wanted.odd)
        chosen = prune.select(Scores(*(each[i, 0] for each in found)), kept=2)
        assert set(np.flatnonzero(chosen)) == wanted.kept


def test_more_rows_than_there_are():
    """Where their number is not known at the call, the mean is over all rows."""
    inputs, targets = draw(0)
    source = data.held(jnp.asarray(inputs), jnp.asarray(targets), rows=16)
    found = jax.jit(lambda sizes: baselines.first_order(source, sizes))(jnp.array([9, 999]))
    np.testing.assert_allclose(found, baselines.first_order(source, SIZES), rtol=1e-5)


def test_random_and_oracle():
    """Random sets are nested, and every input is as likely; the oracle knows the support."""
    scores = baselines.random(keys.root(0), 30)
    sets = [baselines.keep(scores, kept) for kept in (3, 10, 30)]
    assert [int(jnp.sum(some)) for some in sets] == [3, 10, 30]
    assert bool(jnp.all(~sets[0] | sets[1]))
    hidden = jnp.zeros((30, 2)).at[jnp.array([3, 8, 29]), jnp.array([0, 1, 1])].set(-0.5)
    assert np.flatnonzero(baselines.keep(baselines.oracle(hidden), 3)).tolist() == [3, 8, 29]


def test_wrong_settings():
    source = data.held(jnp.ones((5, 3)), jnp.ones(5))
    with pytest.raises(ValueError, match="must not decrease"):
        baselines.first_order(source, [3, 2])
    with pytest.raises(ValueError, match="6 samples are asked for"):
        baselines.snip(source, [6], keys.root(0), num_pairs=2)
    with pytest.raises(ValueError, match="num_pairs=0 must be a whole number"):
        baselines.gradient_norms(source, [3], keys.root(0), num_pairs=0)
    with pytest.raises(ValueError, match="kept=4 must be a whole number from 1 to 3"):
        baselines.keep(jnp.ones(3), 4)
    with pytest.raises(ValueError, match="repeats draws under vmap"):
        baselines.snip(source, [3], jax.random.key(0, impl="rbg"), num_pairs=2)
    with pytest.raises(ValueError, match="shift=2 must be above 0 and at most 1"):
        scores_at(source, [3], keys.root(0), num_pairs=2, kept=[1], shift=2.0)
    with pytest.raises(ValueError, match="shift=nan"):
        scores_at(source, [3], keys.root(0), num_pairs=2, kept=[1], shift=float("nan"))
    with pytest.raises(ValueError, match="score 1 is nan"):
        baselines.keep([1.0, np.nan], 1)
    with pytest.raises(ValueError, match="dim=0 must be"):
        baselines.random(keys.root(0), 0)
    for wrong in (2.5, True, np.float32(3), [3], "3", 4.0, np.ones(1, np.int32), None):
        with pytest.raises(ValueError, match=r"kept=.* must be a whole number from 1 to 9"):
            checks.check_whole("kept", wrong, 1, 9)
    for right in (3, np.int64(3), np.array(3), jnp.int32(3)):
        checks.check_whole("kept", right, 1, 9)
    for wrong in ("0.5", None, [0.5]):
        with pytest.raises(ValueError, match="must be one number, such as"):
            inspect.unwrap(checks.check_shift)(wrong)
    for wrong in (3, [], np.array(3), [[3]], [3.5]):
        with pytest.raises(ValueError, match="must be a"):
            checks.check_sizes(wrong, None)
