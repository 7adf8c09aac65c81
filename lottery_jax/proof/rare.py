"""p_k and the union bound: Lemmas 8, 9 and 10, and where each bound on the success says anything.

p_k is the probability that k given neurons approximate the target. The proof bounds it by
exp(-a min(k, T) d) (Lemma 8) and sums over the C(N, k) choices of k neurons (equation (1), Lemma
9). Here p_k is measured by splitting, and the bounds are set beside the measured success.
"""

import math
from collections.abc import Sequence

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.montecarlo.collect import Progress, reporting
from lottery_jax.montecarlo.store import Store
from lottery_jax.proof.rare_bounds import curve_bounds, paper_chain, ranges
from lottery_jax.proof.rare_figure import draw as draw
from lottery_jax.proof.rare_rows import (
    CONFIDENCE,
    WIDEST,
    Curve,
    Row,
    Setup,
    measured,
    named,
    names,
)
from lottery_jax.proof.verdict import Judgement, Verdict
from lottery_jax.report.tables import format_table

NAME = "rare"
QUESTION = "How rare is it that k neurons do, and what do union bounds say? (Lemmas 8, 9, 10)"
COUNTED = ("kept_network", "single_neuron", "neuron_pruning")
COMMAND = "lottery-jax run rare"
# Narrower networks hardly ever have two good subsets, and the union bound differs from the success
# probability by no more than that.
UNION_FROM = 10

