"""Exact questions about subset sums of whole numbers, for one instance or a batch of them.

Which sums exist, by how many subsets, and by which one. Every answer is a whole number or a yes or
no, and none is rounded. Items may be negative or zero; the empty subset counts.

Each function checks at the call, takes the method that `integer_plan` names, runs the batch on all
local devices, and gives NumPy arrays. Inside compiled code use the methods themselves:
`bit_sets`, `windows`, `solutions`, `sum_counts`.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, UInt64

from lottery_jax.subset_sum import integer_batches
from lottery_jax.subset_sum.bit_sets import num_words
from lottery_jax.subset_sum.integer_answers import Counts, Existence, Reachable, Witness
from lottery_jax.subset_sum.integer_plan import MOST_BYTES, IntegerPlan, plan
from lottery_jax.subset_sum.integer_rows import Rows, rows_of, targets_of

_ALL_ZEROS = 64  # items, of which one sum has 2**64 subsets


def exists(items: Any, targets: Any) -> Bool[np.ndarray, "*target"]:
    """Which targets are sums of a subset of the items.

    Parameters
    ----------
    items
        Whole numbers of shape (item,), or (instance, item): at most 256, with magnitudes that sum
        to less than 2**30.
    targets
        Whole numbers: for one instance of any shape, all about the same items; for many a single
        one, or of shape (instance, ...).

    Returns
    -------
    exists
        Of the shape of the targets.

    Raises
    ------
    ValueError
        For numbers that are not whole, and what does not fit; the message names what would.

    Examples
    --------
    >>> exists([3, -5, 9], [4, 5, 7]).tolist()
    [True, False, True]
    """
    return decide(items, targets).exists


def decide(items: Any, targets: Any) -> Existence:
    """`exists`, with the method, and how many instances needed another one.

    Examples
    --------
    >>> decide([3, -5, 9], 4)
    Existence(exists=array(True), method='halves', num_open=0)
    """
    rows = rows_of(items)
    wanted, shape = targets_of(rows, targets)
    chosen = _plan("exists", rows, num_targets=wanted.shape[1])
    if not wanted.size:
        return Existence(np.zeros(shape, bool), chosen.method, 0)
    if "halves" in (chosen.method, chosen.otherwise):
        _refuse_large(rows, 4 * wanted.shape[1] * rows.num_items)  # an instance for each target
    found, is_decided = integer_batches.decide(
        rows.magnitudes, wanted, method=chosen.method, num_sums=chosen.num_sums
    )
    is_open = np.flatnonzero(~is_decided)
    if len(is_open):
        found = found.copy()
        found[is_open], _ = integer_batches.decide(
            rows.magnitudes[is_open],
            wanted[is_open],
            method=chosen.otherwise,
            num_sums=chosen.num_sums,
        )
    return Existence(found.reshape(shape), chosen.method, len(is_open))


def reachable(items: Any) -> Reachable:
    """All sums of subsets of the items.

    Parameters
    ----------
    items
        As in `exists`.

    Raises
    ------
    ValueError
        As in `exists`, and where all sets together exceed the memory that answers may take.

    Examples
    --------
    >>> found = reachable([3, -5, 9])
    >>> int(found.lowest), np.flatnonzero(np.unpackbits(found.words.view(np.uint8))).size
    (-5, 8)
    """
    rows = rows_of(items)
    chosen = _plan("reachable", rows)
    _refuse_large(rows, num_words(rows.total + 1) * 4)
    words = integer_batches.sets_of(rows.magnitudes, num_sums=chosen.num_sums)
    words = words[:, : num_words(rows.total + 1)]
    return Reachable(*(_unbatched(rows, each) for each in (words, rows.lowest)))


def count(items: Any, targets: Any) -> UInt64[np.ndarray, "*target"]:
    """How many subsets of the items have each target as their sum.

    Parameters
    ----------
    items
        As in `exists`, at most 64; more than 40 with magnitudes that sum to at most about 2**26.
    targets
        As in `exists`.

    Raises
    ------
    ValueError
        As in `exists`, and for 64 zeros: they have 2**64 subsets.

    Examples
    --------
    >>> count([1, 1, 2, -1], [2, 3, 9]).tolist()
    [4, 3, 0]
    """
    rows = rows_of(items)
    wanted, shape = targets_of(rows, targets)
    # Leaving out what was kept turns a sum s into total - s: the lower half of a table is enough.
    mirrored = np.minimum(wanted, rows.totals[:, None] - wanted)
    num_sums = int(mirrored.max(initial=0)) + 1
    chosen = _plan("count", rows, num_targets=wanted.shape[1], num_sums=num_sums)
    _refuse_zeros(rows)
    if not wanted.size:
        return np.zeros(shape, np.uint64)
    if chosen.method == "halves":
        _refuse_large(rows, 4 * wanted.shape[1] * rows.num_items)
        found = integer_batches.count_solutions(rows.magnitudes, wanted)
    else:
        found = integer_batches.count_in_tables(rows.magnitudes, mirrored, num_sums=chosen.num_sums)
    return found.reshape(shape)


def counts(items: Any) -> Counts:
    """How many subsets of the items have each of all sums.

    Parameters
    ----------
    items
        As in `count`.

    Raises
    ------
    ValueError
        As in `count`, and where all tables together exceed the memory that answers may take.

    Examples
    --------
    >>> found = counts([1, 2, -1])
    >>> found.numbers.tolist(), int(found.lowest)
    ([1, 2, 2, 2, 1], -1)
    """
    rows = rows_of(items)
    chosen = _plan("counts", rows)
    _refuse_zeros(rows)
    _refuse_large(rows, 8 * (rows.total + 1))
    numbers = integer_batches.tables_of(rows.magnitudes, num_sums=chosen.num_sums)
    numbers = numbers[:, : rows.total + 1]
    return Counts(*(_unbatched(rows, each) for each in (numbers, rows.lowest)))


def witness(items: Any, targets: Any) -> Witness:
    """A subset for every target that is a sum, checked by adding it up.

    Parameters
    ----------
    items, targets
        As in `exists`.

    Raises
    ------
    ValueError
        As in `exists`, and where subsets for all targets exceed the memory that answers may take.

    Examples
    --------
    >>> found = witness([3, -5, 9], [4, 5])
    >>> found.mask.tolist(), found.exists.tolist()
    ([[False, True, True], [False, False, False]], [True, False])
    """
    rows = rows_of(items)
    wanted, shape = targets_of(rows, targets)
    # Magnitudes, their copies for two halves and what is kept, in the worst case for each target.
    _refuse_large(rows, 64 * wanted.shape[1] * rows.num_items)
    found = exists(items, targets)
    row, column = np.nonzero(found.reshape(wanted.shape))
    masks = np.zeros((*wanted.shape, rows.num_items), bool)
    if len(row):
        _plan("witness", rows)
        magnitudes, goals = rows.magnitudes[row], wanted[row, column]
        kept = integer_batches.find(magnitudes, goals)
        if np.any((magnitudes * kept).sum(axis=1) != goals):
            raise RuntimeError("a subset that was found has another sum than its target")
        signed = np.asarray(items).reshape(len(rows.magnitudes), -1)[row]
        masks[row, column] = (kept ^ (signed < 0)) & (signed != 0)
    return Witness(masks.reshape(*shape, rows.num_items), found)


def _plan(question: str, rows: Rows, **sizes: Any) -> IntegerPlan:
    return plan(question, num_items=rows.num_items, total=rows.total, largest=rows.largest, **sizes)


def _refuse_zeros(rows: Rows) -> None:
    if rows.num_items >= _ALL_ZEROS and np.any(rows.totals == 0):
        raise ValueError(
            f"{rows.num_items} zeros have 2**{rows.num_items} subsets of sum 0, more than 64 bits "
            "hold: leave some out, and double the number for each"
        )


def _refuse_large(rows: Rows, bytes_each: int) -> None:
    num_rows = len(rows.magnitudes)
    if num_rows * bytes_each > MOST_BYTES:
        raise ValueError(
            f"{num_rows} instances of {bytes_each} bytes exceed {MOST_BYTES}: take at most "
            f"{MOST_BYTES // bytes_each} at a time, or fewer targets"
        )


def _unbatched(rows: Rows, array: np.ndarray) -> np.ndarray:
    return array if rows.has_batch else np.asarray(array[0])
