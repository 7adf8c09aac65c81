"""Links from their Hermite terms, from their powers, or from any function, at variance 1.

A mean that is not 0 is an error: the paper's targets have none, and no scale can mend it. Terms of
a function are found by quadrature, and those within its errors are left out: a link of |z| has no
terms of odd degree, and not some of the size of rounding.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lottery_jax.sparse_features import checks
from lottery_jax.sparse_features import hermite as polynomials
from lottery_jax.sparse_features.link import Function, Index, Link, basis_norm

Terms = Mapping[int, float | int] | Mapping[Index, float | int]

MAX_DEGREE = 20  # of a polynomial: beyond, float32 loses its values to cancellation
MAX_INDICES = 3  # of a callable, whose terms come from a product of one-dimensional rules

_ROUNDING = 2.0**-40  # of sums of a few float64 products, relative to their magnitudes
# Values of a callable come in float32, with a few roundings of 2^-24 each.
_VALUE_ROUNDING = 2.0**-18
_ROUGHEST = 1e-3  # a change of the quadrature beyond which its terms mean little


def hermite(terms: Terms, *, name: str | None = None) -> Link:
    """A link from its coefficients in the orthonormal Hermite basis, scaled to variance 1.

    Parameters
    ----------
    terms
        By degree, as ``{2: 1.0}``, or by multi-index, as ``{(2, 0): 1.0, (0, 2): 1.0}``.
    name
        By default the formula.

    Raises
    ------
    ValueError
        For a term of degree 0 (the mean), coefficients that are all 0 or not finite, or degrees
        that are negative or above 20.

    Examples
    --------
    >>> link = hermite({(2, 0): 1, (0, 2): 1})
    >>> link.name, link.num_indices
    ('0.707 h2(z1) + 0.707 h2(z2)', 2)
    >>> link.evaluate(jnp.ones((1, 2), jnp.float32)).tolist()
    [0.0]
    """
    return _scaled(_checked_terms(terms), name)


def polynomial(powers: Terms, *, name: str | None = None) -> Link:
    """A link from the coefficients of its powers, as ``{2: 1.0, 0: -1.0}`` for z^2 - 1, scaled.

    Raises
    ------
    ValueError
        As in `hermite`; a mean that is not 0 is stated.

    Examples
    --------
    >>> polynomial({3: 1.0, 1: -3.0}).terms
    (((3,), 1.0),)
    >>> polynomial({2: 1.0})
    Traceback (most recent call last):
    ValueError: the link has the mean 1, which must be 0; subtract it
    """
    terms: dict[Index, float] = defaultdict(float)
    magnitudes: dict[Index, float] = defaultdict(float)
    for powers_of, coefficient in _checked_terms(powers).items():
        for expansion in itertools.product(*map(_monomial, powers_of)):
            index = tuple(degree for degree, _ in expansion)
            part = coefficient * math.prod(each for _, each in expansion) * basis_norm(index)
            terms[index] += part
            magnitudes[index] += abs(part)
    kept = {
        index: value for index, value in terms.items() if abs(value) > _ROUNDING * magnitudes[index]
    }
    return _scaled(kept, name)


def function(
    call: Function,
    num_indices: int = 1,
    *,
    name: str | None = None,
    max_degree: int = 10,
    kinks: tuple[float, ...] = (0.0,),
) -> Link:
    """A link from any function of rows z of shape [sample, index], scaled to variance 1.

    Parameters
    ----------
    call
        Traceable, from float32 [sample, index] to float32 [sample], with mean 0 for standard
        normal z. Links of one function are equal.
    num_indices
        r, 1 to 3.
    name
        By default that of `call`.
    max_degree
        Terms are found up to this degree; `Link.mass_beyond` is the share of the rest.
    kinks
        Values of a coordinate where the function is not smooth. Elsewhere it should be smooth on
        pieces of the length 1/2 (1 for r = 3).

    Raises
    ------
    ValueError
        For a mean that is not 0, a function that is 0 or not finite, one too rough for the
        quadrature, or arguments outside these ranges.

    Notes
    -----
    Values are taken in float32, as they will be when data are drawn. Terms are kept if they exceed
    2^-18, which is 64 roundings of float32, and four times the largest change of any term when
    pieces get a third less nodes.

    Examples
    --------
    >>> link = function(lambda z: jnp.sign(z[:, 0]), name="sign")
    >>> link.information_exponent, round(link.terms[0][1] ** 2, 4), round(link.mass_beyond, 3)
    (1, 0.6366, 0.162)
    """
    checks.check_whole("num_indices", num_indices, 1, MAX_INDICES)
    checks.check_whole("max_degree", max_degree, 1, MAX_DEGREE)
    name = name or str(getattr(call, "__name__", "function"))
    mean, second, terms = _quadrature(call, name, num_indices, max_degree, kinks, 12)
    _, _, coarse = _quadrature(call, name, num_indices, max_degree, kinks, 8)
    deviation = math.sqrt(second)
    if deviation == 0:
        raise ValueError(f"{name} is 0 everywhere; a link needs a variance above 0")
    change = float(np.max(np.abs(terms - coarse))) / deviation
    if change > _ROUGHEST:
        raise ValueError(
            f"{name} is too rough for the quadrature, whose terms change by {change:.1e}; give the "
            "places where it is not smooth as kinks"
        )
    tolerance = _VALUE_ROUNDING + 4 * change
    if abs(mean) > tolerance * deviation:
        raise ValueError(f"{name} has the mean {mean:.6g}, which must be 0; subtract it")
    kept = {
        index: float(terms[index]) / deviation
        for index in itertools.product(range(max_degree + 1), repeat=num_indices)
        if 1 <= sum(index) <= max_degree and abs(terms[index]) > tolerance * deviation
    }
    beyond = 1.0 - sum(value**2 for value in kept.values())
    beyond = beyond if beyond > tolerance else 0.0
    return Link(name, num_indices, _sorted(kept), beyond, tolerance, _Scaled(call, 1 / deviation))


def _checked_terms(terms: Terms) -> dict[Index, float]:
    checked: dict[Index, float] = defaultdict(float)
    for given, coefficient in terms.items():
        index = given if isinstance(given, tuple) else (given,)
        if not index or not all(isinstance(each, int | np.integer) and each >= 0 for each in index):
            raise ValueError(
                f"{given!r} is no degree; use whole numbers from 0, one for each index"
            )
        if sum(index) > MAX_DEGREE:
            raise ValueError(f"the degree of {given!r} must be at most {MAX_DEGREE}")
        if not math.isfinite(coefficient):
            raise ValueError(f"the coefficient of {given!r} is {coefficient}; give a finite one")
        checked[tuple(int(each) for each in index)] += float(coefficient)
    if len({len(index) for index in checked}) > 1:
        raise ValueError(f"{list(terms)} name different numbers of indices; give each all of them")
    return checked


def _scaled(terms: Mapping[Index, float], name: str | None) -> Link:
    kept = {index: value for index, value in terms.items() if value != 0}
    for index, value in kept.items():
        if sum(index) == 0:
            raise ValueError(f"the link has the mean {value:.6g}, which must be 0; subtract it")
    if not kept:
        raise ValueError("all coefficients of the link are 0; a link needs a variance above 0")
    deviation = math.hypot(*kept.values())
    kept = {index: value / deviation for index, value in kept.items()}
    ordered = _sorted(kept)
    return Link(name or _formula(ordered), len(ordered[0][0]), ordered)


def _sorted(terms: Mapping[Index, float]) -> tuple[tuple[Index, float], ...]:
    return tuple(
        sorted(terms.items(), key=lambda term: (sum(term[0]), [-each for each in term[0]]))
    )


def _formula(terms: tuple[tuple[Index, float], ...]) -> str:
    parts = []
    for index, value in terms:
        factors = [f"h{degree}(z{i})" for i, degree in enumerate(index, start=1) if degree]
        basis = " ".join(factors)
        if len(index) == 1:
            basis = basis.removesuffix("(z1)")
        parts.append(basis if value == 1 else f"{value:.3g} {basis}")
    return " + ".join(parts).replace("+ -", "- ")


def _monomial(power: int) -> list[tuple[int, float]]:
    """t^power as a sum of He_k: degrees and coefficients."""
    return [
        (
            power - 2 * j,
            math.factorial(power) / (2**j * math.factorial(j) * math.factorial(power - 2 * j)),
        )
        for j in range(power // 2 + 1)
    ]


@dataclass(frozen=True)
class _Scaled:
    """A callable of variance 1: equal to another of the same function, as a closure is not."""

    call: Function
    factor: float

    def __call__(self, z: Float[Array, "sample index"]) -> Float[Array, " sample"]:
        return self.call(z) * jnp.float32(self.factor)


def _quadrature(call, name, num_indices, max_degree, kinks, nodes_per_piece):
    """Mean, second moment and all terms up to `max_degree` in every variable."""
    is_large = num_indices == 3
    nodes, weights = polynomials.normal_rule(
        kinks,
        widest=1.0 if is_large else 0.5,
        end=8.0 if is_large else 12.0,
        num_nodes=nodes_per_piece,
    )
    grid = np.stack(np.meshgrid(*[nodes.astype(np.float32)] * num_indices, indexing="ij"), axis=-1)
    points = grid.reshape(-1, num_indices)
    shape = jax.ShapeDtypeStruct(points.shape, jnp.float32)
    seen = jax.eval_shape(call, shape)
    if getattr(seen, "shape", None) != (len(points),) or seen.dtype != jnp.float32:
        raise ValueError(
            f"{name} gives {seen} for rows of shape {points.shape}; it must give one float32 a row"
        )
    values = np.asarray(jax.jit(call)(jnp.asarray(points)), np.float64)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} is not finite at {points[~np.isfinite(values)][0].tolist()}")
    values = values.reshape((len(nodes),) * num_indices)
    second = values**2
    roots = np.sqrt([float(math.factorial(degree)) for degree in range(max_degree + 1)])
    basis = polynomials.evaluate_host(nodes, max_degree) / roots[:, None] * weights
    terms = values
    for _ in range(num_indices):  # each turn sends the first axis to the back, as degrees
        terms = np.tensordot(terms, basis, axes=(0, 1))
        second = np.tensordot(second, weights, axes=(0, 0))
    return float(terms[(0,) * num_indices]), float(second), terms
