"""Widths measured along curves: pruning of one kind at a grid of accuracies.

Every point is the median first width (`montecarlo.threshold`) of its own draws, so the points are
independent. Accuracies are those on the unit ball; on radius R they scale with R.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax import neuron_pruning, weight_pruning
from lottery_jax.geometry.networks import Output
from lottery_jax.montecarlo.collect import Progress, count_chunks, report_part, reporting
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.montecarlo.threshold import Threshold, threshold
from lottery_jax.report.fits import Slope, fit_exponent, fit_per_bit, misfit_bits, misfit_power
from lottery_jax.report.tables import WidthRow, format_table

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
    growth: float  # guess: exponent of the width, or neurons per bit of the construction
    max_kept: int = 4  # neurons; ANY where every subset is searched; not for the construction

    @property
    def is_construction(self) -> bool:
        """Weight pruning by subset sums, with any number of neurons kept."""
        return (self.pruning, self.output) == ("weight", "relu")

    def experiment(self, width: int) -> Experiment:
        """The experiment of this curve at some width, on the unit ball."""
        if self.is_construction:
            return weight_pruning.experiment(dim=self.dim, width=width, radius=1.0)
        is_neuron = self.pruning == "neuron"
        build = neuron_pruning.experiment if is_neuron else weight_pruning.few_neurons
        return build(
            dim=self.dim, width=width, radius=1.0, output=self.output, max_kept=self.max_kept
        )

    def near(self, width: int | float, epsilon: float, finer: float) -> Experiment:
        """The experiment a pilot starts from, given the width needed at a coarser accuracy."""
        if not self.is_construction:
            guess = math.ceil(1.4 * width * (epsilon / finer) ** self.growth)
        else:
            guess = math.ceil(1.15 * (width + self.growth * math.log2(epsilon / finer)))
        return self.experiment(min(guess, self.experiment(1).max_width or guess))


def measure(
    curves: Sequence[Curve],
    *,
    key: PRNGKeyArray,
    store: Store | None = None,
    mesh: Mesh | None = None,
    progress: Progress = True,
    label: str = "widths",
) -> list[WidthRow]:
    """Measure every point of the curves; what the store already holds is not run again.

    Progress counts the draws that estimate, not those of the pilots.
    """
    total = sum(curve.trials * len(curve.epsilons) for curve in curves)
    rows, done = [], 0
    with reporting(progress, total, label) as report:
        for curve in curves:
            width, last = curve.start, curve.epsilons[0]
            for epsilon in curve.epsilons:
                found = threshold(
                    curve.near(width, last, epsilon),
                    key=key,
                    epsilon=epsilon,
                    trials=curve.trials,
                    probability=PROBABILITY,
                    pilot_trials=min(PILOT_TRIALS, curve.trials),
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
        max_kept=None if curve.is_construction or curve.max_kept >= ANY else curve.max_kept,
        probability=found.probability,
        width=float(found.width),
        width_low=float(found.width_low),
        width_high=float(found.width_high),
        trials=found.trials,
        one_sided="upper" if found.bound == "lower" else "",
    )


def kept(row: WidthRow) -> str:
    """The limit on the neurons kept, as a cell of a table."""
    if (row.pruning, row.output) == ("weight", "relu"):
        return "-"
    return "any" if row.max_kept is None else str(row.max_kept)


def names_of(rows: Sequence[WidthRow]) -> list[tuple[str, str, int, int]]:
    """What tells the curves apart (`WidthRow.curve`), in the order of the rows."""
    return list(dict.fromkeys(row.curve for row in rows))


def fit_power(rows: Sequence[WidthRow]) -> Slope | None:
    """The exponent in 1/epsilon through the points of one curve.

    Open points are left out; None where fewer than two are left.
    """
    columns = _columns(rows)
    return None if len(columns[0]) < 2 else fit_exponent(*columns)


def fit_bits(rows: Sequence[WidthRow]) -> Slope | None:
    """Neurons per coordinate per bit of accuracy through the points of one curve, likewise."""
    columns = _columns(rows)
    if len(columns[0]) < 2:
        return None
    return Slope(*(value / rows[0].dim for value in fit_per_bit(*columns)))


class Misfit(NamedTuple):
    """How well two laws of growth fit: the chance of a worse fit if the widths followed them."""

    power: float  # of 1/epsilon
    logarithm: float


def misfit(rows: Sequence[WidthRow]) -> Misfit:
    """Both laws beside the points of one curve that are not open, two or more."""
    columns = _columns(rows)
    return Misfit(misfit_power(*columns), misfit_bits(*columns))


def _columns(rows: Sequence[WidthRow]) -> list[list[float]]:
    """Accuracies on the unit ball, widths and their limits, of the points that are not open."""
    points = [row for row in rows if math.isfinite(row.width_high)]
    return [
        [row.epsilon / row.radius for row in points],
        [row.width for row in points],
        [row.width_low for row in points],
        [row.width_high for row in points],
    ]


def plan(curves: Sequence[Curve]) -> str:
    """What a run will do, without doing it: points, draws, and rough time and memory."""
    header = ["pruning", "output", "d", "epsilon", "width", "draws", "chunks", "seconds", "MiB"]
    cells, programs, total = [], set(), 0.0
    for curve in curves:
        for epsilon in curve.epsilons:
            experiment = curve.near(curve.start, curve.epsilons[0], epsilon)
            chunks = sum(
                count_chunks(experiment, trials)
                for trials in (curve.trials, min(PILOT_TRIALS, curve.trials))
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
