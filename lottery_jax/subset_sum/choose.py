"""The one rule from a question to the method that answers it, and what that method costs."""

from math import comb
from typing import NamedTuple

import jax

from lottery_jax.subset_sum.branch_and_bound import MAX_ITEMS as MOST_VECTORS
from lottery_jax.subset_sum.count import MAX_ITEMS as MOST_COUNTED
from lottery_jax.subset_sum.count import count_bytes
from lottery_jax.subset_sum.fold_subsets import MOST_ITEMS
from lottery_jax.subset_sum.gaps import gap_bytes
from lottery_jax.subset_sum.lanes import lanes_of
from lottery_jax.subset_sum.meet_in_the_middle import list_bytes
from lottery_jax.subset_sum.pool import MAX_ITEMS as MOST_POOLED
from lottery_jax.subset_sum.pool import pool_bytes
from lottery_jax.subset_sum.problem import Problem

QUESTIONS = ("nearest", "exists", "count", "largest_gap", "few_items", "all_subsets")
_MOST_NUMBERS = {"cpu": 50}  # two lists of 2**25 sums; elsewhere 56
_FEW = 4  # kept items, up to which pairs against pairs are faster than branch and bound
_FLOAT32 = "exact up to float32 rounding: a relative 2**-22, and 2**-46 of the sum of magnitudes"


class Plan(NamedTuple):
    """How a question will be answered."""

    method: str
    comparisons: float | None  # for all instances; None where it depends on the items
    memory: int  # bytes at work on each device, beside the question and its answers
    exactness: str

    def __str__(self) -> str:
        """The plan as a small table."""
        cost = "depends on the items; exponential in their number where many sums are near"
        if self.comparisons is not None:
            cost = f"{self.comparisons:.2g} comparisons"
        size, unit = self.memory / 2**10, "KiB"
        if size >= 2**10:
            size, unit = size / 2**10, "MiB"
        rows = [
            ("method", self.method),
            ("cost", cost),
            ("memory", f"{size:.3g} {unit} on each device, beside the question and its answers"),
            ("exactness", self.exactness),
        ]
        return "\n".join(f"{name:<10} {text}" for name, text in rows)


def explain(problem: Problem, question: str = "nearest", *, max_kept: int | None = None) -> Plan:
    """Which method answers a question, and what it costs, without running it.

    Parameters
    ----------
    problem
        From `numbers` or `vectors`.
    question
        The name of the function: "nearest", "exists", "count", "largest_gap", "few_items" or
        "all_subsets".
    max_kept
        Where the question has one.

    Raises
    ------
    ValueError
        Where no exact method is affordable; the message names the way out.

    Examples
    --------
    >>> from lottery_jax.subset_sum.problem import numbers
    >>> print(explain(numbers([0.5, 0.25, 1.5, -0.75], 0.3)))
    method     meet in the middle: lists of 2**2 sums in int64 words, merged
    cost       12 comparisons
    memory     0.375 KiB on each device, beside the question and its answers
    exactness  exact: sums of all bits, and errors right to a relative 2**-51
    """
    if question not in QUESTIONS:
        raise ValueError(f"{question=} must be one of {', '.join(QUESTIONS)}")
    if question == "largest_gap":
        return _explain_gap(problem)
    if question == "few_items":
        return _explain_few(problem, max_kept)
    if question == "count" and problem.dim is None:
        return _explain_count(problem)
    if problem.dim is None and question in ("nearest", "exists"):
        return _explain_numbers(problem, question)
    if question == "all_subsets" and lists_few(problem, max_kept):
        return _explain_few(problem, max_kept)
    return _explain_vectors(problem)


def uses_pool(problem: Problem) -> bool:
    """Whether one sorted list of all sums serves the targets of a shared set of numbers."""
    num_items = problem.num_items
    if not problem.is_shared or problem.dim is not None or num_items > MOST_POOLED - 2:
        return False
    return 2.0 * num_items * 2**num_items < problem.batch * _merges(num_items)


