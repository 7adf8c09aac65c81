"""What a subset-sum question is, what its answer promises, and the checks at the public door.

Given items and a target of the same dimension, which subset of the items has the sum nearest to the
target? Every method answers with one record: a subset, its error, and a proved bound on how much
better any other subset could be. Methods run inside compiled code and check nothing; `check` is
called once, before compilation.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float


class Match(NamedTuple):
    """The subset whose sum was found nearest to the target, and what is certain about the others.

    The least error over all subsets lies in [error_low, error]. Both ends are float32 numbers,
    accurate to a relative 2**-22 and to 2**-47 of the sum of all magnitudes: a decision "the least
    error is at most ε" is certain when ε lies outside the interval by more than that. Numbers below
    1.2e-38 count as zero.
    """

    mask: Bool[Array, " item"]  # True where the item is kept
    error: Float[Array, ""]  # norm of (sum of the kept items - target), in the target's units
    error_low: Float[Array, ""]  # no subset has a smaller error
    is_exact: Bool[Array, ""]  # True where the two ends agree: no subset is nearer than the mask


def check(items: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Items and target in float32, refused where no answer would make sense.

    Parameters
    ----------
    items
        Shape (item,) with a scalar target, or (item, dim) with a target (dim,).
    target
        Rounded to float32, like the items: the question that is answered is the rounded one.

    Raises
    ------
    ValueError
        If the shapes do not fit, or if a value or the sum of all magnitudes is not finite in
        float32.

    Examples
    --------
    >>> check([0.5, -1.25], 0.75)
    (array([ 0.5 , -1.25], dtype=float32), array(0.75, dtype=float32))
    """
    with np.errstate(over="ignore"):
        items, target = np.asarray(items, np.float32), np.asarray(target, np.float32)
    if items.ndim not in (1, 2) or target.shape != items.shape[1:]:
        raise ValueError(
            f"{items.shape=} and {target.shape=} do not fit: give items (item,) with a scalar "
            "target, or items (item, dim) with a target (dim,)"
        )
    finite = np.isfinite(items.reshape(len(items), -1)).all(axis=1)
    if not finite.all():
        raise ValueError(f"items {np.flatnonzero(~finite).tolist()} are not finite in float32")
    total = np.abs(items).sum(axis=0, dtype=np.float64) + np.abs(target)
    if not (total < np.finfo(np.float32).max).all():
        raise ValueError(f"{target=} and the sum of all magnitudes must be finite in float32")
    return items, target
