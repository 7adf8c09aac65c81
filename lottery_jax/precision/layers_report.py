"""What the study of whole networks says: figure and text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lottery_jax.precision.layers_rows import Row, curves
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(rows: Sequence[Row]) -> "Axes":
    """The share of exact networks against units, and against parameters for each weight.

    Returns the left axis.
    """
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(12.0, 6.0).figure
    figure.clear()
    left, right = figure.subplots(1, 2)  # pyright: ignore[reportAttributeAccessIssue]
    for number, (shape, points) in enumerate(curves(rows).items()):
        colour = figures.COLOURS[number % len(figures.COLOURS)]
        marker = figures.MARKERS[number % len(figures.MARKERS)]
        label = f"{shape.construction}, l = {points[0].num_layers} ({shape.widths})"
        line = "-" if shape.construction == "depth 2l" else "--"
        for ax, name in ((left, "units"), (right, "per_weight")):
            x = [getattr(row, name) for row in points]
            for place, row in zip(x, points, strict=True):
                if row.equal:
                    ax.plot([place] * 2, [row.low, row.high], color=colour, lw=1)
                else:
                    ax.plot(place, row.high, marker=r"$\downarrow$", ms=9, color=colour, zorder=5)
            seen = [(place, row) for place, row in zip(x, points, strict=True) if row.equal]
            at = [place for place, _ in seen]
            style = {"color": colour, "marker": marker, "ms": 5}
            ax.plot(at, [row.equal / row.trials for _, row in seen], line, label=label, **style)
            _draw_served(ax, x, points, style)
    left.set_xlabel("units n per input and sign, before pruning\n(depth l + 1: copies grow with n)")
    right.set_xlabel("parameters of the random network for each weight of the target")
    right.set_xscale("log")
    right.minorticks_off()
    right.set_xticks(*_ticks([row.per_weight for row in rows]))
    drawn = [row for points in curves(rows).values() for row in points] or list(rows)
    trials = sorted({row.trials for row in drawn})
    some = drawn[0]
    for ax in (left, right):
        ax.plot([], [], ":o", fillstyle="none", color="grey", lw=1, ms=5, label=_SERVED)
        ax.set_ylabel("share of random networks")
        ax.set_ylim(-0.03, 1.02)
        ax.grid(True, alpha=0.3)
    handles = right.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    figure.suptitle(  # pyright: ignore[reportAttributeAccessIssue]
        f"Equal to a {some.bits}-bit target at every input of the grid after pruning "
        f"({' or '.join(map(str, trials))} networks each, sizes of a curve share draws)\n"
        f"bars: {100 * some.confidence:g} % exact limits; upper limits where there was none: "
        "arrows for equal networks, double arrows for exact subset sums",
        fontsize="medium",
    )
    return left


def _draw_served(ax, at: Sequence, points: Sequence[Row], style: dict) -> None:
    """Hollow points with dotted bars; a double arrow at the upper limit where none is served."""
    seen = [(place, row) for place, row in zip(at, points, strict=True) if row.served]
    shares = [row.served / row.trials for _, row in seen]
    ax.plot([place for place, _ in seen], shares, ":", fillstyle="none", lw=1, **style)
    for place, row in zip(at, points, strict=True):
        if row.served:
            ends = [row.served_low, row.served_high]
            ax.plot([place] * 2, ends, ":", color=style["color"], lw=1)
        else:
            limit = {"color": style["color"], "ls": "none", "ms": 13, "mew": 0.3}
            ax.plot(place, row.served_high, marker=r"$\Downarrow$", **limit)


_SERVED = "every weight an exact subset sum (all curves)"


def _ticks(values: Sequence[float]) -> tuple[list[float], list[str]]:
    """1, 2, 5, 10, ... within the range of the values, and as text."""
    steps = [digit * 10.0**power for power in range(7) for digit in (1, 2, 5)]
    inside = [step for step in steps if min(values) / 2 <= step <= 2 * max(values)]
    return inside, [f"{step:g}" for step in inside]


def describe(rows: Sequence[Row]) -> str:
    """Every size with its shares, and what they say."""
    header = ["construction", "target", "k", "γ bits", "n", "c", "parameters", "per weight"]
    header += ["inputs", "all", "networks", "equal", "low", "high", "served", "broken"]
    cells = [
        [
            *(row.construction, row.widths, row.bits, row.input_bits, row.units, row.copies),
            *(row.parameters, row.per_weight, row.inputs, row.is_whole_grid, row.trials),
            *(row.equal, row.low, row.high, row.served, row.broken),
        ]
        for row in rows
    ]
    return "\n".join(
        [
            "Random networks, pruned, beside quantised targets of random weights: how many are",
            "equal at every input compared (inputs; all: the whole grid), how many have every",
            "weight served by an exact subset sum, and how many of these are broken: not equal.",
            f"Limits of the share of equal ones: {100 * rows[0].confidence:g} %, exact.",
            "",
            format_table(header, cells),
            "",
            _reading(rows),
        ]
    )


def _reading(rows: Sequence[Row]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    broken, served = sum(row.broken for row in rows), sum(row.served for row in rows)
    whole = [row for row in rows if row.is_whole_grid == "yes"]
    sampled = [row for row in rows if row.is_whole_grid != "yes"]
    text = (
        f"Reading: of {served} pruned networks (sizes share draws) with every weight served, "
        f"{broken} {'differs' if broken == 1 else 'differ'} from the target before the last "
        "rounding at some input."
    )
    if whole:
        text += (
            f" Whole grids are compared in {len(whole)} of {len(rows)} rows, with up to "
            f"{max(row.inputs for row in whole)} inputs: there {_lucky(whole)} more networks are "
            "equal although some weight is not served: it belongs to what is never active, never "
            "used, or rounded away."
        )
    if sampled:
        text += (
            f" Corners and random inputs stand for it in {len(sampled)} of {len(rows)}, up to "
            f"{max(row.inputs for row in sampled)} of them: there {_lucky(sampled)} more networks "
            "show no difference although some weight is not served."
        )
    half = {
        shape: next((row for row in points if 2 * row.equal >= row.trials), None)
        for shape, points in curves(rows).items()
    }
    told = [
        f"{shape.construction}, {shape.widths}: "
        f"{'above the sizes built' if row is None else f'{row.per_weight:.3g}'}"
        for shape, row in half.items()
    ]
    if told:
        text += (
            " Parameters for each weight of the target at the first size where half of the "
            f"networks are equal: {'; '.join(told)}."
        )
    ratios = [
        row.per_weight / other.per_weight
        for shape, row in half.items()
        for other in [half.get(shape._replace(construction="depth 2l"))]
        if shape.construction == "depth l + 1" and row is not None and other is not None
    ]
    if ratios:
        least, most = f"{min(ratios):.2g}", f"{max(ratios):.2g}"
        text += (
            f" Depth l + 1 asks for {least if least == most else f'{least} to {most}'} times as "
            "many parameters as depth 2l."
        )
    return text


def _lucky(rows: Sequence[Row]) -> int:
    return sum(row.equal - row.served for row in rows)
