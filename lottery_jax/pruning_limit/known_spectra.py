"""Spectra of curvature by name, for losses whose limits are computed exactly.

Each takes the number D of eigenvalues and gives them in descending order, the largest of order 1
unless said otherwise. None is random: a law is represented by its quantiles.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

Spectrum = Float64[np.ndarray, " D"]


def power(exponent: float) -> Callable[[int], Spectrum]:
    """The spectrum i^-exponent, i = 1, ..., D."""
    return lambda size: _places(size) ** -exponent


def log_uniform(decades: float) -> Callable[[int], Spectrum]:
    """Equal steps of the logarithm over that many powers of ten."""
    return lambda size: np.geomspace(1, 10.0**-decades, size)


def two_level(size: int) -> Spectrum:
    """Half of the eigenvalues 1, the others 1e-8."""
    return np.where(_places(size) <= size // 2, 1.0, 1e-8)


def exponential(size: int) -> Spectrum:
    """The spectrum exp(-8 i / D)."""
    return np.exp(-8 * _places(size) / size)


def flat_fifths(size: int) -> Spectrum:
    """A fifth of the eigenvalues 1, the others exactly 0."""
    return np.where(_places(size) <= size // 5, 1.0, 0.0)


def outliers(size: int) -> Spectrum:
    """Ten eigenvalues from 300 to 10 over a bulk that decays from 0.1, as trained networks have."""
    bulk = 1e-3 + 0.1 * _places(size) ** -0.5
    return np.concatenate([np.geomspace(300, 10, 10), bulk[10:]])


def marchenko_pastur(ratio: float) -> Callable[[int], Spectrum]:
    """Quantiles of the Marchenko-Pastur law of D / examples = `ratio`, at most 1.

    Examples
    --------
    >>> round(float(marchenko_pastur(0.5)(1000).mean()), 3)
    1.0
    """

    def spectrum(size: int) -> Spectrum:
        low, high = (1 - ratio**0.5) ** 2, (1 + ratio**0.5) ** 2
        # With lambda = middle - half cos(angle) the density is smooth at both ends.
        angles = np.linspace(0, np.pi, 20_001)
        grid = (low + high) / 2 - (high - low) / 2 * np.cos(angles)
        density = np.sin(angles) ** 2 / np.maximum(grid, 1e-12)
        steps = (density[1:] + density[:-1]) / 2
        below = np.concatenate([np.zeros(1), np.cumsum(steps)])
        return np.interp((_places(size) - 0.5) / size, below / below[-1], grid)[::-1]

    return spectrum


def isotropic(size: int) -> Spectrum:
    """All eigenvalues 1."""
    return np.ones(size)


def _places(size: int) -> Spectrum:
    return np.arange(1, size + 1, dtype=np.float64)


SPECTRA: Mapping[str, Callable[[int], Spectrum]] = MappingProxyType(
    {
        "isotropic": isotropic,
        "i^-1/2": power(0.5),
        "i^-1": power(1.0),
        "i^-2": power(2.0),
        "log-uniform": log_uniform(6.0),
        "two-level": two_level,
        "exponential": exponential,
        "flat fifths": flat_fifths,
        "few outliers": outliers,
        "Marchenko-Pastur .5": marchenko_pastur(0.5),
        "Marchenko-Pastur 1": marchenko_pastur(1.0),
    }
)
