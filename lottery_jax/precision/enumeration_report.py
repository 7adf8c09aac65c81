"""What counting all instances of small problems says: figure and text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lottery_jax.precision.enumeration_rows import PARTITION, SUBSET_SUM, Row
from lottery_jax.quantized import laws, subset_sum_laws
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DRAWN = 6  # numbers of items, the smallest: with more, M stays below the transition
_ENDS = -0.05, 2.5  # of the axis of kappa
_QUOTED = ((3, 4), (4, 8), (6, 8))


def draw(rows: Sequence[Row]) -> "Axes":
    """Exact chances and their laws against kappa: partitions, subset sums, and the laws' errors.

    Returns the left axis.
    """
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(16.0, 5.4).figure
    figure.clear()
    left, middle, right = figure.subplots(1, 3)  # pyright: ignore[reportAttributeAccessIssue]
    fine = np.linspace(*_ENDS, 200)[1:]
    fine = fine[fine > 0]
    for place, num_items in enumerate(_numbers(rows)[:_DRAWN]):
        style = {"color": figures.COLOURS[place], "marker": figures.MARKERS[place], "ms": 5}
        label = f"n = {num_items}"
        points = _thinned(_chosen(rows, PARTITION, num_items))
        kappas = [row.kappa for row in points]
        left.plot(kappas, [row.probability for row in points], ls="none", label=label, **style)
        law = laws.perfect(num_items, num_items * fine).success
        left.plot(fine, law, lw=1, color=style["color"])
        right.plot(kappas, [row.error for row in points], lw=1, label=label, **style)
        for target, fill, line in (("half", "full", "-"), ("zero", "none", ":")):
            points = _chosen(rows, SUBSET_SUM, num_items, target)
            share = 0.5 if target == "half" else 0.0
            chances = [row.probability for row in points]
            middle.plot([row.kappa for row in points], chances, ls="none", fillstyle=fill, **style)
            if points:
                law = subset_sum_laws.solvable(num_items, num_items * fine, share).success
                middle.plot(fine, law, line, lw=1, color=style["color"])
    centres = laws.kappa_at(_numbers(rows)[:_DRAWN], 0.0)
    name = "middle of the window, λ = 0, of these n"
    left.axvspan(centres.min(), centres.max(), color="black", alpha=0.1, lw=0, label=name)
    left.plot([], [], lw=1, color="black", label="law 1 - (exp(-ρ/2) + exp(-ρ))/2")
    for fill, line, target in (("full", "-", "M/2"), ("none", ":", "0")):
        name = f"t = {target}: all instances (points), law (line)"
        middle.plot([], [], line, marker="o", fillstyle=fill, ms=5, color="black", label=name)
    right.axhspan(
        -laws.WINDOW_ERROR,
        laws.WINDOW_ERROR,
        color="black",
        alpha=0.1,
        lw=0,
        label=f"allowance: ± {laws.WINDOW_ERROR:g} / n",
    )
    for ax, title in (
        (left, "number partitioning: items 1..M, all instances"),
        (middle, "quantised subset sum: items -M..M without 0, some kept"),
        (right, "number partitioning: error of the law"),
    ):
        ax.set_xlim(*_ENDS)
        ax.set_xlabel("κ = log2(M) / n")
        ax.set_title(title, fontsize="medium")
        ax.grid(True, alpha=0.3)
        ax.legend(
            fontsize="small",
            frameon=False,
            title="colours: n as on the left" if ax is middle else None,
            title_fontsize="small",
        )
    left.set_ylabel("share of the instances that are perfectly partitionable")
    middle.set_ylabel("share of the instances with a subset of sum t")
    right.set_ylabel("n (exact share - law)")
    return left


def describe(rows: Sequence[Row]) -> str:
    """The largest M of every n, how far the laws are off at any M, and what that says."""
    header = ["n", "M up to", "instances", "by multisets", "by all instances", "share", "law"]
    header += ["n x error", "at M", "beyond .15/n"]
    cells = []
    for num_items in _numbers(rows):
        group = _chosen(rows, PARTITION, num_items)
        last, worst = group[-1], max(group, key=lambda row: abs(row.error))
        told = [last.num_items, last.largest, last.instances, last.by_multisets]
        told += [last.by_all_instances, last.probability, last.law, worst.error, worst.largest]
        cells.append([*told, _span(_beyond(group))])
    table = format_table(header, cells)
    parts = ["Perfectly partitionable instances, all with items 1..M (counts at the largest M):"]
    parts += ["", table, "", *_subset_sums(rows), _reading(rows)]
    return "\n".join(parts)


def _subset_sums(rows: Sequence[Row]) -> list[str]:
    header = ["n", "M up to", "t", "instances", "by multisets", "by all instances", "share", "law"]
    cells = []
    for num_items in _numbers(rows):
        for target in ("half", "zero"):
            group = _chosen(rows, SUBSET_SUM, num_items, target)
            if group:
                last = group[-1]
                told = [last.num_items, last.largest, last.target, last.instances]
                told += [last.by_multisets, last.by_all_instances, last.probability, last.law]
                worst = max(group, key=lambda row: abs(row.error))
                cells.append([*told, worst.error, worst.largest])
    if not cells:
        return []
    header += ["n x error", "at M"]
    title = "Instances with a subset, not the empty one, of sum t, items -M..M without 0:"
    return [title, "", format_table(header, cells), ""]


def _reading(rows: Sequence[Row]) -> str:
    differing = [row for row in rows if row.by_multisets != row.by_all_instances]
    said = [
        f"Reading: both ways count the same at {len(rows) - len(differing)} of {len(rows)} sizes."
    ]
    if differing:
        said.append(f"They differ at {differing[0]}.")
    partitions = [row for row in rows if row.problem == PARTITION]
    quoted = [row for row in partitions if (row.num_items, row.largest) in _QUOTED]
    if quoted:
        each = ", ".join(
            f"{row.by_multisets} of {row.instances} at n = {row.num_items}, M = {row.largest}"
            for row in quoted
        )
        said.append(f"Among them are {each}.")
    beyond = _beyond(partitions)
    inside = len(partitions) - len(beyond)
    said.append(
        f"The law of perfect partitions is within {laws.WINDOW_ERROR:g}/n of the exact share at "
        f"{inside} of {len(partitions)} pairs (n, M)"
    )
    if beyond:
        worst = max(beyond, key=lambda row: abs(row.error))
        groups = "; ".join(
            f"n = {num_items} at M = {_span([row for row in beyond if row.num_items == num_items])}"
            for num_items in _numbers(beyond)
        )
        first = max(_numbers(beyond)) + 1
        said[-1] += (
            f"; it is not for {groups}, where it is off by up to {abs(worst.error):.2f}/n. The "
            "constant is that of large M and n"
        )
        if any(row.num_items >= first for row in partitions):
            said[-1] += f": from n = {first} on it holds at every M here"
    said[-1] += "."
    sums = [row for row in rows if row.problem == SUBSET_SUM]
    if sums:
        worst = max(sums, key=lambda row: abs(row.error))
        said.append(
            f"The law of subset sums is off by up to {abs(worst.error):.2f}/n, at n = "
            f"{worst.num_items}, M = {worst.largest}, t = {worst.target}."
        )
    return " ".join(said)


def _numbers(rows: Sequence[Row]) -> list[int]:
    return sorted({row.num_items for row in rows})


def _chosen(rows: Sequence[Row], problem: str, num_items: int, target: str = "") -> list[Row]:
    """By rising M. M = 1 has the target 0 alone, which counts as zero and not as half."""
    found = [row for row in rows if (row.problem, row.num_items) == (problem, num_items)]
    if target:
        found = [row for row in found if bool(row.target) == (target == "half")]
    return sorted(found, key=lambda row: row.largest)


def _thinned(rows: Sequence[Row]) -> list[Row]:
    """About four for every doubling of M."""
    places = {round(4 * np.log2(row.largest)): row for row in reversed(rows)}
    return [places[place] for place in sorted(places)]


def _beyond(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if abs(row.error) > laws.WINDOW_ERROR]


def _span(rows: Sequence[Row]) -> str:
    """The sizes M of rows of one n, as runs.

    Examples
    --------
    >>> _span([Row(PARTITION, 2, size, None, 1, 1, 1, 1.0) for size in (2, 3, 4, 7)])
    '2 to 4, 7'
    """
    sizes = sorted(row.largest for row in rows)
    runs: list[list[int]] = []
    for size in sizes:
        if runs and size == runs[-1][1] + 1:
            runs[-1][1] = size
        else:
            runs.append([size, size])
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in runs)
