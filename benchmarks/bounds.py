"""How near each kernel comes to this machine's rates: operations and bytes, counted by formula.

An operation is one minimum, maximum, addition, shift or logical operation on integers. Bytes are
what passes over arrays read and write, as if every pass went through the cache and nothing else
did. The rates (`rates`) are measured in the same run, per processor second. A fraction above 1 of
the memory rate says that the kernel works in the cache.
"""

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.rates import Rates, measure, processor_seconds
from lottery_jax import subset_sum as ss
from lottery_jax.subset_sum.all_subsets import nearest_of_all
from lottery_jax.subset_sum.enumerate import exhaustive
from lottery_jax.subset_sum.gap_grid import LARGER, num_cells_of

_CHILDREN = 16  # of a partial subset in branch and bound
_PAIRS = 1  # of rows: a sum and a difference for every coordinate


class Work(NamedTuple):
    """What one unit of work takes."""

    operations: float
    bytes: float


class Bound(NamedTuple):
    """One row of the table."""

    kernel: str
    operations: float  # for one unit of work
    bytes: float
    operations_per_second: float  # of a core
    bytes_per_second: float
    of_rate: float  # fractions of this machine's rates
    of_cache: float
    of_memory: float


def bounds(scale: str) -> Iterator[Bound]:
    """Every kernel at a few sizes; first the rates themselves."""
    quick = scale == "quick"
    rates = measure(quick=quick)
    for name, per_second in (("int32", rates.int32), ("int64", rates.int64)):
        width = int(name[3:]) // 8
        # Of two numbers read and two written, one minimum and one maximum are made.
        yield _bound(f"rate: {name} min + max", Work(1, 2 * width), per_second, rates, name)
    for name, per_second in (("cache", rates.cache_bytes), ("memory", rates.memory_bytes)):
        yield _bound(f"rate: copy in {name}", Work(1 / 8, 1), per_second, rates)
    yield from _half_sums(rates, (12,) if quick else (12, 16, 20, 24), 2048)
    yield from _vectors(rates, 10 if quick else 20, 12 if quick else 28)
    yield from _lists(rates, quick)


def half_sums_work(num_items: int, word: int) -> Work:
    """Meet in the middle, for one instance.

    With h = n / 2, lists of both halves with k of h items are merged in k stages of 2**k
    compare-exchanges, k = 1 .. h - 1, and 2**(h + 1) keys in h + 1 stages of 2**h. Two stages are
    one pass, and every list is made in one pass more; the least difference reads the keys once.

    Examples
    --------
    >>> half_sums_work(12, 4).operations == 2 * ((6 - 2) * 2**6 + 2 + (6 + 1) * 2**6) + 4 * 2**7
    True
    """
    half = math.ceil(num_items / 2)
    exchanges = sum(k * 2**k for k in range(1, half)) + (half + 1) * 2**half
    passes = sum((math.ceil(k / 2) + 1) * 2 ** (k + 1) for k in range(1, half))
    keys = 2 ** (half + 1)
    passes += (math.ceil((half + 1) / 2) + 1) * keys
    # Two shifts, a subtraction and a minimum for the difference of two neighbours.
    return Work(2 * exchanges + 4 * keys, word * (2 * passes + keys))


def exhaustive_work(num_items: int, dim: int) -> Work:
    """All subsets: an addition, an absolute value and a maximum for each coordinate."""
    return Work(3.0 * dim * 2**num_items, 4.0 * dim * 2**num_items)


def branch_work(nodes: float, dim: int) -> Work:
    """For each node and row 16 children: an addition, an absolute value, a subtraction and an or.

    A node is made (read and written) and its rows are read by the tile, which stays in registers.
    """
    rows = dim * (1 + 2 * _PAIRS)
    return Work(nodes * _CHILDREN * rows * 4, 4.0 * nodes * (3 * dim + rows))


