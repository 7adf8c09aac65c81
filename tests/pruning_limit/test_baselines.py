"""Every way to prune: the asked number of zeros, the masks it should find, what it leaves alone."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax import training
from lottery_jax.core import keys
from lottery_jax.core.leaves import choose_leaves
from lottery_jax.pruning_limit import (
    after_training,
    at_start,
    baselines,
    gradual,
    iterative,
    lanes,
    ratios,
    scores,
)
from tests.pruning_limit.pruning_task import (
    BOUNDS,
    EPOCHS,
    REMOVED,
    SIZES,
    digits,
    small_task,
    vectors,
)

# Edge-popup trains by a program of its own, in a test file of its own.
NAMES = [name for name in baselines.METHODS if name != "edge_popup"]


@pytest.fixture(scope="module")
def pruned():
    """The networks of a method, computed once."""
    found = {}

    def of(name):
        if name not in found:
            found[name] = baselines.prune(name, small_task())
        return found[name]

    return of


@pytest.mark.parametrize("name", NAMES)
def test_exactly_the_asked_number_of_weights_is_zero(pruned, name):
    task = small_task()
    weights, kept = vectors(task, pruned(name).params), np.asarray(pruned(name).kept)
    assert weights.shape == kept.shape == (2, 2, sum(SIZES))
    assert np.sum(weights == 0, axis=2).tolist() == [[number] * 2 for number in REMOVED]
    np.testing.assert_array_equal(weights != 0, kept)


@pytest.mark.parametrize("name", NAMES)
def test_epochs_are_those_of_all_runs(pruned, name):
    expected = {
        "one_shot_global": [EPOCHS, EPOCHS],
        "one_shot_layerwise": [EPOCHS, EPOCHS],
        "fine_tuned": [2 * EPOCHS, 2 * EPOCHS],
        # Two epochs that all runs share; 4 rounds to a half and 5 more to a fifth of that.
        "iterative": [2 + 5 * (EPOCHS - 2), 2 + 10 * (EPOCHS - 2)],
    }
    found = pruned(name).epochs
    if name == "gradual":
        assert np.all((found > EPOCHS) & (found <= 2 * EPOCHS))
    else:
        assert found.tolist() == expected.get(name, [EPOCHS, EPOCHS])


def start_vectors(task):
    return vectors(task, lanes.starts(task).params)


def test_random_masks_follow_their_ratios_and_are_nested(pruned):
    counts = {"random_equal": ratios.equal_counts, "random_smart": ratios.smart_counts}
    for name, rule in counts.items():
        kept = np.asarray(pruned(name).kept)
        for place, removed in enumerate(REMOVED):
            expected = rule(SIZES, removed)
            for seed in range(2):
                mask = ~kept[place, seed]
                assert [mask[low:high].sum() for low, high in BOUNDS] == expected.tolist()
        assert not np.any(kept[1] & ~kept[0])
        assert not np.array_equal(kept[0, 0], kept[0, 1])


def test_magnitude_at_the_start_keeps_the_largest(pruned):
    sizes = np.abs(start_vectors(small_task()))
    for place, removed in enumerate(REMOVED):
        for seed in range(2):
            kept = np.asarray(pruned("magnitude_start").kept[place, seed])
            assert sizes[seed][~kept].max() < sizes[seed][kept].min()
            assert np.sum(~kept) == removed


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_scores_are_those_of_the_first_batch(pruned, name):
    """Found again for one seed, from the order that training documents and the plain loss."""
    task = small_task()
    key = task.keys[1]
    params, _ = task.model.init(keys.chunk(key, 0))
    stream = keys.lane(keys.chunk(keys.chunk(key, 1), 0), 0)
    first = jax.random.permutation(stream, jnp.arange(len(task.images), dtype=jnp.int32))[:32]

    @jax.jit
    def outputs(params, images):
        return task.model.apply(params, {}, images, True)[0]

    batch = task.images[first], task.labels[first]
    if name == "snip":
        found = scores.snip(scores.tempered_loss(outputs), params, batch, leaves=task.leaves)
    else:
        loss = scores.tempered_loss(outputs, temperature=200.0)
        found = scores.grasp(loss, params, batch, leaves=task.leaves)
    kept = np.asarray(pruned(name).kept[1, 1])
    ranked = np.argsort(np.asarray(found), kind="stable")
    # Rounding in another program may swap neighbours in rank.
    assert np.mean(kept[ranked[REMOVED[1] :]]) > 0.98


def test_one_shot_removes_the_smallest_trained_weights(pruned):
    task = small_task()
    dense = vectors(task, after_training.trained_dense(task).params)
    for name, bounds in (("one_shot_global", ((0, sum(SIZES)),)), ("one_shot_layerwise", BOUNDS)):
        kept, weights = np.asarray(pruned(name).kept), vectors(task, pruned(name).params)
        for place in range(2):
            for seed in range(2):
                mask = kept[place, seed]
                np.testing.assert_array_equal(weights[place, seed], dense[seed] * mask)
                for low, high in bounds:
                    part, is_kept = np.abs(dense[seed, low:high]), mask[low:high]
                    assert part[~is_kept].max() < part[is_kept].min()
    layerwise = np.asarray(pruned("one_shot_layerwise").kept[0, 0])
    assert [int(layerwise[low:high].sum()) for low, high in BOUNDS] == [768, 192, 80]


def test_fine_tuning_starts_from_the_pruned_weights_and_keeps_the_mask(pruned):
    before, after = pruned("one_shot_global"), pruned("fine_tuned")
    np.testing.assert_array_equal(before.kept, after.kept)
    images, labels = digits().test_images, digits().test_labels
    model = small_task().model
    gain = lanes.accuracies(model, after, images, labels) - lanes.accuracies(
        model, before, images, labels
    )
    assert gain.mean() > 0


def test_iterative_pruning_goes_back_to_the_very_same_weights(monkeypatch):
    """Bit by bit, at every round; and each mask lies within the one before."""
    task, runs, train = small_task(), [], lanes.train

    def spy(task, states, kept, **settings):
        trained = train(task, states, kept, **settings)
        runs.append((states, kept, trained, settings["num_epochs"]))
        return trained

    monkeypatch.setattr(lanes, "train", spy)
    found = iterative.iterative(task)
    first = start_vectors(task)
    assert len(runs) == 10
    assert all(num_epochs == EPOCHS for *_, num_epochs in runs)
    for (_, before, trained, _), (states, kept, *_) in itertools.pairwise(runs):
        np.testing.assert_array_equal(vectors(task, states.params), first)
        assert np.all(np.asarray(states.epoch) == 0)
        before, kept = np.asarray(before), np.asarray(kept)
        assert not np.any(kept & ~before)
        left = kept.sum(axis=1) / before.sum(axis=1)
        assert np.all((left < 1) & (left > 0.8 - 1e-2))
        sizes = np.abs(vectors(task, trained.params))
        for seed in range(2):  # the smallest of those that were left
            assert sizes[seed][before[seed] & ~kept[seed]].max() < sizes[seed][kept[seed]].min()
    np.testing.assert_array_equal(found.kept[-1], runs[-1][1])
    np.testing.assert_array_equal(
        vectors(task, found.params)[-1], vectors(task, runs[-1][2].params)
    )


def test_rewinding_late_goes_back_to_that_epoch(monkeypatch):
    task, runs, train = small_task(), [], lanes.train

    def spy(task, states, kept, **settings):
        runs.append((states, settings["num_epochs"]))
        return train(task, states, kept, **settings)

    monkeypatch.setattr(lanes, "train", spy)
    iterative.iterative(task, rewind=1)
    everything = jnp.ones((2, sum(SIZES)), bool)
    early = train(task, lanes.starts(task), everything, num_epochs=1)
    assert [num_epochs for _, num_epochs in runs] == [1] + [EPOCHS - 1] * 10
    for states, _ in runs[1:]:
        np.testing.assert_array_equal(vectors(task, states.params), vectors(task, early.params))
        assert states.epoch.tolist() == [1, 1]


def test_rounds_hit_every_asked_number():
    for asked, size in (([500], 1000), ([1, 2, 999], 1000), ([7500, 14850], 15000)):
        path = iterative.rounds(asked, size)
        assert [each[-1] for each in path] == asked
        left = [size] + [size - number for numbers in path for number in numbers]
        parts = [later / earlier for earlier, later in itertools.pairwise(left)]
        assert max(parts) < 1
        # Rounded to whole weights.
        assert all(part >= 0.8 - 1 / earlier for part, earlier in zip(parts, left, strict=False))


def test_a_rising_proximal_strength_makes_exact_zeros(monkeypatch):
    """The path is replayed in NumPy for one seed from its own states: zeros, and the mask taken."""
    task = small_task()
    monkeypatch.setattr(gradual, "STRENGTHS", (1e-3, 1.0))  # all is zero before the third epoch
    taken = {}
    tune = after_training.fine_tune

    def spy(task, params, state, kept, *, spent):
        taken["weights"], taken["kept"] = vectors(task, params).reshape(2, 2, -1), kept
        return tune(task, params, state, kept, spent=spent)

    monkeypatch.setattr(after_training, "fine_tune", spy)
    found = gradual.gradual(task)
    weights, kept = taken["weights"], np.asarray(taken["kept"])
    zeros = np.sum(weights == 0, axis=2)
    assert np.all(zeros < np.array(REMOVED)[:, None])  # taken before they are too many
    assert zeros.max() > 0
    sizes = np.abs(weights)
    for place in range(2):
        for seed in range(2):
            mask = kept[place, seed]
            assert sizes[place, seed][~mask].max() < sizes[place, seed][mask].min()
    assert np.all(found.epochs < 2 * EPOCHS + 1)


def raised(task, strengths):
    """What the path [seed, sparsity] comes to."""
    return gradual._raise_strength(
        lanes.starts(task),
        np.asarray(strengths, np.float32),
        task.num_removed,
        task.images,
        task.labels,
        model=task.model,
        recipe=task.recipe._replace(l1=0.0),
        leaves=task.leaves,
    )


def test_a_strong_penalty_leaves_nothing_and_a_weak_one_all():
    for strength, epochs in ((100.0, 1), (0.0, EPOCHS)):
        path = raised(small_task(), [strength] * EPOCHS)
        assert np.all(np.asarray(path.epochs) == epochs)


@pytest.mark.slow
def test_the_path_takes_the_proximal_steps_of_training():
    """With every parameter prunable, a constant strength is the penalty of a recipe."""
    task, strength = small_task(), 2e-3
    everything = choose_leaves(task.model.init(keys.root(0))[0], lambda path, leaf: True)
    path = raised(task._replace(leaves=everything, sparsities=(0.99,)), [strength] * EPOCHS)
    assert np.all(np.asarray(path.epochs) == EPOCHS)  # it does not come there
    recipe = task.recipe._replace(l1=strength, penalty="proximal")
    alone = training.fit(
        keys.root(0),  # not used: the start brings its own
        task.model,
        recipe,
        digits(),
        initial=training.start(task.keys[1], task.model, recipe),
        progress=False,
    )
    found = np.asarray(path.params["Dense_0"]["kernel"][1, 0])
    expected = np.asarray(alone.params["Dense_0"]["kernel"])
    # Products of matrices in a batch are summed in another order.
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert 0.1 < np.mean(expected == 0) < 0.99


def test_networks_to_prune_in_one_shot_are_trained_with_the_penalty():
    task = small_task()
    strong = task._replace(recipe=task.recipe._replace(l1=1e-3))
    none = task._replace(recipe=task.recipe._replace(l1=0.0))
    sizes = [
        np.abs(vectors(each, after_training.trained_dense(each).params)).sum()
        for each in (strong, none)
    ]
    assert sizes[0] < 0.95 * sizes[1]


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="method 'lottery' is not known; choose among random_e"):
        baselines.prune("lottery", small_task())
    with pytest.raises(ValueError, match="rewind=3 must lie between 0 and 2"):
        iterative.iterative(small_task(), rewind=3)
    assert at_start.counts_by_layer(small_task(), ratios.equal_counts).shape == (2, 3)
