"""Arrays that survive a kill: one file that is always whole, and knows what it belongs to."""

import errno
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_NAME = "identity of the run"
# What a healthy disk says of a broken archive: it sends the reader to places outside of the file.
_OF_DAMAGE = (None, errno.EINVAL)
# What the readers of archives and of arrays raise for broken bytes; anything else is not damage.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError, KeyError),
    *(NotImplementedError, RuntimeError, OverflowError),
)


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why and what to do."""


def save(path: str | os.PathLike, identity: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays; a reader sees the former file or this one, never a part.

    Parameters
    ----------
    path
        In an existing folder. `path` with the ending .part is used while writing.
    identity
        What the arrays belong to; `load` wants the same.

    Raises
    ------
    CheckpointError
        Where the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder) / "a.npz", "run 1", {"weights": np.arange(3)})
    ...     load(Path(folder) / "a.npz", "run 1")
    {'weights': array([0, 1, 2])}
    """
    draft = Path(f"{path}.part")
    contents: dict[str, Any] = {_NAME: np.asarray(identity), **arrays}
    try:
        with open(draft, "wb") as file:
            np.savez(file, **contents)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}") from error


def load(path: str | os.PathLike, identity: str) -> dict[str, np.ndarray] | None:
    """What `save` wrote for this identity, or None where there is no file.

    Raises
    ------
    CheckpointError
        For a file that cannot be read, is damaged, is no checkpoint, or belongs to something else.
    """
    arrays: dict[str, np.ndarray] = {}
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in _OF_DAMAGE:
            raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except _DAMAGE:
        arrays = {}  # what that means is said below
    if _NAME not in arrays:
        raise CheckpointError(f"{path} is damaged, or no checkpoint; remove it to start again")
    found = str(arrays.pop(_NAME))
    if found != identity:
        raise CheckpointError(
            f"{path} belongs to another run ({found}, not {identity}); name another file, or "
            "remove it to start again"
        )
    return arrays
