"""Quantised networks of one to three layers, cut out of random ones and checked on every input.

Two constructions: two layers for each layer of the target (depth 2 l), and one layer more than the
target with copies of its outputs (depth l + 1). At each size the pruned network is evaluated beside
its target on the whole grid of inputs, or on corners and random inputs where that is too large.
"""

from typing import NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import collect_each
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.precision.layers_report import describe, draw
from lottery_jax.precision.layers_rows import Row
from lottery_jax.quantized import audit, copies, layers, networks

__all__ = ["COUNTED", "FULL", "NAME", "QUESTION", "QUICK", "describe", "draw", "measure", "plan"]

NAME = "quantized_layers"
QUESTION = "Which share of random networks is, after pruning, a quantised target exactly?"
COUNTED = ("quantized_network",)
CONFIDENCE = 0.99  # of each interval


class Case(NamedTuple):
    """Networks of one shape, at several sizes on the same draws."""

    widths: tuple[int, ...]  # of the target
    sizes: tuple[int, ...] | tuple[tuple[int, int], ...]  # units, or units and copies
    trials: int
    bits: int = 3
    input_bits: int = 3

    def experiment(self) -> Experiment:
        """The experiment of this case."""
        return networks.experiment(
            widths=self.widths, bits=self.bits, sizes=self.sizes, input_bits=self.input_bits
        )


class Setup(NamedTuple):
    """What a run builds."""

    cases: tuple[Case, ...]


_UNITS = (16, 24, 32, 40, 48, 56, 64)
_COPIES = ((16, 8), (24, 10), (32, 12), (40, 14), (48, 16), (64, 20))

FULL = Setup(
    (
        Case((2, 2), _UNITS, 512),
        Case((2, 2, 2), _UNITS, 512),
        Case((2, 2, 2, 2), _UNITS, 512),
        Case((2, 2, 2), _COPIES, 256),
        Case((2, 2, 2, 2), _COPIES, 256),
        Case((4, 3, 2), (72,), 32),
        Case((2, 2, 2), (72,), 16, bits=4, input_bits=8),
        Case((8, 4, 2), (72,), 32),
    )
)
QUICK = Setup(
    (
        Case((2, 1, 2), (16, 24, 48), 128),
        Case((2, 1, 2), ((16, 8), (24, 10), (48, 16)), 128),
    )
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    draws = sum(case.trials for case in setup.cases)
    audits = sum(case.trials * len(case.sizes) for case in setup.cases)
    inputs = sum(
        case.trials * len(case.sizes) * audit.num_checked(case.widths[0], case.input_bits)
        for case in setup.cases
    )
    return (
        f"{draws} pairs of networks in {len(setup.cases)} cases, pruned at {audits} sizes and "
        f"compared on {inputs} inputs: a minute or less, compiling included"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows of every case; draws that the store already holds are not run again."""
    tasks = [(case.experiment(), case.trials) for case in setup.cases]
    found = collect_each(tasks, label=NAME, key=key, store=store, mesh=mesh, progress=progress)
    rows = []
    for case, counts in zip(setup.cases, found, strict=True):
        totals = {name: each.tolist() for name, each in counts.totals.items()}
        for place, size in enumerate(case.sizes):
            numbers = {name: each[place] for name, each in totals.items()}
            rows.append(_row(case, size, counts.trials, **numbers))
    return rows


def _row(
    case: Case, size: int | tuple[int, int], trials: int, *, served: int, equal: int, broken: int
) -> Row:
    units, number = size if isinstance(size, tuple) else (size, None)
    settings = case.widths, case.bits, case.bits, units
    if number is None:
        parameters = layers.num_parameters(layers.Design(*settings))
    else:
        parameters = copies.num_parameters(copies.Design(*settings, number))
    weights = sum(a * b for a, b in zip(case.widths, case.widths[1:], strict=False))
    low, high = limits_exact(equal, trials, confidence=CONFIDENCE)
    served_low, served_high = limits_exact(served, trials, confidence=CONFIDENCE)
    dim = case.widths[0]
    return Row(
        construction="depth 2l" if number is None else "depth l + 1",
        num_layers=len(case.widths) - 1,
        widths="-".join(map(str, case.widths)),
        bits=case.bits,
        input_bits=case.input_bits,
        units=units,
        copies=number,
        parameters=parameters,
        per_weight=parameters / weights,
        inputs=audit.num_checked(dim, case.input_bits),
        is_whole_grid="yes" if audit.is_whole_grid(dim, case.input_bits) else "no",
        trials=trials,
        equal=equal,
        low=float(low),
        high=float(high),
        served=served,
        served_low=float(served_low),
        served_high=float(served_high),
        broken=broken,
        confidence=CONFIDENCE,
    )
