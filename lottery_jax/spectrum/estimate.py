"""The spectrum of an operator from a given number of products, by the route that uses them best."""

import os
from typing import Literal, NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.spectrum import blocks, deflation, lanczos, quadrature, resume
from lottery_jax.spectrum.memory import check_memory, memory_of
from lottery_jax.spectrum.operator import Operator, Vectors
from lottery_jax.spectrum.quadrature import Spectrum

_FULL_STEPS = 80
# Of the products, what the run for outliers takes; the rest is shared by this many probes. Chosen
# by the error of tr(|H| / (c + |H|)) on trained networks: fewer steps leave a bias, fewer probes
# leave noise.
_OUTLIER_SHARE = 0.2
_PROBES = 4
# Every step of the probes reads all outliers from memory, twice. Those beyond half of the steps of
# the run that found them are the smallest: they hardly lower the noise, and cost as much to read.
_KEPT_SHARE = 0.5
_FEWEST = 16
# Probes advance side by side, and a product with so many vectors at once may take much memory.
_MOST_PROBES = 16


class Plan(NamedTuple):
    """How products are spent."""

    outlier_steps: int  # of the run that finds outliers; 0 for none
    outliers: int  # kept at most
    probes: int
    steps: int  # of each probe

    @property
    def products(self) -> int:
        """All that the plan spends."""
        return self.outlier_steps + self.probes * self.steps

    def memory(self, size: int) -> int:
        """Bytes at the peak, besides the operator's own."""
        if not self.outlier_steps:
            return memory_of(size, vectors=self.probes, steps=self.steps)
        # The basis is held while the outliers are mixed from it, and given up before the probes
        # run. These are drawn first, and what they start from is there to the end.
        first = memory_of(size, steps=self.outlier_steps, num_outliers=self.outliers + self.probes)
        rest = memory_of(
            size,
            vectors=self.probes,
            steps=self.steps,
            keeps_basis=False,
            num_outliers=self.outliers + self.probes,
        )
        return max(first, rest)


Method = Literal["auto", "full", "deflated"]


