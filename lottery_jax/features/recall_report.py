"""What the curves of recall say: figure and text."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lottery_jax.features.points import CAUTION, draw_chance, draw_shares
from lottery_jax.features.recall_rows import CONFIDENCE, Row, curves
from lottery_jax.report.fits import Slope, fit_exponent
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(rows: Sequence[Row]) -> "Axes":
    """Recall against n / s^k*, a panel for each k*. Returns the first axis."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    exponents = sorted({row.exponent for row in rows})
    dims = sorted({row.dim for row in rows})
    figure = figures.new_axis(1.5 + 4.0 * len(exponents), 5.8).figure
    figure.clear()
    axes = figure.subplots(1, len(exponents), sharey=True, squeeze=False)[0]  # type: ignore[union-attr]
    for ax, exponent in zip(axes, exponents, strict=True):
        shown = [curve for curve in curves(rows) if curve[0].exponent == exponent]
        usual = _usual_shift(shown)
        for curve in sorted(shown, key=lambda curve: curve[0].shift != usual):
            first = curve[0]
            number = dims.index(first.dim)
            is_usual = first.shift == usual
            name = f"d = {first.dim}, s = {first.support_size}"
            draw_shares(
                ax,
                [row.scaled for row in curve],
                [row.recall for row in curve],
                [row.low for row in curve],
                [row.high for row in curve],
                colour=figures.COLOURS[number % len(figures.COLOURS)],
                marker=figures.MARKERS[number % len(figures.MARKERS)],
                label=name if is_usual else f"{name}, c = {first.shift:.2g}",
                line="-" if is_usual else "--",
            )
            at = [row.scaled for row in curve]
            chance = [row.chance for row in curve]
            draw_chance(ax, at, chance, colour=figures.COLOURS[number % len(figures.COLOURS)])
        ax.plot([], [], ":", color="black", lw=1, label="chance level |J|/d, by colour")
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlabel("samples n / s" + (f"^{exponent}" if exponent > 1 else ""))
        ax.set_title(f"information exponent k* = {exponent}, c = {usual:g}", fontsize="medium")
        ax.set_ylim(-0.02, 1.04)
        ax.grid(True, alpha=0.3)
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}  # curves fill the panels
        ax.legend(fontsize="x-small", frameon=False, ncols=2, **place)
    axes[0].set_ylabel("recall: share of the support that is kept")
    trials = sorted({row.trials for row in rows})
    title = (
        "PruneNetwork with M = s, y = He_k*(<v, x>) of variance 1, v flat on s = sqrt(d) "
        f"inputs\nbars: {100 * CONFIDENCE:g} % limits of the mean recall over {_range(trials)} "
        f"draws, which the points of a curve share:\n{CAUTION}"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return axes[0]


def describe(rows: Sequence[Row]) -> str:
    """Every point, where each curve is halfway, and what both say."""
    header = ["k*", "d", "s = M", "c", "n", "n/s^k*", "draws", "recall", "low", "high"]
    header += ["complete", "low", "high", "|J|", "chance"]
    cells = [
        [
            *(row.exponent, row.dim, row.support_size, row.shift, row.size, row.scaled),
            *(row.trials, row.recall, row.low, row.high),
            *(row.complete, row.complete_low, row.complete_high, row.kept, row.chance),
        ]
        for curve in curves(rows)
        for row in curve
    ]
    halves = [
        [first.exponent, first.dim, first.shift, *map(_scaled(first), _half(first))]
        for first in (curve[0] for curve in curves(rows))
    ]
    told = ["k*", "d", "c", "halfway at n/s^k*", "low", "high"]
    parts = [format_table(header, cells), format_table(told, halves), _reading(rows)]
    return "\n\n".join(parts)


def _reading(rows: Sequence[Row]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    said = []
    for exponent in sorted({row.exponent for row in rows}):
        shown = [curve[0] for curve in curves(rows) if curve[0].exponent == exponent]
        usual = _usual_shift([[first] for first in shown])
        firsts = [first for first in shown if first.shift == usual]
        known = [first for first in firsts if first.half is not None]
        if known:
            places = [(first.half or 0) / first.support_size**exponent for first in known]
            near, far = f"{min(places):.2g}", f"{max(places):.2g}"
            said.append(
                f"For k* = {exponent} the recall is halfway between chance and 1 at n / s^k* = "
                f"{near if near == far else f'{near} to {far}'} (d = {_list(known)}, c = "
                f"{usual:g})."
            )
        slope, closed = fitted(firsts), _closed(firsts)
        if slope is not None:
            holds = slope.low <= exponent <= slope.high
            others = [each for each in (1, 2, 3) if each != exponent]
            also = [str(each) for each in others if slope.low <= each <= slope.high]
            said.append(
                f"There n grows as s to the power {slope} (d = {_list(closed)}); the limits "
                f"{'hold' if holds else 'miss'} k* = {exponent}"
                + (f", and {' and '.join(also)} too" if also else "")
                + f"; a factor log d would add {_power_of_log(closed):.2f} over these d."
            )
        else:
            said.append(f"For k* = {exponent} too few curves are closed for an exponent.")
        for first in shown:
            if first.shift != usual:
                curve = next(each for each in curves(rows) if each[0] == first)
                said.append(_other_shift(curve))
    said.append(
        f"Limits are {100 * CONFIDENCE:g} % each: of the mean recall from the spread over draws, "
        f"{CAUTION}; of the place halfway by the limits of the recall on both sides, joined from "
        "point to point; of complete recovery exact. The points of a curve share draws."
    )
    return " ".join(said)


def fitted(firsts: Sequence[Row]) -> Slope | None:
    """The exponent of n at the place halfway against s; None for fewer than three closed curves."""
    closed = _closed(firsts)
    if len(closed) < 3:
        return None
    values = [[each or math.nan for each in _half(row)] for row in closed]
    middle, low, high = map(list, zip(*values, strict=True))
    return fit_exponent([1 / row.support_size for row in closed], middle, low, high)


def _closed(firsts: Sequence[Row]) -> list[Row]:
    """Those whose place halfway has limits on both sides."""
    return [row for row in firsts if None not in _half(row)]


def _power_of_log(firsts: Sequence[Row]) -> float:
    """The power of s that log d looks like between the smallest and the largest d."""
    small, large = (pick(firsts, key=lambda row: row.dim) for pick in (min, max))
    grown = math.log(large.dim) / math.log(small.dim)
    return math.log(grown) / math.log(large.support_size / small.support_size)


def _other_shift(curve: Sequence[Row]) -> str:
    last = curve[-1]
    theory = ", the 1 / log d of theory," if _is_theory(last) else ""
    return (
        f"With c = {last.shift:.3g}{theory} at d = {last.dim}, {last.size} samples = "
        f"{last.scaled:g} s^{last.exponent} give a recall of {last.recall:.3f} "
        f"[{last.low:.3f}, {last.high:.3f}] over {last.trials} draws, chance level "
        f"{last.chance:.2f}; the whole support is kept in {last.complete} of {last.trials} draws, "
        f"exact limits of its probability [{last.complete_low:.2f}, {last.complete_high:.2f}]."
    )


def _is_theory(row: Row) -> bool:
    return abs(row.shift * math.log(row.dim) - 1) < 1e-6


def _usual_shift(shown: Sequence[Sequence[Row]]) -> float:
    """The c of most curves; of as many, the largest."""
    shifts = [curve[0].shift for curve in shown]
    return max(shifts, key=lambda shift: (shifts.count(shift), shift))


def _range(numbers: Sequence[int]) -> str:
    """Sorted numbers by the first and the last."""
    first, last = numbers[0], numbers[-1]
    return f"{first}" if first == last else f"{first} to {last}"


def _half(row: Row) -> tuple[float | None, float | None, float | None]:
    return row.half, row.half_low, row.half_high


def _scaled(row: Row):
    return lambda n: None if n is None else n / row.support_size**row.exponent


def _list(rows: Sequence[Row]) -> str:
    return ", ".join(str(row.dim) for row in rows)
