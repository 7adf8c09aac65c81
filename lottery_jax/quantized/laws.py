"""Laws of exact number partitioning, in float64 on the host.

Items X_i are uniform on 1, ..., M. A perfect partition is a choice of signs with
abs(sum of sign_i X_i) = 0 where the items add up to an even number, 1 where to an odd one (Borgs,
Chayes and Pittel, Random Struct. Algorithms 19 (2001)). With c = E X^2 / M^2 a signed sum of random
signs has the variance n c M^2, so that a fixed whole number near 0 is hit with probability

    gamma = 1 / (M sqrt(2 pi n c)),    rho = 2^(n+1) gamma,

twice gamma once the parity is known. Perfect partitions, both sign vectors of a pair taken as one,
are then nearly Poisson with mean rho / 2 (even total) and rho (odd). Around the M at which rho is 1
the chance falls from 1 to 0 in a window of bounded width in

    lambda = log2(M) - n + log2(n) / 2,    kappa = log2(M) / n.

M enters by its logarithm, so that n may be 10^4 and more. Every law states its error. Those of
perfect partitions are asymptotic: to first order they are off by at most .094 / n in the window.
Where n or M is small they are off by more, at n = 2 to 5 by more than 0.15 / n; ``lottery-jax run
quantized_enumeration`` shows where, against exact counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

Numbers = int | float | np.generic | Sequence[int | float] | Shaped[np.ndarray, "..."]
Values = Float64[np.ndarray, "..."] | np.float64

# What studies allow, over n, about the laws of perfect partitions, which are off by at most .094
# to first order. No bound: where n or M is small they are off by more.
WINDOW_ERROR = 0.15
_LARGEST_EXPONENT = 700.0  # exp(700) is finite, and exp(-exp(700)) is 0


class Chance(NamedTuple):
    """A probability and its complement, each to a small relative error."""

    success: Values
    failure: Values


def mean_square(log2_largest: Numbers) -> Values:
    """C = E X^2 / M^2 = (M + 1)(2 M + 1) / (6 M^2) for X uniform on 1, ..., M. Exact.

    Raises
    ------
    ValueError
        For a negative or non-finite log2(M).

    Examples
    --------
    >>> print(mean_square(np.log2([1, 2, 1e6])).round(6))
    [1.       0.625    0.333334]
    """
    inverse = _inverse(log2_largest)
    return (1 + inverse) * (2 + inverse) / 6


def kurtosis(log2_largest: Numbers) -> Values:
    """E Y^4 / (E Y^2)^2 - 3 of an item with a random sign; -6/5 for large M. Exact.

    Examples
    --------
    >>> print(kurtosis(np.log2([1, 2, 1e9])).round(6))
    [-2.   -1.64 -1.2 ]
    """
    inverse = _inverse(log2_largest)
    fourth = (1 + inverse) * (2 + inverse) * (3 + 3 * inverse - inverse**2) / 30
    return fourth / mean_square(log2_largest) ** 2 - 3


def log_density(num_items: Numbers, log2_largest: Numbers) -> Values:
    """Natural logarithm of gamma, the chance that signs and items hit one given sum near 0.

    Parameters
    ----------
    num_items
        n >= 1.
    log2_largest
        log2(M) >= 0; broadcasts against `num_items`.

    Raises
    ------
    ValueError
        For arguments outside these ranges.

    Notes
    -----
    The local limit theorem. At 0 the exact chance is gamma (1 + kurtosis / (8 n) + O(1/n^2)), that
    is 1 - 0.15 / n for large M (`moments.share_with_sum` gives it exactly); M >= 2.

    Examples
    --------
    >>> print(np.exp(log_density(20, 14)).round(8))
    9.43e-06
    """
    count = _items(num_items)
    variance = 2 * np.pi * count * mean_square(log2_largest)
    return -np.log(2) * _float(log2_largest) - np.log(variance) / 2


def log2_solutions(num_items: Numbers, log2_largest: Numbers) -> Values:
    """log2(rho), the mean number of partitions with an odd total; one less with an even one.

    Parameters, errors and relative error of rho as in `log_density`.

    Examples
    --------
    >>> print(log2_solutions([10, 10_000], [8, 9_990]).round(4))
    [0.8015 3.8229]
    """
    return _items(num_items) + 1 + log_density(num_items, log2_largest) / np.log(2)


def log2_expected_signs(
    num_items: Numbers, log2_largest: Numbers, relative_sum: Numbers = 0.0
) -> Values:
    """log2 of the expected number of sign vectors with sum z, which is `relative_sum` times M.

    2^n gamma exp(-z^2 / (2 n c M^2)), with a relative error of O(1/n) where z is of the order of
    its standard deviation or less. Parameters and errors as in `log_density`.

    Examples
    --------
    >>> print(log2_expected_signs(12, 10, [0, 2]).round(4))
    [-0.3268 -1.0471]
    """
    relative = _number(relative_sum, "relative_sum")
    deviation = relative**2 / (2 * _items(num_items) * mean_square(log2_largest))
    log = log_density(num_items, log2_largest) - deviation
    return _items(num_items) + log / np.log(2)


def perfect_even(num_items: Numbers, log2_largest: Numbers) -> Chance:
    """Of a perfect partition given an even total, 1 - exp(-rho / 2).

    Off by O(1/n) as n grows at a fixed place in the window, to first order as `perfect_next_order`
    says; by more where n or M is small. Parameters and errors as in `log_density`.

    Examples
    --------
    >>> print(perfect_even(20, 18).success.round(4))
    0.461
    """
    return poisson((log2_solutions(num_items, log2_largest) - 1) * np.log(2))


def perfect_odd(num_items: Numbers, log2_largest: Numbers) -> Chance:
    """Of a perfect partition given an odd total, 1 - exp(-rho); off like `perfect_even`.

    Examples
    --------
    >>> print(perfect_odd(20, 18).success.round(4))
    0.7095
    """
    return poisson(log2_solutions(num_items, log2_largest) * np.log(2))


def perfect(num_items: Numbers, log2_largest: Numbers) -> Chance:
    """Of a perfect partition, 1 - (exp(-rho / 2) + exp(-rho)) / 2.

    Off by at most .094 / n to first order, as n grows in the window. Where n or M is small it is
    off by more, at n = 2 to 5 by more than 0.15 / n (``lottery-jax run quantized_enumeration``).

    An even total has probability (1 + M^-n) / 2 if M is odd and 1/2 if it is even: taken as 1/2.
    Parameters and errors as in `log_density`.

    Examples
    --------
    >>> print(perfect(20, [10, 18, 30]).success)
    [1.00000000e+00 5.85237958e-01 2.26304084e-04]
    """
    return _mean(perfect_even(num_items, log2_largest), perfect_odd(num_items, log2_largest))


class NextOrder(NamedTuple):
    """Chances of a perfect partition to the next order in 1/n."""

    even: Chance  # given an even total
    odd: Chance  # given an odd total
    either: Chance


def perfect_next_order(num_items: Numbers, log2_largest: Numbers) -> NextOrder:
    """The three laws with their terms of order 1/n; the error is O(1/n^2).

    With a dozen items and fewer it is larger where M is small: solutions that differ in few items
    come in clumps, which these terms do not see.

    Parameters
    ----------
    num_items
        n >= 3.
    log2_largest
        As in `log_density`.

    Notes
    -----
    Given the items, the mean m of the Poisson law is 2^n over the root of 2 pi sum X_i^2, times its
    Edgeworth term. With k the kurtosis, so that Var(sum X_i^2) = n (k + 2) (c M^2)^2, it is m times
    1 + k / (8 n) on average, with the variance m^2 (k + 2) / (4 n). Hence a chance of failure

        exp(-m) (1 - m k / (8 n) + m^2 (k + 2) / (8 n)),

    computed as the mean of two Poisson laws with this mean and variance. (The second moment
    says the same: E N (N - 1) = (E N)^2 (1 + (k + 2) / (4 n)), 1 + 0.2 / n for large M.)

    Examples
    --------
    >>> even, odd, either = perfect_next_order(20, 18)
    >>> print(even.success.round(4), odd.success.round(4), either.success.round(4))
    0.4575 0.7045 0.581
    """
    count = _items(num_items, least=3)
    excess = kurtosis(log2_largest)
    spread = np.sqrt((excess + 2) / (4 * count))
    factors = [np.log1p(excess / (8 * count) + sign * spread) for sign in (-1, 1)]
    log_rho = log2_solutions(num_items, log2_largest) * np.log(2)
    even, odd = (
        _mean(*(poisson(log_rho - shift + factor) for factor in factors))
        for shift in (np.log(2), 0.0)
    )
    return NextOrder(even, odd, _mean(even, odd))


def window_place(num_items: Numbers, log2_largest: Numbers) -> Values:
    """Lambda = log2(M) - n + log2(n) / 2, the place in the window.

    Examples
    --------
    >>> print(window_place(16, 12))
    -2.0
    """
    count = _items(num_items)
    return _number(log2_largest, "log2_largest") - count + np.log2(count) / 2


def log2_largest_at(num_items: Numbers, place: Numbers) -> Values:
    """log2(M) at this place in the window, the inverse of `window_place`.

    Examples
    --------
    >>> print(log2_largest_at(16, [-2, 0]))
    [12. 14.]
    """
    count = _items(num_items)
    return _number(place, "place") + count - np.log2(count) / 2


def kappa_at(num_items: Numbers, place: Numbers) -> Values:
    """Kappa = log2(M) / n = 1 - log2(n) / (2 n) + lambda / n at this place in the window.

    Examples
    --------
    >>> print(kappa_at(16, [-2, 0]))
    [0.75  0.875]
    """
    return log2_largest_at(num_items, place) / _items(num_items)


def window_law(place: Numbers) -> Chance:
    """p(lambda) = 1 - exp(-a) (1 + exp(-a)) / 2, a = sqrt(3 / (2 pi)) 2^-lambda.

    The limit of `perfect` at a fixed place, off by at most .094 / n to first order too. Where n or
    M is small it is off by more: c, too, is taken in the limit of large M.

    Examples
    --------
    >>> print(window_law(np.arange(-2, 4)).success.round(4))
    [0.9665 0.8429 0.6239 0.3955 0.2254 0.1207]
    """
    log_even = np.log(3 / (2 * np.pi)) / 2 - _number(place, "place") * np.log(2)
    return _mean(poisson(log_even), poisson(log_even + np.log(2)))


def poisson(log_mean: Numbers) -> Chance:
    """Of at least one event, from the natural logarithm of the mean of a Poisson law. Exact.

    Examples
    --------
    >>> print(poisson(np.log([1e-20, 1])).success.round(25))
    [1.00000000e-20 6.32120559e-01]
    """
    mean = np.exp(np.minimum(_number(log_mean, "log_mean"), _LARGEST_EXPONENT))
    return Chance(-np.expm1(-mean)[()], np.exp(-mean)[()])


def _mean(first: Chance, second: Chance) -> Chance:
    return Chance(*((one + other) / 2 for one, other in zip(first, second, strict=True)))


def _float(numbers: Numbers) -> Values:
    return np.asarray(numbers, np.float64)[()]


def _number(numbers: Numbers, name: str) -> Values:
    values = _float(numbers)
    if np.any(np.isnan(values)):
        raise ValueError(f"{name}={numbers!r} must be numbers")
    return values


def _items(num_items: Numbers, least: int = 1) -> Values:
    count = _float(num_items)
    if not np.all((count >= least) & np.isfinite(count)):
        raise ValueError(f"{num_items=} must be at least {least} and finite")
    return count


def _inverse(log2_largest: Numbers) -> Values:
    """1 / M; 0 where it underflows."""
    exponent = _float(log2_largest)
    if not np.all((exponent >= 0) & np.isfinite(exponent)):
        raise ValueError(f"{log2_largest=} must be finite and at least 0: items are 1 to M")
    return np.exp2(-exponent)
