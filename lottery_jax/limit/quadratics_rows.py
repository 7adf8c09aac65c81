"""One row of the study of random quadratic losses: a case with its limits, or a cone alone."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.pruning_limit import cones, forms, quadratics
from lottery_jax.pruning_limit.known_spectra import SPECTRA
from lottery_jax.pruning_limit.window import window

FORMS = quadratics.Predictions._fields
FAILURE = 0.01  # probability outside the window


class Case(NamedTuple):
    """One law of quadratic losses."""

    spectrum: str  # a name in SPECTRA
    size: int  # D
    law: str  # of the weights, in quadratics.LAWS
    level: float  # epsilon over the loss with all weights removed
    lean: float = 0.0  # above 0 the weights lean to sharp directions, below to flat ones
    is_rotated: bool = True  # False: eigenvectors are the coordinate axes


class Point(NamedTuple):
    """One cone without pruning: components of the displacement by curvature."""

    name: str
    spectrum: str
    size: int
    sharp: float  # power of the curvature in the components
    level: float = 0.25  # epsilon over the loss there


class Row(NamedTuple):
    """One case, or one cone; means over the draws, limits as the fraction removed."""

    case: str
    size: int  # D
    is_isotropic: bool
    is_rotated: bool  # eigenvectors uniform over rotations; the control has the coordinate axes
    level: float  # epsilon over the loss with all weights removed, or at the point of a cone
    draws: int  # losses; 0: a cone alone, without limits
    existence: float | None  # largest fraction at which the best kept weights have loss <= epsilon
    existence_sd: float | None  # over the draws
    one_shot: float | None  # the same with the kept weights as they are
    one_shot_sd: float | None
    paper: float | None  # predicted limits
    generic: float | None
    displacement: float | None
    reoptimised: float | None
    displacement_sd: float | None  # of prediction less existence limit, over the draws
    reoptimised_sd: float | None
    cone_paper: float | None  # forms at the limit that `displacement` predicts for the first draw
    cone_generic: float | None
    cone_displacement: float | None
    cone_second: float | None  # with the next term in 1 / D
    cone: float | None  # statistical dimension over D, by Monte Carlo; None: no cone there
    cone_error: float | None  # its standard error
    window: float  # half width of the transition, failure 1 %


def row_of_case(key: PRNGKeyArray, case: Case, *, draws: int, cone_draws: int) -> Row:
    """Limits of `draws` losses, and the cone at one point of the first of them."""
    curvatures = SPECTRA[case.spectrum](case.size)
    limits, cone = [], {}
    for number in range(draws):
        loss = quadratics.quadratic(
            keys.lane(keys.chunk(key, 0), number),
            curvatures,
            law=case.law,
            lean=case.lean,
            is_rotated=case.is_rotated,
        )
        pruned = quadratics.prune(loss)
        epsilon = case.level * float(pruned.one_shot[-1])
        found = quadratics.predict(loss, pruned, epsilon=epsilon)
        measured = (pruned.reoptimised, pruned.one_shot)
        exact = [quadratics.limit(losses, epsilon) for losses in measured]
        limits.append(exact + [each.removed for each in found])
        if number == 0:
            steps = round(found.displacement.removed * case.size)
            moved = quadratics.displaced(loss, pruned, steps)
            cone = _cone(keys.chunk(key, 1), curvatures, moved, epsilon, cone_draws)
    table = np.array(limits)
    names = ("existence", "one_shot", *FORMS)
    errors = _spread(table - table[:, :1])
    lean = "" if not case.lean else f", leans {'sharp' if case.lean > 0 else 'flat'}"
    axes = "" if case.is_rotated else ", axes"
    return Row(
        case=f"{case.spectrum}, {case.law}{lean}{axes}",
        size=case.size,
        is_isotropic=case.spectrum == "isotropic",
        is_rotated=case.is_rotated,
        level=case.level,
        draws=draws,
        **dict(zip(names, table.mean(axis=0).tolist(), strict=True)),
        existence_sd=_spread(table)[0],
        one_shot_sd=_spread(table)[1],
        displacement_sd=errors[names.index("displacement")],
        reoptimised_sd=errors[names.index("reoptimised")],
        **cone,
        window=window(case.size, FAILURE),
    )


def row_of_point(key: PRNGKeyArray, point: Point, *, cone_draws: int) -> Row:
    """The cone at a displacement that is given."""
    curvatures = SPECTRA[point.spectrum](point.size)
    moved = curvatures**point.sharp
    epsilon = point.level * float(moved**2 @ curvatures) / 2
    limits = [field for field in Row._fields if field not in _OF_ALL and "cone" not in field]
    return Row(
        case=f"{point.spectrum}, {point.name}",
        size=point.size,
        is_isotropic=False,
        is_rotated=True,
        level=point.level,
        draws=0,
        **dict.fromkeys(limits),
        **_cone(key, curvatures, moved, epsilon, cone_draws),
        window=window(point.size, FAILURE),
    )


_OF_ALL = ("case", "size", "is_isotropic", "is_rotated", "level", "draws", "window")


def _cone(key, curvatures, moved, epsilon, draws) -> dict[str, Any]:
    """The forms at one displacement, and the dimension of its cone."""
    size, distance = curvatures.size, float(np.linalg.norm(moved))
    every = curvatures, np.full(size, 1 / size)
    own = curvatures, moved**2 / distance**2
    at = {"distance": distance, "epsilon": epsilon}
    found = {
        "cone_paper": float(forms.paper(*every, **at)),
        "cone_generic": float(forms.generic(*every, **at)),
        "cone_displacement": float(forms.displacement(*every, *own, **at)),
    }
    if moved**2 @ curvatures / 2 <= epsilon:  # inside of the set: no cone
        return {**found, "cone_second": None, "cone": None, "cone_error": None}
    second = found["cone_displacement"] + cones.second_order(*every, *own, **at) / size
    cone = cones.statistical_dimension(key, curvatures, moved, epsilon=epsilon, draws=draws)
    measured = {"cone": cone.value, "cone_error": cone.standard_error}
    return {**found, "cone_second": float(second), **measured}


def _spread(table: Float64[np.ndarray, "draw column"]) -> list[float]:
    """Standard deviations of the columns; 0 for a single draw."""
    return table.std(axis=0, ddof=min(1, len(table) - 1)).tolist()
