"""The grid: rounding against fractions, uniform weights, magnitudes that are refused."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery_jax.core import root
from lottery_jax.quantized.grid import MAX_BITS, check_fits, round_nearest, sample, steps
from tests.oracles.quantized_network import round_to
from tests.oracles.rates import assert_rate

INT32 = st.integers(-(2**31), 2**31 - 1)
ENDS = [-(2**31), -(2**31) + 1, -(2**30), -1, 0, 1, 2**30, 2**31 - 2, 2**31 - 1]


def nearest(value: int, divisor: int) -> int:
    return int(round_to(Fraction(value, divisor), Fraction(1)))


@settings(max_examples=200, deadline=None)
@given(st.lists(INT32, min_size=9, max_size=9), st.integers(0, 30))
def test_rounding_is_that_of_fractions_for_powers_of_two(values, power):
    rounded = round_nearest(jnp.array(values + ENDS, jnp.int32), 2**power)
    assert rounded.tolist() == [nearest(value, 2**power) for value in values + ENDS]


@pytest.mark.parametrize("divisor", [1, 2, 3, 4, 7, 64, 2**31 - 1])
def test_ties_go_toward_zero(divisor):
    values = [*range(-40, 41), *ENDS]
    rounded = round_nearest(jnp.array(values, jnp.int32), divisor)
    assert rounded.tolist() == [nearest(value, divisor) for value in values]


def test_rounding_refuses_other_divisors():
    for divisor in (0, -4, 2**31):
        with pytest.raises(ValueError, match="divisor"):
            round_nearest(jnp.zeros(1, jnp.int32), divisor)


def test_weights_are_uniform_on_all_points():
    for bits in (0, 3):
        drawn = np.asarray(sample(root(3), (50_000,), bits=bits))
        size = 2 * 2**bits + 1
        assert drawn.min() == -(2**bits)
        assert drawn.max() == 2**bits
        for value in range(-(2**bits), 2**bits + 1):
            assert_rate(int(np.sum(drawn == value)), 50_000, 1 / size)
        with pytest.raises(AssertionError):
            assert_rate(int(np.sum(drawn == 0)), 50_000, 1.1 / size)


def test_bits_and_magnitudes_are_refused():
    for bits in (-1, MAX_BITS + 1, True):
        with pytest.raises(ValueError, match=f"from 0 to {MAX_BITS}"):
            steps(bits)
    check_fits(2**31 - 1, "a sum", "")
    with pytest.raises(ValueError, match=r"a sum may reach 2147483648.*use less"):
        check_fits(2**31, "a sum", "use less")
