"""Units that exactness needs, against the bits of the weights.

For one random weight, for all weights of the grid at once (both: one sign half), and for a whole
layer, where every weight has two halves. Beside the products of grid weights stands the control,
items uniform on the finer grid, what counting allows, and how far products fall short of that grid.
"""

from typing import NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import Counts, collect_each, planned_seconds
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.montecarlo.threshold import invert
from lottery_jax.precision.widths_report import describe, draw
from lottery_jax.precision.widths_rows import PROBABILITIES, Row
from lottery_jax.quantized import layer_widths, products, weight_widths, width_bounds

__all__ = ["COUNTED", "FULL", "NAME", "QUESTION", "QUICK", "describe", "draw", "measure", "plan"]

NAME = "quantized_widths"
QUESTION = "How many random units does the exact representation of quantised weights need?"
COUNTED = ("quantized_weight_width", "quantized_layer_width")
CONFIDENCE = 0.99  # of each interval


class Curve(NamedTuple):
    """Widths at several bits, from draws of their own."""

    law: str  # of the items: "product" or "uniform"
    dim: int  # 0: one sign half of one input; d: a layer of d inputs and d outputs
    bits: tuple[int, ...]
    trials: int  # draws at each number of bits


class Setup(NamedTuple):
    """What a run measures."""

    curves: tuple[Curve, ...]
    cap: int  # units drawn


FULL = Setup(
    curves=(
        Curve("product", 0, (1, 2, 3, 4, 5, 6, 7), 4096),
        Curve("product", 0, (8,), 1024),
        Curve("uniform", 0, (2, 4, 6), 4096),
        Curve("product", 4, (2, 3, 4, 5, 6), 1024),
    ),
    cap=96,
)
QUICK = Setup(
    curves=(
        Curve("product", 0, (3, 5), 1024),
        Curve("uniform", 0, (4,), 1024),
        Curve("product", 2, (3,), 512),
    ),
    cap=96,
)


class _Task(NamedTuple):
    experiment: Experiment
    curve: Curve
    bits: int


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    tasks = _tasks(setup)
    draws = sum(task.curve.trials for task in tasks)
    seconds = planned_seconds([(task.experiment, task.curve.trials) for task in tasks])
    return (
        f"{draws} draws of {setup.cap} units at {len(tasks)} settings: about {seconds:.0f} s of "
        f"one core, and {3 * len(tasks)} s to compile"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows of every curve; draws that the store already holds are not run again."""
    tasks = _tasks(setup)
    found = collect_each(
        [(task.experiment, task.curve.trials) for task in tasks],
        label=NAME,
        key=key,
        store=store,
        mesh=mesh,
        progress=progress,
    )
    rows = []
    halves: dict[int, Counts] = {}  # of products, by bits
    for task, counts in zip(tasks, found, strict=True):
        if task.curve.dim:
            half = halves.get(task.bits)
            rows += _rows(task, counts, "layer", "", cap=setup.cap, half=half)
            continue
        if task.curve.law == "product":
            halves[task.bits] = counts
        for event in ("one", "all"):
            rows += _rows(task, counts, event, f"{event}_", cap=setup.cap)
    return rows


def _tasks(setup: Setup) -> list[_Task]:
    tasks = []
    for curve in setup.curves:
        for bits in curve.bits:
            if curve.dim:
                experiment = layer_widths.experiment(
                    bits=bits, num_inputs=curve.dim, num_outputs=curve.dim, cap=setup.cap
                )
            else:
                experiment = weight_widths.experiment(bits=bits, law=curve.law, cap=setup.cap)
            tasks.append(_Task(experiment, curve, bits))
    return tasks


def _rows(
    task: _Task, counts: Counts, event: str, prefix: str, *, cap: int, half: Counts | None = None
) -> list[Row]:
    """A row for every probability, from the same draws."""
    certain, possible = _successes(counts, prefix)
    rows = []
    for probability in PROBABILITIES:
        width, low, high = invert(certain, possible, counts.trials, probability, CONFIDENCE)
        masks = width_bounds.by_parameters(
            task.bits, dim=max(task.curve.dim, 1), probability=probability
        )
        subsets = None
        if event != "layer" and task.curve.law == "product":
            subsets = width_bounds.by_subsets(task.bits, event=event, probability=probability)
        independent = [None, None]
        if half is not None:
            alone, each = _successes(half, "one_"), _of_one_half(probability, task.curve.dim)
            independent = invert(alone[0], alone[1], half.trials, each, CONFIDENCE)[1:]
        rows.append(
            Row(
                event=event,
                law=task.curve.law,
                dim=task.curve.dim,
                bits=task.bits,
                probability=probability,
                width=float(width),
                low=float(low),
                high=float(high),
                trials=counts.trials,
                undecided=int((possible - certain).max()),
                cap=cap,
                confidence=CONFIDENCE,
                masks=masks,
                subsets=subsets,
                independent_low=independent[0],
                independent_high=independent[1],
                share=products.share(task.bits),
                acceptance=products.acceptance(task.bits),
            )
        )
    return rows


def _of_one_half(probability: float, dim: int) -> float:
    """With which independent halves, two for each weight, succeed together at this probability."""
    return probability ** (1 / (2 * dim**2))


def _successes(counts: Counts, prefix: str):
    """Draws that certainly, and possibly, succeed at each number of units up to the cap."""
    return tuple(counts.totals[f"{prefix}{name}"][:-1].cumsum() for name in ("certain", "possible"))
