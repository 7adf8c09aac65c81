"""Recall and complete recovery from counts of `recovery`, with confidence limits."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.counts import Counts
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.sparse_features.recovery import MASS_UNIT


class Recall(NamedTuple):
    """What was found from one number of rows at one M."""

    size: int  # n
    kept_entries: int  # M
    trials: int  # draws
    recall: float  # mean share of the support that was kept
    low: float  # limits of this mean over all draws
    high: float
    complete: int  # draws in which the whole support was kept
    complete_low: float  # limits of the probability of it
    complete_high: float
    kept: float  # mean |J|, the appended input not counted
    chance: float  # |J| / d, the recall of as many random inputs
    mass: float  # mean of ||V_J||_F^2 / r
    mass_low: float
    mass_high: float
    first: float  # mean share of the support that line 3 alone finds
    even: float  # line 4
    odd: float  # line 5
    even_low: float  # limits for line 4
    even_high: float


def recalls(experiment: Experiment, counts: Counts, *, confidence: float = 0.95) -> list[Recall]:
    """A record for each number of rows and each M, sizes slowest.

    Parameters
    ----------
    experiment, counts
        From `recovery`, and of its draws.
    confidence
        Of each interval.

    Raises
    ------
    ValueError
        For fewer than two draws, which have no spread.
    """
    settings = dict(experiment.settings)
    dim, support_size = int(settings["dim"]), int(settings["support_size"])
    sizes, choices = (
        [int(each) for each in str(settings[name]).split()] for name in ("sizes", "kept")
    )
    totals, trials = counts.totals, counts.trials
    found = []
    for i, size in enumerate(sizes):
        for j, kept_entries in enumerate(choices):
            at = {name: int(each[i, j]) for name, each in totals.items()}
            low, high = limits_mean(
                at["found"], at["found_squared"], trials, support_size, confidence=confidence
            )
            mass_low, mass_high = limits_mean(
                at["mass"],
                at["mass_squared"],
                trials,
                MASS_UNIT,
                confidence=confidence,
                independent=_effective_size(settings),
            )
            even_low, even_high = limits_mean(
                at["even"], at["even_squared"], trials, support_size, confidence=confidence
            )
            complete = limits_exact(at["complete"], trials, confidence=confidence)
            shares = {name: at[name] / (trials * support_size) for name in ("first", "even", "odd")}
            found.append(
                Recall(
                    size=size,
                    kept_entries=kept_entries,
                    trials=trials,
                    recall=at["found"] / (trials * support_size),
                    low=low,
                    high=high,
                    complete=at["complete"],
                    complete_low=float(complete[0]),
                    complete_high=float(complete[1]),
                    kept=at["kept"] / trials,
                    chance=at["kept"] / (trials * dim),
                    mass=at["mass"] / (trials * MASS_UNIT),
                    mass_low=mass_low,
                    mass_high=mass_high,
                    **shares,
                    even_low=even_low,
                    even_high=even_high,
                )
            )
    return found


def _effective_size(settings: Mapping[str, int | float | str]) -> int:
    """||V||_{2,1}^2 / r, rounded down: as many equal rows would have this norm."""
    law, size = settings["law"], int(settings["support_size"])
    if law == "power_law":
        lengths = np.arange(1.0, size + 1) ** -float(settings["power"])
        return max(1, int(lengths.sum() ** 2 / np.sum(lengths**2) + 1e-9))
    # Of a uniform direction; of several it is more.
    return max(1, int(2 / math.pi * size)) if law == "dense" else size


def limits_mean(
    total: int,
    squares: int,
    trials: int,
    largest: int,
    *,
    confidence: float = 0.95,
    independent: int | None = None,
) -> tuple[float, float]:
    """Limits for the mean share of draws that each count from 0 to `largest`.

    Parameters
    ----------
    total, squares
        Sums over draws of the counts and of their squares.
    trials
        Draws, at least 2.
    largest
        The count that is a share of 1.
    confidence
        Strictly between 0 and 1.
    independent
        As many coordinates, independent of each other, make a draw that spreads least; by default
        `largest`.

    Raises
    ------
    ValueError
        For fewer than two draws, or a confidence outside (0, 1).

    Notes
    -----
    Student's limits from the spread over draws, cut to [0, 1]. A few draws that happen to agree
    would give none, so the variance of a draw is taken to be at least that of independent
    coordinates, p (1 - p) / s, at p = (found + 1) / (coordinates + 2), Laplace's estimate. They are
    approximate, and too narrow near 0 and 1: a draw in which nothing is found, once in a hundred,
    is not seen in ten. Limits of complete recovery are exact.

    Examples
    --------
    Ten draws that all find 12 of 12:

    >>> low, high = limits_mean(120, 1440, 10, 12)
    >>> print(round(low, 3), high)
    0.981 1.0
    """
    check_spread(trials)
    if not 0 < confidence < 1:
        raise ValueError(f"{confidence=} must lie strictly between 0 and 1, for example 0.95")
    coordinates = largest if independent is None else independent
    mean = total / (trials * largest)
    variance = (squares / largest**2 - trials * mean**2) / (trials - 1)
    likely = (mean * trials * coordinates + 1) / (trials * coordinates + 2)
    variance = max(variance, likely * (1 - likely) / coordinates)
    low, high = limits_student(mean, variance, trials, confidence=confidence)
    return max(0.0, low), min(1.0, high)


def check_spread(trials: int) -> None:
    """Raise for fewer than two draws, before they are drawn: limits come from their spread."""
    if trials < 2:
        raise ValueError(f"{trials=} have no spread; use 2 or more")


def limits_student(
    mean: float, variance: float, trials: int, *, confidence: float
) -> tuple[float, float]:
    """Student's limits of a mean, from the variance over draws; open for a single draw.

    Examples
    --------
    >>> low, high = limits_student(2.0, 2.0, 2, confidence=0.99)
    >>> print(round(high - 2, 2))
    63.66
    """
    from scipy import special  # on first use: importing the package stays light

    if trials < 2:
        return -math.inf, math.inf
    quantile = float(special.stdtrit(trials - 1, (1 + confidence) / 2))
    reach = quantile * math.sqrt(variance / trials)
    return mean - reach, mean + reach
