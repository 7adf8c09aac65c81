"""Traces of functions of a matrix from the nodes and weights that Lanczos runs leave.

tr f(H) / D is the mean of f over the spectrum. A run from a random vector gives nodes and weights
of a quadrature for vᵀf(H)v, whose expectation is that mean (Ubaru, Chen, Saad 2017). Eigenvalues
that were found one by one enter exactly, each with weight 1/D. Nodes and weights are used as they
are: a density smoothed in between is for the eye (`density.py`), and would change every number.

For f(λ) = a / (a + λ) of a matrix without negative eigenvalues, Gauss's rule is a lower bound of
the quadratic form and the Gauss-Radau rule with a node at 0 an upper bound, whatever the number of
steps (Golub and Meurant 2010, chapter 6): derivatives of even order are positive, of odd order
negative.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy import linalg, special

from lottery_jax.spectrum.lanczos import Tridiagonal

Function = Callable[[np.ndarray], np.ndarray]


class Rule(NamedTuple):
    """One quadrature for each probe; places beyond a probe's own nodes have weight 0."""

    nodes: Float64[np.ndarray, "probe node"]
    weights: Float64[np.ndarray, "probe node"]  # each row sums to 1

    def mean(self, function: Function) -> Float64[np.ndarray, " probe"]:
        """The quadratic form of `function` that each probe sees."""
        values = np.asarray(function(self.nodes), np.float64)
        # A node of weight 0 may lie where the function is infinite.
        return np.sum(np.where(self.weights > 0, self.weights * values, 0), axis=1)


class Spectrum(NamedTuple):
    """What Lanczos runs say about the eigenvalues of a matrix of `size` rows."""

    nodes: Float64[np.ndarray, "probe node"]  # of the best rule, outliers first
    weights: Float64[np.ndarray, "probe node"]  # each row sums to 1
    size: int  # D
    num_products: int  # that it cost
    largest: float  # eigenvalue, seen from inside: never above the truth but for rounding
    smallest: float  # likewise, never below
    largest_error: float  # an eigenvalue lies within this of `largest`, rounding apart
    smallest_error: float
    outliers: Float64[np.ndarray, " outlier"]  # eigenvalues found one by one
    outlier_errors: Float64[np.ndarray, " outlier"]  # norms of their residuals
    rules: "Rules"  # the probes' quadratures, off the outliers
    is_semidefinite: bool
    is_sample: bool  # True: probes are random. False: they are given vectors, as a displacement

    @property
    def half(self) -> Rule:
        """Nodes and weights after half of the steps, outliers first."""
        return _with_outliers(self.rules.half, self.outliers, self.size)

    @property
    def num_probes(self) -> int:
        """Random vectors behind it."""
        return len(self.nodes)

    @property
    def null_share(self) -> float:
        """The part of the spectrum within rounding of zero: 2^-20 of its largest magnitude."""
        threshold = 2.0**-20 * max(abs(self.largest), abs(self.smallest))
        return float(np.mean(np.sum(self.weights * (np.abs(self.nodes) <= threshold), axis=1)))


class Rules(NamedTuple):
    """Quadratures of the same runs, whose differences say how far the steps have converged.

    Most eigenvalues of a trained network lie near 0. The nodes of Gauss's rule jump across 0 from
    one step to the next, and its values with them; the rule with one node fixed at 0 approaches the
    truth from one side, so it is the one that is used.
    """

    radau: Rule  # with one node at 0
    half: Rule  # likewise, after half of the steps
    gauss: Rule
    gauss_half: Rule  # likewise, after half of the steps


class Estimate(NamedTuple):
    """The mean of a function over a spectrum, with what is known of its error."""

    value: float
    standard_error: float  # over probes; nan for one probe, 0 for given vectors
    step_change: float  # |value - value after half of the steps|
    error: float  # half width of the stated interval: see `mean_of`
    num_probes: int
    lower: Float64[np.ndarray, " probe"] | None  # bounds of each probe's own quadratic form, where
    upper: Float64[np.ndarray, " probe"] | None  # the matrix and the function allow them


