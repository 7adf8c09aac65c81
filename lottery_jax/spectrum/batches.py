"""Batches of data: checked, evaluated, and placed on devices."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float64, PyTree

Loss = Callable[[PyTree, PyTree], Array]  # (params, batch) -> the mean over the batch


class BatchLosses(NamedTuple):
    """The loss at each batch."""

    losses: Float64[np.ndarray, " batch"]
    num_examples: Float64[np.ndarray, " batch"]

    @property
    def mean(self) -> float:
        """The mean over all examples."""
        return float(np.average(self.losses, weights=self.num_examples))

    @property
    def num_compared(self) -> int:
        """Batches of the largest number of examples, all but a smaller last one as a rule."""
        return int(np.sum(self.num_examples == self.num_examples.max()))

    @property
    def deviation(self) -> float:
        """The standard deviation over the batches of the largest number of examples alone.

        The mean of few examples scatters more than that of many, so a smaller last batch would tell
        of its size.
        """
        return float(np.std(self.losses[self.num_examples == self.num_examples.max()]))


def evaluate_batches(loss: Loss, params: PyTree, batches: Sequence[PyTree]) -> BatchLosses:
    """The loss at every batch, checked.

    Raises
    ------
    ValueError
        For no batches, a loss that is no floating-point scalar, or that is not finite at a batch;
        the message says at which.

    Examples
    --------
    >>> batches = [np.ones(3), np.ones(3), np.ones(1)]
    >>> found = evaluate_batches(lambda w, batch: jnp.mean(w * batch), 2.0, batches)
    >>> found.mean, found.deviation, found.num_compared
    (2.0, 0.0, 2)
    """
    check_batches(batches)
    value_at = compiled(loss)
    values: list[Array] = []
    for number, batch in enumerate(batches):
        found = value_at.eval_shape(params, batch)
        shape = getattr(found, "shape", type(found).__name__)
        if shape != ():
            raise ValueError(
                f"loss(params, batch) gives {shape=} at batch {number}; it must be a scalar, such "
                "as the mean over the batch"
            )
        if not jnp.issubdtype(found.dtype, jnp.floating):
            raise ValueError(
                f"loss(params, batch) gives {found.dtype} at batch {number}; it must be a "
                "floating-point number, which can be differentiated"
            )
        values.append(value_at(params, batch))
        jax.block_until_ready(values[-2:-1])  # no more than two batches are on the device
    losses = np.asarray(jax.device_get(values), np.float64)
    for number, value in enumerate(losses):
        if not np.isfinite(value):
            raise ValueError(
                f"the loss is {value} at batch {number} of {len(batches)}; look at that batch, and "
                "at the parameters"
            )
    return BatchLosses(losses, np.array([num_examples(batch) for batch in batches], np.float64))


def check_batches(batches: Any) -> None:
    """Raise ValueError unless this is a non-empty sequence of non-empty batches."""
    if not isinstance(batches, Sequence):
        raise ValueError(
            f"batches are a {type(batches).__name__}, which may not come again in the same order; "
            "pass a list"
        )
    if len(batches) == 0:
        raise ValueError("there are no batches; pass at least one")
    for number, batch in enumerate(batches):
        if not any(map(np.ndim, jax.tree.leaves(batch))):
            raise ValueError(
                f"batch {number} holds no array with an axis; the first axis counts examples"
            )
        if num_examples(batch) == 0:
            raise ValueError(f"batch {number} holds no examples; leave it out")


def num_examples(batch: PyTree) -> int:
    """The length of the first axis of the first array."""
    return next((len(leaf) for leaf in jax.tree.leaves(batch) if np.ndim(leaf)), 0)


# Cached, so that the same loss gives the same function, and jax compiles it once.
@functools.lru_cache(maxsize=32)
def compiled(loss: Loss) -> Any:
    """`jax.jit` of a loss."""
    return jax.jit(loss)


def num_bytes(tree: PyTree) -> int:
    """What the arrays of a pytree, or their shapes, take."""
    leaves = jax.tree.leaves(tree)
    return sum(math.prod(np.shape(leaf)) * jnp.result_type(leaf).itemsize for leaf in leaves)


def same_shapes(batches: Sequence[PyTree]) -> list[list[PyTree]]:
    """Batches of equal shapes together; commonly all, or all but a smaller last one."""
    groups: dict[Any, list[PyTree]] = {}
    for batch in batches:
        leaves, structure = jax.tree.flatten(batch)
        shapes = tuple((np.shape(leaf), str(jnp.result_type(leaf))) for leaf in leaves)
        groups.setdefault((structure, shapes), []).append(batch)
    return list(groups.values())


def stack(group: list[PyTree], mesh: Mesh | None) -> PyTree:
    """The batches as one, on a new first axis; the examples split over the devices of a mesh."""
    stacked = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *group)
    return place(stacked, mesh, axis=1)


def place(batch: PyTree, mesh: Mesh | None, *, axis: int) -> PyTree:
    """The batch on the device, or with its axis of examples split over those of a mesh."""
    if mesh is None:
        return jax.tree.map(jnp.asarray, batch)
    name, size = mesh.axis_names[0], mesh.size

    def place_one(leaf):
        if np.ndim(leaf) > axis and np.shape(leaf)[axis] % size:
            raise ValueError(
                f"a batch of {np.shape(leaf)[axis]} examples cannot be split over {size} devices; "
                f"take batches of a multiple of {size}"
            )
        spec = PartitionSpec(*[None] * axis, name) if np.ndim(leaf) > axis else PartitionSpec()
        return jax.device_put(leaf, NamedSharding(mesh, spec))

    return jax.tree.map(place_one, batch)
