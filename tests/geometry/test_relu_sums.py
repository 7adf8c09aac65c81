"""The exact sup against points, against itself by other methods, and against closed forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.geometry import (
    rounding_bound,
    sup_faces,
    sup_on_sphere,
    sup_over_ball,
    sup_plane,
    sup_space,
)
from tests.oracles.sampled_sup import hard_instances, sampled_sup

OUTPUTS = ("linear", "relu")
SHAPES = [(2, 2), (2, 5), (3, 4), (4, 3), (6, 4), (1, 3), (2, 12), (3, 7)]


def normal_instance(seed, neurons, dim):
    rng = np.random.default_rng(seed)
    draws = rng.choice([-1.0, 1.0], neurons), rng.normal(size=(neurons, dim)), rng.normal(size=dim)
    return tuple(jnp.array(x, jnp.float32) for x in draws)


def assert_equals_best_point(instance, output):
    exact = float(sup_over_ball(*instance, output=output))
    sampled, climbed = sampled_sup(*instance, output)
    assert sampled <= climbed <= exact + float(rounding_bound(*instance[1:]))
    assert exact == pytest.approx(climbed, rel=1e-4)  # what the climb reaches with 4e5 points


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("dim", "neurons"), SHAPES)
def test_no_point_errs_more_and_the_best_errs_as_much(dim, neurons, output):
    assert_equals_best_point(normal_instance(dim + neurons, neurons, dim), output)


@pytest.mark.slow
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("dim", "neurons"), SHAPES)
def test_no_point_errs_more_for_many_seeds(dim, neurons, output):
    for seed in range(100, 112):
        assert_equals_best_point(normal_instance(seed, neurons, dim), output)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("method", [sup_plane, sup_space])
@pytest.mark.parametrize("neurons", [1, 4])
def test_every_method_gives_the_same(method, neurons, output):
    instances = hard_instances(neurons, 800, neurons, 2 if method is sup_plane else 3)
    listed, general = (
        jax.jit(jax.vmap(functools.partial(f, output=output)))(*instances)
        for f in (method, sup_faces)
    )
    bound = jax.vmap(rounding_bound)(*instances[1:])
    assert np.all(np.abs(listed - general) <= bound)


@pytest.mark.parametrize("method", [sup_plane, sup_space, sup_faces])
@pytest.mark.parametrize("output", OUTPUTS)
def test_padding_with_zero_vectors_changes_nothing(method, output):
    signs, vectors, target = normal_instance(5, 2, 3 if method is sup_space else 2)
    padded = jnp.concatenate([signs, jnp.ones(2)]), jnp.pad(vectors, ((0, 2), (0, 0))), target
    expected = sup_over_ball(signs, vectors, target, output=output)
    sup = jax.jit(functools.partial(method, output=output))
    np.testing.assert_allclose(sup(*padded), expected, rtol=1e-6)


@pytest.mark.parametrize("method", [sup_plane, sup_space, sup_faces])
def test_nothing_kept_errs_by_the_target(method):
    dim = 3 if method is sup_space else 2
    target = jnp.arange(1.0, dim + 1)
    for output in OUTPUTS:
        sup = jax.jit(functools.partial(method, output=output))
        error = sup(jnp.zeros(0), jnp.zeros((0, dim)), target)
        np.testing.assert_allclose(error, np.linalg.norm(target), rtol=1e-6)
        assert sup(jnp.ones(1), jnp.zeros((1, dim)), 0 * target) == 0


def test_a_face_on_the_negative_side_of_every_plane_around_it():
    """The octant of negative coordinates, where one neuron is on, whose plane is elsewhere."""
    vectors = jnp.concatenate([0.1 * jnp.eye(3), -jnp.array([[3.0, 2.0, 1.0]])])
    for method in (sup_space, sup_faces):
        sup = jax.jit(method)(jnp.ones(4), vectors, jnp.full(3, 0.1))
        np.testing.assert_allclose(sup, np.sqrt(14), rtol=1e-6)


@pytest.mark.parametrize("dim", [2, 3, 5])
@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2, 1.7, np.pi])
@pytest.mark.parametrize("size", [0.2, 0.9, 1.03, 1.5, 4.0])
def test_one_neuron_of_any_angle_and_size(dim, angle, size):
    """Lemma 10's geometry in closed form: theory note, exact fact 6."""
    vector = size * np.pad([np.cos(angle), np.sin(angle)], (0, dim - 2))
    cosine = np.cos(angle)
    if angle >= np.pi / 2:
        expected = max(1, size)
    elif size <= cosine or size >= 1 / cosine:
        expected = np.sqrt(1 - 2 * size * cosine + size**2)
    else:
        expected = max(1, size) * np.sin(angle)
    computed = sup_over_ball(np.ones(1), vector[None], np.eye(dim)[0])
    np.testing.assert_allclose(computed, expected, atol=2e-6)