FULL = Setup(
    kept=(
        (2, (1, 2, 3, 4, 5, 6), (0.3, 0.1, 0.03)),
        (2, (1,), (1.043e-4, 3.297e-6)),
        (3, (1, 2, 3, 4), (0.3, 0.1)),
    ),
    particles=1024,
    repetitions=24,
    curve=Curve(0.2, 2.0, width=128, max_kept=4, trials=4096),
    single_dims=(2, 3, 5),
    single_epsilons=(0.8, 0.4, 0.2),
    single_trials=1_000_000,
    range_dims=tuple(2**n for n in range(1, 11)),
    range_epsilon=1e-4,
)
QUICK = Setup(
    kept=((2, (1, 2), (0.2, 0.1)),),
    particles=256,
    repetitions=16,
    curve=Curve(0.4, 2.0, width=32, max_kept=2, trials=1024),
    single_dims=(2,),
    single_epsilons=(0.8, 0.4),
    single_trials=100_000,
    range_dims=tuple(4**n for n in range(1, 6)),
    range_epsilon=1e-4,
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    points = sum(len(numbers) * len(epsilons) for _, numbers, epsilons in setup.kept)
    programs = sum(len(numbers) for _, numbers, _ in setup.kept)
    # Levels at a share of .4, six moves each, about a microsecond a move.
    scores = sum(
        6 * setup.particles * setup.repetitions * 1.1 * number * dim * math.log(1 / epsilon)
        for dim, numbers, epsilons in setup.kept
        for number in numbers
        for epsilon in epsilons
    )
    _, _, width, max_kept, draws = setup.curve
    seconds = scores * 1e-6 + draws * (3e-4 + 6e-12 * width**max_kept)
    return (
        f"{points} probabilities by splitting, {setup.repetitions} repetitions of "
        f"{setup.particles} particles each; {setup.single_trials} draws of one neuron in "
        f"{len(setup.single_dims)} dimensions, twice; {draws} draws of networks up to {width} "
        f"wide: about {seconds:.0f} s of one core, and some seconds for each of "
        f"{programs + 2 * len(setup.single_dims) + 1} programs to compile"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """All rows; what the store already holds is not run again. Progress counts pieces of work."""
    pieces = measured(setup, key=key, store=store, mesh=mesh)
    rows: list[Row] = []
    with reporting(progress, len(pieces), NAME) as report:
        for number, piece in enumerate(pieces, start=1):
            rows += piece()
            report(number, len(pieces))
    return [*rows, *curve_bounds(setup, rows), *ranges(setup)]


def describe(rows: Sequence[Row]) -> str:
    """p_k with its cost, the widths that each bound excludes, and what both say."""
    kept = [row for row in rows if row.what == "kept"]
    header = ["d", "k", "epsilon", "p_k", "low", "high", "exact", "bound"]
    header += ["levels", "scores/level", "deviation", "covered", "seconds"]
    cells = []
    for row in kept:
        p = None if row.log is None else math.exp(row.log)
        per_level = (row.evaluations or 0) // ((row.levels or 1) * (row.trials or 1))
        covered = "yes" if row.is_covered else "no"
        what = [row.dim, row.kept, row.epsilon, p, row.low, row.high, row.exact, row.bound]
        cells.append([*what, row.levels, per_level, row.deviation, covered, row.seconds])
    dims = sorted({row.dim for row in rows if row.what == "range"})
    reach = [
        [name, *(row.width for row in named(rows, "range", name))] for name in names(rows, "range")
    ]
    table = format_table(["largest width excluded", *(f"d={dim}" for dim in dims)], reach)
    return f"{format_table(header, cells)}\n\n{table}\n\n{_reading(rows)}"


def _reading(rows: Sequence[Row]) -> str:
    curve = [row for row in rows if row.what == "success"]
    union, masks, breakpoint_, kink, paper, paper_sums = (
        _last_below_one(rows, name) for name in names(rows, "bound")
    )
    at = curve[max(union, 1) - 1]
    of_masks, of_breakpoint, of_kink, of_five, of_sums = (
        named(rows, "range", name) for name in names(rows, "range")
    )
    some, last = of_five[0], of_five[-1]
    chain = paper_chain(some.epsilon, some.radius)
    words = "no bin to count (T < 1)" if chain is None else f"T = {chain.cap}"
    starts = next((row.dim for row in of_sums if row.width), None)
    where = f"epsilon = {some.epsilon:g}"
    sums = "(9) and (10) say nothing at any d shown"
    if starts is not None:
        reach = f"reach {of_sums[-1].width} at d = {last.dim}"
        sums = f"(9) and (10) say nothing below d = {starts} and {reach}"
    told = " ".join(f"{each.lemma}: {each.verdict}; {each.measured}." for each in verdicts(rows))
    return (
        f"In the plane at epsilon = {curve[0].epsilon:g} on radius {curve[0].radius:g} (the left "
        f"figure) the union bound with the measured p_k is below 1 {_reach(union, curve)}, where "
        f"subsets of at most {at.kept} succeed with probability {at.low:.3g} to {at.high:.3g}. "
        f"The union over masks is below 1 {_reach(masks, curve)}, the bound of one kink "
        f"{_reach(kink, curve)}, that of one breakpoint {_reach(breakpoint_, curve)}, the paper's "
        f"(5) {_reach(paper, curve)}, and (9) and (10) {_reach(paper_sums, curve)}. At {where} "
        f"(the right figure), where the paper's chain has {words}, (5) is below 1/2 up to width "
        f"{some.width} at d = {some.dim} and {last.width} at d = {last.dim}; {sums}. The rigorous "
        f"bounds reach {of_masks[0].width} and {of_masks[-1].width} (masks), and "
        f"{of_kink[0].width} (kink) and {of_breakpoint[0].width} (breakpoint) whatever d is. "
        f"{told} {_quality(rows)}"
    )


def _quality(rows: Sequence[Row]) -> str:
    """Where the limits of p_k were checked to cover, and what one deep point cost by level."""
    kept = [row for row in rows if row.what == "kept"]
    wide = [row for row in kept if not row.is_covered]
    points = ", ".join(f"d = {row.dim}, k = {row.kept}, {row.epsilon:g}" for row in wide)
    cover = (
        f"The limits of p_k cover {100 * CONFIDENCE:g} % of runs, as simulated for lognormal "
        f"repetitions, where the relative deviation of one is at most {WIDEST:g}"
    )
    cover += f"; it is larger at {points}." if wide else ", as at all points here."
    deep = max(kept, key=lambda row: row.levels or 0)
    return (
        f"{cover} Scores by level at the deepest point (d = {deep.dim}, k = {deep.kept}, epsilon "
        f"= {deep.epsilon:g}): {deep.by_level}."
    )


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Lemmas 8, 9 and 10, and the union bound (1)."""
    return [_lemma_8(rows), _union(rows), _lemma_9(rows), _lemma_10(rows)]


def _lemma_8(rows: Sequence[Row]) -> Verdict:
    """The largest a that the limits of p_k allow. No finite range of k decides about every k."""
    kept = [row for row in rows if row.what == "kept"]
    parts = []
    for dim in dict.fromkeys(row.dim for row in kept):
        same = [row for row in kept if row.dim == dim]
        least = min(math.log(1 / _ends(row)[1]) / ((row.kept or 1) * dim) for row in same)
        parts.append(f"a = {least:.3g} at d = {dim}, k <= {max(row.kept or 0 for row in same)}")
    empty = sum(_ends(row)[1] >= 1 for row in kept)
    words = f"; {empty} of {len(kept)} upper limits reach 1 and allow no a > 0" if empty else ""
    finest, coarsest = min(row.epsilon for row in kept), max(row.epsilon for row in kept)
    return Verdict(
        lemma="Lemma 8",
        claim="p_k <= exp(-a min(k, T) d) for some a > 0 and every k, d",
        measured=(
            f"p_k <= exp(-a k d) with {', '.join(parts)} (epsilon from {finest:.3g} to "
            f"{coarsest:g}, {100 * CONFIDENCE:g} % limits){words}; this is no statement about "
            "other k and d"
        ),
        verdict="undecided",
        command=COMMAND,
    )


def _union(rows: Sequence[Row]) -> Verdict:
    """Is the measured success below the union bound, width by width? Both have limits."""
    curve = [row for row in rows if row.what == "success"]
    union = named(rows, "bound", names(rows, "bound")[0])
    pairs = list(zip(curve, union, strict=True))
    judged = [
        (row.high or 1.0) <= (bound.low or 0.0)
        for row, bound in pairs
        if (row.width or 0) >= UNION_FROM and (bound.low or 0.0) < 1
    ]
    reach = _last_below_one(rows, union[0].name)
    at = curve[max(reach, 1) - 1]
    verdict: Judgement = "undecided"
    if any((row.low or 0.0) > (1.0 if bound.high is None else bound.high) for row, bound in pairs):
        verdict = "fails"
    elif judged and all(judged):
        verdict = "holds"
    return Verdict(
        lemma="union bound (1)",
        claim=f"Pr(success) <= sum_k C(N, k) p_k, judged from N = {UNION_FROM}",
        measured=(
            f"success's upper limit is below the bound's lower one at {sum(judged)} of "
            f"{len(judged)} widths where that is below 1; at N = 1 both are p_1, and at small N "
            "they are closer than any limits (the bound is a theorem); the bound is below 1 up to "
            f"N = {reach}, where success is in [{at.low:.3g}, {at.high:.3g}]"
        ),
        verdict=verdict,
        command=COMMAND,
    )


def _lemma_9(rows: Sequence[Row]) -> Verdict:
    """With the constants that the paper's argument gives, up to which widths? At one epsilon."""
    five, sums = (named(rows, "range", name) for name in names(rows, "range")[-2:])
    # The largest c with min(c d / epsilon, 2^(c d)) <= N.
    scale = min(
        max((row.width or 0) * row.epsilon, math.log2(max(row.width or 0, 1))) / row.dim
        for row in five
    )
    return Verdict(
        lemma="Lemma 9",
        claim="given Lemma 8, the sum (5) is e^(-Omega(d)) for N <= min(c d / epsilon, 2^(c d))",
        measured=(
            f"computed from the chain, so only as good as Lemma 3, and at epsilon = "
            f"{five[0].epsilon:g}, R = {five[0].radius:g} alone: (5) < 1/2 up to N = "
            f"{five[0].width} at d = {five[0].dim}, {five[-1].width} at d = {five[-1].dim}, which "
            f"allows c = {scale:.2g}; (9) + (10) < 1/2 up to N = {sums[0].width} and "
            f"{sums[-1].width}"
        ),
        verdict="undecided",
        command=COMMAND,
    )


def _lemma_10(rows: Sequence[Row]) -> Verdict:
    """Do the closed forms lie inside the limits, and those below epsilon^(d - 1)?"""
    single = [row for row in rows if row.what == "single"]
    inside = {
        name: [(row.low or 0) <= (row.exact or 0) <= (row.high or 0) for row in group]
        for name, group in (
            (name, [row for row in single if row.name == name]) for name in names(rows, "single")
        )
    }
    rescaled = [row for row in single if row.name == "rescaled"]
    below = all((row.high or 0) <= row.epsilon ** (row.dim - 1) for row in rescaled)
    above = any((row.low or 0) > row.epsilon ** (row.dim - 1) for row in rescaled)
    agrees = all(all(each) for each in inside.values())
    words = ", ".join(f"{sum(each)} of {len(each)} ({name})" for name, each in inside.items())
    return Verdict(
        lemma="Lemma 10",
        claim="P(one rescaled neuron) <= (C epsilon)^(c (d - 1))",
        measured=(
            f"the closed forms are inside the limits at {words} points of {single[0].trials} "
            f"draws; upper limits {'below' if below else 'not below'} epsilon^(d - 1): C = c = 1"
        ),
        verdict="fails" if above else "holds" if below and agrees else "undecided",
        command=COMMAND,
    )


def _ends(row: Row) -> tuple[float, float]:
    """Limits of a probability; the closed form is both where there is one."""
    if row.exact is not None:
        return row.exact, row.exact
    return row.low or 1e-300, row.high or 1.0


def _last_below_one(rows: Sequence[Row], name: str) -> int:
    """The largest width of the curve at which a bound is below 1; 0 for none."""
    below = [row.width or 0 for row in named(rows, "bound", name) if (row.log or 0) < 0]
    return max(below, default=0)


def _reach(width: int, curve: Sequence[Row]) -> str:
    if width == 0:
        return "at no width"
    return "at all widths shown" if width == len(curve) else f"up to width {width}"
