"""The search over few items finds exactly the subsets that exist."""

from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import enable_x64
from lottery_jax.subset_sum import fold_subsets as engine
from lottery_jax.subset_sum.few_items import _nearest, few_items_nearest, few_items_within
from lottery_jax.subset_sum.screen import first_set
from tests.oracles import few_items as oracle


def subsets_of(found, num_items: int) -> list[tuple[int, ...]]:
    assert not found.has_overflowed
    rows = np.asarray(found.subsets)[: int(found.count)]
    return [tuple(int(item) for item in row if item < num_items) for row in rows]


def found_subsets(items, target, **settings) -> list[tuple[int, ...]]:
    return subsets_of(few_items_within(items, target, capacity=4096, **settings), len(items))


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
            target = sum_of(items, planted)
        yield items, target, tolerance


def sum_of(items, subset):
    """In ascending order, in float32."""
    total = np.zeros(items.shape[1], np.float32)
    for item in sorted(subset):
        total = total + items[item]
    return total


@pytest.mark.parametrize(
    ("num_items", "dim", "max_kept"),
    [(16, 1, 1), (13, 10, 3), (16, 3, 4), (12, 3, 5), (12, 2, 6), (1, 2, 6)],
)
def test_finds_what_exhaustive_search_finds(num_items, dim, max_kept):
    for items, target, tolerance in instances(num_items, dim, max_kept, count=28):
        found = found_subsets(items, target, max_kept=max_kept, tolerance=tolerance)
        expected = oracle.within(items, target, max_kept=max_kept, tolerance=tolerance)
        assert len(found) == len(set(found)), "a subset was listed twice"
        assert set(found) == expected


def test_the_euclidean_filter_and_groups():
    groups = [0, 1, 1, 2, 7, 7, 7, -3, -3, 9, 10, 11]
    reduced = 0
    for items, target, _ in instances(12, 4, 3, count=12):
        settings: dict = dict(max_kept=3, tolerance=1.5, leading=2, leading_tolerance=1.2)
        everything = oracle.within(items, target, **settings)
        settings["groups"] = groups
        found = found_subsets(items, target, **settings)
        assert len(found) == len(set(found))
        assert set(found) == oracle.within(items, target, **settings)
        reduced += len(everything) - len(found)
    assert reduced, "no instance tested the groups"


@pytest.mark.parametrize(
    ("num_items", "max_kept", "groups"),
    [(13, 2, None), (11, 5, None), (11, 6, [0, 0, 0, 3, 4, 5, 6, 7, 7, 8, 8])],
)
def test_nearest_is_the_least_error(num_items, max_kept, groups):
    for items, target, _ in instances(num_items, 3, max_kept, count=12):
        match = few_items_nearest(items, target, max_kept=max_kept, groups=groups)
        assert float(match.error) == oracle.nearest_error(
            items, target, max_kept=max_kept, groups=groups
        )
        kept = np.flatnonzero(match.mask)
        assert len(kept) <= max_kept
        assert groups is None or len({groups[item] for item in kept}) == len(kept)
        assert np.max(np.abs(sum_of(items, kept) - target)) == match.error


def test_no_item_is_kept_twice():
    """An item in both parts would come nearer, and so would two items of one group."""
    items, target = np.array([[1.0], [1.25], [10.0]]), np.array([3.5])
    match = few_items_nearest(items, target, max_kept=6)
    assert float(match.error) == 1.25
    match = few_items_nearest(items, target, max_kept=6, groups=[5, 5, 6])
    assert float(match.error) == 2.25


@pytest.mark.parametrize(
    ("num_items", "max_kept"), [(65536, 1), (16384, 2), (2048, 3), (1000, 4), (100, 6), (128, 5)]
)
def test_a_planted_subset_of_many_is_never_missed(num_items, max_kept):
    rng = np.random.default_rng(num_items)
    items = rng.normal(size=(num_items, 6)).astype(np.float32)
    if num_items == 1000:
        items *= rng.normal(size=(1000, 1)).astype(np.float32)  # most sums crowd in the middle
    planted = [
        tuple(int(item) for item in np.sort(rng.choice(num_items, max_kept, replace=False)))
        for _ in range(4)
    ]
    targets = np.stack([sum_of(items, subset) for subset in planted])
    found = few_items_within(items, targets, max_kept=max_kept, tolerance=1e-3)
    for number, subset in enumerate(planted):
        alone = jax.tree.map(lambda leaf, number=number: leaf[number], found)
        assert subset in subsets_of(alone, num_items)


