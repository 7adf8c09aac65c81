"""Lemma 3: does the chance to succeed on m input families fall below the product over them?

The lemma multiplies the success probabilities of the families because their breakpoints are
independent. Their slope jumps share the output weights alpha. So joint success is compared with the
product, with alpha drawn and with alpha given, for a mirrored target of norm 1 that has an equal
kink in each of six families; and without a target, where a family succeeds if nothing is broken.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.montecarlo.collect import Progress, report_part, reporting
from lottery_jax.montecarlo.counts import Counts, collect_counts, limits_jackknife
from lottery_jax.montecarlo.store import Store
from lottery_jax.neuron_pruning import families
from lottery_jax.neuron_pruning.joint_success import LEAST_EFFECTIVE, compare
from lottery_jax.proof.verdict import Judgement, Verdict
from lottery_jax.report.tables import format_table

NAME = "families"
QUESTION = "Is joint success on several input families as unlikely as the product says? (Lemma 3)"
COUNTED = ("families", "family_jumps")
COMMAND = "lottery-jax run families"
CONFIDENCE = 0.9999  # of each interval: a run sets a few dozen of them

TARGET, NOTHING, JUMPS = "target repaired", "nothing broken", "slope jumps"
JUMP = 1 / math.sqrt(6)  # of the target, in each of six families


class Case(NamedTuple):
    """One law of networks."""

    event: str  # TARGET or NOTHING
    kept: int  # neurons
    trials: int
    strengths: tuple[float, ...] | None = None  # alpha, where it is given

    def experiment(self):
        """What is drawn and counted."""
        jump = JUMP if self.event == TARGET else 0.0
        return families.experiment(kept=self.kept, jump=jump, strengths=self.strengths)


class Row(NamedTuple):
    """One number, measured."""

    quantity: str  # "joint" success, the "product", their "ratio", or a "correlation"
    event: str  # in a family: what success is there
    strengths: str  # the output weights: "random" or those given
    kept: int  # neurons
    families: int  # m
    value: float
    low: float  # limits, rounding covered both ways
    high: float
    exact: float | None  # where it is known
    trials: int
    undecided: int  # families that rounding left open, of trials times 24
    effective: float | None  # draws that carry the joint success


class Setup(NamedTuple):
    """What is measured."""

    cases: tuple[Case, ...]
    pairs: int  # draws behind the correlation
    numbers: tuple[int, ...] = (1, 2, 4, 6)  # of families, m


FULL = Setup(
    cases=(
        Case(TARGET, 2, 200_000),
        Case(TARGET, 3, 200_000),
        Case(TARGET, 2, 100_000, (0.8, 0.1)),
        Case(NOTHING, 2, 100_000),
        Case(NOTHING, 2, 100_000, (0.8, 0.1)),
    ),
    pairs=1_000_000,
)
QUICK = Setup(
    cases=(
        Case(TARGET, 2, 16_000),
        Case(TARGET, 2, 16_000, (0.8, 0.1)),
    ),
    pairs=200_000,
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    draws = sum(case.trials for case in setup.cases)
    costs = [(case, case.experiment().seconds_per_draw) for case in setup.cases]
    seconds = sum(case.trials * cost() for case, cost in costs if cost is not None)
    return (
        f"{draws} networks of {len(setup.cases)} kinds, 24 families each, and {setup.pairs} pairs "
        f"of jumps: about {seconds:.0f} s of one core after compiling"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows of all cases; draws that the store already holds are not made again."""
    collect = partial(collect_counts, key=key, store=store, mesh=mesh)
    total = sum(case.trials for case in setup.cases) + setup.pairs
    rows, done = [], 0
    with reporting(progress, total, NAME) as report:
        for case in setup.cases:
            part = partial(report_part, report, done, case.trials, total)
            counts = collect(case.experiment(), trials=case.trials, progress=part)
            for number in setup.numbers:
                rows += _rows(case, counts, number)
            done += case.trials
        part = partial(report_part, report, done, setup.pairs, total)
        jumps = collect(families.jumps_experiment(), trials=setup.pairs, progress=part)
    value, low, high = limits_jackknife(jumps, families.correlation, confidence=CONFIDENCE)
    exact = math.pi / 2 - 1
    what = ("correlation", JUMPS, "random", 1, 2)
    return [*rows, Row(*what, value, low, high, exact, jumps.trials, 0, None)]


def _rows(case: Case, counts: Counts, number: int) -> list[Row]:
    """Joint success, product and ratio for one number of families."""
    found = compare(counts, number, confidence=CONFIDENCE)
    given = "random" if case.strengths is None else " ".join(map(str, case.strengths))
    certain, possible = counts.totals["certain"], counts.totals["possible"]
    undecided = int(np.sum(np.arange(len(certain)) * (possible - certain)))
    rows = []
    for quantity in ("joint", "product", "ratio"):
        is_one = quantity == "ratio" and (number == 1 or case.strengths is not None)
        rows.append(
            Row(
                quantity,
                case.event,
                given,
                case.kept,
                number,
                *getattr(found, quantity),
                exact=1.0 if is_one else None,
                trials=counts.trials,
                undecided=undecided,
                effective=None if quantity == "product" else found.effective,
            )
        )
    return rows


