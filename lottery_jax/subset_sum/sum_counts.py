"""How many subsets have each sum: dynamic programming over a table of all sums at once.

One more item x turns the numbers c(s) into c(s) + c(s - x): the table and its copy, shifted by the
item, are added. Numbers are two uint32 words (`wide`), so that they are exact below 2**64, and
modulo 2**64 otherwise. Of 64 items only those that are all zero have a sum with more subsets.

The cost is n additions of the whole table, whatever the items.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int32

from lottery_jax.subset_sum import wide
from lottery_jax.subset_sum.wide import Wide


def count_sums(items: Int32[Array, " item"], *, num_sums: int) -> Wide:
    """The number of subsets for every sum from 0 to num_sums - 1, modulo 2**64.

    Traceable, and without checks of values. `jax.vmap` of it runs one instance after the other.

    Parameters
    ----------
    items
        At least 0. Subsets with larger sums are left out.
    num_sums
        At least 1, at most 2**29. Memory: 32 bytes for each.

    Returns
    -------
    Wide
        Two words of shape (num_sums,).

    Examples
    --------
    >>> wide.to_uint64(count_sums(jnp.array([1, 1, 2], jnp.int32), num_sums=5)).tolist()
    [1, 2, 2, 2, 1]
    """
    one = wide.wide(jnp.zeros(num_sums, jnp.uint32).at[0].set(jnp.uint32(1)))
    return _count_sums(items, one)


@jax.custom_batching.sequential_vmap
def _count_sums(items: Int32[Array, " item"], start: Wide) -> Wide:
    size = start.low.shape[0]
    if not items.shape[0]:
        return start

    def include(k: Array, state: tuple[Wide, Wide]) -> tuple[Wide, Wide]:
        table, below = state
        # A scalar is computed once, and not for every number.
        begin = lax.optimization_barrier(size - jnp.minimum(items[k], size))
        # Copied to where zeros are below, then read from there: see `bit_sets`.
        copies = [
            lax.dynamic_update_slice(zeros, words, (size,))
            for zeros, words in zip(below, table, strict=True)
        ]
        more = Wide(*(lax.dynamic_slice(words, (begin,), (size,)) for words in copies))
        return wide.add(table, more), Wide(*copies)

    zeros = jnp.zeros(2 * size, jnp.uint32)
    num_items = jnp.int32(items.shape[0])
    table, _ = lax.fori_loop(jnp.int32(0), num_items, include, (start, Wide(zeros, zeros)))
    return table
