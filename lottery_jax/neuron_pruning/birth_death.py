"""The birth-death chain of the lower bound: its law exactly, its limits, Lemma 7's constant.

The (q, p, T)-chain (Definition 4 of "Structured vs. Unstructured Pruning: An Exponential Gap")
starts at 1, goes up with probability p below T, down with probability q above 0, else stays. The
probability that it is at 0 after k steps bounds the chance of k neurons on one input family.

The chain is reversible, so its transition matrix is similar to a symmetric tridiagonal one, whose
spectrum is known: with r = sqrt(q/p) and the angles phi = m pi / (T + 1), m = 1, ..., T, there are
the eigenvalue 1 with the stationary law pi, and

    lambda = 1 - p - q + 2 sqrt(pq) cos(phi),  v(b) ~ sin((b + 1) phi) - r sin(b phi),

whence Pr(B_k = 0) = pi(0) + r sum_m lambda^k w (2 cos(phi) - r) with the weights
w = v(0)^2 / |v|^2 = 2 p sin(phi)^2 / ((T + 1) (1 - lambda)).
"""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float64, Int, Int32, Key

from lottery_jax.montecarlo.experiment import Experiment

# The spectral sum is used where its terms cancel by less than this factor; elsewhere (the first
# steps of slow chains) the law is stepped through.
_CANCELLATION = 1e3
_MOST_WORK = 10**9  # states times steps of such stepping: seconds
_UNIT = 2**30  # of probabilities in the simulation
MAX_STEPS = 4096  # of the simulation


class Lemma7(NamedTuple):
    """The largest a with Pr(B_k = 0) <= exp(-a min(k, T)) for all steps k looked at."""

    constant: float
    step: int  # the k that allows no larger one


def law(p: float, q: float, cap: int, steps: int) -> Float64[np.ndarray, " state"]:
    """The law of the chain after `steps` steps, on the states 0, ..., T.

    Parameters
    ----------
    p, q
        Probabilities of going up and down, 0 < q < p, p + q <= 1.
    cap
        T >= 1.
    steps
        k >= 0.

    Raises
    ------
    ValueError
        For arguments outside these ranges.

    Notes
    -----
    One product with the tridiagonal matrix a step: O(T k). All terms are positive, so every entry
    has a relative error of at most 4 k units of 2**-53, to first order, down to where it underflows
    (1e-308).

    Examples
    --------
    >>> print(law(0.5, 0.25, cap=2, steps=2))
    [0.1875 0.3125 0.5   ]
    """
    _check(p, q, cap)
    if steps < 0:
        raise ValueError(f"{steps=} must not be negative")
    return next(itertools.islice(_laws(p, q, cap), steps, None))


