"""The gradient of one ReLU unit under a target of hidden features, known three ways.

E[y phi'(<w, x> + b) x] for a unit vector w decides which inputs a gradient can tell apart. It is
computed by the closed form of `sparse_features.population`, by quadrature over the few coordinates
that w and the hidden directions V span, and as a mean over samples with its limits. Some values are
known (arXiv 2406.08658): at a hidden input of two squares, and where the terms of degree 2 and 4 of
a link cancel each other.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float64, Key, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.features import gradients_report
from lottery_jax.features.gradients_rows import CONFIDENCE, Row
from lottery_jax.features.seeds import identity
from lottery_jax.sparse_features import data, directions, hermite, links, population
from lottery_jax.sparse_features.hermite import Part
from lottery_jax.sparse_features.links import Link

__all__ = ["CONFIDENCE", "FULL", "NAME", "QUESTION", "QUICK", "Row", "Setup"]
__all__ += ["describe", "draw", "measure", "plan"]

NAME = "features_gradients"
QUESTION = "Is the gradient of a unit what the closed form says?"
PARTS: tuple[Part, ...] = ("all", "even", "odd")
DIM = 6
# Degree 2 and degree 4 in the orthonormal basis, in the ratio at which they cancel at e_1.
CANCELLING = {2: 1.0, 4: 2 * math.sqrt(3)}
_ROWS = 4096  # of a block of samples


class Setup(NamedTuple):
    """What a run computes."""

    exponents: tuple[int, ...]  # k*
    indices: tuple[int, ...]  # r
    biases: tuple[float, ...]
    samples: int  # the same for all gradients


FULL = Setup((1, 2, 3), (1, 2, 3), (-0.7, 0.0, 0.9), 2_000_000)
QUICK = Setup((1, 2), (1, 2), (-0.7, 0.9), 50_000)


class Case(NamedTuple):
    """A link with its directions, and the units at which its gradient is taken."""

    name: str
    link: Link
    hidden: Float64[np.ndarray, "input index"]
    weights: Float64[np.ndarray, "unit input"]  # unit vectors
    biases: Float64[np.ndarray, " unit"]
    parts: tuple[Part, ...]  # of the derivative, by unit
    golden: tuple[float | None, ...]  # norms known in closed form, by unit


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    found = _cases(setup, keys.root(0))
    return (
        f"{sum(len(case.parts) for case in found)} gradients under {len(found)} links, each by "
        f"formula, by quadrature and from {setup.samples} samples"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None = None,
    progress: Any = True,
) -> list[Row]:
    """A row for each gradient; samples that the store has are not drawn again."""
    del mesh, progress
    cases = _cases(setup, key)
    asked = identity(key, {"study": NAME, "setup": repr(setup)})
    known: Any = store.find(asked)
    if known is None:
        means, errors = _sampled(cases, keys.chunk(key, 1), setup.samples)
        known = {"means": means, "errors": errors}
        store.add(asked, known)
    return [
        _row(case, unit, np.asarray(means[unit]), np.asarray(errors[unit]), setup.samples)
        for case, means, errors in zip(cases, known["means"], known["errors"], strict=True)
        for unit in range(len(case.parts))
    ]


def by_quadrature(
    link: Link,
    hidden: Float64[np.ndarray, "input index"],
    weight: Float64[np.ndarray, " input"],
    bias: float,
    part: Part,
) -> Float64[np.ndarray, " input"]:
    """E[link(V^T x) phi'(<w, x> + b) x] for a unit vector w, without the closed form.

    An orthonormal basis of the span of w and V, w first, leaves a mean over as many normal
    variables. Along w the derivative jumps, and the pieces of the rule end there; in the other
    variables the integrand is a polynomial, for which Gauss and Hermite's rule is exact.

    Examples
    --------
    >>> e1 = np.eye(3)[0]
    >>> print(np.round(by_quadrature(links.hermite({1: 1.0}), e1[:, None], e1, 0.0, "all"), 6))
    [0.5 0.  0. ]
    """
    columns = np.concatenate([weight[:, None], hidden], axis=1)
    basis = weight[:, None]
    for column in columns.T[1:]:
        rest = column - basis @ (basis.T @ column)
        if np.linalg.norm(rest) > 1e-9:
            basis = np.concatenate([basis, (rest / np.linalg.norm(rest))[:, None]], axis=1)
    along, along_weights = hermite.normal_rule((0.0, bias, -bias))
    nodes, weights = np.polynomial.hermite_e.hermegauss(link.degree // 2 + 2)
    across = [(nodes, weights / math.sqrt(2 * math.pi))] * (basis.shape[1] - 1)
    axes = [(along, along_weights), *across]
    u = np.stack(np.meshgrid(*[x for x, _ in axes], indexing="ij"), axis=-1)
    mass = functools.reduce(np.multiply.outer, [w for _, w in axes])
    values = _evaluate(link, u @ (basis.T @ hidden)) * _derivative(u[..., 0], bias, part)
    return basis @ np.tensordot(values * mass, u, axes=u.ndim - 1)


def _evaluate(link: Link, z):
    """The link in float64, by NumPy's own Hermite series."""
    total = np.zeros(z.shape[:-1])
    for index, coefficient in link.terms:
        factor = coefficient
        for i, degree in enumerate(index):
            series = [0.0] * degree + [1 / math.sqrt(math.factorial(degree))]
            factor = factor * np.polynomial.hermite_e.hermeval(z[..., i], series)
        total = total + factor
    return total


def _derivative(t, bias: float, part: Part):
    """phi'(t + b), or the derivative of the even or the odd part of phi(t + b)."""
    ahead, behind = t + bias > 0, -t + bias > 0
    if part == "all":
        return ahead.astype(float)
    return (ahead.astype(float) - behind if part == "even" else ahead.astype(float) + behind) / 2


def _cases(setup: Setup, key: PRNGKeyArray) -> list[Case]:
    """The known values first, then links of every information exponent and number of indices."""
    e = np.eye(DIM)
    shifted = [np.sqrt(1 - c * c) * e[-1] + c * e[0] for c in (0.5, 0.2)]
    pair = links.hermite({(2, 0): 1.0, (0, 2): 1.0})
    cancelling = links.hermite(CANCELLING)
    golden = [
        Case("two squares", pair, e[:, :2], e[:3], np.zeros(3), ("all",) * 3, _PAIR),
        Case(
            "cancelling",
            cancelling,
            e[:, :1],
            np.stack([e[0], *shifted]),
            np.zeros(3),
            ("all",) * 3,
            _CANCELLING,
        ),
    ]
    cases = []
    for exponent in setup.exponents:
        for num_indices in setup.indices:
            stream = keys.lane(keys.chunk(key, 0), 16 * exponent + num_indices)
            place, aim = keys.items(stream, 2)
            drawn = directions.dense(place, DIM, num_indices)
            hidden = np.linalg.qr(np.asarray(drawn, np.float64))[0]
            w = np.asarray(jax.random.normal(aim, (DIM,), jnp.float32), np.float64)
            units: list[tuple[float, Part]] = [(b, part) for b in setup.biases for part in PARTS]
            cases.append(
                Case(
                    f"k* = {exponent}, r = {num_indices}",
                    _link(exponent, num_indices),
                    hidden,
                    np.tile(w / np.linalg.norm(w), (len(units), 1)),
                    np.array([bias for bias, _ in units]),
                    tuple(part for _, part in units),
                    (None,) * len(units),
                )
            )
    return golden + cases


# Norms at e_1, e_2 and e_3 for two squares, and for the cancelling link at e_1 and at e_1 shifted
# with c = .5 and .2. The paper's links have the variances 2 and 13, those here the variance 1.
_PAIR = (1 / math.sqrt(8 * math.pi), 1 / math.sqrt(8 * math.pi), 0.0)


def _cancelling_norm(c: float) -> float:
    hidden, unit = c - 2 * c**3, -(c**2) / 2 + 1.5 * c**4
    return math.hypot(hidden + c * unit, math.sqrt(1 - c * c) * unit) / math.sqrt(math.pi * 13)


_CANCELLING = (0.0, _cancelling_norm(0.5), _cancelling_norm(0.2))


def _link(exponent: int, num_indices: int) -> Link:
    """Terms of degree k* in every variable, one of degree k* + 1, and one that mixes variables."""
    terms: dict[tuple[int, ...], float] = {}
    for i in range(num_indices):
        terms[tuple(exponent if j == i else 0 for j in range(num_indices))] = 1.0 - 0.3 * i
    terms[(exponent + 1, *[0] * (num_indices - 1))] = 0.6
    if num_indices > 1:
        terms[(exponent, 1, *[0] * (num_indices - 2))] = -0.8
    return links.hermite(terms, name=f"k* = {exponent}, r = {num_indices}")


def _sampled(cases: list[Case], key: PRNGKeyArray, samples: int):
    """Means of all entries over samples, and their standard errors; [case][unit][input]."""
    units = [
        tuple(jnp.asarray(each, jnp.float32) for each in (case.hidden, case.weights, case.biases))
        for case in cases
    ]
    parts = [jnp.asarray([PARTS.index(each) for each in case.parts], jnp.int32) for case in cases]
    sums = _sums(tuple(case.link for case in cases), key, units, parts, jnp.int32(samples))
    means, errors = [], []
    for total, squares in sums:
        mean = np.asarray(total, np.float64) / samples
        variance = np.maximum(np.asarray(squares, np.float64) / samples - mean**2, 0)
        means.append(mean.tolist())
        errors.append(np.sqrt(variance / samples).tolist())
    return means, errors


@functools.partial(jax.jit, static_argnums=0)
def _sums(found: tuple[Link, ...], key: Key[Array, ""], units, parts, samples):
    """Sums of y phi' x and of its squares for every link, over the same inputs."""
    first = jnp.eye(DIM, 1, dtype=jnp.float32)
    source = data.generated(data.Model(links.hermite({1: 1.0})), first, key, rows=_ROWS)
    highest = jax.lax.Precision.HIGHEST

    def gradients(link, unit, part, inputs, is_used):
        hidden, weights, biases = unit
        targets = link.evaluate(jnp.matmul(inputs, hidden, precision=highest))
        t = jnp.matmul(inputs, weights.T, precision=highest)
        at = jnp.broadcast_to(biases[None], t.shape)
        slopes = jnp.stack([hermite.relu_derivative(t, at, part=each) for each in PARTS])
        slope = jnp.take_along_axis(slopes, part[None, None], axis=0)[0]
        each = slope * jnp.where(is_used, targets, jnp.zeros_like(targets))[:, None]
        return (
            jnp.matmul(each.T, inputs, precision=highest),
            jnp.matmul((each**2).T, inputs**2, precision=highest),
        )

    def update(state, inputs, targets, is_used):
        del targets
        new = [gradients(*case, inputs, is_used) for case in zip(found, units, parts, strict=True)]
        return jax.tree.map(jnp.add, state, new)

    zeros = [(jnp.zeros_like(weights), jnp.zeros_like(weights)) for _, weights, _ in units]
    return data.fold(source, jnp.int32(0), samples, update, zeros)


def _row(case: Case, unit: int, mean, error, samples: int) -> Row:
    weight, bias, part = case.weights[unit], float(case.biases[unit]), case.parts[unit]
    formula = np.asarray(population.gradient(case.link, case.hidden, weight, bias, part=part))
    quadrature = by_quadrature(case.link, case.hidden, weight, bias, part)
    allowed = gradients_report.allowed(DIM)
    # Entries that are 0 in every sample have no spread, and no deviation either.
    gaps = np.abs(mean - formula) / np.maximum(error, 1e-12)
    reach = allowed * float(np.linalg.norm(error))
    norm = float(np.linalg.norm(mean))
    return Row(
        case=case.name,
        unit=unit,
        exponent=case.link.information_exponent,
        num_indices=case.link.num_indices,
        bias=bias,
        part=part,
        golden=case.golden[unit],
        formula=float(np.linalg.norm(formula)),
        quadrature=float(np.linalg.norm(quadrature)),
        error=float(np.max(np.abs(formula - quadrature))),
        samples=samples,
        sampled=norm,
        low=max(0.0, norm - reach),
        high=norm + reach,
        deviation=float(np.max(gaps)),
        allowed=allowed,
    )


draw, describe = gradients_report.draw, gradients_report.describe