def lists_few(problem: Problem, max_kept: int | None) -> bool:
    """Whether subsets are listed as parts against parts, and not by branch and bound."""
    if max_kept is None:
        return False
    return problem.num_items > MOST_VECTORS or 1 <= max_kept <= _FEW


def _merges(num_items: int) -> float:
    """Compare-exchanges of `half_sums` for one instance."""
    half = max(1, (num_items + 1) // 2)
    return 2.0**half * (half + 1 + max(0, half - 2))


def _explain_numbers(problem: Problem, question: str) -> Plan:
    num_items = problem.num_items
    most = _MOST_NUMBERS.get(jax.default_backend(), 56)
    if num_items > most:
        raise ValueError(
            f"{num_items=} numbers need lists of 2**{(num_items + 1) // 2} sums; above {most} "
            "search a part of the items for an upper limit of the error, or use few_items"
        )
    half = (num_items + 1) // 2
    if question == "nearest" and uses_pool(problem):
        return Plan(
            f"pool: all 2**{num_items} sums merged into one list, a bisection for each target",
            2.0 * num_items * 2**num_items + 2.0 * num_items * problem.batch,
            pool_bytes(num_items, problem.batch),
            "exact: candidates computed again from 54 bits; open cases again from all bits",
        )
    word = 4 if question == "exists" else 8
    merged = f"meet in the middle: lists of 2**{half} sums in int{8 * word} words, merged"
    return Plan(
        merged + ("; open cases again in int64 words" if word == 4 else ""),
        problem.batch * _merges(num_items),
        min(problem.batch, lanes_of(2 ** (half + 1))) * list_bytes(num_items, word),
        "exact: undecided only within num_items * 2**-59 of the sum of magnitudes"
        if question == "exists"
        else "exact: sums of all bits, and errors right to a relative 2**-51",
    )


def _explain_count(problem: Problem) -> Plan:
    most = MOST_COUNTED[8]
    if problem.num_items > most:
        raise ValueError(
            f"{problem.num_items} numbers have too many subsets to be counted; at most {most}"
        )
    half = (problem.num_items + 1) // 2
    return Plan(
        f"meet in the middle: ranks in ordered lists of 2**{half} sums in int64 words",
        problem.batch * 6.0 * half * 2**half,
        count_bytes(problem.num_items),
        "limits from both sides; they differ by the sums within 2**-59 of the boundary",
    )


def _explain_gap(problem: Problem) -> Plan:
    return Plan(
        "all sums in order, or a grid of cells and its longest empty runs",
        problem.batch * 2.0**problem.num_items,
        gap_bytes(problem.num_items),
        "limits from both sides; equal to 28 items, up to float32 rounding",
    )


def _explain_few(problem: Problem, max_kept: int | None) -> Plan:
    if max_kept is None or isinstance(max_kept, bool) or max_kept not in MOST_ITEMS:
        raise ValueError(f"{max_kept=} must be an integer from 1 to {max(MOST_ITEMS)}")
    most = MOST_ITEMS[max_kept]
    if problem.num_items > most:
        raise ValueError(
            f"{problem.num_items} items: at most {most} can be searched with {max_kept=}; keep "
            "fewer, or search a part of the items for an upper limit of the error"
        )
    parts = sum(comb(problem.num_items, size) for size in range((max_kept + 1) // 2 + 1))
    return Plan(
        f"parts against parts: {parts} sums of at most {(max_kept + 1) // 2} items, in windows",
        None,
        64 * parts,
        "exact among subsets of at most max_kept items, for sums in float32",
    )


def _explain_vectors(problem: Problem) -> Plan:
    if problem.num_items > MOST_VECTORS:
        raise ValueError(
            f"{problem.num_items} items have too many subsets; above {MOST_VECTORS} keep few of "
            "them: few_items, or all_subsets with max_kept"
        )
    dim = problem.dim or 1
    return Plan(
        "branch and bound: depth first over all subsets, in blocks of 64 partial ones",
        None,
        64 * 16 * 4 * (3 * dim + 4) * (problem.num_items // 4 + 2),
        _FLOAT32,
    )
