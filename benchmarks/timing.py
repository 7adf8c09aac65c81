"""Two programs on the same work, interleaved, compilation apart, answers compared."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax


class Result(NamedTuple):
    """One row of the table."""

    case: str
    work: str  # what one unit of work is
    rival: str
    ours_per_second: float  # units of work
    rival_per_second: float
    ratio: float  # median over interleaved rounds
    compile_seconds: float  # first call less a later one
    checked: int  # answers compared
    agree: bool
    goal: str


def compare(
    case: str,
    *,
    work: str,
    rival: str,
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    ours_units: int,
    their_units: int,
    agree: Callable[[Any, Any], tuple[int, bool]],
    rounds: int = 5,
    goal: str = "",
) -> Result:
    """Run both in turn, `rounds` times; block on every result; report units per second."""
    start = time.perf_counter()
    answer = jax.block_until_ready(ours())
    first = time.perf_counter() - start
    their_answer = theirs()
    our_times, their_times = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = jax.block_until_ready(ours())
        middle = time.perf_counter()
        their_answer = theirs()
        our_times.append((middle - start) / ours_units)
        their_times.append((time.perf_counter() - middle) / their_units)
    checked, is_equal = agree(answer, their_answer)
    pairs = zip(our_times, their_times, strict=True)
    return Result(
        case=case,
        work=work,
        rival=rival,
        ours_per_second=1 / statistics.median(our_times),
        rival_per_second=1 / statistics.median(their_times),
        ratio=statistics.median(theirs / ours for ours, theirs in pairs),
        compile_seconds=max(0.0, first - min(our_times) * ours_units),
        checked=checked,
        agree=is_equal,
        goal=goal,
    )
