"""The rows of the study of recall, and where a curve of recall is halfway up."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

CONFIDENCE = 0.95  # of each interval


class Row(NamedTuple):
    """What PruneNetwork keeps from one number of rows, for one law of targets."""

    exponent: int  # k*: the target is He_k* of one direction
    dim: int  # d
    support_size: int  # s, and M
    shift: float  # c
    size: int  # n
    scaled: float  # n / s^k*
    trials: int  # draws; the points of one curve share them
    recall: float  # mean share of the support that is kept
    low: float  # limits of this mean, from the spread over draws
    high: float
    complete: int  # draws in which the whole support is kept
    complete_low: float  # exact limits of its probability
    complete_high: float
    kept: float  # mean |J|
    chance: float  # |J| / d, the recall of as many random inputs
    half: float | None  # n at which the curve's recall is halfway between chance and 1
    half_low: float | None  # where the upper limits of the recall are; None: outside the grid
    half_high: float | None  # where the lower limits are


def first_rise(
    sizes: Sequence[int], values: Sequence[float], levels: Sequence[float]
) -> float | None:
    """Where values first rise to their levels, on a line in log n; None if not between two sizes.

    Examples
    --------
    >>> round(first_rise([100, 400], [0.0, 1.0], [0.5, 0.5]))
    200
    """
    gaps = [value - level for value, level in zip(values, levels, strict=True)]
    for (n, gap), (next_n, next_gap) in itertools.pairwise(zip(sizes, gaps, strict=True)):
        if gap < 0 <= next_gap:
            share = gap / (gap - next_gap)
            return math.exp(math.log(n) + share * math.log(next_n / n))
    return None


def curves(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows by exponent, dimension and shift, in this order, and by size within."""
    ordered = sorted(rows, key=lambda row: (row.exponent, row.shift, row.dim, row.size))
    groups = itertools.groupby(ordered, key=lambda row: (row.exponent, row.shift, row.dim))
    return [list(group) for _, group in groups]
