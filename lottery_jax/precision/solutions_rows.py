"""What is recorded of numbers of solutions."""

from typing import NamedTuple

CONFIDENCE = 0.9999  # of each interval: a run sets a few hundred of them
LABELS = {
    "even": "perfect partitions, even total",
    "odd": "perfect partitions, odd total",
    "M/2": "subsets with sum M/2",
}


class Row(NamedTuple):
    """One property of the number of solutions of one problem."""

    problem: str  # a key of LABELS
    num_items: int  # n
    largest: int  # M
    # "cell": share of draws with `cell` solutions; "mean": E N; "pairs": E N (N - 1); "ratio": of
    # pairs to the square of the mean
    what: str
    cell: int | None  # 0 to 15; None for moments
    draws: int  # of this problem, and of this parity
    value: float  # measured
    low: float  # limits: exact for a cell, by the jackknife for the others
    high: float
    limit: float  # what the Poisson law of this n and M says
    exact: float | None  # the same of this n and M; None for a cell, and where it was not computed


def is_within(row: Row, value: float | None) -> bool:
    """Whether the limits hold this value."""
    return value is not None and row.low <= value <= row.high


def distance(rows: list[Row]) -> float:
    """Half the sum of the differences between the shares of all cells, and more, and the law."""
    differences = [row.value - row.limit for row in rows]
    return (sum(map(abs, differences)) + abs(sum(differences))) / 2
