"""The figure of the study of rare events: success beside its bounds, and how far they reach."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lottery_jax.proof.rare_rows import CONFIDENCE, Row, named, names

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(rows: Sequence[Row]) -> "Axes":
    """Success and bounds against the width; and the width that each bound excludes, against d."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(11.0, 5.0).figure
    figure.clear()
    left, right = figure.subplots(1, 2)  # type: ignore[union-attr]
    curve = [row for row in rows if row.what == "success"]
    x = [row.width for row in curve]
    left.fill_between(
        x, [row.low for row in curve], [row.high for row in curve], color="black", alpha=0.2, lw=0
    )
    seen = [row for row in curve if row.log is not None]
    left.plot(
        [row.width for row in seen],
        [math.exp(row.log or 0.0) for row in seen],
        color="black",
        label=curve[0].name,
    )
    for number, name in enumerate(names(rows, "bound")):
        points = named(rows, "bound", name)
        y = [math.exp(min(row.log or 0.0, 5.0)) for row in points]
        label = name if min(row.log or 0.0 for row in points) < 0 else f"{name}: never below 1"
        style = "--" if number % 2 else "-"  # bounds of 1 lie on each other
        x = [row.width for row in points]
        left.plot(x, y, style, color=figures.COLOURS[number], label=label)
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_ylim(max(1e-5, 0.5 / (curve[0].trials or 1)), 3)
    left.set_xlabel("neurons before pruning, N")
    left.set_ylabel("probability of success, or a bound on it")
    left.set_title(
        f"d = 2, ε = {curve[0].epsilon:g} on radius {curve[0].radius:g}; band: "
        f"{100 * CONFIDENCE:g} % limits",
        fontsize="medium",
    )
    left.legend(fontsize="small", frameon=False)
    for number, name in enumerate(names(rows, "range")):
        points = [row for row in named(rows, "range", name) if row.width]
        colour, marker = figures.COLOURS[(number + 1) % 7], figures.MARKERS[number]
        x, y = [row.dim for row in points], [row.width for row in points]
        right.plot(x, y, color=colour, marker=marker, ms=4, label=name)
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlabel("input dimension d")
    right.set_ylabel("largest width N at which the bound is below 1/2")
    some = next(row for row in rows if row.what == "range")
    right.set_title(f"ε = {some.epsilon:g} on radius {some.radius:g}", fontsize="medium")
    right.legend(fontsize="small", frameon=False)
    for ax in (left, right):
        ax.grid(True, alpha=0.3)
    return left
