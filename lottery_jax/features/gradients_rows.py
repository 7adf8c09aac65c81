"""The rows of the study of gradients."""

from typing import NamedTuple

CONFIDENCE = 0.9999  # of each row, over all entries of its gradient


class Row(NamedTuple):
    """One gradient E[y phi'(<w, x> + b) x], three ways."""

    case: str  # the link
    unit: int  # among those of the case
    exponent: int  # k*
    num_indices: int  # r
    bias: float  # b
    part: str  # of the derivative: "all", "even" or "odd" part of the ReLU
    golden: float | None  # the norm, where it is known in closed form
    formula: float  # the norm by the closed form for any polynomial
    quadrature: float  # and by quadrature
    error: float  # largest difference between formula and quadrature among the entries
    samples: int
    sampled: float  # norm of the mean over samples
    low: float  # limits of the norm from the samples
    high: float
    deviation: float  # largest distance of a mean from the formula, in its standard errors
    allowed: float  # the deviation that a right formula exceeds with probability 1 - CONFIDENCE
