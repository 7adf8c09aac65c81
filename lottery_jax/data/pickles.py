"""Reading a pickle that was written by others without running anything in it.

A pickle is a program: its GLOBAL instructions name functions, and REDUCE calls them. Here the only
names are those that rebuild a NumPy array. Everything else in a pickle of arrays, bytes, numbers,
lists and dicts is data.
"""

import io
import pickle
from typing import Any

import numpy as np

_RECONSTRUCT = np.zeros(0).__reduce__()[0]
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,  # NumPy 1
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class PickleError(ValueError):
    """A pickle that was refused; the message says why."""


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise PickleError(
                f"the pickle wants to call {module_name}.{global_name}; only NumPy arrays, bytes, "
                "numbers, lists and dicts are read, and nothing was run"
            )
        return _ALLOWED[module_name, global_name]


def load_arrays(contents: bytes) -> Any:
    """What a pickle of arrays holds; strings of Python 2 come as bytes.

    Raises
    ------
    PickleError
        For a pickle that names any other function or class, or is damaged.

    Examples
    --------
    >>> load_arrays(pickle.dumps({b"data": [1, 2]}))
    {b'data': [1, 2]}
    >>> load_arrays(pickle.dumps(print))
    Traceback (most recent call last):
    lottery_jax.data.pickles.PickleError: the pickle wants to call builtins.print; only NumPy
    arrays, bytes, numbers, lists and dicts are read, and nothing was run
    """
    try:
        return _Reader(io.BytesIO(contents), encoding="bytes").load()
    except PickleError:
        raise
    except Exception as error:  # a damaged pickle can fail in any of its instructions
        raise PickleError(f"the pickle is damaged ({type(error).__name__}: {error})") from error
