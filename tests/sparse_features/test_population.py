"""The closed-form gradient against quadrature, against samples, and where it is known."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lottery_jax.sparse_features import directions, hermite, links, population
from lottery_jax.sparse_features.data import Model, fold, generated
from tests.oracles import sparse_features as oracle
from tests.oracles.rates import FALSE_ALARM

PARTS = ("all", "even", "odd")
DIM = 6


def _terms(generator, exponent, num_indices):
    """Random terms of the two degrees from the information exponent on."""
    indices = itertools.product(range(exponent + 2), repeat=num_indices)
    wanted = [index for index in indices if exponent <= sum(index) <= exponent + 1]
    terms = {index: float(generator.standard_normal()) for index in wanted}
    norm = math.hypot(*terms.values())
    return {index: value / norm for index, value in terms.items()}


def _case(exponent, num_indices):
    generator = np.random.default_rng([exponent, num_indices])
    terms = _terms(generator, exponent, num_indices)
    link = links.hermite(terms)
    assert link.information_exponent == exponent
    columns = np.linalg.qr(generator.standard_normal((DIM, num_indices)))[0]
    weights = generator.standard_normal((4, DIM))
    weights[0] = columns @ generator.standard_normal(num_indices)  # in the span of V
    weights[1] -= columns @ (columns.T @ weights[1])  # orthogonal to it
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return terms, link, columns, weights, np.array([0.6, -0.9, -0.3, 1.1])


CASES = list(itertools.product((1, 2, 3), (1, 2, 3)))


@pytest.mark.parametrize(("exponent", "num_indices"), CASES)
def test_against_quadrature(exponent, num_indices):
    terms, link, columns, weights, biases = _case(exponent, num_indices)
    for part in PARTS:
        found = population.gradient(link, columns, weights, biases, part=part)
        wanted = [
            oracle.gradient(terms, columns, weight, bias, part)
            for weight, bias in zip(weights, biases, strict=True)
        ]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("exponent", "num_indices"), CASES)
def test_against_samples(exponent, num_indices):
    terms, link, columns, weights, biases = _case(exponent, num_indices)
    generator = np.random.default_rng([1, exponent, num_indices])
    inputs, targets = oracle.draw(generator, terms, columns, 50_000, noise=0.3)
    t = inputs @ weights.T
    slopes = np.stack([oracle.step(t, biases, part) for part in PARTS]) * targets[:, None]
    sums = np.einsum("pnu,ni->pui", slopes, inputs, optimize=True)
    squares = np.einsum("pnu,ni->pui", slopes**2, inputs**2, optimize=True)
    _check_means(sums, squares, len(inputs), _population(link, columns, weights, biases))


def test_against_the_rows_that_are_streamed():
    _, link, columns, weights, biases = _case(2, 2)
    source = generated(
        Model(link, noise=0.3), directions.given(columns), jax.random.key(8), rows=2000
    )
    weights32, biases32 = jnp.asarray(weights, jnp.float32), jnp.asarray(biases, jnp.float32)

    def add(state, inputs, targets, is_used):
        t = inputs @ weights32.T
        bias = jnp.broadcast_to(biases32, t.shape)
        slopes = jnp.stack([hermite.relu_derivative(t, bias, part=part) for part in PARTS])
        slopes *= jnp.where(is_used, targets, 0)[None, :, None]
        sums = jnp.einsum("pnu,ni->pui", slopes, inputs)
        return state[0] + sums, state[1] + jnp.einsum("pnu,ni->pui", slopes**2, inputs**2)

    zeros = jnp.zeros((3, *weights.shape), jnp.float32)
    run = jax.jit(lambda count: fold(source, 0, count, add, (zeros, zeros)))
    sums, squares = [np.asarray(each, np.float64) for each in run(jnp.int32(49_999))]
    _check_means(sums, squares, 49_999, _population(link, columns, weights, biases))


def _population(link, columns, weights, biases):
    each = [population.gradient(link, columns, weights, biases, part=part) for part in PARTS]
    return np.stack(each)


def _check_means(sums, squares, num_samples, wanted):
    mean = sums / num_samples
    error = np.sqrt((squares / num_samples - mean**2) / num_samples)
    reach = stats.norm.isf(FALSE_ALARM / mean.size / 2)
    assert np.all(np.abs(mean - wanted) < reach * error)
    # The control: even and odd parts exchanged, as the main text of the paper has them.
    assert np.any(np.abs(mean - wanted[[0, 2, 1]]) > reach * error)


def test_known_gradients():
    """Of f = He_2 / sqrt(2) in each of two directions; `links` halves the variance of 2."""
    link = links.hermite({(2, 0): 1.0, (0, 2): 1.0})
    columns = np.eye(5, 2)
    found = math.sqrt(2) * population.gradient(link, columns, np.eye(5), np.zeros(5))
    wanted = np.zeros((5, 5))
    wanted[0, 0] = wanted[1, 1] = 1 / (2 * math.sqrt(math.pi))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    by_quadrature = [
        oracle.gradient({(2, 0): 1.0, (0, 2): 1.0}, columns, unit, 0.0, "all") for unit in np.eye(5)
    ]
    np.testing.assert_allclose(by_quadrature, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("shift", "norm"), [(1.0, 0.0), (0.5, 0.1331), (0.2, 0.1023)])
def test_the_gradient_that_cancels_without_a_shift(shift, norm):
    terms: dict[tuple[int, ...], float] = {(2,): 1.0, (4,): 2 * math.sqrt(3)}
    columns = np.eye(3, 1)
    shifted = np.array([shift, 0.0, math.sqrt(1 - shift**2)])
    found = population.gradient(links.hermite(terms), columns, shifted, 0.0) * math.sqrt(13)
    np.testing.assert_allclose(
        found, oracle.gradient(terms, columns, shifted, 0.0, "all"), rtol=0, atol=1e-10
    )
    assert np.linalg.norm(found) == pytest.approx(norm, abs=5e-5 if norm else 1e-12)


def test_weights_of_any_length():
    _, link, columns, weights, biases = _case(2, 2)
    lengths = np.array([0.1, 1.0, 3.0, 20.0])
    found = population.gradient(link, columns, weights * lengths[:, None], biases * lengths)
    np.testing.assert_allclose(
        found, population.gradient(link, columns, weights, biases), rtol=0, atol=1e-12
    )
    one = population.gradient(link, columns, weights[2], biases[2])
    np.testing.assert_array_equal(
        one, population.gradient(link, columns, weights[None, 2], biases[None, 2])[0]
    )


def test_wrong_input():
    link = links.hermite({2: 1.0})
    gradient = functools.partial(population.gradient, link, np.eye(3, 1))
    with pytest.raises(ValueError, match="a weight is 0; a unit without direction"):
        gradient(np.zeros(3), 0.0)
    with pytest.raises(ValueError, match="a weight is nan; give finite"):
        gradient([np.nan, 0.0, 1.0], 0.0)
    with pytest.raises(ValueError, match="a bias is inf; give finite"):
        gradient(np.ones(3), np.inf)
    with pytest.raises(ValueError, match=r"shape \(4,\) and biases of shape \(\) do not fit 3"):
        gradient(np.ones(4), 0.0)
    with pytest.raises(ValueError, match=r"biases of shape \(2,\)"):
        gradient(np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="2 directions do not fit h2 of 1 variables"):
        population.gradient(link, np.eye(3, 2), np.ones(3), 0.0)
    with pytest.raises(ValueError, match="V is not orthonormal"):
        population.gradient(link, np.ones((3, 1)), np.ones(3), 0.0)
    rough = links.function(lambda z: jnp.sign(z[:, 0]), name="sign")
    with pytest.raises(ValueError, match="sign is no polynomial"):
        population.gradient(rough, np.eye(3, 1), np.ones(3), 0.0)
