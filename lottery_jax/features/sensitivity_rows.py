"""The rows of the study of settings."""

from typing import NamedTuple

CONFIDENCE = 0.95  # of each interval


class Row(NamedTuple):
    """What PruneNetwork keeps at one setting."""

    sweep: str  # "M": all M share their draws; "c": every c has its own
    dim: int  # d
    support_size: int  # s
    exponent: int  # k*: the target is He_k* of one flat direction
    size: int  # n
    kept_entries: int  # M
    shift: float  # c
    trials: int
    recall: float  # mean share of the support that is kept
    low: float  # limits of this mean, from the spread over draws
    high: float
    complete: int  # draws in which the whole support is kept
    kept: float  # mean |J|
    false: float  # mean number of inputs kept that are not in the support
    chance: float  # |J| / d, the recall of as many random inputs
