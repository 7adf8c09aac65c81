"""Networks: their sizes by independent arithmetic, and functions that repeat themselves."""

import collections
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax import models
from lottery_jax.core import keys
from lottery_jax.models import pooling

CIFAR = (32, 32, 3)


def dense(*widths):
    return sum(below * above + above for below, above in itertools.pairwise(widths))


def normalised(inputs, outputs, side):
    """A convolution without bias, and scale and shift of its normalisation."""
    return inputs * outputs * side**2 + 2 * outputs


def vgg16(classes):
    widths = [3, 64, 64, 128, 128, 256, 256, 256] + 6 * [512]
    pairs = itertools.pairwise(widths)
    return sum(normalised(a, b, 3) for a, b in pairs) + dense(512, classes)


def resnet_of_basic_blocks(depths, widths, classes):
    total, inputs = normalised(3, widths[0], 3), widths[0]
    for depth, width in zip(depths, widths, strict=True):
        total += normalised(inputs, width, 3) + (2 * depth - 1) * normalised(width, width, 3)
        total += normalised(inputs, width, 1) if inputs != width else 0
        inputs = width
    return total + dense(inputs, classes)


def resnet50(classes):
    total, inputs = normalised(3, 64, 3), 64
    for depth, width in ((3, 64), (4, 128), (6, 256), (3, 512)):
        total += normalised(inputs, 4 * width, 1)
        for _ in range(depth):
            total += normalised(inputs, width, 1) + normalised(width, width, 3)
            total += normalised(width, 4 * width, 1)
            inputs = 4 * width
    return total + dense(2048, classes)


FC12 = (3072, 1000, 900, 800, 750, 700, 650, 600, 500, 400, 200, 100, 10)
ALEXNET = [(3, 64, 11), (64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3)]
SMALL = [(3, 32, 3), (32, 64, 3), (64, 64, 3), (64, 64, 3)]
COUNTS = {
    ("mlp", 10): dense(3072, 100, 60, 30, 20, 10),
    ("cnn", 10): sum(a * b * side**2 + b for a, b, side in SMALL) + dense(64, 10),
    ("resnet8", 10): resnet_of_basic_blocks((1, 1, 1), (16, 32, 64), 10),
    ("fc5", 10): dense(3072, 1000, 600, 300, 100, 10),
    ("fc12", 10): dense(*FC12),
    ("alexnet", 10): sum(a * b * side**2 + b for a, b, side in ALEXNET) + dense(256, 10),
    ("vgg16", 10): vgg16(10),
    ("resnet18", 100): resnet_of_basic_blocks((2, 2, 2, 2), (64, 128, 256, 512), 100),
    ("resnet50", 100): resnet50(100),
}


@pytest.mark.parametrize(("name", "classes"), COUNTS)
def test_sizes_are_those_of_the_layers(name, classes):
    model = models.build(name, input_shape=CIFAR, num_classes=classes)
    assert models.count_parameters(model) == COUNTS[name, classes]
    params, state = jax.eval_shape(model.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((4, *CIFAR), jnp.float32)
    for is_training in (False, True):
        logits, new = jax.eval_shape(
            lambda p, s, i, t=is_training: model.apply(p, s, i, t), params, state, images
        )
        assert (logits.shape, logits.dtype) == ((4, classes), jnp.float32)
        assert jax.tree.structure(new) == jax.tree.structure(state)


# Convolutions by the side of the images they give, for images of 32 x 32 pixels.
SIDES = {
    "cnn": {32: 2, 16: 1, 8: 1},
    "resnet8": {32: 3, 16: 3, 8: 3},
    "alexnet": {8: 1, 4: 1, 2: 3},
    "vgg16": {32: 2, 16: 2, 8: 3, 4: 3, 2: 3},
    "resnet18": {32: 5, 16: 5, 8: 5, 4: 5},
    "resnet50": {32: 12, 16: 13, 8: 19, 4: 9},
}


@pytest.mark.parametrize("name", SIDES)
def test_images_shrink_where_they_should(name):
    model = models.build(name, input_shape=CIFAR, num_classes=10)
    params, state = jax.eval_shape(model.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((1, *CIFAR), jnp.float32)
    traced = jax.make_jaxpr(lambda p, s, i: model.apply(p, s, i, False))(params, state, images)
    assert collections.Counter(convolved_sides(traced.jaxpr)) == SIDES[name]


def convolved_sides(jaxpr):
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            _, height, width, _ = equation.outvars[0].aval.shape
            assert height == width
            yield height
        inner = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
        if inner is not None:
            yield from convolved_sides(getattr(inner, "jaxpr", inner))


def test_published_sizes():
    """Of the forms for CIFAR as they are commonly stated, in millions."""
    assert COUNTS["resnet18", 100] == 11_220_132
    assert COUNTS["resnet50", 100] == 23_705_252
    assert COUNTS["fc5", 10] - 2010 == 3_883_000  # weights alone
    assert set(models.NAMES) == {name for name, _ in COUNTS}


def test_prunable_weights_of_the_small_network_on_digits():
    model = models.build("mlp", input_shape=(8, 8, 1), num_classes=10)
    params, _ = model.init(keys.root(0))
    matrices = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim == 2]
    assert sum(leaf.size for leaf in matrices) == 15_000
    again, other = model.init(keys.root(0))[0], model.init(keys.root(1))[0]
    np.testing.assert_array_equal(params["Dense_0"]["kernel"], again["Dense_0"]["kernel"])
    assert not np.array_equal(params["Dense_0"]["kernel"], other["Dense_0"]["kernel"])


def test_fully_connected_outputs_are_those_of_the_matrices():
    model = models.build("mlp", input_shape=(2, 3, 1), num_classes=3, hidden=(5, 4))
    params, state = model.init(keys.root(1))
    params = jax.tree.map(lambda leaf: leaf + jnp.float32(0.1), params)
    images = np.random.default_rng(0).normal(size=(7, 2, 3, 1)).astype(np.float32)
    values = images.reshape(7, 6).astype(np.float64)
    for place in range(3):
        layer = params[f"Dense_{place}"]
        values = values if place == 0 else np.maximum(values, 0)
        values = values @ np.float64(layer["kernel"]) + np.float64(layer["bias"])
    found, _ = model.apply(params, state, jnp.asarray(images), False)
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6)


