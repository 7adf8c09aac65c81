"""Scores of untrained networks against finite differences, dense Hessians and plain loops."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core.leaves import choose_leaves
from lottery_jax.pruning_limit import scores

WIDTHS = (5, 6, 4, 3)


def network(seed, widths=WIDTHS, biases=0.0):
    generator = np.random.default_rng(seed)
    return {
        f"layer_{number}": {
            "kernel": jnp.asarray(generator.normal(size=shape) / shape[0] ** 0.5, jnp.float32),
            "bias": jnp.asarray(biases * generator.normal(size=shape[1]), jnp.float32),
        }
        for number, shape in enumerate(itertools.pairwise(widths))
    }


@jax.jit
def outputs(params, images):
    values = images
    for number in range(len(params)):
        layer = params[f"layer_{number}"]
        values = values if number == 0 else jnp.maximum(values, 0)
        values = values @ layer["kernel"] + layer["bias"][None]
    return values


def batch(seed, size=12):
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(size, WIDTHS[0])).astype(np.float32)
    return jnp.asarray(images), jnp.asarray(generator.integers(0, WIDTHS[-1], size), jnp.int32)


def oracle_loss(kernels, biases, images, labels, temperature):
    """The mean cross-entropy in float64."""
    values = images
    for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        values = (values if number == 0 else np.maximum(values, 0)) @ kernel + bias
    values = values / temperature
    top = values.max(axis=1)
    sums = np.log(np.exp(values - top[:, None]).sum(axis=1)) + top
    return np.mean(sums - values[np.arange(len(labels)), labels])


def oracle_gradient_and_hessian(params, images, labels, temperature=1.0):
    """By central differences of the float64 loss: steps of 1e-4, errors of 1e-8 and 1e-7."""
    layers = [params[f"layer_{number}"] for number in range(len(params))]
    shapes = [layer["kernel"].shape for layer in layers]
    biases = [np.float64(layer["bias"]) for layer in layers]
    start = np.concatenate([np.float64(layer["kernel"]).ravel() for layer in layers])
    bounds = np.cumsum([0, *(np.prod(shape) for shape in shapes)])

    def loss(vector):
        kernels = [
            vector[low:high].reshape(shape)
            for low, high, shape in zip(bounds, bounds[1:], shapes, strict=False)
        ]
        return oracle_loss(kernels, biases, np.float64(images), np.asarray(labels), temperature)

    step, size = 1e-4, len(start)
    units = np.eye(size) * step
    gradient = np.array([loss(start + unit) - loss(start - unit) for unit in units]) / (2 * step)
    hessian = np.zeros((size, size))
    for row in range(size):
        for column in range(row + 1):
            both, less = units[row] + units[column], units[row] - units[column]
            corners = loss(start + both) + loss(start - both)
            corners -= loss(start + less) + loss(start - less)
            hessian[row, column] = hessian[column, row] = corners / (4 * step**2)
    return start, gradient, hessian


def test_snip_is_weight_times_slope_of_the_loss():
    params, (images, labels) = network(0, biases=0.1), batch(1)
    leaves = choose_leaves(params)
    found = scores.snip(scores.tempered_loss(outputs), params, (images, labels), leaves=leaves)
    weights, gradient, _ = oracle_gradient_and_hessian(params, images, labels)
    # Rounding of float32 in a network this small, and of the differences.
    np.testing.assert_allclose(found, np.abs(weights * gradient), rtol=1e-4, atol=1e-6)


def test_grasp_is_weight_times_hessian_times_gradient():
    temperature = 3.0
    params, (images, labels) = network(2, biases=0.1), batch(3)
    loss = scores.tempered_loss(outputs, temperature=temperature)
    found = scores.grasp(loss, params, (images, labels), leaves=choose_leaves(params))
    weights, gradient, hessian = oracle_gradient_and_hessian(params, images, labels, temperature)
    expected = weights * (hessian @ gradient)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    assert np.sign(expected).min() < 0 < np.sign(expected).max()


def test_grasp_removes_what_leaves_the_largest_gradient():
    """To first order, and so for small steps towards zero: |g|^2 rises most without the lowest."""
    params, (images, labels) = network(4), batch(5)
    leaves, loss = choose_leaves(params), scores.tempered_loss(outputs)
    found = np.asarray(scores.grasp(loss, params, (images, labels), leaves=leaves))
    order = np.argsort(found)

    def gradient_size(places):
        shrunk = np.array(leaves.vector(params))
        shrunk[places] *= np.float32(0.99)
        slope = jax.grad(loss)(leaves.replace(params, jnp.asarray(shrunk)), (images, labels))
        return float(jnp.sum(leaves.vector(slope) ** 2))

    now, few = gradient_size([]), 10
    assert gradient_size(order[:few]) > now > gradient_size(order[-few:])


def oracle_synflow(kernels, num_removed, rounds):
    """Scores and removals of a network without biases, layer by layer in float64."""
    kernels = [np.abs(np.float64(kernel)) for kernel in kernels]
    size = sum(kernel.size for kernel in kernels)
    kept = [np.ones(kernel.shape, bool) for kernel in kernels]
    bounds = np.cumsum([0, *(kernel.size for kernel in kernels)])
    for number in range(1, rounds + 1):
        present = [kernel * mask for kernel, mask in zip(kernels, kept, strict=True)]
        flows = []
        for place, kernel in enumerate(present):
            before = np.ones(len(kernels[0]))
            for earlier in present[:place]:
                before = before @ earlier
            after = np.ones(kernels[-1].shape[1])
            for later in reversed(present[place + 1 :]):
                after = later @ after
            flows.append(before[:, None] * kernel * after[None, :])
        ranked = np.concatenate(
            [np.where(mask, flow, -1).ravel() for flow, mask in zip(flows, kept, strict=True)]
        )
        removed = num_removed
        if number < rounds:
            removed = int(np.floor(size - size * (1 - num_removed / size) ** (number / rounds)))
        flat = np.ones(size, bool)
        flat[np.argsort(ranked, kind="stable")[:removed]] = False
        kept = [
            flat[low:high].reshape(kernel.shape)
            for low, high, kernel in zip(bounds, bounds[1:], kernels, strict=False)
        ]
    return np.concatenate([mask.ravel() for mask in kept])


@pytest.mark.parametrize(("num_removed", "rounds"), [(0, 3), (20, 1), (31, 7), (40, 100)])
def test_synflow_keeps_what_a_plain_loop_keeps(num_removed, rounds):
    """While paths are many: two weights that are one path's only ones have equal flows."""
    params = network(6)
    found = scores.synflow(
        outputs,
        params,
        num_removed,
        input_shape=(WIDTHS[0],),
        leaves=choose_leaves(params),
        rounds=rounds,
    )
    kernels = [params[name]["kernel"] for name in sorted(params)]
    expected = oracle_synflow(kernels, num_removed, rounds)
    np.testing.assert_array_equal(found, expected)
    assert np.sum(~found) == num_removed


