"""One scalar target: the nearest subset sum of n items from ordered lists of 2**(n/2) integers.

The items are dealt to two halves. The subset sums of half A, tagged 0, and target minus the subset
sums of half B, tagged 1 in the lowest bit, go into one ordered list; the least difference between
neighbours of different tags is the least error (Horowitz and Sahni 1974, without the search).
Sorted lists are only ever merged: the sums with and without one more item, then A with B. Every
merge is a bitonic one in Stone's perfect-shuffle order, so that all its stages are one loop body.

Sums are integers of 28 bits (`fixed_point`), which differ from the true sums by at most a known
margin. The few least differences are computed again from all bits of the input. They settle the
answer when every other pair is further apart by more than the margin. A pair of sums that are not
neighbours spans three consecutive ones that are not all of one tag, so the least span of such a
triple bounds them all, and equal sums of different subsets too.

The arrays of many instances have their batch axis last, which is what vectorises on a CPU. Per
instance the work is about 3 n 2**(n/2) compare-exchanges.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from lottery_jax.subset_sum.fixed_point import bracket, distance, quantize
from lottery_jax.subset_sum.problem import Match

MAX_ITEMS = 40
_CANDIDATES = 4  # pairs computed again: settles all random instances at n = 20, 96 % at n = 24
_SMALLEST_HALF = 5  # instances with fewer items share one program
# On a CPU a tile stays in the cache of a core; elsewhere memory is the limit.
_KEYS_PER_TILE = {"cpu": 2**17}
_OUT = 2**30 - 1  # a sum with an item that does not exist: further out than any sum - target
_FAR = 2**30  # exceeds every difference between two sums that do exist


@jax.jit
def nearest_sum(
    items: Float[Array, " item"],
    target: Float[Array, ""],
    *,
    num_items: Int[Array, ""] | None = None,
) -> Match:
    """The subset whose sum is nearest to the target; traceable, and without checks.

    Parameters
    ----------
    items
        At most 40 finite numbers, taken in float32.
    target
        In the units of the items.
    num_items
        How many leading items take part, all if None. The number may be traced: the cost is that of
        the items that take part, not of the capacity (under `vmap`, of the largest number in a
        tile). Every half size becomes a branch of the program, so compilation takes longer.

    Returns
    -------
    Match
        The interval [error_low, error] is never wider than twice the margin, num_items * 2**-27 of
        the sum of all magnitudes.

    Raises
    ------
    ValueError
        For more than 40 items.

    Notes
    -----
    `jax.vmap` of this function runs in tiles with the batch axis last, several times faster per
    instance than one by one.

    Examples
    --------
    >>> match = nearest_sum(jnp.array([0.5, 0.3, -0.75]), jnp.array(-0.5))
    >>> match.mask.tolist(), bool(match.is_exact)
    ([False, True, True], True)
    """
    if items.shape[0] > MAX_ITEMS:
        raise ValueError(
            f"{items.shape=} needs lists of 2**{(items.shape[0] + 1) // 2} sums; above {MAX_ITEMS} "
            "items use few_items_nearest, or a part of the items, which gives an upper limit"
        )
    items, target = items.astype(jnp.float32), target.astype(jnp.float32)
    if num_items is None:
        return _nearest(items, target)
    return _nearest(items, target, num_items)


@jax.custom_batching.custom_vmap
def _nearest(*arguments) -> Match:
    """One instance as a batch of one."""
    match = _nearest_lanes(*(each[..., None] for each in arguments))
    return jax.tree.map(lambda each: each[..., 0], match)


@_nearest.def_vmap
def _nearest_batch(axis_size, is_batched, *arguments):
    """Many instances, in tiles with the batch axis last."""
    capacity = arguments[0].shape[-1]
    keys_per_tile = _KEYS_PER_TILE.get(jax.default_backend(), 2**24)
    lanes = max(1, min(axis_size, 64, keys_per_tile >> (capacity // 2 + 1)))
    tiles = -(-axis_size // lanes)

    def split(argument, has_batch):
        if not has_batch:
            argument = jnp.broadcast_to(argument, (axis_size, *argument.shape))
        # The last tile is filled up with its last instance.
        index = jnp.minimum(jnp.arange(tiles * lanes, dtype=jnp.int32), axis_size - 1)
        return jnp.moveaxis(argument[index].reshape(tiles, lanes, *argument.shape[1:]), 1, -1)

    matches = lax.map(lambda tile: _nearest_lanes(*tile), tuple(map(split, arguments, is_batched)))

    def join(leaf):
        leaf = jnp.moveaxis(leaf, -1, 1)
        return leaf.reshape(tiles * lanes, *leaf.shape[2:])[:axis_size]

    return jax.tree.map(join, matches), jax.tree.map(lambda _: True, matches)


def _nearest_lanes(
    items: Float[Array, "item lane"],
    targets: Float[Array, " lane"],
    num_items: Int[Array, " lane"] | None = None,
) -> Match:
    """Nearest sums of many instances; every field of the Match has a last axis "lane"."""
    capacity, lanes = items.shape
    most = (capacity + 1) // 2
    number = jnp.arange(2 * most, dtype=jnp.int32)[:, None]
    taken = number < (capacity if num_items is None else num_items[None])
    items = jnp.concatenate([items, jnp.zeros((2 * most - capacity, lanes), items.dtype)])
    fixed = quantize(jnp.where(taken, items, 0), targets, shared=False)
    # Item 2k goes to half A, item 2k + 1 to half B: any prefix is dealt evenly. A zero in place of
    # an item that is not taken would double every sum, and equal sums settle nothing.
    halves = jnp.where(taken, fixed.items, _OUT + 1).reshape(most, 2, lanes)

    needed = None if num_items is None else (jnp.max(num_items) + 1) // 2
    subsets, differences = _grow(
        jnp.zeros((1, 2, lanes), jnp.int32), 0, halves, fixed.target, needed
    )

    bits = jnp.arange(most, dtype=jnp.int32)[None, :, None, None]
    masks = (subsets[:, None] >> bits & 1).astype(bool).reshape(_CANDIDATES, 2 * most, lanes)
    masks &= taken[None]
    errors = jax.vmap(distance, in_axes=(None, 0))(fixed, masks)
    low, error = bracket(errors, differences[0], differences[1], fixed.margin)
    best = jnp.argmin(errors, axis=0)
    mask = jnp.take_along_axis(masks, best[None, None], axis=0)[0, :capacity]
    return Match(mask, jnp.ldexp(error, -fixed.shift), jnp.ldexp(low, -fixed.shift), low >= error)


def _grow(ordered, half, halves, targets, needed):
    """Add items `half`, `half` + 1, ... to both ordered lists, and compare the lists when the
    `needed` ones are in (all if None). The sizes of all lists are known to the compiler, and each
    is compiled once.
    """

    def compare():
        return _closest_pairs(ordered, halves[:half], targets)

    def add():
        return _grow(_add_item(ordered, halves[half]), half + 1, halves, targets, needed)

    if half == len(halves):
        return compare()
    if needed is None or half < _SMALLEST_HALF:
        return add()
    return lax.cond(needed <= half, compare, add)


def _closest_pairs(
    ordered: Int[Array, "subset 2 lane"],
    halves: Int[Array, "half 2 lane"],
    targets: Int[Array, " lane"],
) -> tuple[Int[Array, "candidate 2 lane"], Int[Array, "2 lane"]]:
    """The pairs with the least abs(sum of A + sum of B - target).

    Returns
    -------
    subsets
        Bit k of entry [c, s] tells whether candidate c keeps item k of half s.
    differences
        The least of all, and a lower limit for every pair that is not a candidate.
    """
    others = jnp.maximum(targets[None] - ordered[:, 1], -_OUT)
    keys = _merge(jnp.concatenate([2 * ordered[:, 0], 2 * others + 1]))
    sums = keys >> 1
    # Not a select, which is compiled to a branch that is mispredicted half of the time.
    near = sums[1:] - sums[:-1] | ~(keys[1:] ^ keys[:-1]) << 30 & _FAR
    is_mixed = (keys[2:] ^ keys[1:-1]) | (keys[1:-1] ^ keys[:-2])
    spans = sums[2:] - sums[:-2] | ~is_mixed << 30 & _FAR
    not_near = jnp.min(spans, axis=0, initial=_FAR)

    position = jnp.arange(near.shape[0], dtype=jnp.int32)[:, None]
    subset = jnp.arange(2 ** len(halves), dtype=jnp.int32)[:, None, None]
    sums_by_subset = _sums_by_subset(halves)

    def take(near, _):
        """The closest pair, found again among the sums of each half, and the pairs without it."""
        at = jnp.argmin(near, axis=0).astype(jnp.int32)[None]
        first = jnp.take_along_axis(keys, at, axis=0)[0]
        second = jnp.take_along_axis(keys, at + 1, axis=0)[0]
        is_ordered = first & 1 == 0
        of_a, of_b = (jnp.where(is_ordered, *each) for each in ((first, second), (second, first)))
        found = sums_by_subset == jnp.stack([of_a >> 1, targets - (of_b >> 1)])[None]
        difference = jnp.min(near, axis=0)
        return (
            jnp.where(position == at, 2**31 - 1, near),
            (jnp.max(jnp.where(found, subset, 0), axis=0), difference),
        )

    near, (subsets, differences) = lax.scan(take, near, length=_CANDIDATES)
    return subsets, jnp.stack([differences[0], jnp.minimum(jnp.min(near, axis=0), not_near)])


def _add_item(
    ordered: Int[Array, "subset *lanes"], item: Int[Array, "*lanes"]
) -> Int[Array, "twice *lanes"]:
    """The ordered sums with and without one more item, none above _OUT."""
    return _merge(jnp.concatenate([ordered, jnp.minimum(ordered + item[None], _OUT)[::-1]]))


def _sums_by_subset(items: Int[Array, "item *lanes"]) -> Int[Array, "subset *lanes"]:
    """All subset sums; bit k of the index tells whether item k is kept."""
    subset = jnp.arange(2 ** len(items), dtype=jnp.int32).reshape(-1, *[1] * (items.ndim - 1))

    def add(sums, numbered_item):
        # A loop over whole arrays compiles much faster than doubling, and runs as fast.
        k, item = numbered_item
        return jnp.minimum(sums + item[None] * (subset >> k & 1), _OUT), None

    sums = jnp.zeros((2 ** len(items), *items.shape[1:]), jnp.int32)
    return lax.scan(add, sums, (jnp.arange(len(items), dtype=jnp.int32), items))[0]


def _merge(keys: Int[Array, "key *lanes"]) -> Int[Array, "key *lanes"]:
    """Sort a list of 2**k keys that ascends and then descends, or the other way round.

    Every stage compares the two halves and interleaves the results (Stone 1971): the bits of each
    address rotate by one, and after k stages they are back where they belong.
    """
    half = keys.shape[0] // 2

    def stage(_, keys):
        low, high = jnp.minimum(keys[:half], keys[half:]), jnp.maximum(keys[:half], keys[half:])
        return jnp.stack([low, high], axis=1).reshape(keys.shape)

    return lax.fori_loop(0, keys.shape[0].bit_length() - 1, stage, keys)