def test_overflow_is_flagged_and_still_counted():
    items = np.zeros((20, 2), np.float32)
    found = few_items_within(items, np.zeros(2), max_kept=2, tolerance=1.0, capacity=10)
    assert int(found.count) == 1 + 20 + 190
    assert bool(found.has_overflowed)


def count_subsets(items, num_items, *, max_kept):
    """How many subsets there are, found one by one."""
    window = engine.Window(jnp.full((2,), -100.0), jnp.full((2,), 100.0))
    visitor = engine.Visitor(
        lambda _: window,
        lambda _, sums: jnp.ones(sums.shape[:1], bool),
        lambda count, subsets, is_subset: count + jnp.sum(is_subset, dtype=jnp.int32),
        lambda _: jnp.array(False),
    )
    return engine.fold_subsets(items, num_items, jnp.int32(0), visitor, max_kept=max_kept)


def test_only_the_first_items_take_part_and_widths_share_one_compilation():
    traces = []

    def count_all(items, num_items):
        traces.append(1)
        return count_subsets(items, num_items, max_kept=5)

    items = jax.random.normal(jax.random.key(0), (12, 2), jnp.float32)
    compiled = jax.jit(count_all)
    for width in range(13):
        expected = sum(comb(width, size) for size in range(6))
        assert int(compiled(items, jnp.int32(width))) == expected
    assert len(traces) == 1


@pytest.mark.parametrize("max_kept", [4, 5])
def test_a_box_that_shrinks_on_the_way_hides_and_repeats_nothing(max_kept):
    """All sums inside the last box are visited once, though the words and tiles were made anew."""
    items = jax.random.normal(jax.random.key(1), (40 if max_kept == 4 else 20, 2), jnp.float32)
    final = 0.5

    def limit(state):  # falls from 2 to 0.5 while subsets are visited
        return jnp.maximum(2.0 * 0.97 ** state[1].astype(jnp.float32), final)

    def visit(state, subsets, is_subset):
        sums = jnp.sum(jnp.pad(items, ((0, 1), (0, 0)))[subsets], axis=1)
        is_inside = is_subset & jnp.all(jnp.abs(sums) <= final, axis=1)
        return state[0] + jnp.sum(is_inside, dtype=jnp.int32), state[1] + 1

    visitor = engine.Visitor(
        lambda state: engine.Window(jnp.full((2,), -limit(state)), jnp.full((2,), limit(state))),
        lambda state, sums: jnp.all(jnp.abs(sums) <= limit(state), axis=1),
        visit,
        lambda _: jnp.array(False),
    )
    nothing = jnp.int32(0), jnp.int32(0)
    num_items = jnp.int32(len(items))
    found = jax.jit(
        lambda items: engine.fold_subsets(items, num_items, nothing, visitor, max_kept=max_kept)
    )(items)[0]
    targets = np.zeros((1, 2), np.float32)
    errors, _ = oracle.errors_of_many(np.asarray(items)[None], targets, max_kept=max_kept)
    # No sum is within rounding of the last box.
    assert np.min(np.abs(errors - final)) > 1e-6
    assert int(found) == np.sum(errors <= final)


def test_batches_give_the_least_error_of_each_instance():
    items, targets, _ = map(np.stack, zip(*instances(13, 3, 4, count=12), strict=True))
    expected = [
        oracle.nearest_error(*instance, max_kept=4) for instance in zip(items, targets, strict=True)
    ]
    in_turn = few_items_nearest(items, targets, max_kept=4)
    assert np.array_equal(in_turn.error, expected)
    together = jax.vmap(lambda items, target: _nearest(items, target, None, 4))(items, targets)
    assert np.array_equal(together.error, expected)


