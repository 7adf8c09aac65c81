"""How many random numbers are needed for their subset sums to come close to a target?

The random subset sum problem (Lueker 1998): n independent items serve a target within ε if some
subset has a sum that differs from it by at most ε. n = O(log 1/ε) items serve every target of
[-1/2, 1/2] with high probability, and Pensia et al. (2020) prune products of two weights to them.

Both events are decided exactly, but for rounding: one target by its nearest subset sum, the
interval by its covering radius. A first width takes about five searches of 2**(n/2) sums for one
target, and a few searches of 2**n marked cells for the interval.

Items are float32 numbers, the roundings of the real law; a product of two Gaussians is rounded once
more. This is part of the law: the decisions are those of the rounded items.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

from lottery_jax.core import keys
from lottery_jax.core.laws import LAWS
from lottery_jax.montecarlo.bisection import first_width_by_bisection
from lottery_jax.montecarlo.experiment import Experiment, FirstWidth, Trial
from lottery_jax.subset_sum.gaps import gap_bytes, largest_gap
from lottery_jax.subset_sum.meet_in_the_middle import list_bytes, nearest_sum

MAX_ITEMS = 28  # more sums would be nearer to each other than 28-bit integers can tell
_CODES: dict[str, int] = {"uniform": 0, "product_normal": 1, "normal": 2}
# A width shares its programs with all widths of its class: few items compile faster.
_CAPACITIES = (20, MAX_ITEMS)
# The same for the interval, with the sizes of its searches: fewer items are filled up with zeros.
_SIZES = {14: (14,), 20: (14, 20), MAX_ITEMS: (14, 20, 23, 26, MAX_ITEMS)}


class Instance(NamedTuple):
    """Random items and one random target."""

    items: Float[Array, " item"]
    target: Float[Array, ""]  # in [-1/2, 1/2]


class Interval(NamedTuple):
    """What is certain of an error: it lies in [low, high], rounding included."""

    low: Float[Array, ""]
    high: Float[Array, ""]


def experiment(*, width: int, law: str = "uniform", event: str = "target") -> Experiment:
    """Do the subset sums of `width` random numbers serve a target, or all targets, within ε?

    A draw is `width` independent items and a target uniform on [-1/2, 1/2]. The empty subset
    counts.

    Parameters
    ----------
    width
        Number of items, 1 to 28.
    law
        Of an item: "uniform" on [-1, 1], "normal", or "product_normal", the product of two N(0, 1).
    event
        "target": the target of the draw is served. "interval": every target of [-1/2, 1/2] is.

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Notes
    -----
    ε down to 1e-6 is decided in all but rare draws; below, more of them are left open the more
    items there are.

    Examples
    --------
    >>> experiment(width=12, event="interval").settings
    (('event', 'interval'), ('law', 'uniform'), ('width', 12))
    """
    if event not in ("target", "interval"):
        raise ValueError(
            f"{event=} must be 'target', one random target, or 'interval', all targets of [-1/2, "
            "1/2]; for vectors use random_subset_sum.vectors"
        )
    if law not in _CODES:
        raise ValueError(f"{law=} must be one of {', '.join(_CODES)}")
    if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= MAX_ITEMS:
        raise ValueError(
            f"{width=} must be an integer from 1 to {MAX_ITEMS}: the sums of more items are nearer "
            "to each other than 28 bits can tell; use a larger epsilon"
        )
    is_target = event == "target"
    capacity = next(size for size in (_CAPACITIES if is_target else _SIZES) if size >= width)
    trial, first_width = (_target_functions if is_target else _interval_functions)(capacity)
    side_by_side = {"cpu": 1, "gpu": 256, "tpu": 256} if is_target else {"cpu": 1}
    return Experiment(
        name="scalar_rss",
        settings=(("event", event), ("law", law), ("width", width)),
        trial=trial,
        first_width=first_width,
        parameters=(("law", _CODES[law]), ("width", width)),
        lanes=128 if is_target else 64,
        at_width=functools.partial(_at_width, law=law, event=event),
        max_width=MAX_ITEMS,
        vmap_lanes=side_by_side,
        seconds_per_draw=lambda: (
            1e-4 + 1e-7 * 2 ** (width / 2) if is_target else 2e-3 + 6e-9 * 2.0**width
        ),
        bytes_per_draw=lambda: float(list_bytes(width, 4) if is_target else gap_bytes(capacity)),
    )


def _at_width(width: int, **settings) -> Experiment:
    return experiment(width=width, **settings)


def draw(key: Key[Array, ""], law: Int[Array, ""], *, num_items: int) -> Instance:
    """Items of the law with this code, and a target.

    The first n items, and the target, are the same for every `num_items`.
    """
    of_target, of_items = keys.items(key, 2)
    item_keys = keys.items(of_items, num_items)
    samples = [
        jax.vmap(lambda key, name=name: LAWS[name].sample(key, ()))(item_keys) for name in _CODES
    ]
    target = jax.random.uniform(of_target, (), jnp.float32, minval=-0.5, maxval=0.5)
    return Instance(lax.select_n(jnp.asarray(law, jnp.int32), *samples), target)


def target_error(instance: Instance, num_items: Int[Array, ""]) -> Interval:
    """The distance of the target from the nearest sum of the first `num_items` items."""
    match = nearest_sum(instance.items, instance.target, num_items=num_items)
    total = jnp.sum(jnp.abs(instance.items)) + jnp.abs(instance.target)
    return _widened(match.error_low, match.error, total)


def interval_error(
    instance: Instance, num_items: Int[Array, ""], *, sizes: tuple[int, ...]
) -> Interval:
    """The largest distance of a target of [-1/2, 1/2] from the sums of the first items."""
    capacity = sizes[-1]
    taken = jnp.arange(capacity, dtype=jnp.int32) < num_items
    # A zero in place of a missing item doubles every sum, and moves none.
    items = jnp.where(taken, instance.items[:capacity], 0)
    half = jnp.float32(0.5)
    searches = [functools.partial(_gap_of_leading, size=size) for size in sizes]
    index = jnp.sum(jnp.array(sizes, jnp.int32) < num_items, dtype=jnp.int32)
    gap = lax.switch(index, searches, items, -half, half)
    return _widened(gap.radius_low, gap.radius_high, jnp.sum(jnp.abs(items)) + 1)


def _gap_of_leading(items, low, high, *, size: int):
    return largest_gap(items[:size], low, high)


def _widened(low: Float[Array, ""], high: Float[Array, ""], total: Float[Array, ""]) -> Interval:
    """By more than the rounding that `Match` and `Gap` state, and that of the comparison."""
    rest = total * 2.0**-46
    return Interval(low * (1 - 2.0**-20) - rest, high * (1 + 2.0**-20) + rest)


@functools.cache
def _target_functions(capacity: int):
    """Trial and first width of one target; one program for all widths up to the capacity."""

    def trial(key, epsilons: Float[Array, " eps"], parameters) -> Trial:
        instance = draw(key, parameters["law"], num_items=capacity)
        error = target_error(instance, parameters["width"])
        return Trial(error.high <= epsilons, (error.low <= epsilons) & (error.high > epsilons))

    def first_width(key, epsilon: Float[Array, ""], parameters) -> FirstWidth:
        instance = draw(key, parameters["law"], num_items=capacity)
        decide = functools.partial(_decide, lambda m: target_error(instance, m), epsilon)
        return first_width_by_bisection(decide, parameters["width"])

    return trial, first_width


@functools.cache
def _interval_functions(capacity: int):
    """Trial and first width of the interval; one program for the widths up to the capacity."""
    sizes = _SIZES[capacity]

    def trial(key, epsilons: Float[Array, " eps"], parameters) -> Trial:
        instance = draw(key, parameters["law"], num_items=capacity)
        error = interval_error(instance, parameters["width"], sizes=sizes)
        return Trial(error.high <= epsilons, (error.low <= epsilons) & (error.high > epsilons))

    def first_width(key, epsilon: Float[Array, ""], parameters) -> FirstWidth:
        instance = draw(key, parameters["law"], num_items=capacity)
        width = parameters["width"]
        # 2**n sums serve a length of at most 2**n * 2 ε.
        least = jnp.ceil(-jnp.log2(2 * epsilon) - 1e-3)
        least = jnp.clip(least, 0, (width + 1).astype(jnp.float32)).astype(jnp.int32)
        decide = functools.partial(
            _decide, lambda more: interval_error(instance, least + more, sizes=sizes), epsilon
        )
        found = first_width_by_bisection(decide, width - least)
        return FirstWidth(least + found.certain, least + found.possible)

    return trial, first_width


def _decide(error_at, epsilon, width) -> tuple[Bool[Array, ""], Bool[Array, ""]]:
    """Whether success at this width is certain, and whether it is possible."""
    error = error_at(width)
    return error.high <= epsilon, error.low <= epsilon
