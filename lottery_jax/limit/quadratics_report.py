"""The study of random quadratic losses in words: its figure, its tables, and what they say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from lottery_jax.limit.quadratics_rows import FAILURE, FORMS, Row
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLOSE = 0.03  # a prediction within this of the limit counts as right


def draw(rows: Sequence[Row]) -> "Axes":
    """Predicted against existence limit, a marker for each form, filled where axes are rotated."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    ax = figures.new_axis(6.5, 6.0)
    limits = [row for row in rows if row.existence is not None]
    ax.plot([0, 1], [0, 1], color="black", lw=1)
    ax.fill_between([0, 1], [-CLOSE, 1 - CLOSE], [CLOSE, 1 + CLOSE], color="black", alpha=0.1, lw=0)
    for form, colour, marker in zip(FORMS, figures.COLOURS, figures.MARKERS, strict=False):
        for is_rotated in (True, False):
            chosen = [row for row in limits if row.is_rotated == is_rotated]
            ax.plot(
                _column(chosen, "existence"),
                _column(chosen, form),
                marker,
                color=colour,
                mfc=colour if is_rotated else "none",
                alpha=0.8,
                ms=6,
                label=form if is_rotated else None,
            )
    shot = _column(limits, "one_shot")
    ax.plot(_column(limits, "existence"), shot, "_", color="grey", ms=9, label="one-shot limit")
    least = float(min(_column(limits, "existence").min(), shot.min()))
    ax.set_xlim(max(0, least - 0.05), 1)
    ax.set_ylim(max(0, least - 0.05), 1.01)
    ax.set_xlabel("existence limit: largest fraction removed with some kept weights within ε")
    ax.set_ylabel("predicted limit")
    ax.set_title(
        f"Quadratic losses, means over {limits[0].draws} draws; band: within {CLOSE:g};\n"
        "open markers: eigenvectors along the coordinate axes (control)",
        fontsize="small",
    )
    ax.legend(fontsize="small", frameon=False)
    return ax


def describe(rows: Sequence[Row]) -> str:
    """The limits and the cones, and what they say."""
    limits = ["case", "size", "level", "existence", "existence_sd", "one_shot", "one_shot_sd"]
    limits += [*FORMS, "reoptimised_sd", "window"]
    header = ["case", "D", "level", "existence", "sd", "one-shot", "sd"]
    header += [*FORMS, "its error's sd", "window"]
    cone = ["case", "size", "cone_paper", "cone_generic", "cone_displacement", "cone_second"]
    cone += ["cone", "cone_error"]
    cone_header = ["cone of", "D", "paper", "generic", "displacement", "and next term"]
    cone_header += ["Monte Carlo", "error", "in errors"]
    cone_cells = [[*_cells(row, cone), f"{_off(row):+.1f}"] for row in rows if row.cone is not None]
    return "\n".join(
        [
            "Limits as the fraction of weights removed; epsilon = level x loss with all removed:",
            "",
            format_table(header, [_cells(row, limits) for row in rows if row.draws]),
            "",
            "Statistical dimension over D, at the limit that `displacement` predicts:",
            "",
            format_table(cone_header, cone_cells),
            "",
            _reading(rows),
        ]
    )


def _cells(row: Row, names: Sequence[str]) -> list:
    """Numbers to three digits: the draws decide no more."""
    cells = [getattr(row, name) for name in names]
    return [float(f"{cell:.3g}") if isinstance(cell, float) else cell for cell in cells]


def _column(rows: Sequence[Row], name: str) -> Float64[np.ndarray, " row"]:
    return np.array([getattr(row, name) for row in rows], np.float64)


def _off(row: Row) -> float:
    """Monte Carlo less the form with its next term, in standard errors."""
    if row.cone is None or row.cone_second is None or not row.cone_error:
        return 0.0
    return (row.cone - row.cone_second) / row.cone_error


