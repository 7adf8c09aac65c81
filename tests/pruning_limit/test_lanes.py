"""Training in lanes is training one network, with weights that stay removed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax import training
from lottery_jax.core import keys
from lottery_jax.pruning_limit import lanes
from lottery_jax.training import Recipe
from tests.pruning_limit.pruning_task import (
    EPOCHS,
    REMOVED,
    SIZES,
    SPARSITIES,
    digits,
    small_task,
    vectors,
)


def test_numbers_removed_are_exact():
    task = small_task()
    assert task.leaves.size == sum(SIZES)
    assert task.num_removed.tolist() == list(REMOVED)
    assert small_task((0.29,)).num_removed.tolist() == [603]  # 603.2 rounded down


def test_a_lane_is_a_network_trained_alone():
    task = small_task()
    generator = np.random.default_rng(0)
    kept = jnp.asarray(generator.uniform(size=(4, task.leaves.size)) < 0.5)
    states = lanes.repeat(lanes.starts(task), 2)
    found = lanes.train(task, states, kept, num_epochs=EPOCHS)
    for lane in (3,):
        start = training.start(task.keys[lane % 2], task.model, task.recipe)
        alone = training.fit(
            keys.root(0),  # not used: the start brings its own
            task.model,
            task.recipe._replace(l1=0.0),
            digits(),
            mask=task.leaves.mask(kept[lane], start.params),
            initial=start,
            progress=False,
        )
        own = jax.tree.map(lambda leaf, lane=lane: leaf[lane], found.params)
        # Products of matrices in a batch are summed in another order.
        jax.tree.map(
            lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4),
            own,
            alone.params,
        )
    weights = vectors(task, found.params)
    assert np.all((weights != 0) == np.asarray(kept))


def test_seeds_do_not_depend_on_their_number():
    one, two = small_task(num_seeds=1), small_task()
    first = lanes.starts(one).params["Dense_0"]["kernel"]
    both = lanes.starts(two).params["Dense_0"]["kernel"]
    np.testing.assert_array_equal(first[0], both[0])
    assert not np.array_equal(both[0], both[1])


def test_accuracies_and_zeros_are_counted_in_the_networks():
    task = small_task()
    states = lanes.starts(task)
    kept = jnp.asarray(np.random.default_rng(1).uniform(size=(2, 2, task.leaves.size)) < 0.3)
    params, state = lanes.spread(lanes.repeat((states.params, states.state), 2), 2)
    pruned = lanes.Pruned(lanes.prune(task, params, kept), state, kept, np.zeros(2))
    zeros = lanes.num_zeros(task.leaves, pruned)
    np.testing.assert_array_equal(zeros, np.sum(~np.asarray(kept), axis=2))
    images, labels = digits().test_images, digits().test_labels
    found = lanes.accuracies(task.model, pruned, images, labels)
    one = jax.tree.map(lambda leaf: leaf[1, 0], pruned.params)
    assert found[1, 0] == training.evaluate(task.model, one, {}, images, labels).accuracy


def test_a_diverging_lane_is_named():
    task = small_task()
    states = lanes.starts(task)
    broken = jax.tree.map(lambda leaf: leaf.at[1].set(jnp.nan), states.params)
    everything = jnp.ones((2, task.leaves.size), bool)
    with pytest.raises(FloatingPointError, match=r"1 in 2 lanes .* learning_rate=0\.1"):
        lanes.train(task, states._replace(params=broken), everything, num_epochs=1)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"sparsities": ()}, "at least one"),
        ({"sparsities": (0.5, 1.0)}, r"\[0, 1\)"),
        ({"sparsities": (-0.1,)}, r"\[0, 1\)"),
        ({"sparsities": (float("nan"),)}, r"\[0, 1\)"),
        ({"sparsities": (0.9, 0.5)}, "must ascend"),
        ({"sparsities": (0.5, 0.5)}, "must ascend"),
        ({"num_seeds": 0}, "num_seeds=0"),
        ({"recipe": Recipe(-1.0)}, "learning_rate"),
        ({"recipe": Recipe(0.1, batch=5000)}, "batch=5000"),
        ({"chosen": lambda path, leaf: False}, "no prunable leaf"),
    ],
)
def test_settings_out_of_range_are_refused(settings, reason):
    given = {"recipe": Recipe(0.1), "sparsities": SPARSITIES, "num_seeds": 2} | settings
    with pytest.raises(ValueError, match=reason):
        lanes.task(keys.root(0), small_task().model, given.pop("recipe"), digits(), **given)
