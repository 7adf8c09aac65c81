"""Exact sums of whole numbers by general solvers: CP-SAT (ortools) and prtpy's partitioning.

None of this shares code with the package.
"""

import time

import numpy as np


def cp_sat_has_sum(
    items: np.ndarray, target: int, *, seconds: float, workers: int = 1
) -> bool | None:
    """Whether some subset has this sum; None where the time limit ended the search."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    kept = [model.new_bool_var(f"kept{k}") for k in range(len(items))]
    model.add(cp_model.LinearExpr.weighted_sum(kept, items.tolist()) == int(target))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = workers
    solver.parameters.max_time_in_seconds = seconds
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return False
    return True if status in (cp_model.OPTIMAL, cp_model.FEASIBLE) else None


def has_partition(items: np.ndarray, target: int, *, algorithm: str, seconds: float) -> bool | None:
    """Whether half of the total is the sum of one side, by an exact algorithm of prtpy.

    None where its time limit may have ended the search; `target` is that half.
    """
    import prtpy

    start = time.perf_counter()
    sums = prtpy.partition(
        algorithm=getattr(prtpy.partitioning, algorithm),
        numbins=2,
        items=items.tolist(),
        outputtype=prtpy.out.Sums,  # pyright: ignore[reportArgumentType]
        time_limit=seconds,
    )
    if min(map(int, sums)) == target:
        return True
    return False if time.perf_counter() - start < seconds else None
