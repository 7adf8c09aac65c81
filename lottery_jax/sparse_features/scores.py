"""The scores by which PruneNetwork chooses inputs, from one pass over a source of rows.

The weights e_i of the shifted basis go in blocks, and the rows are read again for each block. So
the memory is that of one block's sums, whatever the number of rows; in the last block's end stands
e_d itself, whose gradient gives line 3 of the algorithm. After each of several numbers of rows the
scores so far are taken, so that one pass answers for all of them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, Key

from lottery_jax.core import keys
from lottery_jax.sparse_features import checks, sums
from lottery_jax.sparse_features.checks import Integers, Number
from lottery_jax.sparse_features.data import Source, fold
from lottery_jax.sparse_features.memory import check_memory

_Pair = tuple[Float[Array, "..."], Float[Array, "..."]]


class Scores(NamedTuple):
    """What the gradients say of each input; the appended one comes last."""

    even: Float[Array, "*batch coordinate"]  # line 4: squares of the M largest entries, summed
    odd: Float[Array, "*batch coordinate"]  # line 5
    first: Float[Array, "*batch coordinate"]  # line 3: absolute entries of the gradient at e_d
    printed: Float[Array, "*batch coordinate"]  # line 3 with the sign that the main text prints


def scores_at(
    source: Source,
    sizes: Integers,
    key: Key[Array, ""],
    *,
    num_pairs: int,
    kept: Integers,
    shift: Number,
    biases: Float[Array, " pair"] | None = None,
    block: int | None = None,
) -> Scores:
    """Scores of the first rows of a source, for several numbers of rows and several M.

    Parameters
    ----------
    source
        The rows: inputs of mean 0 and variance 1, targets of mean 0, as in `prune_network`.
    sizes
        Numbers of rows, at least 1 and not decreasing; may be traced. Those traced that are beyond
        a held source act as all its rows.
    key
        Of the biases and of the appended input. The first pairs do not depend on their number,
        nor the first rows' noise on the number of rows.
    num_pairs
        m pairs of mirrored neurons, whose gradients differ in sign alone.
    kept
        Values of M, the entries that count of each gradient; may be traced.
    shift
        c, above 0 and at most 1; 1 for the basis without a shift. May be traced.
    biases
        One for each pair; by default standard normal, drawn with the key.
    block
        Basis vectors at a time; by default what `memory.check_memory` allows.

    Returns
    -------
    Scores
        With leading axes [size, M].

    Raises
    ------
    ValueError
        For sizes that are below 1, decrease, or go beyond a held source; no neuron; M outside 1 to
        d; another number of biases; c outside its range; or a block below 1. What is traced is not
        looked at.
    MemoryError
        Where not even one basis vector's sums fit (`memory.check_memory`).

    Notes
    -----
    (d + 1)^2 additions for each row, and for each size some 70 passes over 2 m (d + 1)^2 numbers
    for each M. Rows are read once for each block. Call it inside ``jax.jit``, which keeps what it
    compiled; sizes, M and c can be arguments there.

    Examples
    --------
    >>> from lottery_jax.core import keys
    >>> from lottery_jax.sparse_features import data
    >>> source = data.held(jnp.ones((8, 3)), jnp.arange(8.0))
    >>> found = scores_at(source, [4, 8], keys.root(0), num_pairs=2, kept=[1], shift=0.5)
    >>> found.even.shape
    (2, 1, 4)
    """
    keys.check_key(key)
    checks.check_sizes(sizes, source.num_samples)
    checks.check_pairs(num_pairs)
    checks.check_all_kept(kept, source.dim)
    checks.check_shift(shift, has_one=True)
    ends, choices = jnp.asarray(sizes, jnp.int32), jnp.asarray(kept, jnp.int32)
    dim = source.dim
    if biases is None:
        biases = sums.draw_biases(key, num_pairs)
    if biases.shape != (num_pairs,):
        raise ValueError(f"{biases.shape=} must be one bias for each of {num_pairs=}")
    if block is None:
        block = check_memory(source, num_pairs=num_pairs, limit=None)
    checks.check_whole("block", block, 1)
    block = min(block, dim + 1)
    num_blocks = -(-(dim + 1) // block)
    # The last block ends with e_d, repeated if need be.
    numbers = jnp.minimum(jnp.arange(num_blocks * block, dtype=jnp.int32), dim)

    def one_block(last: _Pair, weights: Int32[Array, " weight"]) -> tuple[_Pair, _Pair]:
        def step(
            state: sums.Sums, rows: tuple[Int32[Array, ""], Int32[Array, ""]]
        ) -> tuple[sums.Sums, sums.Parts]:
            state = fold(source, *rows, sums.update, state)
            return state, jax.lax.map(lambda some: sums.finish(state, some), choices)

        none = sums.start(key, weights, dim=dim, biases=biases, shift=shift)
        starts = jnp.concatenate([jnp.zeros(1, jnp.int32), ends[:-1]])
        parts = jax.lax.scan(step, none, (starts, ends))[1]
        return (parts.last_odd, parts.last_even), (parts.even, parts.odd)

    none = jnp.zeros((len(ends), len(choices), dim + 1), jnp.float32)
    (first, printed), (even, odd) = jax.lax.scan(
        one_block, (none, none), numbers.reshape(num_blocks, block)
    )
    return Scores(_joined(even, dim), _joined(odd, dim), first, printed)


def _joined(
    blocks: Float[Array, "block size choice weight"], dim: int
) -> Float[Array, "size choice coordinate"]:
    """Blocks of weights side by side, without the repeated last."""
    num_blocks, sizes, choices, block = blocks.shape
    joined = jnp.moveaxis(blocks, 0, 2).reshape(sizes, choices, num_blocks * block)
    return joined[..., : dim + 1]
