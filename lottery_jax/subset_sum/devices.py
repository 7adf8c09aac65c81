"""Batches of instances over all local devices, with 64-bit types."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from lottery_jax.core.compat import enable_x64, make_mesh


def map_batch(solve: Callable[..., Any], *arrays: np.ndarray, smallest_share: int = 1) -> Any:
    """Answers of a batch function, with every local device working on a stretch of the batch.

    Parameters
    ----------
    solve
        Traceable, from arrays with a first axis "instance" to a pytree of such arrays; where an
        array has length 1, all instances share it. The same object compiles once for each shape.
    arrays
        All with a first axis of the same length, or of length 1.
    smallest_share
        Fewer instances than that are not worth another device.

    Returns
    -------
    answers
        NumPy arrays with a first axis "instance".

    Examples
    --------
    >>> map_batch(jax.numpy.add, np.arange(3), np.array([10]))
    array([10, 11, 12])
    """
    batch = max(len(array) for array in arrays)
    devices = jax.local_devices()
    shares = max(1, min(len(devices), batch // smallest_share))
    share = -(-batch // shares)
    # The last share is filled up with the last instance.
    index = np.minimum(np.arange(shares * share), batch - 1)
    is_shared = tuple(len(array) == 1 for array in arrays)
    if shares * share > batch:
        arrays = tuple(
            array if shared else array[index]
            for array, shared in zip(arrays, is_shared, strict=True)
        )
    with enable_x64():
        answers = _sharded(solve, is_shared, make_mesh(devices[:shares]))(*arrays)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[:batch], answers)


@functools.cache
def _sharded(solve: Callable[..., Any], is_shared: tuple[bool, ...], mesh: Mesh):
    specs = tuple(PartitionSpec() if shared else PartitionSpec("lanes") for shared in is_shared)
    out_specs = PartitionSpec() if all(is_shared) else PartitionSpec("lanes")
    return jax.jit(
        jax.shard_map(solve, mesh=mesh, in_specs=specs, out_specs=out_specs, check_vma=False)
    )
