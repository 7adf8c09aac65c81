"""The spectrum as a picture: a smoothed density and the share of eigenvalues below a value.

For the eye alone. No number is computed from a smoothed density here: kernels wide enough to look
smooth are wider than the bulk near 0, and traces taken from them are wrong by factors.
"""

import numpy as np
from jaxtyping import Float64

from lottery_jax.spectrum.quadrature import Spectrum


def density_of(
    spectrum: Spectrum, values: Float64[np.ndarray, " value"], *, width: float = 0.01
) -> Float64[np.ndarray, " value"]:
    """The density of eigenvalues, every node spread by a normal law.

    Parameters
    ----------
    values
        Where, in the units of the eigenvalues.
    width
        Standard deviation of the kernel as a part of the range of the spectrum, so that a scaled
        loss gives the scaled picture.

    Raises
    ------
    ValueError
        For a width that is not positive.

    Examples
    --------
    >>> from lottery_jax.spectrum.lanczos import Tridiagonal
    >>> from lottery_jax.spectrum.quadrature import spectrum_of
    >>> runs = Tridiagonal(np.array([[2.0]]), np.array([[0.0]]), np.ones(1), np.array([True]))
    >>> spectrum = spectrum_of(runs, size=2, num_products=1, is_semidefinite=True)
    >>> density_of(spectrum, np.array([2.0]), width=0.5).round(3).tolist()
    [0.399]
    """
    if not width > 0:
        raise ValueError(f"{width=} must be positive: a part of the range of the spectrum")
    deviation = width * _range(spectrum)
    nodes, weights = _pooled(spectrum)
    distances = (values[:, None] - nodes[None, :]) / deviation
    kernels = np.exp(-0.5 * distances**2) / (np.sqrt(2 * np.pi) * deviation)
    return kernels @ weights


def share_below(
    spectrum: Spectrum, values: Float64[np.ndarray, " value"], *, width: float = 0.0
) -> Float64[np.ndarray, " value"]:
    """The share of eigenvalues up to each value, as steps (`width` 0) or smoothed.

    Raises
    ------
    ValueError
        For a negative width.

    Examples
    --------
    >>> from lottery_jax.spectrum.lanczos import Tridiagonal
    >>> from lottery_jax.spectrum.quadrature import spectrum_of
    >>> runs = Tridiagonal(np.array([[2.0]]), np.array([[0.0]]), np.ones(1), np.array([True]))
    >>> spectrum = spectrum_of(runs, size=2, num_products=1, is_semidefinite=True)
    >>> share_below(spectrum, np.array([1.0, 3.0])).tolist()
    [0.0, 1.0]
    """
    from scipy import special  # on first use: importing the package stays light

    if width < 0:
        raise ValueError(f"{width=} must not be negative")
    nodes, weights = _pooled(spectrum)
    distances = values[:, None] - nodes[None, :]
    if width == 0:
        return (distances >= 0).astype(np.float64) @ weights
    return special.ndtr(distances / (width * _range(spectrum))) @ weights


def _pooled(spectrum):
    return spectrum.nodes.ravel(), spectrum.weights.ravel() / spectrum.num_probes


def _range(spectrum):
    """Of the eigenvalues and 0; any width does for a matrix of zeros."""
    return max(spectrum.largest, 0.0) - min(spectrum.smallest, 0.0) or 1.0
