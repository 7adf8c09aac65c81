"""What the numbers of solutions say: figure and text."""

import math
from collections.abc import Sequence

from lottery_jax.precision.solutions_rows import CONFIDENCE, LABELS, Row, distance, is_within
from lottery_jax.quantized import laws
from lottery_jax.report.tables import format_table

_WORDS = {"mean": "E N", "pairs": "E N(N-1)", "ratio": "E N(N-1) / (E N)^2"}


def draw(rows: Sequence[Row]):
    """Shares by number of solutions at the largest n, means and pairs against 1 / n.

    Returns the first axis.
    """
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(14.5, 5.2).figure
    figure.clear()
    first, *others = figure.subplots(1, 3)  # pyright: ignore[reportAttributeAccessIssue]
    num_items = max(row.num_items for row in rows)
    for number, (problem, label) in enumerate(LABELS.items()):
        colour, marker = figures.COLOURS[number], figures.MARKERS[number]
        cells = _chosen(rows, problem, "cell", num_items)
        at = [row.cell for row in cells]
        first.plot(at, [row.limit for row in cells], color=colour, lw=1)
        for row in cells:
            where = (row.cell or 0) + 0.1 * (number - 1)
            if row.value:
                first.plot([where, where], [row.low, row.high], color=colour, lw=1)
                first.plot(where, row.value, marker, color=colour, ms=4)
            else:  # wider than points: further apart
                where = (row.cell or 0) + 0.3 * (number - 1)
                first.plot(where, row.high, marker=r"$\downarrow$", color=colour, ms=7)
        first.plot([], [], color=colour, marker=marker, ms=4, lw=1, label=label)
        for ax, what in zip(others, ("mean", "pairs"), strict=True):
            points = _chosen(rows, problem, what)
            for row in points:
                where = (1 + 0.012 * (number - 1)) / row.num_items
                ends = [row.low / row.limit, row.high / row.limit]
                ax.plot([where, where], ends, color=colour, lw=1)
                ax.plot(where, row.value / row.limit, marker, color=colour, ms=4)
            known = [row for row in points if row.exact is not None]
            exact = [(row.exact or 0) / row.limit for row in known]
            ax.plot([1 / row.num_items for row in known], exact, "_-", color=colour, lw=1, ms=14)
            ax.plot([], [], color=colour, marker=marker, ms=4, lw=1, label=label)
    first.set_yscale("log")
    first.set_ylim(bottom=1e-5)
    first.set_xlabel("number N of solutions")
    first.set_ylabel("share of the draws")
    first.set_title(
        f"n = {num_items}; lines: Poisson laws (at integers; for subsets of varying mean)",
        fontsize="small",
    )
    sizes = sorted({row.num_items for row in rows})
    for ax, what in zip(others, ("E N", "E N(N - 1)"), strict=True):
        ax.axhline(1, color="black", lw=1, ls="--", label="limit: the Poisson law")
        ax.set_xlabel("n   (on a scale of 1/n; points of one n side by side)")
        ax.set_xticks([1 / each for each in sizes], [str(each) for each in sizes])
        ax.set_xlim(0, 1.15 / sizes[0])
        ax.set_ylabel(f"{what} over that of the Poisson law")
        ax.set_title("dashes, joined from n to n: exact", fontsize="small")
    for ax in (first, *others):
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="small", frameon=False)
    title = (
        "Number of solutions of random instances of n whole numbers; M at "
        f"λ = log2(M) - n + log2(n)/2 = {_place(rows)}.\nBars: {100 * CONFIDENCE:g} % limits, "
        "exact for shares, from chunks for moments; arrows: upper limits where no draw was seen"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return first


def _place(rows: Sequence[Row]) -> str:
    """Where in the window of perfect partitions, from the least lambda to the largest."""
    places = {
        f"{laws.window_place(row.num_items, math.log2(row.largest)):.1f}": None for row in rows
    }
    return " to ".join(sorted(places, key=float))


def describe(rows: Sequence[Row]) -> str:
    """Means and pairs beside the exact ones and those of the laws, and what they say."""
    header = ["solutions", "n", "M", "of N", "draws", "measured", "low", "high", "exact", "Poisson"]
    cells = [
        [
            *(LABELS[row.problem], row.num_items, row.largest),
            *(_WORDS[row.what], row.draws, row.value),
            *(row.low, row.high, row.exact, row.limit),
        ]
        for row in rows
        if row.what != "cell"
    ]
    return f"{format_table(header, cells)}\n\n{_reading(rows)}"


def _reading(rows: Sequence[Row]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    found = [row for row in rows if row.what in ("mean", "pairs")]
    known = [row for row in found if row.exact is not None]
    held = sum(is_within(row, row.exact) for row in known)
    near = sum(is_within(row, row.limit) for row in found)
    words = [
        f"The limits hold the exact moment at {held} of {len(known)} points, and that of the "
        f"Poisson law at {near} of {len(found)}."
    ]
    sizes = sorted({row.num_items for row in rows})
    for problem, label in LABELS.items():
        means = [row for row in known if (row.problem, row.what) == (problem, "mean")]
        if means:
            last = max(means, key=lambda row: row.num_items)
            off = last.num_items * ((last.exact or 0) / last.limit - 1)
            words.append(
                f"For {label} the exact mean is 1 {'-' if off < 0 else '+'} {abs(off):.3f} / n of "
                f"the law's at n = {last.num_items};"
            )
        away = [distance(_chosen(rows, problem, "cell", each)) for each in sizes]
        listed = ", ".join(
            f"{value:.4f} at n = {each}" for value, each in zip(away, sizes, strict=True)
        )
        words.append(f"shares of draws differ from the Poisson law in total by {listed}.")
    clustered = [row for row in rows if (row.problem, row.what) == ("M/2", "ratio")]
    if clustered:
        last = max(clustered, key=lambda row: row.num_items)
        is_more, is_less = last.low > 1, last.high < 1
        verdict = "certainly more" if is_more else "certainly less" if is_less else "not certainly"
        words.append(
            f"Pairs of subsets are {last.value:.3f} times the square of their mean number at n = "
            f"{last.num_items} (limits {last.low:.3f} and {last.high:.3f}): {verdict} "
            f"{'than' if is_more or is_less else 'more or less than'} one Poisson law would have."
        )
    words.append(f"Limits are of {100 * CONFIDENCE:g} % at each point.")
    return " ".join(words)


def _chosen(
    rows: Sequence[Row], problem: str, what: str, num_items: int | None = None
) -> list[Row]:
    """In the order of cells, or of n."""
    return [
        row
        for row in rows
        if (row.problem, row.what) == (problem, what) and num_items in (None, row.num_items)
    ]
