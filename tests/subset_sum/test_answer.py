"""The public face: every question against enumeration, shapes of answers, and refusals."""

import jax
import numpy as np
import pytest

from lottery_jax.subset_sum import (
    all_subsets,
    batches,
    count,
    exists,
    few_items,
    largest_gap,
    nearest,
    numbers,
    vectors,
)
from lottery_jax.subset_sum.choose import uses_pool
from tests.oracles.exact_sums import count_of, decisions_of, integer_errors
from tests.oracles.subset_sum import all_sums, least_error, least_error_by_search

SLACK = 2.0**-50


def random_numbers(num_items, batch, seed=0):
    rng = np.random.default_rng([num_items, batch, seed])
    return rng.uniform(-1, 1, (batch, num_items)), rng.uniform(-0.5, 0.5, batch)


@pytest.mark.parametrize("num_items", [0, 1, 2, 5, 11])
def test_nearest_of_numbers(num_items):
    items, targets = random_numbers(num_items, 70)
    match = nearest(numbers(items, targets))
    truth = np.array(list(map(least_error, items, targets)))
    np.testing.assert_allclose(match.error, truth, rtol=SLACK, atol=1e-15)
    of_mask = np.abs((items * match.mask).sum(axis=1) - targets)
    np.testing.assert_allclose(of_mask, match.error, atol=1e-14)
    assert match.is_exact.all()
    without = nearest(numbers(items, targets), masks=False)
    np.testing.assert_array_equal(without.error, match.error)
    assert not without.mask.any()


def test_one_instance_has_no_batch_axis():
    match = nearest(numbers([0.5, 0.25, 1.0], 0.8))
    assert (match.mask.tolist(), match.error.shape) == ([True, True, False], ())
    assert exists(numbers([0.5], 0.5), 0.0).exists.shape == ()
    assert count(vectors([[0.5]], [0.5]), 0.1).low.shape == ()
    assert all_subsets(vectors([[0.5]], [0.5]), 0.1, capacity=3).masks.shape == (3, 1)
    assert few_items(vectors([[0.5]], [0.5]), max_kept=1).mask.shape == (1,)


def test_what_does_not_take_part_is_never_kept():
    items, targets = random_numbers(9, 40)
    taken = np.random.default_rng(1).integers(0, 2, items.shape).astype(bool)
    match = nearest(numbers(items, targets, taken=taken))
    truth = [least_error(*each) for each in zip(items * taken, targets, strict=True)]
    np.testing.assert_allclose(match.error, truth, rtol=SLACK, atol=1e-15)
    assert not (match.mask & ~taken).any()


@pytest.mark.parametrize("num_items", [24, 33])
def test_long_lists(num_items):
    items, targets = random_numbers(num_items, 2)
    match = nearest(numbers(items, targets))
    truth = np.array(list(map(least_error_by_search, items, targets)))
    np.testing.assert_allclose(match.error, truth, rtol=1e-5, atol=1e-15)


def test_a_pool_gives_what_single_instances_give():
    rng = np.random.default_rng(3)
    pool = rng.uniform(-1, 1, 9)
    targets = rng.uniform(-3, 3, 3000)
    shared = numbers(pool, targets)
    assert uses_pool(shared)
    match = nearest(shared)
    single = nearest(numbers(np.tile(pool, (3000, 1)), targets))
    np.testing.assert_allclose(match.error, single.error, rtol=1e-12, atol=1e-14)
    of_mask = np.abs((pool * match.mask).sum(axis=1) - targets)
    np.testing.assert_allclose(of_mask, match.error, atol=1e-14)
    assert match.is_exact.mean() > 0.99


def test_decisions_at_the_very_boundary():
    """Numbers with 40 bits, tolerances equal to the least error, and one bit less."""
    rng = np.random.default_rng(4)
    items = rng.integers(-(2**40), 2**40, (60, 8)) * 2.0**-40
    targets = rng.integers(-(2**40), 2**40, 60) * 2.0**-40
    errors = integer_errors(items, targets, 2.0**40) * 2.0**-40
    at = exists(numbers(items, targets), errors)
    below = exists(numbers(items, targets), np.maximum(errors - 2.0**-40, 0))
    assert at.is_decided.all()
    assert below.is_decided.all()
    assert at.exists.all()
    np.testing.assert_array_equal(below.exists, errors == 0)


@pytest.mark.parametrize("tolerance", [1e-9, 1e-6, 1e-3])
def test_decisions_down_to_1e_minus_9(tolerance):
    # Every other target is a subset sum moved by a little more, or less, than the tolerance.
    items, targets = random_numbers(16, 64, seed=5)
    mask = np.random.default_rng(6).integers(0, 2, items.shape)
    shift = tolerance * np.where(np.arange(64) % 4 < 2, 1 - 1e-4, 1 + 1e-4)
    targets = np.where(np.arange(64) % 2, (items * mask).sum(axis=1) + shift, targets)
    decision = exists(numbers(items, targets), tolerance)
    assert decision.is_decided.all()
    np.testing.assert_array_equal(decision.exists, decisions_of(items, targets, tolerance))


def test_open_cases_are_asked_again(monkeypatch):
    items, targets = random_numbers(10, 64)
    errors = np.array(list(map(least_error, items, targets)))
    tolerances = errors * (1 + 1e-9)
    assert exists(numbers(items, targets), tolerances).is_decided.all()
    # Without the second pass, sums of 28 bits leave these open; they do not guess.
    monkeypatch.setattr(batches, "padded", lambda numbers: numbers[:0])
    first = exists(numbers(items, targets), tolerances)
    assert not first.is_decided.any()
    assert not first.exists.any()


