"""The depth-first search meets every subset inside its box, once, and says where it was cut off."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core.compat import enable_x64
from lottery_jax.subset_sum.all_subsets import all_within, exists_within, nearest_of_all
from lottery_jax.subset_sum.branch_and_bound import MaskVisitor, fold_all_subsets
from lottery_jax.subset_sum.fold_subsets import Window
from tests.oracles import all_subsets as oracle

CAPACITY = 14
SEARCH = dict(starts=2, block=16)  # few settings and shapes: each is compiled once
LIST = dict(capacity=4096, block=16)
FAMILIES = ("random", "duplicates", "zeros", "ratios", "integers", "planted")


def instances(dim: int, count: int, *, seed: int = 0):
    """Items (count, 14, dim), targets, and how many items take part; families in turn."""
    rng = np.random.default_rng([dim, count, seed])
    items = rng.normal(size=(count, CAPACITY, dim))
    targets = rng.normal(size=(count, dim)) * 2
    num_items = rng.integers(8, CAPACITY + 1, size=count)
    num_items[:2] = CAPACITY
    for number in range(count):
        family = FAMILIES[number % len(FAMILIES)]
        if family == "duplicates":
            items[number] = items[number][rng.integers(0, 4, CAPACITY)]
        elif family == "zeros":
            items[number] *= rng.random((CAPACITY, dim)) < 0.4
        elif family == "ratios":
            items[number] *= 10.0 ** rng.uniform(-6, 6, (CAPACITY, 1))
            targets[number] *= 10.0 ** rng.uniform(-6, 6)
        elif family == "integers":
            items[number], targets[number] = np.round(2 * items[number]), np.round(targets[number])
        elif family == "planted":
            kept = rng.random(CAPACITY) < 0.5
            kept[num_items[number] :] = False
            items[number] = np.round(items[number] * 2**12) / 2**12  # exact sums in float32
            targets[number] = items[number][kept].sum(axis=0)
    return (
        items.astype(np.float32),
        targets.astype(np.float32),
        num_items.astype(np.int32),
    )


def slack(error, items, target) -> float:
    """What a sum promises: 2**-22 of itself and 2**-46 of the sum of all magnitudes."""
    total = np.abs(items.astype(np.float64)).sum(axis=0) + np.abs(target)
    return 2.0**-22 * error + 2.0**-46 * total.max()


@pytest.mark.parametrize("dim", [1, 8])
def test_nearest_is_the_least_error_of_all_subsets(dim):
    items, targets, num_items = instances(dim, 18)
    best = nearest_of_all(items, targets, num_items, **SEARCH)
    assert np.all(best.is_exact)
    for number, few in enumerate(num_items):
        used, target = items[number][:few], targets[number]
        every = oracle.errors(used, target)
        error = float(best.error[number])
        assert abs(error - every.min()) <= slack(every.min(), used, target)
        assert float(best.error_low[number]) == error
        assert not np.any(best.mask[number][few:])
        own = np.abs(np.asarray(best.mask[number][:few], np.float64) @ used - target).max()
        assert abs(own - error) <= slack(error, used, target)
        if FAMILIES[number % len(FAMILIES)] == "planted":
            assert error == 0


def tolerances_between(items, targets, num_items):
    """For each instance a tolerance between the 40th least error and the next larger one."""
    chosen = []
    for number, few in enumerate(num_items):
        every = np.sort(oracle.errors(items[number][:few], targets[number]))
        larger = every[every > every[40] * (1 + 1e-5) + 1e-12]
        chosen.append((every[40] + (larger[0] if len(larger) else 2 * every[40] + 1)) / 2)
    return np.array(chosen, np.float32)


def assert_listed(found, items, num_items, expected):
    """The listed masks are those expected, each once."""
    assert not np.any(found.has_overflowed)
    assert not np.any(found.is_cut_off)
    for number, few in enumerate(num_items):
        count = int(found.count[number])
        masks = np.asarray(found.masks[number])
        assert not masks[count:].any()
        assert not masks[:, few:].any()
        rows = [tuple(row) for row in masks[:count, :few].tolist()]
        assert len(rows) == len(set(rows)), "a subset was listed twice"
        truth = oracle.all_masks(few)[expected(number)]
        assert set(rows) == {tuple(row) for row in truth.tolist()}


@pytest.mark.parametrize("dim", [2, 5])
def test_no_subset_is_missed_or_listed_twice(dim):
    items, targets, num_items = instances(dim, 18, seed=1)
    tolerances = tolerances_between(items, targets, num_items)
    found = all_within(items, targets, tolerances, num_items, **LIST)

    def expected(number):
        few = num_items[number]
        return oracle.errors(items[number][:few], targets[number]) <= tolerances[number]

    assert_listed(found, items, num_items, expected)
    assert np.all(np.asarray(found.count) >= 41)


def constrained(items, targets, tolerances, num_items, *, groups, max_kept, reach):
    """One program for all constraints."""
    return all_within(
        items,
        targets,
        tolerances,
        num_items,
        groups=groups,
        max_kept=jnp.int32(max_kept),
        leading=2,
        leading_tolerance=jnp.float32(reach),
        **LIST,
    )


@pytest.mark.parametrize("constraint", ["groups", "max_kept", "leading", "all"])
def test_constraints_leave_what_brute_force_leaves(constraint):
    items, targets, num_items = instances(3, 18, seed=2)
    tolerances = tolerances_between(items, targets, num_items)
    rng = np.random.default_rng(5)
    groups = np.tile(np.arange(CAPACITY, dtype=np.int32), (18, 1))
    if constraint in ("groups", "all"):
        groups = rng.integers(0, 6, size=items.shape[:2]).astype(np.int32)
        groups[::2] = np.arange(CAPACITY, dtype=np.int32) // 2
    max_kept = 5 if constraint in ("max_kept", "all") else CAPACITY
    reach = 2.5 if constraint in ("leading", "all") else np.inf
    found = constrained(
        items, targets, tolerances, num_items, groups=groups, max_kept=max_kept, reach=reach
    )

    def expected(number):
        few = num_items[number]
        used, target = items[number][:few], targets[number]
        distance = oracle.leading_distances(used, target, 2)
        is_near = oracle.errors(used, target) <= tolerances[number]
        is_allowed = oracle.is_allowed(few, groups=groups[number], max_kept=max_kept)
        return is_near & (distance <= reach) & is_allowed

    assert_listed(found, items, num_items, expected)
    assert np.any(np.asarray(found.count) > 0)


def test_existence_is_decided_on_either_side_of_the_least_error_and_open_at_it():
    items, targets, num_items = instances(3, 18, seed=4)
    least = np.array(
        [
            oracle.errors(items[number][:few], targets[number]).min()
            for number, few in enumerate(num_items)
        ]
    )
    is_off_zero = least > 1e-6
    for factor, exists in ((1 - 1e-5, False), (1 + 1e-5, True), (1.0, None)):
        tolerances = np.where(is_off_zero, least * factor, 1e-3).astype(np.float32)
        answer = exists_within(items, targets, tolerances, num_items, block=16)
        if exists is None:
            # At the least error itself rounding decides, so nothing may.
            assert not np.any(np.asarray(answer.is_decided)[is_off_zero])
            continue
        assert np.all(answer.is_decided)
        assert np.array_equal(np.asarray(answer.exists), np.where(is_off_zero, exists, True))
        for number in np.flatnonzero(answer.exists):
            own = np.asarray(answer.mask[number], np.float64) @ items[number] - targets[number]
            assert np.abs(own).max() <= tolerances[number]


def test_limits_are_flagged_and_then_nothing_is_claimed():
    items, targets, _ = instances(5, 18, seed=1)
    found = all_within(items, targets, np.full(18, 1e9, np.float32), np.full(18, 13), **LIST)
    assert np.all(found.has_overflowed)
    assert np.array_equal(np.asarray(found.count), np.full(18, 2**13))
    assert np.all(np.unique(np.asarray(found.masks)[0], axis=0).shape[0] == 4096)
    items, targets, num_items = instances(8, 18)
    complete = nearest_of_all(items, targets, num_items, **SEARCH)
    best = nearest_of_all(items, targets, num_items, max_nodes=2, **SEARCH)
    is_cut = np.asarray(complete.nodes) > 2 + SEARCH["block"]  # a block may exceed the limit
    assert np.any(is_cut)
    assert not np.any(np.asarray(best.is_exact)[is_cut])
    assert np.all(np.asarray(best.error_low)[is_cut] == 0)
    assert np.all(np.asarray(best.error) >= np.asarray(complete.error))
    items, targets, num_items = instances(3, 18, seed=4)
    tiny = np.full(18, 1e-4, np.float32)
    complete = exists_within(items, targets, tiny, num_items, block=16)
    answer = exists_within(items, targets, tiny, num_items, max_nodes=1, block=16)
    is_cut = np.asarray(complete.nodes) > 1 + SEARCH["block"]
    assert np.any(is_cut)
    assert not np.any(np.asarray(answer.is_decided)[is_cut])


def test_a_batch_gives_what_single_instances_give():
    items, targets, num_items = instances(8, 18)
    together = nearest_of_all(items, targets, num_items, **SEARCH)
    for number in range(18):
        one = slice(number, number + 1)
        alone = nearest_of_all(items[one], targets[one], num_items[one], **SEARCH)
        assert np.array_equal(alone.mask[0], together.mask[number])
        assert float(alone.error[0]) == float(together.error[number])
        assert int(alone.nodes[0]) == int(together.nodes[number])


def test_the_same_with_x64():
    items, targets, num_items = instances(3, 18, seed=2)
    tolerances = tolerances_between(items, targets, num_items)
    groups = np.tile(np.arange(CAPACITY, dtype=np.int32) // 2, (18, 1))

    def answers():
        limits = dict(groups=groups, max_kept=CAPACITY, reach=np.inf)
        return (
            constrained(items, targets, tolerances, num_items, **limits),
            exists_within(items, targets, tolerances, num_items, block=16),
        )

    off = answers()
    with enable_x64():
        on = answers()
    for one, other in zip(jax.tree.leaves(off), jax.tree.leaves(on), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


@pytest.mark.slow
def test_lanes_and_x64_change_nothing():
    items, targets, num_items = instances(8, 18)
    one = nearest_of_all(items, targets, num_items, **SEARCH)
    many = nearest_of_all(items, targets, num_items, lanes=6, **SEARCH)
    with enable_x64():
        wide = nearest_of_all(items, targets, num_items, **SEARCH)
    for name in one._fields:
        assert np.array_equal(getattr(one, name), getattr(many, name))
        assert np.array_equal(getattr(one, name), getattr(wide, name))


@jax.jit
def listed(items, lower, upper):
    """The masks with sums in the box, as numbers, and how many there are."""

    def visit(state, masks, sums, is_found):
        numbers, count = state
        code = jnp.sum(
            jnp.where(masks, 1 << jnp.arange(masks.shape[1], dtype=jnp.int32)[None], 0),
            axis=1,
            dtype=jnp.int32,
        )
        place = jnp.where(is_found, count + jnp.cumsum(is_found, dtype=jnp.int32) - 1, 2**12)
        count = count + jnp.sum(is_found, dtype=jnp.int32)
        return numbers.at[place].set(code, mode="drop"), count

    visitor = MaskVisitor(
        window=lambda state: Window(lower, upper),
        accept=lambda state, sums: jnp.all((sums >= lower[None]) & (sums <= upper[None]), axis=1),
        visit=visit,
        is_done=lambda state: jnp.array(False),
    )
    nothing = jnp.full((1, 2**12), -1, jnp.int32), jnp.zeros((1,), jnp.int32)
    num_items = jnp.full((1,), items.shape[0], jnp.int32)
    (numbers, count), _ = fold_all_subsets(
        items[None], num_items, nothing, visitor, block=16, handed=3
    )
    return numbers[0], count[0]


def test_boxes_with_open_sides():
    rng = np.random.default_rng(8)
    for sides in range(5):
        items = rng.normal(size=(11, 3)).astype(np.float32)
        middle = items.sum(axis=0) / 2
        lower, upper = middle - 1, middle + 1
        if sides & 1:
            lower[0] = -np.inf
        if sides & 2:
            upper[1] = np.inf
        if sides == 4:
            lower[:], upper[:] = -np.inf, np.inf
        numbers, count = listed(items, lower, upper)
        sums = oracle.all_masks(11) @ items.astype(np.float64)
        inside = np.flatnonzero(((sums >= lower) & (sums <= upper)).all(axis=1))
        assert sorted(np.asarray(numbers)[: int(count)].tolist()) == inside.tolist()


def test_64_items_with_a_planted_subset():
    rng = np.random.default_rng(9)
    items = np.round(rng.normal(size=(1, 64, 3)) * 2**10).astype(np.float32) / 2**10
    items[0, [3, 60], 0] = 1 / 2**10
    # The largest sum of the first coordinate, less one smallest item: few subsets come near.
    kept = items[0, :, 0] > 0
    kept[60] = False
    target = items[0][kept].sum(axis=0)
    answer = all_within(items, target[None], np.full(1, 0.005, np.float32), capacity=64)
    masks = np.asarray(answer.masks[0])[: int(answer.count[0])]
    assert not bool(answer.is_cut_off[0])
    assert kept.tolist() in masks.tolist()


@pytest.mark.slow
def test_a_hundred_thousand_small_instances():
    for seed in range(100):
        items, targets, num_items = instances(2, 1000, seed=seed)
        items, num_items = items[:, :10], np.minimum(num_items, 10)
        best = nearest_of_all(items, targets, num_items, **SEARCH)
        for number, few in enumerate(num_items):
            least = oracle.errors(items[number][:few], targets[number]).min()
            allowed = slack(least, items[number], targets[number])
            assert abs(float(best.error[number]) - least) <= allowed
        assert np.all(best.is_exact)
