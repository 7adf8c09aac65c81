"""Lemmas 1, 2 and 6, and the law of a slope jump: what one kink does to one bin.

The lower bound of "Structured vs. Unstructured Pruning: An Exponential Gap" takes the slope jump of
a random neuron for one standard Gaussian weight; it is the product of two (Laplace, see
`geometry.breakpoint_laws`). Lemma 6 lets a steep kink break its bin wherever it falls; near an end
of the bin it does not. Lemmas 1 and 2 are checked on random networks and kinks. Networks are
decided in float64; a bin that is left open even so may be a hit or not, and the limits say so.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.compat import enable_x64
from lottery_jax.core.limits import limits_exact
from lottery_jax.geometry import breakpoint_laws as laws
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import Counts, collect_counts
from lottery_jax.montecarlo.store import Store
from lottery_jax.neuron_pruning import kinks
from lottery_jax.proof.verdict import Judgement, Verdict, judge_never, limits_text
from lottery_jax.report.tables import format_table

NAME = "kinks"
QUESTION = "How steep is a random kink, and when does it break its bin? (Lemmas 1, 2 and 6)"
COMMAND = "lottery-jax run kinks"
COUNTED = ("single_kinks", "random_bins")
_LAW, _CHANCE = "Section 5.5, law of a jump", "Section 5.5, c_3"
CONFIDENCE = 0.9999  # of each interval: a run sets a few dozen of them


class Row(NamedTuple):
    """One event, counted."""

    event: str
    parameter: float | None  # gamma, c, or the position in the bin
    trials: int  # draws of which the event is asked
    hits: int
    undecided: int  # left open by rounding
    low: float  # limits of its probability
    high: float
    exact: float | None  # by our closed forms
    paper: float | None  # as the paper has it


class Setup(NamedTuple):
    """How much is drawn."""

    neurons: int
    bins: int  # random networks, each with one bin
    radius: float = 2.0


FULL = Setup(neurons=4_000_000, bins=400_000)
QUICK = Setup(neurons=65_536, bins=65_536)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    seconds = setup.neurons * 3e-6 + setup.bins * 3e-5
    return (
        f"{setup.neurons} random neurons with a bin each, and {setup.bins} random networks with a "
        f"bin each: about {seconds:.0f} s of one core after compiling"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows of all events; draws that the store already holds are not made again."""
    collect = partial(collect_counts, key=key, store=store, mesh=mesh, progress=progress)
    neurons = collect(kinks.single_kinks(radius=setup.radius), trials=setup.neurons)
    networks = kinks.random_bins(radius=setup.radius, precision="float64")
    with enable_x64():
        bins = collect(networks, trials=setup.bins)
    return _neuron_rows(neurons, setup.radius) + _bin_rows(bins.totals)


