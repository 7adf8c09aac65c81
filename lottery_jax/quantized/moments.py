"""Exact moments of the number of solutions, for any n and M that a sum over frequencies can hold.

An item with a random sign is uniform on -M, ..., M without 0 and has the characteristic function

    phi(w) = (1 / M) sum_x cos(x w) = (sin((M + 1/2) w) / (2 sin(w / 2)) - 1/2) / M,

so that k such items have the sum z with probability q_k(z), the mean of phi(w)^k cos(z w) over L
equidistant frequencies, without any error once L exceeds k M + abs(z). Two sign vectors that agree
on k of n items both have the sum z if the items on which they agree sum to z and the others to 0:

    E Z = 2^n q_n(z),    E Z^2 = 2^n sum_k C(n, k) q_k(z) q_(n-k)(0).

At z = 0 the exact share q_n(0) is gamma_n (1 + k_4 / (8 n) + O(1/n^2)), with the kurtosis k_4 of
an item: Edgeworth's term k_4 He_4(0) / (24 n), He_4(0) = 3. For large M, k_4 = 9/5 - 3 = -6/5, and
exact over formula is 1 - 0.15 / n.
"""

from collections.abc import Iterator
from math import comb
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

_BLOCK = 2**16  # frequencies at a time
_MOST_TERMS = 2**31  # frequencies times items: a minute
_MOST_NUMBERS = 2**26  # of an array of distributions: 512 MiB


class Moments(NamedTuple):
    """Of a number of solutions Z."""

    mean: float  # E Z
    pairs: float  # E Z (Z - 1), ordered pairs of different solutions


class PerfectMoments(NamedTuple):
    """Of the number of perfect partitions, both sign vectors of either sign taken as one."""

    even: Moments  # given an even total
    odd: Moments  # given an odd total
    even_share: float  # probability of an even total


def vectors_by_sum(num_items: int, largest: int) -> Int64[np.ndarray, " sum"]:
    """How many of the (2 M)^n vectors of signed items have the sum 0, 1, ..., n M. Exact integers.

    Raises
    ------
    ValueError
        For sizes below 1, or so many vectors that their number leaves 63 bits.

    Notes
    -----
    n convolutions with a box by running sums: O(n^2 M).

    Examples
    --------
    >>> vectors_by_sum(2, 2)
    array([4, 2, 1, 2, 1])
    """
    num_items, largest, _ = _whole(num_items, largest)
    if (2 * largest) ** num_items >= 2**63:
        raise ValueError(
            f"(2 * {largest})**{num_items} vectors leave 63 bits; share_with_sum has no such limit"
        )
    counts = np.ones(1, np.int64)
    for _ in range(num_items):
        running = np.concatenate([[0], np.cumsum(np.pad(counts, 2 * largest))])
        window = 2 * largest + 1
        box = running[window:] - running[:-window]
        counts = box - np.pad(counts, largest)
    return counts[num_items * largest :]


def share_with_sum(num_items: int, largest: int, total: int) -> float:
    """q_n(z) = 2^-n E #{signs: signed sum of the items is z}, X uniform on 1, ..., M.

    Parameters
    ----------
    num_items, largest, total
        n >= 1, M >= 1 and z of either sign.

    Raises
    ------
    ValueError
        For sizes below 1, or more than 2^31 products.

    Notes
    -----
    O(n^2 M) time, blockwise. The rounding is below n 1e-15 of q_n(0), absolutely.

    Examples
    --------
    >>> share_with_sum(2, 2, 0), share_with_sum(2, 2, 3)
    (0.25, 0.125)
    """
    num_items, largest, total = _whole(num_items, largest, total)
    return float(_shares(num_items, largest, total)[num_items])


def sign_moments(num_items: int, largest: int, total: int) -> Moments:
    """Of the number of sign vectors for which the signed sum is z, X uniform on 1, ..., M.

    Parameters, errors and rounding are those of `share_with_sum`.

    Notes
    -----
    For z = 0 and large n, E Z (Z - 1) tends to E Z + 2 (E Z)^2: solutions come in pairs of either
    sign, and totals are even half of the time.

    Examples
    --------
    >>> sign_moments(2, 2, 0)
    Moments(mean=1.0, pairs=1.0)
    """
    num_items, largest, total = _whole(num_items, largest, total)
    at_total = _shares(num_items, largest, total)
    at_zero = at_total if total == 0 else _shares(num_items, largest, 0)
    # All but the k = n items in agreement, which are the pairs of a vector and itself.
    pairs = sum(comb(num_items, k) * at_total[k] * at_zero[num_items - k] for k in range(num_items))
    scale = 2.0**num_items
    return Moments(scale * float(at_total[num_items]), scale * float(pairs))


def perfect_moments(num_items: int, largest: int) -> PerfectMoments:
    """Of the number of perfect partitions, given the parity of the total.

    They tend to those of Poisson laws, mean rho / 2 and rho and pairs (rho / 2)^2 and rho^2. For
    large M the mean is 1 - 0.15 / n of that and the pairs are 1 - 0.1 / n of it, to O(1/n^2). Given
    a parity that never occurs, as one does for M = 1, they are zeros.

    Parameters, errors and rounding are those of `share_with_sum`.

    Raises
    ------
    ValueError
        As `share_with_sum`.

    Examples
    --------
    >>> even, odd, share = perfect_moments(2, 2)
    >>> even.mean, odd.mean, share
    (1.0, 1.0, 0.5)
    """
    num_items, largest, _ = _whole(num_items, largest)
    zero, one = (sign_moments(num_items, largest, total) for total in (0, 1))
    # E (-1)^(sum X) is (-1/M)^n for odd M, and 0 for even M.
    bias = (-1.0 / largest) ** num_items if largest % 2 else 0.0
    even_share = (1 + bias) / 2
    odd_share = (1 - bias) / 2
    # With Z = 2 N sign vectors, N (N - 1) = (Z (Z - 1) - Z) / 4.
    even = _given(even_share, zero.mean / 2, (zero.pairs - zero.mean) / 4)
    return PerfectMoments(even, _given(odd_share, one.mean, one.pairs), even_share)


