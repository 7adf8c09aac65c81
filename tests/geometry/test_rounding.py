"""The float32 sup stays within its rounding bound, on inputs chosen to break it."""

import functools
import subprocess
import sys

import jax
import numpy as np
import pytest

from lottery_jax.geometry import rounding_bound, sup_faces, sup_plane, sup_space
from tests.oracles.sampled_sup import face_sup, hard_instances

CASES = [
    (sup_plane, 2, 4),
    (sup_space, 3, 3),
    (sup_faces, 3, 3),
    (sup_faces, 4, 2),
    (sup_faces, 5, 3),
    (sup_faces, 20, 2),
]


def worst_share_of_bound(method, dim, neurons, output, *, seed, batch):
    instances = hard_instances(seed, batch, neurons, dim)
    computed = jax.jit(jax.vmap(functools.partial(method, output=output)))(*instances)
    difference = np.abs(np.asarray(computed, np.float64) - face_sup(*instances, output))
    bound = np.asarray(jax.vmap(rounding_bound)(*instances[1:]), np.float64)
    return np.max(difference / np.where(bound > 0, bound, 1))


@pytest.mark.parametrize("output", ["linear", "relu"])
@pytest.mark.parametrize(("method", "dim", "neurons"), CASES)
def test_float32_stays_within_the_bound(method, dim, neurons, output):
    assert worst_share_of_bound(method, dim, neurons, output, seed=1, batch=400) <= 1 / 2


@pytest.mark.slow
@pytest.mark.parametrize("output", ["linear", "relu"])
@pytest.mark.parametrize(
    ("method", "dim", "neurons"), [*CASES, (sup_faces, 2, 3), (sup_space, 3, 2), (sup_faces, 4, 4)]
)
def test_float32_stays_within_the_bound_often(method, dim, neurons, output):
    assert worst_share_of_bound(method, dim, neurons, output, seed=2, batch=10_000) <= 1 / 2


def test_directions_below_rounding_do_not_leak_into_the_span():
    """The first vector leaves the target's line by 1e-16 to 1e-4, the second by all its length."""
    rng = np.random.default_rng(0)
    batch = 400
    target = np.tile(np.eye(6)[0] * 0.6 + np.eye(6)[1] * 0.8, (batch, 1)).astype(np.float32)
    vectors = np.stack([rng.uniform(0.5, 2, (batch, 1)) * target, rng.normal(size=(batch, 6))], 1)
    vectors[:, 0, 2] = 10.0 ** rng.uniform(-16, -4, batch)
    instances = np.ones((batch, 2), np.float32), vectors.astype(np.float32), target
    difference = np.abs(jax.jit(jax.vmap(sup_faces))(*instances) - face_sup(*instances))
    assert np.all(difference <= jax.vmap(rounding_bound)(*instances[1:]))


def test_the_bound_is_not_idle():
    """A twentieth of it would be exceeded: the constant is within reach of real rounding."""
    assert worst_share_of_bound(sup_space, 3, 3, "linear", seed=1, batch=400) > 1 / 20


def test_float64_inputs_are_decided_in_float64():
    script = (
        "import jax; jax.config.update('jax_enable_x64', True)\n"
        "jax.config.update('jax_numpy_dtype_promotion', 'strict')\n"
        "import numpy as np\n"
        "from lottery_jax.geometry import sup_over_ball\n"
        "for dim in (2, 3, 5):\n"
        "    vector = np.zeros((1, dim)); vector[0, :2] = np.cos(1e-9), np.sin(1e-9)\n"
        "    for output in ('linear', 'relu'):\n"
        "        sup = sup_over_ball(np.ones(1), vector, np.eye(dim)[0], 2.0, output)\n"
        "        assert abs(float(sup) / 2e-9 - 1) < 1e-6, (dim, sup)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
