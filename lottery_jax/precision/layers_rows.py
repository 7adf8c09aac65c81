"""What the study of whole networks measures."""

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """Random networks of one size, pruned, beside their targets."""

    construction: str  # "depth 2l", or "depth l + 1" with copies
    num_layers: int  # l, of the target
    widths: str  # d_0 to d_l, of the target
    bits: int  # log2(1/delta), of all weights
    input_bits: int  # log2(1/gamma), of inputs and rounded outputs
    units: int  # n for each input and sign of a hidden layer, before pruning
    copies: int | None  # c of each output
    parameters: int  # of the random network before pruning
    per_weight: float  # the same for each weight of the target
    inputs: int  # at which the networks are compared
    is_whole_grid: str  # "yes" if these are all inputs
    trials: int  # networks
    equal: int  # of them that give the target's outputs at every one of these inputs
    low: float  # exact limits on the probability of this
    high: float
    served: int  # networks where each weight of the target is an exact subset sum
    served_low: float  # limits likewise
    served_high: float
    broken: int  # networks that are served, and yet differ somewhere: must be 0
    confidence: float  # of the limits


class Shape(NamedTuple):
    """What the rows of a curve have in common."""

    construction: str
    widths: str
    bits: int
    input_bits: int


def curves(rows: Sequence[Row]) -> dict[Shape, list[Row]]:
    """The rows of shapes that were built at several sizes."""
    found: dict[Shape, list[Row]] = {}
    for row in rows:
        shape = Shape(row.construction, row.widths, row.bits, row.input_bits)
        found.setdefault(shape, []).append(row)
    return {shape: points for shape, points in found.items() if len(points) > 1}
