"""What the paths of the three processes say: rows, figure, text and verdicts."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from lottery_jax.proof.verdict import Judgement, Verdict
from lottery_jax.report.tables import format_table

COMMAND = "lottery-jax run process"
CONFIDENCE = 0.9999  # of each interval: a run sets a few hundred of them


class Row(NamedTuple):
    """One count over the paths of one case."""

    length: float  # epsilon
    constant: float  # c of Definition 2
    cap: int  # T
    steps: int  # k
    # "above": paths on which the process exceeds the other one; "zero": paths without broken bins
    # after `at` steps; "zero in one alone": of the paths where only one of the two has none, those
    # where this process has none; "up", "down": moves from the state `at`, per visit; "down at the
    # first step": from state 1; "path": one path with more broken bins than the other process
    what: str
    process: str  # "original", "own", "copy", "chain"; "copy beyond": where original is above T
    at: int | None  # step or state
    trials: int  # paths, or visits
    hits: int
    undecided: int
    low: float  # limits of the probability
    high: float
    bound: float | None  # "zero": exact law of the (q, p, T)-chain; "up": p; "down": q
    other: str  # the process compared with
    text: str  # "path": its address and its last steps


def draw(rows: Sequence[Row]):
    """Left: the chance of no broken bin, step by step; right: moves by state. Returns the left
    axis.
    """
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(11.5, 5.0).figure
    figure.clear()
    left, right = figure.subplots(1, 2)  # pyright: ignore[reportAttributeAccessIssue]
    rows = _cases(rows)[0]
    for number, name in enumerate(("original", "own", "copy")):
        colour, marker = figures.COLOURS[number], figures.MARKERS[number]
        points = [row for row in _chosen(rows, "zero", name) if row.hits]
        at, shares = [row.at for row in points], [row.hits / row.trials for row in points]
        ends = [row.low for row in points], [row.high for row in points]
        left.fill_between(at, *ends, color=colour, alpha=0.2, lw=0)
        left.plot(at, shares, color=colour, marker=marker, ms=4, label=_label(name))
        unseen = [row for row in _chosen(rows, "zero", name) if not row.hits]
        left.plot(
            [row.at for row in unseen],
            [row.high for row in unseen],
            ls="none",
            marker=r"$\downarrow$",
            ms=9,
            color=colour,
        )
    exact = [row for row in _chosen(rows, "zero", "chain") if row.bound is not None]
    at, law = [row.at for row in exact], [row.bound for row in exact]
    left.plot(at, law, "--", color="black", label="(q, p, T)-chain, exact")
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_ylim(bottom=0.1 / rows[0].trials)
    left.set_xlabel("neurons added")
    left.set_ylabel("P(no broken bin)")
    left.set_title("arrows: upper limits where no path was seen", fontsize="small")
    groups = (("own", 1, "s"), ("copy", 2, "^"), ("copy beyond", 3, "D"))
    for what, fill in (("up", "full"), ("down", "none")):
        for place, (name, number, marker) in enumerate(groups):
            points = [row for row in _chosen(rows, what, name) if row.trials and row.hits]
            colour = figures.COLOURS[number]
            at = [(row.at or 0) + 0.12 * (place - 1) for row in points]
            for x, row in zip(at, points, strict=True):
                right.plot([x, x], [row.low, row.high], color=colour, lw=1)
            shares = [row.hits / row.trials for row in points]
            label = f"{what}, {_label(name)}"
            style = {"ls": "none", "marker": marker, "fillstyle": fill, "color": colour, "ms": 5}
            right.plot(at, shares, label=label, **style)
    for what, style in (("up", "-"), ("down", ":")):
        bound = _chosen(rows, what, "own")[0].bound
        name = "p" if what == "up" else "q"
        right.axhline(bound, color="black", ls=style, lw=1, label=f"{name} of the chain")
    right.set_yscale("log")
    right.set_xticks(range(rows[0].cap + 1))
    right.set_xlabel("broken bins before the step")
    right.set_ylabel("chance per step")
    right.set_title("copy beyond T: while the original has more than T", fontsize="small")
    for ax in (left, right):
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="x-small", frameon=False)
    title = f"{_setting(rows[0])}; {100 * CONFIDENCE:g} % limits; the curves share paths"
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return left


def describe(rows: Sequence[Row]) -> str:
    """A line for each count that a lemma is judged by, and what they say."""
    header = ["epsilon", "c", "T", "k", "what", "process", "at", "of", "hits", "open"]
    header += ["low", "high", "bound"]
    shown = [
        row
        for row in rows
        if row.what in ("above", "up", "down", "down at the first step")
        or (row.what.startswith("zero") and row.at == row.steps)
    ]
    table = format_table(header, [row[:13] for row in shown if row.trials])
    return f"{table}\n\n{' '.join(_sentences(rows))}"


def _sentences(rows: Sequence[Row]) -> list[str]:
    """The reading."""
    worst = max(_chosen(rows, "above", "own"), key=lambda row: row.low)
    copy = max(_chosen(rows, "above", "copy"), key=lambda row: row.hits)
    paths = [row for row in rows if row.what == "path"]
    said = [
        "Lemma 4, read with a configuration of its own: the capped process has more broken bins "
        f"than the original one on {worst.hits} of {worst.trials} paths ({_setting(worst)}; the "
        f"probability lies in {_limits(worst)})."
    ]
    if paths:
        said.append(f"One of them is at {paths[0].text}.")
    said.append(
        f"Read as a copy of the moves it has more on {copy.hits} of {copy.trials} paths, as must "
        "be, but then its chances are those of the original process."
    )
    drawn = _cases(rows)[0]
    (lost, lost_beyond), (won, won_beyond) = (_at_cap(drawn, what) for what in ("down", "up"))
    said.append(
        f"With T broken bins it loses one with a chance in {_limits(lost)} while the original has "
        f"at most T, and in {_limits(lost_beyond)} while it has more; it would gain one with a "
        f"chance in {_limits(won)} and in {_limits(won_beyond)} ({_setting(lost)})."
    )
    for case in _cases(rows):
        q, down = _paper_q(case[0]), _most_down(case)
        said.append(
            f"For {_setting(case[0])} the bound on q by the mass of T bins is {q:.3g}, and "
            f"{q / down.high:.3g} to {q / down.low:.3g} times the greatest chance of a repair that "
            "was measured."
        )
    coupled = next(row for row in _chosen(drawn, "zero", "chain") if row.at == row.steps)
    if coupled.bound is not None:
        said.append(
            'A chain that is coupled path by path, by the chances of "own" by state, exceeds "own" '
            f"on {_chosen(drawn, 'above', 'chain')[0].hits} paths; it is at 0 after "
            f"{coupled.at} steps with a probability in {_limits(coupled)}, and the (q, p, T)-chain "
            f"with {coupled.bound:.4g}; were these chances to depend on nothing but the state, the "
            f"two would agree ({_setting(coupled)})."
        )
    last = [f"{each.lemma}: {each.verdict}" for each in verdicts(rows)]
    said.append(f"{'; '.join(last)}.")
    return said


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Lemmas 4 and 5, in both readings."""
    own = max(_chosen(rows, "above", "own"), key=lambda row: row.low)
    copy = max(_chosen(rows, "above", "copy"), key=lambda row: row.high)
    alone = max(
        (row for row in rows if row.what == "zero in one alone" and row.at == row.steps),
        key=lambda row: row.trials,
    )
    q, down = max(
        ((_paper_q(case[0]), _most_down(case)) for case in _cases(rows)),
        key=lambda each: each[0] / each[1].high,
    )
    return [
        Verdict(
            "Lemma 4, path by path, own configuration",
            "B^cap <= B^orig at every step, equation (2)",
            f"P(violated) in {_limits(own)} ({_setting(own)}), {own.hits} of {own.trials} paths",
            _never(own),
            COMMAND,
        ),
        Verdict(
            "Lemma 4, path by path, copied moves",
            "B^cap <= B^orig at every step, equation (2)",
            f"P(violated) in {_limits(copy)}, {copy.hits} of {copy.trials} paths",
            _never(copy),
            COMMAND,
        ),
        Verdict(
            "Lemma 4, own configuration",
            "Pr(B^orig_k = 0) <= Pr(B^cap_k = 0)",
            f"of {alone.trials} paths with just one of the two at 0 after {alone.at} steps, the "
            f"capped one has a share in {_limits(alone)} ({_setting(alone)})",
            _above(alone, 0.5),
            COMMAND,
        ),
        _chain_verdict(rows, "own", "own configuration"),
        _chain_verdict(rows, "copy", "copied moves"),
        _copy_verdict(rows),
        Verdict(
            "Lemma 5, q",
            "repairs are as rare as a kink in one of T bins",
            f"the mass of T bins is {q / down.high:.3g} to {q / down.low:.3g} times the greatest "
            f"chance measured, {_limits(down)} ({_setting(down)})",
            "holds with other constants" if down.high < q else "undecided",
            COMMAND,
        ),
    ]


