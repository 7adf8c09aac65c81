"""Number partitioning and the quantised random subset sum, decided and counted draw by draw.

Number partitioning: are there signs for which a sum of n whole numbers, uniform on 1, ..., M, is 0,
or 1 or -1 where the total is odd (a perfect partition)? Quantised random subset sum: does some
subset of n whole numbers, uniform on -M, ..., M without 0, have exactly the sum t? It is the same
question for the magnitudes with another signed sum wanted, abs(Lambda - 2 t) in place of 0 or 1,
where Lambda is the sum of all items.

Every draw is decided twice, by `solutions.has_solution` and by `solutions.count_solutions`, in
whole numbers without rounding; draws on which they differ are counted and must stay 0.

Items come from 64 random bits each, by the part above 2^64 of their product with the number of
values: the probability of a value is within 2^-64 of the uniform one, and the law of an item is
within M 2^-64 in total variation, below 2^-34 for every M allowed. The items of a draw with n are
the first of a draw with more, and both experiments draw magnitudes alike.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, Int64, Key, UInt32

from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.subset_sum import wide
from lottery_jax.subset_sum.solutions import MAX_SUM, count_solutions, has_solution

Integer = int | np.integer

# By Sperner's theorem (for any signs: Littlewood, Offord and Erdos) at most C(32, 16) < 2^30
# subsets have one sum, so that a number of solutions is one word.
MAX_ITEMS = 32
MOST_COUNTED = 15  # the last cell but one of a histogram of numbers of solutions
_DIGIT = 16  # bits; 4096 digits of a chunk have a sum below 2^28
_LANES = 4096


class Solutions(NamedTuple):
    """What is known of one instance."""

    exists: Bool[Array, ""]  # by the search for one
    number: UInt32[Array, ""]  # by counting


def number_partitioning(*, num_items: Integer, largest: Integer) -> Experiment:
    """How many perfect partitions do `num_items` whole numbers, uniform on 1 to `largest`, have?

    Its counts (`montecarlo.collect_counts`) have a first axis of two for the parity of the total,
    even and odd: ``draws``; ``solvable``, those with a perfect partition; ``partitions[cell]``, how
    many have 0, 1, ..., 15 perfect partitions and more than 15, sign vectors of either sign taken
    as one; ``sum[digit]`` and ``squares[digit]``, the sums of this number and its square by digits
    of 16 bits (`whole`), which keeps sums over a chunk in int32. ``disagree`` counts the draws on
    which existence and number contradict each other.

    Parameters
    ----------
    num_items
        n, 1 to 32.
    largest
        M >= 1 with n M < 2**30.

    Raises
    ------
    ValueError
        For arguments outside these ranges.

    Examples
    --------
    >>> number_partitioning(num_items=16, largest=2**12).settings
    (('num_items', 16), ('largest', 4096))
    """
    num_items, largest = _checked(num_items, largest)
    settings = (("num_items", num_items), ("largest", largest))
    return _experiment("number_partitioning", _count_partitions(num_items), settings)


def quantized_subset_sum(*, num_items: Integer, largest: Integer, target: Integer) -> Experiment:
    """How many subsets of whole numbers, uniform on ±1 to ±`largest`, have the sum `target`?

    The empty subset, a solution of the target 0, is left out. Counts are ``draws``, ``solvable``,
    ``subsets[cell]``, ``sum[digit]``, ``squares[digit]`` and ``disagree`` as in
    `number_partitioning`, without the axis of parities. With the target 0 existence is that of a
    subset that may be empty: it can only be contradicted, and ``solvable`` is decided by counting.

    Parameters
    ----------
    num_items, largest
        As in `number_partitioning`.
    target
        t, of magnitude at most n M.

    Raises
    ------
    ValueError
        For arguments outside these ranges.

    Examples
    --------
    >>> quantized_subset_sum(num_items=16, largest=2**12, target=2**11).parameters
    (('largest', 4096), ('target', 2048))
    """
    num_items, largest = _checked(num_items, largest)
    target = _whole("target", target, "an integer")
    if abs(target) > num_items * largest:
        raise ValueError(f"{target=} is out of reach; use at most {num_items * largest} either way")
    settings = (("num_items", num_items), ("largest", largest), ("target", target))
    return _experiment("quantized_subset_sum", _count_subsets(num_items), settings)


def magnitudes(
    key: Key[Array, ""], largest: Int32[Array, ""], *, num_items: int
) -> Int32[Array, " item"]:
    """Items uniform on 1, ..., `largest`; the first n are the same for every `num_items`."""
    return _places(key, largest.astype(jnp.uint32), num_items) + 1


def signed_items(
    key: Key[Array, ""], largest: Int32[Array, ""], *, num_items: int
) -> Int32[Array, " item"]:
    """Items uniform on -`largest`, ..., `largest` without 0, with the same magnitudes."""
    places = _places(key, 2 * largest.astype(jnp.uint32), num_items)
    return ((places >> 1) + 1) * (1 - 2 * (places & 1))


def perfect_partitions(items: Int32[Array, " item"]) -> Solutions:
    """Of positive items: whether there is a perfect partition, and the number of them."""
    total = jnp.sum(items, dtype=jnp.int32)
    half = total >> 1
    # An even total is split by a subset and by its complement alike.
    number = count_solutions(items, half).low >> (1 - (total & 1)).astype(jnp.uint32)
    return Solutions(has_solution(items, half), number)


def subsets(items: Int32[Array, " item"], target: Int32[Array, ""]) -> Solutions:
    """Of items of any sign: whether a subset has this sum, and the number of non-empty ones."""
    is_empty_one = (target == 0).astype(jnp.uint32)
    number = count_solutions(items, target).low - is_empty_one
    return Solutions(has_solution(items, target), number)


def whole(digits: Int64[np.ndarray, " digit"]) -> int:
    """The sum that was counted by digits of 16 bits, the lowest first.

    Examples
    --------
    >>> whole(np.array([70_000, 2]))
    201072
    """
    return sum(int(digit) << _DIGIT * place for place, digit in enumerate(digits))


def _whole(name: str, value: Any, kind: str) -> int:
    """A Python integer: others are no JSON, and a float would fail where draws are compiled."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name}={value!r} must be {kind}")
    return int(value)


