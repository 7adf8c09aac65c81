"""The curvature as the displacement of magnitude pruning sees it, at any sparsity asked for.

Forms that look at the displacement c need the measure of c in the eigenbasis: the nodes and weights
of a Lanczos run that starts at c. With runs from the kept part k and from both together they also
know what H makes of c and k jointly.

Of a matrix without negative eigenvalues the means that the forms ask for lie between those of
Gauss's rule and of the Gauss-Radau rule with a node at 0, which approach each other slowly where
much of the spectrum is near 0. The mean of the two rules is far nearer than either, and its
distance from one of them is the error that is stated.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int32

from lottery_jax.pruning_limit.magnitude import ranks
from lottery_jax.spectrum.estimate import spectrum_from
from lottery_jax.spectrum.memory import memory_of
from lottery_jax.spectrum.operator import Operator
from lottery_jax.spectrum.quadrature import Spectrum

_SIDE_BY_SIDE = 2**22  # weights up to which several runs advance together
STEPS = 32  # of each run


class Seen(NamedTuple):
    """What one displacement sees; arrays of one run [node], or of three [run, node]."""

    nodes: Float64[np.ndarray, "run node"]  # of both rules
    weights: Float64[np.ndarray, "run node"]
    end_nodes: Float64[np.ndarray, "run end"]  # of the rule at one end
    end_weights: Float64[np.ndarray, "run end"]


def displaced_memory(size: int) -> int:
    """Bytes that the runs at one displacement take, besides what the operator holds."""
    return memory_of(size, vectors=3 if size <= _SIDE_BY_SIDE else 1, steps=STEPS)


class Displaced:
    """Lanczos runs at displacements, each sparsity once.

    Parameters
    ----------
    operator
        The curvature.
    weights
        All prunable weights.
    gradient
        Of the loss with respect to them.
    memory_limit
        Bytes; by default what is there.
    """

    def __init__(
        self,
        operator: Operator,
        weights: Float[Array, " size"],
        gradient: Float[Array, " size"],
        *,
        memory_limit: int | None = None,
    ):
        self.num_products, self._memory_limit = 0, memory_limit
        self._operator, self._weights, self._gradient = operator, weights, gradient
        self._ranks = ranks(jnp.abs(weights))
        self._seen: dict[tuple[int, bool], Seen] = {}
        self._changes: dict[int, tuple[float, float]] = {}

    def see(self, removed: int, *, with_kept: bool) -> Seen:
        """The measures of the displacement after `removed` weights, and of what is kept."""
        if not with_kept and (removed, True) in self._seen:
            return Seen(*(each[:1] for each in self._seen[removed, True]))
        if (removed, with_kept) not in self._seen:
            starts = _starts(self._weights, self._ranks, np.int32(removed))
            has_kept = with_kept and removed < len(self._weights)
            starts = starts if has_kept else starts[:1]
            at_once = len(starts) if self._operator.size <= _SIDE_BY_SIDE else 1
            found = [
                spectrum_from(self._operator, part, steps=STEPS, memory_limit=self._memory_limit)
                for part in jnp.split(starts, len(starts) // at_once)
            ]
            self.num_products += sum(each.num_products for each in found)
            self._seen[removed, with_kept] = _seen(found, copies=3 if with_kept else 1)
        return self._seen[removed, with_kept]

    def change(self, removed: int) -> tuple[float, float]:
        """What removing so many adds to the loss: by the gradient alone, and by the curvature."""
        if removed == 0:
            return 0.0, 0.0
        if removed not in self._changes:
            moved = _starts(self._weights, self._ranks, np.int32(removed))[:1]
            product = self._operator @ moved
            self.num_products += 1
            vectors = (np.asarray(each, np.float64) for each in (moved[0], product[0]))
            moved64, product64 = vectors
            slope = float(moved64 @ np.asarray(self._gradient, np.float64))
            self._changes[removed] = slope, float(moved64 @ product64) / 2
        return self._changes[removed]


@jax.jit
def _starts(
    weights: Float[Array, " size"], ranks: Int32[Array, " size"], removed: Int32[Array, ""]
) -> Float[Array, "3 size"]:
    """c, k, and the sum of their directions."""
    kept = jnp.where(ranks >= removed, weights, jnp.float32(0))
    moved = kept - weights

    def unit(vector):
        length = jnp.linalg.norm(vector)
        return vector / jnp.where(length > 0, length, jnp.float32(1))

    return jnp.stack([moved, kept, unit(moved) + unit(kept)])


def _seen(found: list[Spectrum], copies: int) -> Seen:
    """Without a kept part (everything is removed) the one run stands for all three."""
    gauss, radau = (
        [
            np.concatenate([getattr(getattr(run.rules, rule), part) for run in found])
            for part in ("nodes", "weights")
        ]
        for rule in ("gauss", "radau")
    )
    both = [np.concatenate(pair, axis=1) for pair in zip(gauss, radau, strict=True)]
    arrays = [both[0], both[1] / 2, *radau]
    if len(arrays[0]) < copies:
        arrays = [np.repeat(each[:1], copies, axis=0) for each in arrays]
    return Seen(*arrays)
