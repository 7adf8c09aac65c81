"""Exact subset sums of whole numbers: which exist, perfect partitions, and how many subsets."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks import rivals_integers as rivals
from benchmarks import solvers, solvers_integers
from benchmarks.extras import needs
from benchmarks.timing import Checked, Missing, Result, Rival, compare
from lottery_jax.subset_sum import integers

_SECONDS = 30.0  # that a general solver may take for an instance


class Instances(NamedTuple):
    """Positive items, and half of each total as the target."""

    items: np.ndarray
    targets: np.ndarray

    def first(self, some: int) -> "Instances":
        """Fewer of them."""
        return Instances(self.items[:some], self.targets[:some])


def integer_exists(scale: str) -> Iterator[Result | Missing]:
    """Many items: whether half of the total is a sum, and all sums at once, as bits."""
    cases = ((40, 6, 8, 2),) if scale == "quick" else ((128, 16, 64, 8), (256, 20, 8, 2))
    for num_items, bits, batch, few in cases:
        drawn = _draw(num_items, 2**bits - 1, batch)
        case = f"n={num_items}, {bits} bits, {batch} together"
        goal = "20 x" if num_items == 128 else ""
        one_by_one = functools.partial(_one_by_one, drawn=drawn, some=few)
        window = functools.partial(rivals.has_sum_in_window, bits=bits)
        integer = lambda row, target: rivals.has_sum_integer(row.tolist(), target)  # noqa: E731
        yield from compare(
            f"one sum {case}",
            work="instance",
            ours=lambda drawn=drawn: integers.exists(*drawn),
            units=batch,
            rivals=[
                one_by_one("NumPy bits", rivals.has_sum, goal=goal),
                one_by_one("NumPy bits of halves", rivals.has_sum_of_halves, goal=goal),
                _one_by_one("NumPy, same window", window, drawn, batch),
                one_by_one("Python integers", integer),
                *_numba_bits(one_by_one),
                *_solvers(drawn, 2, 2, ("complete_greedy",)),
            ],
        )
        yield from compare(
            f"all sums {case}",
            work="instance",
            ours=lambda drawn=drawn: integers.reachable(drawn.items).words,
            units=batch,
            rivals=_sets(drawn.first(few)),
        )


def integer_partition(scale: str) -> Iterator[Result | Missing]:
    """Perfect partitions in the middle of their window, where about five of eight exist."""
    sizes = {12: (256, 4, 1)}
    if scale != "quick":
        sizes = {16: (4096, 16, 4), 20: (1024, 8, 2), 24: (256, 4, 1)}
    for num_items, (batch, few, fewer) in sizes.items():
        drawn = _draw(num_items, round(2 ** (num_items - math.log2(num_items) / 2)), batch)

        def merge(drawn=drawn, batch=batch) -> Rival:
            from benchmarks.native_sums import merge_mirrored

            exact = np.float64(drawn.items), np.float64(drawn.targets)  # sums below 2**53
            run = lambda: merge_mirrored(*exact) == 0  # noqa: E731
            return Rival("numba half merge", run, batch, _same, compiles=True)

        yield from compare(
            f"partition n={num_items}, lambda 0, {batch} together",
            work="instance",
            ours=lambda drawn=drawn: integers.exists(*drawn),
            units=batch,
            rivals=[
                _together("NumPy tagged sort", rivals.have_sums, drawn),
                *needs("numba", "numba", merge),
                *_solvers(drawn, few, fewer, ("cbldm", "complete_greedy")),
            ],
        )


def integer_count(scale: str) -> Iterator[Result | Missing]:
    """The number of subsets with half of the total as their sum: by halves, and by tables."""
    quick = scale == "quick"
    for num_items, bits, batch in ((10, 6, 64),) if quick else ((20, 16, 512), (24, 20, 128)):
        drawn = _draw(num_items, 2**bits - 1, batch)
        some = drawn.first(32)
        yield from compare(
            f"count n={num_items}, {bits} bits, {batch} together",
            work="instance",
            ours=lambda drawn=drawn: integers.count(*drawn),
            units=batch,
            rivals=[
                _together("NumPy searchsorted", rivals.count_sums, some),
                _together("NumPy unique", rivals.count_sums_merged, some),
            ],
        )
    for num_items, bits, batch in ((44, 4, 4),) if quick else ((48, 10, 32), (64, 10, 32)):
        drawn = _draw(num_items, 2**bits, batch)
        yield from compare(
            f"count n={num_items}, {bits} bits, {batch} together",
            work="instance",
            ours=lambda drawn=drawn: integers.count(*drawn),
            units=batch,
            rivals=[_one_by_one("NumPy table", rivals.count_table, drawn, batch)],
        )


def _draw(num_items: int, largest: int, batch: int) -> Instances:
    items = np.random.default_rng(num_items).integers(1, largest + 1, (batch, num_items))
    return Instances(items, items.sum(axis=1) // 2)


def _together(name: str, solve: Callable, drawn: Instances, **how: Any) -> Rival:
    return Rival(name, lambda: solve(*drawn), len(drawn.targets), _same, rounds=3, **how)


def _one_by_one(name: str, solve: Callable, drawn: Instances, some: int, **how: Any) -> Rival:
    rows = list(zip(*drawn.first(some), strict=True))
    run = lambda: [solve(row, int(target)) for row, target in rows]  # noqa: E731
    return Rival(name, run, len(rows), _same, **{"rounds": 3, **how})


def _numba_bits(rival: Callable[..., Rival]) -> list[Rival | Missing]:
    def make() -> Rival:
        from benchmarks.native_integers import has_sum

        return rival("numba bits", has_sum, compiles=True)

    return needs("numba", "numba", make)


def _solvers(
    drawn: Instances, few: int, fewer: int, algorithms: tuple[str, ...]
) -> list[Rival | Missing]:
    """CP-SAT on few instances, and exact algorithms of prtpy on fewer; they may run out of time."""

    def rival(name: str, solve: Callable, some: int) -> Rival:
        timed = functools.partial(solve, seconds=_SECONDS)
        return _one_by_one(name, timed, drawn, some, rounds=1)._replace(agree=_same_where_proved)

    def prtpy() -> list[Rival]:
        partition = solvers_integers.has_partition
        return [
            rival(f"prtpy {name}", functools.partial(partition, algorithm=name), fewer)
            for name in algorithms
        ]

    cp_sat = solvers_integers.cp_sat_has_sum
    return [
        *needs(solvers.CP_SAT, "CP-SAT", lambda: rival("CP-SAT, 1 worker", cp_sat, few)),
        *needs("prtpy", "prtpy", prtpy),
    ]


def _sets(drawn: Instances) -> list[Rival | Missing]:
    """All sums as bits of words, in three ways."""
    rows = list(drawn.items)

    def bits(reachable: Callable) -> Callable[[], list[np.ndarray]]:
        return lambda: [reachable(row, int(row.sum())) for row in rows]

    def numba() -> Rival:
        from benchmarks.native_integers import reachable_bits

        return Rival("numba bits", bits(reachable_bits), len(rows), _same_bits, compiles=True)

    listed = [row.tolist() for row in rows]
    python = lambda: list(map(rivals.reachable_integer, listed))  # noqa: E731
    return [
        Rival("NumPy bits", bits(rivals.reachable_bits), len(rows), _same_bits, rounds=3),
        Rival("Python integers", python, len(rows), _same_bits, rounds=3),
        *needs("numba", "numba", numba),
    ]


def _same(mine: Any, theirs: Any) -> Checked:
    """The same answers, for as many instances as they have."""
    theirs = np.asarray(theirs)
    return Checked(len(theirs), np.array_equal(np.asarray(mine)[: len(theirs)], theirs))


def _same_where_proved(mine: Any, theirs: list[bool | None]) -> Checked:
    proved = [(ours, each) for ours, each in zip(mine, theirs, strict=False) if each is not None]
    open_ = len(theirs) - len(proved)
    note = f"its time limit ended {open_} of {len(theirs)}: ratio at least" if open_ else ""
    return Checked(len(proved), all(bool(ours) == each for ours, each in proved), note)


def _same_bits(mine: np.ndarray, theirs: list[np.ndarray | int]) -> Checked:
    """Words of any width, or one integer: the same number."""

    def number(bits: np.ndarray | int) -> int:
        return bits if isinstance(bits, int) else int.from_bytes(bits.tobytes(), "little")

    pairs = zip(mine, theirs, strict=False)
    return Checked(len(theirs), all(number(ours) == number(each) for ours, each in pairs))
