"""Figures. Every function takes a matplotlib axis, or makes one, and returns it; no global style.

The only importer of matplotlib. Colours are those of Okabe and Ito and a grey, told apart by
markers as well.
"""

import math
import os
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from lottery_jax.report.items import ItemsRow
from lottery_jax.report.tables import WidthRow

COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#56B4E9", "#E69F00", "#000000", "#999999"),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def new_axis(width: float = 7.0, height: float = 5.0) -> Axes:
    """An axis on a figure of its own, in inches; works without a display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot()


def save(ax: Axes, path: str | os.PathLike) -> None:
    """Write the figure of an axis; the ending of `path` gives the format."""
    ax.figure.savefig(path, dpi=150)  # type: ignore[union-attr]


def success_curve(ax: Axes | None, estimates, *, label: str | None = None) -> Axes:
    """Success probability against epsilon with its limits as a band.

    Where no draw succeeded the point is an upper limit, drawn as an arrow at that limit.

    Parameters
    ----------
    ax
        Where to draw; None makes a new figure.
    estimates
        `lottery_jax.Estimates`.
    label
        Name in the legend; by default the experiment, its draws and its settings.
    """
    ax = axis_of(ax)
    number = len(ax.get_legend_handles_labels()[0])  # of curves on the axis so far
    order = np.argsort(estimates.epsilons)
    epsilons, low, high = (
        np.asarray(each)[order] for each in (estimates.epsilons, estimates.low, estimates.high)
    )
    hits, probability = estimates.hits[order], estimates.probability[order]
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    settings = ", ".join(f"{name}={value}" for name, value in estimates.settings)
    side = "" if estimates.bound == "exact" else f" ({estimates.bound} bound)"
    label = label or f"{estimates.name}{side}, {estimates.trials} draws\n{settings}"
    has_hits = hits > 0
    if has_hits.any():
        seen = epsilons[has_hits], probability[has_hits]
        ax.fill_between(epsilons, low, high, where=has_hits, color=colour, alpha=0.2, linewidth=0)
        ax.plot(*seen, color=colour, marker=marker, ms=4, label=label)
    if not has_hits.all():
        unseen = epsilons[~has_hits], high[~has_hits]
        only = None if has_hits.any() else label
        ax.plot(*unseen, color=colour, marker=r"$\downarrow$", ms=9, ls="none", label=only)
    ax.set_xscale("log")
    ax.set_ylim(0, 1)
    _plain_ticks(ax.xaxis)
    ax.set_xlabel("accuracy ε")
    ax.set_ylabel("probability of success")
    limits = f"{100 * estimates.confidence:g} % {estimates.limits} limits"
    ax.set_title(f"bands: {limits}; the points of a curve share draws", fontsize="small")
    ax.legend(fontsize="small", frameon=False)
    return ax


def width_curves(ax: Axes | None, rows: Sequence[WidthRow]) -> Axes:
    """Width needed against 1/epsilon, both on log axes, one curve per kind of pruning.

    Confidence limits are bands; a width that lies above all widths tried is an arrow at the highest
    lower limit. Points of one curve come from independent draws.

    Parameters
    ----------
    ax
        Where to draw; None makes a new figure.
    rows
        As in gap.csv. The radius enters as epsilon / radius.
    """
    ax = axis_of(ax)
    for number, curve in enumerate(sorted({row.curve for row in rows})):
        points = sorted(
            (row for row in rows if row.curve == curve), key=lambda row: -row.epsilon / row.radius
        )
        x = np.array([row.radius / row.epsilon for row in points])
        low = np.array([row.width_low for row in points])
        width, high = (
            np.array([math.nan if math.isinf(each) else each for each in column])
            for column in ([row.width for row in points], [row.width_high for row in points])
        )
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        style = "-" if points[0].pruning == "neuron" else "--"
        ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(x, width, style, color=colour, marker=marker, ms=4, label=_curve_label(points[0]))
        is_open = np.isnan(high)
        if is_open.any():
            ax.plot(x[is_open], low[is_open], marker=r"$\uparrow$", ms=9, ls="none", color=colour)
    ax.set_xscale("log")
    ax.set_yscale("log")
    _plain_ticks(ax.yaxis)
    ax.set_xlabel("inverse accuracy R/ε")
    probabilities = sorted({row.probability for row in rows})
    chance = ", ".join(f"{100 * probability:g} %" for probability in probabilities)
    ax.set_ylabel(f"neurons before pruning for success in {chance} of the draws")
    ax.grid(True, which="major", alpha=0.3)
    ax.legend(fontsize="small", frameon=False)
    return ax


def width_panels(rows: Sequence[WidthRow]) -> Axes:
    """Width needed against 1/epsilon, a panel for each dimension, a curve for each number kept.

    All rows are of one kind of pruning and output. Returns the first axis.
    """
    dims = sorted({row.dim for row in rows})
    figure = new_axis(4.0 * len(dims) + 1, 4.5).figure
    figure.clear()
    axes = np.atleast_1d(figure.subplots(1, len(dims), sharey=True))  # type: ignore[union-attr]
    numbers = sorted({row.max_kept or math.inf for row in rows})
    for ax, dim in zip(axes, dims, strict=True):
        for number, kept in enumerate(numbers):
            points = [r for r in rows if r.dim == dim and (r.max_kept or math.inf) == kept]
            if not points:
                continue
            points.sort(key=lambda row: -row.epsilon / row.radius)
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            x = [row.radius / row.epsilon for row in points]
            low, high = ([getattr(r, name) for r in points] for name in ("width_low", "width_high"))
            finite = [
                end if math.isfinite(end) else start for start, end in zip(low, high, strict=True)
            ]
            ax.fill_between(x, low, finite, color=colour, alpha=0.2, linewidth=0)
            width = [row.width if math.isfinite(row.width) else math.nan for row in points]
            label = f"at most {kept} kept" if math.isfinite(kept) else "any number kept"
            ax.plot(x, width, color=colour, marker=marker, ms=4, label=label)
        ax.set_xscale("log")
        ax.set_yscale("log")
        for axis in (ax.xaxis, ax.yaxis):
            _plain_ticks(axis)
        ax.set_xlabel("inverse accuracy R/ε")
        ax.set_title(f"d = {dim}", fontsize="medium")
        ax.grid(True, which="major", alpha=0.3)
        ax.legend(fontsize="small", frameon=False)
    axes[0].set_ylabel("neurons before pruning, half of the draws succeed")
    return axes[0]


def item_curves(rows: Sequence[ItemsRow]) -> Axes:
    """Items at a share of 1/2 against log2(1/epsilon): numbers left, vectors right, by coordinate.

    Returns the left axis.
    """
    figure = new_axis(11.0, 5.0).figure
    figure.clear()
    axes = figure.subplots(1, 2)  # type: ignore[union-attr]
    styles = {"target": "-", "interval": "--", "cube": "--"}
    medians = [row for row in rows if row.probability == 0.5 and math.isfinite(row.place_high)]
    for ax, is_vector in zip(axes, (False, True), strict=True):
        chosen = [row for row in medians if bool(row.dim) == is_vector]
        kinds = list(dict.fromkeys(row.dim if is_vector else row.law for row in chosen))
        for curve in dict.fromkeys(row.curve for row in chosen):
            event, law, dim = curve
            points = sorted((row for row in chosen if row.curve == curve), key=lambda r: -r.epsilon)
            number = kinds.index(dim if is_vector else law)
            colour, marker = (each[number % len(each)] for each in (COLOURS, MARKERS))
            x = [math.log2(1 / row.epsilon) for row in points]
            y, low, high = (
                [getattr(row, name) / max(dim, 1) for row in points]
                for name in ("place", "place_low", "place_high")
            )
            ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            label = f"{event}, d = {dim}" if dim else f"{event}, {law.replace('_', ' ')}"
            ax.plot(x, y, styles[event], color=colour, marker=marker, ms=4, label=label)
        ends = [math.log2(1 / row.epsilon) for row in chosen]
        if ends:
            least = [min(ends), max(ends)]
            shift = 0 if is_vector else -1
            ax.plot(
                least,
                [end + shift for end in least],
                ":",
                color="black",
                label="counting, all targets",
            )
            ax.legend(fontsize="small", frameon=False)
        ax.set_xlabel("bits of accuracy, log2(1/ε)")
        ax.set_ylabel("items per coordinate" if is_vector else "items")
        ax.grid(True, alpha=0.3)
    axes[0].set_title("numbers, targets in [-1/2, 1/2]", fontsize="medium")
    axes[1].set_title("Gaussian vectors, targets in [-1, 1]^d, max norm", fontsize="medium")
    figure.suptitle(  # type: ignore[union-attr]
        "Items whose subset sums serve one target, or all, in half of the draws", fontsize="medium"
    )
    return axes[0]


def _curve_label(row: WidthRow) -> str:
    kept = "" if (row.pruning, row.output) == ("weight", "relu") else ", any number kept"
    if row.max_kept is not None:
        kept = f", at most {row.max_kept} kept"
    side = f" ({row.one_sided} bound)" if row.one_sided else ""
    return f"{row.pruning} pruning, {row.output} output, d = {row.dim}{kept}{side}"


def _plain_ticks(axis: Axis) -> None:
    """1, 2, 5, 10, ... instead of powers of ten, for an axis that spans a few decades."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def axis_of(ax: Axes | None) -> Axes:
    """The axis given, or one on a figure of its own, which a notebook shows."""
    if ax is not None:
        return ax
    if "inline" in matplotlib.get_backend():  # a notebook shows what pyplot knows
        import matplotlib.pyplot as plt

        return plt.subplots(figsize=(7, 5), layout="constrained")[1]
    return new_axis()
