"""Questions about whole numbers of any sign, put in terms of magnitudes, with every check.

To keep a negative item x is to leave out its magnitude: every sum of items is the sum of the
negative ones plus a sum of magnitudes. All that is computed is then about numbers that are not
negative.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Integer

LARGEST = 2**30  # of a magnitude that can take part in a sum of int32 words


class Rows(NamedTuple):
    """Instances, as magnitudes."""

    magnitudes: Int[np.ndarray, "instance item"]  # int64; totals are checked by the plan
    lowest: Int[np.ndarray, " instance"]  # the sum of the negative items, the least of all sums
    totals: Int[np.ndarray, " instance"]  # of magnitudes
    has_batch: bool

    @property
    def num_items(self) -> int:
        """Of one instance."""
        return self.magnitudes.shape[1]

    @property
    def total(self) -> int:
        """The largest sum of magnitudes."""
        return int(self.totals.max(initial=0))

    @property
    def largest(self) -> int:
        """The largest magnitude."""
        return int(self.magnitudes.max(initial=0))


def rows_of(items: Any) -> Rows:
    """Items of shape (item,) or (instance, item).

    Raises
    ------
    ValueError
        For other shapes, numbers that are not whole, and magnitudes of 2**30 or more.

    Examples
    --------
    >>> rows = rows_of([3, -5, 9])
    >>> rows.magnitudes.tolist(), rows.lowest.tolist(), rows.total
    ([[3, 5, 9]], [-5], 17)
    """
    items = whole_numbers(items, "items")
    if items.ndim not in (1, 2):
        raise ValueError(f"{items.shape=}: give items (item,) or (instance, item)")
    if items.size and (items.max() >= LARGEST or items.min() <= -LARGEST):
        worst = max(int(items.max()), -int(items.min()))
        raise ValueError(
            f"an item has the magnitude {worst}, and sums are int32 words: take magnitudes that "
            "sum to less than 2**30, or divide by a common divisor"
        )
    items = items.astype(np.int64)
    rows = items[None] if items.ndim == 1 else items
    magnitudes = np.abs(rows)
    return Rows(
        magnitudes, np.minimum(rows, 0).sum(axis=1), magnitudes.sum(axis=1), items.ndim == 2
    )


def targets_of(rows: Rows, targets: Any) -> tuple[np.ndarray, tuple[int, ...]]:
    """Targets for sums of magnitudes, -1 where out of reach, with the shape that answers have.

    Parameters
    ----------
    rows
        From `rows_of`.
    targets
        Any shape for a single instance, and then one instance is asked about all; otherwise one
        number, or shape (instance, ...).

    Returns
    -------
    targets, shape
        int64 of shape (instance, target), and that of the question.

    Raises
    ------
    ValueError
        For a first axis that is not that of the instances.

    Examples
    --------
    >>> targets_of(rows_of([3, -5, 9]), [4, 100])
    (array([[ 9, -1]]), (2,))
    """
    targets = whole_numbers(targets, "targets")
    num_rows = len(rows.magnitudes)
    if rows.has_batch:
        targets = np.broadcast_to(targets, (num_rows,)) if targets.ndim == 0 else targets
        if len(targets) != num_rows:
            raise ValueError(f"{targets.shape=} must begin with the {num_rows} instances")
    shape = targets.shape
    is_inside = (targets >= -LARGEST) & (targets <= LARGEST)
    targets = np.where(is_inside, targets, 2 * LARGEST).astype(np.int64)
    width = targets.size // num_rows if num_rows else 0
    targets = targets.reshape(num_rows, width) - rows.lowest[:, None]
    is_inside = (targets >= 0) & (targets <= rows.totals[:, None])
    return np.where(is_inside, targets, -1), shape


def whole_numbers(numbers: Any, name: str) -> Integer[np.ndarray, "*shape"]:
    """As an array of some integer type.

    Raises
    ------
    ValueError
        For anything else, whole floats too: they may have been rounded.

    Examples
    --------
    >>> whole_numbers([1, 2], "items").tolist()
    [1, 2]
    """
    array = np.asarray(numbers)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind in "iu":
        return array
    # NumPy makes floats or objects of Python's integers that no type of 64 bits holds together.
    entries = np.asarray(numbers, object).ravel().tolist()
    if all(isinstance(each, int) and not isinstance(each, bool) for each in entries):
        worst = max(entries, key=abs)
        raise ValueError(f"{name} hold {worst}: numbers of one array must fit 64 bits together")
    raise ValueError(
        f"{name} have the type {array.dtype}: give whole numbers of an integer type of at most "
        "64 bits"
    )
