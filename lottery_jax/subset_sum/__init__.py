"""Which subset of given items has the sum nearest to a target? Deterministic search, no keys."""

from lottery_jax.subset_sum.choose import explain, nearest
from lottery_jax.subset_sum.enumerate import exhaustive
from lottery_jax.subset_sum.few_items import few_items_nearest, few_items_within
from lottery_jax.subset_sum.meet_in_the_middle import nearest_sum
from lottery_jax.subset_sum.problem import Match

__all__ = [
    "Match",
    "exhaustive",
    "explain",
    "few_items_nearest",
    "few_items_within",
    "nearest",
    "nearest_sum",
]
