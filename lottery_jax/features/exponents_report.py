"""The figure and the table of samples needed, the exponents, and the paragraph that reads them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lottery_jax.features.exponents_rows import Row
from lottery_jax.features.seeds import mean_over
from lottery_jax.report.fits import Line, fit_line
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONFIDENCE = 0.95  # of limits of a mean place, and of an exponent
_METHODS = ("pruned", "dense")


class Point(NamedTuple):
    """The samples needed in one dimension: the geometric mean over the seeds, with its limits.

    Where a seed lies outside of the grid, that over the others would be biased, and is not told.
    """

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
    line: Line | None  # of log n against log d
    expected: float  # slope by theory, up to logarithms
    other: float  # slope by the theory of the other method


def curves(rows: Sequence[Row]) -> list[Curve]:
    """By level, pruned before dense.

    Dimensions have draws of their own, so that their points are independent. Limits of a point are
    Student's, from the spread of log n over the seeds. The line weights them as if they were normal
    ones, which for few seeds makes its limits too wide, and widens its limits where points lie
    further from it than theirs allow.
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
        power = rows[0].degree / 2
        label = f"d^{power:g}: CSQ bound, here with the constant 1"
        ax.plot(dims, [dim**power for dim in dims], "--", color="black", lw=1, label=label)
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
        f"geometric means of {_num_seeds(rows)} seeds with {100 * CONFIDENCE:g} % limits, each d "
        "with draws of its own; dots: the seeds; lines: fitted powers of d"
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
                str(curve.line.slope) if curve.line else "none",
                curve.expected,
            ]
        )
    first = rows[0]
    return "\n".join(
        [
            f"Samples needed, geometric mean of {_num_seeds(rows)} seeds and {100 * CONFIDENCE:g} "
            f"% limits; s = sqrt(d), M = s, c = {first.shift:g},\n{first.neurons} neurons. "
            "Theory's powers hold up to logarithms. Draws of different d are independent. Where a "
            "seed\nleaves the grid, the number of those inside is told, no mean is, and no line "
            "uses this d:",
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
        name = f"{curve.method} networks ({_told(curve.what, curve.level)})"
        if curve.line is None:
            said.append(f"For {name} no power is fitted: {_why_none(curve)}.")
            continue
        used = [point.dim for point in curve.points if _is_usable(point)]
        said.append(
            f"For {name} n grows like d to the power {curve.line.slope} between d = {used[0]} and "
            f"{used[-1]}, a factor {used[-1] / used[0]:.3g}; {_verdict(curve)}."
        )
    by = {(curve.method, curve.what, curve.level): curve.line for curve in found}
    for (method, what, level), line in by.items():
        other = by.get(("dense", what, level))
        if method != "pruned" or line is None or other is None:
            continue
        apart = "apart" if line.slope.high < other.slope.low else "not told apart"
        said.append(f"At {_told(what, level)} the two exponents are {apart} by their limits.")
    return " ".join(said)


def _verdict(curve: Curve) -> str:
    """What the limits of the exponent say of theory's, and of that of the other method."""
    assert curve.line is not None
    slope, expected, other = curve.line.slope, curve.expected, curve.other
    is_inside, is_other = (slope.low <= each <= slope.high for each in (expected, other))
    if is_inside and is_other:
        low, high = sorted((expected, other))
        return f"limits so wide hold theory's {low:g} and {high:g} alike, and decide nothing"
    if is_inside:
        return f"the limits hold theory's {expected:g} and exclude {other:g}"
    side = "above" if slope.low > expected else "below"
    away = f"by {abs(slope.value - expected):.2g} at the estimate"
    return f"the limits lie {side} theory's {expected:g}, {away}" + (
        f", and hold {other:g}" if is_other else ""
    )


def _why_none(curve: Curve) -> str:
    if all(len(point.places) + point.open < 2 for point in curve.points):
        return "one seed has no spread, and no limits"
    if len(curve.points) < 2:
        return "there is one dimension"
    return "fewer than two dimensions have all seeds inside their grids"


def _curve(method: str, what: str, level: float, rows: Sequence[Row]) -> Curve:
    points = tuple(
        _one_point([row for row in rows if row.dim == dim])
        for dim in sorted({row.dim for row in rows})
    )
    used = [point for point in points if _is_usable(point)]
    line = None
    if len(used) > 1:
        dims = [point.dim for point in used]
        values = [(point.value, point.low, point.high) for point in used]
        line = fit_line(np.log(dims), *np.log(values).T, confidence=CONFIDENCE)
    degree = rows[0].degree
    expected = {"pruned": degree / 2, "dense": float(degree)}
    other = "dense" if method == "pruned" else "pruned"
    return Curve(method, what, level, points, line, expected[method], expected[other])


def _is_usable(point: Point) -> bool:
    """Whether all seeds are inside, and there are limits."""
    return not point.open and bool(np.isfinite(point.high))


def _one_point(rows: Sequence[Row]) -> Point:
    places = [row.crossing for row in rows if row.crossing is not None]
    num_open = len(rows) - len(places)
    if num_open:
        return Point(rows[0].dim, tuple(places), num_open, np.nan, 0.0, np.inf)
    mean = mean_over(np.log(np.array(places, np.float64)), confidence=CONFIDENCE)
    # Two seeds can have limits beyond the largest float.
    value, low, high = (float(np.exp(np.clip(each, -700, 700))) for each in (mean[0], *mean[2:]))
    return Point(
        rows[0].dim, tuple(places), 0, value, low, high if np.isfinite(mean.high) else np.inf
    )


def _draw_curve(ax, figures, curve: Curve) -> None:
    number = _METHODS.index(curve.method)
    colour, marker = figures.COLOURS[number], figures.MARKERS[number]
    for point in curve.points:
        shown = [point.dim] * len(point.places), point.places
        ax.plot(*shown, ".", color=colour, alpha=0.35, ms=4)
    label = f"{curve.method}: d^{curve.line.slope}" if curve.line else curve.method
    style = {"color": colour, "marker": marker, "ls": "none", "ms": 5, "capsize": 3}
    used = [point for point in curve.points if _is_usable(point)]
    # Limits as wide as those of two seeds would leave nothing else to see; the table has them.
    lows = [point.value - max(point.low, point.value / 1e2) for point in used]
    highs = [min(point.high, 1e2 * point.value) - point.value for point in used]
    means = [point.value for point in used]
    bars = [lows, highs] if used else None
    dims = np.array([point.dim for point in used], np.float64)
    ax.errorbar(dims, means, bars, label=label, **style)
    if curve.line:
        height, power = np.exp(curve.line.intercept.value), curve.line.slope.value
        ax.plot(dims, height * dims**power, color=colour, lw=1)


def _point(point: Point | None) -> str:
    if point is None:
        return ""
    if point.open:
        return f"{len(point.places)} of {len(point.places) + point.open} inside"
    if not np.isfinite(point.high):
        return f"{point.value:.0f}"
    return f"{point.value:.0f} [{point.low:.0f}, {point.high:.0f}]"


def _told(what: str, level: float) -> str:
    return f"test error {level:g}" if what == "error" else f"recall {level:g} beyond chance"


def _num_seeds(rows: Sequence[Row]) -> int:
    return len({row.seed for row in rows})
