"""The face of whole numbers: any sign, any size that fits, and clear words about what does not."""

from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery_jax.core.compat import enable_x64
from lottery_jax.subset_sum import (
    bit_sets,
    devices,
    integer_batches,
    integer_plan,
    integers,
    solutions,
    sum_counts,
    wide,
    windows,
)
from lottery_jax.subset_sum.integer_answers import Reachable
from tests.oracles.integer_sums import listed_sums, number_of_subsets, sums_as_bits

LARGEST = 2**30 - 1


def test_shapes_of_answers():
    items, targets = [[1, 2, 4], [-1, 5, 5]], [[3, 8], [-1, 4]]
    assert integers.exists(items, targets).tolist() == [[True, False], [True, True]]
    assert integers.exists(items, 5).tolist() == [True, True]
    assert integers.exists(items, [7, 7]).tolist() == [True, False]
    assert integers.exists(items[0], 3).shape == ()
    assert integers.count(items[1], targets).tolist() == [[0, 0], [1, 2]]
    assert integers.exists(items[0], []).shape == (0,)
    assert integers.exists(np.zeros((0, 3), int), []).shape == (0,)
    assert not integers.exists(items[1], np.uint64(2**64 - 1))  # as a signed number it is -1
    assert integers.exists([], [0, 1]).tolist() == [True, False]
    assert integers.counts([]).numbers.tolist() == [1]


@pytest.mark.parametrize("method", ["halves", "bit_set", "window", "table"])
def test_every_method_gives_the_same(method, monkeypatch):
    rng = np.random.default_rng(0)
    num_items = 10 if method == "halves" else 20
    items = rng.integers(-9, 10, (8, num_items))
    items[0], items[1] = 4 * items[0], np.where(np.arange(num_items) == 7, 1, 2 * items[1])
    truth = [number_of_subsets(row) for row in items]
    targets = rng.integers(-90, 91, (8, 25))
    numbers = [[sums[int(goal)] for goal in row] for sums, row in zip(truth, targets, strict=True)]
    chosen = integer_plan.IntegerPlan(method, "bit_set", 1024, 0)
    monkeypatch.setattr(integers, "plan", lambda *_, **__: chosen)
    if method in ("halves", "table"):
        assert integers.count(items, targets).tolist() == numbers
    if method != "table":
        found = integers.decide(items, targets)
        assert found.exists.tolist() == (np.array(numbers) > 0).tolist()
        # Even sums have no certificate.
        assert (found.num_open > 0) == (method == "window")


def extreme_items(num_items: int):
    """Numbers at the ends of what fits, small ones and zeros, whose magnitudes fit together."""
    share = LARGEST // max(num_items, 1)
    kinds = [
        st.sampled_from([0, 1, -1, share, -share, share - 1, 1 - share]),
        st.integers(-share, share),
        st.integers(-3, 3),
    ]
    return st.lists(st.one_of(kinds), min_size=num_items, max_size=num_items)


@settings(max_examples=50, deadline=None, database=None, derandomize=True)
@given(
    items=st.sampled_from([1, 6]).flatmap(extreme_items),
    near=st.integers(-2, 2),
    chosen=st.integers(0, 63),
    end=st.sampled_from([None, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), LARGEST, -LARGEST]),
)
def test_extreme_values_never_wrap(items, near, chosen, end):
    truth = listed_sums(items)
    target = sum(x for place, x in enumerate(items) if chosen >> place & 1) + near
    target = target if end is None else end
    assert bool(integers.exists(items, target)) == (target in truth)
    assert int(integers.count(items, target)) == truth[target]
    found = integers.witness(items, target)
    assert bool(found.exists) == (target in truth)
    if found.exists:
        assert sum(x for x, kept in zip(items, found.mask, strict=True) if kept) == target
        assert not np.any(found.mask & (np.array(items) == 0))


def test_all_sums_of_extreme_items():
    rows = np.array([[2**20, -1, 0, 3], [-(2**20), -1, 2, 0], [0, 0, 0, 0]])
    found, numbers = integers.reachable(rows), integers.counts(rows)
    for k, row in enumerate(rows):
        truth = listed_sums(row)
        lowest = int(found.lowest[k])
        assert lowest == min(truth) == numbers.lowest[k]
        bits = np.unpackbits(found.words[k].view(np.uint8), bitorder="little")
        assert (np.flatnonzero(bits) + lowest).tolist() == sorted(truth)
        there = np.flatnonzero(numbers.numbers[k])
        assert {int(s) + lowest: int(numbers.numbers[k][s]) for s in there} == truth
    assert found.contains([2**20 + 3, -2, 0]).tolist() == [True, False, True]
    assert found.contains(-(2**20)).tolist() == [False, True, False]


def test_numbers_near_the_end_of_64_bits():
    assert int(integers.count(np.ones(64, int), 32)) == comb(64, 32)
    items = np.where(np.arange(64) == 0, 1, 0)
    assert integers.count(items, [0, 1, 2]).tolist() == [2**63, 2**63, 0]
    assert integers.counts(items).numbers.tolist() == [2**63, 2**63]
    with pytest.raises(ValueError, match=r"64 zeros have 2\*\*64 subsets"):
        integers.count(np.zeros((2, 64), int), 0)
    with pytest.raises(ValueError, match=r"64 zeros have 2\*\*64 subsets"):
        integers.count(np.stack([items, np.zeros(64, int), items]), 0)


