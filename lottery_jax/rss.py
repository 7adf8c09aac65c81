"""Random subset sums measured: the items that serve one target, or all, against the accuracy.

For numbers, uniform or products of two Gaussians, and for Gaussian vectors of dimension 1 to 6. All
points of a curve are first widths of their own draws, so the points are independent. Beside the
exact limits on the (whole) number of items there is the place at which the line between two
neighbouring numbers crosses the probability: it moves less than a whole item, and fits use it.
"""

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int64, PRNGKeyArray

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import Progress, collect_rows, count_chunks, reporting
from lottery_jax.montecarlo.experiment import Experiment, check_epsilons
from lottery_jax.montecarlo.store import Store, StoreError
from lottery_jax.montecarlo.threshold import invert, threshold
from lottery_jax.random_subset_sum import scalars, vectors
from lottery_jax.report.lines import Line, fit_line
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONFIDENCE = 0.95
_NAMES = ("scalar_rss", "vector_rss")


class Curve(NamedTuple):
    """The items needed at a grid of accuracies, from coarse to fine."""

    event: str
    law: str  # of a coordinate of an item
    dim: int  # 0: numbers, with targets in [-1/2, 1/2]
    epsilons: tuple[float, ...]
    trials: int  # fresh draws at each accuracy
    guess: tuple[float, float]  # items per bit and a constant; only saves time
    probabilities: tuple[float, ...] = (0.5,)  # from the same draws

    def experiment(self, width: int) -> Experiment:
        """The experiment of this curve with so many items."""
        if self.dim:
            return vectors.experiment(dim=self.dim, width=width, event=self.event)
        return scalars.experiment(width=width, law=self.law, event=self.event)

    def near(self, epsilon: float) -> Experiment:
        """The experiment that a pilot starts from."""
        slope, constant = self.guess
        most = self.experiment(1).max_width or 1
        width = math.ceil(constant + slope * math.log2(1 / epsilon))
        return self.experiment(min(max(width, 1), most))


@dataclass(frozen=True)
class Row:
    """The items needed at one accuracy; one row of rss.csv."""

    event: str
    law: str
    dim: int  # 0: numbers
    epsilon: float
    probability: float
    width: float  # smallest number of items at which enough draws succeed; inf above the cap
    width_low: float  # exact confidence limits
    width_high: float
    place: float  # where the line between two numbers of items crosses the probability
    place_low: float  # the same of the confidence limits
    place_high: float
    trials: int
    undecided: int  # draws whose first width is left open; the limits cover them both ways
    cap: int  # items drawn

    @property
    def curve(self) -> tuple[str, str, int]:
        """What the points of one curve share."""
        return self.event, self.law, self.dim


_DECADES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
_BOTH = (0.5, 0.9)

FULL = (
    Curve("target", "uniform", 0, _DECADES, 1024, (1.1, 4.0), _BOTH),
    Curve("target", "product_normal", 0, _DECADES, 1024, (1.1, 4.0), _BOTH),
    Curve("interval", "uniform", 0, _DECADES[:4], 256, (1.15, 4.5)),
    Curve("interval", "product_normal", 0, _DECADES[:4], 256, (1.15, 5.0)),
    Curve("interval", "uniform", 0, _DECADES[4:], 64, (1.15, 4.5)),
    Curve("interval", "product_normal", 0, _DECADES[4:], 64, (1.15, 5.0)),
    Curve("target", "normal", 1, (0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4), 256, (1.2, 6.0), _BOTH),
    Curve("target", "normal", 2, (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3), 256, (2.2, 8.0), _BOTH),
    Curve("target", "normal", 3, (0.5, 0.3, 0.1, 0.03, 0.01), 256, (3.2, 12.0), _BOTH),
    Curve("target", "normal", 4, (0.5, 0.3, 0.2, 0.1, 0.05), 256, (4.2, 14.0), _BOTH),
    Curve("target", "normal", 5, (0.5, 0.3, 0.2, 0.1), 256, (5.2, 16.0), _BOTH),
    Curve("target", "normal", 6, (0.5, 0.3, 0.2, 0.1), 128, (6.2, 18.0), _BOTH),
    Curve("cube", "normal", 1, (0.3, 0.1, 0.03, 0.01), 128, (1.2, 8.0)),
    Curve("cube", "normal", 2, (0.3, 0.1, 0.05, 0.03), 128, (2.2, 13.0)),
    Curve("cube", "normal", 3, (0.5, 0.3, 0.2, 0.15), 64, (3.2, 16.0)),
    Curve("cube", "normal", 4, (0.7, 0.6, 0.5), 64, (4.2, 19.0)),
)

