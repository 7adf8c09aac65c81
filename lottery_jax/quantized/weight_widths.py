"""How many random units does the exact representation of quantised weights need?

A weight w of the grid is represented where w x_i >= 0 is served by one half of the hidden units and
the rest by the other half (`construction`). One half of n units, before pruning, offers the
products b_j a_j+ as items of a subset sum that must hit w exactly. Draws are nested in n, so each
has first widths: the least n at which its units suffice, for one target drawn with them and for all
2 K + 1 weights of the grid at once. Both are decided exactly, by the set of all sums in units of
δ², one unit after the other.

The set keeps sums of magnitude up to 16 K². Sums beyond are lost, so what is found is certain. What
is not found could only have been missed once the positive or the negative items add up to more;
from there on a draw counts as possible, and limits cover it both ways. It takes some hundred units
before that happens.

Beside the products stands a control, what the proof of the quantised paper would like to have:
items uniform on all multiples of δ² in [-1, 1], wherever a > 0, and none elsewhere. And products
that are never zero, a > 0 and b not 0, of which every one counts: for comparison with subset sums
of continuous items.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int32, Key

from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment, FirstWidth
from lottery_jax.quantized.grid import sample, steps
from lottery_jax.subset_sum import bit_sets

MAX_BITS = 8  # a set of 2**21 bits
MAX_UNITS = 256
_REACH = 16  # largest sum that the set keeps, in units of K²


def experiment(*, bits: int, law: str = "product", cap: int = 96) -> Experiment:
    """First widths of one sign half, as histograms.

    Parameters
    ----------
    bits
        log2(1/δ) of the weights, 0 to 8; targets lie on the same grid.
    law
        Of the items: "product", b a+; "uniform", the control; "live", b a+ given that it is not 0.
    cap
        Units drawn, 1 to 256. First widths above it are counted as cap + 1.

    Returns
    -------
    Experiment
        Its count gives the number of draws by first width, 0 to cap + 1, for two events on the same
        draws: "all", every weight of the grid is a subset sum, and "one", a weight drawn uniformly
        is. Each is counted twice, as "all_certain" and "all_possible", see `FirstWidth`.

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Examples
    --------
    >>> experiment(bits=3).settings
    (('bits', 3), ('cap', 96), ('law', 'product'))
    """
    check(bits, cap)
    if law not in ("product", "uniform", "live"):
        raise ValueError(f"{law=} must be 'product', 'uniform' or 'live'")
    bits = int(bits)  # as settings are stored
    return Experiment(
        name="quantized_weight_width",
        settings=(("bits", bits), ("cap", cap), ("law", law)),
        count=_count(bits, law, cap),
        lanes=64,
        vmap_lanes={"cpu": 1, "gpu": 64, "tpu": 64},
        seconds_per_draw=lambda: seconds_per_sum(bits),
        bytes_per_draw=lambda: 16.0 * bit_sets.num_words(num_sums(bits)),
    )


def check(bits: int, cap: int) -> None:
    """Refuse settings for which `first_widths` has no room."""
    steps(bits)
    if bits > MAX_BITS:
        raise ValueError(
            f"{bits=} needs a set of {2 * _REACH} * 4**{bits} sums; use at most {MAX_BITS}"
        )
    if isinstance(cap, bool) or not isinstance(cap, int) or not 1 <= cap <= MAX_UNITS:
        raise ValueError(f"{cap=} must be an integer from 1 to {MAX_UNITS}")


def num_sums(bits: int) -> int:
    """The sums that `first_widths` keeps: those from -16 K² to 16 K²."""
    return 2 * _REACH * steps(bits) ** 2 + 1


def seconds_per_sum(bits: int) -> float:
    """What one first width costs on one core, for planning only."""
    return 3e-5 + 25 * 1.5e-9 * bit_sets.num_words(num_sums(bits))


def draw(key: Key[Array, ""], *, bits: int, law: str, num_units: int) -> Int32[Array, " unit"]:
    """The items of the units of one sign half, in units of δ²; the first n are the same for every
    `num_units`. A unit with a <= 0 is pruned: its item is zero.

    Notes
    -----
    All laws are uniform to a share of 2**-48 of each probability, see `sample`, but one: at 8 bits
    the control has 2**17 + 1 values, and `jax.random.randint` is the remainder of 32 random bits
    alone above 2**16, which makes shares of up to (2**17 + 1) / 2**32, about 3e-5.
    """
    if law == "live":
        return jax.vmap(lambda key: _live_product(key, steps(bits)))(keys.items(key, num_units))
    of_weights, of_items = keys.items(key, 2)
    a, b = jax.vmap(lambda key: sample(key, (2,), bits=bits))(keys.items(of_weights, num_units)).T
    if law == "product":
        return b * jnp.maximum(a, 0)
    square = steps(bits) ** 2
    free = jax.vmap(lambda key: jax.random.randint(key, (), -square, square + 1, jnp.int32))
    return jnp.where(a > 0, free(keys.items(of_items, num_units)), 0)


def first_widths(
    items: Int32[Array, " unit"], targets: Int32[Array, " target"], *, bits: int
) -> FirstWidth:
    """For each target, the least number of leading items that has it as a subset sum.

    Parameters
    ----------
    items
        In units of δ², at most K² in magnitude; zeros are passed over.
    targets
        At most K² in magnitude, in units of δ².

    Returns
    -------
    FirstWidth
        Both fields with an axis "target"; number of items + 1 where all items are too few.
    """
    num_items, reach = items.shape[0], _REACH * steps(bits) ** 2
    never = num_items + 1
    # Only items other than zero add sums: half of the units have none.
    place = jnp.nonzero(items, size=num_items, fill_value=num_items)[0].astype(jnp.int32)
    live = items.at[place].get(mode="fill", fill_value=0)
    is_inside = jnp.maximum(_total(live), _total(-live)) <= reach
    outside = jnp.where(is_inside.all(), never, place[jnp.argmin(is_inside)] + 1)
    num_live = jnp.sum(items != 0, dtype=jnp.int32)

    def is_open(state):
        used, _, widths = state
        return jnp.any(widths == never) & (used < num_live)

    def include(state):
        used, words, widths = state
        words = bit_sets.include(words, live[used])
        is_new = (widths == never) & bit_sets.contains(words, targets + reach)
        return used + 1, words, jnp.where(is_new, place[used] + 1, widths)

    start = bit_sets.origin_only(2 * reach + 1, reach)
    widths = jnp.where(targets == 0, jnp.int32(0), never)
    _, _, certain = lax.while_loop(is_open, include, (jnp.int32(0), start, widths))
    return FirstWidth(certain, jnp.minimum(certain, outside))


def histograms(first: FirstWidth, cap: int, name: str = "") -> dict[str, Int32[Array, " width"]]:
    """One draw, counted at the largest of its first widths, 0 to cap + 1."""
    widths = jnp.arange(cap + 2, dtype=jnp.int32)
    return {
        f"{name}certain": (widths == jnp.max(first.certain)).astype(jnp.int32),
        f"{name}possible": (widths == jnp.max(first.possible)).astype(jnp.int32),
    }


def _live_product(key: Key[Array, ""], largest: int) -> Int32[Array, ""]:
    """The product of a, uniform on 1, ..., K, and b, uniform on all weights but 0."""
    a, b = jax.random.randint(key, (2,), 0, jnp.array([largest, 2 * largest], jnp.int32), jnp.int32)
    return (a + 1) * (b - largest + (b >= largest).astype(jnp.int32))


def _total(items: Int32[Array, " unit"]) -> Int32[Array, " unit"]:
    """The sum of the positive ones up to each item."""
    return jnp.cumsum(jnp.maximum(items, 0), dtype=jnp.int32)


@functools.cache
def _count(bits: int, law: str, cap: int):
    largest = steps(bits)

    def count(key, parameters):
        of_target, of_units = keys.items(key, 2)
        items = draw(of_units, bits=bits, law=law, num_units=cap)
        weights = jnp.arange(-largest, largest + 1, dtype=jnp.int32)
        every = first_widths(items, weights * largest, bits=bits)
        chosen = sample(of_target, (), bits=bits) + largest
        one = FirstWidth(every.certain[chosen], every.possible[chosen])
        return histograms(every, cap, "all_") | histograms(one, cap, "one_")

    return count
