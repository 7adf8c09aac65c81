"""Scores against loops over neurons and weights in float64, with ties, and however rows come."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.sparse_features import data, largest, memory, scores, sums
from tests.oracles import prune_network as oracle

DIM, NEURONS, ROWS = 5, 6, 40


def draw(seed, rows=ROWS, dim=DIM):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, dim)).astype(np.float32)
    targets = (inputs[:, 0] ** 2 - 1 + inputs[:, 1]).astype(np.float32)
    return inputs, targets


def noise_of(key, rows=ROWS):
    """Row i has key number i of stream 1."""
    stream = jax.random.fold_in(key, 1)
    each = [jax.random.normal(jax.random.fold_in(stream, i), (), jnp.float32) for i in range(rows)]
    return np.array(each)


@functools.partial(jax.jit, static_argnames="block")
def computed(inputs, targets, sizes, key, kept, shift, block):
    source = data.held(inputs, targets, rows=16)
    return scores.scores_at(
        source, sizes, key, num_pairs=NEURONS, kept=kept, shift=shift, block=block
    )


def expected(inputs, targets, key, *, shift, kept, convention="appendix"):
    biases = np.asarray(sums.draw_biases(key, NEURONS))
    noise = noise_of(key, len(inputs))
    return oracle.prune(
        inputs, targets, noise, biases, shift=shift, kept=kept, convention=convention
    )


def assert_close(found, wanted):
    """Within float32: sums of 40 rows of size 10 at most, errors well below 1e-5 of the largest."""
    for name in ("even", "odd", "first"):
        mine, theirs = np.asarray(getattr(found, name)), getattr(wanted, name)
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5 * theirs.max())


@pytest.mark.parametrize("seed", range(6))
def test_oracle(seed):
    """Several numbers of rows and several M at once, in blocks of which the last is padded."""
    rng = np.random.default_rng(seed)
    inputs, targets = draw(seed)
    key, shift = keys.root(seed), float(np.float32(rng.uniform(0.05, 0.95)))
    sizes, kept = np.sort(rng.choice(np.arange(1, ROWS + 1), 2, replace=False)), [1, 3, DIM]
    found = computed(
        jnp.asarray(inputs),
        jnp.asarray(targets),
        jnp.asarray(sizes, jnp.int32),
        key,
        jnp.asarray(kept, jnp.int32),
        jnp.float32(shift),
        block=4,
    )
    for i, size in enumerate(sizes):
        for j, some in enumerate(kept):
            part = scores.Scores(*(each[i, j] for each in found))
            wanted = expected(inputs[:size], targets[:size], key, shift=shift, kept=some)
            assert_close(part, wanted)
            other = expected(
                inputs[:size], targets[:size], key, shift=shift, kept=some, convention="main_text"
            )
            np.testing.assert_allclose(part.printed, other.first, rtol=1e-5, atol=1e-5)


def test_ties():
    """|t| = |b| exactly, t = 0, b = 0, and biases of one size: f(0) = 0 decides."""
    rng = np.random.default_rng(0)
    inputs = rng.choice(np.array([-1, 0, 1], np.float32), (ROWS, DIM))
    targets = rng.normal(size=ROWS).astype(np.float32)
    biases = np.array([1, -1, 0, 1, -1, 0.5], np.float32)
    key = keys.root(0)
    weights = jnp.arange(DIM + 1, dtype=jnp.int32)
    # At c = 1 the projections are the inputs themselves.
    state = sums.start(key, weights, dim=DIM, biases=jnp.asarray(biases), shift=1.0)
    state = sums.update(state, jnp.asarray(inputs), jnp.asarray(targets))
    found = sums.finish(state, jnp.int32(2))
    wanted = oracle.prune(inputs, targets, noise_of(key), biases, shift=1.0, kept=2)
    np.testing.assert_allclose(found.even, wanted.even, rtol=1e-5)
    np.testing.assert_allclose(found.odd, wanted.odd, rtol=1e-5)
    moved = oracle.prune(inputs, targets, noise_of(key), biases * 1.001, shift=1.0, kept=2)
    assert not np.allclose(found.odd, moved.odd, rtol=1e-3)  # the control: ties matter


def test_no_bias_above_zero():
    inputs, targets = draw(1)
    biases, key = np.array([-2, -0.3, -1], np.float32), keys.root(4)
    source = data.held(jnp.asarray(inputs), jnp.asarray(targets), rows=ROWS)
    settings = {"kept": [2], "shift": 0.5, "biases": jnp.asarray(biases)}
    found = scores.scores_at(source, [ROWS], key, num_pairs=3, **settings)
    wanted = oracle.prune(inputs, targets, noise_of(key), biases, shift=0.5, kept=2)
    np.testing.assert_allclose(found.first[0, 0], wanted.first, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.even[0, 0], wanted.even, rtol=1e-5)
    with pytest.raises(ValueError, match="must be one bias for each of num_pairs=4"):
        scores.scores_at(source, [ROWS], key, num_pairs=4, **settings)


def test_batches_of_any_size():
    """A caller's own batches give what a source gives."""
    inputs, targets = draw(2)
    key = keys.root(3)
    state = sums.start(
        key,
        jnp.arange(DIM + 1, dtype=jnp.int32),
        dim=DIM,
        biases=sums.draw_biases(key, NEURONS),
        shift=0.5,
    )
    for first, last in ((0, 13), (13, 26), (26, ROWS)):
        state = sums.update(
            state, jnp.asarray(inputs[first:last]), jnp.asarray(targets[first:last])
        )
    found = sums.finish(state, jnp.int32(2))
    wanted = expected(inputs, targets, key, shift=0.5, kept=2)
    np.testing.assert_allclose(found.even, wanted.even, rtol=1e-5)
    np.testing.assert_allclose(found.odd, wanted.odd, rtol=1e-5)
    with pytest.raises(ValueError, match="but the sums are of 5 inputs"):
        sums.update(state, jnp.ones((4, 3)), jnp.ones(4))
    with pytest.raises(ValueError, match="row 2 is not finite"):
        sums.update(state, jnp.ones((4, DIM)), jnp.ones(4).at[2].set(jnp.inf))