def test_count_of_numbers_and_vectors():
    items, targets = random_numbers(9, 20)
    counted = count(numbers(items, targets), 0.25)
    truth = [count_of(*each, 0.25) for each in zip(items, targets, strict=True)]
    np.testing.assert_array_equal(counted.low, truth)
    np.testing.assert_array_equal(counted.high, truth)
    rng = np.random.default_rng(7)
    items, targets = rng.normal(size=(6, 9, 3)), rng.normal(size=(6, 3))
    counted = count(vectors(items, targets), 1.0)
    sums = np.stack(list(map(all_sums, np.float32(items))))
    errors = np.abs(sums - np.float32(targets)[:, None]).max(axis=2)
    np.testing.assert_array_equal(counted.low, (errors <= 1.0).sum(axis=1))
    np.testing.assert_array_equal(counted.high, counted.low)


def test_vectors():
    rng = np.random.default_rng(8)
    items, targets = rng.normal(size=(5, 10, 3)), rng.normal(size=(5, 3))
    problem = vectors(items, targets)
    match = nearest(problem)
    truth = [least_error(*each) for each in zip(np.float32(items), np.float32(targets))]  # noqa: B905
    np.testing.assert_allclose(match.error, truth, rtol=2.0**-20)
    assert exists(problem, np.float64(truth) * 1.001).exists.all()
    assert not exists(problem, np.float64(truth) * 0.999).exists.any()
    kept = exists(problem, 1e3, max_kept=0)
    assert kept.is_decided.all()
    at_most_two = all_subsets(problem, 1.5, max_kept=2)
    masks = np.array([mask for mask in np.ndindex(*[2] * 10) if sum(mask) <= 2])
    sums = np.einsum("sn,bnd->bsd", masks, np.float32(items).astype(np.float64))
    near = np.abs(sums - np.float32(targets)[:, None]).max(axis=2) <= 1.5
    np.testing.assert_array_equal(at_most_two.count, near.sum(axis=1))
    listed = all_subsets(problem, np.float64(truth) * 1.001)
    np.testing.assert_array_equal(listed.masks[:, 0], match.mask)
    few = few_items(problem, max_kept=3)
    assert (few.mask.sum(axis=1) <= 3).all()
    assert (few.error >= match.error * (1 - 1e-6)).all()


def test_groups_and_limits_of_effort():
    problem = vectors([[1.0], [1.0], [5.0]], [2.0])
    assert exists(problem, 0.5).exists
    assert not exists(problem, 0.5, groups=[0, 0, 1]).exists
    assert exists(problem, 1.5, groups=[0, 0, 1]).exists
    rng = np.random.default_rng(9)
    hard = vectors(rng.normal(size=(24, 8)), rng.normal(size=8))
    stopped = nearest(hard, max_nodes=4)
    assert not stopped.is_exact
    assert stopped.error_low == 0
    given_up = exists(hard, float(nearest(hard).error) * 0.999, max_nodes=4)
    assert not given_up.is_decided
    assert not given_up.exists
    unfinished = count(hard, 1.0, max_nodes=1)
    assert unfinished.low < unfinished.high == 2**24


def test_lists_that_are_too_long_say_so():
    listed = all_subsets(numbers(np.zeros(5), 0.0), 1.0, capacity=4)
    assert (int(listed.count), bool(listed.has_overflowed)) == (32, True)
    many = all_subsets(vectors(np.zeros((70, 1)), [0.0]), 1.0, max_kept=1, capacity=80)
    assert (int(many.count), bool(many.has_overflowed)) == (71, False)
    assert many.masks.sum() == 70


def test_the_largest_gap_of_a_batch():
    gap = largest_gap([[1.0, 2.0, 4.0], [1.0, 2.0, 8.0]], 0.0, 7.0)
    np.testing.assert_allclose(gap.radius_high, [0.5, 2.5])
    np.testing.assert_allclose(gap.radius_low, [0.5, 2.5])


def test_any_number_of_devices_gives_the_same(monkeypatch):
    items, targets = random_numbers(8, 300)
    several = nearest(numbers(items, targets))
    one = jax.local_devices()[:1]
    monkeypatch.setattr(jax, "local_devices", lambda: one)
    jax.tree.map(np.testing.assert_array_equal, several, nearest(numbers(items, targets)))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: nearest(numbers(np.ones(51), 0.0)), "above 50 search a part"),
        (lambda: nearest(vectors(np.ones((65, 2)), np.ones(2))), "few_items"),
        (lambda: exists(numbers([1.0], 0.0), -1.0), "tolerance=-1.0 must be 0 or more"),
        (lambda: exists(numbers([1.0], 0.0), np.nan), "must be 0 or more"),
        (lambda: exists(numbers([1.0], 0.0), [1.0, 2.0]), "one for each of 1 instances"),
        (lambda: exists(numbers([1.0], 0.0), 1.0, max_kept=1), "max_kept=1 is for vectors"),
        (lambda: exists(vectors([[1.0]], [0.0]), 1.0, groups=[0.5]), "one integer for each"),
        (lambda: largest_gap([1.0], 1.0, 0.0), "low=1.0 and high=0.0"),
        (lambda: largest_gap([np.nan], 0.0, 1.0), "not finite"),
        (lambda: all_subsets(numbers([1.0], 0.0), 1.0, capacity=0), "capacity=0"),
        (lambda: count(numbers(np.ones(41), 0.0), 1.0), "at most 40"),
    ],
)
def test_refusals(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()
