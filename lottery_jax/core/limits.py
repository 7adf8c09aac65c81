"""Confidence limits of a success probability, in float64 on the host.

All three take integer counts that broadcast against each other, and return the lower and the upper
limit. An undecided draw may be a success or not: the lower limit takes it for a failure, the upper
one for a success. No trials give (0, 1).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Shaped

Counts = int | np.integer | Sequence[int] | Shaped[np.ndarray, "..."]
Limits = tuple[Float64[np.ndarray, "..."] | np.float64, Float64[np.ndarray, "..."] | np.float64]


def limits_exact(
    hits: Counts, trials: Counts, *, undecided: Counts = 0, confidence: float = 0.95
) -> Limits:
    """Clopper-Pearson limits: each side misses with probability at most (1 - confidence) / 2.

    They hold when the number of trials was fixed without looking at these draws; otherwise see
    `limits_sequential`.

    Parameters
    ----------
    hits, trials, undecided
        Counts, 0 <= hits, 0 <= undecided, hits + undecided <= trials.
    confidence
        Strictly between 0 and 1.

    Returns
    -------
    low, high
        Float64 in [0, 1].

    Raises
    ------
    ValueError
        For counts that no run can give, or a confidence outside (0, 1).

    Notes
    -----
    Clopper and Pearson, Biometrika 26 (1934).

    Examples
    --------
    >>> low, high = limits_exact([0, 5], 10)
    >>> print(low.round(4), high.round(4))
    [0.     0.1871] [0.3085 0.8129]
    """
    from scipy import special  # on first use: importing the package stays light

    fewest, most, trials = _counts(hits, trials, undecided, confidence)
    side = (1 - confidence) / 2
    # np.maximum keeps the beta functions inside their domain where the limit is 0 or 1 anyway.
    low = special.betaincinv(np.maximum(fewest, 1), trials - fewest + 1, side)
    high = special.betainccinv(most + 1, np.maximum(trials - most, 1), side)
    return np.where(fewest == 0, 0.0, low)[()], np.where(most == trials, 1.0, high)[()]


def limits_wilson(
    hits: Counts, trials: Counts, *, undecided: Counts = 0, confidence: float = 0.95
) -> Limits:
    """Wilson's score limits, for bands in plots.

    They are narrower than the exact ones and right only on average over probabilities. Parameters,
    returned values and errors are those of `limits_exact`.

    Notes
    -----
    Wilson, J. Amer. Statist. Assoc. 22 (1927).

    Examples
    --------
    >>> low, high = limits_wilson(5, 10)
    >>> print(low.round(4), high.round(4))
    0.2366 0.7634
    """
    from scipy import special

    fewest, most, trials = _counts(hits, trials, undecided, confidence)
    z = -special.ndtri((1 - confidence) / 2)
    known = np.maximum(trials, 1)  # 0 trials are put right below

    def score(count, sign):
        centre = count + z**2 / 2
        spread = z * np.sqrt(count * (known - count) / known + z**2 / 4)
        return np.clip((centre + sign * spread) / (known + z**2), 0, 1)

    # At the ends of the range the two terms cancel exactly, but only in exact arithmetic.
    low = np.where(fewest == 0, 0.0, score(fewest, -1))
    high = np.where(most == trials, 1.0, score(most, +1))
    return low[()], high[()]


def limits_sequential(
    hits: Counts, trials: Counts, *, undecided: Counts = 0, confidence: float = 0.95
) -> Limits:
    """Limits that hold at all numbers of trials at once: look at the draws, stop at any time.

    With probability at least `confidence` the true probability lies inside the limits after every
    trial. They are about twice as wide as the exact ones.

    Parameters, returned values and errors are those of `limits_exact`.

    Notes
    -----
    The likelihood ratio of a Beta(1/2, 1/2) mixture against p is a non-negative martingale under p;
    Ville's inequality bounds the chance that it ever exceeds 1 / (1 - confidence). The limits are
    the two ends of the p where it does not (Robbins, Ann. Math. Statist. 41 (1970)). 128
    bisections, vectorised.

    Examples
    --------
    >>> low, high = limits_sequential(50, 100)
    >>> print(low.round(4), high.round(4))
    0.3383 0.6617
    """
    from scipy import special

    fewest, most, trials = _counts(hits, trials, undecided, confidence)

    def end(count, outside):
        """Where the evidence reaches the bound, between count / trials and `outside`."""
        inside, outside = count / np.maximum(trials, 1), np.full_like(count, outside)
        mixture = special.betaln(count + 0.5, trials - count + 0.5) - special.betaln(0.5, 0.5)
        for _ in range(128):
            middle = (inside + outside) / 2
            likelihood = special.xlogy(count, middle) + special.xlog1py(trials - count, -middle)
            is_inside = likelihood > mixture + np.log1p(-confidence)
            inside = np.where(is_inside, middle, inside)
            outside = np.where(is_inside, outside, middle)
        return outside

    low = np.where(fewest == 0, 0.0, end(fewest, 0.0))
    high = np.where(most == trials, 1.0, end(most, 1.0))
    return low[()], high[()]


def _counts(hits, trials, undecided, confidence):
    """Fewest and most successes the counts allow, and the trials: checked, one shape, float64."""
    if not 0 < confidence < 1:
        raise ValueError(f"{confidence=} must lie strictly between 0 and 1, for example 0.95")
    counts = np.broadcast_arrays(*(np.asarray(count) for count in (hits, undecided, trials)))
    if not all(np.issubdtype(count.dtype, np.integer) for count in counts):
        raise ValueError(f"{hits=}, {undecided=}, {trials=} must be integer counts")
    hits, undecided, trials = (count.astype(np.float64) for count in counts)
    if np.any((hits < 0) | (undecided < 0) | (hits + undecided > trials)):
        raise ValueError(f"{hits=} with {undecided=} cannot come from {trials=}")
    return hits, hits + undecided, trials
