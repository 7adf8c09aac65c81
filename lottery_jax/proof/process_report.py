"""What the paths of the three processes say: figure and text."""

from collections.abc import Sequence

from lottery_jax.proof.process_rows import CONFIDENCE, OFTEN, Row
from lottery_jax.proof.process_verdicts import (
    at_cap,
    cases,
    chosen,
    limits,
    mass,
    premise,
    setting,
    verdicts,
)
from lottery_jax.report.tables import format_table


def draw(rows: Sequence[Row]):
    """Left: the chance of no broken bin, step by step; right: moves by state. Returns the left
    axis.
    """
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(11.5, 5.0).figure
    figure.clear()
    left, right = figure.subplots(1, 2)  # pyright: ignore[reportAttributeAccessIssue]
    rows = cases(rows)[0]
    for number, name in enumerate(("original", "own", "copy")):
        colour, marker = figures.COLOURS[number], figures.MARKERS[number]
        points = [row for row in chosen(rows, "zero", name) if row.hits]
        at, shares = [row.at for row in points], [row.hits / row.trials for row in points]
        ends = [row.low for row in points], [row.high for row in points]
        left.fill_between(at, *ends, color=colour, alpha=0.2, lw=0)
        left.plot(at, shares, color=colour, marker=marker, ms=4, label=_label(name))
        unseen = [row for row in chosen(rows, "zero", name) if not row.hits]
        left.plot(
            [row.at for row in unseen],
            [row.high for row in unseen],
            ls="none",
            marker=r"$\downarrow$",
            ms=9,
            color=colour,
        )
    exact = [row for row in chosen(rows, "zero", "chain") if row.bound is not None]
    at, law = [row.at for row in exact], [row.bound for row in exact]
    left.plot(at, law, "--", color="black", label="(q, p, T)-chain, exact")
    left.set_xscale("log")
    left.set_yscale("log")
    shown = [row for name in ("original", "own", "copy") for row in chosen(rows, "zero", name)]
    left.set_ylim(bottom=min(row.hits / row.trials or row.high for row in shown) / 2)
    left.set_xlabel("neurons added")
    left.set_ylabel("P(no broken bin)")
    left.set_title("arrows: upper limits where no path was seen", fontsize="small")
    groups = (("own", 1, "s"), ("copy", 2, "^"), ("copy beyond", 3, "D"))
    for what, fill in (("up", "full"), ("down", "none")):
        for place, (name, number, marker) in enumerate(groups):
            points = [row for row in chosen(rows, what, name) if row.trials and row.hits]
            colour = figures.COLOURS[number]
            at = [(row.at or 0) + 0.12 * (place - 1) for row in points]
            for x, row in zip(at, points, strict=True):
                right.plot([x, x], [row.low, row.high], color=colour, lw=1)
            shares = [row.hits / row.trials for row in points]
            label = f"{what}, {_label(name)}"
            style = {"ls": "none", "marker": marker, "fillstyle": fill, "color": colour, "ms": 5}
            right.plot(at, shares, label=label, **style)
    for what, style in (("up", "-"), ("down", ":")):
        bound = chosen(rows, what, "own")[0].bound
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
    title = f"{setting(rows[0])}; {100 * CONFIDENCE:g} % limits; the curves share paths"
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return left


def describe(rows: Sequence[Row]) -> str:
    """A line for each count that a lemma is judged by, and what they say."""
    header = ["epsilon", "c", "T", "k", "what", "process", "at", "of", "hits", "open"]
    header += ["low", "high", "bound"]
    shown = [
        row
        for row in rows
        if row.what in ("above", "up", "down")
        or (row.what.startswith("zero") and row.at == row.steps)
    ]
    table = format_table(header, [row[:13] for row in shown if row.trials])
    return f"{table}\n\n{' '.join(_sentences(rows))}"


def _sentences(rows: Sequence[Row]) -> list[str]:
    """The reading."""
    worst = max(chosen(rows, "above", "own"), key=lambda row: row.low)
    copy = max(chosen(rows, "above", "copy"), key=lambda row: row.hits)
    said = [
        "Lemma 4, read with a configuration of its own: the capped process has more broken bins "
        f"than the original one on {worst.hits} of {worst.trials} paths ({setting(worst)}; the "
        f"probability lies in {limits(worst)})."
    ]
    said += [
        f"Such a path, of the same key, is at {row.text}."
        for row in rows
        if row.what == "path" and row[:4] == worst[:4]
    ]
    said.append(
        f"Read as a copy of the moves it has more on {copy.hits} of {copy.trials} paths, and its "
        "chances are those of the original process."
    )
    drawn = cases(rows)[0]
    (lost, lost_beyond), (won, won_beyond) = (at_cap(drawn, what) for what in ("down", "up"))
    said.append(
        f"With T broken bins it loses one with a chance in {limits(lost)} while the original has "
        f"at most T, and in {limits(lost_beyond)} while it has more; it would gain one with a "
        f"chance in {limits(won)} and in {limits(won_beyond)} ({setting(lost)})."
    )
    said += [_cell_sentence(case) for case in cases(rows)]
    coupled = next(row for row in chosen(drawn, "zero", "chain") if row.at == row.steps)
    if coupled.bound is not None:
        said.append(
            'A chain that is coupled path by path, by the chances of "own" by state, exceeds "own" '
            f"on {chosen(drawn, 'above', 'chain')[0].hits} paths; it is at 0 after "
            f"{coupled.at} steps with a probability in {limits(coupled)}, and the (q, p, T)-chain "
            f"with {coupled.bound:.4g}; were these chances to depend on nothing but the state, the "
            f"two would agree ({setting(coupled)})."
        )
    last = [f"{each.lemma}: {each.verdict}" for each in verdicts(rows)]
    said.append(
        'Of the verdicts, "Lemma 5, own configuration" and "Lemma 5, copied moves" compare the '
        'probability to be at 0 with that of the chain, "Lemma 5, p" and "Lemma 5, q" the chances '
        f"per step that p and q stand for. {'; '.join(last)}."
    )
    return said


def _cell_sentence(case: Sequence[Row]) -> str:
    """What the cells of one case say of p and q."""
    ups, downs = (chosen(case, f"{what} in steps", "own") for what in ("up", "down"))
    up, down = min(ups, key=lambda row: row.low), max(downs, key=lambda row: row.high)
    return (
        f"For {setting(case[0])}, state by state and step by step ({len(downs)} cells with at "
        f'least {OFTEN} visits of the pilot), "own" gains a bin least often with {up.at} broken '
        f"in steps {up.text}, {limits(up)} against p = {up.bound or 0:.4g}, and loses one most "
        f"often with {down.at} in steps {down.text}, {limits(down)} against q = "
        f"{down.bound or 0:.4g}: that p and q bound these chances is {premise(case)}. The "
        f"mass of T bins, {mass(down):.3g}, is at least {mass(down) / down.high:.3g} times the "
        "chance of a repair."
    )


def _label(name: str) -> str:
    return {"own": "capped, own", "copy": "capped, copy", "copy beyond": "copy beyond T"}.get(
        name, name
    )
