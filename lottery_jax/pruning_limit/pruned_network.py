"""A network at any sparsity of magnitude pruning, and what batches say of it."""

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float64, PyTree

from lottery_jax.core.leaves import Leaves
from lottery_jax.pruning_limit.magnitude import num_removed, ranks, ranks_layerwise
from lottery_jax.spectrum.batches import BatchLosses, Loss, compiled, evaluate_batches

Scope = Literal["global", "layerwise"]


class PrunedNetwork:
    """A network at any sparsity, and what its batches say of it."""

    def __init__(
        self, loss: Loss, params: PyTree, batches: Sequence[PyTree], leaves: Leaves, scope: Scope
    ):
        if scope not in ("global", "layerwise"):
            raise ValueError(f'{scope=} must be "global" or "layerwise"')
        self.dense: BatchLosses = evaluate_batches(loss, params, batches)
        self.num_examples = self.dense.num_examples
        self._loss, self._params, self._batches, self._leaves = loss, params, batches, leaves
        magnitudes = jnp.abs(leaves.vector(params))
        self._scope = scope
        self._ranks = (
            ranks(magnitudes) if scope == "global" else ranks_layerwise(magnitudes, leaves.bounds)
        )

    def mask(self, sparsity: float) -> PyTree:
        """Ones and zeros to multiply the parameters by."""
        return self._leaves.mask(self._kept(sparsity), self._params)

    def judge(self, params: PyTree) -> Float64[np.ndarray, " batch"]:
        """The mean of every batch."""
        found: list[Array] = []
        for batch in self._batches:
            found.append(compiled(self._loss)(params, batch))
            jax.block_until_ready(found[-2:-1])  # no more than two batches are on the device
        return np.asarray(jax.device_get(found), np.float64)

    def excess(self, values: Float64[np.ndarray, " batch"]) -> float:
        """By how much their mean lies above the dense one; infinite where it is no number."""
        change = float((values - self.dense.losses) @ self.num_examples / self.num_examples.sum())
        return change if np.isfinite(change) else float("inf")

    def values(self, sparsity: float) -> Float64[np.ndarray, " batch"]:
        """The mean of every batch right after pruning."""
        return self.judge(_multiply(self._params, self.mask(sparsity)))

    def share(self, sparsity: float) -> float:
        """The fraction of the weights that a sparsity removes, rounded down to whole weights."""
        sizes = [stop - start for start, stop in self._leaves.bounds]
        sizes = [self._leaves.size] if self._scope == "global" else sizes
        return sum(num_removed(sparsity, size) for size in sizes) / self._leaves.size

    def _kept(self, sparsity: float) -> Bool[Array, " size"]:
        if self._scope == "global":
            return self._ranks >= np.int32(num_removed(sparsity, self._leaves.size))
        counts = [
            np.full(stop - start, num_removed(sparsity, stop - start), np.int32)
            for start, stop in self._leaves.bounds
        ]
        return self._ranks >= np.concatenate(counts)


@jax.jit
def _multiply(params: PyTree, mask: PyTree) -> PyTree:
    return jax.tree.map(jnp.multiply, params, mask)