def spectrum_of(
    runs: Tridiagonal,
    *,
    size: int,
    num_products: int,
    is_semidefinite: bool,
    is_sample: bool = True,
    outliers: Float64[np.ndarray, " outlier"] | None = None,
    outlier_errors: Float64[np.ndarray, " outlier"] | None = None,
) -> Spectrum:
    """The spectrum that Lanczos runs saw, beside eigenvalues that were projected off them.

    Parameters
    ----------
    runs
        At least one step of at least one probe.
    outliers, outlier_errors
        Eigenvalues off whose vectors the probes were projected, and the norms of their residuals.

    Examples
    --------
    >>> runs = Tridiagonal(np.array([[2.0]]), np.array([[1.0]]), np.ones(1), np.array([False]))
    >>> spectrum_of(runs, size=2, num_products=1, is_semidefinite=True).nodes.tolist()
    [[0.0, 2.5]]
    """
    found = np.zeros(0) if outliers is None else np.asarray(outliers, np.float64)
    errors = np.zeros(0) if outlier_errors is None else np.asarray(outlier_errors, np.float64)
    half = -(-runs.diagonal.shape[1] // 2)
    halved = runs._replace(
        diagonal=runs.diagonal[:, :half],
        off_diagonal=runs.off_diagonal[:, :half],
        has_ended=np.any(runs.off_diagonal[:, :half] == 0, axis=1),
    )
    gauss, ends = _gauss(runs.diagonal, runs.off_diagonal)
    gauss_half, _ = _gauss(halved.diagonal, halved.off_diagonal)
    rules = Rules(_radau(runs), _radau(halved), gauss, gauss_half)
    best = _with_outliers(rules.radau, found, size)
    # Of every extreme eigenvalue its residual: the last entry of its vector times the last tail.
    seen = np.concatenate([found, np.where(gauss.weights > 0, gauss.nodes, np.nan).ravel()])
    residuals = np.concatenate([errors, (ends * runs.off_diagonal[:, -1:]).ravel()])
    top, bottom = int(np.nanargmax(seen)), int(np.nanargmin(seen))
    return Spectrum(
        nodes=best.nodes,
        weights=best.weights,
        size=size,
        num_products=num_products,
        largest=float(seen[top]),
        smallest=float(seen[bottom]),
        largest_error=float(residuals[top]),
        smallest_error=float(residuals[bottom]),
        outliers=found,
        outlier_errors=errors,
        rules=rules,
        is_semidefinite=is_semidefinite,
        is_sample=is_sample,
    )


def mean_of(
    spectrum: Spectrum, function: Function, *, is_completely_monotone: bool = False
) -> Estimate:
    """The mean of `function` over the spectrum, tr f(H) / D.

    Parameters
    ----------
    function
        Of an array of eigenvalues, entry by entry. For the paper's |λ| it takes np.abs itself.
    is_completely_monotone
        Whether its derivatives alternate in sign for λ >= 0, as those of a / (a + λ) do. With a
        matrix without negative eigenvalues, bounds are given.

    Notes
    -----
    The stated interval is value ± error, where error = t · standard_error + step_change, and t
    is the 97.5 % quantile of Student's law with probes - 1 degrees of freedom (infinite for one
    probe, whose spread is unknown): it covers the noise of the probes in 95 % of runs, and the
    step change covers what more steps would add.

    Examples
    --------
    >>> runs = Tridiagonal(np.array([[2.0]]), np.array([[0.0]]), np.ones(1), np.array([True]))
    >>> spectrum = spectrum_of(runs, size=2, num_products=1, is_semidefinite=True)
    >>> mean_of(spectrum, lambda eigenvalues: 1 / (1 + eigenvalues)).value
    0.3333333333333333
    """
    rules, probes = spectrum.rules, spectrum.num_probes
    has_bounds = is_completely_monotone and spectrum.is_semidefinite
    # A rule with a node at 0 says nothing about 1 / λ or log λ.
    at_zero = np.isfinite(np.asarray(function(np.zeros(1)), np.float64)).all()
    fine = _combined(spectrum, rules.radau if at_zero else rules.gauss, function)
    coarse = _combined(spectrum, rules.half if at_zero else rules.gauss_half, function)
    lower = upper = None
    if has_bounds:
        lower, upper = rules.gauss.mean(function), rules.radau.mean(function)
    value = float(np.mean(fine))
    spread = math.nan if probes < 2 else float(np.std(fine, ddof=1) / math.sqrt(probes))
    if not spectrum.is_sample:
        spread = 0.0
    change = abs(value - float(np.mean(coarse)))
    quantile = float(special.stdtrit(probes - 1, 0.975)) if probes > 1 else math.inf
    error = change + (quantile * spread if spread > 0 else 0.0)
    if math.isnan(spread):
        error = math.inf
    return Estimate(value, spread, change, error, probes, lower, upper)


def _combined(spectrum, rule, function):
    """For each probe, the outliers' exact part and the probe's part of the rest."""
    share = len(spectrum.outliers) / spectrum.size
    exact = float(np.sum(function(spectrum.outliers))) if share else 0.0
    return exact / spectrum.size + (1 - share) * rule.mean(function)


def _with_outliers(rule: Rule, outliers: Float64[np.ndarray, " outlier"], size: int) -> Rule:
    """The rule for the whole spectrum: outliers at weight 1 / size each, probes for the rest."""
    share, probes = len(outliers) / size, len(rule.nodes)
    nodes = np.broadcast_to(outliers, (probes, len(outliers)))
    weights = np.full((probes, len(outliers)), 1 / size)
    return Rule(
        np.concatenate([nodes, rule.nodes], axis=1),
        np.concatenate([weights, (1 - share) * rule.weights], axis=1),
    )


def _gauss(diagonal, off_diagonal):
    """Gauss's rule of every tridiagonal matrix, and the last entries of its eigenvectors."""
    probes, steps = diagonal.shape
    nodes, weights, ends = (np.zeros((probes, steps)) for _ in range(3))
    for probe in range(probes):
        zeros = np.flatnonzero(off_diagonal[probe] == 0)
        stop = int(zeros[0]) + 1 if len(zeros) else steps  # the rest was never reached
        values, vectors = linalg.eigh_tridiagonal(
            diagonal[probe, :stop], off_diagonal[probe, : stop - 1]
        )
        first = vectors[0] ** 2
        nodes[probe, :stop], weights[probe, :stop] = values, first / first.sum()
        ends[probe, :stop] = np.abs(vectors[-1])
        nodes[probe, stop:] = values[-1]
    return Rule(nodes, weights), ends


def _radau(runs):
    """The rule with one node at 0 and one more node than Gauss's (Golub 1973)."""
    probes, steps = runs.diagonal.shape
    diagonal = np.concatenate([runs.diagonal, np.zeros((probes, 1))], axis=1)
    off_diagonal = np.concatenate([runs.off_diagonal, np.ones((probes, 1))], axis=1)
    for probe in range(probes):
        if runs.has_ended[probe]:
            continue  # Gauss's rule is exact there
        # The last entry makes the determinant 0: the ratio of the last two leading minors, which
        # the pivots of an LU factorisation without exchanges give.
        pivot = runs.diagonal[probe, 0]
        for step in range(1, steps):
            if pivot == 0:  # exactly: the next one is infinite, and the one after a new start
                pivot = np.finfo(np.float64).tiny
            pivot = runs.diagonal[probe, step] - runs.off_diagonal[probe, step - 1] ** 2 / pivot
        scale = max(np.max(np.abs(runs.diagonal[probe])), np.max(runs.off_diagonal[probe]))
        if abs(pivot) < np.finfo(np.float64).eps * scale:
            off_diagonal[probe, steps - 1] = 0  # Gauss's rule has a node at 0 already
        else:
            diagonal[probe, -1] = runs.off_diagonal[probe, -1] ** 2 / pivot
    return _gauss(diagonal, off_diagonal)[0]
