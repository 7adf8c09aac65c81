"""What the comparison of quantised with continuous items measures."""

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """Items that one event needs at one precision."""

    model: str  # "quantised", "subset sum" (of real numbers) or "weight pruning" (of a network)
    event: str  # "one" random target, or "all" at once
    law: str  # of the items
    accuracy: str  # "exact", "delta/2" or "delta^2/2"
    bits: int  # k = log2(1/delta)
    epsilon: float | None  # the accuracy as a number; None: exact
    items: float  # least number of items with which half of the draws succeed; inf: not reached
    low: float  # exact limits
    high: float
    trials: int  # draws
    probability: float  # of success
    confidence: float  # of the limits


class Curve(NamedTuple):
    """What the rows of a curve have in common."""

    model: str
    event: str
    law: str
    accuracy: str


def curves(rows: Sequence[Row]) -> dict[Curve, list[Row]]:
    """The rows of every curve, in the order of bits."""
    found: dict[Curve, list[Row]] = {}
    for row in rows:
        curve = Curve(row.model, row.event, row.law, row.accuracy)
        found.setdefault(curve, []).append(row)
    return {curve: sorted(points, key=lambda row: row.bits) for curve, points in found.items()}
