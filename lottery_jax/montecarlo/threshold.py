"""The width at which a nested experiment succeeds with a given probability, with exact limits.

Draws are nested: a draw of width w is the first w neurons of a wider one. So every draw has a first
width T at which it succeeds, success at width w is the event T <= w, and one draw at a cap decides
all widths up to it.
"""

import math
import os
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int64, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import Progress, collect_rows, count_chunks
from lottery_jax.montecarlo.experiment import Experiment, Setting, check_epsilons
from lottery_jax.montecarlo.store import Store


@dataclass(frozen=True)
class Threshold:
    """The smallest width at which draws succeed with `probability`, and its confidence limits.

    With bound "lower" a successful draw may have been missed, so the widths are those at which the
    search succeeds, and the true one can be smaller; with "upper" it can be larger.
    """

    name: str
    settings: tuple[tuple[str, Setting], ...]  # of the experiment at the cap
    epsilon: float
    probability: float
    width: int | float  # smallest width at which enough draws succeeded; inf above the cap
    width_low: int
    width_high: int | float  # inf where the draws up to the cap give no upper limit
    trials: int
    undecided: int  # draws whose first width rounding leaves open; the limits cover them both ways
    cap: int  # width of the draws
    confidence: float
    bound: str  # as in `Experiment`
    seconds: float
    limits: Literal["exact"] = "exact"

    @property
    def is_open(self) -> bool:
        """True where there is no upper limit: the cap (at most ``max_width``) was too small."""
        return math.isinf(self.width_high)

    def __str__(self) -> str:
        width = f"> {self.cap}" if math.isinf(self.width) else f"{self.width}"
        return (
            f"{self.name}: width {width} for success probability {self.probability:g} at "
            f"epsilon {self.epsilon:g}\n{100 * self.confidence:g} % exact limits "
            f"[{self.width_low}, {self.width_high}] from {self.trials} trials, cap {self.cap}"
        )


