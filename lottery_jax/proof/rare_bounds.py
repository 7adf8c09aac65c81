"""The bounds of the study of rare events: at every width of the curve, and their reach.

Nothing here is random; p_2 and above enter the union bound by their confidence limits.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float64, Int64

from lottery_jax.neuron_pruning import birth_death, bounds, paper_bounds
from lottery_jax.proof.rare_rows import Row, Setup, make_row

# Constants of the paper's chain. With bins of length 16 epsilon / JUMP a slope jump of JUMP breaks
# a bin by more than the accuracy epsilon (Lemma 6); with SHARE, q is below p / 2.
JUMP, SHARE = 0.5, 10.0
RADIUS = 2.0  # of the paper's ball, in the ranges
HALF = math.log(0.5)  # a bound above it does not even exclude success in half of the draws

LogBound = Callable[[Int64[np.ndarray, " width"]], Float64[np.ndarray, " width"]]


def curve_bounds(setup: Setup, rows: Sequence[Row]) -> Iterator[Row]:
    """Every bound at every width of the curve."""
    epsilon, radius, width, max_kept, _ = setup.curve
    inside = epsilon / radius
    widths = np.arange(1, width + 1)
    kept_rows = {
        row.kept: row
        for row in rows
        if row.what == "kept" and row.dim == 2 and row.epsilon == inside
    }
    # Limits of p_2, p_3, ...; p_1 is known. A lower limit of 0 adds nothing to the sum.
    ends = [kept_rows[kept] for kept in range(1, max_kept + 1)]
    low = np.log([row.exact or row.low or 1e-300 for row in ends])
    high = np.log([row.exact or row.high or 1.0 for row in ends])
    union = bounds.log_union(high, widths)
    for number, least, value in zip(
        widths.tolist(), bounds.log_union(low, widths).tolist(), union.tolist(), strict=True
    ):
        yield make_row(
            what="bound",
            name=f"union of p_1 to p_{max_kept}",
            dim=2,
            epsilon=epsilon,
            radius=radius,
            kept=max_kept,
            width=number,
            log=value,
            low=math.exp(least),
            high=math.exp(value),
        )
    for name, values in (
        ("union over masks", bounds.log_bound_masks(2, inside, widths)),
        ("one breakpoint", bounds.log_bound_breakpoint(inside, widths)),
        ("one kink", bounds.log_bound_kink(inside, widths)),
        ("(5) of the paper", _log_bound_5(2, epsilon, radius)(widths)),
        ("(9) and (10) of the paper", _log_bounds_9_10(2, epsilon, radius)(widths)),
    ):
        for number, value in zip(widths.tolist(), values.tolist(), strict=True):
            yield make_row(
                what="bound",
                name=name,
                dim=2,
                epsilon=epsilon,
                radius=radius,
                width=number,
                log=value,
            )


def ranges(setup: Setup) -> Iterator[Row]:
    """By dimension, the largest width at which each bound is below 1/2."""
    epsilon, radius = setup.range_epsilon, RADIUS
    inside = epsilon / radius
    for dim in setup.range_dims:
        for name, log_bound in (
            ("union over masks", partial(bounds.log_bound_masks, dim, inside)),
            ("one breakpoint", partial(bounds.log_bound_breakpoint, inside)),
            ("one kink", partial(bounds.log_bound_kink, inside)),
            ("(5) of the paper", _log_bound_5(dim, epsilon, radius)),
            ("(9) and (10) of the paper", _log_bounds_9_10(dim, epsilon, radius)),
        ):
            yield make_row(
                what="range",
                name=name,
                dim=dim,
                epsilon=epsilon,
                radius=radius,
                width=_last_below_half(log_bound),
            )


def paper_chain(epsilon: float, radius: float) -> paper_bounds.Chain | None:
    """The paper's chain for an accuracy, or None where there is no bin to count (T < 1)."""
    length = 16 * epsilon / JUMP
    if length >= 1 or radius / (SHARE * length) < 1:
        return None
    return paper_bounds.chain(epsilon=length, radius=radius, share=SHARE, jump=JUMP)


def _log_bound_5(dim: int, epsilon: float, radius: float) -> LogBound:
    chain = paper_chain(epsilon, radius)
    if chain is None:
        return lambda widths: np.zeros(len(widths))
    # From some step on the chain is at its limit.
    steps = 40 * chain.cap + 400
    zero = birth_death.log_probability_zero(*chain, np.arange(1, steps + 1))
    limit = birth_death.limit_zero(*chain)

    def log_bound(widths: Int64[np.ndarray, " width"]) -> Float64[np.ndarray, " width"]:
        rest = max(0, int(widths.max()) - steps)
        every = np.concatenate([zero, np.full(rest, limit)])
        return bounds.log_union(paper_bounds.log_kept(dim, every), widths)

    return log_bound


def _log_bounds_9_10(dim: int, epsilon: float, radius: float) -> LogBound:
    """Their sum, with the largest constants that the chain allows."""
    chain = paper_chain(epsilon, radius)
    if chain is None:
        return lambda widths: np.zeros(len(widths))
    kept = np.arange(1, 40 * chain.cap + 400)
    rate = -paper_bounds.log_kept(dim, birth_death.log_probability_zero(*chain, kept)) / dim
    is_few = kept < chain.cap
    c_4 = float(np.min(rate[is_few] / kept[is_few], initial=math.inf))
    c_5 = epsilon * float(np.min(rate[~is_few]))

    def log_bound(widths: Int64[np.ndarray, " width"]) -> Float64[np.ndarray, " width"]:
        many = paper_bounds.log_bound_10(dim, epsilon, widths, rate=c_5)
        if chain.cap == 1:  # (9) is an empty sum
            return many
        return np.logaddexp(many, paper_bounds.log_bound_9(dim, chain.cap, widths, rate=c_4))

    return log_bound


def _last_below_half(log_bound: LogBound) -> int:
    """The largest width at which an increasing bound is below 1/2, by doubling and bisection."""

    def is_below(width: int) -> bool:
        return bool(log_bound(np.array([width]))[0] < HALF)

    if not is_below(1):
        return 0
    low, high = 1, 2
    while is_below(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low