def test_a_relu_after_the_sum_hides_negative_values():
    """A sum that is never positive leaves the target's size; without the ReLU it adds to it."""
    instance = -np.ones(1), 2 * np.eye(1, 2), np.eye(2)[0]
    assert float(sup_over_ball(*instance)) == 3
    assert float(sup_over_ball(*instance, output="relu")) == 1


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("dim", "neurons"), [(2, 5), (3, 4), (4, 3)])
def test_scaling_rotating_and_reordering(dim, neurons, output):
    signs, vectors, target = normal_instance(1, neurons, dim)
    exact = sup_over_ball(signs, vectors, target, output=output)
    agrees = functools.partial(np.testing.assert_allclose, rtol=3e-6)
    agrees(sup_over_ball(signs, vectors, target, 2.5, output), 2.5 * exact)
    agrees(sup_over_ball(signs, 4 * vectors, 4 * target, output=output), 4 * exact)
    agrees(sup_over_ball(signs[::-1], vectors[::-1], target, output=output), exact)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(dim, dim)))[0]
    turned = vectors @ rotation.astype(np.float32), target @ rotation.astype(np.float32)
    agrees(sup_over_ball(signs, *turned, output=output), exact)


def test_jit_and_vmap():
    instances = hard_instances(0, 8, 3, 4)
    each = [float(sup_over_ball(*(x[i] for x in instances))) for i in range(8)]
    together = jax.jit(jax.vmap(sup_over_ball))(*instances)
    np.testing.assert_allclose(together, each, rtol=1e-5)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("dim", "neurons"), [(2, 3), (3, 6), (7, 2)])
def test_traced_values_that_are_not_finite_show(dim, neurons, output):
    signs, vectors, target = normal_instance(0, neurons, dim)
    sup = jax.jit(functools.partial(sup_on_sphere, output=output))
    for bad in (np.nan, np.inf):
        assert not jnp.isfinite(sup(signs.at[1].set(bad), vectors, target))
        assert not jnp.isfinite(sup(signs, vectors.at[1, 0].set(bad), target))
        assert not jnp.isfinite(sup(signs, vectors, target.at[1].set(bad)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(signs=np.ones(3)), r"signs \(k,\)"),
        (dict(target=np.ones(4)), r"target \(dim,\)"),
        (dict(vectors=np.ones(2)), r"vectors \(k, dim\)"),
        (dict(vectors=np.ones((2, 0)), target=np.ones(0)), "dim=0"),
        (dict(target=np.array([1, np.nan])), "target reaches nan"),
        (dict(vectors=np.full((2, 2), 1e20)), r"vectors reaches 1\.0*\d*e.20"),
        (dict(signs=np.array([1, np.inf])), "signs reaches inf"),
        (dict(radius=0.0), "radius=0.0 must be positive"),
        (dict(radius=np.inf), "radius=inf must be positive"),
        (dict(output="tanh"), "output='tanh' must be one of"),
        (dict(signs=np.ones(11), vectors=np.ones((11, 4)), target=np.ones(4)), "at most 10"),
        (dict(signs=np.ones(8), vectors=np.ones((8, 9)), target=np.ones(9)), "at most 7"),
    ],
)
def test_wrong_arguments(changes, message):
    arguments = dict(signs=np.ones(2), vectors=np.ones((2, 2)), target=np.ones(2)) | changes
    with pytest.raises(ValueError, match=message):
        sup_over_ball(**arguments)
