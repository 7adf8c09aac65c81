"""Lemma 7: the birth-death chain exactly, its constant, and a simulation beside it.

The lemma says Pr(B_k = 0) <= exp(-a min(k, T)) with some a > 0 that depends on p and q alone. The
largest such a is computed for every chain, from the exact law at all steps and its limit. The
simulation only shows that the law computed is that of Definition 4.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import Progress, report_part, reporting
from lottery_jax.montecarlo.counts import collect_counts
from lottery_jax.montecarlo.store import Store
from lottery_jax.neuron_pruning import birth_death
from lottery_jax.proof.verdict import Verdict
from lottery_jax.report.tables import format_table

NAME = "chain"
QUESTION = "How fast does the birth-death chain of the proof lose its chance to be at 0? (Lemma 7)"
COUNTED = ("birth_death",)
COMMAND = "lottery-jax run chain"
CONFIDENCE = 0.9999  # of each interval: a run sets a few dozen of them
AT_LIMIT = 1e-3  # a law this near to its limit, in the logarithm, is compared with the limit itself


class Chain(NamedTuple):
    """The parameters of Definition 4."""

    p: float  # up
    q: float  # down
    cap: int  # T


class Row(NamedTuple):
    """One chain after one number of steps."""

    p: float  # probability of going up
    q: float  # probability of going down
    cap: int  # T, the highest state
    step: int  # k
    exponent: float  # -log Pr(B_k = 0), exact
    limit: float  # its limit for k to infinity
    rate: float  # -log(1 - (sqrt p - sqrt q)^2), the exponent's slope before the cap is felt
    constant: float  # the largest a with Pr(B_k = 0) <= exp(-a min(k, T)) at all steps
    constant_step: int  # the step that allows no larger one; 0: the limit
    trials: int | None  # simulated paths; None where this step was not simulated
    hits: int | None  # of them at 0
    low: float | None  # limits of the simulated Pr(B_k = 0)
    high: float | None


class Setup(NamedTuple):
    """What a run computes and simulates."""

    chains: tuple[Chain, ...]
    trials: int  # paths of each chain
    simulated: tuple[int, ...]  # steps at which paths are compared with the law
    longest: int  # step to which the exact law is shown
    multiple: int = 4  # steps at which a is the largest constant, in units of T (of 250 below)


FULL = Setup(
    chains=(
        *(Chain(0.3, 0.1, cap) for cap in (3, 10, 30, 100, 300, 1000)),
        *(Chain(0.4, 0.3, cap) for cap in (3, 30, 300)),
        *(Chain(0.41, 0.02, cap) for cap in (3, 30, 300)),
    ),
    trials=1_000_000,
    simulated=(1, 2, 4, 8, 16, 32, 64),
    longest=40_000,
)
QUICK = Setup(
    chains=(*(Chain(0.3, 0.1, cap) for cap in (3, 10, 30, 100)), Chain(0.4, 0.3, 30)),
    trials=20_000,
    simulated=(1, 4, 16, 64),
    longest=4_000,
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    steps = max(setup.simulated)
    draws = len(setup.chains) * setup.trials
    seconds = draws * 5e-8 * steps
    return (
        f"{len(setup.chains)} chains exactly, and "
        f"{draws} paths of {steps} steps: about {seconds:.0f} s of one core after compiling"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows of every chain; paths that the store already holds are not simulated again."""
    total = len(setup.chains) * setup.trials
    rows = []
    with reporting(progress, total, NAME) as report:
        for number, chain in enumerate(setup.chains):
            part = partial(report_part, report, number * setup.trials, setup.trials, total)
            rows += _measure_chain(setup, chain, key=key, store=store, mesh=mesh, progress=part)
    return rows