def threshold(
    experiment: Experiment,
    *,
    key: PRNGKeyArray,
    epsilon: float,
    trials: int,
    probability: float = 0.5,
    confidence: float = 0.95,
    pilot_trials: int | None = None,
    store: Store | str | os.PathLike | None = None,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> Threshold:
    """The smallest width whose success probability reaches `probability`, with confidence limits.

    A pilot on its own stream, at widths growing by 1.4 from that of `experiment`, chooses the cap:
    a width whose success probability is enough above `probability`. Fresh draws at the cap
    estimate.

    Parameters
    ----------
    experiment
        With a `first_width`, an `at_width` and a `max_width`; its own width is the first guess.
    trials
        Fresh draws, rounded up to whole chunks. More of them may move the cap, whose draws are then
        all new.
    probability
        Strictly between 0 and 1.
    pilot_trials
        Draws of each pilot run, rounded up to whole chunks; by default enough for `probability`, 48
        at 1/2.
    key, epsilon, confidence, store, mesh, progress
        As in `estimate`, with one ε.

    Raises
    ------
    ValueError
        For an argument outside its range, before anything is compiled, and for so few trials that
        no outcome gives an upper limit; StoreError for an unusable store.

    Notes
    -----
    Let N be the true threshold: P(T <= N) >= p > P(T <= N - 1). The lower limit is the smallest
    width whose upper Clopper-Pearson limit reaches p. It exceeds N only if the upper limit at N
    falls below p: a miss of one binomial test at the one width N, whatever happens at the other
    widths. The upper limit is the smallest width whose lower Clopper-Pearson limit reaches p. It
    falls below N only if, as limits grow with the width, the lower limit at N - 1 reaches p. Each
    has probability at most (1 - confidence) / 2: no correction for looking at many widths is
    needed, and since the cap was fixed before the fresh draws, none for choosing it. A cap that
    turns out too small leaves the upper limit open, never wrong.

    Examples
    --------
    A draw succeeds as soon as one of its uniform numbers lies below ε, so N = 7 at ε = 0.1:

    >>> import jax, jax.numpy as jnp
    >>> from lottery_jax.core import root
    >>> from lottery_jax.montecarlo import FirstWidth
    >>> def first_width(key, epsilon, parameters):
    ...     below = jax.random.uniform(key, (64,), "float32") < epsilon
    ...     first = jnp.argmax(below).astype(jnp.int32) + 1
    ...     width = parameters["width"]
    ...     first = jnp.where(below.any() & (first <= width), first, width + 1)
    ...     return FirstWidth(certain=first, possible=first)
    >>> def at_width(width):
    ...     size = (("width", width),)
    ...     return Experiment("below", settings=size, first_width=first_width, parameters=size,
    ...                       lanes=500, at_width=at_width, max_width=64)
    >>> print(threshold(at_width(4), key=root(7), epsilon=0.1, trials=2000, progress=False))
    below: width 7 for success probability 0.5 at epsilon 0.1
    95 % exact limits [6, 7] from 2000 trials, cap 9
    """
    keys.check_key(key)
    (epsilon,) = check_epsilons([epsilon])
    for name in ("first_width", "at_width", "max_width"):
        if getattr(experiment, name) is None:
            raise ValueError(f"{experiment.name} has no {name}; use estimate at a few widths")
    for name, value in (("probability", probability), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ValueError(f"{name}={value} must lie strictly between 0 and 1")
    count_chunks(experiment, trials)
    if pilot_trials is None:
        # Three standard errors of the pilot are at most half the distance from p to 1.
        pilot_trials = max(48, math.ceil(36 * probability / (1 - probability)))
    count_chunks(experiment, pilot_trials)
    if limits_exact(trials, trials, confidence=confidence)[0] < probability:
        least = math.ceil(math.log((1 - confidence) / 2) / math.log(probability))
        raise ValueError(f"{trials=} cannot reach {probability=}; use at least {least}")

    arguments = {"key": key, "epsilons": (epsilon,), "store": store, "mesh": mesh}
    level = partial(_pilot_level, probability, confidence, trials)
    # A progress function is told about the fresh draws only.
    pilot = partial(_collect, kind="pilot", progress=progress is True, **arguments)
    capped = _choose_cap(experiment, level, partial(pilot, trials=pilot_trials))
    widths = _collect(capped, kind="first_width", trials=trials, progress=progress, **arguments)
    width, low, high = invert(
        widths.certain, widths.possible, widths.trials, probability, confidence
    )
    return Threshold(
        name=capped.name,
        settings=capped.settings,
        epsilon=epsilon,
        probability=probability,
        width=width,
        width_low=low,
        width_high=high,
        trials=widths.trials,
        undecided=widths.undecided,
        cap=capped.width,
        confidence=confidence,
        bound=capped.bound,
        seconds=widths.seconds,
    )


def invert(
    certain: Int64[np.ndarray, " width"],
    possible: Int64[np.ndarray, " width"],
    trials: int,
    probability: float,
    confidence: float,
) -> tuple[int | float, int, int | float]:
    """Threshold and limits from the successes of the same draws at the widths 0, 1, 2, ...

    Parameters
    ----------
    certain, possible
        Draws that certainly, and possibly, succeed at each width; not decreasing, certain <=
        possible.

    Returns
    -------
    width, width_low, width_high
        See `Threshold` and the notes of `threshold`.

    Examples
    --------
    >>> successes = np.array([0, 10, 45, 60, 90])
    >>> invert(successes, successes, 100, probability=0.5, confidence=0.95)
    (3, 2, 4)
    """
    low, high = limits_exact(certain, trials, undecided=possible - certain, confidence=confidence)
    return (
        _first(certain / trials >= probability, otherwise=math.inf),
        _first(high >= probability, otherwise=len(certain)),
        _first(low >= probability, otherwise=math.inf),
    )


class _Widths(NamedTuple):
    """Successes of the same draws at the widths 0, 1, ..., up to that of the experiment."""

    certain: Int64[np.ndarray, " width"]
    possible: Int64[np.ndarray, " width"]
    trials: int
    undecided: int
    seconds: float


def _collect(experiment, *, kind, trials, **arguments) -> _Widths:
    """Count the first widths of `trials` draws, rounded up to whole chunks."""
    certain, possible = np.zeros((2, experiment.width + 2), np.int64)
    undecided, seconds = 0, 0.0
    chunks = range(count_chunks(experiment, trials))
    for row in collect_rows(experiment, kind=kind, chunks=chunks, **arguments):
        for counts, histogram in ((certain, row["certain"]), (possible, row["possible"])):
            for width, count in histogram.items():
                counts[int(width)] += count
        undecided += row["undecided"]
        seconds += row["seconds"]
    # The last entry counts the draws without success up to the experiment's width.
    trials = len(chunks) * experiment.lanes
    return _Widths(certain[:-1].cumsum(), possible[:-1].cumsum(), trials, undecided, seconds)


def _choose_cap(experiment, level, pilot) -> Experiment:
    """The experiment at the smallest width where enough of its pilot succeeds."""
    width = min(max(experiment.width, 1), experiment.max_width)
    while True:
        widths = pilot(experiment.at_width(width))
        needed = min(level(widths.trials), 1.0)
        cap = _first(widths.certain / widths.trials >= needed, otherwise=None)
        if cap is not None:
            return experiment.at_width(max(cap, 1))
        if width == experiment.max_width:
            return experiment.at_width(experiment.max_width)
        width = min(math.ceil(1.4 * width), experiment.max_width)


def _pilot_level(probability, confidence, trials, pilot_trials) -> float:
    """Share of the pilot that must succeed at the cap, for an upper limit below the cap.

    The fresh lower limit lies z standard errors below the fresh share, and three standard errors of
    the difference between the fresh share and the pilot's leave one run in a thousand open.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    variance = probability * (1 - probability)
    fresh, pilot = variance / trials, variance / pilot_trials
    return probability + z * math.sqrt(fresh) + 3 * math.sqrt(fresh + pilot)


def _first(reached, otherwise):
    """The first width at which `reached` is True."""
    return int(np.argmax(reached)) if reached.any() else otherwise
