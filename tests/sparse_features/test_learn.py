"""One gradient step and ridge regression against a plain version in float64, and what they give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import root
from lottery_jax.sparse_features import data, directions, learn, links, one_step
from tests.oracles import one_step as oracle

DIM, SUPPORT = 12, 3
STRENGTHS = (1e-3, 1e-1, 10.0)
HE2 = links.hermite({2: 1.0})
TWO = links.hermite({(1, 0): 1.0, (0, 2): 1.0})
TRACED = []  # what was traced, and so compiled


def problem(link, seed, num_samples=1000):
    """Rows of a sparse model, and the masks dense, oracle and one that keeps nothing."""
    hidden = directions.flat(root(seed), DIM, SUPPORT, link.num_indices)
    source = data.generated(data.Model(link), hidden, root(seed + 100), rows=num_samples)
    inputs, targets = source.read(jnp.int32(0))
    is_kept = jnp.any(hidden != 0, axis=1)
    masks = jnp.stack([jnp.ones(DIM, bool), is_kept, jnp.zeros(DIM, bool)])
    return inputs, targets, masks


@jax.jit
def learn_held(inputs, targets, num_samples, masks):
    """Blocks of 128: 1000 rows, of which 800 are fitted, end within a block."""
    TRACED.append("learn_held")
    source = data.held(inputs, targets, rows=128)
    found = learn.learn(source, num_samples, masks, root(5), num_neurons=16, strengths=STRENGTHS)
    return found, learn.predict(found.network, inputs[:64])


@jax.jit
def learn_linear(inputs, targets, num_samples, masks):
    """The same with the linear part fitted first."""
    source = data.held(inputs, targets, rows=128)
    found = learn.learn(
        source, num_samples, masks, root(5), num_neurons=16, strengths=STRENGTHS, fits_linear=True
    )
    return found, learn.predict(found.network, inputs[:64])


def expected(inputs, targets, mask, biases, fits_linear):
    """The oracle from the same random numbers: those of the start, and the biases of the result."""
    masks = jnp.broadcast_to(mask, (1, DIM))
    begin = one_step.start(jax.random.fold_in(root(5), 0), masks, num_pairs=8)
    return oracle.learn(
        inputs,
        targets,
        mask,
        begin.weights[0],
        begin.biases,
        begin.signs,
        biases,
        STRENGTHS,
        fits_linear=fits_linear,
    )


@pytest.mark.parametrize(
    ("link", "run", "fits_linear"),
    [
        (HE2, learn_held, False),
        pytest.param(TWO, learn_linear, True, marks=pytest.mark.slow),
    ],
)
def test_networks_are_those_of_the_oracle(link, run, fits_linear):
    """Weights, errors for every strength, and outputs; 700 of 1000 rows, so 140 validate.

    A row whose neuron is within rounding of its kink would differ by 1/560 of it; none is here.
    """
    inputs, targets, masks = problem(link, 0)
    found, outputs = run(inputs, targets, jnp.int32(700), masks)
    network = found.network
    for place, mask in enumerate(np.asarray(masks)[:2]):
        known = expected(inputs[:700], targets[:700], mask, network.biases, fits_linear)
        pairs = np.asarray(network.weights[place])
        weights = np.concatenate([pairs, -pairs])
        np.testing.assert_allclose(weights, known.weights, atol=2e-5)
        np.testing.assert_allclose(found.validation[place], known.validation, rtol=2e-3)
        best = int(np.argmin(known.validation))
        assert float(found.strength[place]) == pytest.approx(STRENGTHS[best])
        rows = np.asarray(inputs[:64], np.float64)
        hidden = oracle.relu(rows, known.weights, np.asarray(network.biases))
        wanted = hidden @ known.second[best] + known.constant[best] + rows @ known.linear
        np.testing.assert_allclose(outputs[:, place], wanted, atol=2e-3)


def test_a_mask_that_keeps_nothing_gives_the_mean():
    """Its features are constant."""
    inputs, targets, masks = problem(HE2, 1)
    found, outputs = learn_held(inputs, targets, jnp.int32(1000), masks)
    assert not np.any(found.network.weights[2])
    np.testing.assert_allclose(outputs[:, 2], np.mean(targets[:800]), atol=1e-4)


def test_removed_inputs_change_nothing():
    """What the oracle's network gives does not depend on the other inputs, or on their targets."""
    inputs, targets, masks = problem(HE2, 2)
    network = learn_held(inputs, targets, jnp.int32(1000), masks)[0].network
    other = jnp.where(masks[1], inputs, 5.0)
    np.testing.assert_array_equal(
        learn.predict(network, inputs)[:, 1], learn.predict(network, other)[:, 1]
    )
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(
            learn.predict(network, inputs)[:, 0], learn.predict(network, other)[:, 0]
        )