def test_many_items_and_their_witnesses():
    """64 items, from a window; and a batch in which some need the whole set."""
    rng = np.random.default_rng(1)
    items = rng.integers(-(2**12), 2**12, (4, 64))
    items[3] *= 2
    targets = rng.integers(-(2**13), 2**13, (4, 9))
    lowest = np.minimum(items, 0).sum(axis=1)
    targets[:3, 0] = lowest[:3]
    found = integers.witness(items, targets)
    decided = integers.decide(items, targets)
    assert (decided.method, decided.num_open) == ("window", 1)
    for k, row in enumerate(items):
        bits = sums_as_bits(abs(row))
        truth = [bool(bits >> int(goal - lowest[k]) & 1) for goal in targets[k]]
        assert decided.exists[k].tolist() == found.exists[k].tolist() == truth
    assert not found.exists[3].all()
    sums = (found.mask * items[:, None]).sum(axis=2)
    np.testing.assert_array_equal(sums[found.exists], targets[found.exists])
    assert not found.mask[~found.exists].any()


def test_targets_of_sets_of_sums():
    """Any shape and any integer; nothing is compiled, as these are sets made by hand."""
    one = Reachable(np.array([0b1101], np.uint32), np.asarray(-2))
    assert one.contains(np.uint64(1)) == one.contains(0) == one.contains(-2) == np.True_
    far = [2**31, -(2**31), 2**63 - 1, -(2**63), 30, -3, -1]
    assert one.contains(far).tolist() == 7 * [False]
    assert not one.contains(np.uint64(2**64 - 2))  # as a signed number it is -2
    assert one.contains(np.array([[0, -1], [1, 2], [-2, 5]], np.int8)).tolist() == [
        *([True, False], [True, False], [True, False])
    ]
    two = Reachable(np.array([[0b1101], [0b10]], np.uint32), np.array([-2, 0]))
    assert two.contains(1).tolist() == [True, True]
    assert two.contains([[1, 0], [0, 1], [-2, 1]]).tolist() == [
        *([True, False], [True, True], [True, True])
    ]
    with pytest.raises(ValueError, match=r"target.shape=\(3,\) must be one target, or end with"):
        two.contains([1, 2, 3])
    for wrong in (1.0, float("nan"), True, "1"):
        with pytest.raises(ValueError, match="give whole numbers"):
            one.contains(wrong)
    with pytest.raises(ValueError, match=f"hold {2**70}"):
        one.contains(2**70)


@pytest.mark.parametrize("method", ["halves", "window"])
def test_few_numbers_of_instances_are_compiled(method, monkeypatch):
    """Neither how many are asked, nor how many have a solution or stay open, is a new program."""
    sizes = []

    def mapped(solve, *arrays, **settings):
        sizes.append((solve, [array.shape for array in arrays]))
        return devices.map_batch(solve, *arrays, **settings)

    monkeypatch.setattr(integer_batches, "map_batch", mapped)
    chosen = integer_plan.IntegerPlan(method, "bit_set", 256, 0)
    monkeypatch.setattr(integers, "plan", lambda *_, **__: chosen)
    items = np.random.default_rng(3).integers(-9, 10, (13, 10))
    items[4] *= 2  # no certificate
    truth = [number_of_subsets(row)[7] > 0 for row in items]
    for number in (13, 12, 10, 9):
        assert integers.exists(items[:number], 7).tolist() == truth[:number]
        if method == "halves":
            found = integers.witness(items[-number:], 7)
            assert (found.mask * items[-number:]).sum(axis=1).tolist() == [
                7 * each for each in truth[-number:]
            ]
    # Subsets are looked for 16 at a time, and 8; a window leaves one instance to a bit set.
    assert len({str(each) for each in sizes}) == (3 if method == "halves" else 2)


