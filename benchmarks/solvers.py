"""General solvers on subset sums: HiGHS (scipy), CP-SAT (ortools) and partitioning (prtpy).

None of this shares code with the package. A solver that hits its time limit says so.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from benchmarks.timing import Checked

CP_SAT = "ortools.sat.python.cp_model"  # the module
_FIXED_BITS = 20  # below the point, of real numbers that CP-SAT takes as integers


class Solved(NamedTuple):
    """The least error that a solver found."""

    error: float
    is_proved: bool  # False where its time limit ended the search: an upper limit


def highs(
    items: np.ndarray, target: np.ndarray, *, seconds: float, max_kept: int | None = None
) -> Solved:
    """The least error in the largest coordinate, as a mixed-integer program, by HiGHS."""
    num_items, dim = items.shape
    cost = np.append(np.zeros(num_items), 1.0)
    over = np.concatenate([items.T, -np.ones((dim, 1))], axis=1)
    under = np.concatenate([-items.T, -np.ones((dim, 1))], axis=1)
    constraints = [LinearConstraint(over, ub=target), LinearConstraint(under, ub=-target)]
    if max_kept is not None:
        kept = np.append(np.ones(num_items), 0.0)[None]
        constraints.append(LinearConstraint(kept, ub=max_kept))
    found = milp(
        cost,
        constraints=constraints,
        integrality=np.append(np.ones(num_items), 0),
        bounds=Bounds(0, np.append(np.ones(num_items), np.inf)),
        options={"mip_rel_gap": 0.0, "time_limit": seconds},
    )
    return Solved(np.inf if found.x is None else float(found.fun), found.status == 0)


def cp_sat(
    items: np.ndarray,
    target: np.ndarray,
    *,
    seconds: float,
    workers: int,
    max_kept: int | None = None,
    bits: int = _FIXED_BITS,
) -> Solved:
    """The same by CP-SAT, for items and target rounded to multiples of 2**-bits."""
    from ortools.sat.python import cp_model

    scale = 2.0**bits
    whole = np.rint(items * scale).astype(np.int64)
    goal = np.rint(target * scale).astype(np.int64)
    most = int(np.abs(whole).sum(axis=0).max() + np.abs(goal).max())
    model = cp_model.CpModel()
    kept = [model.new_bool_var(f"kept{k}") for k in range(len(items))]
    error = model.new_int_var(0, most, "error")
    for axis in range(items.shape[1]):
        total = cp_model.LinearExpr.weighted_sum(kept, whole[:, axis].tolist()) - int(goal[axis])
        model.add(total <= error)
        model.add(total >= -error)
    if max_kept is not None:
        model.add(sum(kept) <= max_kept)
    model.minimize(error)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = workers
    solver.parameters.max_time_in_seconds = seconds
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Solved(np.inf, False)
    return Solved(solver.objective_value / scale, status == cp_model.OPTIMAL)


def partition(items: np.ndarray, target: int) -> Solved:
    """The least error of a sum of positive integers, by prtpy's partitioning (CBLDM).

    A subset sum is a partition in two with one item more, |total - 2 target|: both sides then
    differ by twice the error of one of them, or of its complement.
    """
    import prtpy

    extra = abs(int(items.sum()) - 2 * int(target))
    difference = prtpy.partition(
        algorithm=prtpy.partitioning.cbldm,
        numbins=2,
        items=[*items.tolist(), extra],
        outputtype=prtpy.out.Difference,
    )
    return Solved(difference / 2, True)


def check_solved(errors: np.ndarray, solved: list[Solved], tolerance: float) -> Checked:
    """Proved answers must be ours within a tolerance, others no better than ours."""
    agree = all(
        (not answer.is_proved or answer.error <= error + tolerance)
        and answer.error >= error - tolerance
        for error, answer in zip(np.ravel(errors).tolist(), solved, strict=True)
    )
    unproved = sum(not answer.is_proved for answer in solved)
    note = f"its time limit ended {unproved} of {len(solved)}: ratio at least" if unproved else ""
    return Checked(len(solved), agree, note)
