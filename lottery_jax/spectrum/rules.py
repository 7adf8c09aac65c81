"""Quadrature rules of Lanczos runs: Gauss's, and Radau's with one node at 0.

For f(λ) = a / (a + λ) of a matrix without negative eigenvalues, Gauss's rule is a lower bound of
the quadratic form and the Gauss-Radau rule with a node at 0 an upper bound, whatever the number of
steps (Golub and Meurant 2010, chapter 6): derivatives of even order are positive, of odd order
negative.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

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


class Rules(NamedTuple):
    """Quadratures of the same runs, whose differences say how far the steps have converged.

    Most eigenvalues of a trained network lie near 0. The nodes of Gauss's rule jump across 0 from
    one step to the next, and its values with them; the rule with one node fixed at 0 approaches the
    truth from one side, so it is the one that is used.
    """

    radau: Rule  # with one node at 0
    half: Rule  # likewise, after half of the steps
    quarter: Rule
    gauss: Rule
    gauss_half: Rule
    gauss_quarter: Rule


def rules_of(runs: Tridiagonal) -> tuple[Rules, Float64[np.ndarray, "probe node"]]:
    """The rules of runs of at least one step, and what every node's vector has in its last entry.

    Examples
    --------
    >>> runs = Tridiagonal(np.array([[2.0]]), np.array([[1.0]]), np.ones(1), np.array([False]))
    >>> rules, _ = rules_of(runs)
    >>> rules.gauss.nodes.tolist(), rules.radau.nodes.tolist()
    ([[2.0]], [[0.0, 2.5]])
    """
    half, quarter = _first_part(runs, 2), _first_part(runs, 4)
    gauss, ends = _gauss(runs.diagonal, runs.off_diagonal)
    rules = Rules(
        radau=_radau(runs),
        half=_radau(half),
        quarter=_radau(quarter),
        gauss=gauss,
        gauss_half=_gauss(half.diagonal, half.off_diagonal)[0],
        gauss_quarter=_gauss(quarter.diagonal, quarter.off_diagonal)[0],
    )
    return rules, ends


def _first_part(runs, part):
    """The runs after 1/part of the steps, rounded up."""
    steps = -(-runs.diagonal.shape[1] // part)
    off_diagonal = runs.off_diagonal[:, :steps]
    ended = np.any(off_diagonal == 0, axis=1)
    return Tridiagonal(runs.diagonal[:, :steps], off_diagonal, runs.norms, ended)


def _gauss(diagonal, off_diagonal):
    """Gauss's rule of every tridiagonal matrix, and the last entries of its eigenvectors."""
    from scipy import linalg  # on first use: importing the package stays light

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
