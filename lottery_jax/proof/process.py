"""Lemmas 4 and 5: do the capped process and the birth-death chain bound the original process?

Paths of all processes on the same neurons (`neuron_pruning.process`) say whether the capped
process ever has more broken bins than the original one (Lemma 4), in both readings of the paper.
Its chances to gain and to lose a broken bin, by state and step, give the p and q of a chain, whose
exact law (`neuron_pruning.birth_death`) says whether it bounds the capped process (Lemma 5).

A pilot chooses p and q, with a margin for its noise (`process_rows`); fresh paths say whether they
bound the chances, and judge. The path that is shown is one of the pilot, which knows no chain: its
address holds for an experiment of the printed settings alone. All bins are decided in float64: what
float32 leaves undecided would hide how rare the violations are.
"""

import functools
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.compat import enable_x64
from lottery_jax.montecarlo.collect import Progress, report_part, reporting
from lottery_jax.montecarlo.counts import Counts, collect_counts
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.montecarlo.store import Store
from lottery_jax.neuron_pruning import process
from lottery_jax.neuron_pruning.process_replay import find_violations, replay
from lottery_jax.proof.process_report import describe, draw
from lottery_jax.proof.process_rows import Row, choose_chain, count_rows
from lottery_jax.proof.process_verdicts import verdicts

__all__ = [
    "COUNTED",
    "FULL",
    "NAME",
    "QUESTION",
    "QUICK",
    "Case",
    "Row",
    "Setup",
    "describe",
    "draw",
    "measure",
    "plan",
    "verdicts",
]

NAME = "process"
QUESTION = "Do the capped process and the chain bound the pruning process? (Lemmas 4 and 5)"
COUNTED = ("process",)


class Case(NamedTuple):
    """Settings of the processes, and how many paths are drawn."""

    length: float  # epsilon
    constant: float  # c of Definition 2
    cap: int  # T
    steps: int  # k
    trials: int


class Setup(NamedTuple):
    """What a run simulates; the first case is drawn."""

    cases: tuple[Case, ...]
    pilot: int  # paths that choose p and q


# The first case, with T = 1, shows the copied moves furthest from the chain; long bins and a large
# c make repairs frequent enough to see what depends on them; the last case is nearer to what the
# proof has in mind, many bins and repairs that hardly ever happen.
FULL = Setup(
    cases=(
        Case(length=0.5, constant=0.02, cap=1, steps=60, trials=40_960),
        Case(length=0.5, constant=0.05, cap=2, steps=60, trials=102_400),
        Case(length=0.5, constant=0.1, cap=2, steps=60, trials=102_400),
        Case(length=0.1, constant=0.02, cap=5, steps=60, trials=20_480),
    ),
    pilot=8_192,
)
QUICK = Setup(cases=(Case(length=0.5, constant=0.07, cap=1, steps=30, trials=16_384),), pilot=4_096)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    seconds = sum(
        (case.trials + setup.pilot) * case.steps * (case.steps + 20) * 1e-7 for case in setup.cases
    )
    paths = sum(case.trials + setup.pilot for case in setup.cases)
    return (
        f"{paths} paths of all processes in {len(setup.cases)} settings: about {seconds:.0f} s of "
        "one core after compiling"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows of every case; paths that the store already holds are not drawn again."""
    total = sum(case.trials + setup.pilot for case in setup.cases)
    rows, before = [], 0
    with reporting(progress, total, NAME) as report:

        def collect(experiment: Experiment, trials: int) -> Counts:
            part = functools.partial(report_part, report, before, trials, total)
            with enable_x64():
                return collect_counts(
                    experiment, key=key, trials=trials, store=store, mesh=mesh, progress=part
                )

        for case in setup.cases:
            free = process.experiment(**_settings(case))
            pilot = collect(free, setup.pilot)
            before += setup.pilot
            chain, cells = choose_chain(pilot, case.cap, case.steps)
            counts = collect(process.experiment(**_settings(case), chain=chain), case.trials)
            before += case.trials
            rows += count_rows(case, counts, chain, cells)
            rows += _first_violation(case, free, pilot, key)
    return rows


def _settings(case: Case) -> dict:
    settings = {name: value for name, value in case._asdict().items() if name != "trials"}
    return settings | {"precision": "float64"}


def _first_violation(case: Case, experiment: Experiment, counts: Counts, key) -> list[Row]:
    """The first path on which "own" exceeds "original", replayed from its address."""
    chunks = np.flatnonzero(counts.chunks["violations"][:, 0])
    if not chunks.size:
        return []
    with enable_x64():
        address = find_violations(experiment, key=key, chunks=[int(chunks[0])])[0]
        _, path = replay(experiment, address, key=key)
    last = int(np.flatnonzero(np.asarray(path.own > path.original))[0])
    since = max(0, last - 12)
    original, own = (
        " ".join(map(str, np.asarray(each)[since : last + 1])) for each in (path.original, path.own)
    )
    given = ", ".join(f"{name}={value!r}" for name, value in _settings(case).items())
    text = (
        f"chunk {address.chunk}, lane {address.lane} of process.experiment({given}), from step "
        f"{since}: {original}; own: {own}"
    )
    start = case.length, case.constant, case.cap, case.steps
    return [Row(*start, "path", "own", last, 1, 1, 0, 1.0, 1.0, None, "original", text)]
