"""Every sum of many items from a window of the lowest ones, with a certificate for the others.

Let x_1 <= ... <= x_n be non-negative items with total T, and S_j the sums of subsets of the first
j, T_j their total. The window holds the numbers below W, where W/2 >= x_n. As no item is negative,
a sum in the window is the sum of a subset whose partial sums are all in the window: cutting sets
off at W loses none of them.

Claim. If for some j all numbers of [W/2, W - 1] are in S_j, and T_j - (T - T_j) <= 2W - 1, then
every number of [W/2, T - W/2] is a sum of items.

Proof. A full run [a, b] of S_i that is at least x_{i+1} long is a full run [a, b + x_{i+1}] of
S_{i+1}: the run and its copy, shifted by the item, touch. It only gets longer, and was W/2 >= x_n
long at the start. So [W/2, W - 1 + T - T_j] is full in S_n. Leaving out what was kept, and keeping
what was left out, turns a sum s into T - s: [T_j - W + 1, T - W/2] is full too. The two touch
because T_j - W + 1 <= W + T - T_j.

So the sums below W are read from the window of S_n, those above T - W from its mirror image, and
all between are there. Sets S_j only grow, so that the largest j which the claim allows decides
whether it ever applies; the search stops at the first block of items where it does. From then on
only the part of the window below its last hole can change, by items that are smaller.

Where sums are sparse, or the items have a common divisor, there is no certificate, and one has to
take the whole set (`bit_sets.reachable`). The cost is at most n W/32 words, where the whole set
needs n T/32.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32, UInt32

from lottery_jax.subset_sum import bit_sets
from lottery_jax.subset_sum.bit_sets import WORD

_BLOCK = 8  # items between two looks for the certificate
_EIGHTHS = (1, 2, 4)  # of a window: the parts that few sums, or the last holes, fit in


class Window(NamedTuple):
    """The sums of all subsets of one set of non-negative items."""

    words: UInt32[Array, " word"]  # those below W, as bits
    total: Int32[Array, ""]  # of all items
    is_certain: Bool[Array, ""]  # False where no certificate was found: then `words` means nothing


def window_for(largest: int) -> int:
    """A window for items up to this one: a power of two, so that few sizes are ever compiled.

    Examples
    --------
    >>> window_for(2**16 - 1) == 2**17
    True
    """
    return 2 * max(WORD, 1 << max(largest - 1, 0).bit_length())


def window_sums(items: Int32[Array, " item"], *, window: int) -> Window:
    """All sums, in the form of those below `window`, where a certificate is found.

    Traceable, and without checks of values. `jax.vmap` of it runs one instance after the other.

    Parameters
    ----------
    items
        From 0 to window / 2, with a total below 2**30.
    window
        A multiple of 64, at most 2**28; `window_for` gives one.

    Examples
    --------
    >>> found = window_sums(jnp.full(200, 2, jnp.int32), window=64)
    >>> found.is_certain.item()
    False
    >>> found = window_sums(jnp.full(200, 1, jnp.int32), window=64)
    >>> found.is_certain.item(), found.total.item()
    (True, 200)
    """
    return _window_sums(items, bit_sets.origin_only(window, 0))


def contains(window: Window, targets: Int32[Array, " target"]) -> Bool[Array, " target"]:
    """Which targets are sums, for a window with a certificate.

    Examples
    --------
    >>> found = window_sums(jnp.full(200, 1, jnp.int32), window=64)
    >>> contains(found, jnp.array([-1, 0, 100, 200, 201], jnp.int32)).tolist()
    [False, True, True, True, False]
    """
    mirrored = jnp.minimum(targets, window.total - targets)
    is_between = mirrored >= window.words.shape[0] * WORD
    return is_between | bit_sets.contains(window.words, mirrored)


@jax.custom_batching.sequential_vmap
def _window_sums(items: Int32[Array, " item"], start: UInt32[Array, " word"]) -> Window:
    num_words = start.shape[0]
    window = num_words * WORD
    if not items.shape[0]:
        return Window(start, jnp.int32(0), jnp.zeros((), bool))
    items = jnp.sort(items)
    totals = jnp.cumsum(items, dtype=jnp.int32)
    total = jnp.sum(items, dtype=jnp.int32)
    # T_j - (T - T_j) <= 2W - 1, for the leading ones: totals do not fall.
    num_allowed = jnp.sum(totals - (total - totals) <= 2 * window - 1, dtype=jnp.int32)

    def search(state: tuple) -> tuple:
        begin, room, _ = state
        end = jnp.minimum(begin + _BLOCK, num_allowed)
        room = lax.fori_loop(begin, end, lambda k, room: bit_sets.include_up(room, items[k]), room)
        return end, room, jnp.max(~room.words[num_words // 2 :]) == 0

    # While all sums so far fit into half of the window, the other half has holes.
    begin, words = bit_sets.include_growing(items, totals, start, eighths=_EIGHTHS)
    end, (words, _), is_certain = lax.while_loop(
        lambda state: (state[0] < num_allowed) & ~state[2],
        search,
        (begin, bit_sets.room_for(_written(start, words)), jnp.zeros((), bool)),
    )
    place = jnp.arange(1, num_words + 1, dtype=jnp.int32)
    holes = jnp.max(jnp.where(~words > 0, place, 0))  # words; none from here on
    smaller = jnp.where(is_certain, jnp.sum(items < WORD * holes, dtype=jnp.int32), 0)

    def fill(part: int, words: UInt32[Array, " word"]) -> UInt32[Array, " word"]:
        room = lax.fori_loop(
            end,
            smaller,
            lambda k, room: bit_sets.include_up(room, items[k]),
            bit_sets.room_for(words[:part]),
        )
        return _written(words, room.words)

    # With a certificate all holes are in the lower half.
    parts = sorted({-(-num_words * each // 8) for each in _EIGHTHS})
    index = jnp.sum(jnp.array(parts[:-1], jnp.int32) < holes, dtype=jnp.int32)
    words = lax.switch(index, [functools.partial(fill, part) for part in parts], words)
    return Window(words, total, is_certain)


def _written(words: UInt32[Array, " word"], part: UInt32[Array, " part"]):
    """The set with another beginning."""
    return lax.dynamic_update_slice(words, part, (0,))
