"""Lemmas 4 and 5, in both readings, judged by the limits of the rows of `process_rows`.

Every rule looks at all cases, and at all steps or cells that were recorded: one that is against the
lemma is enough for "fails".
"""

import math
from collections.abc import Iterable, Sequence

from lottery_jax.proof.process_rows import Row
from lottery_jax.proof.verdict import Judgement, Verdict, judge_never, limits_text

COMMAND = "lottery-jax run process"
_ENOUGH = 50  # paths on which the chain is expected at 0, for them to tell


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Lemmas 4 and 5, in both readings."""
    return [
        _path_by_path(rows, "own", "own configuration"),
        _path_by_path(rows, "copy", "copied moves"),
        _chance_of_zero(rows),
        _chain(rows, "own", "own configuration"),
        _chain(rows, "copy", "copied moves"),
        _gain(rows),
        _repair(rows),
    ]


def _path_by_path(rows: Sequence[Row], name: str, reading: str) -> Verdict:
    """Whether the capped process ever exceeds the original one."""
    found = chosen(rows, "above", name)
    worst = max(found, key=lambda row: (row.low, row.high))
    return Verdict(
        f"Lemma 4, path by path, {reading}",
        "B^cap <= B^orig at every step, equation (2)",
        f"P(violated) in {limits(worst)}, {worst.hits} of {worst.trials} paths ({setting(worst)})",
        judge_never(worst.low, max(row.high for row in found)),
        COMMAND,
    )


def _chance_of_zero(rows: Sequence[Row]) -> Verdict:
    """Of the paths with just one of the two at 0, half or more must be those of the capped one.

    It fails if this share is below 1/2 at any step of any case, and holds if it is nowhere so and
    above 1/2 somewhere.
    """
    points = [row for row in rows if row.what == "zero in one alone"]
    agree, against = sum(row.low > 0.5 for row in points), sum(row.high < 0.5 for row in points)
    least = min(points, key=lambda row: (row.high, -row.trials))
    return Verdict(
        "Lemma 4, own configuration",
        "Pr(B^orig_k = 0) <= Pr(B^cap_k = 0)",
        f"of the paths with just one of the two at 0, the capped one's share is above 1/2 at "
        f"{agree} of {len(points)} points and below at {against}, the others cannot tell; least "
        f"limits {limits(least)}, of {least.trials} paths after {least.at} steps "
        f"({setting(least)})",
        "fails" if against else "holds" if agree else "undecided",
        COMMAND,
    )


def _chain(rows: Sequence[Row], name: str, reading: str) -> Verdict:
    """Whether the exact law of the chain lies above the capped process, where p and q are good.

    Points are the recorded steps of the cases whose cells all respect p and q. It fails if one of
    them is above the chain, and holds if none is, and all that can tell are below.
    """
    good = [case for case in cases(rows) if premise(case) == "supported"]
    points = [row for case in good for row in chosen(case, "zero", name) if row.bound is not None]
    # Where the chain is at 0 less often than this, the paths cannot say that they are below it.
    telling = [row for row in points if (row.bound or 0) * row.trials > _ENOUGH]
    judged: Judgement = "undecided"
    if any(row.low > (row.bound or 0) for row in points):
        judged = "fails"
    elif telling and all(row.high <= (row.bound or 0) for row in telling):
        judged = "holds"
    measured = (
        f"p and q bound the chances in all cells in {len(good)} of {len(cases(rows))} cases; "
        f"{len(telling)} of {len(points)} points there can tell"
    )
    if telling:
        worst = max(telling, key=lambda row: row.low / (row.bound or math.inf))
        measured += (
            f"; nearest to the chain: Pr(B^cap = 0) in {limits(worst)} after {worst.at} steps, "
            f"chain {worst.bound:.4g} ({setting(worst)})"
        )
    claim = 'Pr(B^cap_k = 0) <= Pr(B^(q,p)_k = 0) for p, q beyond the extreme chances of "own"'
    return Verdict(f"Lemma 5, {reading}", claim, measured, judged, COMMAND)


def _gain(rows: Sequence[Row]) -> Verdict:
    """Whether p bounds the chance of the copy to go up from T, while the original is above T."""
    found = [at_cap(case, "up")[1] for case in cases(rows)]
    row = min(found, key=lambda row: row.high / (row.bound or math.inf))
    judged: Judgement = "undecided"
    if any(each.high < (each.bound or 0) for each in found):
        judged = "fails"
    elif all(each.low >= (each.bound or 0) for each in found):
        judged = "holds"
    return Verdict(
        "Lemma 5, p, copied moves",
        "p bounds the chance of a new broken bin at every step",
        f"beyond T the chance lies in {limits(row)}, p = {row.bound or 0:.4g} ({setting(row)})",
        judged,
        COMMAND,
    )


def _repair(rows: Sequence[Row]) -> Verdict:
    """Whether a repair is rarer than a kink in one of T bins, in all cells of all cases."""
    found = [row for row in rows if row.what == "down in steps"]
    worst = min(found, key=lambda row: mass(row) / row.high)
    judged: Judgement = "undecided"
    if any(row.low > mass(row) for row in found):
        judged = "fails"
    elif all(row.high < mass(row) for row in found):
        judged = "holds with other constants"
    return Verdict(
        "Lemma 5, q",
        "repairs are as rare as a kink in one of T bins",
        f"in all {len(found)} cells (state and steps) the mass of T bins is at least "
        f"{mass(worst) / worst.high:.3g} times the chance of a repair; least with {worst.at} "
        f"broken bins in steps {worst.text}: {limits(worst)}, mass {mass(worst):.3g} "
        f"({setting(worst)})",
        judged,
        COMMAND,
    )


def premise(case: Sequence[Row]) -> str:
    """Whether p and q bound the chances of "own" in all cells: "supported", "contradicted" or
    "undecided".
    """
    ups, downs = (chosen(case, f"{what} in steps", "own") for what in ("up", "down"))
    if any(row.high < (row.bound or 0) for row in ups):
        return "contradicted"
    if any(row.low > (row.bound or 0) for row in downs):
        return "contradicted"
    is_p = all(row.low >= (row.bound or 0) for row in ups)
    is_q = all(row.high <= (row.bound or 0) for row in downs)
    return "supported" if ups and downs and is_p and is_q else "undecided"


def mass(row: Row) -> float:
    """P(a kink falls into T bins around 0): the densest, so no T bins have more."""
    return 2 / math.pi * math.atan(row.cap * row.length / 2)


def at_cap(case: Sequence[Row], what: str) -> tuple[Row, Row]:
    """The chance of "copy" to move from T, while the original has at most T, and while more."""
    cap = case[0].cap
    within, beyond = (
        next(row for row in chosen(case, what, name) if row.at == cap)
        for name in ("copy", "copy beyond")
    )
    return within, beyond


def chosen(rows: Iterable[Row], what: str, name: str) -> list[Row]:
    """The rows of one kind and one process."""
    return [row for row in rows if row.what == what and row.process == name]


def cases(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each case."""
    found = dict.fromkeys(row[:4] for row in rows)
    return [[row for row in rows if row[:4] == case] for case in found]


def setting(row: Row) -> str:
    """The case of a row in words."""
    return f"epsilon = {row.length:g}, c = {row.constant:g}, T = {row.cap}, k = {row.steps}"


def limits(row: Row) -> str:
    """The limits of a row in words."""
    return limits_text(row.low, row.high)
