"""Binomial tails and mixture evidence, term by term."""

import math


def at_least(hits: int, trials: int, probability: float) -> float:
    """P(X >= hits), summed."""
    return math.fsum(
        math.comb(trials, k) * probability**k * (1 - probability) ** (trials - k)
        for k in range(hits, trials + 1)
    )


def at_most(hits: int, trials: int, probability: float) -> float:
    """P(X <= hits), summed."""
    return at_least(trials - hits, trials, 1 - probability)


def mixture_evidence(hits: int, trials: int, probability: float) -> float:
    """Likelihood ratio of the Beta(1/2, 1/2) mixture against `probability`, draw by draw.

    The mixture predicts the next draw by (hits + 1/2) / (trials + 1), whatever the order.
    """
    ratio = 1.0
    for draw in range(trials):
        seen = min(draw, hits)  # the successes first
        if draw < hits:
            ratio *= (seen + 0.5) / (draw + 1) / probability
        else:
            ratio *= (draw - seen + 0.5) / (draw + 1) / (1 - probability)
    return ratio
