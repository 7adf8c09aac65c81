"""One scalar target: the nearest subset sum of n items from sorted lists of 2**(n/2) integers.

Sums are integers (`fixed_point`), which differ from the true sums by at most a known margin. The
list of keys (`half_sums`) gives the least coarse error. The pairs of half sums that have it, or
come next to it within the margin, are computed again from all bits of the input, until no other
pair can be nearer. A pair of sums that are not neighbours spans three consecutive ones that are not
all of one tag, so the least span of such a triple bounds them all, and equal sums of different
subsets too.
"""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.subset_sum import half_sums
from lottery_jax.subset_sum.fixed_point import FixedPoint, distance, quantize
from lottery_jax.subset_sum.half_sums import Halves, Pair
from lottery_jax.subset_sum.lanes import in_lanes
from lottery_jax.subset_sum.problem import Match

MAX_ITEMS = {4: 40, 8: 56}  # by the bytes of a number; half of them are a list of 2**20 or 2**28
_CANDIDATES = 6  # pairs computed again at most; almost always one settles the answer


class Decision(NamedTuple):
    """Whether some subset is within the tolerance."""

    exists: Bool[Array, ""]  # True only where one certainly is
    is_decided: Bool[Array, ""]  # False where rounding cannot tell; `exists` is then False


class _Lanes(NamedTuple):
    """Instances side by side, before their sums are listed."""

    fixed: FixedPoint
    halves: Halves
    taken: Bool[Array, "item lane"]
    num_items: Int[Array, " lane"] | None


class _Search(NamedTuple):
    """The pairs looked at, in order, and the best subset among them."""

    number: Int[Array, ""]
    last: Pair
    next: Int[Array, " lane"]  # the least difference of the others
    kept: Int[Array, " both"]
    error: Float[Array, " lane"]  # quanta


def nearest_sum(
    items: Float[Array, " item"],
    target: Float[Array, ""],
    *,
    num_items: Int[Array, ""] | None = None,
    masks: bool = True,
) -> Match:
    """The subset whose sum is nearest to the target; traceable, and without checks.

    Parameters
    ----------
    items
        Finite numbers: at most 40 in float32, with sums in int32 words; at most 56 in float64, with
        sums in int64 words. Other types are taken in float32.
    target
        In the units of the items.
    num_items
        How many leading items take part, all if None. The number may be traced: the cost is that of
        the items that take part, not of the capacity (under `vmap`, of the largest number in a
        tile). Every half size becomes a branch of the program, so compilation takes longer.
    masks
        Whether to find the subset. If not, `mask` is all False, and where the coarse limb holds the
        items (float32 numbers of like magnitude in float64, say) no sum is computed again.

    Returns
    -------
    Match
        The interval [error_low, error] is never wider than twice the margin, num_items * 2**-27 of
        the sum of all magnitudes in float32 and num_items * 2**-59 in float64.

    Raises
    ------
    ValueError
        For too many items.

    Notes
    -----
    `jax.vmap` of this function runs in tiles with the batch axis last, several times faster per
    instance than one by one. Memory of a tile: `list_bytes`.

    Examples
    --------
    >>> match = nearest_sum(jnp.array([0.5, 0.3, -0.75]), jnp.array(-0.5))
    >>> match.mask.tolist(), bool(match.is_exact)
    ([False, True, True], True)
    """
    items, target = _check(items, target)
    arguments = (items, target) if num_items is None else (items, target, num_items)
    return _nearest(*arguments) if masks else _least(*arguments)


def sum_within(
    items: Float[Array, " item"],
    target: Float[Array, ""],
    tolerance: Float[Array, ""],
    *,
    word: Any = jnp.int32,
) -> Decision:
    """Whether the nearest sum is within the tolerance; traceable, and without checks.

    Undecided where the tolerance differs from the least error by no more than the margin of sums of
    28 or 60 bits: at most num_items * 2**-27 or 2**-59 of the sum of all magnitudes, and 0 where
    the words hold the items exactly.

    Parameters
    ----------
    items, target
        As in `nearest_sum`.
    tolerance
        In the units of the items, at least 0.
    word
        int32, or int64 for float64 items.

    Raises
    ------
    ValueError
        For too many items.

    Examples
    --------
    >>> sum_within(jnp.array([0.5, 0.3]), jnp.array(0.75), jnp.array(0.1)).exists.item()
    True
    """
    items, target = _check(items, target)
    within = _within_32 if jnp.dtype(word).itemsize == 4 else _within_64
    return within(items, target, tolerance.astype(items.dtype))