def _error(row: Row, form: str) -> float:
    """Mean prediction less mean existence limit."""
    return getattr(row, form) - (row.existence or 0.0)


def _reading(rows: Sequence[Row]) -> str:
    """Every number comes from the rows."""
    tested = [row for row in rows if row.draws and row.is_rotated and not row.is_isotropic]
    right = {form: [abs(_error(row, form)) <= CLOSE for row in tested] for form in FORMS}
    counts = ", ".join(f"{form} in {sum(right[form])}" for form in FORMS)
    parts = [
        f"Within {CLOSE:g} of the existence limit, in {len(tested)} cases that are rotated and not "
        f"isotropic: {counts}."
    ]
    for form in ("displacement", "reoptimised"):
        worst = max(tested, key=lambda row: abs(_error(row, form)))
        failed = [row for row, is_right in zip(tested, right[form], strict=True) if not is_right]
        high = sum(_error(row, form) > 0 for row in failed)
        parts.append(
            f"{form} is off by {_error(worst, form):+.3f} at most ({worst.case}, level "
            f"{worst.level:g})"
            + (f"; of its {len(failed)} failures {high} are too high." if failed else ".")
        )
    shots = _column(tested, "one_shot")
    near = {form: int(np.sum(abs(_column(tested, form) - shots) <= CLOSE)) for form in FORMS}
    below = _column(tested, "existence") - shots
    parts.append(
        f"The one-shot limit lies {below.min():.3f} to {below.max():.3f} below the existence "
        f"limit; within {CLOSE:g} of it: {', '.join(f'{form} in {near[form]}' for form in FORMS)}."
    )
    low = [row for row in tested if _error(row, "displacement") > CLOSE]
    if low:
        parts.append(
            "The space of the kept weights is orthogonal to the displacement, which a random space "
            f"is not: displacement is too high by more than {CLOSE:g} in cases with limits up to "
            f"{max(row.existence or 0.0 for row in low):.3f}."
        )
    leaning = [row for row in tested if _error(row, "displacement") < -CLOSE]
    if leaning:
        parts.append(
            f"It is too low for {'; '.join(row.case for row in leaning)}: scaling the kept weights "
            "alone undoes part of the displacement there."
        )
    parts += [
        _special(row) for row in rows if row.draws and (row.is_isotropic or not row.is_rotated)
    ]
    measured = [row for row in rows if row.cone is not None]
    agree = sum(abs(_off(row)) <= 3 for row in measured)
    parts.append(
        f"The dimension of the cone is within 3 standard errors of the displacement form with its "
        f"next term at {agree} of {len(measured)} points"
        + _largest_gap(measured)
        + f" The window ({100 * FAILURE:g} % failure) is a bound: its half width is "
        f"{min(row.window for row in rows):.2f} or more at these D, and the limits of the draws "
        f"spread by {max(row.existence_sd or 0.0 for row in tested):.3f} at most."
    )
    return " ".join(parts)


def _special(row: Row) -> str:
    """The isotropic case, or the control."""
    existence, one_shot = row.existence or 0.0, row.one_shot or 0.0
    helps = "helps" if existence > one_shot else "does not help"
    what = "Isotropic" if row.is_isotropic else "With eigenvectors along the coordinate axes"
    text = (
        f"{what}, optimising the kept weights {helps} (existence {existence:.3f}, one-shot "
        f"{one_shot:.3f}): reoptimised {row.reoptimised:.3f}, displacement "
        f"{row.displacement:.3f}, paper {row.paper:.3f}"
    )
    if row.is_rotated:
        return f"{text}."
    is_off = abs(_error(row, "reoptimised")) > CLOSE
    return f"{text}{'; every form needs directions that are random to the weights' * is_off}."


def _largest_gap(measured: Sequence[Row]) -> str:
    gaps = [(row.cone or 0.0) - (row.cone_paper or 0.0) for row in measured]
    return f"; the paper's form is below it by {min(gaps):.3f} to {max(gaps):.3f}." if gaps else "."
