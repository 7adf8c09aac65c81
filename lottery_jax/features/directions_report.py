"""What pruning keeps and gains for each law of directions and inputs: figure and text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lottery_jax.features.directions_rows import CONFIDENCE, Row
from lottery_jax.features.points import CAUTION, draw_chance, draw_shares
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(rows: Sequence[Row]) -> "Axes":
    """Mass kept, and the gain in test error; directions left, inputs right. Gives the first."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    groups = _groups(rows)
    figure = figures.new_axis(1.5 + 5.5 * len(groups), 8.0).figure
    figure.clear()
    panels = figure.subplots(2, len(groups), sharex=True, sharey="row", squeeze=False)  # type: ignore[union-attr]
    for column, (title, curves) in enumerate(groups):
        upper, lower = panels[0, column], panels[1, column]
        for number, curve in enumerate(curves):
            first = curve[0]
            colour = figures.COLOURS[number % len(figures.COLOURS)]
            marker = figures.MARKERS[number % len(figures.MARKERS)]
            at = [row.size for row in curve]
            sparse = f"{first.law}, effective size {first.effective:.3g}"
            label = first.inputs if column else sparse
            ends = [row.mass_low for row in curve], [row.mass_high for row in curve]
            style = {"colour": colour, "marker": marker, "label": label}
            draw_shares(upper, at, [row.mass for row in curve], *ends, **style)
            upper.plot(at, [row.largest for row in curve], "--", color=colour, lw=0.8)
            draw_chance(upper, at, [row.chance for row in curve], colour=colour)
            ends = [row.gain_low for row in curve], [row.gain_high for row in curve]
            draw_shares(lower, at, [row.gain for row in curve], *ends, **style)
        upper.plot([], [], ":", color="black", lw=1, label="chance level |J|/d, by colour")
        upper.plot([], [], "--", color="black", lw=0.8, label="largest with |J| inputs, by colour")
        lower.axhline(0, color="black", ls=":", lw=1, label="no gain")
        upper.set_title(title, fontsize="medium")
        upper.set_ylim(-0.02, 1.04)
        lower.set_xlabel("samples n")
        lower.set_xscale("log")
        upper.legend(fontsize="x-small", frameon=False, loc="lower left", ncols=2)  # below chance
        lower.legend(fontsize="x-small", frameon=False)
        for ax in (upper, lower):
            ax.grid(True, alpha=0.3)
    panels[0, 0].set_ylabel("share of the direction on the inputs kept")
    panels[1, 0].set_ylabel("gain: test error of dense minus that of pruned")
    first = rows[0]
    title = (
        f"d = {first.dim}, M = {first.kept_entries}, target He_{first.exponent} of one direction; "
        "errors: variance of y = 1 for normal inputs\n"
        f"bars: {100 * CONFIDENCE:g} % limits of the mean over {first.seeds} seeds, of shares "
        f"{CAUTION};\nall points share the seeds, and all directions their rows of inputs"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return panels[0, 0]


def _groups(rows: Sequence[Row]) -> list[tuple[str, list[list[Row]]]]:
    """Laws of directions under normal inputs, and laws of inputs under the flat direction."""
    curves: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        curves.setdefault((row.law, row.inputs), []).append(row)
    laws = [curve for (_, inputs), curve in curves.items() if inputs == "normal"]
    inputs = [curve for (law, _), curve in curves.items() if law == "flat"]
    groups = [("normal inputs, directions of several laws", laws)]
    return groups + [("flat direction, inputs of several laws", inputs)] * (len(inputs) > 1)


def describe(rows: Sequence[Row]) -> str:
    """The rows, the exponents of theory beside them, and what they say."""
    header = ["direction", "inputs", "n", "mass", "low", "high", "largest", "chance", "pruned"]
    header += ["+-", "dense", "+-", "gain", "low", "high"]
    cells = [
        [
            *(row.law, row.inputs, row.size, row.mass, row.mass_low, row.mass_high, row.largest),
            *(row.chance, row.pruned, row.pruned_deviation, row.dense, row.dense_deviation),
            *(row.gain, row.gain_low, row.gain_high),
        ]
        for row in rows
    ]
    told = ["direction", "effective size", "alpha", "CSQ bound", "pruning", "dense, one step"]
    laws = {row.law: row for row in rows}
    theory = [
        [
            *(row.law, row.effective, row.alpha, f"d^{min(row.alpha, 0.5) * row.exponent:.2f}"),
            *(f"d^{row.alpha * row.exponent:.2f}", f"d^{row.exponent}"),
        ]
        for row in laws.values()
    ]
    return "\n\n".join([format_table(header, cells), format_table(told, theory), _reading(rows)])


def _reading(rows: Sequence[Row]) -> str:
    most = max(row.size for row in rows)
    said = []
    for row in rows:
        if row.size != most:
            continue
        what = f"the {row.law} direction" + (
            "" if row.inputs == "normal" else f" with {row.inputs} inputs"
        )
        verdict = (
            "pruning helps"
            if row.gain_low > 0
            else "pruning hurts"
            if row.gain_high < 0
            else "no difference is seen"
        )
        said.append(
            f"For {what} at n = {row.size} the inputs kept carry {row.mass:.2f} of it (at most "
            f"{row.largest:.2f}, by chance {row.chance:.2f}), and the error of the dense network "
            f"minus that of the pruned one is {row.gain:+.3f} [{row.gain_low:+.3f}, "
            f"{row.gain_high:+.3f}]: {verdict}."
        )
    said.append(
        f"Limits are {100 * CONFIDENCE:g} % each, by Student's law over {rows[0].seeds} seeds; "
        f"those of shares are {CAUTION}. All directions have the same seeds and rows of inputs, so "
        "that their means are not independent; +- is one standard error. A target of inputs that "
        "are not normal has no variance of exactly 1."
    )
    return " ".join(said)
