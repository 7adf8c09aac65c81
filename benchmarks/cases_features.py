"""Scores of all inputs by PruneNetwork, on rows that are held: bins against products of matrices.

One unit of work is a sample. The goal is the speed of the products that the bins replace, two of
[d, n] and [n, d] for each bias, at this machine's measured rate of such products. A ratio above 1
to that rate is no error: where a product multiplies by a one or a zero for every neuron, a row is
added once for all neurons.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.stages import Compiled

from benchmarks import rivals_features as rivals
from benchmarks.timing import Checked, Missing, Result, Rival, compare
from lottery_jax.core import keys
from lottery_jax.sparse_features import data, sums
from lottery_jax.sparse_features.scores import scores_at

_SHIFT, _KEPT = 0.5, 24
_ROWS = 2048  # of a block; fewer samples are padded
_SIZE = 2048  # of the matrices whose product gives the rate


def features_scores(scale: str) -> Iterator[Result | Missing]:
    """Of 256 inputs, for 8192 samples and 32 or 128 neurons of different biases."""
    dim, num_samples, sizes = (40, 4096, (8,)) if scale == "quick" else (256, 8192, (32, 128))
    for num_pairs in sizes:
        rng = np.random.default_rng(num_pairs)
        inputs = rng.normal(size=(num_samples, dim)).astype(np.float32)
        targets = (inputs[:, 0] ** 2 - 1).astype(np.float32)
        biases = np.asarray(sums.draw_biases(_key(), num_pairs))
        program = _compiled(num_samples, dim, num_pairs)
        rows = jnp.asarray(inputs), jnp.asarray(targets), jnp.array([num_samples], jnp.int32)
        numbers = inputs, targets, _noise(num_samples), biases
        theirs = {
            "NumPy, products": rivals.scores_by_products,
            "NumPy, runs": rivals.scores_by_runs,
        }
        yield from compare(
            f"scores d={dim}, n={num_samples}, m={num_pairs}",
            work="sample",
            ours=functools.partial(program, *rows),
            units=num_samples,
            rivals=[
                *(_numpy(name, solve, numbers) for name, solve in theirs.items()),
                _bare_products(dim, num_pairs, _memory(num_samples, dim, num_pairs)),
            ],
        )


def _compiled(num_samples: int, dim: int, num_pairs: int) -> Compiled:
    """Our scores of held rows, as a program."""

    def run(inputs, targets, sizes):
        source = data.held(inputs, targets, rows=_ROWS)
        found = scores_at(source, sizes, _key(), num_pairs=num_pairs, kept=[_KEPT], shift=_SHIFT)
        return jnp.stack([found.even[0, 0], found.odd[0, 0]])

    inputs = jax.ShapeDtypeStruct((num_samples, dim), jnp.float32)
    targets = jax.ShapeDtypeStruct((num_samples,), jnp.float32)
    return jax.jit(run).lower(inputs, targets, jnp.zeros(1, jnp.int32)).compile()


def _numpy(name: str, solve: Callable, numbers: tuple[np.ndarray, ...]) -> Rival:
    run = functools.partial(solve, *numbers, shift=_SHIFT, kept=_KEPT)
    return Rival(name, run, len(numbers[0]), _same, rounds=3)


def _bare_products(dim: int, num_pairs: int, note: str) -> Rival:
    """Products of large square matrices alone, counted in samples of as many operations."""
    matrix = jnp.ones((_SIZE, _SIZE), jnp.float32)
    product = jax.jit(jnp.matmul)
    per_sample = 4 * num_pairs * (dim + 1) ** 2
    return Rival(
        "the products replaced, at matmul's rate",
        lambda: product(matrix, matrix),
        2 * _SIZE**3 // per_sample,
        lambda mine, theirs: Checked(0, True, f"{per_sample:,} flops a sample; {note}"),
        compiles=True,
        goal="1 x",
    )


def _memory(num_samples: int, dim: int, num_pairs: int) -> str:
    """What our program takes beside the rows themselves, at n and at 8 n."""
    found = []
    for number in (num_samples, 8 * num_samples):
        analysis = _compiled(number, dim, num_pairs).memory_analysis()
        found.append(f"{analysis.temp_size_in_bytes / 1e6:.4g} MB" if analysis else "not known")
    return f"ours takes {found[0]} at n, {found[1]} at 8 n"


def _same(mine: Any, theirs: np.ndarray) -> Checked:
    """Scores within 1e-4 of the largest: a row at a bias may be rounded to either side of it."""
    error = np.abs(np.asarray(mine) - theirs).max(axis=1)
    return Checked(theirs.size, bool(np.all(error <= 1e-4 * theirs.max(axis=1))))


def _key() -> jax.Array:
    return keys.root(0)


def _noise(num_samples: int) -> np.ndarray:
    """What the package draws for the appended input."""
    stream = jax.random.fold_in(_key(), 1)
    each = jax.vmap(jax.random.fold_in, (None, 0))(
        stream, jnp.arange(num_samples, dtype=jnp.uint32)
    )
    return np.asarray(jax.vmap(lambda row: jax.random.normal(row, (), jnp.float32))(each))