def test_small_convolutional_network_is_a_plain_loop_over_pixels():
    model = models.build("cnn", input_shape=(8, 9, 1), num_classes=3)
    params, state = model.init(keys.root(2))
    params = jax.tree.map(lambda leaf: leaf + jnp.float32(0.01), params)
    image = np.random.default_rng(1).normal(size=(8, 9, 1)).astype(np.float32)
    values = image.astype(np.float64)
    for place in range(4):
        values = np.maximum(convolved(values, params[f"Conv_{place}"]), 0)
        values = halved(values) if place in (1, 2) else values
    head = params["Dense_0"]
    expected = values.mean((0, 1)) @ np.float64(head["kernel"]) + np.float64(head["bias"])
    found, _ = model.apply(params, state, jnp.asarray(image)[None], False)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-5)


def convolved(values, layer):
    height, width, _ = values.shape
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    kernel = np.float64(layer["kernel"])
    found = np.zeros((height, width, kernel.shape[-1]))
    for row in range(height):
        for column in range(width):
            window = padded[row : row + 3, column : column + 3]
            found[row, column] = np.einsum("abi,abio->o", window, kernel)
    return found + np.float64(layer["bias"])


def halved(values):
    height, width, channels = values.shape
    found = np.zeros((height // 2, width // 2, channels))
    for row in range(height // 2):
        for column in range(width // 2):
            found[row, column] = values[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].max(
                (0, 1)
            )
    return found


def test_pooling_has_the_second_derivatives_of_a_maximum():
    """Of sum sin(max of each square): -sin at the largest pixel of a square, 0 elsewhere."""
    image = np.random.default_rng(3).normal(size=(1, 4, 5, 2)).astype(np.float32)
    curvature = np.zeros(image.shape)
    for row, column, channel in itertools.product((0, 2), (0, 2), (0, 1)):
        square = image[0, row : row + 2, column : column + 2, channel]
        down, right = np.unravel_index(square.argmax(), (2, 2))
        curvature[0, row + down, column + right, channel] = -np.sin(square.max())
    slope = jax.grad(lambda values: jnp.sum(jnp.sin(pooling.halve(values))))
    probes = np.random.default_rng(4).normal(size=(3, *image.shape)).astype(np.float32)
    product = jax.vmap(lambda probe: jax.jvp(slope, (jnp.asarray(image),), (probe,))[1])
    np.testing.assert_allclose(product(jnp.asarray(probes)), curvature * probes, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"name": "lenet"}, "choose one of mlp, cnn"),
        ({"input_shape": (8, 8)}, "height, width and channels"),
        ({"input_shape": (8, 0, 1)}, "height, width and channels"),
        ({"num_classes": 1}, "at least 2"),
        ({"name": "cnn", "hidden": (5,)}, "is for 'mlp'"),
        ({"hidden": ()}, "widths of at least 1"),
        ({"hidden": (5, 0)}, "widths of at least 1"),
        ({"name": "vgg16"}, "at least 32 pixels"),
    ],
)
def test_settings_out_of_range_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        models.build(**{"name": "mlp", "input_shape": (8, 8, 1), "num_classes": 10, **settings})


def test_equal_settings_give_one_object():
    first = models.build("mlp", input_shape=(8, 8, 1), num_classes=10, hidden=(7, 5))
    assert first is models.build("mlp", input_shape=(8, 8, 1), num_classes=10, hidden=(7, 5))


def test_flax_waits_for_the_first_network():
    import subprocess
    import sys

    code = "import sys, lottery_jax.models; assert 'flax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