@pytest.mark.parametrize("length", [1, 7])
def test_largest(length):
    """Sums and sets of the largest, ties among them, for every number kept."""
    rng = np.random.default_rng(length)
    values = rng.choice([0, 1e-30, 0.5, 1, 3, 1e30], (20, length)).astype(np.float32)
    total, chosen_of = jax.jit(largest.largest_sum), jax.jit(largest.largest)
    for kept in range(length + 2):
        found = total(jnp.asarray(values.T), jnp.int32(kept))
        wanted = np.sort(values.astype(np.float64), axis=1)[:, ::-1][:, :kept].sum(axis=1)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-38)
        for row in values[:3]:
            chosen = np.flatnonzero(chosen_of(jnp.asarray(row), jnp.int32(kept)))
            assert chosen.tolist() == sorted(oracle.top(row, kept))


def memory_of(num_samples, *, rows, dim, neurons, block):
    """Bytes that scores of held rows take beside the rows."""

    def run(inputs, targets, sizes):
        source = data.held(inputs, targets, rows=rows)
        key = keys.root(0)
        return scores.scores_at(
            source, sizes, key, num_pairs=neurons, kept=[4], shift=0.5, block=block
        )

    inputs = jax.ShapeDtypeStruct((num_samples, dim), jnp.float32)
    targets = jax.ShapeDtypeStruct((num_samples,), jnp.float32)
    program = jax.jit(run).lower(inputs, targets, jnp.zeros(1, jnp.int32)).compile()
    analysis = program.memory_analysis()
    return analysis.temp_size_in_bytes if analysis else None


def test_memory():
    """What is planned, which knows nothing of n, covers it; the rows themselves are far larger.

    They end within a block: to fill it would take a copy of all.
    """
    used = memory_of(2**16 + 1, rows=64, dim=48, neurons=32, block=8)
    planned = memory.bytes_needed(48, num_pairs=32, rows=64, block=8)
    assert used is None or 8 * memory.bytes_of_weight(48, num_pairs=32) < used < planned
    assert planned < 4 * 2**16 * 48 / 32


@pytest.mark.slow
def test_many_inputs():
    """d = 4096 in several blocks; a million samples and 128 neurons are within 2 GB."""
    used = memory_of(1024 * 977, rows=1024, dim=4096, neurons=128, block=None)
    assert used is None or used < 2e9
    inputs, targets = draw(0, rows=600, dim=4096)
    key, neurons, kept = keys.root(0), 5, 7

    @jax.jit
    def run(inputs, targets):
        source = data.held(inputs, targets, rows=256)
        block = memory.check_memory(source, num_pairs=neurons, limit=10**8)
        assert 3 * block < 4097
        return scores.scores_at(
            source, [600], key, num_pairs=neurons, kept=[kept], shift=0.5, block=block
        )

    found = run(jnp.asarray(inputs), jnp.asarray(targets))
    rows = np.concatenate([inputs, noise_of(key, 600)[:, None]], axis=1).astype(np.float64)
    biases = np.asarray(sums.draw_biases(key, neurons), np.float64)
    for i in (0, 1, 1999, 4095, 4096):
        t = rows[:, 4096] if i == 4096 else 0.5 * rows[:, i] + np.sqrt(0.75) * rows[:, 4096]
        right, left = (t + biases[:, None] > 0), (biases[:, None] - t > 0)
        for sign, part in ((-1, found.even), (1, found.odd)):
            gradients = (0.5 * (right + sign * left.astype(int)) * targets) @ rows / 600
            wanted = np.sum(np.sort(gradients**2, axis=1)[:, -kept:])
            np.testing.assert_allclose(part[0, 0, i], wanted, rtol=1e-5)
