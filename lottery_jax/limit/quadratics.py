"""The forms of the predicted limit on random quadratic losses, where the limit is computed exactly.

For every case a few losses are drawn with a known spectrum. Their smallest weights are removed one
by one, and two limits recorded: the last step at which some setting of the kept weights has loss at
most epsilon (existence), and at which the kept weights as they are have (one-shot). Beside them
stand the limits that the forms predict from the spectrum. The second table holds the statistical
dimension of the cone behind the forms, by Monte Carlo, at one point of every case.
"""

import hashlib
from typing import NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.limit.quadratics_report import describe, draw
from lottery_jax.limit.quadratics_rows import Case, Point, Row, row_of_case, row_of_point
from lottery_jax.montecarlo.collect import Progress, reporting

__all__ = ["FULL", "NAME", "QUESTION", "QUICK", "describe", "draw", "measure", "plan"]

NAME = "limit_quadratics"
QUESTION = "Which form predicts how far a quadratic loss can be pruned, spectrum by spectrum?"


class Setup(NamedTuple):
    """What a run draws."""

    cases: tuple[Case, ...]
    points: tuple[Point, ...]
    draws: int  # losses of each case
    cone_draws: int  # Gaussian vectors for each cone


_POINTS = (
    Point("generic c", "i^-1", 300, 0.0),
    Point("c leans to sharp", "i^-1", 300, 0.5),
    Point("c leans to flat", "two-level", 300, -0.375),
)

FULL = Setup(
    cases=(
        Case("isotropic", 400, "gaussian", 0.3),
        Case("i^-1/2", 600, "gaussian", 0.3),
        Case("i^-1", 600, "gaussian", 0.1),
        Case("i^-1", 600, "gaussian", 0.01),
        Case("i^-1", 300, "laplace", 0.3),
        Case("i^-1", 600, "gaussian", 0.1, lean=1.0),
        Case("i^-2", 600, "gaussian", 0.03),
        Case("log-uniform", 1000, "gaussian", 0.1),
        Case("log-uniform", 1000, "laplace", 0.3, lean=-0.5),
        Case("two-level", 600, "gaussian", 0.3),
        Case("two-level", 600, "gaussian", 0.3, lean=-0.5),
        Case("exponential", 400, "laplace", 0.1),
        Case("flat fifths", 400, "two_scales", 0.1),
        Case("Marchenko-Pastur .5", 500, "gaussian", 0.3),
        Case("Marchenko-Pastur 1", 500, "sparse", 0.1),
        Case("few outliers", 1000, "laplace", 0.03),
        Case("few outliers", 600, "gaussian", 0.03, lean=1.0),
        Case("i^-1", 600, "gaussian", 0.1, is_rotated=False),
    ),
    points=_POINTS,
    draws=5,
    cone_draws=2000,
)
QUICK = Setup(
    cases=(
        Case("isotropic", 200, "gaussian", 0.3),
        Case("i^-1", 200, "gaussian", 0.1),
        Case("i^-1", 200, "gaussian", 0.1, lean=1.0),
        Case("two-level", 200, "gaussian", 0.3, lean=-0.5),
        Case("few outliers", 300, "laplace", 0.03),
        Case("i^-1", 200, "gaussian", 0.1, is_rotated=False),
    ),
    points=_POINTS[:1],
    draws=2,
    cone_draws=300,
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    # Two factorisations of a D x D matrix, and forms of D nodes at the steps of bisections.
    seconds = sum(setup.draws * (0.1 + 3e-10 * case.size**3) for case in setup.cases)
    seconds += sum(setup.cone_draws * each.size * 7e-7 for each in setup.cases + setup.points)
    return (
        f"{setup.draws} losses of each of {len(setup.cases)} cases exactly, and "
        f"{setup.cone_draws} projections on a cone of each and of {len(setup.points)} others: "
        f"about {seconds:.0f} s of one core"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows of every case; what the store already holds is not computed again.

    All is computed on the host in float64; `mesh` is not used.
    """
    del mesh
    rows: list[Row] = []
    tasks = (*setup.cases, *setup.points)
    with reporting(progress, len(tasks), NAME) as report:
        for number, task in enumerate(tasks):
            settings = {
                "task": repr(task),
                "draws": setup.draws,
                "cone_draws": setup.cone_draws,
                "key": keys.describe(key),
            }
            found = store.find(settings)
            if found is None:
                # By what is drawn, so that a case keeps its draws when the list changes.
                own = keys.stream(key, hashlib.sha256(repr(task).encode()).hexdigest()[:16])
                row = _row(own, setup, task)
                store.add(settings, row._asdict())
                found = store.find(settings)
            rows.append(Row(**found))  # type: ignore[arg-type]
            report(number + 1, len(tasks))
    return rows


def _row(key: PRNGKeyArray, setup: Setup, task: Case | Point) -> Row:
    if isinstance(task, Point):
        return row_of_point(key, task, cone_draws=setup.cone_draws)
    return row_of_case(key, task, draws=setup.draws, cone_draws=setup.cone_draws)
