"""How many weights each layer loses: equal ratios, smart ratios, and masks that follow them.

Removing at random needs nothing but these numbers. Equal ratios take the same part of every layer;
smart ratios (Su et al. 2020) keep more of the first layers than of the last, and were found there
to do as well as scores computed from data. All counts are exact integers: together the layers lose
the number asked for, neither more nor less.
"""

import re
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.pruning_limit.magnitude import keep_global

LAST_KEPT = 0.3  # part of the last layer that smart ratios keep


def equal_counts(sizes: Sequence[int], num_removed: int) -> Int[np.ndarray, " layer"]:
    """How many weights each layer loses when all lose the same part.

    Where that is no whole number it is rounded down, and the layers with the largest remainders
    lose one more, the first of them where remainders are equal.

    Raises
    ------
    ValueError
        For a layer without weights, or a number outside 0 to the sum of the sizes.

    Examples
    --------
    >>> equal_counts([40, 20, 7], 33).tolist()
    [20, 10, 3]
    """
    counts = _check(sizes, num_removed)
    total = int(counts.sum())
    # In integers: a product in float64 may fall below the whole number that it stands for.
    whole, rest = np.divmod(counts * num_removed, total)
    more = np.argsort(-rest, kind="stable")[: num_removed - int(whole.sum())]
    whole[more] += 1
    return whole


def smart_counts(sizes: Sequence[int], num_removed: int) -> Int[np.ndarray, " layer"]:
    """How many weights each layer loses by smart ratios.

    Of layer l of L a part proportional to (L - l + 1)^2 + (L - l + 1) is kept, and of the last
    layer 0.3 of its weights; the constant is such that the total is right (Su et al. 2020,
    section 5.1). At the ends, about which the paper says nothing: a part above 1 is 1, and the rest
    goes to the other layers in the same proportions; the last layer never keeps more than one L-th
    of all kept weights, and more than 0.3 only once all others are whole. Numbers are rounded as in
    `equal_counts`.

    Parameters
    ----------
    sizes
        The layer at the input first; see `depth_order`.
    num_removed
        By all layers together.

    Raises
    ------
    ValueError
        As in `equal_counts`.

    Examples
    --------
    >>> smart_counts([600, 600, 600, 100], 1900 - 630).tolist()  # 600 kept: 20, 12 and 6 in 38
    [284, 411, 505, 70]
    """
    whole = _check(sizes, num_removed)
    num_layers, kept = len(whole), int(whole.sum()) - num_removed
    others = whole[:-1].astype(np.float64)
    last = min(LAST_KEPT * float(whole[-1]), kept / num_layers)
    last = max(last, kept - others.sum())  # where all others are whole
    rank = np.arange(num_layers, 1, -1, dtype=np.float64)  # L - l + 1 for l = 1 ... L - 1
    wanted = np.append(_fill(others, rank * (rank + 1), kept - last), last)
    # Sums of float64 may end a little below the whole number that they stand for.
    found = np.minimum(np.floor(wanted + 1e-9).astype(np.int64), whole)
    more = np.argsort(np.where(found < whole, found - wanted, np.inf), kind="stable")
    found[more[: kept - int(found.sum())]] += 1
    return whole - found


def keep_counts(
    scores: Float[Array, " weight"],
    bounds: tuple[tuple[int, int], ...],
    counts: Int[Array, " layer"] | Int[np.ndarray, " layer"],
) -> Bool[Array, " weight"]:
    """Keep the highest scores of every layer; layer l loses counts[l], which may be traced.

    Parameters
    ----------
    scores
        One for each weight; random numbers for a random mask.
    bounds
        First and one past the last weight of every layer: `Leaves.bounds`.
    counts
        How many each layer loses, in the same order.

    Examples
    --------
    >>> keep_counts(jnp.arange(5.0), ((0, 3), (3, 5)), np.array([2, 1])).tolist()
    [False, False, True, False, True]
    """
    counts = jnp.asarray(counts, jnp.int32)
    parts = [
        keep_global(scores[start:stop], counts[layer]) for layer, (start, stop) in enumerate(bounds)
    ]
    return jnp.concatenate(parts)


def depth_order(paths: tuple[str, ...]) -> list[int]:
    """Places of the layers from input to output, as far as their names tell.

    Numbers in names count as numbers: pytrees sort "dense_10" before "dense_2". Parts of a network
    with names that do not count, such as "stem" and "head", are taken in alphabetical order.

    Examples
    --------
    >>> depth_order(("dense_0/kernel", "dense_10/kernel", "dense_2/kernel"))
    [0, 2, 1]
    """

    def words(place: int) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", paths[place])
        return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]

    return sorted(range(len(paths)), key=words)


def _fill(sizes, proportions, total):
    """Parts of `total` in proportion to sizes * proportions, none above its size."""
    filled = np.zeros(len(sizes))
    is_open = np.ones(len(sizes), bool)
    while is_open.any():
        weight = (sizes * proportions)[is_open]
        share = max(0.0, total - filled[~is_open].sum()) * weight / weight.sum()
        is_over = share > sizes[is_open]
        if not is_over.any():
            filled[is_open] = share
            return filled
        place = np.flatnonzero(is_open)[is_over]
        filled[place], is_open[place] = sizes[place], False
    return filled


def _check(sizes: Sequence[int], num_removed: int) -> np.ndarray:
    if not len(sizes) or min(sizes) < 1:
        raise ValueError(f"{sizes=} must be numbers of weights, each at least 1")
    if not 0 <= num_removed <= sum(sizes):
        raise ValueError(f"{num_removed=} must lie between 0 and {sum(sizes)}, the weights of all")
    return np.asarray(sizes, np.int64)
