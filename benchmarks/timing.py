"""Two programs on the same work, interleaved, compilation apart, answers compared.

Two clocks: "core" counts the processor seconds of all threads of this process, so that work per
second is that of one core; "machine" is wall time, in which each program may use every core.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax

CLOCKS = {"core": time.process_time, "machine": time.perf_counter}


class Checked(NamedTuple):
    """What came of comparing the answers."""

    number: int  # answers compared
    agree: bool
    note: str = ""  # what the reader of the row must know


class Rival(NamedTuple):
    """Another program for the same work."""

    name: str
    run: Callable[[], Any]
    units: int  # of work in one run
    agree: Callable[[Any, Any], Checked]  # from our answer and theirs
    clock: str = "core"
    compiles: bool = False  # the first run is not timed
    rounds: int | None = None  # fewer for a slow program
    goal: str = ""


class Missing(NamedTuple):
    """A rival that is not installed."""

    rival: str
    package: str


class Result(NamedTuple):
    """One row of the table."""

    case: str
    work: str  # what one unit of work is
    rival: str
    clock: str
    ours_per_second: float  # units of work
    rival_per_second: float
    ratio: float  # median over interleaved rounds
    compile_seconds: float  # wall time of the first call less a later one
    rival_compile_seconds: float | None  # None where nothing is compiled
    checked: int  # answers compared
    agree: bool
    goal: str
    note: str


def compare(
    case: str,
    *,
    work: str,
    ours: Callable[[], Any],
    units: int,
    rivals: Iterable[Rival | Missing],
    rounds: int = 5,
) -> Iterator[Result | Missing]:
    """Run our program and each rival in turn, `rounds` times, and block on every result.

    Parameters
    ----------
    ours
        Our program; called once before it is timed.
    units
        Of work in one run of it.
    """
    first = _timed(ours, "machine").seconds
    later = _timed(ours, "machine").seconds
    for rival in rivals:
        if isinstance(rival, Missing):
            yield rival
            continue
        their_first = _timed(rival.run, "machine").seconds if rival.compiles else None
        our_runs, their_runs = [], []
        for _ in range(min(rounds, rival.rounds or rounds)):
            our_runs.append(_timed(ours, rival.clock))
            their_runs.append(_timed(rival.run, rival.clock))
        our_times = [run.seconds / units for run in our_runs]
        their_times = [run.seconds / rival.units for run in their_runs]
        pairs = zip(our_times, their_times, strict=True)
        checked = rival.agree(our_runs[-1].answer, their_runs[-1].answer)
        yield Result(
            case=case,
            work=work,
            rival=rival.name,
            clock=rival.clock,
            ours_per_second=1 / statistics.median(our_times),
            rival_per_second=1 / statistics.median(their_times),
            ratio=statistics.median(theirs / ours for ours, theirs in pairs),
            compile_seconds=round(max(0.0, first - later), 2),
            rival_compile_seconds=_compiling(their_first, their_runs),
            checked=checked.number,
            agree=checked.agree,
            goal=rival.goal,
            note=checked.note,
        )


def _compiling(first: float | None, runs: "list[_Run]") -> float | None:
    """What the first call took longer than the others; None where it was compiled before."""
    if first is None:
        return None
    return round(max(0.0, first - min(run.wall for run in runs)), 2) or None


class _Run(NamedTuple):
    answer: Any
    seconds: float  # on the clock asked for
    wall: float


def _timed(run: Callable[[], Any], clock: str) -> _Run:
    read = CLOCKS[clock]
    wall, start = time.perf_counter(), read()
    answer = jax.block_until_ready(run())
    # A clock of coarse ticks must not give a rate without bound.
    return _Run(answer, max(read() - start, 1e-6), time.perf_counter() - wall)