def test_the_flow_is_the_same_through_every_layer():
    """The conservation law (Tanaka et al., theorem 1), of the flow that the package ranks by."""
    params = network(7)
    leaves = choose_leaves(params)
    positive = jax.tree.map(jnp.abs, params)
    ones = jnp.ones((1, WIDTHS[0]))
    slope = jax.grad(lambda params: jnp.sum(outputs(params, ones)))(positive)
    flow = np.asarray(leaves.vector(positive) * leaves.vector(slope))
    sums = [flow[start:stop].sum() for start, stop in leaves.bounds]
    np.testing.assert_allclose(sums, float(jnp.sum(outputs(positive, ones))), rtol=1e-5)


def test_synflow_leaves_no_layer_empty_where_one_round_does():
    """A layer with small weights behind wide ones: SNIP's one round would remove all of it."""
    params = network(8, widths=(20, 20, 2, 3))
    leaves = choose_leaves(params)
    removed = leaves.size - 12
    by_layer = {}
    for rounds in (1, 100):
        kept = scores.synflow(
            outputs, params, removed, input_shape=(20,), leaves=leaves, rounds=rounds
        )
        by_layer[rounds] = [int(kept[start:stop].sum()) for start, stop in leaves.bounds]
    assert min(by_layer[100]) >= 1
    assert min(by_layer[1]) == 0  # the control


def test_a_traced_number_maps_over_lanes():
    params = network(9)
    leaves = choose_leaves(params)

    def keep(num_removed):
        return scores.synflow(
            outputs, params, num_removed, input_shape=(5,), leaves=leaves, rounds=5
        )

    removed = jnp.array([0, 10, 40, leaves.size - 1], jnp.int32)
    kept = jax.jit(jax.vmap(keep))(removed)
    assert (leaves.size - np.sum(kept, axis=1)).tolist() == removed.tolist()


def test_settings_out_of_range_are_refused():
    params = network(0)
    with pytest.raises(ValueError, match=r"temperature=0\.0"):
        scores.tempered_loss(outputs, temperature=0.0)
    with pytest.raises(ValueError, match="rounds=0"):
        scores.synflow(outputs, params, 1, input_shape=(5,), leaves=choose_leaves(params), rounds=0)