def test_the_last_fifth_only_chooses_the_strength():
    """Other targets there change the errors of the strengths, and no weight of the first layer."""
    inputs, targets, masks = problem(HE2, 3)
    other = targets.at[800:].set(0)
    one, two = (learn_held(inputs, each, jnp.int32(1000), masks)[0] for each in (targets, other))
    np.testing.assert_array_equal(one.network.weights, two.network.weights)
    assert np.all(one.validation != two.validation)
    earlier = targets.at[799].set(0)
    three = learn_held(inputs, earlier, jnp.int32(1000), masks)[0]
    assert np.any(one.network.weights[:2] != three.network.weights[:2])


def test_no_number_of_samples_compiles_again():
    """The sweep over n is traced."""
    inputs, targets, masks = problem(HE2, 4)
    learn_held(inputs, targets, jnp.int32(500), masks)
    before = len(TRACED)
    for num_samples in (10, 501, 1000):
        learn_held(inputs, targets, jnp.int32(num_samples), masks)
    assert len(TRACED) == before > 0


def test_more_samples_than_there_are():
    """Where their number is not known at the call, all rows are what is used."""
    inputs, targets, masks = problem(HE2, 4)
    beyond, known = (
        learn_held(inputs, targets, jnp.int32(n), masks)[0] for n in (5000, len(inputs))
    )
    for one, other in zip(jax.tree.leaves(beyond), jax.tree.leaves(known), strict=True):
        np.testing.assert_array_equal(one, other)


def test_many_at_once():
    """Data and numbers of samples along an axis give what they give one by one."""
    each = [problem(HE2, seed) for seed in (8, 9)]
    stacked = (jnp.stack(parts) for parts in zip(*each, strict=True))
    inputs, targets, masks = stacked
    sizes = jnp.array([700, 1000], jnp.int32)
    found = jax.vmap(learn_held)(inputs, targets, sizes, masks)[0]
    for place, (size, problem_) in enumerate(zip(sizes, each, strict=True)):
        alone = learn_held(*problem_[:2], size, problem_[2])[0]
        np.testing.assert_allclose(found.network.weights[place], alone.network.weights, atol=1e-5)
        np.testing.assert_allclose(found.validation[place], alone.validation, rtol=1e-3)


def test_error_on_fresh_rows_is_the_mean_over_them():
    """With its standard error, over a number of rows that ends within a block."""
    inputs, targets, masks = problem(HE2, 5)
    network = learn_held(inputs, targets, jnp.int32(1000), masks)[0].network
    source = data.held(inputs, targets, rows=128)
    error = jax.jit(lambda: learn.fresh_error(network, source, 900))()
    squares = np.square(np.asarray(learn.predict(network, inputs[:900])) - targets[:900, None])
    np.testing.assert_allclose(error.mean, squares.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(error.deviation, squares.std(axis=0) / 30, rtol=1e-3)


def test_step_is_scaled_by_the_median():
    """Half of the lengths on either side of 1, whatever the scale of the targets."""
    inputs, targets, masks = problem(HE2, 6)
    for scale in (1.0, 1e-3):
        weights = learn_held(inputs, scale * targets, jnp.int32(1000), masks)[0].network.weights
        lengths = np.linalg.norm(weights[:2], axis=2)
        np.testing.assert_allclose(np.median(lengths, axis=1), 1, rtol=1e-5)


def test_pruning_helps_where_it_should():
    """From 200 rows the support alone gives less error than all inputs, and these than none."""
    inputs, targets, masks = problem(HE2, 7)
    found = learn_held(inputs, targets, jnp.int32(200), masks)[0]
    dense, kept, nothing = np.min(found.validation, axis=1)
    assert kept < dense < 1.2 * nothing


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"masks": jnp.ones((1, 5), bool)}, r"must be rows of 4 booleans"),
        ({"masks": jnp.ones((0, 4), bool)}, r"must be rows of 4 booleans"),
        ({"num_neurons": 7}, r"num_neurons=7 must be even: neurons"),
        ({"num_samples": 9}, r"num_samples=9 must be a whole number from 10"),
        ({"num_samples": jnp.int32(9)}, r"num_samples=9 must be a whole number from 10"),
        ({"num_samples": 3_000_000_000}, r"num_samples=3000000000 must be a whole number from 10"),
        ({"num_neurons": True}, r"num_neurons=True must be a whole number from 2"),
        ({"masks": [[1.0] * 4]}, r"must be rows of 4 booleans"),
        ({"key": jax.random.key(0, impl="rbg")}, r"repeats draws under vmap"),
        ({"num_samples": 51}, r"beyond the 50 rows"),
        ({"strengths": (0.0,)}, r"strengths=\(0.0,\) must be positive"),
    ],
)
def test_wrong_input_is_one_sentence(change, said):
    """At the call, before anything is compiled."""
    given = {"num_samples": 50, "masks": jnp.ones((1, 4), bool), "key": root(0)} | change
    source = data.held(jnp.ones((50, 4)), jnp.ones(50))
    with pytest.raises(ValueError, match=said):
        learn.learn(source, **given)
