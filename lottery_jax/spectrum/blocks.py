"""Long vectors cut into blocks, so that float32 inner products over them stay accurate.

A plain float32 sum over 10^6 entries loses digits, and a full Lanczos basis its orthogonality with
them: shares of the trace come out wrong by a percent (tests/spectrum/test_long_vectors.py). Sums
within blocks of at most 8,192 entries, then over the blocks, keep them at the cost of a plain
product. The block axis is also what is sharded over devices: each sums its own blocks, and one
all-reduce adds them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from lottery_jax.core import laws

_LONGEST = 8192

Blocked = Float[Array, "vector block entry"]
# Vectors off which all others are projected: their axis last makes the product with several fast.
Shared = Float[Array, "block entry shared"]


class Cut(NamedTuple):
    """How vectors of `size` entries are cut; the end of the last block is padded with zeros."""

    size: int
    num_blocks: int  # a multiple of the number of devices
    length: int  # of a block
    mesh: Mesh | None  # its only axis shards the blocks

    @property
    def padded(self) -> int:
        """Entries that a blocked vector takes in memory."""
        return self.num_blocks * self.length

    def split(self, vectors: Float[Array, "vector size"]) -> Blocked:
        """Blocks of plain vectors."""
        padded = jnp.pad(vectors, ((0, 0), (0, self.padded - self.size)))
        return self.place(padded.reshape(len(vectors), self.num_blocks, self.length))

    def join(self, blocked: Blocked) -> Float[Array, "vector size"]:
        """Plain vectors of blocks."""
        return blocked.reshape(len(blocked), self.padded)[:, : self.size]

    def place(self, blocked: Array) -> Array:
        """Blocks on their devices; the second axis must be that of blocks."""
        if self.mesh is None:
            return blocked
        spec = PartitionSpec(None, self.mesh.axis_names[0])
        return jax.lax.with_sharding_constraint(blocked, NamedSharding(self.mesh, spec))


def cut(size: int, mesh: Mesh | None = None) -> Cut:
    """Blocks of nearly equal length, none longer than 8,192.

    Parameters
    ----------
    size
        Entries of a vector, at least 1.
    mesh
        Devices along one axis, over which the blocks are shared out.

    Raises
    ------
    ValueError
        For a size below 1 or a mesh of more than one axis.

    Examples
    --------
    >>> cut(20_000)
    Cut(size=20000, num_blocks=3, length=6667, mesh=None)
    """
    if size < 1:
        raise ValueError(f"{size=} must be at least 1")
    if mesh is not None and len(mesh.axis_names) != 1:
        raise ValueError(f"{mesh.axis_names=} must be one axis, along which vectors are cut")
    devices = 1 if mesh is None else mesh.size
    num_blocks = -(-size // _LONGEST)
    num_blocks = -(-num_blocks // devices) * devices
    return Cut(size, num_blocks, -(-size // num_blocks), mesh)


def inner(first: Blocked, second: Blocked) -> Float[Array, " vector"]:
    """Inner products of vectors in pairs."""
    parts = jnp.einsum("vbe,vbe->vb", first, second, precision="highest")
    return jnp.sum(parts, axis=1)


def without(shared: Shared, vectors: Blocked) -> Blocked:
    """`vectors` less their parts along orthonormal vectors that they all share."""
    parts = jnp.sum(jnp.einsum("bes,vbe->bvs", shared, vectors, precision="highest"), axis=0)
    # This order of axes is the one that XLA on CPU multiplies without a copy.
    parts = jnp.broadcast_to(parts.T[None], (len(shared), *parts.T.shape))
    taken = jnp.einsum("bes,bsv->bev", shared, parts, precision="highest")
    return vectors - jnp.moveaxis(taken, 2, 0)


def rademacher(key: Array, num_vectors: int, size: int) -> Float[Array, "vector size"]:
    """Vectors of independent signs; the first do not depend on how many are drawn."""
    return jax.vmap(lambda number: laws.signs(jax.random.fold_in(key, number), (size,)))(
        jnp.asarray(np.arange(num_vectors, dtype=np.uint32))
    )
