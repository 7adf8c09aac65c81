"""Training: each step against float64 written out, what repeats itself, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax import data, models, training
from lottery_jax.core import keys
from lottery_jax.core.checkpoint import CheckpointError
from lottery_jax.training import Recipe, epochs, evaluation, fitting, penalty

MODEL = models.build("mlp", input_shape=(2, 3, 1), num_classes=3, hidden=(5,))
GENERATOR = np.random.default_rng(1)
IMAGES = GENERATOR.normal(size=(11, 2, 3, 1)).astype(np.float32)
LABELS = GENERATOR.integers(0, 3, 11).astype(np.int32)
TINY = data.Dataset("tiny", IMAGES, LABELS, IMAGES[:5], LABELS[:5], 3)


def oracle_loss_and_gradient(params, images, labels):
    """Cross-entropy of a network with one hidden layer, and its slopes, in float64."""
    first, one, second, two = params
    pixels = np.float64(images).reshape(len(images), -1)
    before = pixels @ first + one
    hidden = np.maximum(before, 0)
    logits = hidden @ second + two
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(odds[np.arange(len(labels)), labels]))
    slope = (odds - np.eye(3)[labels]) / len(labels)
    back = (slope @ second.T) * (before > 0)
    return loss, [pixels.T @ back, back.sum(0), hidden.T @ slope, slope.sum(0)]


def oracle_training(params, batches, *, recipe, mask):
    """Descent with momentum in float64, one list of batches after the other."""
    params = [np.float64(leaf) * kept for leaf, kept in zip(params, mask, strict=True)]
    memory, losses = [np.zeros_like(leaf) for leaf in params], []
    for step, batch in enumerate(batches):
        loss, gradient = oracle_loss_and_gradient(params, IMAGES[batch], LABELS[batch])
        losses.append(loss)
        rate = recipe.learning_rate
        if recipe.schedule == "cosine":
            rate *= 0.5 + 0.5 * np.cos(np.pi * step / len(batches))
        for place, slope in enumerate(gradient):
            if recipe.penalty == "subgradient":
                slope = slope + recipe.l1 * np.sign(params[place])
            memory[place] = recipe.momentum * memory[place] + slope
            moved = params[place] - rate * memory[place]
            if recipe.penalty == "proximal":
                threshold = rate * recipe.l1 / (1 - recipe.momentum)
                moved = np.where(
                    moved > threshold,
                    moved - threshold,
                    np.where(moved < -threshold, moved + threshold, 0),
                )
            params[place] = moved * mask[place]
    return params, losses


def flat(params):
    layers = [params["Dense_0"], params["Dense_1"]]
    return [np.asarray(layer[name]) for layer in layers for name in ("kernel", "bias")]


def ones_like(params):
    return jax.tree.map(jnp.ones_like, params)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"l1": 0.02},
        {"l1": 0.02, "penalty": "proximal"},
        {"l1": 0.02, "penalty": "proximal", "schedule": "cosine"},
    ],
)
def test_steps_are_those_of_momentum_with_the_penalty(changes):
    recipe = Recipe(0.1, batch=4, epochs=3, **changes)
    state = training.start(keys.root(3), MODEL, recipe)
    start = flat(state.params)
    mask = ones_like(state.params)
    mask["Dense_0"]["kernel"] = mask["Dense_0"]["kernel"].at[1:4, 2:].set(0)
    batches = [epochs.order(state._replace(epoch=jnp.int32(n)), recipe, 11) for n in range(3)]
    expected, losses = oracle_training(
        start, np.concatenate(batches), recipe=recipe, mask=flat(mask)
    )
    run, found = fitting._compiled_epoch(MODEL, recipe), []
    for _ in range(3):
        state, mean_loss = run(state, jnp.asarray(IMAGES), jnp.asarray(LABELS), mask)
        found.append(float(mean_loss))
    # Float32 has 6e-8 of relative rounding; six steps with momentum enlarge it by less than 100.
    np.testing.assert_allclose(found, np.reshape(losses, (3, 2)).mean(1), rtol=1e-5)
    for leaf, wanted in zip(flat(state.params), expected, strict=True):
        np.testing.assert_allclose(leaf, wanted, rtol=0, atol=1e-5)
    assert np.all(flat(state.params)[0][1:4, 2:] == 0)
    fitted = training.fit(keys.root(3), MODEL, recipe, TINY, mask=mask, progress=False)
    for leaf, wanted in zip(flat(fitted.params), expected, strict=True):
        np.testing.assert_allclose(leaf, wanted, rtol=0, atol=1e-5)


def test_the_proximal_step_finds_the_minimum_with_the_penalty():
    """Of sum a/2 (w - b)^2 + l1 |w|: soft(b, l1 / a); and with exact zeros where |a b| <= l1."""
    curvature, centre = np.array([2.0, 1.0, 0.5, 1.0]), np.array([1.0, -0.02, 2.0, 0.1])
    recipe = Recipe(0.05, l1=0.1, penalty="proximal")
    expected = np.sign(centre) * np.maximum(np.abs(centre) - recipe.l1 / curvature, 0)
    weights, _ = descend(recipe, curvature, centre)
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(weights) == 0, expected == 0)
    assert list(expected == 0) == [False, True, False, True]
    # The subgradient step shares the minimum where it is not zero, and has no exact zeros.
    weights, _ = descend(recipe._replace(penalty="subgradient"), curvature, centre)
    np.testing.assert_allclose(np.asarray(weights)[[0, 2]], expected[[0, 2]], rtol=0, atol=1e-5)
    assert np.all(np.asarray(weights) != 0)


def descend(recipe, curvature, centre):
    import optax

    curvature, centre = jnp.asarray(curvature, jnp.float32), jnp.asarray(centre, jnp.float32)
    weights = jnp.full(4, 0.3, jnp.float32)

    def step(state, _):
        gradient = curvature * (state[0] - centre)
        return penalty.move(recipe, *state, gradient, jnp.float32(recipe.learning_rate)), None

    start = penalty.Moved(weights, optax.trace(recipe.momentum).init(weights))
    return jax.lax.scan(step, start, length=3000)[0]


def test_every_image_but_the_rest_is_used_once_an_epoch():
    recipe = Recipe(0.1, batch=3)
    state = training.start(keys.root(0), MODEL, recipe)
    first = np.asarray(epochs.order(state, recipe, 11))
    second = np.asarray(epochs.order(state._replace(epoch=jnp.int32(1)), recipe, 11))
    assert first.shape == second.shape == (3, 3)
    for order in (first, second):
        assert len(np.unique(order)) == 9
        assert order.min() >= 0
        assert order.max() <= 10
    assert not np.array_equal(first, second)


def test_lanes_are_single_trainings():
    recipe = Recipe(0.1, batch=4, l1=1e-3)
    images, labels = jnp.asarray(IMAGES), jnp.asarray(LABELS)
    roots = jax.vmap(lambda lane: keys.lane(keys.root(5), lane))(jnp.arange(3, dtype=jnp.uint32))
    states = jax.vmap(lambda key: training.start(key, MODEL, recipe))(roots)
    masks = jax.vmap(ones_like)(states.params)
    masks["Dense_1"]["kernel"] = masks["Dense_1"]["kernel"].at[1].set(0)
    run = jax.jit(jax.vmap(training.epoch(MODEL, recipe), (0, None, None, 0)))
    after, losses = run(states, images, labels, masks)
    for lane in range(3):
        state, mask = jax.tree.map(lambda leaf, n=lane: leaf[n], (states, masks))
        single, mean_loss = training.epoch(MODEL, recipe)(state, images, labels, mask)
        np.testing.assert_allclose(losses[lane], mean_loss, rtol=1e-5)
        for found, wanted in zip(flat(after.params), flat(single.params), strict=True):
            np.testing.assert_allclose(found[lane], wanted, rtol=0, atol=1e-6)
    assert np.all(np.asarray(after.params["Dense_1"]["kernel"])[1] == 0)
    assert np.all(np.asarray(after.params["Dense_1"]["kernel"])[0] != 0)


def test_steps_from_the_host_are_those_of_one_program(monkeypatch):
    recipe = Recipe(0.1, batch=4, epochs=3, l1=1e-3, schedule="cosine", augment=True)
    mask = ones_like(MODEL.init(keys.root(0))[0])
    mask["Dense_0"]["kernel"] = mask["Dense_0"]["kernel"].at[2:].set(0)
    whole = training.fit(keys.root(1), MODEL, recipe, TINY, mask=mask, progress=False)
    monkeypatch.setattr(fitting, "_is_one_program", lambda *_: False)
    stepped = training.fit(keys.root(1), MODEL, recipe, TINY, mask=mask, progress=False)
    for found, wanted in zip(flat(stepped.params), flat(whole.params), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert int(stepped.epoch) == int(whole.epoch) == 3


def test_convolutions_on_a_processor_are_stepped_from_the_host():
    is_one_program = fitting._is_one_program
    assert is_one_program({"kernel": jnp.zeros((2, 2))}, IMAGES)
    expected = jax.default_backend() != "cpu"
    assert is_one_program({"kernel": jnp.zeros((3, 3, 2, 2))}, IMAGES) is expected


def test_augmented_images_are_mirrored_and_shifted_ones():
    images = np.arange(1, 40 * 36 + 1, dtype=np.float32).reshape(40, 6, 6, 1)
    found = np.asarray(epochs._augment(keys.root(0), jnp.asarray(images)))
    seen = set()
    for image, result in zip(images, found, strict=True):
        matches = [
            (is_mirrored, down, right)
            for is_mirrored in (False, True)
            for down in range(9)
            for right in range(9)
            if np.array_equal(result, cut(image, is_mirrored, down, right))
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert {mirrored for mirrored, _, _ in seen} == {False, True}
    assert {0, 8} <= {down for _, down, _ in seen}
    assert {0, 8} <= {right for _, _, right in seen}


def cut(image, is_mirrored, down, right):
    image = image[:, ::-1] if is_mirrored else image
    return np.pad(image, ((4, 4), (4, 4), (0, 0)))[down : down + 6, right : right + 6]


def test_digits_are_learned():
    digits = data.load("digits")
    model = models.build("mlp", input_shape=(8, 8, 1), num_classes=10)
    trained = training.fit(keys.root(0), model, Recipe(0.05, epochs=15), digits, progress=False)
    assert evaluated(model, trained, digits.train_images, digits.train_labels).accuracy > 0.97
    assert evaluated(model, trained, digits.test_images, digits.test_labels).accuracy > 0.92


def evaluated(model, trained, images, labels):
    return training.evaluate(model, trained.params, trained.state, images, labels)


def test_evaluation_is_the_mean_over_images_however_they_are_cut(monkeypatch):
    params, state = MODEL.init(keys.root(2))
    expected, _ = oracle_loss_and_gradient(flat(params), IMAGES, LABELS)
    logits, _ = MODEL.apply(params, state, jnp.asarray(IMAGES), False)
    for chunk in (4, 11, 512):
        monkeypatch.setattr(evaluation, "_CHUNK", chunk)
        found = training.evaluate(MODEL, params, state, IMAGES, LABELS)
        np.testing.assert_allclose(found.loss, expected, rtol=1e-6)
        assert found.accuracy == np.mean(np.argmax(logits, axis=1) == LABELS)
    batch = jnp.asarray(IMAGES), jnp.asarray(LABELS)
    np.testing.assert_allclose(training.loss(MODEL, state)(params, batch), expected, rtol=1e-6)
    found = training.totals(MODEL)(params, state, *batch)
    np.testing.assert_allclose(found.loss, 11 * expected, rtol=1e-6)


def test_averages_of_normalisation_are_carried_and_kept_in_evaluation():
    model = models.from_linen("toy", with_normalisation(), input_shape=(2, 3, 1), num_classes=3)
    recipe = Recipe(0.1, batch=11, epochs=1)
    before = training.start(keys.root(0), model, recipe)
    after = training.fit(keys.root(0), model, recipe, TINY, progress=False)
    kernel = np.float64(before.params["Dense_0"]["kernel"])
    values = np.float64(IMAGES).reshape(11, 6) @ kernel
    averages = after.state["batch_stats"]["BatchNorm_0"]
    # They start at 0 and 1, and one step with the whole data moves them by a tenth.
    np.testing.assert_allclose(averages["mean"], 0.1 * values.mean(0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(averages["var"], 0.9 + 0.1 * values.var(0), rtol=0, atol=1e-6)
    single, state = model.apply(after.params, after.state, jnp.asarray(IMAGES[:1]), False)
    several, _ = model.apply(after.params, after.state, jnp.asarray(IMAGES), False)
    np.testing.assert_allclose(single, several[:1], rtol=1e-5, atol=1e-6)
    assert state is after.state


def with_normalisation():
    import flax.linen as nn

    class Toy(nn.Module):
        @nn.compact
        def __call__(self, images, is_training):
            values = nn.Dense(3, use_bias=False)(images.reshape(len(images), -1))
            return nn.BatchNorm(not is_training, momentum=0.9)(values)

    return Toy()


def test_a_stopped_training_goes_on_to_the_same_bit(tmp_path):
    recipe = Recipe(0.1, batch=4, epochs=5, l1=1e-3)
    options = dict(progress=False, checkpoint=tmp_path / "a.npz", checkpoint_every=2)
    whole = training.fit(keys.root(1), MODEL, recipe, TINY, progress=False)

    class StoppedError(Exception):
        pass

    def stop_after(number):
        save = fitting.files.save

        def spy(path, identity, arrays):
            save(path, identity, arrays)
            if int(arrays[".epoch"]) == number:
                raise StoppedError

        return spy

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting.files, "save", stop_after(2))
        with pytest.raises(StoppedError):
            training.fit(keys.root(1), MODEL, recipe, TINY, **options)
    resumed = training.fit(keys.root(1), MODEL, recipe, TINY, **options)
    again = training.fit(keys.root(1), MODEL, recipe, TINY, **options)  # nothing left to do
    for found in (resumed, again):
        assert int(found.epoch) == 5
        for leaf, wanted in zip(
            jax.tree.leaves(found._replace(key=None)),
            jax.tree.leaves(whole._replace(key=None)),
            strict=True,
        ):
            np.testing.assert_array_equal(leaf, wanted)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        training.fit(keys.root(2), MODEL, recipe, TINY, **options)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        training.fit(keys.root(1), MODEL, recipe._replace(l1=0.0), TINY, **options)


def test_training_goes_on_from_an_initial_state():
    recipe = Recipe(0.1, batch=4, epochs=4)
    whole = training.fit(keys.root(1), MODEL, recipe, TINY, progress=False)
    half = training.fit(keys.root(1), MODEL, recipe._replace(epochs=2), TINY, progress=False)
    rest = training.fit(keys.root(9), MODEL, recipe, TINY, initial=half, progress=False)
    for found, wanted in zip(flat(rest.params), flat(whole.params), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_diverging_training_stops_and_names_the_epoch():
    recipe = Recipe(1e30, batch=4, epochs=5)
    with pytest.raises(FloatingPointError, match=r"epoch [123] is .*; lower learning_rate=1e\+30"):
        training.fit(keys.root(0), MODEL, recipe, TINY, progress=False)


def test_the_paper_has_a_recipe_for_each_of_its_networks():
    assert set(training.PAPER) <= set(models.NAMES)
    assert {recipe.batch for recipe in training.PAPER.values()} == {128}
    assert {recipe.epochs for recipe in training.PAPER.values()} == {200}
    assert training.PAPER["resnet50"] == Recipe(0.1, momentum=0.9, l1=2e-5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"momentum": 1.0}, "momentum=1.0"),
        ({"l1": -1.0}, "l1=-1.0"),
        ({"penalty": "l1"}, "subgradient, proximal"),
        ({"schedule": "step"}, "constant, cosine"),
        ({"epochs": -1}, "epochs=-1"),
        ({"batch": 0}, "batch=0"),
        ({"batch": 12}, "between 1 and 11 images"),
    ],
)
def test_recipes_out_of_range_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        training.fit(keys.root(0), MODEL, Recipe(0.1, batch=4)._replace(**changes), TINY)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train_images": IMAGES[:, :1]}, "built for \\(2, 3, 1\\)"),
        ({"train_labels": LABELS[:3]}, "one label for each of 11 images"),
        ({"train_labels": LABELS + 1}, "labels lie between 1 and 3"),
        ({"train_labels": LABELS - 1}, "labels lie between -1 and 1"),
    ],
)
def test_examples_that_do_not_fit_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        training.fit(keys.root(0), MODEL, Recipe(0.1, batch=4), TINY._replace(**changes))


def test_masks_that_do_not_fit_are_refused():
    params, _ = MODEL.init(keys.root(0))
    wide = jax.tree.map(lambda leaf: jnp.ones((*leaf.shape, 1), jnp.float32), params)
    for mask, reason in (({"Dense_0": 1}, "structure"), (wide, "a leaf of the mask")):
        with pytest.raises(ValueError, match=reason):
            training.fit(keys.root(0), MODEL, Recipe(0.1, batch=4), TINY, mask=mask)


def test_a_checkpoint_needs_a_folder(tmp_path):
    with pytest.raises(ValueError, match="folder that exists"):
        training.fit(
            keys.root(0), MODEL, Recipe(0.1, batch=4), TINY, checkpoint=tmp_path / "no" / "a.npz"
        )
