"""Edge-popup: it chooses among weights that stay as they are, and chooses better than chance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.pruning_limit import baselines, edge_popup, lanes, ratios, scores
from tests.pruning_limit.pruning_task import (
    BOUNDS,
    EPOCHS,
    REMOVED,
    SIZES,
    SPARSITIES,
    digits,
    small_task,
    vectors,
)


@pytest.fixture(scope="module")
def found():
    return baselines.prune("edge_popup", small_task())


def test_exactly_the_asked_number_of_weights_is_zero(found):
    weights = vectors(small_task(), found.params)
    assert np.sum(weights == 0, axis=2).tolist() == [[number] * 2 for number in REMOVED]
    np.testing.assert_array_equal(weights != 0, found.kept)
    assert found.epochs.tolist() == [EPOCHS, EPOCHS]


def test_edge_popup_leaves_the_weights_untouched(found):
    """Bit by bit: signs of the start, one size in each layer, zero where removed."""
    task = small_task()
    weights, kept = vectors(task, found.params), np.asarray(found.kept)
    start = vectors(task, lanes.starts(task).params)
    for place, sparsity in enumerate(SPARSITIES):
        for seed in range(2):
            assert np.all(np.sign(weights[place, seed]) == np.sign(start[seed]) * kept[place, seed])
            for (low, high), inputs in zip(BOUNDS, (64, 24, 16), strict=True):
                values = weights[place, seed, low:high]
                sizes = np.unique(np.abs(values[values != 0]))
                assert len(sizes) == 1
                count = kept[place, seed, low:high].mean()
                np.testing.assert_allclose(sizes, (2 / (inputs * count)) ** 0.5, rtol=1e-6)
                assert abs(count - (1 - sparsity)) < 1 / 100
    for layer in range(3):
        assert not np.any(found.params[f"Dense_{layer}"]["bias"])


def test_edge_popup_beats_random_masks_of_the_same_weights(found):
    task = small_task()
    counts = np.stack([ratios.equal_counts(SIZES, n) for n in REMOVED])
    params = lanes.starts(task).params
    generator = np.random.default_rng(0)
    drawn = jnp.asarray(generator.uniform(size=(2, 2, sum(SIZES))), jnp.float32)
    kept = jnp.stack(
        [
            jnp.stack([ratios.keep_counts(drawn[s, n], BOUNDS, counts[s]) for n in range(2)])
            for s in range(2)
        ]
    )
    weights = [
        jax.vmap(lambda one, row=row: edge_popup.signed_constant(one, row, leaves=task.leaves))(
            params
        )
        for row in jnp.asarray(counts, jnp.int32)
    ]
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *weights)
    control = found._replace(params=lanes.prune(task, stacked, kept), kept=kept)
    images = digits().train_images, digits().train_labels
    chosen, random = (lanes.accuracies(task.model, each, *images) for each in (found, control))
    assert np.all(chosen[0] > 0.5)
    assert np.all(random < 0.35)


def test_the_gradient_goes_straight_through_the_choice():
    """d loss / d |score| is weight times d loss / d used weight, also where nothing is kept."""
    task = small_task()
    network = edge_popup.scored(task.model, task.leaves)
    params, state = network.init(keys.root(0))
    state = state._replace(counts=jnp.array([768, 192, 80], jnp.int32))
    images, labels = task.images[:20], task.labels[:20]

    def loss(params):
        return scores.tempered_loss(lambda p, x: network.apply(p, state, x, True)[0])(
            params, (images, labels)
        )

    slopes = np.asarray(jax.jit(jax.grad(loss))(params)["scores"])
    magnitudes = np.abs(np.asarray(params["scores"]))
    kept = np.concatenate(
        [magnitudes[low:high] > np.median(magnitudes[low:high]) for low, high in BOUNDS]
    )
    weights = vectors(task, state.params)
    used = task.leaves.replace(state.params, jnp.asarray(weights * kept))
    plain = scores.tempered_loss(lambda p, x: task.model.apply(p, {}, x, True)[0])
    slope = vectors(task, jax.jit(jax.grad(plain))(used, (images, labels)))
    expected = weights * slope * np.sign(np.asarray(params["scores"]))
    np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=1e-6)
    assert np.any(expected[~kept] != 0)


def test_the_largest_by_bisection_are_the_largest():
    generator = np.random.default_rng(3)
    values = jnp.asarray(np.abs(generator.normal(size=100)), jnp.float32)
    largest = jax.jit(edge_popup._largest)
    for removed in (0, 1, 37, 99, 100):
        kept = np.asarray(largest(values, jnp.int32(removed)))
        assert np.sum(~kept) == removed
        assert set(np.argsort(values)[removed:]) == set(np.flatnonzero(kept))
    tied = jnp.array([0.0, 1.0, 1.0, 2.0])
    assert largest(tied, jnp.int32(2)).tolist() == [False, True, True, True]
