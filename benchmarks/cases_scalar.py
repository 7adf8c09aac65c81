"""Subset sums of numbers: whether one is near, the nearest, the largest gap, a shared pool."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import rivals, solvers
from benchmarks.extras import needs
from benchmarks.timing import Checked, Missing, Result, Rival, compare
from lottery_jax import subset_sum as ss

_NUMPY = 16  # instances that a slow rival solves
# Largest rounding of a rival's float64 sum, by the sum of all magnitudes.
_ROUNDING = 1e-14


def scalar_sums(scale: str) -> Iterator[Result | Missing]:
    """Products of two Gaussians, n together: a decision that half of them pass, and the nearest."""
    sizes = {12: 16384, 16: 4096, 20: 1024, 24: 256, 30: 16, 40: 2}
    if scale == "quick":
        sizes = {12: 2048}
    for num_items, batch in sizes.items():
        items, targets = _draw(num_items, batch)
        problem = ss.numbers(items, targets)
        some = min(batch, _NUMPY)
        truth = rivals.nearest_sums(items, targets)
        tolerance = float(np.median(truth))
        slack = _ROUNDING * (np.abs(items).sum(axis=1) + np.abs(targets))
        goal = _goal(num_items, scale)
        case = f"n={num_items}, {batch} together"

        def decisions(mine: Any, errors: Any, tolerance=tolerance, slack=slack) -> Checked:
            errors = np.asarray(errors)
            is_clear = np.abs(errors - tolerance) > slack[: len(errors)]
            ours = mine.exists[: len(errors)]
            same = (ours == (errors <= tolerance)) & mine.is_decided[: len(errors)]
            return Checked(int(is_clear.sum()), bool(np.all(same | ~is_clear)))

        def errors(mine: Any, errors: Any, slack=slack) -> Checked:
            errors = np.asarray(errors)
            slack = slack[: len(errors)]
            low, high = mine.error_low[: len(errors)], mine.error[: len(errors)]
            inside = (low <= errors + slack) & (errors <= high + slack)
            return Checked(len(errors), bool(np.all(inside)))

        yield from compare(
            f"decide {case}",
            work="instance",
            ours=lambda problem=problem, tolerance=tolerance: ss.exists(problem, tolerance),
            units=batch,
            rivals=[
                *_native(items, targets, decisions, goal),
                *_numpy(items, targets, some, decisions),
            ],
        )
        for masks in (False, True):
            yield from compare(
                f"nearest {case}, {'with' if masks else 'no'} masks",
                work="instance",
                ours=lambda problem=problem, masks=masks: ss.nearest(problem, masks=masks),
                units=batch,
                rivals=_native(items, targets, errors, ""),
            )


def integer_sums(scale: str) -> Iterator[Result | Missing]:
    """Positive integers, one instance after the other, against general solvers."""
    cases = ((12, 14, 2),) if scale == "quick" else ((16, 16, 4), (20, 22, 4))
    seconds = 5.0 if scale == "quick" else 30.0
    for num_items, bits, batch in cases:
        rng = np.random.default_rng(num_items)
        items = rng.integers(1, 2**bits, (batch, num_items))
        targets = items.sum(axis=1) * 2 // 5
        problem = ss.numbers(items, targets)

        def agree(mine: Any, solved: Any) -> Checked:
            # HiGHS is right to its tolerance of integers, 1e-6 of an item.
            return solvers.check_solved(mine.error, solved, 0.5)

        def each(solve: Callable, items=items, targets=targets) -> Callable[[], list]:
            return lambda: [solve(*pair) for pair in zip(items, targets, strict=True)]

        def rival(name, solve, clock="core", batch=batch, agree=agree, each=each) -> Rival:
            return Rival(name, each(solve), batch, agree, clock=clock, rounds=1)

        def highs(row, target, seconds=seconds):
            return solvers.highs(np.float64(row[:, None]), np.float64([target]), seconds=seconds)

        def cp_sat(workers, seconds=seconds):
            how = {"seconds": seconds, "workers": workers, "bits": 0}
            return lambda row, target: solvers.cp_sat(row[:, None], np.array([target]), **how)

        yield from compare(
            f"nearest n={num_items}, {bits}-bit integers, {batch} together",
            work="instance",
            ours=lambda problem=problem: ss.nearest(problem),
            units=batch,
            rivals=[
                rival("HiGHS", highs),
                *needs(solvers.CP_SAT, "CP-SAT", lambda: rival("CP-SAT, 1 worker", cp_sat(1))),
                *needs(
                    solvers.CP_SAT,
                    "CP-SAT, all cores",
                    lambda: rival("CP-SAT", cp_sat(os.cpu_count() or 1), "machine"),
                ),
                *needs("prtpy", "prtpy", lambda: rival("prtpy", solvers.partition)),
            ],
        )


def largest_gap(scale: str) -> Iterator[Result | Missing]:
    """The target of [-1/2, 1/2] that is farthest from all sums of n uniform numbers."""
    sizes = {15: 1} if scale == "quick" else {12: 512, 16: 16, 20: 4, 24: 1}
    for num_items, batch in sizes.items():
        rng = np.random.default_rng(num_items)
        items = rng.uniform(-1, 1, (batch, num_items)).astype(np.float32)
        exact = np.float64(items)

        def agree(gap: Any, radii: Any) -> Checked:
            radii = np.asarray(radii)
            slack = 2.0**-20 * radii
            inside = (gap.radius_low <= radii + slack) & (radii <= gap.radius_high + slack)
            return Checked(len(radii), bool(np.all(inside)))

        def native(exact=exact, batch=batch, num_items=num_items, agree=agree) -> Rival:
            from benchmarks.native_gaps import radius

            return Rival(
                "numba",
                lambda: [radius(row, -0.5, 0.5) for row in exact],
                batch,
                agree,
                compiles=True,
                goal="1 x" if num_items == 24 else "",
            )

        some = min(batch, _NUMPY)
        yield from compare(
            f"largest gap n={num_items}, {batch} together",
            work="instance",
            ours=lambda items=items: ss.largest_gap(items, -0.5, 0.5),
            units=batch,
            rivals=[
                *needs("numba", "numba", native),
                Rival(
                    "NumPy sort",
                    lambda exact=exact[:some]: [
                        rivals.largest_gap(row, -0.5, 0.5) for row in exact
                    ],
                    some,
                    lambda gap, radii, agree=agree: agree(
                        gap._replace(
                            radius_low=gap.radius_low[: len(radii)],
                            radius_high=gap.radius_high[: len(radii)],
                        ),
                        radii,
                    ),
                    rounds=3,
                ),
            ],
        )


def shared_pool(scale: str) -> Iterator[Result | Missing]:
    """Many targets of one set of n uniform numbers."""
    num_targets = 4_000 if scale == "quick" else 400_000
    for num_items in (12,) if scale == "quick" else (16, 21):
        rng = np.random.default_rng(num_items)
        items = rng.uniform(-1, 1, num_items)
        targets = rng.uniform(-0.5, 0.5, num_targets)
        problem = ss.numbers(items, targets)

        def agree(match: Any, errors: Any, items=items) -> Checked:
            # Three roundings of a sum on their side, 2**-49 of all magnitudes on ours.
            slack = 2.0**-46 * np.abs(items).sum()
            inside = (match.error_low <= errors + slack) & (errors <= match.error + slack)
            return Checked(len(errors), bool(np.all(inside)))

        def numpy(items=items, targets=targets):
            return rivals.nearest_in_pool(items, targets)

        yield from compare(
            f"pool n={num_items}, {num_targets} targets",
            work="target",
            ours=lambda problem=problem: ss.nearest(problem),
            units=num_targets,
            rivals=[Rival("NumPy sort + searchsorted", numpy, num_targets, agree)],
        )


def _draw(num_items: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """float32 numbers in float64, so that all programs solve the same instances."""
    rng = np.random.default_rng(num_items)
    items = np.prod(rng.normal(size=(2, batch, num_items)), axis=0).astype(np.float32)
    targets = rng.uniform(-1, 1, size=batch).astype(np.float32)
    return np.float64(items), np.float64(targets)


def _goal(num_items: int, scale: str) -> str:
    if scale == "quick":
        return ""
    return "2.5 x" if num_items <= 20 else {24: "1 x", 40: "0.5 x"}.get(num_items, "")


def _native(items, targets, agree, goal: str) -> list[Rival | Missing]:
    def make() -> list[Rival]:
        from benchmarks import native_sums as native

        def rival(name, solve, **how):
            run = lambda: solve(items, targets)  # noqa: E731
            return Rival(name, run, len(targets), agree, compiles=True, **how)

        return [
            rival("numba merge", native.merge, goal=goal),
            rival("numba half merge", native.merge_mirrored),
            rival("numba half merge, prange", native.merge_mirrored_parallel, clock="machine"),
        ]

    return needs("numba", "numba", make)


def _numpy(items, targets, some: int, agree) -> list[Rival]:
    def one_by_one():
        return [
            rivals.nearest_sum(*pair) for pair in zip(items[:some], targets[:some], strict=True)
        ]

    how = {"rounds": 3}
    return [
        Rival(
            "NumPy tagged sort",
            lambda: rivals.nearest_sums(items, targets),
            len(items),
            agree,
            **how,
        ),
        Rival("NumPy searchsorted", one_by_one, some, agree, **how),
    ]