def test_answers_do_not_depend_on_x64():
    items, target, _ = next(instances(13, 3, 5, count=1))
    with enable_x64():
        match = few_items_nearest(items, target, max_kept=5)
    assert match.error.dtype == jnp.float32
    assert match.error == oracle.nearest_error(items, target, max_kept=5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(items=[[1.0]], targets=[1.0], max_kept=7, tolerance=1.0), "max_kept=7"),
        (dict(items=[[1.0]], targets=[1.0], max_kept=0, tolerance=1.0), "max_kept=0"),
        (dict(items=[[1.0]], targets=[1.0], max_kept=1, tolerance=-1.0), "tolerance=-1.0"),
        (dict(items=[[1.0]], targets=[1.0], max_kept=1, tolerance=np.inf), "tolerance=inf"),
        (dict(items=[[np.nan]], targets=[1.0], max_kept=1, tolerance=1.0), r"items \[0\]"),
        (dict(items=[1.0], targets=1.0, max_kept=1, tolerance=1.0), r"\(item, 1\)"),
        (
            dict(items=np.zeros((1001, 1)), targets=[1.0], max_kept=4, tolerance=1.0),
            "1001 items: between 1 and 1000 .*max_kept=4; up to 2048 with max_kept=3",
        ),
        (dict(items=np.zeros((65537, 1)), targets=[1.0], max_kept=1, tolerance=1.0), "65537 items"),
        (
            dict(items=np.zeros((129, 1)), targets=[1.0], max_kept=5, tolerance=1.0),
            "129 items: between 1 and 128 .*max_kept=5; up to 1000 with max_kept=4",
        ),
        (dict(items=[[1.0]], targets=[1.0], max_kept=1, tolerance=1.0, leading=2), "leading=2"),
        (dict(items=[[1.0]], targets=[1.0], max_kept=1, tolerance=1.0, capacity=0), "capacity=0"),
        (
            dict(items=[[1.0]], targets=[1.0], max_kept=1, tolerance=1.0, groups=[0, 1]),
            r"groups of shape \(2,\)",
        ),
        (
            dict(items=[[1.0]], targets=[1.0], max_kept=1, tolerance=1.0, groups=[0.5]),
            "type float64",
        ),
    ],
)
def test_wrong_arguments_name_the_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        few_items_within(**arguments)


def test_first_set_is_the_position_of_set_flags():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.01, 0.5, 1.0):
        flags = rng.random(256) < share
        position, exists = first_set(jnp.asarray(flags), 64)
        expected = np.flatnonzero(flags)[:64]
        assert np.asarray(exists).sum() == len(expected)
        assert np.array_equal(np.asarray(position)[: len(expected)], expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_items", "dim", "max_kept", "groups"),
    [
        (9, 3, 4, None),
        (8, 5, 6, None),
        (9, 1, 5, [0, 0, 1, 2, 3, 4, 5, 5, 5]),
        (10, 13, 3, None),
    ],
)
def test_a_hundred_thousand_small_instances(num_items, dim, max_kept, groups):
    """25,000 of each shape: every subset within the tolerance, and the least error."""
    rng = np.random.default_rng([num_items, dim, max_kept])
    count, tolerance = 25_000, np.float32(0.3 if dim < 8 else 1.2)
    items = rng.normal(size=(count, num_items, dim)).astype(np.float32)
    items[::5] = np.round(2 * items[::5]) / 2  # ties, zeros and duplicates
    items[1::5] *= rng.normal(size=(count // 5, num_items, 1)).astype(np.float32) ** 3
    targets = rng.normal(size=(count, dim)).astype(np.float32)
    half = count // 2
    targets[:half] = items[:half, 1] + items[:half, num_items - 1]
    errors, bits = oracle.errors_of_many(items, targets, max_kept=max_kept, groups=groups)

    settings = dict(max_kept=max_kept, groups=groups)
    found = few_items_within(items, targets, tolerance=float(tolerance), capacity=512, **settings)
    assert not np.any(found.has_overflowed)
    kept = np.asarray(found.subsets)
    found_bits = np.where(kept < num_items, 1 << np.minimum(kept, num_items), 0).sum(axis=2)
    is_listed = np.arange(512)[None] < np.asarray(found.count)[:, None]
    listed = np.sort(np.where(is_listed, found_bits, 1 << num_items), axis=1)
    expected = np.where(errors <= tolerance, bits[None], 1 << num_items)
    expected = np.sort(expected, axis=1)
    width = min(512, expected.shape[1])
    assert np.array_equal(listed[:, :width], expected[:, :width])
    assert np.all(listed[:, width:] == 1 << num_items)
    assert np.any(expected[:, 0] < 1 << num_items)

    match = few_items_nearest(items, targets, **settings)
    assert np.array_equal(np.asarray(match.error), errors.min(axis=1))
