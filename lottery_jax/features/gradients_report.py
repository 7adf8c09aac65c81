"""What the gradients say: figure and text."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from lottery_jax.features.gradients_rows import CONFIDENCE, Row
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOLERANCE = 1e-6  # between the closed form and the quadrature


def allowed(num_entries: int) -> float:
    """The largest deviation of `num_entries` means, in standard errors, at CONFIDENCE.

    Examples
    --------
    >>> round(allowed(1), 2)
    3.89
    """
    return NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * num_entries))


def draw(rows: Sequence[Row]) -> "Axes":
    """Left: norms from samples against the closed form; right: deviations. Gives the left axis."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(11.0, 4.6).figure
    figure.clear()
    left, right = figure.subplots(1, 2)  # pyright: ignore[reportAttributeAccessIssue]
    place = 0
    for number, exponent in enumerate(sorted({row.exponent for row in rows})):
        colour, marker = figures.COLOURS[number], figures.MARKERS[number]
        chosen = [row for row in rows if row.exponent == exponent]
        for row in chosen:
            left.plot([row.formula] * 2, [row.low, row.high], color=colour, lw=1)
        style = {"color": colour, "marker": marker, "ms": 4, "ls": "none"}
        label = f"information exponent k* = {exponent}"
        left.plot([r.formula for r in chosen], [r.sampled for r in chosen], label=label, **style)
        at = range(place, place + len(chosen))
        right.plot(at, [row.deviation for row in chosen], label=label, **style)
        place += len(chosen)
    most = max(row.high for row in rows)
    left.plot([0, most], [0, most], ":", color="black", lw=1, label="equal")
    level = max(row.allowed for row in rows)
    label = f"exceeded by one right gradient in {1 / (1 - CONFIDENCE):.0f}"
    right.axhline(level, color="black", ls=":", lw=1, label=label)
    right.set_ylim(0, 1.25 * max(level, *(row.deviation for row in rows)))
    left.set_xlabel("norm of the gradient by the closed form")
    left.set_ylabel(f"norm of the mean over {rows[0].samples} samples")
    right.set_xlabel("gradient (links, biases and parts of the ReLU)")
    right.set_ylabel("largest deviation of an entry, in standard errors")
    for ax in (left, right):
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="small", frameon=False)
    title = f"bars: {100 * CONFIDENCE:g} % limits; all gradients share their samples"
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return left


def describe(rows: Sequence[Row]) -> str:
    """The known values one by one, the others by link, and what they say."""
    header = ["link", "unit", "b", "known", "formula", "quadrature", "sampled", "low", "high"]
    known = [row for row in rows if row.golden is not None]
    cells = [
        [
            *(row.case, row.unit + 1, row.bias, row.golden, row.formula, row.quadrature),
            *(row.sampled, row.low, row.high),
        ]
        for row in known
    ]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.case, []).append(row)
    summary = [
        [
            *(case, len(group), max(row.formula for row in group)),
            *(max(row.error for row in group), max(row.deviation for row in group)),
        ]
        for case, group in groups.items()
    ]
    others = ["link", "gradients", "largest norm", "formula - quadrature", "deviation"]
    parts = [format_table(header, cells)] if known else []
    return "\n\n".join([*parts, format_table(others, summary), _reading(rows)])


def _reading(rows: Sequence[Row]) -> str:
    known = [(row, abs(row.formula - row.golden)) for row in rows if row.golden is not None]
    near = sum(gap < TOLERANCE for _, gap in known)
    agree = sum(row.error < TOLERANCE for row in rows)
    inside = sum(row.deviation < row.allowed for row in rows)
    golden = (
        f"The closed form gives {near} of {len(known)} known norms to {TOLERANCE:g} (at most "
        f"{max(gap for _, gap in known):.1g} off). "
        if known
        else ""
    )
    return (
        f"{golden}It agrees with the quadrature to {TOLERANCE:g} in every entry for {agree} of "
        f"{len(rows)} gradients (largest difference {max(row.error for row in rows):.1g}), and "
        f"with the samples within {100 * CONFIDENCE:g} % limits for {inside} (largest deviation "
        f"{max(row.deviation for row in rows):.2f} standard errors, allowed "
        f"{max(row.allowed for row in rows):.2f}). Links have variance 1, where the "
        "paper's first two have 2 and 13, and all gradients share their samples."
    )
