"""What one core of this machine does at best: rates of the simplest compiled loops, in XLA.

Each loop repeats one step on an array with a last axis of 64 lanes. Rates are per processor second,
those of all threads together.
"""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from lottery_jax.core.compat import enable_x64

_LANES = 64
_IN_CACHE = 2**16  # bytes: too few for the compiler to share one step among threads
_IN_MEMORY = 2**27


class Rates(NamedTuple):
    """Operations (a minimum or a maximum is one) and bytes (read or written) per second."""

    int32: float
    int64: float
    cache_bytes: float
    memory_bytes: float


def measure(*, quick: bool) -> Rates:
    """Measure them now, on one device."""
    repeat = 8 if quick else 64
    memory = _IN_MEMORY // 8 if quick else _IN_MEMORY
    with enable_x64():
        return Rates(
            int32=_order_rate(jnp.int32, 4 * repeat),
            int64=_order_rate(jnp.int64, 4 * repeat),
            cache_bytes=_copy_rate(_IN_CACHE, 256 * repeat),
            memory_bytes=_copy_rate(memory, max(2, repeat // 16)),
        )


def processor_seconds(run: Callable[[], object], rounds: int = 3) -> float:
    """The median over some rounds, after a first call that compiles."""
    jax.block_until_ready(run())
    times = []
    for _ in range(rounds):
        start = time.process_time()
        jax.block_until_ready(run())
        times.append(max(time.process_time() - start, 1e-6))
    return statistics.median(times)


def _order_rate(word, repeat: int) -> float:
    """Minimum and maximum of the two halves of an array, which change places."""
    rows = _IN_CACHE // _LANES // jnp.dtype(word).itemsize

    def step(_, keys):
        low, high = keys[: rows // 2], keys[rows // 2 :]
        return jnp.concatenate([jnp.maximum(low, high), jnp.minimum(low, high)])

    keys = jax.random.randint(jax.random.key(0), (rows, _LANES), 0, 2**30, word)
    return _per_second(step, keys, 64 * repeat, keys.size)


def _copy_rate(size: int, repeat: int) -> float:
    """One pass that changes every number, so that it cannot be left out."""
    values = jnp.zeros((size // 4 // _LANES, _LANES), jnp.int32)
    return _per_second(lambda _, values: values + 1, values, repeat, 2 * size)


def _per_second(step, start, repeat: int, amount: int) -> float:
    run = jax.jit(lambda start: lax.fori_loop(0, repeat, step, start))
    return repeat * amount / processor_seconds(lambda: run(start))
