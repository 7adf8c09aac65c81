"""What the comparison of quantised with continuous items says: figure and text."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lottery_jax.precision.continuous_rows import Curve, Row, curves
from lottery_jax.precision.widths_report import more
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WORDS = {"one": "one target", "all": "all targets"}


class Slope(NamedTuple):
    """Items for each further bit, from the first to the last point of a curve."""

    items: float
    low: float
    high: float
    first: int  # bits
    last: int


def draw(rows: Sequence[Row]) -> "Axes":
    """Items against bits for every curve, and the counting bound of all targets."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    ax = figures.new_axis(8.0, 6.0)
    ax.set_ylim(0, 1.35 * max(row.high if math.isfinite(row.high) else row.low for row in rows))
    kinds = list(dict.fromkeys(curve._replace(event="") for curve in curves(rows)))
    for curve, points in curves(rows).items():
        number, event = kinds.index(curve._replace(event="")), curve.event
        colour = figures.COLOURS[number % len(figures.COLOURS)]
        fill = "full" if event == "all" else "none"
        line = "-" if event == "all" else "--"
        seen = _seen(points)
        at = [row.bits for row in seen]
        low, high = [row.low for row in seen], [row.high for row in seen]
        ax.fill_between(at, low, high, color=colour, alpha=0.2, lw=0)
        for row in seen:  # a band needs two points
            ax.plot([row.bits] * 2, [row.low, row.high], color=colour, lw=1)
        style = {"color": colour, "marker": figures.MARKERS[number], "fillstyle": fill, "ms": 5}
        label = f"{_name(curve)}: {_WORDS[event]}"
        ax.plot(at, [row.items for row in seen], line, label=label, **style)
        for row in points:
            if not math.isfinite(row.high):
                ax.plot(row.bits, row.low, marker=r"$\uparrow$", ms=9, ls="none", color=colour)
    bits = np.array(sorted({row.bits for row in rows}))
    ax.plot(
        bits,
        np.log2(2.0 ** (bits + 1) + 1),
        ":",
        color="black",
        label="all targets exactly: no fewer",
    )
    ax.set_xlabel("bits of precision k, δ = 2⁻ᵏ")
    ax.set_xticks(bits)
    ax.set_ylabel("items of a subset sum; of weight pruning, half of the units")
    ax.set_title(
        f"Items with which {100 * rows[0].probability:g} % of the draws succeed\n(bands and bars: "
        f"{100 * rows[0].confidence:g} % exact limits; arrows: open above)",
        fontsize="medium",
    )
    ax.grid(True, alpha=0.3)
    ax.legend(fontsize="small", frameon=False, loc="upper left", ncols=2)
    return ax


def describe(rows: Sequence[Row]) -> str:
    """The items with their limits, growth by bit, and what they say."""
    header = ["model", "targets", "items", "accuracy", "k", "needed", "low", "high", "draws"]
    cells = [
        [
            *(row.model, row.event, row.law, row.accuracy, row.bits),
            *(row.items, row.low, row.high, row.trials),
        ]
        for points in curves(rows).values()
        for row in points
    ]
    slopes = [
        [*curve, f"{slope.first} to {slope.last}", *slope[:3]]
        for curve, points in curves(rows).items()
        for slope in [_slope(points)]
        if slope is not None
    ]
    first = rows[0]
    parts = [
        f"Items with which {100 * first.probability:g} % of the draws succeed "
        f"({100 * first.confidence:g} % exact limits).",
        "Quantised: exact, for the weights of the grid in [-1, 1]. Others: within the accuracy,",
        "subset sums for targets of [-1/2, 1/2], weight pruning for a weight of 1 or -1, both",
        "signs, half of the units for each (an upper bound: it looks at one construction).",
        "",
        format_table(header, cells),
        "",
    ]
    if slopes:
        parts += [
            "Items for each further bit:",
            "",
            format_table([*header[:5], "slope", "low", "high"], slopes),
            "",
        ]
    return "\n".join([*parts, _reading(rows)])


def _reading(rows: Sequence[Row]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    found = curves(rows)
    parts = []
    for curve, points in found.items():
        exact = found.get(Curve("quantised", curve.event, "live product", "exact"), [])
        pairs = [(row, other) for row in exact for other in points if row.bits == other.bits]
        pairs = [pair for pair in pairs if all(math.isfinite(each.items) for each in pair)]
        if curve.model != "quantised" and pairs:
            apart = [row.items - other.items for row, other in pairs]
            above = sum(row.low > other.high for row, other in pairs)
            below = sum(row.high < other.low for row, other in pairs)
            parts.append(
                f"{_WORDS[curve.event]}, {_name(curve)}: {more(apart, 'items')} "
                f"(certainly more at {above}, certainly fewer at {below} of {len(pairs)} "
                "precisions)"
            )
    text = "Reading:"
    if parts:
        text += f" exactness on the grid, beside {'; '.join(parts)}."
    return " ".join([text, *_of_slopes(found)])


def _of_slopes(found: dict[Curve, list[Row]]) -> list[str]:
    """Is the price of exactness that of accuracy on the grid, or on that of products?

    All three over the same bits: curves bend.
    """
    told = []
    for event, words in _WORDS.items():
        known = [
            _seen(found.get(curve, []))
            for curve in (
                Curve("quantised", event, "live product", "exact"),
                Curve("subset sum", event, "product normal", "delta/2"),
                Curve("subset sum", event, "product normal", "delta^2/2"),
            )
        ]
        shared = set.intersection(*({row.bits for row in points} for points in known))
        slopes = [_slope([row for row in points if row.bits in shared]) for points in known]
        exact, coarse, fine = slopes
        if exact is None or coarse is None or fine is None:
            continue
        is_coarse, is_fine = (
            each.low <= exact.high and exact.low <= each.high for each in (coarse, fine)
        )
        verdict = {
            (False, True): "compatible with accuracy on the grid of products, δ², and not of δ",
            (True, False): "compatible with accuracy on the grid of δ, and not of δ²",
            (True, True): "compatible with either, as far as these limits tell",
            (False, False): "compatible with neither",
        }[is_coarse, is_fine]
        told.append(
            f"From k = {exact.first} to {exact.last} each further bit asks for {exact.items:.3g} "
            f"items for {words} exactly, for {coarse.items:.3g} within δ/2 and for "
            f"{fine.items:.3g} within δ²/2: the price of exactness is {verdict}."
        )
    return told


def _seen(points: Sequence[Row]) -> list[Row]:
    return [row for row in points if math.isfinite(row.high)]


def _slope(points: Sequence[Row]) -> Slope | None:
    """From the ends of a curve, as far as its limits are finite."""
    seen = _seen(points)
    if len(seen) < 2:
        return None
    first, last = seen[0], seen[-1]
    bits = last.bits - first.bits
    return Slope(
        (last.items - first.items) / bits,
        (last.low - first.high) / bits,
        (last.high - first.low) / bits,
        first.bits,
        last.bits,
    )


def _name(curve: Curve) -> str:
    if curve.model == "quantised":
        return "quantised, exact"
    accuracy = curve.accuracy.replace("delta", "δ").replace("^2", "²")
    if curve.model == "subset sum":
        law = curve.law.replace("product normal", "Gaussian products")
        return f"{law} within {accuracy}"
    return f"weight pruning, d = 1, within {accuracy}"