def _chain_verdict(rows: Sequence[Row], name: str, reading: str) -> Verdict:
    """Whether the exact law of the chain lies above the capped process at all steps."""
    # Where the chain is at 0 less often than this, the paths cannot tell.
    known = [row for row in _chosen(rows, "zero", name) if (row.bound or 0) * row.trials > 50]
    judged: Judgement = "undecided"
    if any(row.low > (row.bound or 0) for row in known):
        judged = "fails"
    elif known and all(row.high <= (row.bound or 0) for row in known):
        judged = "holds"
    ratio = [(row.low / (row.bound or math.inf), row) for row in known]
    worst = max(ratio, key=lambda each: each[0])[1] if ratio else None
    measured = "no chain with q < p that is at 0 often enough"
    if worst is not None:
        measured = (
            f"Pr(B^cap = 0) in {_limits(worst)} after {worst.at} steps, chain {worst.bound:.4g} "
            f"({_setting(worst)})"
        )
    claim = 'Pr(B^cap_k = 0) <= Pr(B^(q,p)_k = 0) for p, q beyond the extreme chances of "own"'
    return Verdict(f"Lemma 5, {reading}", claim, measured, judged, COMMAND)


def _copy_verdict(rows: Sequence[Row]) -> Verdict:
    """Whether p bounds the chance of the copy to go up from T, while the original is above T."""
    found = [_at_cap(case, "up")[1] for case in _cases(rows)]
    row = min(found, key=lambda row: row.high / (row.bound or math.inf))
    p = row.bound or 0.0
    return Verdict(
        "Lemma 5, p, copied moves",
        "p bounds the chance of a new broken bin at every step",
        f"beyond T the chance lies in {_limits(row)}, p = {p:.4g} ({_setting(row)})",
        "fails" if row.high < p else "holds" if row.low > p else "undecided",
        COMMAND,
    )


