"""The search over few items finds exactly the subsets that exist."""

from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.subset_sum import fold_subsets as engine
from lottery_jax.subset_sum.few_items import _nearest, few_items_nearest, few_items_within
from tests.oracles import few_items as oracle


def found_subsets(items, target, **settings) -> list[tuple[int, ...]]:
    found = few_items_within(items, target, capacity=4096, **settings)
    assert not found.has_overflowed
    rows = np.asarray(found.subsets)[: int(found.count)]
    return [tuple(int(item) for item in row if item < len(items)) for row in rows]


def instances(num_items: int, dim: int, max_kept: int, count: int):
    """Random items at several scales; every second target is planted."""
    rng = np.random.default_rng([num_items, dim, max_kept])
    for number in range(count):
        items = rng.normal(size=(num_items, dim)).astype(np.float32)
        if number % 4 == 3:
            items = np.round(items)  # ties, zeros and duplicates
        target = rng.normal(size=dim).astype(np.float32)
        tolerance = (0.05, 0.3, 1.0)[number % 3] * (1 if dim < 8 else 2)
        if number % 2:
            planted = np.sort(rng.choice(num_items, min(max_kept, num_items), replace=False))
            target = np.zeros(dim, np.float32)
            for item in planted:
                target = target + items[item]
        yield items, target, tolerance


@pytest.mark.parametrize(
    ("num_items", "dim", "max_kept"),
    [(16, 3, 1), (16, 3, 2), (16, 1, 3), (13, 10, 3), (16, 1, 4), (16, 3, 4), (2, 2, 4), (1, 2, 1)],
)
def test_finds_what_exhaustive_search_finds(num_items, dim, max_kept):
    for items, target, tolerance in instances(num_items, dim, max_kept, count=28):
        found = found_subsets(items, target, max_kept=max_kept, tolerance=tolerance)
        expected = oracle.within(items, target, max_kept=max_kept, tolerance=tolerance)
        assert len(found) == len(set(found)), "a subset was listed twice"
        assert set(found) == expected


def test_the_euclidean_filter_on_leading_coordinates():
    for items, target, _ in instances(12, 4, 3, count=12):
        settings = dict(max_kept=3, tolerance=1.5, leading=2, leading_tolerance=1.2)
        assert set(found_subsets(items, target, **settings)) == oracle.within(
            items, target, **settings
        )


@pytest.mark.parametrize("max_kept", [2, 3, 4])
def test_nearest_is_the_least_error(max_kept):
    for items, target, _ in instances(13, 3, max_kept, count=12):
        match = few_items_nearest(items, target, max_kept=max_kept)
        assert float(match.error) == oracle.nearest_error(items, target, max_kept=max_kept)
        kept = np.flatnonzero(match.mask)
        total = np.zeros(3, np.float32)
        for item in kept:
            total = total + items[item]
        assert len(kept) <= max_kept
        assert np.max(np.abs(total - target)) == match.error


def test_a_planted_subset_of_300_is_never_missed():
    rng = np.random.default_rng(7)
    items = rng.normal(size=(10, 300, 6)).astype(np.float32)
    for instance in items:
        planted = np.sort(rng.choice(300, 4, replace=False))
        target = ((instance[planted[0]] + instance[planted[1]]) + instance[planted[2]]) + instance[
            planted[3]
        ]
        assert tuple(planted) in found_subsets(instance, target, max_kept=4, tolerance=1e-3)


def test_overflow_is_flagged_and_still_counted():
    items = np.zeros((20, 2), np.float32)
    found = few_items_within(items, np.zeros(2), max_kept=2, tolerance=1.0, capacity=10)
    assert int(found.count) == 1 + 20 + 190
    assert bool(found.has_overflowed)


def test_only_the_first_items_take_part_and_widths_share_one_compilation():
    traces = []

    def count_all(items, num_items):
        traces.append(1)
        window = engine.Window(jnp.full((2,), -100.0), jnp.full((2,), 100.0))
        visitor = engine.Visitor(
            lambda _: window,
            lambda _, sums: jnp.ones(sums.shape[:1], bool),
            lambda count, subsets, is_subset: count + jnp.sum(is_subset, dtype=jnp.int32),
            lambda _: jnp.array(False),
        )
        return engine.fold_subsets(items, num_items, jnp.int32(0), visitor, max_kept=4)

    items = jax.random.normal(jax.random.key(0), (12, 2), jnp.float32)
    compiled = jax.jit(count_all)
    for width in range(13):
        expected = sum(comb(width, size) for size in range(5))
        assert int(compiled(items, jnp.int32(width))) == expected
    assert len(traces) == 1


def test_batches_give_what_single_instances_give():
    items, targets, _ = map(np.stack, zip(*instances(13, 3, 4, count=6), strict=True))
    together = jax.vmap(lambda items, target: _nearest(items, target, 4))(items, targets)
    for number in range(6):
        alone = few_items_nearest(items[number], targets[number], max_kept=4)
        assert float(together.error[number]) == float(alone.error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(items=[[1.0]], target=[1.0], max_kept=5, tolerance=1.0), "max_kept=5"),
        (dict(items=[[1.0]], target=[1.0], max_kept=0, tolerance=1.0), "max_kept=0"),
        (dict(items=[[1.0]], target=[1.0], max_kept=1, tolerance=-1.0), "tolerance=-1.0"),
        (dict(items=[[1.0]], target=[1.0], max_kept=1, tolerance=np.inf), "tolerance=inf"),
        (dict(items=[[np.nan]], target=[1.0], max_kept=1, tolerance=1.0), r"items \[0\]"),
        (dict(items=[1.0], target=1.0, max_kept=1, tolerance=1.0), r"\(item, 1\)"),
        (dict(items=np.zeros((501, 1)), target=[1.0], max_kept=1, tolerance=1.0), "501 items"),
        (dict(items=[[1.0]], target=[1.0], max_kept=1, tolerance=1.0, leading=2), "leading=2"),
        (dict(items=[[1.0]], target=[1.0], max_kept=1, tolerance=1.0, capacity=0), "capacity=0"),
    ],
)
def test_wrong_arguments_name_the_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        few_items_within(**arguments)


def test_first_set_is_the_position_of_set_flags():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.01, 0.5, 1.0):
        flags = rng.random(256) < share
        position, exists = engine._first_set(jnp.asarray(flags), 64)
        expected = np.flatnonzero(flags)[:64]
        assert np.asarray(exists).sum() == len(expected)
        assert np.array_equal(np.asarray(position)[: len(expected)], expected)