def plan_products(size: int, products: int = 400, method: Method = "auto") -> Plan:
    """What `estimate_spectrum` does with so many products.

    Raises
    ------
    ValueError
        For fewer than 16 products, or a method that is not known.

    Examples
    --------
    >>> plan_products(10**6, 400)
    Plan(outlier_steps=80, outliers=40, probes=4, steps=80)
    """
    if products < _FEWEST:
        raise ValueError(f"{products=} must be at least {_FEWEST}")
    if method not in ("auto", "full", "deflated"):
        raise ValueError(f"{method=} must be 'auto', 'full' or 'deflated'")
    if method == "full" or (method == "auto" and size <= products // 2):
        steps = min(size, _FULL_STEPS, products // 2)
        return Plan(0, 0, min(products // steps, _MOST_PROBES), steps)
    outlier_steps = min(size, round(_OUTLIER_SHARE * products))
    return Plan(
        outlier_steps,
        max(1, round(_KEPT_SHARE * outlier_steps)),
        _PROBES,
        min(size, (products - outlier_steps) // _PROBES),
    )


def estimate_spectrum(
    operator: Operator,
    *,
    key: PRNGKeyArray,
    products: int = 400,
    method: Method = "auto",
    checkpoint: str | os.PathLike | None = None,
    identity: str = "",
    memory_limit: int | None = None,
    mesh: Mesh | None = None,
) -> Spectrum:
    """Nodes and weights of the spectrum of `operator`, from random probes.

    Parameters
    ----------
    operator
        A symmetric matrix by its products.
    key
        Of the random signs.
    products
        At most so many products with one vector, at least 16.
    method
        "full": probes with a full basis. "deflated": the leading eigenvalues by one run with a full
        basis, then probes off them without a basis. "auto": deflated, unless the matrix is so small
        that probes reach all of it.
    checkpoint
        Path of a file that is written every 20 steps and from which a killed run goes on; the run
        for outliers has its own beside it, with the ending .outliers.
    identity
        Of the operator, such as a hash of weights and data, to be kept in the checkpoint. Without
        it an operator is told from another by its first product.
    memory_limit
        Bytes; by default what is there. The operator's own arrays are not counted.
    mesh
        One axis of devices over which vectors are cut.

    Raises
    ------
    MemoryError
        Before anything runs, if it cannot fit.
    ValueError
        For settings outside their ranges.
    FloatingPointError
        For a product that is not finite.
    CheckpointError
        Before the first step, for a checkpoint in a folder that does not exist, of another operator
        or of other settings, or that is damaged.

    Notes
    -----
    Cost: the products, and for j vectors of a basis 4 j D operations a step.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from lottery_jax.spectrum.operator import diagonal
    >>> operator = diagonal(jnp.arange(8.0))
    >>> spectrum = estimate_spectrum(operator, key=keys.root(0), products=64)
    >>> round(spectrum.largest, 3)
    7.0
    """
    key = keys.check_key(key)
    plan = plan_products(operator.size, products, method)
    check_memory(
        plan.memory(operator.size),
        memory_limit,
        way_out="take fewer products, whose first run then keeps a shorter basis"
        if plan.outlier_steps
        else "take method='deflated', which keeps a basis for one vector alone, or fewer products",
    )
    if checkpoint is not None:
        resume.check_folder(checkpoint)
    probes = blocks.rademacher(keys.chunk(key, 0), plan.probes, operator.size)
    common = {
        "size": operator.size,
        "num_products": plan.products,
        "is_semidefinite": operator.is_semidefinite,
    }
    if not plan.outlier_steps:
        run = resume.run(
            operator, probes, plan.steps, mesh=mesh, path=checkpoint, identity=identity
        )
        return quadrature.spectrum_of(lanczos.coefficients(run), **common)
    start = blocks.rademacher(keys.chunk(key, 1), 1, operator.size)
    beside = None if checkpoint is None else f"{os.fspath(checkpoint)}.outliers"
    first = resume.run(
        operator, start, plan.outlier_steps, mesh=mesh, path=beside, identity=identity
    )
    outliers = deflation.outliers_of(first, at_most=plan.outliers)
    cut = first.cut
    del first  # its basis
    probes = deflation.project_off(outliers, probes, cut)
    run = resume.run(
        operator,
        probes,
        plan.steps,
        keeps_basis=False,
        outliers=outliers.vectors,
        mesh=mesh,
        path=checkpoint,
        identity=identity,
    )
    return quadrature.spectrum_of(
        lanczos.coefficients(run),
        outliers=outliers.values,
        outlier_errors=outliers.errors,
        **common,
    )


def spectrum_from(
    operator: Operator,
    starts: Vectors,
    *,
    steps: int,
    checkpoint: str | os.PathLike | None = None,
    identity: str = "",
    memory_limit: int | None = None,
    mesh: Mesh | None = None,
) -> Spectrum:
    """The spectrum seen from given vectors, such as a displacement: weights (vᵀu)² / |v|².

    Parameters
    ----------
    operator
        A symmetric matrix by its products.
    starts
        One vector for each row, not zero.
    steps
        Products for each vector, at least 1; more than D are not taken.
    checkpoint, identity, memory_limit, mesh
        As for `estimate_spectrum`.

    Raises
    ------
    MemoryError
        Before anything runs, if it cannot fit.
    ValueError
        For vectors that do not fit, are zero or not finite, or `steps` below 1.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from lottery_jax.spectrum.operator import diagonal
    >>> operator = diagonal(jnp.array([1.0, 5.0]))
    >>> spectrum = spectrum_from(operator, jnp.array([[3.0, 4.0]]), steps=2)
    >>> round(quadrature.mean_of(spectrum, lambda eigenvalues: eigenvalues).value, 3)
    3.56
    """
    if steps < 1:
        raise ValueError(f"{steps=} must be at least 1")
    steps = min(steps, operator.size)
    needed = memory_of(operator.size, vectors=len(starts), steps=steps)
    check_memory(needed, memory_limit, way_out="take fewer steps, or fewer vectors at a time")
    run = resume.run(operator, starts, steps, mesh=mesh, path=checkpoint, identity=identity)
    return quadrature.spectrum_of(
        lanczos.coefficients(run),
        size=operator.size,
        num_products=len(starts) * steps,
        is_semidefinite=operator.is_semidefinite,
        is_sample=False,
    )