def log_probability_zero(
    p: float, q: float, cap: int, steps: int | Sequence[int] | Int[np.ndarray, " step"]
) -> Float64[np.ndarray, "..."]:
    """Log Pr(B_k = 0) for every k in `steps`, by the spectrum of the transition matrix.

    Parameters are those of `law`.

    Raises
    ------
    ValueError
        For arguments outside their ranges, and for chains so slow (p + q far below 1/1000) or so
        lopsided (p + q = 1 and q below 1e-6) that their first steps cannot be told by the spectrum
        and are too many to be stepped through.

    Notes
    -----
    O(T) for each k, in log-space: nothing underflows. The error of the logarithm is about
    1e-15 (1 + abs(logarithm)), times the factor by which terms of either sign cancel: below 100
    while p + q >= 0.1 and q >= p / 100, and never above 1000, where the law is stepped through
    instead.

    Examples
    --------
    >>> print(np.exp(log_probability_zero(0.5, 0.25, cap=2, steps=[1, 2])).round(12))
    [0.25   0.1875]
    >>> print(log_probability_zero(0.3, 0.1, cap=10_000, steps=5_000).round(6))
    -285.371501
    """
    _check(p, q, cap)
    every = np.atleast_1d(np.asarray(steps))
    if every.size and every.min() < 0:
        raise ValueError(f"{steps=} must not be negative")
    spectrum = _spectrum(p, q, cap)
    rows = max(1, 2**22 // cap)  # bounds the memory
    parts = [
        _by_spectrum(spectrum, limit_zero(p, q, cap), every[start : start + rows])
        for start in range(0, len(every), rows)
    ]
    logs, cancellation = (np.concatenate(each) for each in zip(*parts, strict=True))
    is_lost = cancellation > _CANCELLATION
    if np.any(is_lost):
        logs[is_lost] = _by_steps(p, q, cap, every[is_lost])
    return logs.reshape(np.shape(steps))


def limit_zero(p: float, q: float, cap: int) -> float:
    """Log of the limit of Pr(B_k = 0) for k to infinity, (p/q - 1) / ((p/q)**(T+1) - 1).

    Parameters and errors are those of `law`. The relative error of the limit is a few units of
    2**-53, times T log(p/q).

    Examples
    --------
    >>> round(math.exp(limit_zero(0.5, 0.25, cap=2)), 12) == round(1 / 7, 12)
    True
    """
    _check(p, q, cap)
    ratio = math.log1p((p - q) / q)
    return math.log((p - q) / q) - (cap + 1) * ratio - math.log(-math.expm1(-(cap + 1) * ratio))


def decay_rate(p: float, q: float) -> float:
    """The limit of -log Pr(B_k = 0) / k while k is far below T: -log(1 - (sqrt p - sqrt q)**2).

    Raises
    ------
    ValueError
        Unless 0 < q < p and p + q <= 1.

    Notes
    -----
    1 - (sqrt p - sqrt q)**2 is the top of the spectrum of the uncapped chain, and a path from 1 to
    0 in k <= 2T - 1 steps cannot feel the cap (it would have to stay at T, and return). So
    Pr(B_k = 0) <= sqrt(q/p) exp(-k decay_rate) for all these k, by the norm of the symmetrised
    matrix.

    Examples
    --------
    >>> round(decay_rate(0.36, 0.16), 12) == round(-math.log(0.96), 12)
    True
    """
    _check(p, q, 1)
    return -math.log1p(-(((p - q) / (math.sqrt(p) + math.sqrt(q))) ** 2))


def lemma_7_constant(p: float, q: float, cap: int, steps: int) -> Lemma7:
    """The largest a with Pr(B_k = 0) <= exp(-a min(k, T)) for all k = 1, ..., `steps`.

    Parameters and errors are those of `law`, with `steps` at least 1. O(T steps).

    Notes
    -----
    The limit of the chain counts as one more step, reported as 0. Since Pr(B_k = 0) differs from it
    by at most sqrt(q/p) exp(-k decay_rate), the constant of a few T steps serves all k.

    -log Pr(B_k = 0) / k starts at -log q and falls towards `decay_rate`, above which it stays while
    the cap is not felt. After k = T the bound no longer tightens, and the probability still falls.
    So, but for the smallest T, the minimum sits at k = T or next to it, and the constant falls to
    the decay rate as T grows.

    Examples
    --------
    >>> lemma_7_constant(0.3, 0.1, cap=10, steps=100)
    Lemma7(constant=0.2710624320306152, step=10)
    """
    if steps < 1:
        raise ValueError(f"{steps=} must be at least 1")
    k = np.arange(1, steps + 1)
    exponents = -log_probability_zero(p, q, cap, k) / np.minimum(k, cap)
    exponents = np.append(exponents, -limit_zero(p, q, cap) / cap)
    at = int(np.argmin(exponents))
    return Lemma7(float(exponents[at]), 0 if at == steps else at + 1)


def experiment(*, p: float, q: float, cap: int, steps: int) -> Experiment:
    """The chain simulated: how many paths are at 0 after each step, and where they are at last.

    Its counts (`montecarlo.collect_counts`) are ``zero[step]``, the paths at 0 after steps 1, 2,
    ..., filled up with zeros to a power of two, and ``last[state]``, the paths in each state after
    the last step, states above 63 with state 63.

    Parameters
    ----------
    p, q, cap
        As in `law`. Probabilities are rounded to multiples of 2**-30.
    steps
        1 to 4096.

    Raises
    ------
    ValueError
        For arguments outside these ranges.

    Examples
    --------
    >>> experiment(p=0.3, q=0.1, cap=4, steps=20).settings
    (('p', 0.3), ('q', 0.1), ('cap', 4), ('steps', 20))
    """
    _check(p, q, cap)
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(f"{steps=} must lie in 1 to {MAX_STEPS}; law has no such limit")
    p, q = float(p), float(q)
    return Experiment(
        name="birth_death",
        settings=(("p", p), ("q", q), ("cap", cap), ("steps", steps)),
        count=_count(max(16, 1 << (steps - 1).bit_length())),
        parameters=(
            ("up", round(p * _UNIT)),
            ("down", round(q * _UNIT)),
            ("cap", cap),
            ("steps", steps),
        ),
        lanes=10_000,
        vmap_lanes={"cpu": 256, "gpu": 16384, "tpu": 16384},
        seconds_per_draw=lambda: 2e-8 * steps,
        bytes_per_draw=lambda: 8.0 * (steps + 32),
    )


@functools.cache
def _count(capacity: int):
    def count(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, "..."]]:
        up, down = parameters["up"], parameters["down"]
        steps = jnp.arange(capacity, dtype=jnp.int32)

        def place(step):
            # In 32-bit integers: a float32 number would round p and q by more.
            bits = jax.random.bits(jax.random.fold_in(key, step), (), jnp.uint32)
            return lax.shift_right_logical(bits, jnp.uint32(2)).astype(jnp.int32)

        # All drawn before the first step: inside the loop it is half as fast.
        def move(state, this):
            step, place = this
            rises = (place < up) & (state < parameters["cap"])
            falls = (place >= up) & (place - up < down) & (state > 0)
            moved = state + rises.astype(jnp.int32) - falls.astype(jnp.int32)
            is_run = step < parameters["steps"]
            moved = jnp.where(is_run, moved, state)
            return moved, (is_run & (moved == 0)).astype(jnp.int32)

        last, zero = lax.scan(move, jnp.int32(1), (steps, jax.vmap(place)(steps)))
        is_last = jnp.minimum(last, 63) == jnp.arange(64, dtype=jnp.int32)
        return {"zero": zero, "last": is_last.astype(jnp.int32)}

    return count