def subset_moments(num_items: int, largest: int, target: int) -> Moments:
    """Of the number of subsets with the sum t, items uniform on -M, ..., M without 0.

    The empty subset counts (for t = 0). With A the items that two subsets share, B and C those of
    one alone, sum_A + sum_B = t and sum_B = sum_C:

        E Z^2 = sum over sizes of n! / (a! b! c! d!) sum_s q_a(t - s) q_b(s) q_c(s).

    Parameters
    ----------
    num_items, largest, target
        n >= 1, M >= 1, and t of magnitude at most n M.

    Raises
    ------
    ValueError
        For arguments outside these ranges, and where n + 1 distributions of 2 n M + abs(t) + 1
        numbers take more than 512 MiB.

    Notes
    -----
    O(n^3 M) time. The rounding is some n 1e-15 of the moments at the likeliest target.

    Examples
    --------
    >>> print(np.round(subset_moments(2, 1, 1), 12))
    [1.  0.5]
    """
    num_items, largest, target = _whole(num_items, largest, target)
    if abs(target) > num_items * largest:
        raise ValueError(f"{target=} is out of reach; use at most {num_items * largest} either way")
    from scipy import fft  # on first use: importing the package stays light

    least = 2 * num_items * largest + abs(target) + 1
    length = int(fft.next_fast_len(least, real=True))  # pyright: ignore[reportArgumentType]
    if (num_items + 1) * length > _MOST_NUMBERS:
        raise ValueError(
            f"{num_items + 1} distributions of {length} numbers are more than {_MOST_NUMBERS}; "
            f"use largest up to {_MOST_NUMBERS // (3 * num_items * (num_items + 1))}"
        )
    phi = _characteristic(np.arange(length // 2 + 1), largest, length)
    laws = np.stack([np.fft.irfft(phi**k, length) for k in range(num_items + 1)])
    second = mean = 0.0
    for apart in range(num_items + 1):
        # Items of B and C together; the others are in A, or in neither.
        rest = num_items - apart
        shared = np.roll(np.fft.irfft((1 + phi) ** rest, length), -target)  # at t + s
        products = sum(comb(apart, b) * laws[b] * laws[apart - b] for b in range(apart + 1))
        # The law of s is even, so that t + s serves for t - s.
        number = comb(num_items, apart) * float(np.sum(shared * products))
        second += number
        if apart == 0:
            mean = number
    return Moments(mean, second - mean)


def _given(share: float, mean: float, pairs: float) -> Moments:
    """Given a parity of this probability; zeros where it never occurs, as one does for M = 1."""
    return Moments(mean / share, pairs / share) if share else Moments(0.0, 0.0)


def _shares(num_items: int, largest: int, total: int) -> Float64[np.ndarray, " k"]:
    """q_0(z), ..., q_n(z)."""
    length = _odd(num_items * largest + abs(total) + 1)
    if length * num_items > 2 * _MOST_TERMS:
        raise ValueError(
            f"{num_items=}, {largest=} need {length} frequencies; use largest up to "
            f"{2 * _MOST_TERMS // num_items**2}"
        )
    sums = np.zeros(num_items + 1)
    for number in _blocks(length // 2 + 1):
        phi = _characteristic(number, largest, length)
        # Multiples of the frequency are reduced as integers: sines of large numbers lose digits.
        power = np.cos(2 * np.pi / length * (number * total % length)) * np.where(number > 0, 2, 1)
        for k in range(num_items + 1):
            sums[k] += np.sum(power)
            power = power * phi
    return sums / length


def _blocks(length: int) -> Iterator[Int64[np.ndarray, " number"]]:
    for start in range(0, length, _BLOCK):
        yield np.arange(start, min(start + _BLOCK, length))


def _characteristic(
    number: Int64[np.ndarray, " number"], largest: int, length: int
) -> Float64[np.ndarray, " number"]:
    """Phi at the frequencies 2 pi number / length, 0 <= number <= length / 2."""
    step = np.pi / length
    upper = np.sin(step * (number * (2 * largest + 1) % (2 * length)))
    lower = 2 * np.sin(step * number)
    return np.where(number == 0, 1.0, (upper / np.where(number == 0, 1.0, lower) - 0.5) / largest)


def _odd(length: int) -> int:
    """At least `length`, and odd: frequencies but 0 come in pairs."""
    return length | 1


def _whole(num_items: Any, largest: Any, total: Any = 0) -> tuple[int, int, int]:
    """As Python's integers, whose powers do not wrap around."""
    for name, value in (("num_items", num_items), ("largest", largest), ("the sum", total)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise ValueError(f"{name} must be an integer, and {value!r} is not")
    if num_items < 1 or largest < 1:
        raise ValueError(f"{num_items=} and {largest=} must be at least 1")
    return int(num_items), int(largest), int(total)
