"""What the study of widths measures."""

from collections.abc import Sequence
from typing import NamedTuple

PROBABILITIES = (0.5, 0.9, 0.99)


class Row(NamedTuple):
    """Units that one event needs at one number of bits and one success probability."""

    event: str  # "one": a random weight; "all": all weights of the grid; "layer": a random layer
    law: str  # of the items: "product", or "uniform" for the control
    dim: int  # inputs and outputs of the layer; 0: one sign half of one input
    bits: int  # log2(1/delta)
    probability: float  # of success
    width: float  # least n at which this share of the draws succeeded; inf above the cap
    low: float  # exact limits on the least n
    high: float
    trials: int  # draws
    undecided: int  # of them, that the limits cover both ways
    cap: int  # units of each draw
    confidence: float  # of the limits
    masks: float  # lower bound on n: as many masks as layers
    subsets: int | None  # lower bound on n: as many subset sums as weights; None where not derived
    independent_low: float | None  # limits on the n that independent halves would need: from draws
    independent_high: float | None  # of one half at the same bits; None where there are none
    share: float  # of the points of the delta^2 grid of [0, 1] that are products
    acceptance: float  # largest rate at which rejection makes products uniform on their own values


def chosen(
    rows: Sequence[Row], event: str, law: str, probability: float | None = None
) -> list[Row]:
    """The rows of one curve, in the order of bits."""
    found = [row for row in rows if (row.event, row.law) == (event, law)]
    if probability is not None:
        found = [row for row in found if row.probability == probability]
    return sorted(found, key=lambda row: row.bits)