def _neuron_rows(counts: Counts, radius: float) -> list[Row]:
    total, trials = counts.totals, counts.trials
    end = math.sqrt((radius - 1) * (radius + 1))
    rows = [_row("kink inside", None, trials, total["inside"], exact=laws.mass_of_interval(radius))]
    for number, gamma in enumerate(kinks.GAMMAS):
        hits, inside = total["jump"][number], total["inside_jump"][number]
        exact = laws.probability_jump_exceeds(gamma)
        rows.append(_row("jump > gamma", gamma, trials, hits, exact=exact, paper=_gaussian(gamma)))
        exact = laws.probability_jump_exceeds(gamma, -end, end)
        rows.append(_row("jump > gamma, inside", gamma, trials, inside, exact=exact))
    for number, constant in enumerate(kinks.CONSTANTS):
        hits, undecided = total["breaks"][number], total["breaks_undecided"][number]
        exact = laws.probability_breaks(radius, constant)
        rows.append(_row("breaks its bin", constant, trials, hits, undecided, exact=exact))
    steep = zip(total["steep"], total["unbroken"], total["steep_undecided"], strict=True)
    cells = [tuple(map(int, each)) for each in steep]
    size = kinks.NUM_CELLS
    for cell, (among, hits, undecided) in enumerate(cells):
        place = (cell + 0.5) / size
        exact = _share_unbroken(cell / size, (cell + 1) / size)
        rows.append(_row("steep, unbroken at x", place, among, hits, undecided, exact, 0.0))
    middle = cells[size // 4 : size - size // 4]
    for name, chosen, exact in (
        ("steep, unbroken", cells, _share_unbroken(0.0, 1.0)),
        ("steep, unbroken, middle half", middle, 0.0),
    ):
        among, hits, undecided = (sum(column) for column in zip(*chosen, strict=True))
        rows.append(_row(name, kinks.STEEP, among, hits, undecided, exact, 0.0))
    rows.append(_row("best affine error not a delta / 4", None, trials, total["flat"], exact=0.0))
    return rows


def _bin_rows(total) -> list[Row]:
    """What is left open is not known to be broken or whole, near or far: it counts as a trial of
    both, and as undecided.
    """
    total = {name: int(each) for name, each in total.items()}
    apart, undecided = total["apart"], total["undecided"]

    def of(event: str, trials: int, hits: int, paper: float | None) -> Row:
        return _row(event, None, trials, hits, min(undecided, trials - hits), 0.0, paper)

    return [
        of("broken, but near", apart - total["whole"], total["broken_near"], 0.0),
        of("not broken, but far", apart - total["broken"], total["whole_far"], None),
        _row("pair left open", None, apart, undecided),
    ]


def _row(event, parameter, trials, hits, undecided=0, exact=None, paper=None) -> Row:
    trials, hits, undecided = int(trials), int(hits), int(undecided)
    low, high = limits_exact(hits, trials, undecided=undecided, confidence=CONFIDENCE)
    return Row(event, parameter, trials, hits, undecided, float(low), float(high), exact, paper)


def _gaussian(gamma: float) -> float:
    """P(|Z| > gamma) for a standard Gaussian Z, the paper's slope jump."""
    return math.erfc(gamma / math.sqrt(2))


def _share_unbroken(low: float, high: float) -> float:
    """Of kinks with |jump| > gamma at positions in [low, high], the share that does not break
    their bin for c = gamma / 16: those with |jump| x (1 - x) < gamma / 8.
    """
    from scipy.integrate import quad

    def at(x: float) -> float:
        room = x * (1 - x)
        needed = kinks.STEEP / (8 * room) if room > 1e-12 else math.inf
        return 1 - laws.probability_jump_exceeds(max(needed, kinks.STEEP)) / steep

    steep = laws.probability_jump_exceeds(kinks.STEEP)
    corner = (1 - math.sqrt(0.5)) / 2  # where x (1 - x) = 1/8
    breaks = [x for x in (corner, 1 - corner) if low < x < high]
    return quad(at, low, high, points=breaks or None)[0] / (high - low)


def draw(rows: Sequence[Row]):
    """Left: how steep kinks are; right: which steep ones break their bin. Returns the left axis."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(11.0, 4.5).figure
    figure.clear()
    left, right = figure.subplots(1, 2)  # pyright: ignore[reportAttributeAccessIssue]
    blue, red, green = figures.COLOURS[:3]
    gammas = [3 * number / 60 for number in range(61)]
    exact = [laws.probability_jump_exceeds(gamma) for gamma in gammas]
    left.plot(gammas, exact, color=blue, label="product of two Gaussians")
    left.plot(gammas, [_gaussian(g) for g in gammas], "--", color=red, label="one Gaussian (paper)")
    measured = _points(left, _named(rows, "jump > gamma"), color=blue)
    left.plot(*measured, "o", color=blue, ms=5, label="measured")
    left.set_xlabel("γ")
    left.set_ylabel("P(|slope jump| > γ)")
    left.legend(fontsize="small", frameon=False)
    cells = _named(rows, "steep, unbroken at x")
    size = len(cells)
    for number, row in enumerate(cells):
        ends = [number / size, (number + 1) / size]
        label = "closed form" if number == 0 else None
        right.plot(ends, [row.exact] * 2, color=green, label=label)
    measured = _points(right, cells, color=green)
    right.plot(*measured, "o", color=green, ms=5, label="measured")
    right.axvspan(0.25, 0.75, color="grey", alpha=0.15, lw=0, label="middle half of the bin")
    right.set_xlabel("position of the kink in its bin")
    right.set_ylabel(f"share not broken, |jump| > {kinks.STEEP:g}, c = {kinks.STEEP:g}/16")
    right.legend(fontsize="small", frameon=False)
    for ax in (left, right):
        ax.set_ylim(-0.02, 1)
        ax.grid(True, alpha=0.3)
    title = f"bars: {100 * CONFIDENCE:g} % exact limits; the points share draws"
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return left


def _points(ax, rows: Sequence[Row], *, color: str) -> tuple[list[float | None], list[float]]:
    """The limits of the rows as bars; the points that belong on them."""
    for row in rows:
        ax.plot([row.parameter] * 2, [row.low, row.high], color=color, lw=1)
    return [row.parameter for row in rows], [row.hits / row.trials for row in rows]


def describe(rows: Sequence[Row]) -> str:
    """All events, and what they say of the lemmas."""
    header = ["event", "parameter", "of", "hits", "open", "low", "high", "exact", "paper"]
    headings = (
        '"of": draws of which the event is asked; "hits": those that have it; "open": those that '
        f'rounding leaves open; "low", "high": {100 * CONFIDENCE:g} % limits of its probability; '
        '"exact": by our closed forms; "paper": as the paper has it.'
    )
    half = _jump_at_half(rows)
    anywhere, middle = _only(rows, "steep, unbroken"), _only(rows, "steep, unbroken, middle half")
    near, far = _only(rows, "broken, but near"), _only(rows, "not broken, but far")
    flat = _only(rows, "best affine error not a delta / 4")
    # An event that is certain or impossible is no law to be compared with.
    known = [row for row in rows if row.exact is not None and 0 < row.exact < 1]
    inside = sum(row.low <= row.exact <= row.high for row in known if row.exact is not None)
    found = {each.lemma: each.verdict for each in verdicts(rows)}
    reading = (
        f"A slope jump exceeds 1/2 with a probability between {half.low:.4f} and {half.high:.4f}; "
        f"the product of two Gaussians gives {half.exact:.4f}, the one Gaussian of the paper "
        f"{half.paper:.4f}. That the law is N(0, 1): {found[_LAW]}; that such a jump has a "
        f"constant chance: {found[_CHANCE]}. Lemma 1, {near.hits} of {near.trials} broken bins are "
        f"within c epsilon of the target: {found['Lemma 1']}; of the bins that are not broken, "
        f"{far.hits} of {far.trials} are out of its reach. Lemma 2, the best affine error of "
        f"{flat.hits} of {flat.trials} kinks is not |a| delta / 4: {found['Lemma 2']}. Lemma 6, of "
        f"the kinks steeper than gamma a share between {anywhere.low:.4f} and {anywhere.high:.4f} "
        f"does not break its bin at c = gamma/16: {found['Lemma 6']}; in the middle half of the "
        f"bin, {middle.hits} of {middle.trials}: {found['Lemma 6, middle half']}. Of {len(known)} "
        f"probabilities between 0 and 1 with a closed form, {inside} lie inside their "
        f"{100 * CONFIDENCE:g} % limits."
    )
    return f"{format_table(header, rows)}\n\n{headings}\n\n{reading}"


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """The jump law and Lemmas 1, 2 and 6, each by its limits."""
    half = _jump_at_half(rows)
    anywhere, middle = _only(rows, "steep, unbroken"), _only(rows, "steep, unbroken, middle half")
    near, flat = _only(rows, "broken, but near"), _only(rows, "best affine error not a delta / 4")
    return [
        Verdict(
            _LAW,
            f"a slope jump is one N(0, 1) weight, so that P(|jump| > 1/2) = {half.paper:.3f}",
            f"P in {_limits(half)}; Laplace law: {half.exact:.4f}",
            _judge_law(_named(rows, "jump > gamma")),
            COMMAND,
        ),
        Verdict(
            _CHANCE,
            "a slope jump exceeds gamma with a constant probability c_3 > 0, by the N(0, 1) law "
            f"{half.paper:.3f} at gamma = 1/2",
            f"P in {_limits(half)}",
            _judge_chance(half),
            COMMAND,
        ),
        Verdict(
            "Lemma 1",
            "a broken bin without the target's kink keeps every function c epsilon away",
            f"P(nearer | broken) in {_limits(near)}, {near.hits} of {near.trials}",
            judge_never(near.low, near.high),
            COMMAND,
        ),
        Verdict(
            "Lemma 2",
            "no kink within delta of the target's: error at least |a| delta / 4",
            f"best error is not |a| delta / 4 up to rounding for {flat.hits} of {flat.trials} "
            f"kinks, P(not) in {_limits(flat)}",
            judge_never(flat.low, flat.high),
            COMMAND,
        ),
        Verdict(
            "Lemma 6",
            "a jump above gamma breaks its bin, c = gamma / 16, wherever it falls",
            f"P(not broken) in {_limits(anywhere)}",
            judge_never(anywhere.low, anywhere.high),
            COMMAND,
        ),
        Verdict(
            "Lemma 6, middle half",
            "the same for a kink in the middle half of the bin",
            f"P(not broken) in {_limits(middle)}, {middle.hits} of {middle.trials}",
            judge_never(middle.low, middle.high),
            COMMAND,
        ),
    ]


def _judge_law(rows: Sequence[Row]) -> Judgement:
    """It fails if the paper's number lies outside of the limits at any gamma; it holds if it lies
    inside at all of them, and our own outside at one.
    """
    both = [
        [row.low <= each <= row.high for each in (row.paper, row.exact) if each is not None]
        for row in rows
    ]
    if not all(is_paper for is_paper, _ in both):
        return "fails"
    return "undecided" if all(is_exact for _, is_exact in both) else "holds"


def _judge_chance(row: Row) -> Judgement:
    """A positive chance is all that is needed; the paper's number may be another one."""
    if row.low <= 0 or row.paper is None:
        return "undecided"
    return "holds" if row.low <= row.paper <= row.high else "holds with other constants"


def _limits(row: Row) -> str:
    return limits_text(row.low, row.high)


def _jump_at_half(rows: Sequence[Row]) -> Row:
    return next(row for row in _named(rows, "jump > gamma") if row.parameter == 0.5)


def _only(rows: Sequence[Row], event: str) -> Row:
    (row,) = _named(rows, event)
    return row


def _named(rows: Sequence[Row], event: str) -> list[Row]:
    return [row for row in rows if row.event == event]
