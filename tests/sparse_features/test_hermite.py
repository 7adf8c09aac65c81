"""Hermite polynomials and coefficients against NumPy, adaptive quadrature and closed forms."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial import hermite_e
from scipy import integrate, stats

from lottery_jax.sparse_features import hermite
from tests.oracles import sparse_features as oracle

BIASES = np.array([-1.3, -0.4, 0.0, 0.7, 2.1])


def test_polynomials_are_those_of_numpy():
    points = np.linspace(-4, 4, 33)
    for max_degree in (0, 1, 2, 9):
        wanted = hermite_e.hermevander(points, max_degree).T
        np.testing.assert_allclose(hermite.evaluate_host(points, max_degree), wanted, rtol=1e-12)
        found = hermite.evaluate(jnp.asarray(points, jnp.float32), max_degree)
        assert found.dtype == jnp.float32
        # Each step of the recursion adds a rounding or two of the largest value on the way.
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())


def test_coefficients_across_kinks_in_closed_form():
    root = math.sqrt(2 / math.pi)
    # E |t| He_k and E sign(t) He_k by parts: derivatives of He at 0.
    np.testing.assert_allclose(
        hermite.coefficients(np.abs, 6), [root, 0, root, 0, -root, 0, 3 * root], atol=1e-12
    )
    np.testing.assert_allclose(
        hermite.coefficients(np.sign, 5), [0, root, 0, -root, 0, 3 * root], atol=1e-12
    )
    # A jump elsewhere is found only where it is named.
    jump = hermite.coefficients(lambda t: np.heaviside(t - 0.3, 0.0), 1, kinks=(0.3,))
    np.testing.assert_allclose(jump, [stats.norm.sf(0.3), stats.norm.pdf(0.3)], atol=1e-12)
    unnamed = hermite.coefficients(lambda t: np.heaviside(t - 0.3, 0.0), 1)
    assert abs(unnamed[0] - jump[0]) > 1e-4


def test_relu_coefficients_by_adaptive_quadrature():
    found = hermite.relu_coefficients(BIASES, 8)
    for bias, row in zip(BIASES, found, strict=True):
        for degree, value in enumerate(row):
            basis = [0] * degree + [1]

            def integrand(t, bias=bias, basis=basis):
                return (t + bias) * hermite_e.hermeval(t, basis) * stats.norm.pdf(t)

            wanted, _ = integrate.quad(integrand, -bias, 14, epsabs=1e-11, limit=200)
            assert value == pytest.approx(wanted, abs=1e-9)


def test_activations_by_quadrature_are_the_closed_forms():
    relu = hermite.activation_coefficients(lambda t: np.maximum(t, 0), BIASES, 10)
    np.testing.assert_allclose(relu, hermite.relu_coefficients(BIASES, 10), atol=1e-10)
    # E sin(g + b) He_k(g) is the mean of the k-th derivative, a sine shifted by k quarter turns.
    sine = hermite.activation_coefficients(np.sin, BIASES, 6)
    quarter_turns = np.arange(7) * np.pi / 2
    np.testing.assert_allclose(
        sine, math.exp(-0.5) * np.sin(BIASES[:, None] + quarter_turns), atol=1e-12
    )


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_relu_coefficients_of_any_shape(shape):
    biases = np.linspace(-1, 1, math.prod(shape)).reshape(shape)
    for max_degree in (0, 1, 2, 5):
        assert hermite.relu_coefficients(biases, max_degree).shape == (*shape, max_degree + 1)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (np.abs, 2),
        (lambda t: np.maximum(t, 0), 1),
        (lambda t: t**3 - 3 * t, 3),
        (lambda t: t**4 - 6 * t**2, 4),
        (lambda t: t**2 - 1 + 1e-9 * t, 1),  # far above rounding
    ],
)
def test_information_exponent(function, wanted):
    assert hermite.information_exponent(hermite.coefficients(function, 8)) == wanted


def test_no_information_exponent_from_rounding():
    with pytest.raises(ValueError, match="degree 1 to 3 is above rounding"):
        hermite.information_exponent(hermite.coefficients(lambda t: t**4 - 6 * t**2, 3))


@pytest.mark.parametrize("part", ["all", "even", "odd"])
def test_parts_of_the_derivative(part):
    t = np.linspace(-2.03, 2.01, 41).astype(np.float32)
    for bias in (-0.8, 0.8):
        biases = np.full_like(t, bias)
        found = hermite.relu_derivative(jnp.asarray(t), jnp.asarray(biases), part=part)
        np.testing.assert_array_equal(found, oracle.step(t, biases, part))


def test_parts_of_the_derivative_as_sums_over_magnitudes():
    """The forms by |t| against |b| that streamed scores add up."""
    t = np.linspace(-2.03, 2.01, 41).astype(np.float32)
    for bias in (-0.8, 0.8):
        biases = jnp.full(len(t), bias, jnp.float32)
        beyond = np.abs(t) > abs(bias)
        even = hermite.relu_derivative(jnp.asarray(t), biases, part="even")
        np.testing.assert_array_equal(even, np.sign(t) * beyond / 2)
        odd = hermite.relu_derivative(jnp.asarray(t), biases, part="odd")
        within = (1 + (np.abs(t) < bias)) / 2
        np.testing.assert_array_equal(odd, within if bias > 0 else beyond / 2)


def test_wrong_input():
    with pytest.raises(ValueError, match="part='plus' is unknown; choose all, even, odd"):
        hermite.check_part("plus")
    with pytest.raises(ValueError, match="not finite at"):
        hermite.coefficients(lambda t: np.where(t > 3, np.inf, t), 2)
    with pytest.raises(ValueError, match=r"gives \(1,\) for points"):
        hermite.coefficients(lambda t: np.ones(1), 2)
