"""What a subset-sum question is, what its answer promises, and the checks at the public door.

Given items and targets of the same dimension, which subset of the items has the sum nearest to the
target? Every method answers with a subset, its error, and a proved bound on how much better any
other subset could be. Methods run inside compiled code and check nothing; `numbers` and `vectors`
check once, before compilation.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Shaped


class Match(NamedTuple):
    """The subset whose sum was found nearest to the target, and what is certain about the others.

    The least error over all subsets lies in [error_low, error]. From float32 numbers, both ends are
    accurate to a relative 2**-22 and to 2**-47 of the sum of all magnitudes, and numbers below
    1.2e-38 count as zero; from float64 numbers to a relative 2**-51 and to 2**-107 (for targets of
    one pool, 2**-49), and numbers below 2.3e-308 count as zero. A decision "the least error is at
    most ε" is certain when ε lies outside the interval by more than that.
    """

    mask: Bool[Array, "*batch item"]  # True where the item is kept
    error: Float[Array, "*batch"]  # norm of (sum of the kept items - target), in its units
    error_low: Float[Array, "*batch"]  # no subset has a smaller error
    is_exact: Bool[Array, "*batch"]  # True where both ends agree: no subset is nearer than the mask


@dataclass(frozen=True)
class Problem:
    """Checked items and targets: one instance, a batch of instances, or shared items.

    Made by `numbers` and `vectors`.
    """

    items: Shaped[np.ndarray, "..."]  # [batch, item] or [batch, item, dim]; batch 1 when shared
    targets: Shaped[np.ndarray, "..."]  # [batch] or [batch, dim]
    is_single: bool  # answers come without the batch axis

    @property
    def num_items(self) -> int:
        """Items of an instance."""
        return self.items.shape[1]

    @property
    def dim(self) -> int | None:
        """Dimension of the items; None for numbers."""
        return self.items.shape[2] if self.items.ndim == 3 else None

    @property
    def batch(self) -> int:
        """Instances, or targets of one set of items."""
        return len(self.targets)

    @property
    def is_shared(self) -> bool:
        """Whether one set of items serves many targets."""
        return len(self.items) == 1 and self.batch > 1


def numbers(items: Any, targets: Any, *, taken: Any = None) -> Problem:
    """Items and targets that are numbers, as a question to the functions of this room.

    Parameters
    ----------
    items
        Shape (item,) for one instance, or for a pool that serves many targets; (batch, item) for
        many instances. Taken in float64.
    targets
        Shape () or (batch,), in the units of the items. Taken in float64.
    taken
        Which items take part, all if None; of the shape of the items. The others are treated as
        zeros, and never kept.

    Raises
    ------
    ValueError
        If the shapes do not fit, or if a value or the sum of all magnitudes is not finite.

    Examples
    --------
    >>> problem = numbers([[0.5, -1.25], [2.0, 1.0]], [0.75, 0.0])
    >>> problem.batch, problem.num_items, problem.dim
    (2, 2, None)
    """
    items, targets = np.asarray(items, np.float64), np.asarray(targets, np.float64)
    fits = items.ndim in (1, 2) and targets.ndim <= 1
    if not fits or (items.ndim == 2 and targets.shape != items.shape[:1]):
        raise ValueError(
            f"{items.shape=} and {targets.shape=} do not fit: give items (item,) with targets () "
            "or (batch,), or items (batch, item) with targets (batch,); for vectors use `vectors`"
        )
    if taken is not None:
        taken = np.asarray(taken, bool)
        if taken.shape != items.shape:
            raise ValueError(f"{taken.shape=} must be {items.shape=}")
        items = np.where(taken, items, 0.0)
    return _checked(items, targets, is_single=targets.ndim == 0)


def vectors(items: Any, targets: Any) -> Problem:
    """Items and targets that are vectors; errors are then largest coordinates.

    Parameters
    ----------
    items
        Shape (item, dim), or (batch, item, dim), dim >= 1. Rounded to float32: the question that is
        answered is the rounded one.
    targets
        Shape (dim,) or (batch, dim), in the same units, rounded likewise.

    Raises
    ------
    ValueError
        As `numbers`, in float32.

    Examples
    --------
    >>> vectors([[0.5, -1.25], [2.0, 1.0]], [0.75, 0.0]).dim
    2
    """
    with np.errstate(over="ignore"):
        items, targets = np.asarray(items, np.float32), np.asarray(targets, np.float32)
    fits = (
        items.ndim in (2, 3) and targets.ndim in (1, 2) and items.shape[-1:] == targets.shape[-1:]
    )
    if not fits or (items.ndim == 3 and targets.shape[:-1] != items.shape[:1]):
        raise ValueError(
            f"{items.shape=} and {targets.shape=} do not fit: give items (item, dim) with targets "
            "(dim,) or (batch, dim), or items (batch, item, dim) with targets (batch, dim); for "
            "plain numbers use `numbers`"
        )
    if items.shape[-1] < 1:
        raise ValueError(f"{items.shape=}: vectors need at least one coordinate")
    return _checked(items, targets, is_single=targets.ndim == 1)


def _checked(items: np.ndarray, targets: np.ndarray, *, is_single: bool) -> Problem:
    kind = items.dtype
    is_one_set = items.ndim == (1 if kind == np.float64 else 2)
    items = items[None] if is_one_set else items
    targets = targets[None] if is_single else targets
    where = "(instance, item)" if len(items) > 1 else "item"
    _refuse_infinite("items", where, items, axes=2)
    _refuse_infinite("targets", "instance", targets, axes=1)
    with np.errstate(over="ignore"):
        total = np.abs(items).sum(axis=1, dtype=np.float64) + np.abs(targets)
    if not (total < np.finfo(kind).max).all():
        at = np.argwhere(~(total < np.finfo(kind).max))[0].tolist()
        raise ValueError(
            f"the sum of all magnitudes of instance {at[0]} is not finite in {kind}: rescale items "
            "and targets together"
        )
    return Problem(items, targets, is_single)


def _refuse_infinite(name: str, where: str, values: np.ndarray, *, axes: int) -> None:
    """Name the first entries that are not finite, by their leading axes."""
    finite = np.isfinite(values).all(axis=tuple(range(axes, values.ndim)))
    if not finite.all():
        places = np.argwhere(~finite)
        if where == "item":
            places = places[:, 1:]
        shown = [place[0] if len(place) == 1 else tuple(place) for place in places[:5].tolist()]
        more = f" and {len(places) - 5} more" if len(places) > 5 else ""
        raise ValueError(f"{name} {shown}{more}, by {where}, are not finite in {values.dtype}")
