"""The four corners: pruning of neurons or of weights, with a linear output or a ReLU after the sum.

The construction behind weight pruning's logarithm (Pensia et al., 2020) passes the sum of its
neurons through one more ReLU, while Theorem 1 is about a linear output. So two things change at
once between the two sides of the exponential gap. Here all four combinations are measured: which of
the two changes makes the gap?
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lottery_jax import curves
from lottery_jax.curves import Curve
from lottery_jax.proof.verdict import Verdict
from lottery_jax.report.tables import WidthRow, format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "corners"
QUESTION = "Neurons or weights pruned, linear or ReLU output: which of the two makes the gap?"
COUNTED = ("neuron_pruning", "weight_pruning", "weight_pruning_few")

_PLANE = (0.4, 0.2, 0.1, 0.05)
_BITS = (0.4, 0.2, 0.1, 0.05, 0.01, 1e-3, 1e-4)

FULL = (
    Curve("neuron", "linear", 2, (*_PLANE, 0.025), 400, 18, 1.05),
    Curve("neuron", "relu", 2, (*_PLANE, 0.025), 400, 17, 1.0),
    Curve("weight", "linear", 2, (*_PLANE, 0.025), 400, 9, 1.0),
    Curve("weight", "relu", 2, _BITS, 400, 22, 4.2),
    Curve("neuron", "linear", 3, (0.4, 0.28, 0.2), 400, 38, 1.7),
    Curve("neuron", "relu", 3, (0.4, 0.28, 0.2), 400, 36, 1.6),
    Curve("weight", "linear", 3, (0.4, 0.28, 0.2), 256, 10, 1.5),
    Curve("weight", "relu", 3, _BITS, 400, 34, 6.5),
)

QUICK = (
    Curve("neuron", "linear", 2, (0.4, 0.2), 128, 18, 1.05),
    Curve("neuron", "relu", 2, (0.4, 0.2), 128, 17, 1.0),
    Curve("weight", "linear", 2, (0.4, 0.2), 128, 9, 1.0),
    Curve("weight", "relu", 2, (0.4, 0.1, 1e-2, 1e-3), 128, 22, 4.2),
)

plan = curves.plan
measure = curves.measure


def draw(rows: Sequence[WidthRow]) -> "Axes":
    """Width against 1/epsilon for every corner."""
    from lottery_jax.report import figures

    ax = figures.width_curves(None, rows)
    ax.set_title(
        "Only pruned weights below a ReLU output escape the power of 1/ε\n"
        "(bands: 95 % exact limits)",
        fontsize="medium",
    )
    return ax


def describe(rows: Sequence[WidthRow]) -> str:
    """The widths of the four corners, their growth, and what it says."""
    header = ["pruning", "output", "d", "kept", "epsilon", "width", "low", "high", "trials"]
    cells = [
        [
            *(row.pruning, row.output, row.dim, curves.kept(row), row.epsilon),
            *(row.width, row.width_low, row.width_high, row.trials),
        ]
        for row in rows
    ]
    growth = [
        [*curve[:3], "" if (slope := _power(rows, curve)) is None else str(slope)]
        for curve in curves.names_of(rows)
    ]
    return "\n".join(
        [
            "Neurons before pruning at which half of the random networks contain an epsilon-",
            "approximation on the unit ball (95 % exact limits):",
            "",
            format_table(header, cells),
            "",
            "Power of 1/epsilon from the finer half of the accuracies (95 % limits of weighted",
            "least squares):",
            "",
            format_table(["pruning", "output", "d", "power"], growth),
            "",
            _reading(rows),
        ]
    )


def verdicts(rows: Sequence[WidthRow]) -> list[Verdict]:
    """The separation that the paper states, with the output held fixed and as it is."""
    found = []
    for dim in sorted({row.dim for row in rows}):
        powers = {
            curve[:2]: slope
            for curve in curves.names_of(rows)
            if curve[2] == dim and (slope := _power(rows, curve)) is not None
        }
        pairs = {
            "each with its own output (neurons: linear, weights: relu)": (
                ("neuron", "linear"),
                ("weight", "relu"),
            ),
            "both with a linear output": (("neuron", "linear"), ("weight", "linear")),
            "both with a relu output": (("neuron", "relu"), ("weight", "relu")),
        }
        for name, (neurons, weights) in pairs.items():
            if neurons not in powers or weights not in powers:
                continue
            mine, theirs = powers[neurons], powers[weights]
            # What pruned weights pay with the construction is a logarithm.
            logarithmic = powers.get(("weight", "relu"))
            is_power = logarithmic is not None and theirs.low > logarithmic.high
            found.append(
                Verdict(
                    lemma=f"Separation, d = {dim}",
                    claim=f"weights escape the power of 1/epsilon, {name}",
                    measured=f"power {mine} for neurons, {theirs} for weights",
                    verdict="holds"
                    if mine.low > theirs.high
                    else "fails"
                    if is_power
                    else "undecided",
                    command="lottery-jax run corners",
                )
            )
    return found


def _power(rows: Sequence[WidthRow], curve: tuple[str, str, int, int]):
    """The exponent over the finer half of the accuracies of a curve, logarithmic or not."""
    points = sorted((row for row in rows if row.curve == curve), key=lambda row: row.epsilon)
    points = [row for row in points if math.isfinite(row.width_high)]
    fine = points[: max(2, (len(points) + 1) // 2)]
    return curves.fit_power(fine)


def _reading(rows: Sequence[WidthRow]) -> str:
    """One paragraph, all of whose numbers are those of the rows."""
    dim = min(row.dim for row in rows)
    told = []
    for curve in curves.names_of(rows):
        slope = _power(rows, curve)
        if curve[2] == dim and slope is not None:
            told.append(f"{curve[0]}s below a {curve[1]} output {slope}")
    judged = "; ".join(
        f"{each.claim.split(', ', 1)[1]}: {each.verdict}"
        for each in verdicts(rows)
        if each.lemma.endswith(f"= {dim}")
    )
    return (
        f"Reading: at d = {dim} the power of 1/epsilon at the finer accuracies is, for pruned "
        f"{', '.join(told)}. That pruned weights escape the power of pruned neurons: {judged}. "
        "With a linear output the kink of the target must be met by the kink of some neuron, whole "
        "or masked; a ReLU after the sum makes that kink for them, and then sums of single weights "
        "need only come close, which costs a logarithm. Sums of whole neurons must come close in "
        "more than the target's direction, and the ReLU saves them little. So the gap is one of "
        "architectures as much as of ways to prune."
    )