class _Spectrum(NamedTuple):
    """The eigenvalues other than 1, and what they weigh in Pr(B_k = 0)."""

    log_size: Float64[np.ndarray, " angle"]  # log |lambda|
    is_negative: np.ndarray  # lambda < 0
    weight: Float64[np.ndarray, " angle"]  # r w (2 cos(phi) - r), of either sign


def _spectrum(p: float, q: float, cap: int) -> _Spectrum:
    number = np.arange(1, cap + 1)
    angle = number * (np.pi / (cap + 1))
    # Near pi by symmetry: the sine must be small there in proportion.
    sine = np.sin(np.minimum(number, cap + 1 - number) * (np.pi / (cap + 1)))
    root = math.sqrt(p) * math.sqrt(q)
    # 1 - lambda as a sum of positive terms; lambda itself where it is not near 1.
    gap = ((p - q) / (math.sqrt(p) + math.sqrt(q))) ** 2 + 4 * root * np.sin(angle / 2) ** 2
    value = _stay(p, q) + 2 * root * np.cos(angle)
    with np.errstate(divide="ignore"):  # an eigenvalue may be 0
        log_size = np.where(gap < 0.5, np.log1p(-np.minimum(gap, 0.5)), np.log(np.abs(value)))
    ratio = math.sqrt(q) / math.sqrt(p)
    weight = ratio * 2 * p * sine**2 / ((cap + 1) * gap) * (2 * np.cos(angle) - ratio)
    return _Spectrum(log_size, value < 0, weight)


def _by_spectrum(spectrum: _Spectrum, limit: float, steps: Int[np.ndarray, " step"]):
    """Log Pr(B_k = 0), and by how much its terms cancel, for every k."""
    k = steps[:, None].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 * -inf is 0: lambda^0 is 1
        exponent = np.where(k == 0, 0.0, k * spectrum.log_size)
        exponent = exponent + np.log(np.abs(spectrum.weight))
    top = np.maximum(exponent.max(axis=1), limit)[:, None]
    size = np.exp(exponent - top)
    sign = np.sign(spectrum.weight) * np.where(spectrum.is_negative & (k % 2 == 1), -1, 1)
    stationary = np.exp(limit - top[:, 0])
    total = stationary + (sign * size).sum(axis=1)
    with np.errstate(divide="ignore"):
        cancellation = (stationary + size.sum(axis=1)) / np.maximum(total, 0)
        return top[:, 0] + np.log(np.maximum(total, 0)), cancellation


def _by_steps(p: float, q: float, cap: int, steps: Int[np.ndarray, " step"]):
    """The same by stepping, each step once; a path of k steps knows of no state above k + 1."""
    last = int(steps.max())
    cap = min(cap, last + 1)
    if last * cap > _MOST_WORK:
        raise ValueError(
            f"{p=}, {q=}: the first {last} steps with {cap=} can only be stepped through, which "
            "is too long; use larger probabilities or fewer steps"
        )
    zero = np.array([state[0] for state in itertools.islice(_laws(p, q, cap), last + 1)])
    with np.errstate(divide="ignore"):
        return np.log(zero[steps])


def _laws(p: float, q: float, cap: int) -> Iterator[Float64[np.ndarray, " state"]]:
    """The laws after 0, 1, 2, ... steps."""
    state = np.zeros(cap + 1)
    state[1] = 1
    stay = np.full(cap + 1, _stay(p, q))
    stay[0], stay[cap] = 1 - p, 1 - q
    while True:
        yield state
        moved = stay * state
        moved[1:] += p * state[:-1]
        moved[:-1] += q * state[1:]
        state = moved


def _stay(p: float, q: float) -> float:
    """1 - p - q, rounded once, and not below 0."""
    return max(math.fsum((1.0, -p, -q)), 0.0)


def _check(p: float, q: float, cap: int) -> None:
    # 0.7 + 0.3 and the like may exceed 1 by a rounding.
    if not (0 < q < p and p + q <= 1 + 1e-15):
        raise ValueError(f"{p=}, {q=} must satisfy 0 < q < p and p + q <= 1, as in Definition 4")
    if cap < 1:
        raise ValueError(f"{cap=} must be at least 1, where the chain starts")
