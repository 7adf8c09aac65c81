"""The rule from size to method says what it takes, and refuses what nothing can do."""

import jax
import numpy as np
import pytest

from lottery_jax.core import enable_x64
from lottery_jax.subset_sum import explain, nearest_sum, numbers, vectors


def of(num_items, dim=None, batch=None):
    """A question of that size."""
    items = np.zeros(num_items if dim is None else (num_items, dim))
    targets = np.zeros([] if dim is None else dim)
    if batch is not None:
        targets = np.broadcast_to(targets, (batch, *targets.shape))
    return (numbers if dim is None else vectors)(items, targets)


@pytest.mark.parametrize(
    ("problem", "question", "settings", "method"),
    [
        (of(30), "nearest", {}, "meet in the middle: lists of 2**15 sums in int64"),
        (of(21), "exists", {}, "in int32 words, merged; open cases again in int64"),
        (of(12, batch=10**6), "nearest", {}, r"pool: all 2**12 sums"),
        (of(12, batch=10), "nearest", {}, "meet in the middle"),
        (of(40), "count", {}, "ranks in ordered lists of 2**20"),
        (of(24), "largest_gap", {}, "all sums in order"),
        (of(64, 3), "nearest", {}, "branch and bound"),
        (of(30), "all_subsets", {}, "branch and bound"),
        (of(1000, 3), "few_items", {"max_kept": 4}, "500501 sums of at most 2 items"),
        (of(300, 3), "all_subsets", {"max_kept": 2}, "301 sums of at most 1 items"),
    ],
)
def test_the_method_is_named(problem, question, settings, method):
    plan = explain(problem, question, **settings)
    assert method in plan.method
    assert plan.memory > 0
    assert all(word in str(plan) for word in ("method", "cost", "memory", "exactness"))


@pytest.mark.parametrize(
    ("problem", "question", "settings", "message"),
    [
        (of(51), "nearest", {}, r"num_items=51 numbers need lists of 2\*\*26.*above 50"),
        (of(41), "count", {}, "41 numbers.*at most 40"),
        (of(65, 2), "nearest", {}, "65 items.*above 64.*few_items"),
        (of(1001, 2), "few_items", {"max_kept": 4}, "1001 items: at most 1000"),
        (of(200, 2), "few_items", {"max_kept": 6}, "200 items: at most 128"),
        (of(20, 2), "few_items", {"max_kept": 7}, "max_kept=7 must be an integer from 1 to 6"),
        (of(20, 2), "few_items", {}, "max_kept=None must be an integer from 1 to 6"),
        (of(20, 2), "best", {}, "question='best' must be one of nearest"),
    ],
)
def test_what_is_too_large_is_refused_with_a_way_out(problem, question, settings, message):
    with pytest.raises(ValueError, match=message):
        explain(problem, question, **settings)


def test_memory_is_stated_for_lists_and_grows_with_them():
    assert explain(of(40)).memory == 32 * explain(of(30)).memory


@pytest.mark.parametrize(("num_items", "batch"), [(14, 64), (20, 64)])
def test_no_more_memory_is_taken_than_stated(num_items, batch):
    problem = numbers(np.zeros((batch, num_items)), np.zeros(batch))
    with enable_x64():
        program = jax.jit(jax.vmap(nearest_sum)).lower(problem.items, problem.targets).compile()
    analysis = program.memory_analysis()
    beside = 4 * (problem.items.nbytes + problem.targets.nbytes)  # the question, and answers
    assert 0 < analysis.temp_size_in_bytes <= explain(problem).memory + beside
