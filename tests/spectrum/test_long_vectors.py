"""A million entries: what float32 sums do to a spectrum, and what sums within blocks keep."""

import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.spectrum import blocks, estimate_spectrum, lanczos, mean_of, operator, quadrature

SIZE = 10**6
# Random signs see a diagonal matrix without noise, so that what is left is arithmetic and steps.
EIGENVALUES = 1 / np.arange(1, SIZE + 1.0)
DIAGONAL = operator.diagonal(jnp.asarray(EIGENVALUES, jnp.float32), is_semidefinite=True)


def stiff(c):
    return lambda values: np.abs(values) / (c + np.abs(values))


def error_of_full(steps, c):
    """Of tr(H / (c + H)), relative to it, by one probe with a full basis."""
    start = blocks.rademacher(keys.root(0), 1, SIZE)
    run = lanczos.extend(DIAGONAL, lanczos.begin(DIAGONAL, start), steps)
    spectrum = quadrature.spectrum_of(
        lanczos.coefficients(run), size=SIZE, num_products=steps, is_semidefinite=True
    )
    return mean_of(spectrum, stiff(c)).value / np.mean(stiff(c)(EIGENVALUES)) - 1


@pytest.mark.slow
def test_traces_of_a_million_eigenvalues_keep_their_digits(monkeypatch):
    # The rule converges to below 1e-5 in 80 steps.
    assert abs(error_of_full(80, 1e-3)) < 2e-4
    # The control: the same with sums over the whole length, which errs by more than a percent.
    monkeypatch.setattr(blocks, "_LONGEST", SIZE)
    assert abs(error_of_full(80, 1e-3)) > 4e-3


@pytest.mark.slow
def test_the_deflated_route_at_a_million_eigenvalues():
    spectrum = estimate_spectrum(DIAGONAL, key=keys.root(0))
    for c in (1e-1, 1e-2, 1e-3):
        exact = np.mean(stiff(c)(EIGENVALUES))
        found = mean_of(spectrum, stiff(c))
        assert abs(found.value - exact) <= found.error
        assert abs(found.value / exact - 1) < 2e-3
        share_left = 1 - found.value  # tr(c / (c + H)) / D
        assert abs(share_left / (1 - exact) - 1) < 1e-5
