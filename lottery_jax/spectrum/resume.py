"""Lanczos runs that survive a kill: the state every few steps, and on from it to the same bits.

A file of another operator must not be gone on from, and its name says little. So each file holds a
mark of the first product, its inner products with fixed vectors of signs, and a run that goes on
takes the first product again. The mean square of those of a difference is its squared length on
average, and with eight of them is below a hundredth of it once in ten million times.
"""

import hashlib
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from lottery_jax.core import checkpoint, keys, laws
from lottery_jax.core.checkpoint import CheckpointError
from lottery_jax.spectrum import blocks, lanczos
from lottery_jax.spectrum.blocks import Shared
from lottery_jax.spectrum.lanczos import Recursion
from lottery_jax.spectrum.operator import Operator, Vectors

_SIGNS = 8
# Besides the basis, whose rows have all been `vector`.
_STATE = ("previous", "vector", "tail", "scale", "diagonal", "off_diagonal")
# First products that differ by more, relative to their length, are those of different operators.
# Off the outliers products are short, and what rounding leaves of the long ones weighs more.
_DIFFERENT, _DIFFERENT_OFF_OUTLIERS = 1e-4, 1e-3


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
    identity: str = "",
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
    identity
        Of the operator, such as a hash of weights and data: a checkpoint of another one is refused.

    Raises
    ------
    CheckpointError
        For a checkpoint of other starts, outliers or operator, or one that is damaged; and, before
        the first step, for a folder that does not exist.
    FloatingPointError
        For a product that is not finite; such a state is never written.

    Notes
    -----
    A resumed run spends one product on telling whether the operator is still the same: it refuses
    one whose product with the first vector differs by more than 10^-4 of its length, or 10^-3 where
    outliers are projected off.

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
    if path is not None:
        check_folder(path)
    recursion = lanczos.begin(operator, starts, keeps_basis=keeps_basis, mesh=mesh)
    if path is None:
        return lanczos.extend(operator, recursion, steps, outliers=outliers)
    name = _name(recursion, starts, outliers, identity)
    held = checkpoint.load(path, name)
    mark = np.zeros(0)
    if held is not None:
        mark = held["mark"]
        allowed = _DIFFERENT if outliers is None else _DIFFERENT_OFF_OUTLIERS
        found = _mark(lanczos.extend(operator, recursion, 1, outliers=outliers))
        _check_same(path, found, mark, allowed)
        recursion = _restored(recursion, held)

    def keep(now: Recursion) -> None:
        nonlocal mark
        if now.num_steps == 1:
            mark = _mark(now)
        if now.num_steps % every == 0 or now.num_steps == steps:
            state = _arrays(now) | {"mark": mark}
            # What is not finite is reported after the last step, and must not be gone on from.
            if all(np.isfinite(state[part]).all() for part in _STATE):
                checkpoint.save(path, name, state)

    left = max(0, steps - recursion.num_steps)
    recursion = lanczos.extend(operator, recursion, left, outliers=outliers, after_step=keep)
    return lanczos.shortened(recursion, steps)


def check_folder(path: str | os.PathLike) -> None:
    """Raise unless the folder of `path` exists.

    Raises
    ------
    CheckpointError
        Where it does not.

    Examples
    --------
    >>> check_folder("/missing/run.npz")
    Traceback (most recent call last):
    lottery_jax.core.checkpoint.CheckpointError: the folder of checkpoint /missing/run.npz does \
not exist; make it first
    """
    if not Path(path).absolute().parent.is_dir():
        raise CheckpointError(
            f"the folder of checkpoint {os.fspath(path)} does not exist; make it first"
        )


def _name(recursion, starts, outliers, identity):
    kind = f"lanczos 2 {recursion.cut[:3]} {recursion.basis is not None} {identity}"
    digest = hashlib.sha256(kind.encode())
    digest.update(np.ascontiguousarray(starts).data)
    if outliers is not None:
        digest.update(np.ascontiguousarray(outliers).data)
    return digest.hexdigest()[:16]


def _check_same(path, found, expected, allowed):
    """Raise where marks of first products differ, or are not numbers."""
    difference = np.sqrt(np.mean((found - expected) ** 2, axis=1))
    length = np.sqrt(np.mean(found**2, axis=1))
    if not np.all(difference <= allowed * length):
        worst = float(np.max(difference / np.maximum(length, np.finfo(np.float64).tiny)))
        raise CheckpointError(
            f"{path} belongs to another operator, whose first product differs by {worst:.2g} of "
            "its length; name another file, or remove it to start again"
        )


def _mark(first):
    """Inner products of each vector's first product with vectors of signs, after one step."""
    entry, tail, vector, following = first.diagonal[0], first.tail, first.previous, first.vector
    marks = [
        _against_signs(keys.chunk(keys.root(0), number), entry, tail, vector, following)
        for number in range(_SIGNS)
    ]
    return np.stack([np.asarray(mark, np.float64) for mark in marks], axis=1)


@jax.jit
def _against_signs(key, entry, tail, vector, following):
    """With the product as the recursion split it up: entry · vector + tail · the following one."""
    signs = laws.signs(key, vector.shape[1:])
    signs = jnp.broadcast_to(signs[None], vector.shape)
    return entry * blocks.inner(signs, vector) + tail * blocks.inner(signs, following)


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
