"""Settings of pruning that cannot be right, said at the call.

Values that are traced are not known there, and pass.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int32

Integer = int | np.integer | Int32[Array, ""]
Integers = Sequence[Integer] | Int32[Array, "_"] | np.ndarray
Number = float | Float[Array, ""]

CONVENTIONS = ("appendix", "main_text")
LARGEST = 2**31 - 1  # of int32, in which rows and inputs are counted


def check_whole(name: str, value: Any, least: int, most: int = LARGEST) -> None:
    """Raise unless this is one whole number from `least` to `most`.

    Examples
    --------
    >>> check_whole("kept", 2.5, 1, 4)
    Traceback (most recent call last):
    ValueError: kept=2.5 must be a whole number from 1 to 4
    """
    if not is_known(value):
        return
    number: Any = value
    if isinstance(value, np.generic) or hasattr(value, "__array__"):
        array = np.asarray(value)
        is_whole = array.ndim == 0 and np.issubdtype(array.dtype, np.integer)
        number = array.item() if array.ndim == 0 else value
    else:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not least <= number <= most:
        raise ValueError(f"{name}={number!r} must be a whole number from {least} to {most}")


def check_sizes(sizes: Any, there: int | None) -> None:
    """Raise unless these are numbers of rows, at least 1, in order, of which `there` are held.

    Examples
    --------
    >>> check_sizes([5, 20], 10)
    Traceback (most recent call last):
    ValueError: 20 samples are asked for, but the source holds 10; take at most those
    """
    if not is_known(sizes):
        return
    numbers = _listed("sizes", sizes)
    for number in numbers:
        check_whole("num_samples", number, 1)
    if sorted(numbers) != numbers:
        raise ValueError(f"numbers of samples {numbers} must not decrease")
    if there is not None and numbers[-1] > there:
        raise ValueError(
            f"{numbers[-1]} samples are asked for, but the source holds {there}; take at most those"
        )


def check_kept(kept: Integer, dim: int) -> None:
    """Raise unless 1 <= M <= d.

    Examples
    --------
    >>> check_kept(5, 4)
    Traceback (most recent call last):
    ValueError: M: kept=5 must be a whole number from 1 to 4
    """
    check_whole("M: kept", kept, 1, dim)


def check_all_kept(kept: Any, dim: int) -> None:
    """Raise unless 1 <= M <= d for every M of a list of one or more."""
    if is_known(kept):
        for some in _listed("kept", kept):
            check_kept(some, dim)


def check_pairs(num_pairs: int) -> None:
    """Raise unless there is a neuron."""
    check_whole("num_pairs", num_pairs, 1)


def check_neurons(num_neurons: int) -> None:
    """Raise unless neurons come in pairs."""
    check_whole("num_neurons", num_neurons, 2)
    if num_neurons % 2:
        raise ValueError(f"{num_neurons=} must be even: neurons come in pairs")


def check_shift(shift: Number, *, has_one: bool = False) -> None:
    """Raise unless 0 < c < 1, or c = 1 where the basis may be unshifted.

    Examples
    --------
    >>> check_shift(1.0)
    Traceback (most recent call last):
    ValueError: c: shift=1 must be above 0 and below 1; 0.5 is a good choice
    """
    if not is_known(shift):
        return
    if np.ndim(shift) or not np.issubdtype(np.asarray(shift).dtype, np.number):
        raise ValueError(f"c: {shift=} must be one number, such as 0.5")
    if not (0 < shift < 1 or (has_one and shift == 1)):
        most = "at most" if has_one else "below"
        raise ValueError(
            f"c: shift={float(shift):g} must be above 0 and {most} 1; 0.5 is a good choice"
        )


def check_convention(convention: str) -> None:
    """Raise for an unknown one."""
    if convention not in CONVENTIONS:
        raise ValueError(f"{convention=} is unknown; choose {' or '.join(CONVENTIONS)}")


def check_scores(scores: Sequence[Float[Array, "..."]]) -> None:
    """Raise for scores that are not finite, or all 0."""
    if not is_known(scores):
        return
    if not all(np.all(np.isfinite(each)) for each in scores):
        raise ValueError(
            "the scores are not finite: some rows are not, or their products overflow; look for "
            "them in the source, or scale it down"
        )
    if not any(np.any(each) for each in scores):
        raise ValueError(
            "all scores are 0: the targets, or the inputs, of the rows used are 0; no input can "
            "be told from another"
        )


def check_rows(inputs: Any, targets: Any) -> None:
    """Raise for rows that are not finite; says which is the first."""
    if is_known([inputs, targets]):
        # By NumPy: inside a function that is compiled, jax would make stand-ins of them.
        finite = np.isfinite(inputs).all(axis=1) & np.isfinite(targets)
        if not finite.all():
            raise ValueError(f"row {int(np.argmin(finite))} is not finite; leave such rows out")


def is_known(value: Any) -> bool:
    """Whether this is a value, or several, without a stand-in of a function being compiled."""
    parts = value if isinstance(value, Sequence) else [value]
    return not any(isinstance(part, Tracer) for part in parts)


def _listed(name: str, values: Any) -> list[Any]:
    """The numbers one by one; of an array those that it holds."""
    shape = (len(values),) if isinstance(values, Sequence) else np.shape(values)
    if len(shape) != 1 or not shape[0] or isinstance(values, str):
        raise ValueError(f"{name}={values!r} must be a list of one or more numbers")
    return [each.item() if hasattr(each, "item") else each for each in values]
