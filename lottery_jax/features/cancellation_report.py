"""What the gradients and the recall say of the cancellation: figure and text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lottery_jax.features.cancellation_rows import CONFIDENCE, Row
from lottery_jax.features.points import CAUTION, draw_chance, draw_shares
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUNDING = 1e-12  # norms below are 0 in float64
_NAMES = {"zero": "no biases", "normal": "normal biases"}


def draw(rows: Sequence[Row]) -> "Axes":
    """Left: the norm of the gradient against c; right: recall of line 4. Gives the left axis."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(11.5, 4.8).figure
    figure.clear()
    left, right = figure.subplots(1, 2)  # pyright: ignore[reportAttributeAccessIssue]
    for number, biases in enumerate(_NAMES):
        shown = [row for row in rows if (row.what, row.biases) == ("gradient", biases)]
        label = _NAMES[biases] + (", root mean square" if biases == "normal" else "")
        norms: Any = [row.norm for row in shown]
        left.plot([row.shift for row in shown], norms, color=figures.COLOURS[number], label=label)
    norm = _norm_at_one(rows, "zero")
    told = f"{norm:.2g}" if norm > ROUNDING else "0 but for rounding"
    left.plot([1], [norm], "o", color=figures.COLOURS[0], label=f"c = 1 without biases: {told}")
    for number, curve in enumerate(_curves(rows)):
        first: Any = curve[0]
        at: Any = [row.size for row in curve]
        columns: Any = [[getattr(row, name) for row in curve] for name in _LINE]
        draw_shares(
            right,
            at,
            *columns,
            colour=figures.COLOURS[number],
            marker=figures.MARKERS[number],
            label=f"{_NAMES[first.biases]}, {_basis(first)}",
            line="--" if first.shift == 1 else "-",
        )
    curve: Any = _curves(rows)[0]
    at, chance = [row.size for row in curve], [row.line_chance for row in curve]
    draw_chance(right, at, chance, colour="black", label="chance level M/d")
    right.set_xscale("log")
    right.set_ylim(-0.02, 1.04)
    left.set_ylim(bottom=-0.002)
    left.set_xlabel("c of the shifted basis vector (1: unshifted)")
    left.set_ylabel("norm of the gradient of one unit, variance of f = 1")
    right.set_xlabel("samples n")
    right.set_ylabel("recall of line 4: share of the support found")
    left.set_title("f = (He_2/√2 + 2√3 He_4/√24)/√13, closed form", fontsize="small")
    right.set_title(
        f"sum of f over {curve[0].support_size} of d = {curve[0].dim} inputs, M = "
        f"{curve[0].support_size}",
        fontsize="small",
    )
    for ax in (left, right):
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="small", frameon=False)
    title = (
        f"bars: {100 * CONFIDENCE:g} % limits of the mean over {curve[0].trials} draws, which the "
        f"points of a curve share: {CAUTION}"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return left


_LINE = ("line", "line_low", "line_high")


def describe(rows: Sequence[Row]) -> str:
    """Gradients at a few c, recall by basis and biases, and what they say."""
    gradients = [row for row in rows if row.what == "gradient"]
    few = gradients[:: max(1, len(gradients) // 16)] + [r for r in gradients if r.shift == 1]
    few = sorted(set(few), key=lambda row: (row.biases, row.shift))
    norms = format_table(["biases", "c", "norm"], [[r.biases, r.shift, r.norm] for r in few])
    header = ["biases", "c", "n", "draws", "line 4", "low", "high", "M/d", "recall", "low", "high"]
    header += ["chance"]
    cells = [
        [
            *(row.biases, row.shift, row.size, row.trials, row.line, row.line_low, row.line_high),
            *(row.line_chance, row.recall, row.low, row.high, row.chance),
        ]
        for row in rows
        if row.what == "recall"
    ]
    return "\n\n".join([norms, format_table(header, cells), _reading(rows)])


def _reading(rows: Sequence[Row]) -> str:
    zero, normal = (_norm_at_one(rows, name) for name in ("zero", "normal"))
    told = f"has the norm {zero:.3g}" if zero > ROUNDING else "is 0 but for rounding"
    said = [
        f"At c = 1 the gradient {told} without biases, and its norm is {normal:.3g} in the root "
        "mean square over normal ones."
    ]
    for curve in _curves(rows):
        last: Any = curve[-1]
        sees = (
            "above chance"
            if last.line_low > last.line_chance
            else "below chance"
            if last.line_high < last.line_chance
            else "not apart from chance"
        )
        said.append(
            f"With {_NAMES[last.biases]} and the {_basis(last)}, line 4 finds {last.line:.2f} "
            f"[{last.line_low:.2f}, {last.line_high:.2f}] of the support at n = {last.size}, "
            f"{sees} ({last.line_chance:.2f}); all lines find {last.recall:.2f}, where "
            f"{last.chance:.2f} is chance."
        )
    blind = _found(rows, "zero", is_shifted=False)
    shifted, biased = (
        _found(rows, "zero", is_shifted=True),
        _found(rows, "normal", is_shifted=False),
    )
    if not blind and shifted:
        said.append(
            "So without biases the shift is what lets line 4 see the support"
            + ("; normal biases do that too." if biased else ", and normal biases do not help.")
        )
    first = _curves(rows)[0][-1]
    if zero <= ROUNDING and not blind and (first.low or 0) > (first.chance or 0):
        said.append(
            "What all lines keep beyond chance in the unshifted basis without biases is not the "
            "mean gradient; an explanation, which no row shows, is that sums over samples of "
            "products with inputs of the support have the larger variance."
        )
    said.append(f"Limits are {100 * CONFIDENCE:g} % each, from the spread over draws: {CAUTION}.")
    return " ".join(said)


def _norm_at_one(rows: Sequence[Row], biases: str) -> float:
    """Of the gradient in the unshifted basis."""
    asked = ("gradient", biases, 1)
    return next(row.norm or 0.0 for row in rows if (row.what, row.biases, row.shift) == asked)


def _found(rows: Sequence[Row], biases: str, *, is_shifted: bool) -> bool:
    """Whether line 4 sees the support from the most rows."""
    curve = next(
        curve
        for curve in _curves(rows)
        if (curve[0].biases, curve[0].shift < 1) == (biases, is_shifted)
    )
    return (curve[-1].line_low or 0) > (curve[-1].line_chance or 0)


def _basis(row: Row) -> str:
    return "unshifted basis" if row.shift == 1 else f"basis shifted with c = {row.shift:g}"


def _curves(rows: Sequence[Row]) -> list[list[Row]]:
    groups: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        if row.what == "recall":
            groups.setdefault((row.biases, row.shift), []).append(row)
    return list(groups.values())
