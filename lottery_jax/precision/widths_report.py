"""What the study of widths says: figure and text."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lottery_jax.precision.widths_rows import PROBABILITIES, Row, chosen
from lottery_jax.report.tables import format_cell, format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = (
    ("one", "one random weight, one sign half"),
    ("all", "all weights of the grid at once, one sign half"),
    ("layer", "a whole layer, both halves of every weight"),
)


def draw(rows: Sequence[Row]) -> "Axes":
    """Units against bits for one weight, all weights and a layer; and how rare products are.

    Returns the first axis.
    """
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(12.0, 9.5).figure
    figure.clear()
    axes = figure.subplots(2, 2)  # pyright: ignore[reportAttributeAccessIssue]
    for ax, (event, title) in zip(axes.flat, _PANELS, strict=False):
        _draw_event(figures, ax, rows, event)
        dims = sorted({row.dim for row in chosen(rows, event, "product")} - {0})
        sizes = ", ".join(f"{dim} x {dim}" for dim in dims)
        ax.set_title(f"{title} ({sizes})" if dims else title, fontsize="medium")
        ax.set_xlabel("bits k = log2(1/δ)")
        ax.set_ylabel("units n per input and sign, before pruning")
        ax.set_ylim(0, 1.3 * _top(rows))  # room for the legend
        ax.set_xlim(min(row.bits for row in rows) - 0.3, max(row.bits for row in rows) + 0.3)
        ax.set_xticks(sorted({row.bits for row in rows}))
    last = axes[1, 1]
    points = sorted({(row.bits, row.share, row.acceptance) for row in rows})
    bits = [point[0] for point in points]
    for number, (place, name, line) in enumerate(
        (
            (1, "points of the δ² grid of [0, 1] that are products", "-"),
            (2, "products kept by rejection to uniform on their own values", "--"),
        )
    ):
        style = {"color": figures.COLOURS[number], "marker": figures.MARKERS[number], "ms": 5}
        last.plot(bits, [point[place] for point in points], line, label=name, **style)
    last.set_xlabel("bits k = log2(1/δ)")
    last.set_ylabel("share")
    last.set_ylim(0, 1)
    last.set_xlim(axes[0, 0].get_xlim())
    last.set_xticks(axes[0, 0].get_xticks())
    last.set_title(
        "products of two grid weights fall short of the δ² grid (exact)", fontsize="medium"
    )
    for ax in axes.flat:
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="x-small", frameon=False)
    confidence = 100 * rows[0].confidence
    figure.suptitle(  # pyright: ignore[reportAttributeAccessIssue]
        f"Random units that represent quantised weights exactly (bands and bars: {confidence:g} % "
        "exact limits; arrows: open above)",
        fontsize="medium",
    )
    return axes[0, 0]


def _draw_event(figures, ax, rows: Sequence[Row], event: str) -> None:
    for number, probability in enumerate(PROBABILITIES):
        colour, marker = figures.COLOURS[number], figures.MARKERS[number]
        points = chosen(rows, event, "product", probability)
        seen = [row for row in points if math.isfinite(row.high)]
        bits = [row.bits for row in seen]
        low, high = [row.low for row in seen], [row.high for row in seen]
        ax.fill_between(bits, low, high, color=colour, alpha=0.2, lw=0)
        label = f"products, {100 * probability:g} % success"
        style = {"marker": marker, "ms": 5, "color": colour}
        ax.plot(bits, [row.width for row in seen], label=label if seen else None, **style)
        _draw_open(ax, points, colour, label=None if seen else f"{label} (no upper limit)")
        control = chosen(rows, event, "uniform", probability)
        for row in (*points, *control):
            if math.isfinite(row.high):
                ax.plot([row.bits] * 2, [row.low, row.high], color=colour, lw=1)
        if control:
            shown = [row for row in control if math.isfinite(row.width)]
            x, y = [row.bits for row in shown], [row.width for row in shown]
            label = f"uniform items (control), {100 * probability:g} %"
            ax.plot(x, y, ls=":", fillstyle="none", label=label if shown else None, **style)
            open_label = None if shown else f"{label} (no upper limit)"
            _draw_open(ax, control, colour, label=open_label)
    middle = chosen(rows, event, "product", 0.9)
    bits = [row.bits for row in middle]
    subsets = [row for row in middle if row.subsets is not None]
    if subsets:
        y = [row.subsets for row in subsets]
        x = [row.bits for row in subsets]
        ax.plot(x, y, "--.", color="black", lw=1, ms=4, label="no less: subset sums counted, 90 %")
    y = [row.masks for row in middle]
    ax.plot(bits, y, "-..", color="grey", lw=1, ms=4, label="no less: masks counted (paper), 90 %")


def _draw_open(ax, points: Sequence[Row], colour: str, *, label: str | None) -> None:
    """An arrow from the lower limit where there is no upper one."""
    unbounded = [row for row in points if not math.isfinite(row.high)]
    if unbounded:
        at = [row.bits for row in unbounded], [row.low for row in unbounded]
        ax.plot(*at, marker=r"$\uparrow$", ms=9, ls="none", color=colour, label=label)


def _top(rows: Sequence[Row]) -> float:
    return max(row.high if math.isfinite(row.high) else row.low for row in rows)


def describe(rows: Sequence[Row]) -> str:
    """The widths with their limits, and what they say."""
    header = ["event", "items", "d", "k", "success", "n", "low", "high", "trials"]
    header += ["subsets", "masks", "independent"]
    cells = []
    for row in sorted(rows, key=lambda row: (row.event, row.law, row.dim, row.bits)):
        apart = ""
        if row.independent_low is not None and row.independent_high is not None:
            apart = f"{row.independent_low:g} to {format_cell(float(row.independent_high))}"
        cells.append(
            [
                *(row.event, row.law, row.dim or None, row.bits, row.probability),
                *(row.width, row.low, row.high, row.trials, row.subsets, row.masks, apart),
            ]
        )
    shares = [
        [row.bits, row.share, row.acceptance]
        for row in {row.bits: row for row in sorted(rows, key=lambda row: row.bits)}.values()
    ]
    first = rows[0]
    return "\n".join(
        [
            "Units n for each input and sign, before pruning, at which a share of the random",
            f"networks represents a weight, all weights, or a layer exactly ({first.cap} units "
            "drawn,",
            f"{100 * first.confidence:g} % exact limits of each number, open: above all units "
            "drawn). subsets and",
            "masks: no fewer can do, by counting; independent: for independent halves.",
            "",
            format_table(header, cells),
            "",
            "Products of two weights: the share of the points of the delta^2 grid of [0, 1] that",
            "they reach, and the rate at which rejection keeps them for a uniform law on these:",
            "",
            format_table(["k", "share", "rejection keeps"], shares),
            "",
            _reading(rows),
        ]
    )


def _reading(rows: Sequence[Row]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    parts = [_of_all(rows), _of_one(rows), _of_control(rows), _of_layers(rows), _of_bounds(rows)]
    # The rows of one experiment share its draws: the most of them, and not their sum.
    undecided: dict[tuple, int] = {}
    for row in rows:
        experiment = row.event == "layer", row.law, row.dim, row.bits
        undecided[experiment] = max(row.undecided, undecided.get(experiment, 0))
    some = [number for number in undecided.values() if number]
    if some:
        parts.append(
            f"At most {max(some)} draws of one setting are undecided at some number of units, "
            f"because sums left the range of the set, at {len(some)} of {len(undecided)} settings."
        )
    else:
        parts.append("No draws are undecided because sums left the range of the set.")
    return "Reading: " + " ".join(part for part in parts if part)


def _of_all(rows: Sequence[Row]) -> str:
    points = chosen(rows, "all", "product", 0.9)
    if not points:
        return ""
    widths = ", ".join(f"{_width(row)} at k = {row.bits}" for row in points)
    return f"For all weights at once, 90 % success needs n = {widths}."


def _of_one(rows: Sequence[Row]) -> str:
    pairs = _pairs(chosen(rows, "one", "product"), chosen(rows, "all", "product"))
    pairs = [(one, every) for one, every in pairs if one.probability == 0.9]
    if not pairs:
        return ""
    apart = more([every.width - one.width for one, every in pairs], "units")
    return f"All weights need {apart} than one random weight at 90 %."


def _of_control(rows: Sequence[Row]) -> str:
    pairs = [
        pair
        for event in ("one", "all")
        for pair in _pairs(chosen(rows, event, "product"), chosen(rows, event, "uniform"))
    ]
    if not pairs:
        return ""
    fewer = sum(control.high < product.low for product, control in pairs)
    over = sum(control.low > product.high for product, control in pairs)
    apart = more([product.width - control.width for product, control in pairs], "units")
    return (
        f"Items uniform on the finer grid, which products are not, need certainly fewer units at "
        f"{fewer} and certainly more at {over} of {len(pairs)} settings; products need "
        f"{apart}."
    )


def _of_layers(rows: Sequence[Row]) -> str:
    layers = [row for row in chosen(rows, "layer", "product") if row.independent_low is not None]
    if not layers:
        return ""
    below = sum(row.high < (row.independent_low or 0) for row in layers)
    above = sum(row.low > (row.independent_high or math.inf) for row in layers)
    return (
        "A layer's sums share the units of their input, and both halves of a weight its value: its "
        f"widths are certainly below those of as many independent halves at {below} and certainly "
        f"above at {above} of {len(layers)} settings."
    )


def _of_bounds(rows: Sequence[Row]) -> str:
    points = [row for row in rows if row.law == "product" and math.isfinite(row.width)]
    if not points:
        return ""
    masks = [row.width / row.masks for row in points]
    text = (
        f"Counting masks asks for {_range([row.masks for row in points], '.3g')} units; measured "
        f"are {_range(masks, '.3g')} times as many."
    )
    subsets = [row.width / row.subsets for row in points if row.subsets]
    if subsets:
        text += (
            f" Against the count of subset sums, which knows that half of the units are pruned, "
            f"they are {_range(subsets, '.3g')} times as many."
        )
    return text


def _pairs(first: Sequence[Row], second: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows of two curves at the same bits and probability, both below the cap."""
    others = {(row.bits, row.probability): row for row in second}
    return [
        (row, others[row.bits, row.probability])
        for row in first
        if (row.bits, row.probability) in others
        and math.isfinite(row.width)
        and math.isfinite(others[row.bits, row.probability].width)
    ]


def more(values: Sequence[float], what: str) -> str:
    """Differences in words: "1 to 3 units more", "from 1 fewer to 3 more units".

    Examples
    --------
    >>> more([4.0, 4.0], "units"), more([-1.0, 2.0], "units")
    ('4 units more', 'from 1 fewer to 2 more units')
    """
    least, most = min(values), max(values)
    if least < 0 <= most:
        return f"from {-least:g} fewer to {most:g} more {what}"
    return f"{_range([abs(each) for each in values])} {what} {'fewer' if most < 0 else 'more'}"


def _range(values: Sequence[float], form: str = "g") -> str:
    """From the least to the most, or the one number where both read the same."""
    least, most = format(min(values), form), format(max(values), form)
    return least if least == most else f"{least} to {most}"


def _width(row: Row) -> str:
    high = f"{row.high:g}" if math.isfinite(row.high) else "open"
    width = f"{row.width:g}" if math.isfinite(row.width) else f"> {row.cap}"
    return f"{width} [{row.low:g}, {high}]"
