"""Products against dense matrices by jax.hessian, finite differences and plain NumPy sums."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lottery_jax.core import compat
from lottery_jax.core.compat import make_mesh
from lottery_jax.core.leaves import choose_leaves
from lottery_jax.pruning_limit import measure
from lottery_jax.spectrum import products
from lottery_jax.spectrum.batches import evaluate_batches

rng = np.random.default_rng(3)
PARAMS = {
    "first": {
        "kernel": jnp.asarray(rng.normal(size=(5, 4)), jnp.float32),
        "bias": jnp.asarray(rng.normal(size=4), jnp.float32),
    },
    "last": {"kernel": jnp.asarray(rng.normal(size=(4, 3)), jnp.float32)},
}


def batch(size):
    images = rng.normal(size=(size, 5)).astype(np.float32)
    return images, rng.integers(0, 3, size).astype(np.int32)


BATCHES = [batch(8), batch(8), batch(3)]  # the last one is smaller, as it often is


def outputs(params, batch):
    hidden = jnp.tanh(batch[0] @ params["first"]["kernel"] + params["first"]["bias"][None])
    return hidden @ params["last"]["kernel"]


def losses_of(values, batch):
    chosen = jnp.take_along_axis(jax.nn.log_softmax(values), batch[1][:, None], axis=1)
    return -chosen[:, 0]


def loss_of(values, batch):
    return jnp.mean(losses_of(values, batch))


def loss(params, batch):
    return loss_of(outputs(params, batch), batch)


def dense_hessian(loss, params, batches, leaves):
    """jax.hessian of the mean over all examples at once, in one matrix."""
    weights = [len(batch[0]) for batch in batches]

    def total(vector):
        parts = [loss(leaves.replace(params, vector), batch) for batch in batches]
        return sum(n * part for n, part in zip(weights, parts, strict=True)) / sum(weights)

    return np.asarray(jax.jit(jax.hessian(total))(leaves.vector(params)))


def matrix_of(operator):
    return np.asarray(operator @ jnp.eye(operator.size, dtype=jnp.float32))


@pytest.mark.parametrize("keep", ["linearized", "data", "batch"])
def test_hessian_is_that_of_the_mean_over_examples(keep):
    leaves = choose_leaves(PARAMS)
    operator = products.hessian(loss, PARAMS, BATCHES, keep=keep)
    assert operator.size == leaves.size == 32
    assert operator.is_compiled == (keep != "batch")
    np.testing.assert_allclose(
        matrix_of(operator), dense_hessian(loss, PARAMS, BATCHES, leaves), atol=2e-6
    )


def test_leaves_choose_the_rows():
    leaves = choose_leaves(PARAMS, lambda path, leaf: path == "first/bias")
    operator = products.hessian(loss, PARAMS, BATCHES, leaves=leaves)
    np.testing.assert_allclose(
        matrix_of(operator), dense_hessian(loss, PARAMS, BATCHES, leaves), atol=2e-6
    )


@pytest.mark.parametrize("keep", ["linearized", "data", "batch"])
def test_gauss_newton_is_the_mean_of_j_a_j(keep):
    leaves = choose_leaves(PARAMS)
    operator = products.gauss_newton(outputs, loss_of, PARAMS, BATCHES, keep=keep)
    images = np.concatenate([images for images, _ in BATCHES])
    expected = np.zeros((leaves.size, leaves.size))
    for image in images:

        def logits(vector, image=image):
            return outputs(leaves.replace(PARAMS, vector), (image[None],))[0]

        vector = leaves.vector(PARAMS)
        jacobian = np.asarray(jax.jacobian(logits)(vector), np.float64)
        share = np.asarray(jax.nn.softmax(logits(vector)), np.float64)
        expected += jacobian.T @ (np.diag(share) - np.outer(share, share)) @ jacobian
    assert operator.is_semidefinite
    np.testing.assert_allclose(matrix_of(operator), expected / len(images), atol=2e-6)


def test_fisher_is_the_mean_of_outer_products():
    leaves = choose_leaves(PARAMS)
    operator = products.fisher(
        lambda params, batch: losses_of(outputs(params, batch), batch), PARAMS, BATCHES
    )
    expected, count = np.zeros((leaves.size, leaves.size)), 0
    for images, labels in BATCHES:
        for image, label in zip(images, labels, strict=True):
            slope = jax.grad(loss)(PARAMS, (image[None], label[None]))
            vector = np.asarray(leaves.vector(slope), np.float64)
            expected += np.outer(vector, vector)
            count += 1
    np.testing.assert_allclose(matrix_of(operator), expected / count, atol=2e-6)


def test_gradient_is_that_of_the_mean():
    leaves = choose_leaves(PARAMS)
    everything = tuple(np.concatenate(parts) for parts in zip(*BATCHES, strict=True))
    expected = leaves.vector(jax.grad(loss)(PARAMS, everything))
    found = products.gradient(loss, PARAMS, BATCHES, leaves=leaves)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("keep", ["linearized", "data", "batch"])
def test_examples_may_be_split_over_devices(keep):
    batches = [batch(8), batch(8)]
    alone = products.hessian(loss, PARAMS, batches, keep=keep)
    mesh = make_mesh(jax.devices()[:4])
    split = products.hessian(loss, PARAMS, batches, keep=keep, mesh=mesh)
    np.testing.assert_allclose(matrix_of(split), matrix_of(alone), atol=1e-6)
    with pytest.raises(ValueError, match="a batch of 3 examples cannot be split over 4 devices"):
        products.hessian(loss, PARAMS, BATCHES, keep=keep, mesh=mesh) @ jnp.ones((1, 32))


def test_new_values_compile_nothing():
    traces = []

    def counted(params, batch):
        traces.append(1)
        return loss(params, batch)

    vectors = jnp.ones((2, 32))
    for keep in ("linearized", "batch"):
        matrix_of(products.hessian(counted, PARAMS, BATCHES, keep=keep))
        products.hessian(counted, PARAMS, BATCHES, keep=keep) @ vectors
        traces.clear()
        again = jax.tree.map(lambda leaf: 2 * leaf, PARAMS)
        products.hessian(counted, again, BATCHES, keep="batch") @ vectors
        # Shapes are looked at for every batch; only compiling differentiates.
        assert len(traces) <= len(BATCHES)


def test_linen_and_nnx_models_are_pytrees_like_any_other():
    class Linen(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(jnp.tanh(nn.Dense(4)(x)))

    linen = Linen()
    params = linen.init(jax.random.key(0), jnp.zeros((1, 5)))
    graph, state = nnx.split(
        nnx.Sequential(
            nnx.Linear(5, 4, rngs=nnx.Rngs(0)), jnp.tanh, nnx.Linear(4, 3, rngs=nnx.Rngs(1))
        )
    )

    def linen_loss(params, batch):
        return loss_of(linen.apply(params, batch[0]), batch)

    def nnx_loss(state, batch):
        return loss_of(nnx.merge(graph, state)(batch[0]), batch)

    for function, held in ((linen_loss, params), (nnx_loss, state)):
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            operator = products.hessian(function, held, BATCHES)
            expected = dense_hessian(function, held, BATCHES, choose_leaves(held))
            assert operator.size == 32
            np.testing.assert_allclose(matrix_of(operator), expected, atol=2e-6)


@pytest.mark.parametrize("keep", ["linearized", "data", "batch"])
def test_convolutions_step_from_the_host_on_a_cpu(keep):
    kernels = {
        "conv": jnp.asarray(rng.normal(size=(2, 2, 1, 2)), jnp.float32),
        "last": jnp.asarray(rng.normal(size=(8, 3)), jnp.float32),
    }

    def convolved(params, batch):
        images = batch[0].reshape(-1, 3, 3, 1)
        dimensions = ("NHWC", "HWIO", "NHWC")
        hidden = jax.lax.conv_general_dilated(
            images, params["conv"], (1, 1), "VALID", dimension_numbers=dimensions
        )
        return loss_of(jnp.matmul(jnp.tanh(hidden).reshape(-1, 8), params["last"]), batch)

    batches = [
        (rng.normal(size=(size, 9)).astype(np.float32), rng.integers(0, 3, size).astype(np.int32))
        for size in (4, 4, 3)
    ]
    operator = products.hessian(convolved, kernels, batches, keep=keep)
    assert not operator.is_compiled
    expected = dense_hessian(convolved, kernels, batches, choose_leaves(kernels))
    np.testing.assert_allclose(matrix_of(operator), expected, atol=2e-6)


def test_losses_by_batch_weigh_by_examples():
    found = evaluate_batches(loss, PARAMS, BATCHES)
    everything = tuple(np.concatenate(parts) for parts in zip(*BATCHES, strict=True))
    assert found.mean == pytest.approx(float(loss(PARAMS, everything)), rel=1e-6)
    assert found.num_examples.tolist() == [8, 8, 3]
    assert found.deviation == pytest.approx(np.std(found.losses[:2]))  # the last is smaller
    assert found.num_compared == 2


def test_a_small_last_batch_leaves_the_deviation_as_it_is():
    """Losses of images are the same law for all; the mean of 2 scatters 8 times that of 128."""
    losses = rng.exponential(size=40 * 128 + 2).astype(np.float32)
    whole = [losses[start : start + 128] for start in range(0, 40 * 128, 128)]

    def mean(params, batch):
        del params
        return jnp.mean(batch)

    alone = evaluate_batches(mean, PARAMS, whole)
    beside = evaluate_batches(mean, PARAMS, [*whole, losses[-2:] + 5])
    assert beside.deviation == alone.deviation == pytest.approx(128**-0.5, rel=0.4)
    assert beside.mean > alone.mean


class Watched(Sequence):
    """Batches that note what is true whenever one is asked for."""

    def __init__(self, batches, look):
        self.batches, self.look, self.seen = batches, look, []

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        if number < len(self.batches):
            self.seen.append(self.look())
        return self.batches[number]


def test_a_gradient_holds_one_vector_whatever_the_number_of_batches():
    params = {"w": jnp.ones((7, 31))}

    def count():
        return sum(array.shape == (7 * 31,) for array in jax.live_arrays())

    def squares(params, batch):
        return jnp.mean(jnp.matmul(batch, params["w"]) ** 2)

    watched = Watched([np.ones((2, 7), np.float32)] * 12, count)
    products.gradient(squares, params, watched, leaves=choose_leaves(params))
    held = watched.seen[-12:]  # the last time that they are gone through
    assert max(held) <= min(held) + 1


def test_the_host_waits_for_the_batch_before_last(monkeypatch):
    """A CPU works on small programs at once, so it is told by what the host waits for."""
    params, waits = {"w": jnp.ones((2, 2))}, []
    wait = jax.block_until_ready

    def noted(tree):
        waits.append(len(jax.tree.leaves(tree)))
        return wait(tree)

    monkeypatch.setattr(jax, "block_until_ready", noted)

    def squares(params, batch):
        return jnp.mean(jnp.matmul(batch, params["w"]) ** 2)

    leaves = choose_leaves(params)
    asked = [  # and how many times the batches are gone through after the loop in question
        (lambda batches: evaluate_batches(squares, params, batches), 1),
        (lambda batches: products.gradient(squares, params, batches, leaves=leaves), 0),
        (lambda batches: products.hessian(squares, params, batches, keep="batch") @ jnp.eye(4), 0),
        (lambda batches: measure.sweep(squares, params, batches, [0.5]), 0),
    ]
    for ask, later in asked:
        watched = Watched([np.ones((2, 2), np.float32)] * 6, lambda: sum(waits))
        ask(watched)
        waited = watched.seen[: len(watched.seen) - 6 * later][-6:]
        assert np.all(np.diff(waited)[1:] == 1)  # for one result between any two batches


def test_a_loss_that_is_not_finite_says_at_which_batch():
    broken = [BATCHES[0], (np.full((8, 5), np.nan, np.float32), BATCHES[1][1])]
    with pytest.raises(ValueError, match="the loss is nan at batch 1 of 2"):
        products.hessian(loss, PARAMS, broken)


@pytest.mark.parametrize(
    ("function", "batches", "message"),
    [
        (loss, [], "there are no batches"),
        (
            loss,
            [(np.zeros((0, 5), np.float32), np.zeros(0, np.int32))],
            "batch 0 holds no examples",
        ),
        (outputs, BATCHES, r"gives shape=\(8, 3\) at batch 0; it must be a scalar"),
        (lambda params, batch: (loss(params, batch), 1.0), BATCHES, "gives shape='tuple'"),
        (lambda params, batch: jnp.int32(3), BATCHES, "gives int32 at batch 0; it must be a float"),
        (loss, [np.float32(1)], "batch 0 holds no array with an axis"),
    ],
)
def test_wrong_input_is_one_clear_error(function, batches, message):
    with pytest.raises(ValueError, match=message):
        products.hessian(function, PARAMS, batches)


@pytest.mark.parametrize("keep", ["linearized", "data", "batch"])
@pytest.mark.parametrize("kind", [jnp.float16, jnp.bfloat16, jnp.float64])
def test_parameters_of_other_types_have_float32_curvature(kind, keep):
    """Squares of a sum: curvature 1/2 everywhere, exact in any of the types."""
    with compat.enable_x64():
        params = {"w": jnp.ones((2, 2), kind)}
        batches = [np.ones(3, kind), np.ones(3, kind)]

        def square(params, batch):
            return jnp.mean(batch) * jnp.sum(params["w"]) ** 2 / 4

        hessian = products.hessian(square, params, batches, keep=keep)
        gauss = products.gauss_newton(
            lambda params, batch: jnp.sum(params["w"]) * batch,
            lambda out, batch: jnp.mean(out**2) / 4,
            params,
            batches,
            keep=keep,
        )
        leaves = choose_leaves(params)
        slope = products.gradient(square, params, batches, leaves=leaves)
        assert slope.dtype == (hessian @ jnp.eye(4, dtype=jnp.float32)).dtype == jnp.float32
        np.testing.assert_allclose(slope, 2, rtol=1e-2)
        for found in (hessian, gauss):
            np.testing.assert_allclose(matrix_of(found), 0.5, rtol=1e-2)


def test_fisher_wants_one_loss_per_example():
    with pytest.raises(ValueError, match=r"shape=\(\); it must give one loss per example"):
        products.fisher(loss, PARAMS, BATCHES)
