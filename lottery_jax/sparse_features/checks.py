"""Settings of pruning that cannot be right, said at the call.

Values that are traced are not known there, and pass.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int32

from lottery_jax.sparse_features.data import Source

Integer = int | np.integer | Int32[Array, ""]
Integers = Sequence[Integer] | Int32[Array, "_"]
Number = float | Float[Array, ""]

CONVENTIONS = ("appendix", "main_text")


def check_sizes(source: Source, sizes: Integers) -> None:
    """Raise unless these are numbers of rows that the source has, at least 1, in order.

    Examples
    --------
    >>> check_sizes(Source(3, 4, lambda number: number, num_samples=10), [5, 20])
    Traceback (most recent call last):
    ValueError: 20 samples are asked for, but the source holds 10; take at most those
    """
    if not _is_known(sizes):
        return
    numbers = np.asarray(sizes).tolist()
    if not numbers or min(numbers) < 1:
        raise ValueError(f"numbers of samples {numbers} must be at least 1, and one at least")
    if sorted(numbers) != numbers:
        raise ValueError(f"numbers of samples {numbers} must not decrease")
    if source.num_samples is not None and numbers[-1] > source.num_samples:
        raise ValueError(
            f"{numbers[-1]} samples are asked for, but the source holds {source.num_samples}; "
            "take at most those"
        )


def check_kept(kept: Integer | Integers, dim: int) -> None:
    """Raise unless 1 <= M <= d for every M.

    Examples
    --------
    >>> check_kept(5, 4)
    Traceback (most recent call last):
    ValueError: M: kept=5 must be from 1 to d, here 4
    """
    if _is_known(kept):
        for some in np.atleast_1d(np.asarray(kept)).tolist():
            if not 1 <= some <= dim:
                raise ValueError(f"M: kept={some} must be from 1 to d, here {dim}")


def check_pairs(num_pairs: int) -> None:
    """Raise unless there is a neuron."""
    if num_pairs < 1:
        raise ValueError(f"{num_pairs=} must be at least 1")


def check_shift(shift: Number) -> None:
    """Raise unless 0 < c < 1.

    Examples
    --------
    >>> check_shift(1.0)
    Traceback (most recent call last):
    ValueError: c: shift=1 must be above 0 and below 1; 0.5 is a good choice
    """
    if _is_known(shift) and not 0 < shift < 1:
        raise ValueError(
            f"c: shift={float(shift):g} must be above 0 and below 1; 0.5 is a good choice"
        )


def check_convention(convention: str) -> None:
    """Raise for an unknown one."""
    if convention not in CONVENTIONS:
        raise ValueError(f"{convention=} is unknown; choose {' or '.join(CONVENTIONS)}")


def check_finite(values: Float[Array, "..."]) -> None:
    """Raise for sums over rows that are not finite."""
    if _is_known(values) and not np.all(np.isfinite(values)):
        raise ValueError(
            "the scores are not finite: some rows are not, or their products overflow; look for "
            "them in the source, or scale it down"
        )


def check_rows(inputs: Float[Array, "row input"], targets: Float[Array, " row"]) -> None:
    """Raise for rows that are not finite; says which is the first."""
    if _is_known([inputs, targets]):
        finite = np.isfinite(inputs).all(axis=1) & np.isfinite(targets)
        if not finite.all():
            raise ValueError(f"row {int(np.argmin(finite))} is not finite; leave such rows out")


def _is_known(value: Any) -> bool:
    parts = value if isinstance(value, Sequence) else [value]
    return not any(isinstance(part, Tracer) for part in parts)
