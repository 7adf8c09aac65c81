"""Items that serve targets to an accuracy: rows, CSV file, table, and lines through them."""

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

from lottery_jax.report.fits import Line, fit_line
from lottery_jax.report.tables import format_table


@dataclass(frozen=True)
class ItemsRow:
    """The items needed at one accuracy; one row of rss.csv."""

    event: str
    law: str
    dim: int  # 0: numbers
    epsilon: float
    probability: float
    width: float  # smallest number of items at which enough draws succeed; inf above the cap
    width_low: float  # exact confidence limits
    width_high: float
    place: float  # where the line between two numbers of items crosses the probability
    place_low: float  # the same of the confidence limits
    place_high: float
    trials: int
    undecided: int  # draws whose first width is left open; the limits cover them both ways
    cap: int  # items drawn

    @property
    def curve(self) -> tuple[str, str, int]:
        """What the points of one curve share."""
        return self.event, self.law, self.dim


_COLUMNS = [field.name for field in fields(ItemsRow)]


def write_items(path: str | os.PathLike, rows: Sequence[ItemsRow]) -> None:
    """Write the rows as CSV, columns as in `ItemsRow`."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(astuple(row) for row in rows)


def fit_items(
    rows: Sequence[ItemsRow], curve: tuple[str, str, int], *, probability: float = 0.5
) -> Line:
    """Items against log2(1/epsilon): a line through the points of one curve that are not open.

    Raises
    ------
    ValueError
        Where fewer than two points are left.
    """
    points = [
        row
        for row in rows
        if row.curve == curve and row.probability == probability and math.isfinite(row.place_high)
    ]
    return fit_line(
        [math.log2(1 / row.epsilon) for row in points],
        [row.place for row in points],
        [row.place_low for row in points],
        [row.place_high for row in points],
        confidence=0.95,
    )


def describe_items(rows: Sequence[ItemsRow]) -> str:
    """The table, and the lines through it."""
    header = ["event", "items", "d", "epsilon", "share", "n", "low", "high"]
    header += ["crossing", "from", "to", "trials", "open"]
    columns = _COLUMNS[:-1]
    cells = [[getattr(row, name) for name in columns] for row in rows]
    lines = [
        "Random items at which the subset sums of that share of draws serve a target, or all of",
        "them, within epsilon (95 % exact limits). d = 0: numbers, targets in [-1/2, 1/2]; else",
        "vectors in the max norm, targets in [-1, 1]^d. crossing: where the line between two",
        "numbers of items reaches the share. open: draws that rounding or a limit left undecided.",
        "",
        format_table(header, cells),
        "",
        "n at a share of 1/2 against x = log2(1/epsilon), from the crossings:",
    ]
    for curve in dict.fromkeys(row.curve for row in rows):
        event, law, dim = curve
        try:
            line = fit_items(rows, curve)
        except ValueError:  # too few points
            continue
        what = f"{event}, {law}" + (f", d = {dim}" if dim else "")
        each = f", {line.slope.value / dim:.2f} per coordinate and bit" if dim > 1 else ""
        lines.append(f"  {what}: n = {line}{each}")
    for law, least, most in _differences(rows):
        lines.append(
            f"All targets of [-1/2, 1/2] instead of one, {law}: {least:.1f} to {most:.1f} items "
            "more at the same epsilon."
        )
    lines += [
        "",
        "Limits of lines are 95 % normal limits of weighted least squares. Counting alone needs",
        "n >= d x for all targets of the cube, and n >= x - 1 for those of [-1/2, 1/2].",
    ]
    return "\n".join(lines)


def _differences(rows: Sequence[ItemsRow]) -> list[tuple[str, float, float]]:
    """For each law the least and the largest difference between the interval and one target."""
    at = {(row.law, row.event, row.epsilon): row.place for row in rows if _is_median(row)}
    found = []
    for law in dict.fromkeys(law for law, _, _ in at):
        more = [
            place - at[law, "target", epsilon]
            for (other, event, epsilon), place in at.items()
            if (other, event) == (law, "interval") and (law, "target", epsilon) in at
        ]
        if more:
            found.append((law, min(more), max(more)))
    return found


def _is_median(row: ItemsRow) -> bool:
    return row.probability == 0.5 and row.dim == 0 and math.isfinite(row.place)
