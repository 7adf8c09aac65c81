"""The exponential gap: the width that neuron and weight pruning need, against the accuracy.

Every point is the median first width (`montecarlo.threshold`) of its own draws, so the points are
independent. Accuracies are those on the unit ball; on radius R they scale with R.
"""

import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax import neuron_pruning, weight_pruning
from lottery_jax.geometry.networks import Output
from lottery_jax.montecarlo.collect import Progress, count_chunks, report_part, reporting
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store, StoreError
from lottery_jax.montecarlo.threshold import Threshold, threshold
from lottery_jax.report.fits import Slope, fit_exponent, fit_per_bit
from lottery_jax.report.tables import WidthRow, format_table, write_widths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PROBABILITY = 0.5
PILOT_TRIALS = 128
ANY = neuron_pruning.MAX_WIDTH_ANY  # no fewer than the widths at which all subsets are searched


class Curve(NamedTuple):
    """The widths of one kind of pruning at a grid of accuracies, from coarse to fine."""

    pruning: str
    output: Output
    dim: int
    epsilons: tuple[float, ...]
    trials: int  # fresh draws at each accuracy
    start: int  # a width near the one needed at the first accuracy; only saves time
    growth: float  # guess: exponent of the width (neuron), or neurons per bit (weight)
    max_kept: int = 4  # neurons; ANY where every subset is searched

    def experiment(self, width: int) -> Experiment:
        """The experiment of this curve at some width, on the unit ball."""
        if self.pruning == "weight":
            return weight_pruning.experiment(
                dim=self.dim, width=width, radius=1.0, output=self.output
            )
        return neuron_pruning.experiment(
            dim=self.dim, width=width, radius=1.0, output=self.output, max_kept=self.max_kept
        )

    def near(self, width: int | float, epsilon: float, finer: float) -> Experiment:
        """The experiment a pilot starts from, given the width needed at a coarser accuracy."""
        if self.pruning == "neuron":
            guess = math.ceil(1.4 * width * (epsilon / finer) ** self.growth)
        else:
            guess = math.ceil(1.15 * (width + self.growth * math.log2(epsilon / finer)))
        return self.experiment(min(guess, self.experiment(1).max_width or guess))


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


def measure(
    curves: Sequence[Curve],
    *,
    key: PRNGKeyArray,
    store: Store | None = None,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[WidthRow]:
    """Measure every point of the curves; what the store already holds is not run again.

    Progress counts the draws that estimate, not those of the pilots.
    """
    total = sum(curve.trials * len(curve.epsilons) for curve in curves)
    rows, done = [], 0
    with reporting(progress, total, "gap") as report:
        for curve in curves:
            width, last = curve.start, curve.epsilons[0]
            for epsilon in curve.epsilons:
                found = threshold(
                    curve.near(width, last, epsilon),
                    key=key,
                    epsilon=epsilon,
                    trials=curve.trials,
                    probability=PROBABILITY,
                    pilot_trials=PILOT_TRIALS,
                    store=store,
                    mesh=mesh,
                    progress=partial(report_part, report, done, curve.trials, total),
                )
                done += curve.trials
                width, last = found.width if math.isfinite(found.width) else found.cap, epsilon
                rows.append(_row(curve, found))
    return rows


def _row(curve: Curve, found: Threshold) -> WidthRow:
    return WidthRow(
        pruning=curve.pruning,
        output=curve.output,
        dim=curve.dim,
        epsilon=found.epsilon,
        radius=1.0,
        max_kept=curve.max_kept if curve.pruning == "neuron" and curve.max_kept < ANY else None,
        probability=found.probability,
        width=float(found.width),
        width_low=float(found.width_low),
        width_high=float(found.width_high),
        trials=found.trials,
        one_sided="upper" if found.bound == "lower" else "",
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
        [row.pruning, row.output, row.dim, _kept(row), *(getattr(row, name) for name in names)]
        for row in rows
    ]
    lines = [
        f"Neurons before pruning at which {PROBABILITY:.0%} of random networks contain an",
        "epsilon-approximation of a ReLU neuron on the unit ball (95 % exact limits):",
        "",
        format_table(header, cells),
        "",
    ]
    for curve in dict.fromkeys(row.curve for row in rows):
        pruning, output, dim, max_kept = curve
        slope = fit(rows, curve)
        if slope is None:
            continue
        kept = f", at most {max_kept} kept" if max_kept else ", any number kept"
        what = f"{pruning} pruning, {output} output, d = {dim}{kept * (pruning == 'neuron')}:"
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


def _kept(row: WidthRow) -> str:
    """The limit on the neurons kept, as a cell of the table."""
    if row.pruning == "weight":
        return "-"
    return "any" if row.max_kept is None else str(row.max_kept)


def fit(rows: Sequence[WidthRow], curve: tuple[str, str, int, int]) -> Slope | None:
    """Exponent in 1/epsilon (neuron), or neurons per coordinate per bit (weight), of one curve.

    Open points are left out; None where fewer than two are left.
    """
    points = [row for row in rows if row.curve == curve and math.isfinite(row.width_high)]
    if len(points) < 2:
        return None
    columns = [
        [row.epsilon / row.radius for row in points],
        [row.width for row in points],
        [row.width_low for row in points],
        [row.width_high for row in points],
    ]
    if curve[0] == "neuron":
        return fit_exponent(*columns)
    slope = fit_per_bit(*columns)
    return Slope(*(value / curve[2] for value in slope))


def plan(curves: Sequence[Curve]) -> str:
    """What a run will do, without doing it: points, draws, and rough time and memory."""
    header = ["pruning", "output", "d", "epsilon", "width", "draws", "chunks", "seconds", "MiB"]
    cells, programs, total = [], set(), 0.0
    for curve in curves:
        for epsilon in curve.epsilons:
            experiment = curve.near(curve.start, curve.epsilons[0], epsilon)
            chunks = sum(
                count_chunks(experiment, trials) for trials in (curve.trials, PILOT_TRIALS)
            )
            draws = chunks * experiment.lanes
            programs.add(experiment.first_width)
            seconds, size = cost(experiment, draws=draws)
            total += seconds or 0
            what = [curve.pruning, curve.output, curve.dim, epsilon, experiment.width]
            cells.append([*what, draws, chunks, seconds, size])
    return "\n".join(
        [
            format_table(header, cells),
            "",
            f"{len(cells)} points, about {total:.0f} s of one core, and some seconds for each of "
            f"{len(programs)} programs to compile; memory is per draw at work.",
        ]
    )


def cost(experiment: Experiment, *, draws: int) -> tuple[float | None, float | None]:
    """Rough seconds on one core, compilation not counted, and MiB for each draw at work.

    None where the experiment gives no estimate.
    """
    seconds, size = experiment.seconds_per_draw, experiment.bytes_per_draw
    return (
        None if seconds is None else draws * seconds(),
        None if size is None else size() / 2**20,
    )


def open_store(folder: str | os.PathLike) -> Store:
    """The store of a folder, refused if it holds counts of something else.

    Raises
    ------
    StoreError
        For a store that cannot be read, or that was not written by this command.
    """
    store = Store(Path(folder) / "gap.jsonl")
    foreign = [row["kind"] for row in store.rows() if row["kind"] == "success"]
    if foreign:
        raise StoreError(
            f"{store.path} holds the counts of another experiment; name another folder with --out"
        )
    return store
