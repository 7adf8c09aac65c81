"""Tables of measured widths: as aligned text, and as a CSV file that reads back."""

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, is_dataclass
from typing import Any


@dataclass(frozen=True)
class WidthRow:
    """The width at which pruning succeeds with a given probability; one row of gap.csv."""

    pruning: str  # "neuron" or "weight"
    output: str  # "linear" or "relu": what follows the sum over neurons
    dim: int
    epsilon: float  # accuracy on the ball of this radius
    radius: float
    max_kept: int | None  # largest number of neurons kept; None: no limit
    probability: float
    width: float  # neurons before pruning; inf where it lies above all widths tried
    width_low: float  # confidence limits
    width_high: float  # inf where open
    trials: int
    one_sided: str  # "upper": no more than this width is needed; "": exact

    @property
    def curve(self) -> tuple[str, str, int, int]:
        """What the points of one curve share; the last entry is 0 where there is no `max_kept`."""
        return self.pruning, self.output, self.dim, self.max_kept or 0


_COLUMNS = [field.name for field in fields(WidthRow)]


def write_widths(path: str | os.PathLike, rows: Sequence[WidthRow]) -> None:
    """Write the rows as CSV, columns as in `WidthRow`."""
    _write(path, _COLUMNS, [astuple(row) for row in rows])


def read_widths(path: str | os.PathLike) -> list[WidthRow]:
    """Read what `write_widths` wrote.

    Raises
    ------
    ValueError
        For a file that is not such a table.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames != _COLUMNS:
                raise ValueError(f"{reader.fieldnames=}")
            return [_parse(line) for line in reader]
    except (OSError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(
            f"{path} is not a table of widths; name a gap.csv that lottery-jax gap wrote"
        ) from error


def write_rows(path: str | os.PathLike, rows: Sequence[Any]) -> None:
    """Write records of one type, NamedTuple or dataclass, as CSV with their fields as columns.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from typing import NamedTuple
    >>> class Point(NamedTuple):
    ...     steps: int
    ...     share: float | None
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_rows(Path(folder) / "points.csv", [Point(1, 0.5), Point(2, None)])
    ...     (Path(folder) / "points.csv").read_text().splitlines()
    ['steps,share', '1,0.5', '2,']
    """
    if is_dataclass(rows[0]):
        _write(path, [field.name for field in fields(rows[0])], [astuple(row) for row in rows])
    else:
        _write(path, rows[0]._fields, rows)


def _write(path, columns, rows) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)  # None is written as an empty cell


def _parse(line: dict[str, str]) -> WidthRow:
    numbers = {name: float(line[name]) for name in ("epsilon", "radius", "probability")}
    widths = {name: float(line[name]) for name in ("width", "width_low", "width_high")}
    return WidthRow(
        pruning=line["pruning"],
        output=line["output"],
        dim=int(line["dim"]),
        max_kept=int(line["max_kept"]) if line["max_kept"] else None,
        trials=int(line["trials"]),
        one_sided=line["one_sided"],
        **numbers,
        **widths,
    )


def format_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned plain text: words to the left, numbers to the right.

    Examples
    --------
    >>> print(format_table(["pruning", "width"], [["neuron", 75], ["weight", 8.0]]))
    pruning  width
    neuron      75
    weight       8
    """
    cells = [[format_cell(cell) for cell in row] for row in rows]
    sizes = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    is_number = [
        all(isinstance(row[i], (int, float)) or row[i] is None for row in rows)
        for i in range(len(header))
    ]
    lines = [
        "  ".join(
            cell.rjust(size) if right else cell.ljust(size)
            for cell, size, right in zip(line, sizes, is_number, strict=True)
        ).rstrip()
        for line in [list(header), *cells]
    ]
    return "\n".join(lines)


def format_cell(value: Any) -> str:
    """A number as short as it can be said; nothing for None; "open" for an infinite limit.

    Examples
    --------
    >>> format_cell(0.0500), format_cell(math.inf), format_cell(None)
    ('0.05', 'open', '')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return "open" if math.isinf(value) else f"{value:.4g}"
    return str(value)
