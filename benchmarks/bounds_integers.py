"""How near sets of sums come to this machine's rates: words that are or-ed, against plain copies.

For every item, the words that can hold bits so far are copied to where zeros surround them, read
there twice (a word of the shifted set has bits of two neighbours, and the second comes from a
register), or-ed with the set itself and written: five words pass, for three shifts and two logical
operations. A window of the lowest sums does the same for its own words, all of them, and for few
items.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.bounds import Bound, Work
from benchmarks.rates import Rates, measure, processor_seconds
from lottery_jax.subset_sum import bit_sets, windows

_WORD = 32  # bits
_BLOCK = 8  # items between two looks at the upper half of a window


def integer_bounds(scale: str) -> Iterator[Bound]:
    """Sets of all sums, and windows of the lowest, at the sizes of `integer_exists`."""
    quick = scale == "quick"
    rates = measure(quick=quick)
    for num_items, bits, batch in ((40, 8, 8),) if quick else ((128, 16, 64), (256, 20, 4)):
        items = np.random.default_rng(num_items).integers(1, 2**bits, (batch, num_items))
        rows = jnp.asarray(items, jnp.int32)
        num_sums = bit_sets.rounded(int(items.sum(axis=1).max()) + 1)
        sets = jax.jit(jax.vmap(lambda row, most=num_sums: bit_sets.reachable(row, num_sums=most)))
        rate = batch / processor_seconds(lambda sets=sets, rows=rows: sets(rows))
        name = f"n={num_items}, {bits} bits"
        yield _bound(f"all sums {name}", set_work(items), rate, rates)
        window = windows.window_for(2**bits - 1)
        find = jax.jit(jax.vmap(lambda row, size=window: windows.window_sums(row, window=size)))
        rate = batch / processor_seconds(lambda find=find, rows=rows: find(rows).words)
        yield _bound(f"window of sums {name}", window_work(items, window), rate, rates)


def set_work(items: np.ndarray) -> Work:
    """For one instance on average: the words up to the total so far, in ascending order.

    Examples
    --------
    >>> set_work(np.array([[32, 64]])) == Work(5 * (2 + 4), 20 * (2 + 4))
    True
    """
    totals = np.cumsum(np.sort(items, axis=1), axis=1)
    return _work(float(np.mean(np.sum(totals // _WORD + 1, axis=1))))


def window_work(items: np.ndarray, window: int) -> Work:
    """For one instance on average: every item that is included passes over the whole window.

    Those are the blocks of 8 items until the upper half of the window is full, and then the items
    below its last hole.
    """
    included = [_num_included(np.sort(row), window) for row in items]
    return _work(float(np.mean(included)) * window / _WORD)


def _num_included(items: np.ndarray, window: int) -> int:
    is_sum = np.zeros(window, bool)
    is_sum[0] = True
    for number, item in enumerate(items.tolist(), start=1):
        is_sum[item:] |= is_sum[: window - item].copy()
        if number % _BLOCK == 0 and is_sum[window // 2 :].all():
            return max(number, int(np.sum(items <= np.flatnonzero(~is_sum).max(initial=0))))
    return len(items)


def _work(words: float) -> Work:
    return Work(5 * words, 20 * words)


def _bound(kernel: str, work: Work, per_second: float, rates: Rates) -> Bound:
    operations, moved = work.operations * per_second, work.bytes * per_second
    return Bound(
        kernel=kernel,
        operations=work.operations,
        bytes=work.bytes,
        operations_per_second=operations,
        bytes_per_second=moved,
        of_rate=operations / rates.int32,
        of_cache=moved / rates.cache_bytes,
        of_memory=moved / rates.memory_bytes,
    )
