"""What M and c change: figure and text."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lottery_jax.features.points import CAUTION, draw_chance, draw_shares
from lottery_jax.features.sensitivity_rows import CONFIDENCE, Row
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(rows: Sequence[Row]) -> "Axes":
    """Recall against M / s, inputs kept against M / s, recall against c. Gives the first axis."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(13.5, 4.6).figure
    figure.clear()
    left, middle, right = figure.subplots(1, 3)  # pyright: ignore[reportAttributeAccessIssue]
    sizes = sorted({row.size for row in rows})
    for number, size in enumerate(sizes):
        style = {"colour": figures.COLOURS[number], "marker": figures.MARKERS[number]}
        for ax, sweep in ((left, "M"), (right, "c")):
            curve = _curve(rows, sweep, size)
            at = [_place(row) for row in curve]
            shares = [row.recall for row in curve]
            ends = [row.low for row in curve], [row.high for row in curve]
            draw_shares(ax, at, shares, *ends, label=_label(curve[0]), **style)
            draw_chance(ax, at, [row.chance for row in curve], colour=style["colour"])
        curve = _curve(rows, "M", size)
        at = [_place(row) for row in curve]
        colour, marker = style["colour"], style["marker"]
        label = f"not in the support, {_label(curve[0])}"
        middle.plot(at, [r.false for r in curve], color=colour, marker=marker, ms=4, label=label)
    curve = _curve(rows, "M", sizes[-1])
    first = curve[0]
    at, most = [_place(row) for row in curve], [min(3 * r.kept_entries, r.dim) for r in curve]
    middle.plot(at, most, "--", color="black", lw=1, label="most that can be kept, 3M")
    middle.axhline(first.support_size, color="black", ls=":", lw=1, label="size of the support, s")
    middle.set_yscale("log", base=2)
    theory = 1 / math.log(first.dim)
    right.axvline(theory, color="black", ls="--", lw=1, label="1 / log d")
    for ax in (left, right):
        ax.plot([], [], ":", color="black", lw=1, label="chance level |J|/d, by colour")
        ax.set_ylim(-0.02, 1.04)
        ax.set_ylabel("recall: share of the support that is kept")
    for ax in (left, middle):
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlabel("entries kept, M / s")
    middle.yaxis.set_major_formatter("{x:g}")
    middle.set_ylabel("inputs kept")
    right.set_xlabel("shift c")
    left.set_title(f"c = {first.shift:g}; all M share their draws", fontsize="small")
    right.set_title("M = s; every c has its own draws", fontsize="small")
    for ax in (left, middle, right):
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="x-small", frameon=False)
    title = (
        f"PruneNetwork, target He_{first.exponent} of one flat direction, d = {first.dim}, s = "
        f"{first.support_size}, {first.trials} draws\nbars: {100 * CONFIDENCE:g} % limits of the "
        f"mean recall, {CAUTION}"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return left


def describe(rows: Sequence[Row]) -> str:
    """The rows, and what they say."""
    header = ["sweep", "n", "M", "M/s", "c", "draws", "recall", "low", "high", "complete", "|J|"]
    header += ["false", "chance"]
    cells = [
        [
            *(row.sweep, row.size, row.kept_entries, row.kept_entries / row.support_size),
            *(row.shift, row.trials, row.recall, row.low, row.high, row.complete, row.kept),
            *(row.false, row.chance),
        ]
        for row in rows
    ]
    return f"{format_table(header, cells)}\n\n{_reading(rows)}"


def _reading(rows: Sequence[Row]) -> str:
    said = []
    for size in sorted({row.size for row in rows}):
        by_kept = sorted(_curve(rows, "M", size), key=_place)
        most = max(by_kept, key=lambda row: row.recall - row.chance)
        least, largest = by_kept[0], by_kept[-1]
        said.append(
            f"From n = {size}, recall goes from {least.recall:.2f} at M = {_times(least)} to "
            f"{largest.recall:.2f} at M = {_times(largest)}, and inputs kept beside the support "
            f"from {least.false:.1f} to {largest.false:.1f}; it is furthest above chance, by "
            f"{most.recall - most.chance:.2f}, at M = {_times(most)}."
        )
        by_shift = _curve(rows, "c", size)
        best = max(by_shift, key=lambda row: row.recall)
        theory = min(by_shift, key=lambda row: abs(row.shift - 1 / math.log(row.dim)))
        ties = ", ".join(f"{row.shift:.2g}" for row in by_shift if row.recall == best.recall)
        apart = "below" if theory.high < best.low else "within limits of"
        said.append(
            f"Of the shifts c = {ties} recalls most, {best.recall:.2f} [{best.low:.2f}, "
            f"{best.high:.2f}]; 1 / log d = {theory.shift:.2g} recalls {theory.recall:.2f} "
            f"[{theory.low:.2f}, {theory.high:.2f}], "
            + ("as much." if theory.recall == best.recall else f"{apart} that.")
        )
    said.append(
        f"Limits are {100 * CONFIDENCE:g} % each, from the spread over {rows[0].trials} draws: "
        f"{CAUTION}. The best of several is biased upwards."
    )
    return " ".join(said)


def _curve(rows: Sequence[Row], sweep: str, size: int) -> list[Row]:
    return [row for row in rows if (row.sweep, row.size) == (sweep, size)]


def _place(row: Row) -> float:
    return row.kept_entries / row.support_size if row.sweep == "M" else row.shift


def _times(row: Row) -> str:
    return f"{row.kept_entries / row.support_size:g} s"


def _label(row: Row) -> str:
    return f"n = {row.size} = {row.size / row.support_size**row.exponent:g} s^{row.exponent}"
