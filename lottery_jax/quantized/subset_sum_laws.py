"""Laws of the quantised random subset sum, in float64 on the host.

Items X_i are uniform on -M, ..., M without 0, and a solution is a subset whose sum is exactly the
target t. Subsets are sign vectors: a solution is a choice of signs of the magnitudes whose signed
sum is 2 t - Lambda, where Lambda = sum X_i is itself nearly normal with the variance n c M^2. Given
Lambda, solutions are nearly Poisson with the mean rho exp(-(G - mu)^2 / 2), G = Lambda / (M sqrt(n
c)), mu = 2 t / (M sqrt(n c)), so that

    P(solvable) = 1 - E exp(-rho exp(-(G - mu)^2 / 2)),    G standard normal.

This falls more slowly in M than the law of number partitioning, where the sum wanted is always the
likeliest. Where t = 0 the laws are about the subsets that are not empty.

Expectations over G are sums over equidistant points. For a function analytic in a strip that
decays, such sums converge exponentially, and unlike Gauss and Hermite's rule they see the tails,
where the failures of large rho lie.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from lottery_jax.quantized import laws
from lottery_jax.quantized.laws import Chance, Numbers, Values

_STEP = 1 / 64
_POINTS: Float64[np.ndarray, " point"] = np.arange(-38 * 64, 38 * 64 + 1) * _STEP
_LOG_WEIGHTS = -(_POINTS**2) / 2 + np.log(_STEP) - np.log(2 * np.pi) / 2
_LEAST_LOG = -800.0  # exp of it is 0: keeps polynomials in the exponent from overflowing


class Settings(NamedTuple):
    """What the laws depend on, broadcast against each other."""

    log_rho: Float64[np.ndarray, "..."]  # natural logarithm
    mean: Float64[np.ndarray, "..."]  # mu
    kurtosis: Float64[np.ndarray, "..."]
    num_items: Float64[np.ndarray, "..."]


def solvable(num_items: Numbers, log2_largest: Numbers, relative_target: Numbers) -> Chance:
    """Of a subset with the target as its sum.

    Parameters
    ----------
    num_items
        n >= 1.
    log2_largest
        log2(M) >= 0.
    relative_target
        t / M. The three broadcast against each other.

    Returns
    -------
    Chance
        The law's value to 1e-13, absolutely, and its failure to a relative 1e-9 down to 1e-80.

    Raises
    ------
    ValueError
        For arguments outside their ranges.

    Notes
    -----
    Differs from the probability by O(1/n): `solvable_next_order` has the first term. About 5000
    exponentials for each value.

    The integrand of the failure grows in the complex plane only beyond the distance pi / (2 x) of
    the real line, x = sqrt(2 log rho) being where a solution becomes unlikely, so the sums miss it
    by exp(-64 pi^2 / x) in proportion.

    Examples
    --------
    >>> print(solvable(16, [10, 14, 18], 0.5).success.round(4))
    [0.9781 0.5695 0.0563]
    """
    settings = _settings(num_items, log2_largest, relative_target, least=1)
    rho, mean = (each[..., None] for each in settings[:2])
    log_mean = rho - (_POINTS - mean) ** 2 / 2
    return _expected(laws.poisson(log_mean), _LOG_WEIGHTS)


def solvable_next_order(
    num_items: Numbers, log2_largest: Numbers, relative_target: Numbers
) -> Chance:
    """The same with the terms of order 1/n; the error is O(1/n^2).

    Parameters are those of `solvable`, with n >= 3.

    Notes
    -----
    Given the magnitudes, Lambda and the signed sum are independent with the variance V = sum X_i^2
    and the Edgeworth factor 1 + b He_4, He_4(x) = x^4 - 6 x^2 + 3, b = -(k + 3) / (12 n) for the
    kurtosis k of an item; written as an exponential it stays positive. V varies by the relative
    variance (k + 2) / n, and two equally likely values of V say so.

    Examples
    --------
    >>> print(solvable_next_order(16, [10, 14, 18], 0.5).success.round(4))
    [0.9786 0.5706 0.0565]
    """
    settings = _settings(num_items, log2_largest, relative_target, least=3)
    rho, mean, excess, count = (each[..., None] for each in settings)
    edgeworth = -(excess + 3) / (12 * count)
    log_weights = np.maximum(_LOG_WEIGHTS + edgeworth * _hermite(_POINTS), _LEAST_LOG)
    log_weights = log_weights - np.log(np.sum(np.exp(log_weights), axis=-1, keepdims=True))
    chances = []
    for sign in (-1, 1):
        log_scale = np.log1p(sign * np.sqrt((excess + 2) / count)) / 2
        away = _POINTS - mean * np.exp(-log_scale)
        log_mean = rho - log_scale - away**2 / 2 + edgeworth * _hermite(away)
        chances.append(_expected(laws.poisson(np.maximum(log_mean, _LEAST_LOG)), log_weights))
    return Chance(*((one + other) / 2 for one, other in zip(*chances, strict=True)))


def number_of_subsets(
    num_items: Numbers, log2_largest: Numbers, relative_target: Numbers, number: Numbers
) -> Values:
    """The chance of exactly so many subsets with the target as their sum.

    A Poisson law whose mean depends on Lambda: E exp(-m) m^number / number!. Parameters and error
    are those of `solvable`, with a whole `number` >= 0 that broadcasts against them.

    Examples
    --------
    >>> print(number_of_subsets(16, 14, 0.5, [0, 1, 2]).round(4))
    [0.4305 0.3221 0.1625]
    """
    from scipy import special  # on first use: importing the package stays light

    settings = _settings(num_items, log2_largest, relative_target, least=1)
    rho, mean = (each[..., None] for each in settings[:2])
    count = np.asarray(number, np.float64)[..., None]
    if not np.all((count >= 0) & (count == np.floor(count))):
        raise ValueError(f"{number=} must be whole, and at least 0")
    log_mean = np.minimum(rho - (_POINTS - mean) ** 2 / 2, 700.0)  # exp(700) is finite
    log = count * log_mean - np.exp(log_mean) - special.gammaln(count + 1)
    return np.sum(np.exp(log + _LOG_WEIGHTS), axis=-1)[()]


def log2_expected_subsets(
    num_items: Numbers, log2_largest: Numbers, relative_target: Numbers
) -> Values:
    """log2 of the expected number of solutions, 2^n / (M sqrt(pi n c)) exp(-t^2 / (n c M^2)).

    Parameters are those of `solvable`; the relative error is O(1/n) where t is at most of the order
    of M sqrt(n). `moments.subset_moments` gives it exactly.

    Examples
    --------
    >>> print(log2_expected_subsets(16, [12, 14], 0.0).round(4))
    [ 1.9665 -0.0333]
    """
    settings = _settings(num_items, log2_largest, relative_target, least=1)
    return (settings.log_rho / np.log(2) - 0.5 - settings.mean**2 / (4 * np.log(2)))[()]


def log2_expected_pairs(
    num_items: Numbers, log2_largest: Numbers, relative_target: Numbers
) -> Values:
    """log2 of E Z (Z - 1) for the number Z of solutions, rho^2 exp(-mu^2 / 3) / sqrt(3).

    It exceeds the square of the mean by 2 / sqrt(3) exp(mu^2 / 6): Lambda differs between
    instances. Parameters and error are those of `log2_expected_subsets`.

    Examples
    --------
    >>> print(log2_expected_pairs(16, [12, 14], 0.0).round(4))
    [4.1405 0.1409]
    """
    settings = _settings(num_items, log2_largest, relative_target, least=1)
    log = 2 * settings.log_rho - settings.mean**2 / 3
    return (log / np.log(2) - np.log2(3) / 2)[()]


def _settings(num_items, log2_largest, relative_target, *, least: int) -> Settings:
    count = np.asarray(num_items, np.float64)
    if np.any(count < least):
        raise ValueError(f"{num_items=} must be at least {least}")
    relative = np.asarray(relative_target, np.float64)
    if not np.all(np.isfinite(relative)):
        raise ValueError(f"{relative_target=} must be finite")
    log_rho = laws.log2_solutions(num_items, log2_largest) * np.log(2)
    mean = 2 * relative / np.sqrt(count * laws.mean_square(log2_largest))
    excess = laws.kurtosis(log2_largest)
    return Settings(*np.broadcast_arrays(log_rho, mean, excess, count))


def _expected(given: Chance, log_weights: Float64[np.ndarray, "..."]) -> Chance:
    weights = np.exp(log_weights)
    return Chance(*(np.sum(each * weights, axis=-1)[()] for each in given))


def _hermite(x: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    return x**4 - 6 * x**2 + 3