def draw(rows: Sequence[Row]):
    """Joint success (full) beside the product (dashed) against the number of families."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    ax = figures.new_axis()
    for number, case in enumerate(_cases(rows)):
        colour = figures.COLOURS[number % len(figures.COLOURS)]
        marker = figures.MARKERS[number % len(figures.MARKERS)]
        event, strengths, kept = case
        given = "" if strengths == "random" else f", α = ({strengths.replace(' ', ', ')})"
        for quantity, style in (("joint", "-"), ("product", "--")):
            chosen = [row for row in _of(rows, case) if row.quantity == quantity and row.low > 0]
            number_of = [row.families for row in chosen]
            label = f"{event}, k = {kept}{given}" if quantity == "joint" else None
            low, high = [row.low for row in chosen], [row.high for row in chosen]
            ax.fill_between(number_of, low, high, color=colour, alpha=0.2, linewidth=0)
            values = [row.value for row in chosen]
            filled = "full" if quantity == "joint" else "none"
            ax.plot(
                number_of, values, style, color=colour, marker=marker, fillstyle=filled, label=label
            )
    ax.set_yscale("log")
    ax.set_xticks(sorted({row.families for row in rows}))
    ax.set_xlabel("families m")
    ax.set_ylabel("probability of success on all m families")
    ax.set_title(
        f"full: joint; dashed: product of Lemma 3; bands: {100 * CONFIDENCE:g} % limits",
        fontsize="small",
    )
    ax.legend(fontsize="small", frameon=False)
    return ax


def describe(rows: Sequence[Row]) -> str:
    """The table of ratios, and what they say."""
    header = ["success", "alpha", "k", "m", "joint", "product", "ratio", "low", "high", "open"]
    cells = []
    for case in _cases(rows):
        quantities = {(row.quantity, row.families): row for row in _of(rows, case)}
        for number in sorted({row.families for row in _of(rows, case)}):
            joint, product, ratio = (
                quantities[name, number] for name in ("joint", "product", "ratio")
            )
            limits = [ratio.value, ratio.low, ratio.high, ratio.undecided]
            cells.append([*case[:3], number, joint.value, product.value, *limits])
    lemma, independence = verdicts(rows)
    given = _given(rows)
    inside = sum(row.low <= 1 <= row.high for row in given)
    (correlation,) = (row for row in rows if row.quantity == "correlation")
    reading = (
        f"Lemma 3: {lemma.verdict}. Joint success over its product is {_shown(rows)}. The families "
        "share the output weights, so a network that is lucky on one of them is lucky on the next: "
        "with p the chance given the output weights, E p^m >= (E p)^m. Given the output weights "
        f"the limits of the ratio hold 1 at {inside} of {len(given)} points. The slope jumps |L| "
        f"of one neuron on two families have the correlation {correlation.value:.4f} "
        f"[{correlation.low:.4f}, {correlation.high:.4f}], where pi/2 - 1 = {correlation.exact:.4f}"
        f"; their independence: {independence.verdict}. Lemma 8, which multiplies Lemma 7 over the "
        f"families, rests on Lemma 3. ({100 * CONFIDENCE:g} % limits. Open: families that rounding "
        "leaves open, covered both ways. Limits are left open where fewer than "
        f"{LEAST_EFFECTIVE:g} draws carry the mean.)"
    )
    return f"{format_table(header, cells)}\n\n{reading}"


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Lemma 3, and the independence it rests on."""
    ratios = [row for row in _ratios(rows) if row.strengths == "random"]
    (correlation,) = (row for row in rows if row.quantity == "correlation")
    beside = ""
    if given := _given(rows):
        low, high = min(row.low for row in given), max(row.high for row in given)
        beside = f"; given alpha in [{low:.3g}, {high:.3g}] at {len(given)} points"
    interval = f"{correlation.value:.4f} [{correlation.low:.4f}, {correlation.high:.4f}]"
    return [
        Verdict(
            lemma="Lemma 3",
            claim="Pr(success on all families) <= product over families",
            measured=f"joint / product: {_shown(rows)}{beside}",
            verdict=_judge(
                any(row.low > 1 for row in ratios), all(row.high <= 1 for row in ratios)
            ),
            command=COMMAND,
        ),
        Verdict(
            lemma="Lemma 3 (proof)",
            claim="the families are independent, slope jumps included",
            measured=f"correlation of |L_1| and |L_2| {interval}; pi/2 - 1 = {math.pi / 2 - 1:.4f}",
            verdict=_judge(
                correlation.low > 0 or correlation.high < 0,
                False,  # no correlation would not yet be independence
            ),
            command=COMMAND,
        ),
    ]


def _judge(fails: bool, holds: bool) -> Judgement:
    return "fails" if fails else "holds" if holds else "undecided"


def _shown(rows: Sequence[Row]) -> str:
    """The ratios of the first case with random output weights, with limits."""
    first = next(row for row in _ratios(rows) if row.strengths == "random")
    case = (first.event, first.strengths, first.kept)
    chosen = [row for row in _ratios(_of(rows, case)) if math.isfinite(row.high)]
    ratios = (
        f"{row.value:.3g} [{row.low:.3g}, {row.high:.3g}] at m = {row.families}" for row in chosen
    )
    return f"{', '.join(ratios)} ({first.event}, k = {first.kept})"


def _ratios(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.quantity == "ratio" and row.families > 1]


def _given(rows: Sequence[Row]) -> list[Row]:
    """The ratios with limits where the output weights are given."""
    return [row for row in _ratios(rows) if row.strengths != "random" and math.isfinite(row.high)]


def _cases(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    ratios = (row for row in rows if row.quantity == "ratio")
    return list(dict.fromkeys((row.event, row.strengths, row.kept) for row in ratios))


def _of(rows: Sequence[Row], case: tuple[str, str, int]) -> list[Row]:
    return [row for row in rows if (row.event, row.strengths, row.kept) == case]