def _measure_chain(setup: Setup, chain: Chain, **arguments) -> list[Row]:
    experiment = birth_death.experiment(**chain._asdict(), steps=max(setup.simulated))
    counts = collect_counts(experiment, trials=setup.trials, **arguments)
    steps = np.unique(np.round(np.geomspace(1, setup.longest, 50)).astype(int))
    steps = np.union1d(steps, setup.simulated)
    exponents = -birth_death.log_probability_zero(*chain, steps)
    constant, constant_step = birth_death.lemma_7_constant(
        *chain, setup.multiple * max(chain.cap, 250)
    )
    rows = []
    for step, exponent in zip(steps.tolist(), exponents.tolist(), strict=True):
        hits = low = high = None
        if step in setup.simulated:
            hits = int(counts.totals["zero"][step - 1])
            low, high = map(float, limits_exact(hits, counts.trials, confidence=CONFIDENCE))
        rows.append(
            Row(
                **chain._asdict(),
                step=step,
                exponent=exponent,
                limit=-birth_death.limit_zero(*chain),
                rate=birth_death.decay_rate(chain.p, chain.q),
                constant=constant,
                constant_step=constant_step,
                trials=None if hits is None else counts.trials,
                hits=hits,
                low=low,
                high=high,
            )
        )
    return rows


