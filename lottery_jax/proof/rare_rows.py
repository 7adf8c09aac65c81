"""What the study of rare events measures: p_k, one rescaled neuron, and success by width.

Every row carries the radius of the ball; the engines below get epsilon / radius.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import collect_rows, count_chunks, estimate
from lottery_jax.montecarlo.experiment import check_epsilons
from lottery_jax.montecarlo.splitting import choose_levels, split
from lottery_jax.neuron_pruning import bounds, kept_network, single_neuron
from lottery_jax.neuron_pruning.experiment import experiment

CONFIDENCE = 0.999  # of each interval: a run sets a few dozen of them
# Limits of a mean of two dozen skewed estimates miss more often than they say. Set at NOMINAL they
# cover CONFIDENCE of runs up to a relative deviation of WIDEST (simulated in the tests).
NOMINAL, WIDEST = 0.9998, 0.5


class Row(NamedTuple):
    """One number: a probability with limits, a bound, or the range of widths of a bound."""

    what: str  # "kept": p_k; "single": Lemma 10; "success": measured; "bound"; "range"
    name: str  # of the event or bound
    dim: int
    epsilon: float  # on the ball of this radius
    radius: float
    kept: int | None  # k
    width: int | None  # N; in a "range", the largest at which the bound is below 1/2 (0: none)
    log: float | None  # of the probability, or of the bound (0 or more: it says nothing)
    low: float | None  # limits of a measured probability, or of a bound made of such
    high: float | None
    exact: float | None  # closed form
    bound: float | None  # for "kept": (d/2e)^(d/2) / Gamma(d/2 + 1) (2 e / (1 - 2 e))^d
    trials: int | None  # draws, or repetitions of splitting
    levels: int | None  # of splitting
    evaluations: int | None  # scores, over all repetitions
    by_level: str | None  # evaluations at each level, in turn
    deviation: float | None  # relative, of one repetition
    is_covered: bool | None  # at most WIDEST: the coverage of the limits is a checked one
    seconds: float | None


class Curve(NamedTuple):
    """Success in the plane, at every width from the same draws."""

    epsilon: float
    radius: float
    width: int  # the largest
    max_kept: int  # neurons; p_1, p_2, ... up to it at epsilon / radius give its union bound
    trials: int


class Setup(NamedTuple):
    """What a run measures."""

    kept: tuple[tuple[int, tuple[int, ...], tuple[float, ...]], ...]  # dim, k, accuracies on R = 1
    particles: int
    repetitions: int
    curve: Curve
    single_dims: tuple[int, ...]
    single_epsilons: tuple[float, ...]  # on the unit ball
    single_trials: int
    range_dims: tuple[int, ...]
    range_epsilon: float  # on the ball of radius 2


def measured(setup: Setup, **run) -> list[Callable[[], list[Row]]]:
    """Pieces of work, each of which gives rows; `run` is key, store and mesh."""
    kept = [
        partial(_kept, setup, dim, number, epsilon, **run)
        for dim, numbers, epsilons in setup.kept
        for number in numbers
        for epsilon in epsilons
    ]
    singles = [partial(_singles, setup, dim, **run) for dim in setup.single_dims]
    return [*kept, *singles, partial(_success, setup, **run)]


def make_row(**fields) -> Row:
    """A row with None for what is not given."""
    return Row(**{**dict.fromkeys(Row._fields), **fields})  # pyright: ignore[reportArgumentType]


def names(rows: Sequence[Row], what: str) -> list[str]:
    """The names of the rows of one sort, in their order."""
    return list(dict.fromkeys(row.name for row in rows if row.what == what))


def named(rows: Sequence[Row], what: str, name: str) -> list[Row]:
    """The rows of one sort and name."""
    return [row for row in rows if (row.what, row.name) == (what, name)]


def _kept(setup: Setup, dim: int, kept: int, epsilon: float, *, key, store, mesh) -> list[Row]:
    """p_k by splitting."""
    event = kept_network.event(dim=dim, kept=kept)
    run = {"key": key, "particles": setup.particles, "store": store, "mesh": mesh}
    levels = choose_levels(event, level=epsilon, **run)
    rare = split(event, levels=levels, repetitions=setup.repetitions, confidence=NOMINAL, **run)
    exact = single_neuron.success_gaussian(dim, epsilon) if kept == 1 else None
    return [
        make_row(
            what="kept",
            name="p_k",
            dim=dim,
            epsilon=epsilon,
            radius=1.0,
            kept=kept,
            log=math.log(rare.probability) if rare.probability else None,
            low=rare.low,
            high=rare.high,
            exact=exact,
            bound=math.exp(bounds.log_bound_kept(dim, epsilon)),
            trials=len(rare.repetitions),
            levels=len(levels.levels),
            evaluations=int(np.sum(rare.evaluations)),
            by_level=_in_runs(rare.evaluations.tolist()),
            deviation=rare.deviation,
            is_covered=rare.deviation <= WIDEST,
            seconds=levels.seconds + rare.seconds,
        )
    ]


def _in_runs(numbers: Sequence[int]) -> str:
    """The numbers in turn, equal neighbours as "30 x 147456"."""
    runs = [(value, len(list(same))) for value, same in groupby(numbers)]
    return ", ".join(f"{count} x {value}" if count > 1 else f"{value}" for value, count in runs)


def _singles(setup: Setup, dim: int, *, key, store, mesh) -> list[Row]:
    """One neuron, rescaled and as it is, counted."""
    rows = []
    for name, counted, exact in (
        ("rescaled", single_neuron.experiment(dim=dim, radius=1.0), single_neuron.success_rescaled),
        (
            "as it is",
            kept_network.experiment(dim=dim, kept=1, radius=1.0),
            single_neuron.success_gaussian,
        ),
    ):
        found = estimate(
            counted,
            key=key,
            trials=setup.single_trials,
            epsilons=setup.single_epsilons,
            confidence=CONFIDENCE,
            store=store,
            mesh=mesh,
            progress=False,
        )
        for number, epsilon in enumerate(setup.single_epsilons):
            hits = int(found.hits[number])
            rows.append(
                make_row(
                    what="single",
                    name=name,
                    dim=dim,
                    epsilon=epsilon,
                    radius=1.0,
                    kept=1,
                    log=math.log(hits / found.trials) if hits else None,
                    low=float(found.low[number]),
                    high=float(found.high[number]),
                    exact=exact(dim, epsilon),
                    trials=found.trials,
                    seconds=found.seconds,
                )
            )
    return rows


def _success(setup: Setup, *, key, store, mesh) -> list[Row]:
    """Success of subsets of limited size, at all widths from the same draws."""
    epsilon, radius, width, max_kept, trials = setup.curve
    counted = experiment(dim=2, width=width, radius=radius, max_kept=max_kept)
    counts, seconds = np.zeros((2, width + 2), np.int64), 0.0
    chunks = range(count_chunks(counted, trials))
    for row in collect_rows(
        counted,
        key=key,
        kind="first_width",
        epsilons=check_epsilons([epsilon]),
        chunks=chunks,
        store=store,
        mesh=mesh,
    ):
        for each, histogram in zip(counts, (row["certain"], row["possible"]), strict=True):
            for first, count in histogram.items():
                each[int(first)] += count
        seconds += row["seconds"]
    certain, possible = counts[:, :-1].cumsum(axis=1)[:, 1:]
    draws = len(chunks) * counted.lanes
    limits = limits_exact(certain, draws, undecided=possible - certain, confidence=CONFIDENCE)
    low, high = map(np.asarray, limits)
    return [
        make_row(
            what="success",
            name=f"measured, at most {max_kept} kept",
            dim=2,
            epsilon=epsilon,
            radius=radius,
            kept=max_kept,
            width=number,
            log=math.log(certain[number - 1] / draws) if certain[number - 1] else None,
            low=float(low[number - 1]),
            high=float(high[number - 1]),
            trials=draws,
            seconds=seconds,
        )
        for number in range(1, width + 1)
    ]
