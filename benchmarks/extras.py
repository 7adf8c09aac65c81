"""Rivals that need packages of an extra, and what is said where one is missing."""

import importlib
import importlib.util
from collections.abc import Callable

from benchmarks.timing import Missing, Rival

_OF_SPECTRA = ("curvlinops", "matfree", "pyhessian", "torch")  # modules of the extra `spectra`


def needs(module: str, name: str, make: Callable[[], Rival | list[Rival]]) -> list[Rival | Missing]:
    """The rivals that `make` gives, or word that they need the package of a module.

    `make` is called only where the package is there, so that it may import what needs it.
    """
    package = module.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        return [Missing(name, package)]
    importlib.import_module(module)  # now, so that no timed run does it
    made = make()
    return [made] if isinstance(made, Rival) else list(made)


def how_to_install(missing: Missing) -> str:
    """One line for the reader.

    Examples
    --------
    >>> how_to_install(Missing("CP-SAT", "ortools"))
    "skipped CP-SAT: no ortools; pip install 'lottery-jax[bench]'"
    >>> how_to_install(Missing("PyHessian", "pyhessian"))
    "skipped PyHessian: no pyhessian; pip install 'lottery-jax[spectra]'"
    """
    extra = "spectra" if missing.package in _OF_SPECTRA else "bench"
    return f"skipped {missing.rival}: no {missing.package}; pip install 'lottery-jax[{extra}]'"
