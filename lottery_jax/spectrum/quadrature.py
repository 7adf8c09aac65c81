"""Traces of functions of a matrix from the nodes and weights that Lanczos runs leave.

tr f(H) / D is the mean of f over the spectrum. A run from a random vector gives nodes and weights
of a quadrature for vᵀf(H)v, whose expectation is that mean (Ubaru, Chen, Saad 2017). Eigenvalues
that were found one by one enter exactly, each with weight 1/D. Nodes and weights are used as they
are: a density smoothed in between is for the eye (`density.py`), and would change every number.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from lottery_jax.spectrum.lanczos import Tridiagonal
from lottery_jax.spectrum.rules import Function, Rule, Rules, rules_of

Values = float | Float64[np.ndarray, "..."]

# Changes that do not shrink from one doubling of the steps to the next are given nine more.
_LARGEST_RATIO = 0.9


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
    rules: Rules  # the probes' quadratures, off the outliers
    is_semidefinite: bool
    is_sample: bool  # True: probes are random. False: they are given vectors, as a displacement

    @property
    def half(self) -> Rule:
        """Nodes and weights after half of the steps, outliers first."""
        return _with_outliers(self.rules.half, self.outliers, self.size)

    @property
    def quarter(self) -> Rule:
        """Nodes and weights after a quarter of the steps, outliers first."""
        return _with_outliers(self.rules.quarter, self.outliers, self.size)

    @property
    def gauss(self) -> Rule:
        """Nodes and weights of Gauss's rule, outliers first."""
        return _with_outliers(self.rules.gauss, self.outliers, self.size)

    @property
    def num_probes(self) -> int:
        """Random vectors behind it."""
        return len(self.nodes)

    @property
    def null_share(self) -> float:
        """The part of the spectrum within rounding of zero: 2^-20 of its largest magnitude."""
        threshold = 2.0**-20 * max(abs(self.largest), abs(self.smallest))
        return float(np.mean(np.sum(self.weights * (np.abs(self.nodes) <= threshold), axis=1)))


class Estimate(NamedTuple):
    """The mean of a function over a spectrum, with what is known of its error."""

    value: float
    standard_error: float  # over probes; nan for one probe, 0 for given vectors
    step_error: float  # what more steps may change: see `step_error_of`
    error: float  # half width of the stated interval: see `mean_of`
    num_probes: int
    lower: Float64[np.ndarray, " probe"] | None  # bounds of each probe's own quadratic form;
    upper: Float64[np.ndarray, " probe"] | None  # None where nothing proves any


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
    rules, ends = rules_of(runs)
    best = _with_outliers(rules.radau, found, size)
    # Of every extreme eigenvalue its residual: the last entry of its vector times the last tail.
    seen = np.concatenate(
        [found, np.where(rules.gauss.weights > 0, rules.gauss.nodes, np.nan).ravel()]
    )
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
        matrix without negative eigenvalues, bounds are given; not beside outliers, whose vectors
        are only nearly eigenvectors, so that no quadratic form of the whole matrix is bounded.

    Notes
    -----
    The stated interval is value ± error, where error = t · standard_error + step_error, and t is
    the 97.5 % quantile of Student's law with probes - 1 degrees of freedom (infinite for one probe,
    whose spread is unknown). The first part is for the noise of the probes, in 95 % of runs; the
    second, for the steps not taken, is a rule of thumb (`step_error_of`). Together they are tested
    on c / (c + |λ|) for spectra of both signs, c from 10^-4 to 10^-1 of the largest eigenvalue.
    Rounding of float32 products is in neither: about 10^-7 of |f'| times the largest eigenvalue.
    Nor is it meant for nearly diagonal matrices, which signs see without noise or with one of a few
    discrete values.

    Examples
    --------
    >>> runs = Tridiagonal(np.array([[2.0]]), np.array([[0.0]]), np.ones(1), np.array([True]))
    >>> spectrum = spectrum_of(runs, size=2, num_products=1, is_semidefinite=True)
    >>> mean_of(spectrum, lambda eigenvalues: 1 / (1 + eigenvalues)).value
    0.3333333333333333
    """
    from scipy import special  # on first use: importing the package stays light

    rules, probes = spectrum.rules, spectrum.num_probes
    has_bounds = is_completely_monotone and spectrum.is_semidefinite and not spectrum.outliers.size
    # A rule with a node at 0 says nothing about 1 / λ or log λ.
    at_zero = np.isfinite(np.asarray(function(np.zeros(1)), np.float64)).all()
    used = (
        (rules.radau, rules.half, rules.quarter, rules.gauss)
        if at_zero
        else (rules.gauss, rules.gauss_half, rules.gauss_quarter, rules.gauss)
    )
    each = [_combined(spectrum, rule, function) for rule in used]
    value, half, quarter, gauss = (float(np.mean(values)) for values in each)
    lower = upper = None
    if has_bounds:
        lower, upper = rules.gauss.mean(function), rules.radau.mean(function)
    spread = math.nan if probes < 2 else float(np.std(each[0], ddof=1) / math.sqrt(probes))
    if not spectrum.is_sample:
        spread = 0.0
    unresolved = float(step_error_of(value, half=half, quarter=quarter, gauss=gauss))
    quantile = float(special.stdtrit(probes - 1, 0.975)) if probes > 1 else math.inf
    error = unresolved + (quantile * spread if spread > 0 else 0.0)
    if math.isnan(spread):
        error = math.inf
    return Estimate(value, spread, unresolved, error, probes, lower, upper)


def step_error_of(value: Values, *, half: Values, quarter: Values, gauss: Values) -> Values:
    """What more steps may change in a mean over a spectrum, from what the last ones changed.

    Parameters
    ----------
    value
        By the rule with a node at 0.
    half, quarter
        The same after half, and after a quarter, of the steps.
    gauss
        By Gauss's rule.

    Notes
    -----
    |gauss - value| + a / (1 - min(a/b, 0.9)), where a is the change from half of the steps to all
    and b that from a quarter to half: the last change, and those of all doublings to come if each
    is to the one before it as a is to b. With positive eigenvalues changes soon die out faster.
    With both signs the kink of c / (c + |λ|) lies where most eigenvalues do: errors fall like a
    power of the steps, and where c is far below what they resolve hardly at all; there the two
    rules differ much. It is no bound: that would have to count all that one node at 0 may stand
    for.

    Examples
    --------
    >>> round(float(step_error_of(1.0, half=1.1, quarter=1.3, gauss=0.95)), 3)
    0.25
    """
    last, before = np.abs(np.subtract(value, half)), np.abs(np.subtract(half, quarter))
    # Where the earlier change is nothing, any later one has grown.
    ratio = np.divide(last, before, out=np.ones_like(last), where=before > 0)
    return np.abs(np.subtract(gauss, value)) + last / (1 - np.minimum(ratio, _LARGEST_RATIO))


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
