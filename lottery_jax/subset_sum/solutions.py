"""One exact target: whether some subset has exactly this sum, and how many have.

Meet in the middle on whole numbers in int32 words. `half_sums` gives the sums a of half of the
items, and target - b for the sums b of the other half, in one sorted list of keys whose lowest bit
tells them apart. Among equal sums those of the first half come first: a solution exists where two
neighbours differ in that bit alone, and a run of A equal sums followed by B equal ones holds A B
solutions.

Items may have any sign, as long as all magnitudes together are below 2**30, so that a key fits.
With an odd number of items a zero is added: it doubles every number of solutions, which is halved.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32

from lottery_jax.subset_sum import half_sums, wide
from lottery_jax.subset_sum.half_sums import Halves
from lottery_jax.subset_sum.lanes import in_lanes
from lottery_jax.subset_sum.wide import Wide

MAX_ITEMS = 40
MAX_SUM = 2**30 - 1  # of the magnitudes
_NEAR = 4  # neighbours that are compared one by one before runs are measured
_PART_BITS = 10


def has_solution(items: Int32[Array, " item"], target: Int32[Array, ""]) -> Bool[Array, ""]:
    """Whether some subset of the items, the empty one included, has exactly this sum.

    Traceable, and without checks of values.

    Parameters
    ----------
    items
        At most 40, of any sign, with magnitudes that sum to less than 2**30.
    target
        Any int32 number.

    Raises
    ------
    ValueError
        For too many items.

    Notes
    -----
    `jax.vmap` of this function runs in tiles with the batch axis last. Time and memory are those of
    a sorted list of 2**(n/2 + 1) int32 keys.

    Examples
    --------
    >>> has_solution(jnp.array([3, -5, 9], jnp.int32), jnp.int32(4)).item()
    True
    """
    _check(items)
    return _exists(items, target)


def count_solutions(items: Int32[Array, " item"], target: Int32[Array, ""]) -> Wide:
    """How many subsets of the items, the empty one included, have exactly this sum.

    Parameters
    ----------
    items, target
        As in `has_solution`.

    Returns
    -------
    Wide
        At most 2**40.

    Raises
    ------
    ValueError
        For too many items.

    Examples
    --------
    >>> count = count_solutions(jnp.array([1, 1, 2, -1], jnp.int32), jnp.int32(2))
    >>> int(wide.to_uint64(count))
    4
    """
    _check(items)
    # Every zero that was added has doubled the number.
    return wide.halved(_count(items, target), times=_num_missing(items.shape[0]))


def find_solution(items: Int32[Array, " item"], target: Int32[Array, ""]) -> Bool[Array, " item"]:
    """A subset with exactly this sum, where there is one; otherwise a mask that means nothing.

    Parameters
    ----------
    items, target
        As in `has_solution`. Every sum of each half is listed a second time, in the order of the
        subsets.

    Raises
    ------
    ValueError
        For too many items.

    Examples
    --------
    >>> find_solution(jnp.array([3, -5, 9], jnp.int32), jnp.int32(4)).tolist()
    [False, True, True]
    """
    _check(items)
    is_kept = _find(items, target)[: items.shape[0]]
    # To keep the magnitude of a negative item is to leave it out.
    return is_kept ^ (items < 0)


def _check(items: Int32[Array, " item"]) -> None:
    if items.shape[0] > MAX_ITEMS:
        raise ValueError(
            f"{items.shape[0]} items need lists of 2**{(items.shape[0] + 1) // 2} sums; above "
            f"{MAX_ITEMS} take bit_sets or sum_counts"
        )


def _num_missing(num_items: int) -> int:
    """So many zeros make it an even number, at least 2."""
    return max(2, num_items + num_items % 2) - num_items


def _num_keys(num_items: int) -> int:
    return 2 ** ((num_items + _num_missing(num_items)) // 2 + 1)


def _prepare(items: Int32[Array, "item lane"], target: Int32[Array, " lane"]):
    """Halves of an even number of items, and whether the target is in reach."""
    low = jnp.sum(jnp.minimum(items, 0), axis=0, dtype=jnp.int32)
    high = jnp.sum(jnp.maximum(items, 0), axis=0, dtype=jnp.int32)
    is_inside = (low <= target) & (target <= high)
    items = jnp.pad(items, ((0, _num_missing(items.shape[0])), (0, 0)))
    return half_sums.split(items, jnp.clip(target, low, high)), is_inside


def _solve_exists(prepared: tuple[Halves, Bool[Array, " lane"]]) -> Bool[Array, " lane"]:
    halves, is_inside = prepared

    def finish(keys: Int32[Array, "key lane"], half: int) -> Bool[Array, " lane"]:
        # A least number is vectorised better than whether any is 1.
        return jnp.min((keys[1:] ^ keys[:-1] ^ 1).astype(jnp.uint32), axis=0) == 0

    return is_inside & half_sums.with_sorted_keys(halves, finish, gaps=False)


def _solve_count(prepared: tuple[Halves, Bool[Array, " lane"]]) -> Wide:
    halves, is_inside = prepared
    counted = half_sums.with_sorted_keys(halves, lambda keys, half: _pairs(keys), gaps=False)
    return Wide(*(jnp.where(is_inside, words, 0) for words in counted))


def _solve_find(prepared: tuple[Halves, Bool[Array, " lane"]]) -> Bool[Array, "item lane"]:
    """Which magnitudes are kept."""
    halves, _ = prepared

    def finish(keys: Int32[Array, "key lane"], half: int) -> Int32[Array, " lane"]:
        is_pair = (keys[1:] ^ keys[:-1]) == 1
        return jnp.max(jnp.where(is_pair, keys[:-1] >> 1, 0), axis=0)

    first = half_sums.with_sorted_keys(halves, finish, gaps=False)
    wanted = jnp.concatenate([first, halves.target - first])
    listed = jnp.zeros((1, wanted.shape[0]), jnp.int32)
    for item in halves.items:
        listed = jnp.concatenate([listed, listed + item[None]])
    place = lax.broadcasted_iota(jnp.int32, listed.shape, 0)
    subset = jnp.max(jnp.where(listed == wanted[None], place, 0), axis=0)
    bit = jnp.arange(halves.items.shape[0], dtype=jnp.int32)
    is_kept = (subset[None] >> bit[:, None]) & 1 == 1
    return is_kept.reshape(2 * len(bit), -1)  # the halves were dealt in turn


def _pairs(keys: Int32[Array, "key lane"]) -> Wide:
    """Pairs of keys that differ in the lowest bit alone.

    In a run of A keys followed by B keys there are some at every distance up to A + B - 1, so the
    last distance that is looked at tells whether all were found. Runs are short where sums are
    sparse; where they are not, their lengths are measured.
    """

    def at(distance: int) -> Int32[Array, " lane"]:
        is_pair = (keys[distance:] ^ keys[:-distance]) == 1
        return jnp.sum(is_pair, axis=0, dtype=jnp.int32)

    near = [at(distance) for distance in range(1, min(_NEAR, len(keys) - 1) + 1)]
    return lax.cond(
        jnp.any(near[-1] > 0),
        lambda: _products_of_runs(keys),
        lambda: wide.wide(sum(near[1:], near[0]).astype(jnp.uint32)),
    )


def _products_of_runs(keys: Int32[Array, "key lane"]) -> Wide:
    """The sum over all runs of A keys followed by B keys of A B."""
    place = lax.broadcasted_iota(jnp.int32, keys.shape, 0)
    steps = (keys[1:] ^ keys[:-1]).astype(jnp.uint32)  # keys may have different signs
    steps = jnp.concatenate([jnp.full((1, keys.shape[1]), 2, jnp.uint32), steps])
    # Where the run of equal sums began, and where that of equal keys did.
    first = lax.cummax(jnp.where(steps > 1, place, 0), axis=0)
    second = lax.cummax(jnp.where(steps > 0, place, 0), axis=0)
    is_last = jnp.concatenate([steps[1:] > 0, jnp.ones((1, keys.shape[1]), bool)])
    is_last = is_last & ((keys & 1) == 1)
    num_first = jnp.where(is_last, second - first, 0)
    num_second = place - second + 1
    # All A together are at most 2**20, and all B: neither of these sums exceeds 2**30.
    low = jnp.sum((num_first & (2**_PART_BITS - 1)) * num_second, axis=0, dtype=jnp.int32)
    high = jnp.sum((num_first >> _PART_BITS) * num_second, axis=0, dtype=jnp.int32)
    scaled = wide.multiply(high.astype(jnp.uint32), jnp.full_like(high, 2**_PART_BITS, jnp.uint32))
    return wide.add(scaled, wide.wide(low.astype(jnp.uint32)))


_exists = in_lanes(_prepare, _solve_exists, keys=_num_keys)
_find = in_lanes(_prepare, _solve_find, keys=_num_keys)
_count = in_lanes(_prepare, _solve_count, keys=_num_keys)
