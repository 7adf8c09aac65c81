"""Which subset of given items has the sum nearest to a target? Deterministic search, no keys.

A question is made by `numbers` or `vectors`, put to one of the functions below, and explained by
`explain`. Inside compiled code use the methods themselves, which check nothing. `integers` answers
questions about whole numbers exactly.
"""

from lottery_jax.subset_sum import integers
from lottery_jax.subset_sum.answer import (
    Listed,
    all_subsets,
    count,
    exists,
    few_items,
    largest_gap,
    nearest,
)
from lottery_jax.subset_sum.choose import Plan, explain
from lottery_jax.subset_sum.count import Count
from lottery_jax.subset_sum.gaps import Gap
from lottery_jax.subset_sum.meet_in_the_middle import Decision, nearest_sum, sum_within
from lottery_jax.subset_sum.problem import Match, Problem, numbers, vectors

__all__ = [
    "Count",
    "Decision",
    "Gap",
    "Listed",
    "Match",
    "Plan",
    "Problem",
    "all_subsets",
    "count",
    "exists",
    "explain",
    "few_items",
    "integers",
    "largest_gap",
    "nearest",
    "nearest_sum",
    "numbers",
    "sum_within",
    "vectors",
]
