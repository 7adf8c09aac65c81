"""Upper bounds on the success of neuron pruning, and p_1 exactly: the union bounds in numbers.

Everything is a logarithm in float64, so that no sum over subsets overflows and no probability
underflows; a bound at or above 0 says nothing. Accuracies `epsilon` are those on the unit ball: for
the ball of radius R they are epsilon / R, as the error is homogeneous.

Two bounds are rigorous with the constants given here. In both, a necessary condition is a single
event. *Masks*: the odd part of the error is linear, so the kept sum of alpha_i w_i must lie within
2 epsilon of w*, and no subset does so with more than `log_bound_kept`; 2^N subsets are summed.
*Kinks*: a neuron must bend near the target's bend, and there are N of them. The bounds of the paper
itself, whose constants are open, are in `paper_bounds`.

Source of (1), Lemma 2 and Lemma 10: "Structured vs. Unstructured Pruning: An Exponential Gap".
"""

import math

import numpy as np
from jaxtyping import Float64, Shaped

Widths = Shaped[np.ndarray, " width"]  # numbers of neurons before pruning
Logs = Float64[np.ndarray, " width"]


def log_bound_kept(dim: int, epsilon: float) -> float:
    """A bound on log p_k for every number k of kept neurons, and 0 for epsilon >= 1/2.

    Given the output weights, the kept sum of alpha_i w_i is Gaussian with some variance s^2 in each
    coordinate. Its density at a distance r >= 1 - 2 epsilon from 0 is at most
    (d / (2 pi e r^2))^(d/2), the value at s^2 = r^2 / d, whatever s is. So the ball of radius
    2 epsilon around w* has at most the probability

        (d / 2e)^(d/2) / Gamma(d/2 + 1) * (2 epsilon / (1 - 2 epsilon))^d
        <= (2 epsilon / (1 - 2 epsilon))^d / sqrt(pi d),

    the second form by Stirling's formula.

    Raises
    ------
    ValueError
        Unless dim >= 2 and 0 < epsilon < 1.

    Examples
    --------
    >>> round(math.exp(log_bound_kept(2, 0.1)), 6)
    0.022992
    """
    _check(dim, epsilon)
    if epsilon >= 0.5:
        return 0.0
    half = dim / 2
    ratio = math.log(2 * epsilon) - math.log1p(-2 * epsilon)
    return min(0.0, half * (math.log(half) - 1) - math.lgamma(half + 1) + dim * ratio)


def log_union(log_probabilities: Float64[np.ndarray, " kept"], widths: Widths) -> Logs:
    """Log of the sum over k of C(N, k) p_k, the union bound (1), at every width N.

    Parameters
    ----------
    log_probabilities
        log p_1, log p_2, ...; where they end before N, the bound is on success with at most so many
        neurons kept.

    Notes
    -----
    Cost: widths times probabilities, in time and memory.

    Examples
    --------
    >>> log_union(np.log([0.1, 0.01]), np.array([1, 2, 10])).round(4)
    array([-2.3026, -1.5606,  0.3716])
    """
    from scipy.special import gammaln, logsumexp

    kept = np.arange(1, len(log_probabilities) + 1)
    width = np.asarray(widths, np.float64)[:, None]
    rest = np.maximum(width - kept, 0)
    log_subsets = gammaln(width + 1) - gammaln(kept + 1) - gammaln(rest + 1)
    terms = np.where(kept <= width, log_subsets + log_probabilities, -np.inf)
    return np.asarray(logsumexp(terms, axis=1))


def log_bound_masks(dim: int, epsilon: float, widths: Widths) -> Logs:
    """Log of 2^N times `log_bound_kept`: success, with any number kept, at every width N.

    A success probability of 2^-s needs N >= d log2((1 - 2 epsilon) / (2 epsilon)) - s.

    Raises
    ------
    ValueError
        Unless dim >= 2 and 0 < epsilon < 1.

    Examples
    --------
    >>> np.exp(log_bound_masks(2, 0.1, np.array([1, 5]))).round(4)
    array([0.046 , 0.7358])
    """
    return np.asarray(widths, np.float64) * math.log(2) + log_bound_kept(dim, epsilon)


def log_bound_breakpoint(epsilon: float, widths: Widths) -> Logs:
    """Log of a bound on success, with any number kept, from one breakpoint: about 3.6 N epsilon.

    On the family x(t) = (t, 1) of a plane that contains w* = (1, 1) / sqrt 2, the target bends at
    t = -1 by 1 / sqrt 2. By Lemma 2, a network without a breakpoint within delta of it errs by
    delta / (4 sqrt 2) somewhere at t in [-1 - delta, -1 + delta]; so some neuron must have its
    breakpoint, which is a Cauchy number, within 4 sqrt 2 R epsilon. R = 2 is the radius of the
    paper's ball, and must reach that far: the bound is 1 from epsilon = .0647 on.

    Raises
    ------
    ValueError
        Unless 0 < epsilon < 1.

    Examples
    --------
    >>> np.exp(log_bound_breakpoint(0.01, np.array([1, 10]))).round(4)
    array([0.0361, 0.3076])
    """
    radius = 2.0
    _check(2, epsilon)
    delta = 4 * math.sqrt(2) * radius * epsilon
    if 1 + delta > math.sqrt(radius**2 - 1):
        return np.zeros(len(widths))
    chance = (math.atan(1 + delta) - math.atan(1 - delta)) / math.pi
    return _log_any(chance, widths)


def log_bound_kink(epsilon: float, widths: Widths) -> Logs:
    """Log of a bound on success, with any number kept, from one kink: at most 2.55 N epsilon.

    The sharper form of `log_bound_breakpoint`, on the unit circle of a plane that contains w*. Take
    the points at the angles -b, 0, b from a direction in which the target bends. A network without
    a kink between them is linear there, and then its errors e_-, e_0, e_+ satisfy
    e_- + e_+ - 2 cos(b) e_0 = -+ sin(b): one of them is at least tan(b/2) / 2. So some neuron must
    bend within 2 arctan(2 epsilon) of the target's line, and its own line has a uniform angle.

    Raises
    ------
    ValueError
        Unless 0 < epsilon < 1.

    Examples
    --------
    >>> np.exp(log_bound_kink(0.01, np.array([1, 10]))).round(4)
    array([0.0255, 0.2273])
    """
    _check(2, epsilon)
    return _log_any(min(1.0, 4 / math.pi * math.atan(2 * epsilon)), widths)


def _log_any(chance: float, widths: Widths) -> Logs:
    """Log of the probability that one of N independent neurons does it."""
    if chance == 1:
        return np.zeros(len(widths))
    return np.log(-np.expm1(np.asarray(widths, np.float64) * math.log1p(-chance)))


def _check(dim: int, epsilon: float) -> None:
    if dim < 2:
        raise ValueError(f"{dim=} must be at least 2: with one input a neuron has no direction")
    if not 0 < epsilon < 1:
        raise ValueError(
            f"{epsilon=} must lie strictly between 0 and 1; it is the accuracy on the unit ball, "
            "epsilon / radius"
        )
