"""Spectra of Hessians that fit into memory: stated errors, bounds, extremes, memory, scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.spectrum import (
    density,
    estimate,
    estimate_spectrum,
    mean_of,
    operator,
    spectrum_from,
)
from lottery_jax.spectrum.memory import memory_of
from tests.oracles import spectrum as oracle
from tests.spectrum.networks import dense_hessian


def resolvent(c):
    return lambda values: c / (c + np.abs(values))


SLOW = pytest.mark.slow
# Networks of 540, 1,200 and 2,500 parameters.
NETWORKS = [
    (8, 30, 10),
    pytest.param((20, 40, 10), marks=SLOW),
    pytest.param((40, 50, 10), marks=SLOW),
]


@pytest.mark.parametrize("widths", NETWORKS)
@pytest.mark.parametrize("method", ["deflated", pytest.param("full", marks=SLOW)])
def test_means_lie_within_their_stated_errors(widths, method):
    matrix = dense_hessian(widths)
    of = operator.dense(jnp.asarray(matrix))
    eigenvalues = oracle.eigenvalues(matrix)
    scales = np.abs(eigenvalues).max() * np.array([0.1, 0.01, 0.001])
    exact = [float(np.mean(resolvent(c)(eigenvalues))) for c in scales]
    inside, quartered = np.zeros((2, 3, 100), bool)
    errors = np.zeros((3, 100))
    for seed in range(100):
        spectrum = estimate_spectrum(of, key=keys.root(seed), products=160, method=method)
        assert spectrum.num_products <= 160
        for place, (c, truth) in enumerate(zip(scales, exact, strict=True)):
            found = mean_of(spectrum, resolvent(c))
            errors[place, seed] = found.value - truth
            inside[place, seed] = abs(found.value - truth) <= found.error
            quartered[place, seed] = abs(found.value - truth) <= found.error / 4
    print(inside.sum(axis=1), quartered.sum(axis=1), np.sqrt(np.mean(errors**2, axis=1)))
    assert np.all(inside.sum(axis=1) >= 95), inside.sum(axis=1)
    # The control: intervals of a quarter of the width hold the truth too seldom.
    assert np.any(quartered.sum(axis=1) < 95), quartered.sum(axis=1)


def test_gauss_and_radau_contain_the_quadratic_form_at_any_number_of_steps():
    square = dense_hessian(widths=(6, 20, 20)).astype(np.float64)
    matrix = (square @ square / np.abs(square).max()).astype(np.float32)  # no negative eigenvalue
    of = operator.dense(jnp.asarray(matrix), is_semidefinite=True)
    starts = jax.random.normal(keys.root(5), (4, of.size), jnp.float32)
    seen = [oracle.seen_from(matrix, start) for start in starts]
    largest = seen[0][0][-1]
    gaps = []
    for steps in (2, 3, 4, 7, 12, 30):
        spectrum = spectrum_from(of, starts, steps=steps)
        for part in (0.3, 0.03, 0.003):
            function = resolvent(part * largest)
            found = mean_of(spectrum, function, is_completely_monotone=True)
            for probe, (eigenvalues, parts) in enumerate(seen):
                truth = float(np.sum(parts * function(np.maximum(eigenvalues, 0))))
                # f moves by at most 1/c for each unit of a float32 error of H, of some units of
                # 6e-8 λmax for each of `steps` vectors: 1e-6 λmax / c, and c >= 0.003 λmax.
                margin = 1e-6 / part
                assert found.lower[probe] - margin <= truth <= found.upper[probe] + margin
                gaps.append(found.upper[probe] - found.lower[probe])
    assert max(gaps) > 0.05  # the bounds are not trivial at few steps
    assert np.median(gaps[-4:]) < 0.02  # and close with more


@pytest.mark.parametrize("widths", NETWORKS)
def test_extreme_eigenvalues(widths):
    matrix = dense_hessian(widths)
    exact = oracle.eigenvalues(matrix)
    spectrum = estimate_spectrum(operator.dense(jnp.asarray(matrix)), key=keys.root(0))
    assert abs(spectrum.largest / exact[-1] - 1) < 1e-4
    assert abs(spectrum.smallest / exact[0] - 1) < 1e-4
    # What is stated of memory counts on this.
    assert 0 < len(spectrum.outliers) <= estimate.plan_products(len(matrix)).outliers
    # The probes stay off the outliers: those that come back by rounding would be seen again.
    assert np.abs(spectrum.rules.gauss.nodes).max() < 0.5 * np.abs(exact).max()
    rounding = 1e-6 * exact[-1]
    assert np.abs(exact - spectrum.largest).min() <= spectrum.largest_error + rounding
    assert np.abs(exact - spectrum.smallest).min() <= spectrum.smallest_error + rounding
    for value, error in zip(spectrum.outliers, spectrum.outlier_errors, strict=True):
        assert np.abs(exact - value).min() <= error + rounding


def test_scaling_the_matrix_by_a_power_of_two_scales_everything_exactly():
    matrix = jnp.asarray(dense_hessian())
    scale = 2.0**-20
    plain, scaled = (
        estimate_spectrum(operator.dense(of), key=keys.root(3), products=100)
        for of in (matrix, matrix * np.float32(scale))
    )
    np.testing.assert_array_equal(scaled.nodes, scale * plain.nodes)
    np.testing.assert_array_equal(scaled.weights, plain.weights)
    assert scaled.null_share == plain.null_share
    places = np.linspace(plain.smallest, plain.largest, 7)
    first, second = density.density_of(plain, places), density.density_of(scaled, scale * places)
    np.testing.assert_allclose(second * scale, first, rtol=1e-12)
    first, second = (density.share_below(s, f * places) for s, f in ((plain, 1), (scaled, scale)))
    np.testing.assert_array_equal(first, second)


def test_densities_are_those_of_the_eigenvalues():
    matrix = oracle.spectrum_with(np.repeat([0.0, 1.0, 4.0], [30, 20, 10]), seed=2)
    of = operator.dense(jnp.asarray(matrix))
    spectrum = estimate_spectrum(of, key=keys.root(0), products=160, method="full")
    below = density.share_below(spectrum, np.array([-1.0, 0.5, 2.0, 5.0]))
    # Three distinct eigenvalues: a probe's weights are beta distributed with means 1/2, 1/3, 1/6.
    np.testing.assert_allclose(below, [0, 1 / 2, 5 / 6, 1], atol=0.15)
    places = np.linspace(-2, 6, 4001)
    density_there = density.density_of(spectrum, places, width=0.02)
    np.testing.assert_allclose(np.sum(density_there) * (places[1] - places[0]), 1, rtol=1e-3)
    assert abs(spectrum.null_share - 1 / 2) < 0.15
    for width in (0.0, -1.0):
        with pytest.raises(ValueError, match="positive"):
            density.density_of(spectrum, places, width=width)
    with pytest.raises(ValueError, match="negative"):
        density.share_below(spectrum, places, width=-1.0)


def test_functions_that_are_infinite_at_zero_are_taken_at_gauss_nodes():
    matrix = oracle.spectrum_with(np.linspace(1, 3, 60), seed=4)
    of = operator.dense(jnp.asarray(matrix))
    spectrum = estimate_spectrum(of, key=keys.root(1), products=160, method="full")

    def inverse(values):
        with np.errstate(divide="ignore"):
            return 1 / values

    found = mean_of(spectrum, inverse)
    assert abs(found.value - oracle.mean_of(matrix, inverse)) <= found.error + 1e-6


def test_memory_is_said_before_and_refused():
    of = operator.diagonal(jnp.ones(1000, jnp.float32))
    plan = estimate.plan_products(1000, 400)
    assert plan.products <= 400
    assert plan.memory(1000) < memory_of(1000, vectors=5, steps=80)
    with pytest.raises(MemoryError, match="fewer products"):
        estimate_spectrum(of, key=keys.root(0), memory_limit=1000)
    with pytest.raises(MemoryError, match="deflated"):
        estimate_spectrum(of, key=keys.root(0), method="full", memory_limit=1000)
    with pytest.raises(MemoryError, match="fewer steps"):
        spectrum_from(of, jnp.ones((1, 1000), jnp.float32), steps=64, memory_limit=1000)
    huge = operator.Operator(10**15, lambda arrays, vectors: vectors, (), True, True)
    with pytest.raises(MemoryError, match="GB"):
        estimate_spectrum(huge, key=keys.root(0))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"products": 15}, "at least 16"),
        ({"method": "exact"}, "method"),
        ({"memory_limit": 0}, "positive"),
    ],
)
def test_settings_outside_their_ranges(settings, reason):
    with pytest.raises(Exception, match=reason):
        estimate_spectrum(DIAGONAL, key=keys.root(0), **settings)


DIAGONAL = operator.diagonal(jnp.ones(40, jnp.float32))


def test_given_vectors_have_no_noise_but_a_change_of_steps():
    spectrum = spectrum_from(DIAGONAL, jnp.ones((1, 40), jnp.float32), steps=4)
    found = mean_of(spectrum, resolvent(1.0))
    assert (found.standard_error, found.error) == (0.0, 0.0)
    assert abs(found.value - 0.5) < 1e-6
    with pytest.raises(ValueError, match="steps=0"):
        spectrum_from(DIAGONAL, jnp.ones((1, 40), jnp.float32), steps=0)


def test_a_checkpointed_spectrum_is_the_same(tmp_path):
    of = operator.dense(jnp.asarray(dense_hessian()))
    plain = estimate_spectrum(of, key=keys.root(2), products=64)
    for _ in range(2):  # written, then read
        kept = estimate_spectrum(of, key=keys.root(2), products=64, checkpoint=tmp_path / "run")
        np.testing.assert_array_equal(kept.nodes, plain.nodes)
        np.testing.assert_array_equal(kept.outliers, plain.outliers)