def _never(row: Row) -> Judgement:
    """What is claimed never to happen: seen for certain, or at most once in a thousand times."""
    return "fails" if row.low > 0 else "holds" if row.high < 1e-3 else "undecided"


def _above(row: Row, level: float) -> Judgement:
    return "holds" if row.low > level else "fails" if row.high < level else "undecided"


def _paper_q(row: Row) -> float:
    """P(a kink falls into T bins around 0): the densest, so no T bins have more."""
    return 2 / math.pi * math.atan(row.cap * row.length / 2)


def _most_down(case: Sequence[Row]) -> Row:
    """The greatest chance of "own" to lose a broken bin, by state, or at the first step."""
    first = _chosen(case, "down at the first step", "own")
    return max(
        (row for row in [*_chosen(case, "down", "own"), *first] if row.hits),
        key=lambda row: row.low,
    )


def _at_cap(case: Sequence[Row], what: str) -> tuple[Row, Row]:
    """The chance of "copy" to move from T, while the original has at most T, and while more."""
    cap = case[0].cap
    within, beyond = (
        next(row for row in _chosen(case, what, name) if row.at == cap)
        for name in ("copy", "copy beyond")
    )
    return within, beyond


def _chosen(rows: Sequence[Row], what: str, name: str) -> list[Row]:
    return [row for row in rows if row.what == what and row.process == name]


def _cases(rows: Sequence[Row]) -> list[list[Row]]:
    cases = dict.fromkeys(row[:4] for row in rows)
    return [[row for row in rows if row[:4] == case] for case in cases]


def _setting(row: Row) -> str:
    return f"epsilon = {row.length:g}, c = {row.constant:g}, T = {row.cap}, k = {row.steps}"


def _limits(row: Row) -> str:
    return f"[{row.low:.4g}, {row.high:.4g}]"


def _label(name: str) -> str:
    return {"own": "capped, own", "copy": "capped, copy", "copy beyond": "copy beyond T"}.get(
        name, name
    )
