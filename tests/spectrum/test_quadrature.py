"""Stated errors of means, against spectra that are known because they were written down."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from lottery_jax.core import keys
from lottery_jax.spectrum import diagonal, estimate_spectrum, mean_of, spectrum_from
from lottery_jax.spectrum.operator import Operator
from lottery_jax.spectrum.quadrature import step_error_of

PARTS = (1e-1, 1e-2, 1e-3, 1e-4)  # of the largest eigenvalue
SEEDS = range(100, 106)


def spectra(size):
    """Eigenvalues of both signs and of one, of power laws, in decades, and like a network's."""
    half, quarter = size // 2, size // 4
    all_, few = np.arange(1, size + 1.0), np.arange(1, half + 1.0)
    decades = 10 ** (-6 * np.arange(half) / half)
    outliers = 5 * 0.8 ** np.arange(40)
    return {
        "1/i": 1 / all_,
        "1/√i": all_**-0.5,
        "decades": 10 ** (-6 * np.arange(size) / size),
        "uniform": np.linspace(0, 1, size),
        "±1/i": np.concatenate([1 / few, -0.3 / few]),
        "±1/i, even": np.concatenate([1 / few, -1 / few]),
        "±1/√i": np.concatenate([few**-0.5, -0.6 * few**-0.5]),
        "±i^-1.5": np.concatenate([few**-1.5, -0.1 * few**-1.5]),
        "±decades": np.concatenate([decades, -0.3 * decades]),
        "network": np.concatenate([outliers, 0.1 / few, -0.05 / np.arange(1, size - half - 39.0)]),
        "network with zeros": np.concatenate(
            [
                outliers,
                0.1 / few[:half],
                -0.03 / few[:quarter],
                np.zeros(size - 40 - half - quarter),
            ]
        ),
        "bulk": np.concatenate(
            [np.linspace(1, 5, 20), 0.2 * np.sin(np.linspace(-1.5, 1.5, size - 20))]
        ),
    }


def turned(values):
    """An operator with these eigenvalues, its eigenvectors spread over all entries.

    Against a diagonal matrix vectors of signs have no noise, or one of a few discrete values. A
    circulant matrix of random phases is orthogonal, and two Fourier transforms multiply by it.
    """
    size = len(values)
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, size // 2 + 1)
    phases[[0, -1]] = 0  # of real numbers
    turn = np.exp(1j * phases).astype(np.complex64)
    arrays = jnp.asarray(values, jnp.float32), jnp.asarray(turn)
    return Operator(size, _turned_product, arrays, True, False)


def _turned_product(arrays, vectors):
    values, turn = arrays
    there = jnp.fft.irfft(jnp.fft.rfft(vectors) * turn[None], len(values))
    back = jnp.fft.rfft(values[None] * there) * jnp.conj(turn)[None]
    return jnp.fft.irfft(back, len(values))


def resolvent(c):
    return lambda values: c / (c + np.abs(values))


def last_change(spectrum, function):
    """The control: what half of the steps add, which was all that was stated once."""
    means = [
        np.mean(np.sum(rule.weights * function(rule.nodes), axis=1))
        for rule in (spectrum, spectrum.half)
    ]
    return abs(means[0] - means[1])


def errors_of(eigenvalues, products):
    """Errors, and what is stated for steps, by the control and for noise: (kind, seed, part)."""
    values = eigenvalues.astype(np.float32)
    of, largest = turned(values), float(np.abs(values).max())
    found = np.zeros((4, len(SEEDS), len(PARTS)))
    for row, seed in enumerate(SEEDS):
        spectrum = estimate_spectrum(of, key=keys.root(seed), products=products, method="deflated")
        for place, part in enumerate(PARTS):
            function = resolvent(part * largest)
            estimate = mean_of(spectrum, function)
            truth = np.mean(function(values.astype(np.float64)))
            found[:, row, place] = (
                estimate.value - truth,
                estimate.step_error,
                last_change(spectrum, function),
                estimate.standard_error,
            )
            noise = special.stdtrit(3, 0.975) * estimate.standard_error
            assert estimate.error == pytest.approx(estimate.step_error + noise)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("size", [3000, 20_000])
