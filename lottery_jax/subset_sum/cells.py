"""A row of cells, one bit each, that subset sums mark; and the longest runs of empty cells.

Adding one more item to a set of sums is one shift of all bits and one OR: the work is one operation
for every 32 cells, however many sums there are. Cell i is bit i % 32 of word i // 32.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, UInt

_BLOCK = 2**13  # words moved at a time: they stay in the cache
_STRETCH = 8  # a power of two of at most 16
_FAN = 32  # children of a node in the tree of counts


class Runs(NamedTuple):
    """Runs of empty cells between two marked ones, in order of their places."""

    first: Int[Array, " run"]  # the first empty cell
    length: Int[Array, " run"]  # 0 where there is no further run
    others: Int[Array, ""]  # no run that is not listed is longer


class _Lengths(NamedTuple):
    """Two lengths, and where runs of at least so many empty cells start."""

    length: Int[Array, ""]  # 0 if there are not even many runs of one cell
    many: UInt[Array, " w"]
    few_length: Int[Array, ""]
    few: UInt[Array, " w"]
    step: Int[Array, ""]  # by how much to lengthen `length` next; 0 at the end
    is_doubled: Bool[Array, ""]  # no length with few runs was met so far


def mark(num_words: int, cells: Int[Array, " sum"]) -> UInt[Array, " w"]:
    """Words with the bits of the given cells set; in ascending order, those beyond the end last."""
    is_first = jnp.concatenate([jnp.array([True]), cells[1:] != cells[:-1]])
    bit = jnp.where(is_first, jnp.uint32(1) << (cells & 31).astype(jnp.uint32), 0)
    return jnp.zeros((num_words,), jnp.uint32).at[cells >> 5].add(bit, mode="drop")


def spread(words: UInt[Array, " w"], shifts: Int[Array, " item"]) -> UInt[Array, " w"]:
    """For each item, mark the cells that lie `shifts` cells above the marked ones as well.

    Shifts are not negative. What is shifted beyond the last cell is forgotten.
    """
    num_words = words.shape[0]
    block = min(_BLOCK, num_words)
    start = num_words + 1  # zeros lie in front of the words

    def add_item(item, padded):
        shift = shifts[item]
        far, bits = jnp.minimum(shift >> 5, num_words), (shift & 31).astype(jnp.uint32)

        def add_block(number, padded):
            # From the top down, so that no word is read after it was changed.
            at = start + num_words - block - number * block
            below = lax.dynamic_slice(padded, (at - far - 1,), (block + 1,))
            here = lax.dynamic_slice(padded, (at,), (block,))
            # Slices that are fused into the next line would keep it out of vector registers.
            below, here = lax.optimization_barrier((below, here))
            here |= below[1:] << bits | below[:-1] >> 1 >> (31 - bits)
            return lax.dynamic_update_slice(padded, here, (at,))

        return lax.fori_loop(0, num_words // block, add_block, padded)

    padded = jnp.concatenate([jnp.zeros((start,), jnp.uint32), words])
    return lax.fori_loop(0, shifts.shape[0], add_item, padded)[start:]


def mark_outside(
    words: UInt[Array, " w"], low: Int[Array, ""], high: Int[Array, ""]
) -> UInt[Array, " w"]:
    """Mark the cells up to and including `low`, and from `high` on."""
    first = 32 * jnp.arange(words.shape[0], dtype=jnp.int32)
    up_to = jnp.clip(low + 1 - first, 0, 32).astype(jnp.uint32)
    before = jnp.clip(high - first, 0, 32).astype(jnp.uint32)
    return words | _ones(up_to) | ~_ones(before)


def longest_runs(words: UInt[Array, " w"], size: int) -> Runs:
    """At most `size` runs of empty cells, such that those that are left out are no longer.

    The first and the last cell must be marked. The cells at which a run of at least L starts are
    found for L that doubles while there are more than `size` runs, and is then bisected to an
    eighth.
    """

    def is_many(runs: UInt[Array, " w"]) -> Bool[Array, ""]:
        return _count(_firsts(runs)) > size

    def lengthen(state: _Lengths) -> _Lengths:
        longer, length = _shorten(state.many, state.step), state.length + state.step
        found = is_many(longer)
        many, few = lax.cond(found, lambda: (longer, state.few), lambda: (state.many, longer))
        is_doubled = state.is_doubled & found
        is_coarse = state.step > jnp.maximum(1, state.length // 8)
        step = jnp.where(is_doubled, length, jnp.where(is_coarse, state.step // 2, 0))
        few_length = jnp.where(found, state.few_length, length)
        length = jnp.where(found, length, state.length)
        return _Lengths(length, many, few_length, few, step, is_doubled)

    stretches = _stretches(~words)
    runs, length = lax.cond(
        is_many(stretches), lambda: (stretches, jnp.int32(_STRETCH)), lambda: (~words, jnp.int32(1))
    )
    some = is_many(runs)
    state = _Lengths(
        jnp.where(some, length, 0), runs, length, runs, jnp.where(some, length, 0), some
    )
    state = lax.while_loop(lambda state: state.step > 0, lengthen, state)

    # Where all of too many runs are equally long, some of them are listed.
    is_few = jnp.any(state.few != 0)
    runs = jnp.where(is_few, state.few, state.many)
    listed = jnp.where(is_few, state.few_length, state.length)
    ends = jnp.stack([_firsts(runs), _lasts(runs)])
    first, last = lax.map(lambda bits: _select(bits, size), ends)
    length = jnp.where(first < 0, 0, last - first + listed)
    return Runs(first, length, jnp.where(is_few, listed - 1, listed))


def _ones(number: UInt[Array, " w"]) -> UInt[Array, " w"]:
    """Words with their `number` lowest bits set, 0 to 32."""
    return jnp.where(number == 0, jnp.uint32(0), ~jnp.uint32(0) >> (32 - jnp.maximum(number, 1)))


def _firsts(bits: UInt[Array, " w"]) -> UInt[Array, " w"]:
    """The first bit of each stretch of set bits."""
    before = jnp.concatenate([jnp.zeros((1,), jnp.uint32), bits[:-1]])
    return bits & ~(bits << 1 | before >> 31)


def _lasts(bits: UInt[Array, " w"]) -> UInt[Array, " w"]:
    """The last bit of each stretch of set bits."""
    after = jnp.concatenate([bits[1:], jnp.zeros((1,), jnp.uint32)])
    return bits & ~(bits >> 1 | after << 31)


def _stretches(empty: UInt[Array, " w"]) -> UInt[Array, " w"]:
    """The cells at which a run of _STRETCH empty cells starts, in one pass."""
    here, above = empty, jnp.concatenate([empty[1:], jnp.zeros((1,), jnp.uint32)])
    step = 1
    while step < _STRETCH:
        here, above = here & (here >> step | above << (32 - step)), above & above >> step
        step *= 2
    return here


def _shorten(runs: UInt[Array, " w"], step: Int[Array, ""]) -> UInt[Array, " w"]:
    """Bits that are set, and set `step` cells further on too: starts of runs that are longer."""
    num_words = runs.shape[0]
    block = min(_BLOCK, num_words)
    far, bits = jnp.minimum(step >> 5, num_words), (step & 31).astype(jnp.uint32)
    padded = jnp.concatenate([runs, jnp.zeros((num_words + 1,), jnp.uint32)])

    def cut_block(number, padded):
        at = number * block  # from the bottom up
        above = lax.dynamic_slice(padded, (at + far,), (block + 1,))
        here = lax.dynamic_slice(padded, (at,), (block,))
        above, here = lax.optimization_barrier((above, here))
        here &= above[:-1] >> bits | above[1:] << 1 << (31 - bits)
        return lax.dynamic_update_slice(padded, here, (at,))

    return lax.fori_loop(0, num_words // block, cut_block, padded)[:num_words]


def _count(bits: UInt[Array, " w"]) -> Int[Array, ""]:
    """How many bits are set."""
    return jnp.sum(lax.population_count(bits).astype(jnp.int32), dtype=jnp.int32)


def _select(words: UInt[Array, " w"], size: int) -> Int[Array, " {size}"]:
    """The places of the first `size` set bits, -1 where there are fewer.

    Descends a tree of counts: the scan of `jnp.nonzero` over all words would take longer than
    everything before it.
    """
    counts = [lax.population_count(words).astype(jnp.int32)]
    while counts[-1].shape[0] > _FAN:
        level = counts[-1]
        level = jnp.pad(level, (0, -level.shape[0] % _FAN)).reshape(-1, _FAN)
        counts[-1] = level.reshape(-1)
        counts.append(jnp.sum(level, axis=1, dtype=jnp.int32))
    rank = jnp.arange(size, dtype=jnp.int32)
    exists = rank < jnp.sum(counts[-1], dtype=jnp.int32)
    rank = jnp.where(exists, rank, 0)
    node = jnp.zeros((size,), jnp.int32)
    child = jnp.arange(_FAN, dtype=jnp.int32)

    def descend(inside: Int[Array, "slot child"], rank):
        ends = jnp.cumsum(inside, axis=1, dtype=jnp.int32)
        at = jnp.sum(ends <= rank[:, None], axis=1, dtype=jnp.int32)
        at = jnp.minimum(at, inside.shape[1] - 1)[:, None]
        before = jnp.take_along_axis(ends - inside, at, axis=1)[:, 0]
        return at[:, 0], rank - before

    for level in reversed(counts):
        children = jnp.minimum(_FAN * node[:, None] + child[None], level.shape[0] - 1)
        inside = jnp.where(_FAN * node[:, None] + child[None] < level.shape[0], level[children], 0)
        at, rank = descend(inside, rank)
        node = _FAN * node + at
    bit = jnp.arange(32, dtype=jnp.uint32)
    at, _ = descend((words[node][:, None] >> bit[None] & 1).astype(jnp.int32), rank)
    return jnp.where(exists, 32 * node + at, -1)
