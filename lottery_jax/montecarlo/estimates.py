"""The success probabilities of one experiment, with their limits, as a record and as a table."""

import csv
import html
import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int64

from lottery_jax.core.limits import limits_exact
from lottery_jax.core.tally import Tally
from lottery_jax.montecarlo.experiment import Setting
from lottery_jax.montecarlo.store import Row


@dataclass(frozen=True, eq=False)
class Estimates:
    """Success counts on a grid of ε, and the limits of the probabilities behind them.

    All points come from the same draws: those of one curve are correlated.

    Examples
    --------
    >>> one = np.array([1])
    >>> result = Estimates(
    ...     "below", (("dim", 1),), epsilons=0.1 * one, hits=9 * one, undecided=0 * one, trials=100,
    ...     low=0.042 * one, high=0.164 * one, limits="exact", confidence=0.95, bound="exact",
    ...     seconds=0.1,
    ... )
    >>> print(result)
    below (dim=1): 100 trials, 95 % exact limits
         epsilon probability         low        high        hits   undecided
             0.1        0.09       0.042       0.164           9           0
    """

    name: str
    settings: tuple[tuple[str, Setting], ...]
    epsilons: Float64[np.ndarray, " eps"]
    hits: Int64[np.ndarray, " eps"]
    undecided: Int64[np.ndarray, " eps"]  # rounding cannot decide; the limits cover both ways
    trials: int
    low: Float64[np.ndarray, " eps"]
    high: Float64[np.ndarray, " eps"]
    limits: Literal["exact", "sequential"]
    confidence: float  # of the limits at each ε by itself
    bound: str  # what the counted successes are to the true ones: "exact", "lower" or "upper"
    seconds: float  # of computing, stored rows included, compilation not

    @classmethod
    def from_rows(cls, rows: Sequence[Row], *, confidence: float = 0.95) -> "Estimates":
        """The estimates behind stored rows of one experiment, with exact limits.

        Exact limits hold where the number of rows was fixed beforehand; after a run that stopped at
        a `half_width` call `estimate` with the same store instead.

        Raises
        ------
        ValueError
            Unless the rows count successes of one and the same experiment.

        Examples
        --------
        >>> row = {
        ...     "id": "00c0ffee", "name": "below", "settings": {"dim": 1}, "kind": "success",
        ...     "bound": "exact", "epsilons": [0.1], "chunk": 0, "trials": 100, "hits": [9],
        ...     "undecided": [0], "seconds": 0.1,
        ... }
        >>> print(Estimates.from_rows([row]))
        below (dim=1): 100 trials, 95 % exact limits
             epsilon probability         low        high        hits   undecided
                 0.1        0.09     0.04198       0.164           9           0
        """
        names = sorted({f"{row['kind']} {row['id']}" for row in rows})
        if len(names) != 1 or rows[0]["kind"] != "success":
            held = ", ".join(names) or "nothing"
            raise ValueError(f"rows of {held}: give the success counts of one experiment")
        first = rows[0]
        tally = Tally.zero(len(first["epsilons"]))
        for row in rows:
            tally = tally.merge(Tally(row["trials"], tuple(row["hits"]), tuple(row["undecided"])))
        low, high = limits_exact(
            tally.hits, tally.trials, undecided=tally.undecided, confidence=confidence
        )
        return cls(
            name=first["name"],
            settings=tuple(first["settings"].items()),
            epsilons=np.asarray(first["epsilons"]),
            hits=np.asarray(tally.hits),
            undecided=np.asarray(tally.undecided),
            trials=tally.trials,
            low=np.asarray(low),
            high=np.asarray(high),
            limits="exact",
            confidence=confidence,
            bound=first["bound"],
            seconds=sum(row["seconds"] for row in rows),
        )

    @property
    def probability(self) -> Float64[np.ndarray, " eps"]:
        """Hits per trial, undecided draws counted as failures."""
        return self.hits / self.trials

    def columns(self) -> dict[str, list[Any]]:
        """The table, one row per ε, settings included, ready for any data-frame library."""
        per_epsilon = {
            "epsilon": self.epsilons,
            "probability": self.probability,
            "low": self.low,
            "high": self.high,
            "hits": self.hits,
            "undecided": self.undecided,
        }
        common = {
            "trials": self.trials,
            "limits": self.limits,
            "confidence": self.confidence,
            "bound": self.bound,
            "seconds": self.seconds,
        }
        first = {"experiment": self.name} | dict(self.settings)
        repeat = len(self.epsilons)
        return (
            {name: [value] * repeat for name, value in first.items()}
            | {name: values.tolist() for name, values in per_epsilon.items()}
            | {name: [value] * repeat for name, value in common.items()}
        )

    def to_pandas(self):
        """The table as a pandas DataFrame."""
        return _optional("pandas").DataFrame(self.columns())

    def to_polars(self):
        """The table as a polars DataFrame."""
        return _optional("polars").DataFrame(self.columns())

    def to_parquet(self, path: str | os.PathLike) -> None:
        """Write the table to a Parquet file."""
        self.to_pandas().to_parquet(path, index=False)

    def to_csv(self, path: str | os.PathLike) -> None:
        """Write the table to a CSV file; needs nothing beyond Python."""
        columns = self.columns()
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))

    def plot(self, ax=None):
        """Draw the success curve with its limits on a matplotlib axis, and return the axis."""
        from lottery_jax.report import figures  # on first use: it imports matplotlib

        return figures.success_curve(ax, self)

    def __str__(self) -> str:
        lines = [[f"{cell:>12}" for cell in line] for line in self._cells()]
        return "\n".join([self._title(), *("".join(line) for line in lines)])

    def _repr_html_(self) -> str:
        tags = ["th", *["td"] * len(self.epsilons)]
        rows = (
            "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in line)
            for tag, line in zip(tags, self._cells(), strict=True)
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><caption>{html.escape(self._title())}</caption>{body}</table>"

    def _title(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in self.settings)
        title = f"{self.name} ({settings}): {self.trials} trials"
        title += f", {100 * self.confidence:g} % {self.limits} limits"
        return title if self.bound == "exact" else f"{title}, {self.bound} bound on success"

    def _cells(self) -> list[list[str]]:
        names = ["epsilon", "probability", "low", "high", "hits", "undecided"]
        columns = self.columns()
        lines = zip(*(columns[name] for name in names), strict=True)
        return [names, *([_cell(value) for value in line] for line in lines)]


def _cell(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _optional(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{module} is not installed; pip install 'lottery-jax[table]'") from error
