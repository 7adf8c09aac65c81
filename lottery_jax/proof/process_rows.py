"""From counts over paths to rows: the chances of "own" by state and step, p and q, and limits.

Lemma 5 wants p and q that bound the chances "uniformly over all steps". The chances of "own" change
with its state and along the path, so they are taken by cells: one state, in one step, or in as many
neighbouring steps as it takes the pilot to visit the state `OFTEN` times there. That p and q bound
them in all cells is enough for Lemma 5: "own" is in each state after each step with the probability
of a Markov chain that has these chances, and the (q, p, T)-chain with p + q <= 1 is monotone. A
state that the pilot sees less often altogether has no cell: it is not judged.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.counts import Counts
from lottery_jax.neuron_pruning import birth_death, process

CONFIDENCE = 0.9999  # of each interval: a run sets a few hundred of them
OFTEN = 1000  # visits of the pilot that make a cell
# p is this times the least share of a cell. Of a greatest share of repairs, q takes more, and a few
# more repairs than were seen: where they are rare, the count of the pilot is mostly noise.
_P_MARGIN, _Q_MARGIN, _Q_MORE = 0.85, 1.25, 5


class Row(NamedTuple):
    """One count over the paths of one case."""

    length: float  # epsilon
    constant: float  # c of Definition 2
    cap: int  # T
    steps: int  # k
    # "above": paths on which the process exceeds the other one; "zero": paths without broken bins
    # after `at` steps; "zero in one alone": of the paths where only one of the two has none, those
    # where this process has none; "up", "down": moves from the state `at`, per visit; "up in
    # steps", "down in steps": the same in the steps of `text`; "path": one path with more broken
    # bins than the other process
    what: str
    process: str  # "original", "own", "copy", "chain"; "copy beyond": where original is above T
    at: int | None  # step or state
    trials: int  # paths, or visits
    hits: int
    undecided: int
    low: float  # limits of the probability
    high: float
    bound: float | None  # "zero": exact law of the (q, p, T)-chain; "up": p; "down": q
    other: str  # the process compared with
    text: str  # "path": its address and its last steps; "in steps": which


class Cell(NamedTuple):
    """One state of "own", in neighbouring steps."""

    state: int
    first: int  # step, from 0
    last: int


def cells(each_step: np.ndarray) -> list[Cell]:
    """Of every state, steps pooled until it is visited `OFTEN` times; what is left over at the end
    belongs to the last cell.
    """
    found = []
    for state, visits in enumerate(each_step.sum(axis=2).T):
        of_state: list[Cell] = []
        seen, first = 0, None
        for step, number in enumerate(visits.tolist()):
            first = step if first is None and number else first
            seen += number
            if first is not None and seen >= OFTEN:
                of_state.append(Cell(state, first, step))
                seen, first = 0, None
        if of_state:
            of_state[-1] = of_state[-1]._replace(last=len(visits) - 1)
        found += of_state
    return found


def choose_chain(counts: Counts, cap: int, steps: int) -> tuple[process.Chain, list[Cell]]:
    """P and q beyond the chances of "own" in all cells of the pilot, and the cells."""
    each_step = counts.totals["own_moves"][:steps, : cap + 1]
    where = cells(each_step)
    if not where:
        raise ValueError(f"the pilot saw no state {OFTEN} times; give it more paths")
    moves = np.array([each_step[cell.first : cell.last + 1, cell.state].sum(0) for cell in where])
    visits = moves.sum(axis=1)
    p = _P_MARGIN * float(np.min(moves[:, 2:].sum(axis=1) / visits))
    q = min(float(np.max((_Q_MARGIN * moves[:, 0] + _Q_MORE) / visits)), 1 - p)
    by_state = each_step.sum(axis=0)
    chances = by_state / np.maximum(by_state.sum(axis=1), 1)[:, None]
    downs = np.minimum(chances[:, 0], q)
    # Decimals that name the numbers, so that the settings are the same on every machine.
    p, q = math.floor(p * 1e6) / 1e6, math.floor(q * 1e6) / 1e6
    chain = process.Chain(
        p=p,
        q=q,
        up=tuple(round(float(each), 6) for each in chances[:, 2:].sum(axis=1)),
        down=tuple(round(float(each), 6) for each in downs),
    )
    return chain, where


def count_rows(case, counts: Counts, chain: process.Chain, where: list[Cell]) -> list[Row]:
    """All rows of one case but the path; `case` has length, constant, cap and steps."""
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
        exact = None
        if is_chain:
            exact = float(birth_death.law(chain.p, chain.q, case.cap, step)[0])
        for number, name in enumerate(process.NAMES):
            hits = int(total["zero"][number, step])
            rows.append(row("zero", name, step, trials, hits, undecided, exact=exact))
        alone = [int(each) for each in total["zero_alone"][:, step]]
        rows.append(row("zero in one alone", "own", step, sum(alone), alone[1], other="original"))
    chunks = counts.chunks
    parts = {
        "original": chunks["original_moves"],
        "own": chunks["own_moves"].sum(axis=1),
        "copy": chunks["copy_moves"][:, 0],
        "copy beyond": chunks["copy_moves"][:, 1],
    }
    for name, by_state in parts.items():
        for state in range(case.cap + 1):
            for what, columns in (("up", (2, 3)), ("down", (0,))):
                found = _moves(by_state[:, state], columns, is_once=False)
                rows.append(row(what, name, state, **found))
    for cell in where:
        moves = chunks["own_moves"][:, cell.first : cell.last + 1, cell.state].sum(axis=1)
        for what, columns in (("up in steps", (2, 3)), ("down in steps", (0,))):
            found = _moves(moves, columns, is_once=cell.first == cell.last)
            text = f"{cell.first + 1} to {cell.last + 1}"
            rows.append(row(what, "own", cell.state, **found, text=text))
    return rows


def _row(
    case, chain, what, name, at, trials, hits, undecided=0, *, exact=None, other="", limits=None,
    text="",
) -> Row:  # fmt: skip
    low, high = limits_exact(hits, trials, undecided=undecided, confidence=CONFIDENCE)
    if limits is not None:
        low, high = min(low, limits[0]), max(high, limits[1])
    bound = {"up": chain.p, "down": chain.q}.get(what.removesuffix(" in steps"), exact)
    start = case.length, case.constant, case.cap, case.steps
    ends = float(low), float(high)
    return Row(*start, what, name, at, trials, hits, undecided, *ends, bound, other, text)


def _moves(moves: np.ndarray, columns: tuple[int, ...], *, is_once: bool) -> dict:
    """Visits and those that move so; a path that visits `is_once` is one independent trial."""
    visits, hits = moves.sum(axis=1), moves[:, list(columns)].sum(axis=1)
    limits = None if is_once else ratio_limits(hits, visits)
    return {"trials": int(visits.sum()), "hits": int(hits.sum()), "limits": limits}


def ratio_limits(hits: np.ndarray, visits: np.ndarray) -> tuple[float, float]:
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
