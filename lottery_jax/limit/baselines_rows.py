"""What one run of the pruning methods gave, a row for each network, and what seeds tell apart."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from lottery_jax.pruning_limit.baselines import METHODS

CONFIDENCE = 0.95  # of the intervals that tell two methods apart
CLOSE = 0.02  # difference of accuracies that does not count
# Nothing removed: methods at sparsity 0.
DENSE = {"dense": "random_equal", "dense_l1": "one_shot_global"}
TOLD = {
    "dense": "dense",
    "dense_l1": "dense with l1",
    **{name: method.told for name, method in METHODS.items()},
}


class Row(NamedTuple):
    """One network."""

    method: str  # a name in the table of methods, or "dense", "dense_l1"
    sparsity: float  # asked: the fraction of the prunable weights removed
    seed: int  # of the start; the same start for all methods
    weights: int  # D, prunable
    asked: int  # of them to be removed
    zeros: int  # of them zero, counted in the network
    accuracy: float  # on the held-out images
    epochs: float  # of training behind it; where these differ between seeds, their mean


def best(rows: Sequence[Row], sparsity: float) -> list[str]:
    """The method of the highest mean, and those close to it that seeds do not tell from it."""
    from scipy.special import stdtrit  # on first use: importing the package stays light

    first, *others = ranked(rows, sparsity, methods(rows))
    best, found = accuracies(rows, first, sparsity), [first]
    for name in others:
        less = best - accuracies(rows, name, sparsity)
        num_seeds = len(less)
        if num_seeds < 2:
            continue
        bound = stdtrit(num_seeds - 1, (1 + CONFIDENCE) / 2) * deviation(less) / num_seeds**0.5
        if less.mean() <= min(bound, CLOSE):
            found.append(name)
    return found


def accuracies(rows: Sequence[Row], method: str, sparsity: float) -> Float64[np.ndarray, " seed"]:
    """Of the networks of one method at one sparsity, by seed."""
    chosen = [row for row in rows if (row.method, row.sparsity) == (method, sparsity)]
    return np.array([row.accuracy for row in sorted(chosen, key=lambda row: row.seed)])


def methods(rows: Sequence[Row]) -> list[str]:
    """Their names in the order of the rows, without the dense networks."""
    return [name for name in dict.fromkeys(row.method for row in rows) if name not in DENSE]


def sparsities(rows: Sequence[Row]) -> list[float]:
    """Those asked of the methods, ascending."""
    return sorted({row.sparsity for row in rows if row.method not in DENSE})


def ranked(rows: Sequence[Row], sparsity: float, names: Sequence[str]) -> list[str]:
    """The methods by their mean accuracy, the highest first."""
    return sorted(names, key=lambda name: -float(accuracies(rows, name, sparsity).mean()))


def largest_kept(rows: Sequence[Row], name: str, dense: float) -> float:
    """The largest sparsity up to which the mean accuracy stays close to dense; 0 for none."""
    largest = 0.0
    for sparsity in sparsities(rows):
        if accuracies(rows, name, sparsity).mean() < dense - CLOSE:
            break
        largest = sparsity
    return largest


def deviation(values: np.ndarray) -> float:
    """The standard deviation of a sample; 0 for a single value."""
    return float(values.std(ddof=min(1, len(values) - 1)))
