"""Counts of anything: named integers of every draw, summed over chunks.

For what is neither a success at an accuracy nor a first width: histograms, transitions by state,
products rounded to integers. The sums of every chunk are kept, so that limits can be taken from
independent batches.
"""

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int64, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.montecarlo.collect import (
    Progress,
    collect_rows,
    count_chunks,
    report_part,
    reporting,
)
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store


class Counts(NamedTuple):
    """Sums over draws, in total and by chunk."""

    trials: int  # draws
    totals: dict[str, Int64[np.ndarray, "..."]]  # over all draws
    chunks: dict[str, Int64[np.ndarray, "chunk ..."]]  # over the equally many draws of each chunk
    seconds: float  # of computing, stored rows included, compilation not


def collect_counts(
    experiment: Experiment,
    *,
    key: PRNGKeyArray,
    trials: int,
    store: Store | str | os.PathLike | None = None,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> Counts:
    """Sum the counts of `trials` draws, by chunk.

    They depend on the experiment, the key and the number of trials alone: not on the devices or on
    interruptions.

    Parameters
    ----------
    experiment
        With a `count`.
    trials
        Draws, rounded up to whole chunks of ``experiment.lanes``.
    key, store, mesh, progress
        As in `estimate`.

    Raises
    ------
    ValueError
        For an argument outside its range, before anything is compiled; for a count that does not
        give int32 arrays, or whose sum over a chunk may not fit int32; StoreError for an unusable
        store.

    Examples
    --------
    How often do two dice show each sum?

    >>> import jax, jax.numpy as jnp
    >>> from lottery_jax.core import root
    >>> def count(key, parameters):
    ...     eyes = jax.random.randint(key, (2,), 1, 7, jnp.int32)
    ...     is_sum = jnp.sum(eyes) == jnp.arange(2, 13, dtype=jnp.int32)
    ...     return {"sum": is_sum.astype(jnp.int32)}
    >>> dice = Experiment("dice", settings=(), count=count, lanes=1000)
    >>> counts = collect_counts(dice, key=root(7), trials=3600, progress=False)
    >>> counts.trials, counts.chunks["sum"].shape
    (4000, (4, 11))
    >>> counts.totals["sum"]
    array([111, 208, 349, 440, 545, 648, 542, 466, 359, 222, 110])
    """
    if experiment.count is None:
        raise ValueError(f"{experiment.name} has no count; use estimate for its trial")
    keys.check_key(key)
    rows = list(
        collect_rows(
            experiment,
            key=key,
            kind="counts",
            epsilons=(),
            chunks=range(count_chunks(experiment, trials)),
            store=store,
            mesh=mesh,
            progress=progress,
        )
    )
    chunks = {
        name: np.asarray([row["counts"][name] for row in rows], np.int64)
        for name in rows[0]["counts"]
    }
    return Counts(
        trials=sum(row["trials"] for row in rows),
        totals={name: np.asarray(each.sum(axis=0)) for name, each in chunks.items()},
        chunks=chunks,
        seconds=sum(row["seconds"] for row in rows),
    )


def collect_each(
    tasks: Sequence[tuple[Experiment, int]], *, label: str, progress: Progress = True, **arguments
) -> list[Counts]:
    """The counts of several experiments, one after the other, under one progress bar.

    Parameters
    ----------
    tasks
        Experiments, each with its number of draws.
    label
        Of the bar.
    progress
        As in `estimate`; a function is told of the draws of all tasks together.
    arguments
        Key, store and mesh, as in `collect_counts`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from lottery_jax.core import root
    >>> def count(key, parameters):
    ...     return {"eyes": jax.random.randint(key, (), 1, 7, jnp.int32)}
    >>> dice = [Experiment(name, settings=(), count=count, lanes=100) for name in ("red", "blue")]
    >>> tasks = [(die, 200) for die in dice]
    >>> counts = collect_each(tasks, label="dice", key=root(7), progress=False)
    >>> [(each.trials, each.totals["eyes"].item()) for each in counts]
    [(200, 692), (200, 729)]
    """
    total, done, found = sum(trials for _, trials in tasks), 0, []
    with reporting(progress, total, label) as report:
        for experiment, trials in tasks:
            part = partial(report_part, report, done, trials, total)
            found.append(collect_counts(experiment, trials=trials, progress=part, **arguments))
            done += trials
    return found


def planned_seconds(tasks: Sequence[tuple[Experiment, int]]) -> float:
    """Rough seconds of one core after compiling, for experiments with their numbers of draws.

    Those that do not estimate their own count as nothing.

    Examples
    --------
    >>> def count(key, parameters):
    ...     return {}
    >>> dice = Experiment("dice", settings=(), count=count, lanes=8, seconds_per_draw=lambda: 0.5)
    >>> planned_seconds([(dice, 6), (dice, 2)])
    4.0
    """
    costs = [(each.seconds_per_draw, trials) for each, trials in tasks]
    return sum((trials * cost() for cost, trials in costs if cost), start=0.0)


def limits_jackknife(
    counts: Counts,
    statistic: Callable[[dict[str, Int64[np.ndarray, "..."]]], float],
    *,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """A smooth function of the expected counts, and its confidence limits, from the chunks.

    Parameters
    ----------
    counts
        Of at least 10 chunks.
    statistic
        From totals, of any number of draws, to a number that depends on their ratios only.
    confidence
        Strictly between 0 and 1.

    Returns
    -------
    value, low, high
        (-inf, inf) as limits where the value, with or without one of the chunks, is not finite.

    Raises
    ------
    ValueError
        For fewer chunks, or a confidence outside (0, 1).

    Notes
    -----
    Chunks are independent and equally large, so leaving out one at a time gives the standard error
    of the value to first order (Tukey's jackknife), and Student's law with one degree of freedom
    less than chunks gives the limits. They are approximate: a chunk must hold enough draws for its
    sums to be nearly normal.

    Examples
    --------
    The odds of an even number of eyes:

    >>> even = np.array([497, 510, 489, 502, 515, 498, 483, 505, 494, 508])
    >>> chunks = {"even": even, "odd": 1000 - even}
    >>> counts = Counts(10_000, {name: each.sum() for name, each in chunks.items()}, chunks, 0.0)
    >>> odds = limits_jackknife(counts, lambda totals: float(totals["even"] / totals["odd"]))
    >>> print(np.round(odds, 3))
    [1.    0.972 1.029]
    """
    from scipy import stats  # on first use: importing the package stays light

    num_chunks = len(next(iter(counts.chunks.values())))
    if num_chunks < 10:
        raise ValueError(f"{num_chunks=} are too few for limits; use 10 or more, or smaller chunks")
    if not 0 < confidence < 1:
        raise ValueError(f"{confidence=} must lie strictly between 0 and 1, for example 0.95")
    value = statistic(counts.totals)
    others = np.empty(num_chunks)
    for i in range(num_chunks):
        rest = {name: counts.totals[name] - each[i] for name, each in counts.chunks.items()}
        others[i] = statistic({name: np.asarray(each) for name, each in rest.items()})
    if not (math.isfinite(value) and np.all(np.isfinite(others))):
        return value, -math.inf, math.inf
    error = math.sqrt((num_chunks - 1) / num_chunks * np.sum((others - others.mean()) ** 2))
    reach = float(stats.t.isf((1 - confidence) / 2, num_chunks - 1)) * error
    return value, value - reach, value + reach