def test_errors_are_within_what_is_stated(size):
    held, held_by_control, ratios, uncovered, uncovered_by_control = [], [], [], [], []
    # Four probes leave three degrees of freedom for each seed; 1e-6 on both sides together.
    quantile = special.stdtrit(3 * len(SEEDS), 1 - 5e-7)
    for name, eigenvalues in spectra(size).items():
        for products in (100, 400):
            error, steps, control, noise = errors_of(eigenvalues, products)
            # A float32 product errs by some 6e-8 λmax, and |λ| f'(λ) <= 1/4.
            interval = special.stdtrit(3, 0.975) * noise + 1e-7
            held.append(np.abs(error) <= steps + interval)
            held_by_control.append(np.abs(error) <= control + interval)
            # Over seeds the noise falls, and what is left is what the steps leave.
            left = np.abs(np.mean(error, axis=0)) - 1e-7
            left -= quantile * np.sqrt(np.mean(noise**2, axis=0) / len(SEEDS))
            ratio = (steps + interval).mean(axis=0) / (np.sqrt(np.mean(error**2, axis=0)) + 1e-7)
            print(f"{name}, {products} products: stated by true {ratio.round(1)}")
            ratios.append(ratio)
            uncovered += [(name, products)] if np.any(left > np.mean(steps, axis=0)) else []
            uncovered_by_control += (
                [(name, products)] if np.any(left > np.mean(control, axis=0)) else []
            )
    print(f"held {np.mean(held):.3f}, control {np.mean(held_by_control):.3f}")
    print(f"stated by true: {np.quantile(ratios, [0.05, 0.5, 0.95, 1]).round(1)}")
    assert uncovered == []
    assert np.mean(held) >= 0.95
    assert np.median(ratios) < 10  # and the interval is not so wide as to say nothing
    # The control: the last change alone, where eigenvalues of both signs meet at 0.
    assert ("±1/i", 100) in uncovered_by_control
    assert np.mean(held_by_control) < 0.85


def test_what_steps_may_still_change():
    # Changes of 4, 2 and then 1 + 1/2 + ... = 2 more, with rules that agree.
    assert step_error_of(10.0, half=12.0, quarter=16.0, gauss=10.0) == pytest.approx(2 + 2)
    # Changes that do not shrink: ten times the last.
    assert step_error_of(10.0, half=12.0, quarter=13.0, gauss=10.0) == pytest.approx(20)
    assert step_error_of(10.0, half=12.0, quarter=12.0, gauss=10.0) == pytest.approx(20)
    assert step_error_of(10.0, half=10.0, quarter=10.0, gauss=10.0) == 0
    assert step_error_of(10.0, half=10.0, quarter=10.0, gauss=11.0) == 1
    several = step_error_of(
        np.array([10.0, 10.0]),
        half=np.array([12.0, 10.0]),
        quarter=np.array([16.0, 10.0]),
        gauss=np.array([10.0, 11.0]),
    )
    np.testing.assert_allclose(several, [4, 1])


def test_bounds_are_given_only_where_they_are_proved():
    values = 1 / np.arange(1, 3001.0)
    of = diagonal(jnp.asarray(values, jnp.float32), is_semidefinite=True)
    function = resolvent(1e-3)
    spectrum = estimate_spectrum(of, key=keys.root(0), products=400, method="deflated")
    assert len(spectrum.outliers) > 0
    beside = mean_of(spectrum, function, is_completely_monotone=True)
    assert beside.lower is None
    assert beside.upper is None
    assert abs(beside.value - np.mean(function(values))) <= beside.error
    # The control: "lower bounds" of the probes' parts off the outliers lie above the truth.
    assert np.all(spectrum.rules.gauss.mean(function) > 1.01 * np.mean(function(values)))
    start = np.random.default_rng(1).normal(size=(2, 3000)).astype(np.float32)
    whole = mean_of(
        spectrum_from(of, jnp.asarray(start), steps=10), function, is_completely_monotone=True
    )
    parts = start.astype(np.float64) ** 2
    truth = np.sum(parts * function(values), axis=1) / np.sum(parts, axis=1)
    assert np.all(whole.lower < truth)
    assert np.all(truth < whole.upper)
    # Nor of a matrix with negative eigenvalues, or of a function that says nothing of itself.
    signed = spectrum_from(of._replace(is_semidefinite=False), jnp.asarray(start), steps=10)
    assert mean_of(signed, function, is_completely_monotone=True).lower is None
    assert mean_of(spectrum_from(of, jnp.asarray(start), steps=10), function).lower is None