def _checked(num_items: Any, largest: Any) -> tuple[int, int]:
    num_items = _whole("num_items", num_items, "a positive integer")
    largest = _whole("largest", largest, "a positive integer")
    for name, value in (("num_items", num_items), ("largest", largest)):
        if value < 1:
            raise ValueError(f"{name}={value!r} must be a positive integer")
    if num_items > MAX_ITEMS:
        raise ValueError(f"{num_items=} must be at most {MAX_ITEMS}: beyond, counts leave a word")
    if num_items * largest > MAX_SUM:
        raise ValueError(
            f"{num_items} items up to {largest} may sum to {num_items * largest}; below 2**30 "
            f"stays {largest=} up to {MAX_SUM // num_items}"
        )
    return num_items, largest


def _experiment(name: str, count, settings) -> Experiment:
    num_items = dict(settings)["num_items"]
    return Experiment(
        name=name,
        settings=settings,
        count=count,
        parameters=tuple(pair for pair in settings if pair[0] != "num_items"),
        lanes=_LANES,
        vmap_lanes={"cpu": 512, "gpu": _LANES, "tpu": _LANES},
        seconds_per_draw=lambda: 2e-6 + 2e-8 * 2 ** (num_items / 2),
        bytes_per_draw=lambda: 32.0 * 2 ** (num_items / 2),
    )


@functools.cache
def _count_partitions(num_items: int):
    def count(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, "..."]]:
        items = magnitudes(key, parameters["largest"], num_items=num_items)
        is_odd = jnp.sum(items, dtype=jnp.int32) & 1
        found = perfect_partitions(items)
        tallied = _tally(found, found.number > 0, "partitions")
        is_parity = (jnp.arange(2, dtype=jnp.int32) == is_odd).astype(jnp.int32)
        split = {
            name: is_parity.reshape(2, *[1] * each.ndim) * each[None]
            for name, each in tallied.items()
        }
        return split | {"disagree": (found.exists != (found.number > 0)).astype(jnp.int32)}

    return count


@functools.cache
def _count_subsets(num_items: int):
    def count(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, "..."]]:
        items = signed_items(key, parameters["largest"], num_items=num_items)
        found = subsets(items, parameters["target"])
        has_any = (found.number > 0) | (parameters["target"] == 0)
        differs = (found.exists != has_any).astype(jnp.int32)
        return _tally(found, found.number > 0, "subsets") | {"disagree": differs}

    return count


def _tally(found: Solutions, is_solvable: Bool[Array, ""], cells: str):
    """The counts of one draw, of any parity."""
    square = wide.multiply(found.number, found.number)
    cell = jnp.minimum(found.number, MOST_COUNTED + 1).astype(jnp.int32)
    return {
        "draws": jnp.int32(1),
        "solvable": is_solvable.astype(jnp.int32),
        cells: (jnp.arange(MOST_COUNTED + 2, dtype=jnp.int32) == cell).astype(jnp.int32),
        "sum": _digits(found.number),
        "squares": _digits(square.low, square.high),
    }


def _digits(*words: UInt32[Array, ""]) -> Int32[Array, " digit"]:
    mask = jnp.uint32(2**_DIGIT - 1)
    digits = [digit for word in words for digit in (word & mask, word >> _DIGIT)]
    return jnp.stack(digits).astype(jnp.int32)


def _places(
    key: Key[Array, ""], num_values: UInt32[Array, ""], num_items: int
) -> Int32[Array, " item"]:
    """Uniform on 0, ..., num_values - 1: the upper word of 64 random bits times num_values."""
    draw = functools.partial(jax.random.bits, shape=(2,), dtype=jnp.uint32)
    bits = jax.vmap(draw)(keys.items(key, num_items))
    values = jnp.full(num_items, num_values, jnp.uint32)
    high, low = wide.multiply(bits[:, 0], values), wide.multiply(bits[:, 1], values)
    return wide.add(high, wide.wide(low.high)).high.astype(jnp.int32)