@pytest.mark.slow
def test_the_largest_question():
    """256 items of 20 bits, all sums, and by a window; one odd item among even ones."""
    rng = np.random.default_rng(2)
    items = rng.integers(1, 2**20, (2, 256))
    items[1] = 2 * (items[1] // 2)
    items[1, 17] = 2**20 - 1
    targets = rng.integers(0, 2**24, (2, 500))
    targets[:, :250] = rng.integers(0, 5000, (2, 250))
    found = integers.decide(items, targets)
    assert (found.method, found.num_open) == ("window", 1)
    whole = integers.reachable(items)
    for k, row in enumerate(items):
        bits = sums_as_bits(row)
        truth = [bool(bits >> int(goal) & 1) for goal in targets[k]]
        assert found.exists[k].tolist() == truth
        assert False in truth
        assert int.from_bytes(whole.words[k].tobytes(), "little") == bits


@pytest.mark.parametrize(
    ("items", "targets", "message"),
    [
        ([1.0, 2.0], 1, "give whole numbers"),
        ([1, 2], 1.5, "targets have the type float64"),
        ([5, 7], [2**63, -1], f"targets hold {2**63}: numbers of one array must fit 64 bits"),
        ([2**70], 1, f"items hold {2**70}: numbers of one array must fit 64 bits"),
        ([2**70, 0.5], 1, "items have the type"),
        ([[[1]]], 1, r"items.shape=\(1, 1, 1\)"),
        ([[1], [2]], [1, 2, 3], "must begin with the 2 instances"),
        ([2**30], 1, "magnitude 1073741824"),
        ([-(2**63)], 1, "magnitude 9223372036854775808"),
        (np.array([2**64 - 1], np.uint64), 1, "magnitude 18446744073709551615"),
        (
            [2**29, 2**29],
            1,
            r"sum to 1073741824.* at most 1 items of magnitude 5368",
        ),
        (np.ones(257, int), 1, "num_items=257: exists takes at most 256"),
    ],
)
def test_what_does_not_fit_is_refused(items, targets, message, monkeypatch):
    monkeypatch.setattr(integers, "integer_batches", None)  # nothing may be compiled
    with pytest.raises(ValueError, match=message):
        integers.exists(items, targets)


def test_counts_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(integers, "integer_batches", None)
    with pytest.raises(ValueError, match="num_items=65: count takes at most 64"):
        integers.count(np.ones(65, int), 1)
    items = np.full(50, 2**24)
    with pytest.raises(ValueError, match=r"at most 1342[0-9]+, or count up to 40"):
        integers.count(items, 2**28)
    with pytest.raises(ValueError, match="take at most 3 items of magnitude 16777216"):
        integers.counts(items)
    with pytest.raises(ValueError, match=r"take at most \d+ at a time"):
        integers.counts(np.full((1000, 64), 2**14))
    monkeypatch.setattr(integers, "MOST_BYTES", 2000)
    for question in (integers.exists, integers.count):
        with pytest.raises(ValueError, match=r"exceed 2000: .* or fewer targets"):
            question(2**24 + np.arange(30), np.full(20, 2**28))
    with pytest.raises(ValueError, match=r"exceed 2000: .* or fewer targets"):
        integers.witness(np.ones(30, int), np.full(20, 3))  # a bit set finds which exist
    with pytest.raises(ValueError, match="must be one of exists"):
        integer_plan.plan("nearest", num_items=1, total=1, largest=1)


def test_the_rule_and_its_memory():
    sizes = {"num_items": 256, "total": 2**28, "largest": 2**20 - 1}
    chosen = integer_plan.plan("exists", **sizes)
    assert (chosen.method, chosen.otherwise) == ("window", "bit_set")
    assert 2**25 < chosen.memory < integer_plan.MOST_BYTES
    assert integer_plan.plan("reachable", **sizes).method == "bit_set"
    few = {"num_items": 30, "total": 2**29, "largest": 2**26}
    assert integer_plan.plan("exists", **few).method == "halves"
    assert integer_plan.plan("count", **few).method == "halves"
    # A table would be quicker for so many targets, and does not fit.
    assert integer_plan.plan("count", **few, num_targets=10**7).method == "halves"
    many = integer_plan.plan("exists", **few, num_targets=10_000)
    assert many.method == "bit_set"
    dense = {"num_items": 36, "total": 1000, "largest": 50}
    assert integer_plan.plan("count", **dense).method == "table"
    assert bit_sets.rounded(1001) == integer_plan.plan("count", **dense).num_sums


def every_method(items, targets):
    """Of non-negative items, without the face: `map_batch` always has 64-bit types on."""
    words = bit_sets.reachable(items, num_sums=128)
    window = windows.window_sums(items, window=64)
    total = jnp.sum(items, dtype=jnp.int32)
    return {
        "reachable": words,
        "include": bit_sets.include(words, targets[0] - 30),
        "contains": bit_sets.contains(words, targets),
        "meeting": bit_sets.meeting(words, words, total, targets[0]),
        "window": (window, windows.contains(window, targets)),
        "origin": bit_sets.origin_only(128, 3),
        "numbers": sum_counts.count_sums(items, num_sums=128),
        "total": wide.total(sum_counts.count_sums(items, num_sums=128)),
        "solutions": solutions.count_solutions(items[:5], targets[0]),
        "exists": solutions.has_solution(items[:5], targets[0]),
        "kept": solutions.find_solution(items[:5], targets[0]),
    }


def test_64_bit_types_change_nothing():
    items = jnp.array([1, 9, 3, 20, 2, 31, 5, 8, 4, 13], jnp.int32)
    targets = jnp.array([12, 0, -1, 96, 97], jnp.int32)
    answers = []
    for enabled in (False, True):
        with enable_x64(enabled):
            found = jax.jit(every_method)(items, targets)
        answers.append(jax.tree.map(lambda each: (each.dtype, each.tolist()), found))
    assert answers[0] == answers[1]
    truth = number_of_subsets(items.tolist())
    assert answers[0]["contains"] == (np.bool_, [goal in truth for goal in targets.tolist()])
    assert answers[0]["total"].low[1] == 2**10
