"""The spectrum of an operator from a given number of products, by the route that uses them best."""

from typing import Literal

from jaxtyping import PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.spectrum import blocks, lanczos, quadrature
from lottery_jax.spectrum.operator import Operator, Vectors
from lottery_jax.spectrum.quadrature import Spectrum


def estimate_spectrum(
    operator: Operator,
    *,
    key: PRNGKeyArray,
    products: int = 400,
    method: Literal["auto", "full", "deflated"] = "auto",
) -> Spectrum:
    """Placeholder of the route."""
    keys.check_key(key)
    probes = 5
    steps = min(products // probes, operator.size)
    starts = blocks.rademacher(key, probes, operator.size)
    recursion = lanczos.extend(operator, lanczos.begin(operator, starts), steps)
    return quadrature.spectrum_of(
        lanczos.coefficients(recursion),
        size=operator.size,
        num_products=probes * steps,
        is_semidefinite=operator.is_semidefinite,
    )


def spectrum_from(operator: Operator, starts: Vectors, *, steps: int) -> Spectrum:
    """The spectrum seen from given vectors, such as a displacement: weights (vᵀu)² / |v|²."""
    steps = min(steps, operator.size)
    recursion = lanczos.extend(operator, lanczos.begin(operator, starts), steps)
    return quadrature.spectrum_of(
        lanczos.coefficients(recursion),
        size=operator.size,
        num_products=len(starts) * steps,
        is_semidefinite=operator.is_semidefinite,
        is_sample=False,
    )