# Guesses that let few pilots do, and widths that need no larger program.
QUICK = (
    Curve("target", "uniform", 0, (1e-1, 1e-2, 1e-3, 1e-4), 512, (1.1, 4.0), _BOTH),
    Curve("target", "product_normal", 0, (1e-1, 1e-2, 1e-3, 1e-4), 512, (1.1, 4.0), _BOTH),
    Curve("interval", "uniform", 0, (1e-1, 3e-2, 1e-2), 256, (1.3, 5.0)),
    Curve("interval", "product_normal", 0, (1e-1, 3e-2, 1e-2), 256, (1.3, 5.0)),
    Curve("target", "normal", 2, (0.3, 0.1, 0.03, 0.01), 256, (2.2, 8.0)),
    Curve("cube", "normal", 2, (0.5, 0.3, 0.2), 64, (2.2, 13.0)),
)


def measure(
    curves: Sequence[Curve],
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """Measure every point of the curves; what the store already holds is not run again.

    Progress counts the draws that estimate, not those of the pilots.
    """
    total = sum(curve.trials * len(curve.epsilons) for curve in curves)
    rows, done = [], 0
    with reporting(progress, total, "rss") as report:
        for curve in curves:
            for epsilon in curve.epsilons:
                part = partial(_report_part, report, done, curve.trials, total)
                rows += _measure_point(curve, epsilon, part, key=key, store=store, mesh=mesh)
                done += curve.trials
    return rows


def _report_part(report, before: int, trials: int, total: int, done: int, of: int) -> None:
    """Tell of one point's progress as part of the whole; `of` is `trials` in whole chunks."""
    report(before + trials * done // of, total)


def _measure_point(curve: Curve, epsilon: float, progress, *, key, store, mesh) -> list[Row]:
    """A row for every probability, from the draws that serve the largest of them."""
    found = threshold(
        curve.near(epsilon),
        key=key,
        epsilon=epsilon,
        trials=curve.trials,
        probability=max(curve.probabilities),
        confidence=CONFIDENCE,
        store=store,
        mesh=mesh,
        progress=progress,
    )
    capped = curve.experiment(found.cap)
    certain, possible = np.zeros((2, found.cap + 2), np.int64)
    for row in collect_rows(
        capped,
        key=key,
        kind="first_width",
        epsilons=check_epsilons([epsilon]),
        chunks=range(count_chunks(capped, curve.trials)),
        store=store,  # it holds all of them by now
        mesh=mesh,
    ):
        for counts, histogram in ((certain, row["certain"]), (possible, row["possible"])):
            for width, count in histogram.items():
                counts[int(width)] += count
    certain, possible = certain[:-1].cumsum(), possible[:-1].cumsum()
    rows = []
    for probability in curve.probabilities:
        width, low, high = invert(certain, possible, found.trials, probability, CONFIDENCE)
        place, place_low, place_high = _places(certain, possible, found.trials, probability)
        rows.append(
            Row(
                event=curve.event,
                law=curve.law,
                dim=curve.dim,
                epsilon=found.epsilon,
                probability=probability,
                width=float(width),
                width_low=float(low),
                width_high=float(high),
                place=place,
                place_low=place_low,
                place_high=place_high,
                trials=found.trials,
                undecided=found.undecided,
                cap=found.cap,
            )
        )
    return rows


def _places(
    certain: Int64[np.ndarray, " width"],
    possible: Int64[np.ndarray, " width"],
    trials: int,
    probability: float,
) -> tuple[float, float, float]:
    """Where the share of successes, and its limits, cross the probability."""
    low, high = limits_exact(certain, trials, undecided=possible - certain, confidence=CONFIDENCE)
    # Half of the open draws each way.
    share = (certain + possible) / (2 * trials)
    place, place_low, place_high = (
        _crossing(np.asarray(each), probability) for each in (share, high, low)
    )
    return place, place_low, place_high


def _crossing(shares: Float[np.ndarray, " width"], probability: float) -> float:
    """The place at which the line through the shares at 0, 1, 2, ... crosses the probability."""
    at = int(np.argmax(shares >= probability))
    if shares[at] < probability:
        return math.inf
    before = shares[at - 1] if at else 0.0
    return at - 1 + float((probability - before) / (shares[at] - before))


def fit(rows: Sequence[Row], curve: tuple[str, str, int], *, probability: float = 0.5) -> Line:
    """Items against log2(1/epsilon): a line through the points of one curve that are not open.

    Raises
    ------
    ValueError
        Where fewer than two points are left.
    """
    points = [
        row
        for row in rows
        if row.curve == curve and row.probability == probability and math.isfinite(row.place_high)
    ]
    return fit_line(
        [math.log2(1 / row.epsilon) for row in points],
        [row.place for row in points],
        [row.place_low for row in points],
        [row.place_high for row in points],
        confidence=CONFIDENCE,
    )


def describe(rows: Sequence[Row]) -> str:
    """The table, and the lines through it."""
    header = ["event", "items", "d", "epsilon", "share", "n", "low", "high"]
    header += ["crossing", "from", "to", "trials", "open"]
    columns = [field.name for field in fields(Row)][:-1]
    cells = [[getattr(row, name) for name in columns] for row in rows]
    lines = [
        "Random items at which the subset sums of that share of draws serve a target, or all of",
        "them, within epsilon (95 % exact limits). d = 0: numbers, targets in [-1/2, 1/2]; else",
        "vectors in the max norm, targets in [-1, 1]^d. crossing: where the line between two",
        "numbers of items reaches the share. open: draws that rounding or a limit left undecided.",
        "",
        format_table(header, cells),
        "",
        "n at a share of 1/2 against x = log2(1/epsilon), from the crossings:",
    ]
    for curve in dict.fromkeys(row.curve for row in rows):
        event, law, dim = curve
        try:
            line = fit(rows, curve)
        except ValueError:  # too few points
            continue
        what = f"{event}, {law}" + (f", d = {dim}" if dim else "")
        each = f", {line.slope.value / dim:.2f} per coordinate and bit" if dim > 1 else ""
        lines.append(f"  {what}: n = {line}{each}")
    for law, least, most in _differences(rows):
        lines.append(
            f"All targets of [-1/2, 1/2] instead of one, {law}: {least:.1f} to {most:.1f} items "
            "more at the same epsilon."
        )
    lines += [
        "",
        "Limits of lines are 95 % normal limits of weighted least squares. Counting alone needs",
        "n >= d x for all targets of the cube, and n >= x - 1 for those of [-1/2, 1/2].",
    ]
    return "\n".join(lines)


def _differences(rows: Sequence[Row]) -> list[tuple[str, float, float]]:
    """For each law the least and the largest difference between the interval and one target."""
    at = {(row.law, row.event, row.epsilon): row.place for row in rows if _is_median(row)}
    found = []
    for law in dict.fromkeys(law for law, _, _ in at):
        more = [
            place - at[law, "target", epsilon]
            for (other, event, epsilon), place in at.items()
            if (other, event) == (law, "interval") and (law, "target", epsilon) in at
        ]
        if more:
            found.append((law, min(more), max(more)))
    return found


def _is_median(row: Row) -> bool:
    return row.probability == 0.5 and row.dim == 0 and math.isfinite(row.place)


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write rss.csv and rss.png into the folder."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    with open(folder / "rss.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows(astuple(row) for row in rows)
    figures.save(draw(rows), folder / "rss.png")


def draw(rows: Sequence[Row]) -> "Axes":
    """Items at a share of 1/2 against log2(1/epsilon): numbers left, vectors right, by coordinate.

    Returns the left axis.
    """
    from lottery_jax.report import figures

    figure = figures.new_axis(11.0, 5.0).figure
    figure.clear()
    axes = figure.subplots(1, 2)  # type: ignore[union-attr]
    styles = {"target": "-", "interval": "--", "cube": "--"}
    medians = [row for row in rows if row.probability == 0.5 and math.isfinite(row.place_high)]
    for ax, is_vector in zip(axes, (False, True), strict=True):
        chosen = [row for row in medians if bool(row.dim) == is_vector]
        kinds = list(dict.fromkeys(row.dim if is_vector else row.law for row in chosen))
        for curve in dict.fromkeys(row.curve for row in chosen):
            event, law, dim = curve
            points = sorted((row for row in chosen if row.curve == curve), key=lambda r: -r.epsilon)
            number = kinds.index(dim if is_vector else law)
            colour, marker = (
                each[number % len(each)] for each in (figures.COLOURS, figures.MARKERS)
            )
            x = [math.log2(1 / row.epsilon) for row in points]
            y, low, high = (
                [getattr(row, name) / max(dim, 1) for row in points]
                for name in ("place", "place_low", "place_high")
            )
            ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            label = f"{event}, d = {dim}" if dim else f"{event}, {law.replace('_', ' ')}"
            ax.plot(x, y, styles[event], color=colour, marker=marker, ms=4, label=label)
        ends = [math.log2(1 / row.epsilon) for row in chosen]
        if ends:
            least = [min(ends), max(ends)]
            shift = 0 if is_vector else -1
            ax.plot(
                least,
                [end + shift for end in least],
                ":",
                color="black",
                label="counting, all targets",
            )
            ax.legend(fontsize="small", frameon=False)
        ax.set_xlabel("bits of accuracy, log2(1/ε)")
        ax.set_ylabel("items per coordinate" if is_vector else "items")
        ax.grid(True, alpha=0.3)
    axes[0].set_title("numbers, targets in [-1/2, 1/2]", fontsize="medium")
    axes[1].set_title("Gaussian vectors, targets in [-1, 1]^d, max norm", fontsize="medium")
    figure.suptitle(  # type: ignore[union-attr]
        "Items whose subset sums serve one target, or all, in half of the draws", fontsize="medium"
    )
    return axes[0]


def plan(curves: Sequence[Curve]) -> str:
    """What a run will do, without doing it: points, draws, and rough time and memory."""
    header = ["event", "items", "d", "epsilon", "n", "draws", "seconds", "MiB"]
    cells, programs, total = [], set(), 0.0
    for curve in curves:
        for epsilon in curve.epsilons:
            experiment = curve.near(epsilon)
            draws = count_chunks(experiment, curve.trials) * experiment.lanes
            programs.add(experiment.first_width)
            seconds = draws * (experiment.seconds_per_draw or (lambda: 0.0))()
            size = (experiment.bytes_per_draw or (lambda: 0.0))() / 2**20
            total += seconds
            what = [curve.event, curve.law, curve.dim, epsilon, experiment.width]
            cells.append([*what, draws, seconds, size])
    return "\n".join(
        [
            format_table(header, cells),
            "",
            f"{len(cells)} points, about {total:.0f} s of one core, some more for pilots, and some "
            f"seconds for each of {len(programs)} programs to compile; memory is per draw at work.",
        ]
    )


def open_store(folder: str | os.PathLike) -> Store:
    """The store of a folder, refused if it holds counts of something else.

    Raises
    ------
    StoreError
        For a store that cannot be read, or that was not written by this command.
    """
    store = Store(Path(folder) / "rss.jsonl")
    if any(row["name"] not in _NAMES or row["kind"] == "success" for row in store.rows()):
        raise StoreError(
            f"{store.path} holds the counts of another experiment; name another folder with --out"
        )
    return store
