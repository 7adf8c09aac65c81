"""Subset sums of vectors in the largest coordinate: all subsets, and at most 4 of many items."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import rivals_vectors, solvers
from benchmarks.extras import needs
from benchmarks.timing import Checked, Missing, Result, Rival, compare
from lottery_jax import subset_sum as ss

_DIM = 16
# Float32 sums on both sides: of a few hundred magnitudes below 2**7, in all less than 1e-4.
_ROUNDING = 1e-4


def vector_sums(scale: str) -> Iterator[Result | Missing]:
    """The nearest of all subsets of N Gaussian vectors in R^16 to a target near the middle."""
    batches = {12: 1} if scale == "quick" else {24: 16, 28: 8, 32: 4}
    if scale == "long":
        batches[36] = 2
    seconds = 5.0 if scale == "quick" else 60.0
    for num_items, batch in batches.items():
        rng = np.random.default_rng(num_items)
        items = rng.normal(size=(batch, num_items, _DIM)).astype(np.float32)
        noise = rng.normal(size=(batch, _DIM)) * np.sqrt(num_items) / 2
        targets = (noise + items.sum(axis=1) / 2).astype(np.float32)
        case = f"N={num_items} m={_DIM}"
        yield from compare(
            f"nearest {case}, {batch} together",
            work="instance",
            ours=_nearest(items, targets),
            units=batch,
            rounds=3,
            rivals=[
                *_depth_first(items, targets, "" if scale == "quick" else "0.77 x"),
                *_halves(items, targets, num_items <= 24),
            ],
        )
        yield from compare(
            f"nearest {case}, one",
            work="instance",
            ours=_nearest(items[:1], targets[:1]),
            units=1,
            rivals=_solvers(items[0], targets[0], seconds, scale, with_highs=num_items <= 24),
        )


def relu_features(scale: str) -> Iterator[Result | Missing]:
    """The nearest subset of N neurons at 16 points of the circle to relu(x_1): v relu(<u, x>)."""
    num_items, batch = (12, 1) if scale == "quick" else (32, 8)
    rng = np.random.default_rng(2)
    angles = 2 * np.pi * np.arange(_DIM) / _DIM
    points = np.stack([np.cos(angles), np.sin(angles)])
    hidden = rng.normal(size=(batch, num_items, 2))
    output = rng.normal(size=(batch, num_items, 1))
    items = (output * np.maximum(hidden @ points, 0)).astype(np.float32)
    targets = np.broadcast_to(np.maximum(points[0], 0), (batch, _DIM)).astype(np.float32)
    yield from compare(
        f"nearest ReLU features N={num_items} d=2 m={_DIM}, {batch} together",
        work="instance",
        ours=_nearest(items, targets),
        units=batch,
        rounds=3,
        rivals=[*_depth_first(items, targets, ""), *_halves(items, targets, True)],
    )


def few_items(scale: str) -> Iterator[Result | Missing]:
    """At most 4 of N vectors in R^16: all within a tolerance of a planted sum, and the nearest."""
    for num_items, tolerance in ((24, 1.2),) if scale == "quick" else ((64, 0.6), (128, 0.5)):
        rng = np.random.default_rng(num_items)
        items = rng.normal(size=(num_items, _DIM)).astype(np.float32)
        target = items[:4].sum(axis=0)
        problem = ss.vectors(items, target)

        def agree(listed: Any, subsets: Any) -> Checked:
            masks = listed.masks[: int(listed.count)]
            mine = {tuple(np.flatnonzero(mask).tolist()) for mask in masks}
            is_whole = not (listed.has_overflowed or listed.is_cut_off)
            return Checked(len(subsets), is_whole and mine == subsets)

        def native(items=items, target=target, tolerance=tolerance, agree=agree) -> Rival:
            from benchmarks import native_pairs

            run = lambda: native_pairs.within(items, target, tolerance)  # noqa: E731
            return Rival("numba pairs", run, 1, agree, compiles=True)

        def numpy(items=items, target=target, tolerance=tolerance):
            return rivals_vectors.of_four_within(np.float64(items), np.float64(target), tolerance)

        yield from compare(
            f"all of at most 4 of N={num_items} m={_DIM} within {tolerance}",
            work="instance",
            ours=lambda problem=problem, tolerance=tolerance: ss.all_subsets(
                problem, tolerance, max_kept=4
            ),
            units=1,
            rivals=[*needs("numba", "numba", native), Rival("NumPy window", numpy, 1, agree)],
        )
    num_items = 24 if scale == "quick" else 200
    rng = np.random.default_rng(num_items)
    items = rng.normal(size=(num_items, _DIM)).astype(np.float32)
    target = rng.normal(size=_DIM).astype(np.float32)
    goal = "" if scale == "quick" else "0.67 x"
    yield from _nearest_of_four(items, target, goal, scale, with_highs=scale == "long")
    rng = np.random.default_rng(0)
    small = rng.normal(size=(24, 4)).astype(np.float32)
    if scale != "quick":
        yield from _nearest_of_four(small, np.float32([1, 0, 0, 0]), "", scale, with_highs=True)


def _nearest_of_four(items, target, goal, scale, *, with_highs) -> Iterator[Result | Missing]:
    problem = ss.vectors(items, target)
    wide = np.float64(items), np.float64(target)

    def agree(match: Any, error: float) -> Checked:
        return Checked(1, abs(float(match.error) - error) < _ROUNDING)

    def native() -> Rival:
        from benchmarks import native_pairs

        run = lambda: native_pairs.least_error(items, target)  # noqa: E731
        return Rival("numba pairs", run, 1, agree, compiles=True, goal=goal)

    numpy = Rival("NumPy window", lambda: rivals_vectors.of_four_nearest(*wide), 1, agree, rounds=1)
    others = _solvers(*wide, 5.0 if scale == "quick" else 60.0, scale, with_highs, max_kept=4)
    yield from compare(
        f"nearest of at most 4 of N={len(items)} m={len(target)}",
        work="instance",
        ours=lambda: ss.few_items(problem, max_kept=4),
        units=1,
        rivals=[*needs("numba", "numba", native), numpy, *(others if with_highs else [])],
    )


def _nearest(items: np.ndarray, targets: np.ndarray) -> Callable[[], Any]:
    problem = ss.vectors(items, targets)
    return lambda: ss.nearest(problem)


def _agree(match: Any, errors: Any) -> Checked:
    close = np.abs(match.error[: len(errors)] - np.asarray(errors)) < _ROUNDING
    return Checked(len(errors), bool(np.all(close & match.is_exact[: len(errors)])))


def _depth_first(items, targets, goal: str) -> list[Rival | Missing]:
    def make() -> Rival:
        from benchmarks.native_depth_first import least_error

        def run():
            return [least_error(*pair) for pair in zip(items, targets, strict=True)]

        return Rival("numba depth first", run, len(items), _agree, compiles=True, goal=goal)

    return needs("numba", "numba", make)


def _halves(items, targets, is_affordable: bool) -> list[Rival]:
    def run():
        return [rivals_vectors.nearest_of_all(np.float64(items[0]), np.float64(targets[0]))]

    return [Rival("NumPy two halves", run, 1, _agree, rounds=1)] if is_affordable else []


def _solvers(
    items, target, seconds, scale, with_highs: bool, max_kept: int | None = None
) -> list[Rival | Missing]:
    wide = np.float64(items), np.float64(target)
    goals = ("", "") if scale == "quick" or max_kept else ("10 x", "2 x")
    how = {"seconds": seconds, "max_kept": max_kept}

    def agree(match: Any, solved: Any) -> Checked:
        return solvers.check_solved(match.error, solved, _ROUNDING)

    def cp_sat(name: str, workers: int, clock: str) -> list[Rival | Missing]:
        def run():
            return [solvers.cp_sat(*wide, workers=workers, **how)]

        return needs(
            solvers.CP_SAT,
            "CP-SAT",
            lambda: Rival(name, run, 1, agree, clock=clock, rounds=1, goal=goals[1]),
        )

    highs = Rival("HiGHS", lambda: [solvers.highs(*wide, **how)], 1, agree, rounds=1, goal=goals[0])
    return [
        *([highs] if with_highs else []),
        *cp_sat("CP-SAT, 1 worker", 1, "core"),
        *cp_sat("CP-SAT, all cores", os.cpu_count() or 1, "machine"),
    ]
