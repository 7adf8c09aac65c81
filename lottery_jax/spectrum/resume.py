"""Lanczos runs that survive a kill: the state every few steps, and on from it to the same bits."""

import hashlib
import os

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from lottery_jax.core import checkpoint
from lottery_jax.core.checkpoint import CheckpointError
from lottery_jax.spectrum import lanczos
from lottery_jax.spectrum.blocks import Shared
from lottery_jax.spectrum.lanczos import Recursion
from lottery_jax.spectrum.operator import Operator, Vectors

# A first entry that differs by more, relative to the longest product, is that of another operator.
_DIFFERENT = 1e-3


def run(
    operator: Operator,
    starts: Vectors,
    steps: int,
    *,
    keeps_basis: bool = True,
    outliers: Shared | None = None,
    mesh: Mesh | None = None,
    path: str | os.PathLike | None = None,
    every: int = 20,
) -> Recursion:
    """`steps` steps from `starts`, or the rest of them after a kill.

    Parameters
    ----------
    operator, starts, steps, keeps_basis, outliers, mesh
        As for `lanczos.begin` and `lanczos.extend`.
    path
        Of the checkpoint, in an existing folder; None for none. A run of more steps than the one
        that wrote it goes on from where that stood.
    every
        Steps between two checkpoints. Each writes the whole basis.

    Raises
    ------
    CheckpointError
        For a checkpoint of other starts, outliers or operator, or one that is damaged.

    Notes
    -----
    A resumed run spends one product on telling whether the operator is still the same.

    Examples
    --------
    >>> import tempfile
    >>> from lottery_jax.spectrum.operator import diagonal
    >>> operator, starts = diagonal(jnp.arange(1.0, 9.0)), jnp.ones((1, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = run(operator, starts, 4, path=f"{folder}/lanczos.npz")
    ...     run(operator, starts, 6, path=f"{folder}/lanczos.npz").num_steps
    6
    """
    if every < 1:
        raise ValueError(f"{every=} must be at least 1")
    recursion = lanczos.begin(operator, starts, keeps_basis=keeps_basis, mesh=mesh)
    if path is None:
        return lanczos.extend(operator, recursion, steps, outliers=outliers)
    identity = _identity(starts, outliers, keeps_basis)
    held = checkpoint.load(path, identity)
    if held is not None:
        first = lanczos.extend(operator, recursion, 1, outliers=outliers)
        recursion = _restored(recursion, held)
        found, expected = (float(np.asarray(r.diagonal[0])[0]) for r in (first, recursion))
        if abs(found - expected) > _DIFFERENT * float(np.max(np.asarray(recursion.scale))):
            raise CheckpointError(
                f"{path} belongs to another operator: the first vector saw {expected:.6g}, and "
                f"now sees {found:.6g}; name another file, or remove it to start again"
            )

    def keep(now: Recursion) -> None:
        if now.num_steps % every == 0 or now.num_steps == steps:
            checkpoint.save(path, identity, _arrays(now))

    left = max(0, steps - recursion.num_steps)
    recursion = lanczos.extend(operator, recursion, left, outliers=outliers, after_step=keep)
    return lanczos.shortened(recursion, steps)


def _identity(starts, outliers, keeps_basis):
    digest = hashlib.sha256(f"lanczos 1 {starts.shape} {keeps_basis}".encode())
    digest.update(np.asarray(starts).tobytes())
    if outliers is not None:
        digest.update(np.asarray(outliers).tobytes())
    return digest.hexdigest()[:16]


def _arrays(recursion):
    held = {
        "previous": recursion.previous,
        "vector": recursion.vector,
        "tail": recursion.tail,
        "scale": recursion.scale,
        "diagonal": np.stack([np.asarray(entry) for entry in recursion.diagonal]),
        "off_diagonal": np.stack([np.asarray(entry) for entry in recursion.off_diagonal]),
    }
    held |= {f"basis {number}": rows for number, rows in enumerate(recursion.basis or ())}
    return {name: np.asarray(array) for name, array in held.items()}


def _restored(recursion, held):
    placed = {
        name: recursion.cut.place(jnp.asarray(array))
        for name, array in held.items()
        if name.startswith(("basis", "previous", "vector"))
    }
    rows = sum(name.startswith("basis") for name in held)
    basis = None if recursion.basis is None else tuple(placed[f"basis {n}"] for n in range(rows))
    return recursion._replace(
        basis=basis,
        previous=placed["previous"],
        vector=placed["vector"],
        tail=jnp.asarray(held["tail"]),
        scale=jnp.asarray(held["scale"]),
        diagonal=tuple(jnp.asarray(held["diagonal"])),
        off_diagonal=tuple(jnp.asarray(held["off_diagonal"])),
    )
