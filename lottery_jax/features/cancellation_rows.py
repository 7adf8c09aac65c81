"""The rows of the study of the cancellation."""

from typing import NamedTuple

CONFIDENCE = 0.95  # of each interval


class Row(NamedTuple):
    """A gradient in closed form, or what PruneNetwork keeps."""

    what: str  # "gradient" or "recall"
    biases: str  # "zero", or "normal": standard normal
    shift: float  # c; 1 is the unshifted basis
    norm: float | None  # of the gradient; for normal biases the root mean square
    dim: int | None  # d
    support_size: int | None  # summands, and M
    size: int | None  # n
    trials: int | None  # draws; the points of one curve share them
    line: float | None  # mean share of the support that line 4 alone finds
    line_low: float | None  # limits of this mean, from the spread over draws
    line_high: float | None
    line_chance: float | None  # M / d
    recall: float | None  # mean share of the support that is kept by all three lines
    low: float | None
    high: float | None
    chance: float | None  # |J| / d
