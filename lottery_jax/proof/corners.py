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
from lottery_jax.proof.verdict import Judgement, Verdict
from lottery_jax.report.tables import WidthRow, format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "corners"
QUESTION = "Neurons or weights pruned, linear or ReLU output: which of the two makes the gap?"
COUNTED = ("neuron_pruning", "weight_pruning", "weight_pruning_few")

_PLANE = (0.4, 0.2, 0.1, 0.05)
_BITS = (0.4, 0.2, 0.1, 0.05, 0.01, 1e-3, 1e-4, 2e-5)

FULL = (
    Curve("neuron", "linear", 2, (*_PLANE, 0.025), 400, 18, 1.05),
    Curve("neuron", "relu", 2, (*_PLANE, 0.025), 400, 17, 1.0),
    Curve("weight", "linear", 2, (*_PLANE, 0.025), 400, 9, 1.0),
    Curve("weight", "relu", 2, _BITS, 800, 22, 4.2),
    Curve("neuron", "linear", 3, (0.4, 0.28, 0.2), 400, 38, 1.7),
    Curve("neuron", "relu", 3, (0.4, 0.28, 0.2), 400, 36, 1.6),
    Curve("weight", "linear", 3, (0.4, 0.28, 0.2), 256, 10, 1.5),
    Curve("weight", "relu", 3, _BITS, 800, 34, 6.5),
)

QUICK = (
    Curve("neuron", "linear", 2, (0.2, 0.1, 0.05), 128, 36, 1.05),
    Curve("neuron", "relu", 2, (0.2, 0.1, 0.05), 128, 32, 1.0),
    Curve("weight", "linear", 2, (0.2, 0.1, 0.05), 128, 17, 1.0),
    Curve("weight", "relu", 2, (0.1, 1e-2, 1e-3, 1e-4), 128, 35, 4.2),
)
# Draws enough to tell the two laws apart in the plane, for the table of the whole proof.
PLANE = (
    *(curve._replace(trials=640) for curve in QUICK[:3]),
    QUICK[3]._replace(epsilons=(0.4, 0.1, 0.05, 0.01, 1e-3, 1e-4, 2e-5), trials=1280, start=22),
)

ALARM = 1e-3  # a law that would fit worse with this chance is excluded
# What the paper says of each corner, or leaves open.
_CLAIMS = {
    ("neuron", "linear"): "a power of 1/epsilon (Theorem 1)",
    ("neuron", "relu"): "a power of 1/epsilon too (no theorem)",
    ("weight", "linear"): "log(1/epsilon), as with a ReLU (Section 1 names no output)",
    ("weight", "relu"): "log(1/epsilon) (Pensia et al., 2020)",
}

plan = curves.plan
measure = curves.measure


def draw(rows: Sequence[WidthRow]) -> "Axes":
    """Width against 1/epsilon for every corner."""
    from lottery_jax.report import figures

    ax = figures.width_curves(None, rows)
    ax.set_title(
        "Neurons or weights pruned, linear or ReLU output\n(bands: 95 % exact limits)",
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
    growth = []
    for curve in curves.names_of(rows):
        fine = _finer(rows, curve)
        fit = curves.misfit(fine)
        growth.append([*curve[:3], str(curves.fit_power(fine)), fit.power, fit.logarithm])
    return "\n".join(
        [
            "Neurons before pruning at which half of the random networks contain an epsilon-",
            "approximation on the unit ball (95 % exact limits):",
            "",
            format_table(header, cells),
            "",
            "Power of 1/epsilon at the finer half of the accuracies, at least three (95 % limits",
            "of weighted least squares), and p-values of a power and of a logarithm:",
            "",
            format_table(["pruning", "output", "d", "power", "p power", "p logarithm"], growth),
            "",
            _reading(rows),
        ]
    )


def verdicts(rows: Sequence[WidthRow]) -> list[Verdict]:
    """Whether each corner grows like a power of 1/epsilon or like its logarithm."""
    return [_judge(rows, curve) for curve in curves.names_of(rows)]


def _judge(rows: Sequence[WidthRow], curve: tuple[str, str, int, int]) -> Verdict:
    fine = _finer(rows, curve)
    fit = curves.misfit(fine)
    claim = _CLAIMS[curve[0], curve[1]]
    claimed, other = fit if claim.startswith("a power") else (fit.logarithm, fit.power)
    verdict: Judgement = "undecided"
    if claimed < ALARM:
        verdict = "fails"
    elif other < ALARM:
        verdict = "holds"
    return Verdict(
        lemma=f"{curve[0]}s, {curve[1]} output, d = {curve[2]}",
        claim=f"width grows like {claim}",
        measured=f"power {curves.fit_power(fine)} from epsilon = {fine[-1].epsilon:g} to "
        f"{fine[0].epsilon:g}; p-value of a power {fit.power:.2g}, of a logarithm "
        f"{fit.logarithm:.2g}",
        verdict=verdict,
        command="lottery-jax run corners",
    )


def _finer(rows: Sequence[WidthRow], curve: tuple[str, str, int, int]) -> list[WidthRow]:
    """The finer half of a curve's points, at least three, finest first."""
    points = [row for row in rows if row.curve == curve and math.isfinite(row.width_high)]
    points.sort(key=lambda row: row.epsilon)
    return points[: max(3, (len(points) + 1) // 2)]


def _reading(rows: Sequence[WidthRow]) -> str:
    """One paragraph, all of whose numbers are those of the rows."""
    dim = min(row.dim for row in rows)
    judged = {curve[:2]: _judge(rows, curve) for curve in curves.names_of(rows) if curve[2] == dim}
    told = "; ".join(
        f"pruned {key[0]}s below a {key[1]} output: {each.claim.removeprefix('width grows like ')} "
        f"{each.verdict}"
        for key, each in judged.items()
    )
    text = (
        f"Reading: at d = {dim}, at the finer accuracies, judged by which of the two laws the "
        f"widths exclude: {told}."
    )
    is_both = (
        judged.get(("weight", "linear"), _OPEN).verdict == "fails"
        and judged.get(("weight", "relu"), _OPEN).verdict == "holds"
        and judged.get(("neuron", "relu"), _OPEN).verdict == "holds"
    )
    if is_both:
        text += (
            " So neither change alone escapes the power. With a linear output the target's kink "
            "must be met by that of some neuron, whole or masked. A ReLU after the sum makes that "
            "kink, "
            "and sums of single weights then need only come close; sums of whole neurons must come "
            "close in more coordinates than there is freedom for. The exponential gap is one of "
            "architectures as much as of ways to prune."
        )
    return text


_OPEN = Verdict("", "", "", "undecided", "")
