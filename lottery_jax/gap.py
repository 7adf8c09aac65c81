"""The exponential gap: the width that neuron and weight pruning need, against the accuracy."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lottery_jax.curves import ANY, PROBABILITY, Curve, fit_bits, fit_power, kept, names_of
from lottery_jax.curves import measure as measure
from lottery_jax.curves import plan as plan
from lottery_jax.montecarlo.store import Store, open_run
from lottery_jax.report.tables import WidthRow, format_table, write_widths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FULL = (
    Curve("neuron", "linear", 2, (0.4, 0.28, 0.2, 0.14, 0.1, 0.07, 0.05, 0.04), 800, 18, 1.05),
    Curve("neuron", "linear", 2, (0.4, 0.28, 0.2, 0.14), 800, 14, 0.6, max_kept=ANY),
    Curve("neuron", "linear", 3, (0.4, 0.3, 0.22), 800, 38, 1.75),
    Curve("neuron", "linear", 3, (0.16, 0.125), 384, 180, 1.75),
    Curve("neuron", "relu", 2, (0.4, 0.28, 0.2, 0.14, 0.1), 800, 17, 1.0),
    Curve("weight", "relu", 2, (0.4, 0.1, 1e-2, 1e-3, 1e-4, 2e-5), 800, 22, 4.2),
    Curve("weight", "relu", 3, (0.4, 0.1, 1e-2, 1e-3, 1e-4, 2e-5), 800, 34, 6.5),
    Curve("weight", "relu", 8, (0.4, 0.1, 1e-2, 1e-3), 800, 100, 20.0),
    Curve("weight", "relu", 32, (0.4, 0.1, 1e-2, 1e-3), 320, 440, 90.0),
)

QUICK = (
    Curve("neuron", "linear", 2, (0.4, 0.2, 0.1), 200, 20, 1.15),
    Curve("neuron", "linear", 2, (0.4, 0.2), 200, 14, 0.6, max_kept=ANY),
    Curve("neuron", "linear", 3, (0.4, 0.25), 200, 45, 1.8),
    Curve("weight", "relu", 2, (0.4, 0.1, 1e-2, 1e-3), 200, 16, 5.0),
    Curve("weight", "relu", 3, (0.4, 0.1, 1e-2, 1e-3), 200, 24, 7.5),
)


def write(rows: Sequence[WidthRow], folder: Path) -> None:
    """Write gap.csv and gap.png into the folder."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    write_widths(folder / "gap.csv", rows)
    figures.save(draw(rows), folder / "gap.png")


def draw(rows: Sequence[WidthRow]) -> "Axes":
    """The headline figure, on a matplotlib axis: all curves up to dimension 3."""
    from lottery_jax.report import figures

    ax = figures.width_curves(None, [row for row in rows if row.dim <= 3])
    ax.set_title(
        "Neuron pruning pays a power of 1/ε, weight pruning its logarithm\n"
        "(bands: 95 % exact limits)",
        fontsize="medium",
    )
    return ax


def describe(rows: Sequence[WidthRow]) -> str:
    """The table, and what it says: exponents and neurons per bit with their limits."""
    header = ["pruning", "output", "d", "kept", "epsilon", "width", "low", "high", "trials"]
    names = ["epsilon", "width", "width_low", "width_high", "trials"]
    cells = [
        [row.pruning, row.output, row.dim, kept(row), *(getattr(row, name) for name in names)]
        for row in rows
    ]
    lines = [
        f"Neurons before pruning at which {PROBABILITY:.0%} of random networks contain an",
        "epsilon-approximation of a ReLU neuron on the unit ball (95 % exact limits):",
        "",
        format_table(header, cells),
        "",
    ]
    for curve in names_of(rows):
        pruning, output, dim, max_kept = curve
        points = [row for row in rows if row.curve == curve]
        slope = fit_power(points) if pruning == "neuron" else fit_bits(points)
        if slope is None:
            continue
        at_most = f", at most {max_kept} kept" if max_kept else ", any number kept"
        what = f"{pruning} pruning, {output} output, d = {dim}{at_most * (pruning == 'neuron')}:"
        if pruning == "neuron":
            lines.append(f"{what} width grows like (1/epsilon)^a, a = {slope}")
        else:
            lines.append(f"{what} {slope} neurons per coordinate per bit of 1/epsilon")
    lines += [
        "",
        "Limits of slopes are 95 % normal limits of weighted least squares. Every success was",
        "decided exactly. Where at most a few neurons are kept, or masks are those of the",
        "construction of Pensia et al. (weight pruning), others were not searched, and widths are",
        "upper bounds; with any number kept they are the widths themselves.",
    ]
    return "\n".join(lines)


def open_store(folder: str | os.PathLike) -> Store:
    """The store of a folder, refused if it holds counts of something else."""
    return open_run(Path(folder) / "gap.jsonl", ("neuron_pruning", "weight_pruning"))
