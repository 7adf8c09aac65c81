"""The union bounds of the paper, (5), (9) and (10), with every constant an argument.

"Structured vs. Unstructured Pruning: An Exponential Gap" bounds p_k, the probability that k given
neurons approximate the target, by the chance that a birth-death chain is back at 0 after k steps,
to the power of the number of input families (Lemmas 3 to 5), and that by exp(-a min(k, T) d)
(Lemma 8). Its proof of the power, Lemma 3, is not sound: the families share the output weights. So
these are bounds as the paper has them, not theorems. All are logarithms in float64; a bound at or
above 0 says nothing.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from lottery_jax.neuron_pruning.bounds import Logs, Widths


class Chain(NamedTuple):
    """The constants of the paper's birth-death chain."""

    up: float  # p: a lower bound on the probability of breaking one more bin
    down: float  # q: an upper bound on that of mending one
    cap: int  # T


def chain(*, epsilon: float, radius: float, share: float, jump: float) -> Chain:
    """The chain of section 5.5 for given constants, in the limit of short bins.

    At most T = R / (share * epsilon) bins are broken. They take away most where breakpoints are
    densest, at the centre: an interval of length R / share. A neuron mends a bin only if its
    breakpoint is in there. It breaks one if its breakpoint is in the middle half of another bin and
    its slope jump exceeds `jump` (Lemma 6, where Definition 2 has the constant jump / 16). The pair
    of breakpoint t and jump has the law of the paper's network, whose jumps have two Gaussian
    factors: P(|jump| > g | t) = exp(-g sqrt(1 + t^2)).

    Parameters
    ----------
    epsilon
        Length of the bins, on the ball of this radius.
    radius
        Above 1: the families reach to |t| = sqrt(R^2 - 1).
    share
        The constant c of (4), large enough that q < p / 2.
    jump
        The constant gamma of Lemma 6.

    Raises
    ------
    ValueError
        For arguments out of range, or constants with which the paper's argument has no chain:
        T < 1, or q >= p / 2.

    Examples
    --------
    >>> found = chain(epsilon=0.01, radius=2.0, share=20.0, jump=0.5)
    >>> round(found.up, 4), round(found.down, 4), found.cap
    (0.1696, 0.0318, 10)
    """
    from scipy.integrate import quad  # on first use: importing the package stays light

    if not (0 < epsilon < 1 < radius < math.inf and share > 0 and jump >= 0):
        raise ValueError(
            f"{epsilon=}, {radius=}, {share=}, {jump=}: 0 < epsilon < 1 < radius, share > 0 and "
            "jump >= 0 are needed"
        )

    def density(t: float) -> float:
        return math.exp(-jump * math.sqrt(1 + t * t)) / (math.pi * (1 + t * t))

    centre, reach = radius / (2 * share), math.sqrt(radius**2 - 1)
    up = float(quad(density, centre, reach)[0]) if centre < reach else 0.0
    down = 2 / math.pi * math.atan(centre)
    cap = math.floor(radius / (share * epsilon) * (1 + 1e-12))
    if cap < 1:
        raise ValueError(f"T = {radius / (share * epsilon):.3g} < 1: lower {epsilon=} or {share=}")
    if down >= up / 2:
        raise ValueError(f"q = {down:.3g} is not below p / 2 = {up / 2:.3g}: raise {share=}")
    return Chain(up, down, cap)


def log_kept(dim: int, log_zero: Float64[np.ndarray, " kept"]) -> Float64[np.ndarray, " kept"]:
    """The paper's bound on log p_k (Lemmas 3 to 5): floor(d/2) log Pr(B_k = 0).

    With `bounds.log_union` it gives the union bound (5).

    Parameters
    ----------
    log_zero
        log Pr(B_k = 0) of one chain, from `birth_death.log_probability_zero`.

    Examples
    --------
    >>> log_kept(5, np.array([-1.0, -3.0]))
    array([-2., -6.])
    """
    return (dim // 2) * log_zero


def log_bound_9(dim: int, cap: int, widths: Widths, *, rate: float) -> Logs:
    """Log of (9): the sum over 1 <= k < T of exp(k (1 + log N - rate d)), fewer than T kept.

    Parameters
    ----------
    cap
        T; the sum is empty for T = 1.
    rate
        c_4, for which p_k <= exp(-c_4 k d).

    Examples
    --------
    >>> print(np.exp(log_bound_9(10, 3, np.array([1, 100]), rate=1.0)).round(6))
    [0.000123 0.012493]
    """
    from scipy.special import logsumexp

    exponent = (1 + np.log(np.asarray(widths, np.float64)) - rate * dim)[:, None]
    if cap == 1:
        return np.full(len(widths), -np.inf)
    return np.asarray(logsumexp(exponent * np.arange(1, cap), axis=1))


def log_bound_10(dim: int, epsilon: float, widths: Widths, *, rate: float) -> Logs:
    """Log of (10): 2^N exp(-rate d / epsilon), T or more kept.

    Parameters
    ----------
    rate
        c_5, for which p_k <= exp(-c_5 d / epsilon) from k = T on.

    Examples
    --------
    >>> print(np.exp(log_bound_10(10, 0.1, np.array([5, 10]), rate=0.1)).round(6))
    [0.001453 0.04649 ]
    """
    return np.asarray(widths, np.float64) * math.log(2) - rate * dim / epsilon
