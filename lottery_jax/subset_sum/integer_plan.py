"""The one rule from the size of a question about whole numbers to the method that answers it.

Costs are rough times on one core, in nanoseconds, and choose between methods that are all exact.
Sizes are refused here, before anything is compiled.
"""

from typing import NamedTuple

from lottery_jax.subset_sum import solutions, windows
from lottery_jax.subset_sum.bit_sets import num_words, rounded

# That one instance may take on each device, and so may all answers together. While
# counts are put into 64-bit words the host holds them about twice.
MOST_BYTES = 2**31
MOST_ITEMS = {"exists": 256, "count": 64}
QUESTIONS = ("exists", "reachable", "witness", "count", "counts")
_BYTES_A_WORD = 20  # of a bit set: itself, its surroundings of twice the size, and two copies
_BYTES_A_NUMBER = 32  # of a table: two words, and both with surroundings
_ITEM_TIME, _WORD_TIME, _NUMBER_TIME, _KEY_TIME = 1000.0, 0.25, 1.0, 0.6


class IntegerPlan(NamedTuple):
    """How a question will be answered."""

    method: str  # "halves", "bit_set", "window" or "table"
    otherwise: str  # for instances that a window leaves open; the method itself for others
    num_sums: int  # the size of the bit set or of the table
    memory: int  # bytes at work on each device, beside the question


def plan(
    question: str,
    *,
    num_items: int,
    total: int,
    largest: int,
    num_targets: int = 1,
    num_sums: int | None = None,
) -> IntegerPlan:
    """Which method answers a question about whole numbers, and the memory that it takes.

    Parameters
    ----------
    question
        "exists", "reachable", "witness", "count" or "counts".
    num_items, largest
        Of one instance, and the largest magnitude of all.
    total
        The largest sum of magnitudes of an instance.
    num_targets
        How many targets each instance has.
    num_sums
        How many of the lowest sums matter; all, total + 1, if None.

    Raises
    ------
    ValueError
        For what does not fit; the message names what would.

    Examples
    --------
    >>> plan("exists", num_items=128, total=2**22, largest=2**16 - 1).method
    'window'
    >>> plan("exists", num_items=20, total=2**24, largest=2**20).method
    'halves'
    >>> plan("count", num_items=64, total=2**20, largest=2**15).method
    'table'
    """
    if question not in QUESTIONS:
        raise ValueError(f"{question=} must be one of {', '.join(QUESTIONS)}")
    most = MOST_ITEMS["count" if question.startswith("count") else "exists"]
    if num_items > most:
        reason = "the number of subsets may not fit 64 bits" if most == 64 else "sums are too many"
        raise ValueError(f"{num_items=}: {question} takes at most {most} items, as {reason}")
    if total > solutions.MAX_SUM:
        raise ValueError(
            f"magnitudes sum to {total}, and int32 words hold sums below 2**30; "
            + _what_fits(num_items, largest, solutions.MAX_SUM)
        )
    num_sums = rounded(total + 1 if num_sums is None else num_sums)
    if question.startswith("count"):
        return _plan_count(question, num_items, largest, num_targets, num_sums)
    return _plan_existence(question, num_items, total, largest, num_targets, num_sums)


def _plan_existence(question, num_items, total, largest, num_targets, num_sums) -> IntegerPlan:
    words = num_words(num_sums)
    memory = _BYTES_A_WORD * words
    if question != "exists":
        return IntegerPlan("bit_set", "bit_set", num_sums, memory)
    whole = num_items * (_ITEM_TIME + _WORD_TIME * words)
    otherwise, cost = "bit_set", whole
    if num_items <= solutions.MAX_ITEMS and num_targets * _halves_time(num_items) < whole:
        otherwise, cost = "halves", num_targets * _halves_time(num_items)
    window = windows.window_for(largest)
    window_cost = num_items * (_ITEM_TIME + _WORD_TIME * num_words(window))
    # A certificate takes about 2**(n/2) >> total: the sums of the smaller items must be dense.
    if window_cost < cost / 2 and total > 4 * window and num_items >= 2 * total.bit_length() - 10:
        return IntegerPlan("window", otherwise, num_sums, memory)
    return IntegerPlan(otherwise, otherwise, num_sums, memory)


def _plan_count(question, num_items, largest, num_targets, num_sums) -> IntegerPlan:
    memory = _BYTES_A_NUMBER * num_sums
    can_halve = question == "count" and num_items <= solutions.MAX_ITEMS
    table_time = num_items * (_ITEM_TIME + _NUMBER_TIME * num_sums)
    if can_halve and (memory > MOST_BYTES or num_targets * _halves_time(num_items) < table_time):
        return IntegerPlan("halves", "halves", num_sums, 2 ** (num_items // 2 + 6))
    if memory > MOST_BYTES:
        most = MOST_BYTES // _BYTES_A_NUMBER
        raise ValueError(
            f"a table of {num_sums} sums takes {memory} bytes, above {MOST_BYTES}; "
            + _what_fits(num_items, largest, most - 1)
            + (f", or count up to {solutions.MAX_ITEMS} items" if question == "count" else "")
        )
    return IntegerPlan("table", "table", num_sums, memory)


def _halves_time(num_items: int) -> float:
    half = max(1, (num_items + 1) // 2)
    return _KEY_TIME * 2.0**half * 2 * half


def _what_fits(num_items: int, largest: int, most: int) -> str:
    return (
        f"take at most {most // max(largest, 1)} items of magnitude {largest}, "
        f"or {num_items} items of magnitude at most {most // max(num_items, 1)}"
    )