def pool_work(num_items: int, num_targets: int) -> Work:
    """2 n 2**n compare-exchanges of a sum and its number, n + 30 reads for each target.

    A stage is one pass over two words.
    """
    exchanges = 2.0 * num_items * 2**num_items
    reads = num_targets * (num_items + 30.0)
    return Work(2 * exchanges + reads, 2 * 8 * 2 * exchanges + 4 * reads)


def gap_work(num_items: int) -> Work:
    """A grid of cells: about 20 operations for every 32, and for each smaller item a pass of 4.

    2**16 sums are sorted, with log2(size) (log2(size) + 1) / 4 compare-exchanges each.
    """
    words = num_cells_of(num_items) / 32
    smaller = num_items - min(num_items - 6, LARGER)
    larger = min(num_items - 6, LARGER)
    sort = 2.0**larger * larger * (larger + 1) / 4
    return Work(words * (20 + 4 * smaller) + 2 * sort, 4 * words * (3 * smaller + 10) + 8 * sort)


def _half_sums(rates: Rates, sizes: tuple[int, ...], batch: int) -> Iterator[Bound]:
    for num_items in sizes:
        rng = np.random.default_rng(num_items)
        # Small integers: both words hold them, so that nothing is computed again.
        items = rng.integers(-1000, 1000, (batch, num_items)).astype(np.float64)
        problem = ss.numbers(items, np.zeros(batch) + 0.5)
        questions = {
            "int32": lambda problem=problem: ss.exists(problem, 1e-3),
            "int64": lambda problem=problem: ss.nearest(problem, masks=False),
        }
        for word, run in questions.items():
            work = half_sums_work(num_items, int(word[3:]) // 8)
            rate = batch / processor_seconds(run)
            yield _bound(f"meet in the middle n={num_items} {word}", work, rate, rates, word)


def _vectors(rates: Rates, few: int, many: int) -> Iterator[Bound]:
    rng, dim = np.random.default_rng(0), 16
    items = rng.normal(size=(many, dim)).astype(np.float32)
    target = items.sum(axis=0) / 2
    solve = jax.jit(exhaustive(num_items=few))
    seconds = processor_seconds(lambda: solve(items[:few], target))
    name = f"all subsets N={few} m={dim}"
    yield _bound(name, exhaustive_work(few, dim), 1 / seconds, rates)
    search = functools.partial(nearest_of_all, pairs=_PAIRS)
    batch = jnp.asarray(items)[None], jnp.asarray(target)[None]
    nodes = int(search(*batch).nodes[0])
    seconds = processor_seconds(lambda: search(*batch))
    name = f"branch and bound N={many} m={dim}, {nodes} nodes"
    yield _bound(name, branch_work(nodes, dim), 1 / seconds, rates)


def _lists(rates: Rates, quick: bool) -> Iterator[Bound]:
    rng = np.random.default_rng(1)
    num_targets = 4_000 if quick else 400_000
    for num_items in (12,) if quick else (16, 21):
        items, targets = rng.uniform(-1, 1, num_items), rng.uniform(-0.5, 0.5, num_targets)
        problem = ss.numbers(np.float32(items), np.float32(targets))
        seconds = processor_seconds(lambda problem=problem: ss.nearest(problem))
        name = f"pool n={num_items}, {num_targets} targets"
        yield _bound(name, pool_work(num_items, num_targets), 1 / seconds, rates)
    for num_items in (15,) if quick else (20, 24):
        items = rng.uniform(-1, 1, num_items).astype(np.float32)
        seconds = processor_seconds(lambda items=items: ss.largest_gap(items, -0.5, 0.5))
        yield _bound(f"largest gap n={num_items}", gap_work(num_items), 1 / seconds, rates)


def _bound(kernel: str, work: Work, per_second: float, rates: Rates, word: str = "int32") -> Bound:
    operations, moved = work.operations * per_second, work.bytes * per_second
    return Bound(
        kernel=kernel,
        operations=work.operations,
        bytes=work.bytes,
        operations_per_second=operations,
        bytes_per_second=moved,
        of_rate=operations / (rates.int32 if word == "int32" else rates.int64),
        of_cache=moved / rates.cache_bytes,
        of_memory=moved / rates.memory_bytes,
    )
