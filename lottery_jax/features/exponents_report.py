"""The figure and the table of samples needed, the exponents, and the paragraph that reads them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lottery_jax.features.error_report import student
from lottery_jax.features.exponents_rows import Row
from lottery_jax.report.fits import Slope, fit_exponent
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONFIDENCE = 0.95  # of limits of a mean place, and of an exponent
_METHODS = ("pruned", "dense")


class Point(NamedTuple):
    """The samples needed in one dimension: the geometric mean over the seeds, with its limits."""

    dim: int
    places: tuple[float, ...]  # of the seeds inside the grid
    open: int  # seeds whose place lies outside of the grid
    value: float
    low: float
    high: float


class Curve(NamedTuple):
    """One method and level: its points, and the exponent through those without open seeds."""

    method: str
    what: str
    level: float
    points: tuple[Point, ...]
    exponent: Slope | None
    expected: float  # by theory, up to logarithms


def curves(rows: Sequence[Row]) -> list[Curve]:
    """By level, pruned before dense.

    Limits of a point are Student's, from the spread of log n over the seeds. The line weights them
    as if they were normal ones, which for few seeds makes its limits too wide, and widens its
    limits where points lie further from it than theirs allow.
    """
    found = []
    for what, level in levels(rows):
        for method in _METHODS:
            chosen = [r for r in rows if (r.what, r.level, r.method) == (what, level, method)]
            if chosen:
                found.append(_curve(method, what, level, chosen))
    return found


def levels(rows: Sequence[Row]) -> list[tuple[str, float]]:
    """Errors from the highest level on, then recall."""
    return sorted({(row.what, row.level) for row in rows}, key=lambda each: (each[0], -each[1]))


def draw(rows: Sequence[Row]) -> "Axes":
    """Samples needed against d, a panel for each level. Returns the first axis."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    panels = levels(rows)
    figure = figures.new_axis(4.6 * len(panels) + 0.4, 4.9).figure
    figure.clear()
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))  # pyright: ignore[reportAttributeAccessIssue]
    dims = sorted({row.dim for row in rows})
    found = curves(rows)
    for ax, (what, level) in zip(axes, panels, strict=True):
        for curve in found:
            if (curve.what, curve.level) == (what, level):
                _draw_curve(ax, figures, curve)
        lowest = [p.value for c in found for p in c.points if p.dim == dims[0] and c.what == what]
        if lowest:
            power = rows[0].degree / 2
            start = min(lowest) / 4
            bound = [start * (dim / dims[0]) ** power for dim in dims]
            label = f"d^{power:g}: CSQ bound, constant free"
            ax.plot(dims, bound, "--", color="black", lw=1, label=label)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(dims, [f"{dim}" for dim in dims])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("inputs d, of which s = √d matter")
        ax.set_title(_told(what, level), fontsize="medium")
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="small", frameon=False, loc="upper left")
    bottom, top = axes[0].get_ylim()
    axes[0].set_ylim(bottom, top * 6)  # room for the legends
    axes[0].set_ylabel("samples n")
    first = rows[0]
    title = (
        f"samples needed by networks of {first.neurons} neurons after one gradient step and ridge "
        f"regression; information exponent {first.degree}, M = s, c = {first.shift:g}\npoints: "
        f"geometric means of {_num_seeds(rows)} seeds with {100 * CONFIDENCE:g} % limits; dots: "
        "the seeds; lines: fitted powers of d"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return axes[0]


def describe(rows: Sequence[Row]) -> str:
    """Tables of samples and of exponents, and what they say."""
    found = curves(rows)
    dims = sorted({row.dim for row in rows})
    header = ["network", "level", *(f"d = {dim}" for dim in dims), "exponent", "theory"]
    cells = []
    for curve in found:
        by = {point.dim: point for point in curve.points}
        cells.append(
            [
                curve.method,
                _told(curve.what, curve.level),
                *(_point(by.get(dim)) for dim in dims),
                str(curve.exponent) if curve.exponent else "none",
                curve.expected,
            ]
        )
    first = rows[0]
    return "\n".join(
        [
            f"Samples needed, geometric mean of {_num_seeds(rows)} seeds and {100 * CONFIDENCE:g} "
            f"% limits; s = sqrt(d), M = s, c = {first.shift:g},\n{first.neurons} neurons. "
            "Theory's powers hold up to logarithms; + marks a dimension in which some seed\nleaves "
            "the grid, which no line uses:",
            "",
            format_table(header, cells),
            "",
            _reading(found),
        ]
    )


def _reading(found: Sequence[Curve]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    said = []
    for curve in found:
        name = f"{curve.method} ({_told(curve.what, curve.level)})"
        if curve.exponent is None:
            said.append(f"For {name} fewer than two dimensions have all seeds inside their grids.")
            continue
        used = [point.dim for point in curve.points if not point.open]
        holds = curve.exponent.low <= curve.expected <= curve.exponent.high
        side = "above" if curve.exponent.low > curve.expected else "below"
        said.append(
            f"For {name} n grows like d to the power {curve.exponent} between d = {used[0]} and "
            f"{used[-1]}, a factor {used[-1] / used[0]:.3g}; "
            + (
                f"the limits hold theory's {curve.expected:g}."
                if holds
                else f"the limits lie {side} theory's {curve.expected:g}, by "
                f"{abs(curve.exponent.value - curve.expected):.2g} at the estimate."
            )
        )
    by = {(curve.method, curve.what, curve.level): curve.exponent for curve in found}
    for (method, what, level), slope in by.items():
        other = by.get(("dense", what, level))
        if method != "pruned" or slope is None or other is None:
            continue
        apart = "apart" if slope.high < other.low else "not told apart"
        said.append(f"At {_told(what, level)} the two exponents are {apart} by their limits.")
    return " ".join(said)


def _curve(method: str, what: str, level: float, rows: Sequence[Row]) -> Curve:
    points = tuple(
        _one_point([row for row in rows if row.dim == dim])
        for dim in sorted({row.dim for row in rows})
    )
    used = [point for point in points if not point.open and np.isfinite(point.high)]
    exponent = None
    if len(used) > 1:
        exponent = fit_exponent(
            [1 / point.dim for point in used],
            [point.value for point in used],
            [point.low for point in used],
            [point.high for point in used],
            confidence=CONFIDENCE,
        )
    degree = rows[0].degree
    return Curve(method, what, level, points, exponent, degree / (2 if method == "pruned" else 1))


def _one_point(rows: Sequence[Row]) -> Point:
    places = [row.crossing for row in rows if row.crossing is not None]
    if not places:
        return Point(rows[0].dim, (), len(rows), np.nan, -np.inf, np.inf)
    logs = np.log(np.array(places, np.float64))
    low, high = student(logs, CONFIDENCE)
    ends = float(np.exp(low)), float(np.exp(min(high, 700.0))) if high < np.inf else np.inf
    value = float(np.exp(logs.mean()))
    return Point(rows[0].dim, tuple(places), len(rows) - len(places), value, *ends)


def _draw_curve(ax, figures, curve: Curve) -> None:
    number = _METHODS.index(curve.method)
    colour, marker = figures.COLOURS[number], figures.MARKERS[number]
    used = [point for point in curve.points if not point.open]
    for point in curve.points:
        shown = [point.dim] * len(point.places), point.places
        ax.plot(*shown, ".", color=colour, alpha=0.35, ms=4)
    means = [point.value for point in used]
    ends = [[p.value - p.low, min(p.high, 1e3 * p.value) - p.value] for p in used]
    label = f"{curve.method}: d^{curve.exponent}" if curve.exponent else curve.method
    style = {"color": colour, "marker": marker, "ls": "none", "ms": 5, "capsize": 3}
    if used:
        dims = np.array([point.dim for point in used], np.float64)
        ax.errorbar(dims, means, np.transpose(ends), label=label, **style)
        if curve.exponent:
            weights = [1 / np.log(p.high / p.low) ** 2 for p in used]
            height = np.average(
                np.log(means) - curve.exponent.value * np.log(dims), weights=weights
            )
            ax.plot(dims, np.exp(height) * dims**curve.exponent.value, color=colour, lw=1)


def _point(point: Point | None) -> str:
    if point is None:
        return ""
    if not point.places:
        return "+"
    mark = "+" if point.open else ""
    return f"{point.value:.0f} [{point.low:.0f}, {point.high:.0f}]{mark}"


def _told(what: str, level: float) -> str:
    return f"test error {level:g}" if what == "error" else f"recall {level:g} beyond chance"


def _num_seeds(rows: Sequence[Row]) -> int:
    return len({row.seed for row in rows})
