"""Quantised against continuous: items needed against bits of precision, half of the draws succeed.

Quantised: products of two grid weights, neither of them zero, must hit a random weight, or all
weights, of the grid of δ = 2^-k exactly. Continuous: subset sums of real numbers must come within ε
of a random target, or of all targets of [-1/2, 1/2] at once. ε = δ/2 is what rounding to the grid
would forgive; ε = δ²/2 is the same for the finer grid on which products lie. And weight pruning of
a random network must approximate a ReLU neuron within δ/2 on [-1, 1], where half of the hidden
units serve each sign.
"""

import functools
from typing import NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax import weight_pruning
from lottery_jax.montecarlo.collect import Progress, report_part, reporting
from lottery_jax.montecarlo.counts import collect_counts
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.montecarlo.threshold import invert, threshold
from lottery_jax.precision.continuous_report import describe, draw
from lottery_jax.precision.continuous_rows import Row
from lottery_jax.quantized import weight_widths
from lottery_jax.random_subset_sum import scalars

__all__ = ["COUNTED", "FULL", "NAME", "QUESTION", "QUICK", "describe", "draw", "measure", "plan"]

NAME = "quantized_continuous"
QUESTION = "Does exactness on a grid of k bits need more items than an accuracy of k bits?"
COUNTED = ("quantized_weight_width", "scalar_rss", "weight_pruning")
CONFIDENCE = 0.99  # of each interval
PROBABILITY = 0.5


class Curve(NamedTuple):
    """Continuous items at several accuracies."""

    model: str  # "subset sum" or "weight pruning"
    event: str  # "one" or "all"
    law: str  # of the items
    power: int  # of delta in the accuracy, 1 or 2
    bits: tuple[int, ...]

    def epsilon(self, bits: int) -> float:
        """Half a step of the grid, or of the grid of products."""
        return 2.0 ** -(self.power * bits + 1)

    def experiment(self, bits: int) -> Experiment:
        """The experiment from which a pilot starts."""
        if self.model == "weight pruning":
            return weight_pruning.experiment(dim=1, width=3 * bits + 12, radius=1.0)
        event = "target" if self.event == "one" else "interval"
        guess = self.power * bits + (4 if self.event == "one" else 7)
        return scalars.experiment(width=guess, law=self.law, event=event)


class Setup(NamedTuple):
    """What a run measures."""

    quantized: tuple[int, ...]  # bits
    quantized_trials: int
    curves: tuple[Curve, ...]
    trials: int  # of each continuous point


_BITS = (1, 2, 4, 6, 8)

FULL = Setup(
    quantized=_BITS,
    quantized_trials=2048,
    curves=(
        Curve("subset sum", "one", "uniform", 1, _BITS),
        Curve("subset sum", "one", "product_normal", 1, _BITS),
        Curve("subset sum", "all", "product_normal", 1, _BITS),
        Curve("subset sum", "one", "product_normal", 2, _BITS),
        Curve("subset sum", "all", "product_normal", 2, (1, 2, 4, 5)),
        Curve("weight pruning", "one", "product_normal", 1, _BITS),
    ),
    trials=512,
)
QUICK = Setup(
    quantized=(2, 4),
    quantized_trials=512,
    curves=(
        Curve("subset sum", "one", "product_normal", 1, (2, 4)),
        Curve("subset sum", "one", "product_normal", 2, (2, 4)),
    ),
    trials=256,
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    points = sum(len(curve.bits) for curve in setup.curves)
    return (
        f"{len(setup.quantized)} points of {setup.quantized_trials} quantised draws and {points} "
        f"of {setup.trials} continuous ones and their pilots: about a minute, compiling included"
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
    points = [(curve, bits) for curve in setup.curves for bits in curve.bits]
    total = len(setup.quantized) * setup.quantized_trials + len(points) * setup.trials
    rows, done = [], 0
    with reporting(progress, total, NAME) as report:
        for bits in setup.quantized:
            part = functools.partial(report_part, report, done, setup.quantized_trials, total)
            counts = collect_counts(
                weight_widths.experiment(bits=bits, law="live"),
                key=key,
                trials=setup.quantized_trials,
                store=store,
                mesh=mesh,
                progress=part,
            )
            done += setup.quantized_trials
            for event in ("one", "all"):
                certain, possible = (
                    counts.totals[f"{event}_{name}"][:-1].cumsum()
                    for name in ("certain", "possible")
                )
                limits = invert(certain, possible, counts.trials, PROBABILITY, CONFIDENCE)
                what = "quantised", event, "live product", "exact"
                rows.append(_row(*what, bits, None, limits, counts.trials))
        for curve, bits in points:
            part = functools.partial(report_part, report, done, setup.trials, total)
            found = threshold(
                curve.experiment(bits),
                key=key,
                epsilon=curve.epsilon(bits),
                trials=setup.trials,
                probability=PROBABILITY,
                confidence=CONFIDENCE,
                store=store,
                mesh=mesh,
                progress=part,
            )
            done += setup.trials
            limits = found.width, found.width_low, found.width_high
            accuracy = "delta/2" if curve.power == 1 else "delta^2/2"
            what = curve.model, curve.event, curve.law.replace("_", " "), accuracy
            rows.append(_row(*what, bits, found.epsilon, limits, found.trials))
    return rows


def _row(
    model: str,
    event: str,
    law: str,
    accuracy: str,
    bits: int,
    epsilon: float | None,
    limits: tuple[int | float, int | float, int | float],
    trials: int,
) -> Row:
    # Half of the hidden units of a pruned network serve each sign.
    share = 0.5 if model == "weight pruning" else 1.0
    items, low, high = (share * each for each in limits)
    return Row(
        model=model,
        event=event,
        law=law,
        accuracy=accuracy,
        bits=bits,
        epsilon=epsilon,
        items=items,
        low=low,
        high=high,
        trials=trials,
        probability=PROBABILITY,
        confidence=CONFIDENCE,
    )
