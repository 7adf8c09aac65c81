"""Lemmas 4 and 5: do the capped process and the birth-death chain bound the original process?

Paths of all processes on the same neurons (`neuron_pruning.process`) say whether the capped
process ever has more broken bins than the original one (Lemma 4), in both readings of the paper.
Its chances to gain and to lose a broken bin, by state, give the p and q of a chain, whose
exact law (`neuron_pruning.birth_death`) says whether it bounds the capped process (Lemma 5).

p is 0.8 times the least chance of "own" to go up, q is 1.5 times the greatest chance to go down,
over the states, and the first step, of a pilot; the margins cover its noise, and the paths that
judge are fresh ones. All bins are decided in float64: what float32 leaves undecided would hide how
rare the violations are.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.compat import enable_x64
from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import Progress, report_part, reporting
from lottery_jax.montecarlo.counts import Counts, collect_counts
from lottery_jax.montecarlo.store import Store
from lottery_jax.neuron_pruning import birth_death, process
from lottery_jax.neuron_pruning.process_replay import find_violations, replay
from lottery_jax.proof.process_report import CONFIDENCE, Row, describe, draw, verdicts

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
_OFTEN = 1000  # visits that make the pilot's chance of a state count
_P_MARGIN, _Q_MARGIN = 0.8, 1.5


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


# Long bins and a large c make repairs frequent enough to see what depends on them; the last case is
# nearer to what the proof has in mind, many bins and repairs that hardly ever happen.
FULL = Setup(
    cases=(
        Case(length=0.5, constant=0.05, cap=2, steps=60, trials=102_400),
        Case(length=0.5, constant=0.1, cap=2, steps=60, trials=102_400),
        Case(length=0.1, constant=0.02, cap=5, steps=60, trials=20_480),
    ),
    pilot=8_192,
)
QUICK = Setup(cases=(Case(length=0.5, constant=0.1, cap=2, steps=30, trials=8_192),), pilot=4_096)


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
        for case in setup.cases:
            rates: process.Chain | None = None
            for trials in (setup.pilot, case.trials):
                part = functools.partial(report_part, report, before, trials, total)
                experiment = process.experiment(**_settings(case), chain=rates)
                with enable_x64():
                    counts = collect_counts(
                        experiment, key=key, trials=trials, store=store, mesh=mesh, progress=part
                    )
                before += trials
                if rates is None:
                    rates = _chain(counts, case)
                else:
                    rows += _rows(case, counts, rates)
                    rows += _first_violation(case, experiment, counts, key)
    return rows


def _settings(case: Case) -> dict:
    settings = {name: value for name, value in case._asdict().items() if name != "trials"}
    return settings | {"precision": "float64"}


def _chain(counts: Counts, case: Case) -> process.Chain:
    """P and q from the chances of "own" by state and step, and the chances by state."""
    each_step = counts.totals["own_moves"][: case.steps, : case.cap + 1]
    moves = each_step.sum(axis=0)
    visits = moves.sum(axis=1)
    chances = moves / np.maximum(visits, 1)[:, None]
    ups, downs = chances[:, 2:].sum(axis=1), chances[:, 0]
    is_often = visits >= _OFTEN
    if not is_often.any():
        raise ValueError(f"the pilot saw no state {_OFTEN} times; give it more paths")
    first = each_step[0, 1, 0] / counts.trials
    p = _P_MARGIN * float(np.min(ups[is_often]))
    q = _Q_MARGIN * float(max(first, np.max(downs[is_often])))
    downs = np.minimum(downs, q)
    # Decimals that name the numbers, so that the settings are the same on every machine.
    return process.Chain(
        p=round(p, 6),
        q=round(q, 6),
        up=tuple(round(float(each), 6) for each in ups),
        down=tuple(round(float(each), 6) for each in downs),
    )


def _rows(case: Case, counts: Counts, chain: process.Chain) -> list[Row]:
    total, trials, undecided = counts.totals, counts.trials, int(counts.totals["undecided"])
    is_chain = 0 < chain.q < chain.p and chain.p + chain.q <= 1
    row = functools.partial(_row, case, chain)
    rows = []
    for number, (name, other) in enumerate(
        (("own", "original"), ("copy", "original"), ("chain", "own"))
    ):
        hits = int(total["violations"][number])
        rows.append(row("above", name, None, trials, hits, undecided, other=other))
    steps = np.unique(np.round(np.geomspace(1, case.steps, 14)).astype(int)).tolist()
    for step in steps:
        exact = birth_death.law(chain.p, chain.q, case.cap, step)[0] if is_chain else None
        for number, name in enumerate(process.NAMES):
            hits = int(total["zero"][number, step])
            rows.append(row("zero", name, step, trials, hits, undecided, exact=exact))
        alone = [int(each) for each in total["zero_alone"][:, step]]
        rows.append(row("zero in one alone", "own", step, sum(alone), alone[1], other="original"))
    moves = {
        "original": total["original_moves"][: case.cap + 1],
        "own": total["own_moves"].sum(axis=0),
        "copy": total["copy_moves"][0],
        "copy beyond": total["copy_moves"][1],
    }
    parts = {
        "original": counts.chunks["original_moves"],
        "own": counts.chunks["own_moves"].sum(axis=1),
        "copy": counts.chunks["copy_moves"][:, 0],
        "copy beyond": counts.chunks["copy_moves"][:, 1],
    }
    for name, by_state in moves.items():
        for state in range(case.cap + 1):
            for what, columns in (("up", (2, 3)), ("down", (0,))):
                visits, hits = by_state[state].sum(), by_state[state, list(columns)].sum()
                chunks = parts[name][:, state]
                limits = _ratio_limits(chunks[:, list(columns)].sum(axis=1), chunks.sum(axis=1))
                rows.append(row(what, name, state, int(visits), int(hits), limits=limits))
    first = total["own_moves"][0, 1]
    rows.append(row("down at the first step", "own", 1, int(first.sum()), int(first[0])))
    return rows


def _first_violation(case: Case, experiment, counts: Counts, key: PRNGKeyArray) -> list[Row]:
    """The first path on which "own" exceeds "original", replayed from its address."""
    chunks = np.flatnonzero(counts.chunks["violations"][:, 0])
    if not chunks.size:
        return []
    with enable_x64():
        address = find_violations(experiment, key=key, chunks=[int(chunks[0])])[0]
        _, path = replay(experiment, address, key=key)
    last = int(np.flatnonzero(np.asarray(path.own > path.original))[0])
    start = max(0, last - 12)
    original, own = (
        " ".join(map(str, np.asarray(each)[start : last + 1])) for each in (path.original, path.own)
    )
    text = f"chunk {address.chunk}, lane {address.lane}, from step {start}: {original}; own: {own}"
    return [Row(*_start(case), "path", "own", last, 1, 1, 0, 1.0, 1.0, None, "original", text)]


def _start(case: Case):
    return case.length, case.constant, case.cap, case.steps


def _row(
    case, chain, what, name, at, trials, hits, undecided=0, *, exact=None, other="", limits=None
) -> Row:
    low, high = limits_exact(hits, trials, undecided=undecided, confidence=CONFIDENCE)
    if limits is not None:
        low, high = min(low, limits[0]), max(high, limits[1])
    bounds = {"up": chain.p, "down": chain.q, "down at the first step": chain.q}
    exact = bounds.get(what, exact)
    ends = float(low), float(high)
    return Row(*_start(case), what, name, at, trials, hits, undecided, *ends, exact, other, "")


def _ratio_limits(hits: np.ndarray, visits: np.ndarray) -> tuple[float, float]:
    """Limits of a chance per visit, from independent chunks: visits of one path are not.

    The ratio of means, with Student's t on its linearised terms.
    """
    from scipy import stats

    count, total = len(hits), visits.sum()
    if total == 0 or count < 2:
        return 0.0, 1.0
    ratio = hits.sum() / total
    rest = hits - ratio * visits
    error = math.sqrt(float(np.sum(rest**2)) * count / (count - 1)) / float(total)
    width = float(stats.t(count - 1).ppf((1 + CONFIDENCE) / 2)) * error
    return max(0.0, ratio - width), min(1.0, ratio + width)