def draw(rows: Sequence[Row]):
    """-log Pr(B_k = 0) against k for every T of the first p and q; paths as points with limits."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    ax = figures.new_axis()
    p, q = rows[0].p, rows[0].q
    chosen = [row for row in rows if (row.p, row.q) == (p, q)]
    for number, cap in enumerate(sorted({row.cap for row in chosen}, reverse=True)):
        colour = figures.COLOURS[number % len(figures.COLOURS)]
        marker = figures.MARKERS[number % len(figures.MARKERS)]
        curve = [row for row in chosen if row.cap == cap]
        steps = [row.step for row in curve]
        ax.plot(steps, [row.exponent for row in curve], color=colour, label=f"T = {cap}")
        bound = [row.constant * min(row.step, cap) for row in curve]
        ax.plot(steps, bound, "-.", color=colour, lw=1)
        ax.axhline(curve[0].limit, color=colour, ls=":", lw=1)
        for row in curve:
            if row.hits and row.low and row.high and row.trials:  # 0 hits have no exponent
                ends = [-math.log(row.high), -math.log(row.low)]
                ax.plot([row.step] * 2, ends, color=colour, lw=1)
                ax.plot(row.step, -math.log(row.hits / row.trials), marker, color=colour, ms=4)
    steps = [row.step for row in chosen]
    ends = np.array([min(steps), max(steps)])
    ax.plot(ends, rows[0].rate * ends, "--", color="black", label="-k log(1 - (√p - √q)²)")
    ax.plot([], [], "-.", color="grey", lw=1, label="a min(k, T)")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.5, 2 * max(row.exponent for row in chosen))
    ax.set_xlabel("steps k")
    ax.set_ylabel("-log Pr(at 0 after k steps)")
    ax.set_title(
        f"p = {p:g}, q = {q:g}. Lines: exact; dotted: limits for k to infinity; dash-dotted: "
        f"a min(k, T);\npoints: paths, {100 * CONFIDENCE:g} % confidence limits",
        fontsize="small",
    )
    ax.legend(fontsize="small", frameon=False)
    return ax


def describe(rows: Sequence[Row]) -> str:
    """The constants of all chains, and what they say."""
    header = ["p", "q", "T", "a", "at k", "rate", "-log q", "limit / T", "paths agree"]
    cells = []
    for curve in _curves(rows):
        first = curve[0]
        agree, points = _agreement(curve)
        what = [first.p, first.q, first.cap, first.constant]
        where = str(first.constant_step or "limit")
        bounds = [first.rate, -math.log(first.q), first.limit / first.cap]
        cells.append([*what, where, *bounds, f"{agree} of {points}"])
    return f"{format_table(header, cells)}\n\n{_reading(rows)}"


def _reading(rows: Sequence[Row]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    firsts = [curve[0] for curve in _curves(rows)]
    same = [row for row in firsts if (row.p, row.q) == (rows[0].p, rows[0].q)]
    short, long = min(same, key=lambda row: row.cap), max(same, key=lambda row: row.cap)
    above = sum(row.constant >= row.rate for row in firsts)
    nearer = long.constant - long.rate < short.constant - short.rate
    at_cap = sum(abs(row.constant_step - row.cap) <= 2 for row in firsts)
    falls = long.limit / long.cap > long.constant
    agree, points = _agreement(rows)
    at_limit, limits = _agreement_with_limit(rows)
    (judged,) = verdicts(rows)
    serves = (
        ", with the rate as a constant that serves every k and T computed (that Pr(B_k = 0) is at "
        "most exp(-k rate) while k < 2 T, for all q < p, is shown at `birth_death.decay_rate`)"
    )
    return (
        "a is the largest constant with Pr(B_k = 0) <= exp(-a min(k, T)) at all steps. With "
        f"p = {short.p:g} and q = {short.q:g} it is {short.constant:.3g} at T = {short.cap} and "
        f"{long.constant:.3g} at T = {long.cap}, {'nearer to' if nearer else 'no nearer to'} the "
        f"rate -log(1 - (sqrt p - sqrt q)^2), which is {short.rate:.3g} there; it is at or above "
        f"the rate in {above} of {len(firsts)} chains. Lemma 7: {judged.verdict}"
        f"{serves if judged.verdict == 'holds' else ''}. The step that allows no larger a is "
        f"within 2 of T in {at_cap} of {len(firsts)} chains. For k to infinity the chance at T = "
        f"{long.cap} is exp(-{long.limit / long.cap:.3g} T), "
        f"{'below' if falls else 'no lower than'} exp(-a T). The simulated paths agree with the "
        f"exact law at {agree} of {points} points, and with the limit at {at_limit} of {limits} at "
        f"which the law is within {AT_LIMIT:g} of it."
    )


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Lemma 7, from the exact law; the paths must agree with it."""
    firsts = [curve[0] for curve in _curves(rows)]
    agree, points = _agreement(rows)
    at_limit, limits = _agreement_with_limit(rows)
    is_law = (agree, at_limit) == (points, limits)
    excess = min(first.constant / first.rate for first in firsts)
    least = min(firsts, key=lambda first: first.constant / first.rate)
    return [
        Verdict(
            lemma="Lemma 7",
            claim="Pr(B_k = 0) <= exp(-a min(k, T)), a > 0 from p and q alone",
            measured=(
                f"a / rate >= {excess:.3g} in {len(firsts)} chains (exact; least at p = "
                f"{least.p:g}, q = {least.q:g}, T = {least.cap}), rate = -log(1 - (sqrt p - sqrt "
                f"q)^2); paths agree with the law at {agree} of {points} points, with its "
                f"limit at {at_limit} of {limits} ({100 * CONFIDENCE:g} % limits)"
            ),
            verdict="undecided" if not is_law else "holds" if excess >= 1 else "fails",
            command=COMMAND,
        )
    ]


def _curves(rows: Sequence[Row]) -> list[list[Row]]:
    chains = dict.fromkeys((row.p, row.q, row.cap) for row in rows)
    return [[row for row in rows if (row.p, row.q, row.cap) == chain] for chain in chains]


def _agreement(rows: Sequence[Row]) -> tuple[int, int]:
    """Simulated points whose limits hold the exact probability, and all of them."""
    inside = [
        row.low <= math.exp(-row.exponent) <= row.high
        for row in rows
        if row.low is not None and row.high is not None
    ]
    return sum(inside), len(inside)


def _agreement_with_limit(rows: Sequence[Row]) -> tuple[int, int]:
    """The same, with the closed form of the limit in place of a law that has all but reached it."""
    late = [row for row in rows if abs(row.exponent - row.limit) <= AT_LIMIT]
    return _agreement([row._replace(exponent=row.limit) for row in late])