def list_bytes(num_items: int, word: int) -> int:
    """Bytes of an instance at work, at most: the list of keys, copies of it, the lists of halves.

    Examples
    --------
    >>> list_bytes(24, 4) // 2**10
    192
    """
    return 6 * word * 2 ** ((num_items + 1) // 2 + 1)


def _check(items, target):
    if items.dtype != jnp.float64:
        items = items.astype(jnp.float32)
    most = MAX_ITEMS[items.dtype.itemsize]
    if items.shape[0] > most:
        raise ValueError(
            f"{items.shape=} needs lists of 2**{(items.shape[0] + 1) // 2} sums; above {most} "
            f"{items.dtype} items use few_items_nearest, or a part of the items, which gives an "
            "upper limit"
        )
    return items, target.astype(items.dtype)


def _prepare(items, target, num_items=None) -> _Lanes:
    taken = jnp.ones(items.shape, bool)
    if num_items is not None:
        taken = jnp.arange(items.shape[0], dtype=jnp.int32)[:, None] < num_items[None]
    fixed = quantize(jnp.where(taken, items, 0), target, shared=False)
    # A zero in place of a missing item would double every sum, and equal sums settle nothing.
    exists = None if num_items is None else taken
    halves = half_sums.split(fixed.items, fixed.target, exists)
    return _Lanes(fixed, halves, taken, num_items)


def _solve(lanes: _Lanes, *, masks: bool) -> Match:
    fixed, halves, taken, num_items = lanes
    needed = None if num_items is None else (jnp.max(num_items) + 1) // 2
    number, real = taken.shape[0], fixed.margin.dtype

    def mask_of(kept: Int[Array, " both"]) -> Bool[Array, "item lane"]:
        bit = jnp.arange(halves.items.shape[0], dtype=jnp.int32)[:, None]
        is_kept = (kept[None] >> bit & 1).astype(bool).reshape(-1, fixed.target.shape[0])
        return (is_kept[:number] ^ (fixed.items < 0)) & taken

    def finish(keys: Int[Array, "key lane"], half: int) -> tuple[Any, ...]:
        def is_open(search: _Search) -> Bool[Array, ""]:
            could_be_nearer = search.next.astype(real) - fixed.margin < search.error
            return jnp.any(could_be_nearer) & (search.number < _CANDIDATES)

        def look(search: _Search) -> _Search:
            """Find the subsets of the next pair, and the pair after it."""
            pair = half_sums.pair_with(keys, search.next, search.last)
            lower, is_a = pair.key >> 1, pair.key & 1 == 0
            upper = lower + pair.difference
            of_a, other = jnp.where(is_a, lower, upper), jnp.where(is_a, upper, lower)
            sums = jnp.concatenate([of_a, halves.target - other])
            kept = half_sums.kept_of_half(halves, sums, half)
            error = distance(fixed, mask_of(kept))
            is_better = error < search.error
            return _Search(
                number=search.number + 1,
                last=pair,
                next=half_sums.least_difference(keys, pair),
                kept=jnp.where(jnp.tile(is_better, 2), kept, search.kept),
                error=jnp.minimum(error, search.error),
            )

        least = half_sums.least_difference(keys)
        none = jnp.zeros(2 * fixed.target.shape[0], jnp.int32)

        def search() -> tuple[Any, ...]:
            span = half_sums.least_span(keys)
            start = _Search(
                number=jnp.int32(0),
                last=Pair(jnp.full_like(least, -1), least),  # before all
                next=least,
                kept=none,
                error=jnp.full(fixed.target.shape, jnp.inf, real),
            )
            end = lax.while_loop(is_open, look, start)
            others = jnp.minimum(end.next, span).astype(real) - fixed.margin
            any_subset = jnp.maximum(least.astype(real) - fixed.margin, 0)
            # The former rounds as a float and may come out an ulp above the error.
            return end.kept, end.error, jnp.minimum(end.error, jnp.maximum(any_subset, others))

        if masks:
            return search()
        coarse = least.astype(real)
        return lax.cond(jnp.any(fixed.margin > 0), search, lambda: (none, coarse, coarse))

    gaps = half_sums.has_gaps(number, num_items)
    kept, error, low = half_sums.with_sorted_keys(halves, finish, gaps=gaps, needed=needed)
    return Match(
        mask_of(kept) if masks else jnp.zeros(taken.shape, bool),
        jnp.ldexp(error, -fixed.shift),
        jnp.ldexp(low, -fixed.shift),
        low >= error,
    )


def _prepare_decision(items, target, tolerance, *, word):
    fixed = quantize(items, target, shared=False, word=word)
    halves = half_sums.split(fixed.items, fixed.target)
    # Integers reach the tolerance where they reach the next integer below it.
    reach = jnp.minimum(jnp.ldexp(tolerance, fixed.shift), half_sums.far(word))
    margin = jnp.ceil(fixed.margin).astype(word)
    return halves, jnp.floor(reach).astype(word), margin, jnp.zeros(items.shape, bool)


def _decide(lanes) -> Decision:
    halves, reach, margin, items = lanes
    gaps = half_sums.has_gaps(items.shape[0], None)
    least = half_sums.with_sorted_keys(
        halves, lambda keys, _: half_sums.least_difference(keys), gaps=gaps
    )
    exists = least <= reach - margin
    return Decision(exists, exists | (least > reach + margin))


def _num_keys(num_items: int) -> int:
    return 2 ** ((num_items + 1) // 2 + 1)


_nearest = in_lanes(_prepare, functools.partial(_solve, masks=True), keys=_num_keys)
_least = in_lanes(_prepare, functools.partial(_solve, masks=False), keys=_num_keys)
_within_32, _within_64 = (
    in_lanes(functools.partial(_prepare_decision, word=word), _decide, keys=_num_keys)
    for word in ("int32", "int64")
)
