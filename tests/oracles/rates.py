"""Binomial tests for simulations: a false alarm once in a million runs of a right program."""

from scipy import stats

FALSE_ALARM = 1e-6


def assert_rate(hits: int, trials: int, expected: float) -> None:
    """The success probability is `expected`, as far as the counts can tell."""
    law = stats.binom(trials, expected)
    tail = min(law.cdf(hits), law.sf(hits - 1))
    assert tail >= FALSE_ALARM / 2, f"{hits} of {trials} has tail {tail:.1e} under {expected}"


def assert_rate_at_most(hits: int, trials: int, largest: float) -> None:
    """The success probability is at most `largest`, as far as the counts can tell."""
    tail = stats.binom(trials, largest).sf(hits - 1)
    assert tail >= FALSE_ALARM, f"{hits} of {trials} has tail {tail:.1e} under {largest}"
