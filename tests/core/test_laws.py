"""Sampled moments against the stated ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import LAWS, law
from lottery_jax.core.compat import enable_x64
from lottery_jax.core.laws import signs

NUM_DRAWS = 200_000


def _deviation(powers, expected):
    """Distance of a sample mean from `expected`, in its own standard errors."""
    return abs(powers.mean() - expected) / (powers.std() / np.sqrt(NUM_DRAWS))


@pytest.mark.parametrize("name", LAWS)
def test_moments(name):
    one = law(name)
    draws = one.sample(jax.random.key(0), (NUM_DRAWS,))
    assert draws.dtype == jnp.float32
    draws = np.asarray(draws, np.float64)
    for power, expected in ((1, one.mean), (2, one.variance), (4, one.fourth_moment)):
        # A normal deviate exceeds 4.9 once in a million. The heaviest powers here are not normal,
        # but err to the safe side: a missing large value also shrinks the standard error.
        assert _deviation(draws**power, expected) < 4.9
        assert _deviation(draws**power, expected + 3) > 4.9


def test_the_uniform_law_fills_its_interval():
    draws = law("uniform").sample(jax.random.key(1), (NUM_DRAWS,))
    assert -1 <= draws.min() < -0.999
    assert 0.999 < draws.max() <= 1


def test_the_uniform_stream_is_golden():
    draws = law("uniform").sample(jax.random.key(0), (3,))
    assert draws.tolist() == [0.895334005355835, 0.9571597576141357, -0.3354170322418213]


def test_signs_are_those_of_jax_with_64_bit_types_too():
    key = jax.random.key(3)
    wanted = jax.random.rademacher(key, (1000,), jnp.float32)
    assert jnp.array_equal(signs(key, (1000,)), wanted)
    with enable_x64():
        assert jnp.array_equal(signs(key, (1000,)), wanted)
        assert not jnp.array_equal(jax.random.rademacher(key, (1000,), jnp.float32), wanted)


def test_an_unknown_law_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"name='cauchy'.*normal, uniform, product_normal"):
        law("cauchy")
