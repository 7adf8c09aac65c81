"""Nearest sums of scalars against float64 enumeration."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.subset_sum.meet_in_the_middle import nearest_sum
from tests.oracles.subset_sum import least_error_by_search, least_error_of_many

EPSILON = 1e-5
SIZES = 0, 1, 4, 7, 13
RELATIVE = 2.0**-22  # the accuracy that Match promises
ABSOLUTE = 2.0**-47
FLUSHED = 2.0**-126  # smaller numbers are zeros on most devices


@functools.cache
def solver():
    return jax.jit(jax.vmap(nearest_sum))


@functools.cache
def prefix_solver():
    return jax.jit(
        jax.vmap(lambda items, target, number: nearest_sum(items, target, num_items=number))
    )


def uniform(rng, shape):
    return rng.uniform(-1, 1, shape)


FAMILIES = {
    "uniform": uniform,
    "products": lambda rng, shape: rng.normal(size=shape) * rng.normal(size=shape),
    "positive": lambda rng, shape: rng.uniform(0, 1, shape),
    "duplicates": lambda rng, shape: rng.choice([0.1, 0.25, -0.7], shape),
    "zeros": lambda rng, shape: rng.normal(size=shape) * rng.integers(0, 2, shape),
    "integers": lambda rng, shape: rng.integers(-50, 50, shape).astype(np.float64),
    "ratios": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.integers(-9, 4, shape),
    "one_giant": lambda rng, shape: np.where(
        np.arange(shape[1]) == 0, 1e3, 1e-6 * rng.uniform(0.5, 1, shape)
    ),
    "huge": lambda rng, shape: 1e33 * rng.normal(size=shape),
    "tiny": lambda rng, shape: 1e-30 * rng.normal(size=shape),
}


def draw(family, num_items, count=200):
    """Rows of float32 items, and targets of which every fourth is reached exactly or nearly so."""
    rng = np.random.default_rng([num_items, list(FAMILIES).index(family)])
    items = FAMILIES[family](rng, (count, num_items)).astype(np.float32)
    scale = np.abs(items).sum(axis=1) / 3 + (num_items == 0)
    reached = (items * rng.integers(0, 2, items.shape)).sum(axis=1)
    if family == "one_giant":
        targets = 3e-6 * rng.uniform(size=count)
    elif family == "integers":
        targets = rng.integers(-100, 100, count) + 0.5 * rng.integers(0, 2, count)  # ties
    else:
        targets = scale * rng.uniform(-1, 1, count)
    return items, np.where(np.arange(count) % 4 == 0, reached, targets).astype(np.float32)


def assert_right(items, targets, match, truth):
    """Everything that a Match promises, row by row."""
    items, targets = items.astype(np.float64), targets.astype(np.float64)
    mask, error, error_low, is_exact = map(np.asarray, match)
    total = np.abs(items).sum(axis=1) + np.abs(targets)
    absolute = ABSOLUTE * total + FLUSHED
    slack = RELATIVE * truth + absolute
    of_mask = np.abs((items * mask).sum(axis=1) - targets)
    assert np.all(np.abs(error - of_mask) <= RELATIVE * of_mask + absolute)
    assert np.all(error >= truth - slack)
    assert np.all(error_low <= truth + slack)
    assert np.all(error - error_low <= 2.0**-27 * items.shape[1] * total + 2 * slack)
    assert np.all(np.abs(error - truth)[is_exact] <= slack[is_exact])
    np.testing.assert_array_equal(is_exact, error_low >= error)


@pytest.mark.parametrize("num_items", SIZES)
@pytest.mark.parametrize("family", FAMILIES)
def test_against_enumeration(family, num_items):
    items, targets = draw(family, num_items)
    match = solver()(items, targets)
    truth = least_error_of_many(items, targets)
    assert_right(items, targets, match, truth)
    assert not np.any((np.asarray(match.error) <= EPSILON) & (truth > EPSILON * (1 + RELATIVE)))
    assert not np.any((np.asarray(match.error_low) > EPSILON) & (truth <= EPSILON))
    if family in ("uniform", "products", "positive", "integers", "huge", "tiny"):
        assert np.mean(match.is_exact) == 1


@pytest.mark.parametrize("family", ["uniform", "products", "ratios", "one_giant", "duplicates"])
def test_a_prefix_costs_its_own_size_and_ignores_the_rest(family):
    items, targets = draw(family, 13)
    numbers = np.random.default_rng(1).integers(0, 14, len(items)).astype(np.int32)
    is_beyond = np.arange(13) >= numbers[:, None]
    match = prefix_solver()(np.where(is_beyond, np.float32(np.nan), items), targets, numbers)
    items = np.where(is_beyond, np.float32(0), items)
    assert not np.any(np.asarray(match.mask) & is_beyond)
    assert_right(items, targets, match, least_error_of_many(items, targets))
    if family in ("uniform", "products"):
        # Zeros in place of the missing items would double every sum, and settle nothing.
        assert np.all(match.is_exact)


def test_many_items():
    items, _ = draw("uniform", 22, 40)
    targets = np.random.default_rng(2).uniform(-1, 1, 40).astype(np.float32)
    match = solver()(items, targets)
    truth = np.array(list(map(least_error_by_search, items, targets)))
    assert_right(items, targets, match, truth)
    # Sums are dense enough for several pairs inside the margin, which the second limb tells apart.
    assert np.mean(match.is_exact) > 0.8


@pytest.mark.slow
def test_forty_items():
    items, targets = draw("products", 40, 2)
    match = solver()(items, targets)
    truth = np.array(list(map(least_error_by_search, items, targets)))
    assert_right(items, targets, match, truth)


def test_sums_of_one_half_do_not_meet_each_other():
    # Items 0 and 2 are in the same half: without the tag their equal sums would be an error of 0.
    match = nearest_sum(jnp.array([1.0, 10.0, 1.0, 10.0]), jnp.array(0.375))
    assert (float(match.error), bool(match.mask.any()), bool(match.is_exact)) == (
        0.375,
        False,
        True,
    )


def test_neighbours_are_not_all_pairs():
    # Below the coarse quantum 16 subsets share one coarse sum. Only four pairs are computed again,
    # so the interval must admit that it does not know.
    items, targets = draw("one_giant", 13)
    match = solver()(items, targets)
    truth = least_error_of_many(items, targets)
    assert np.mean(np.asarray(match.error) > truth * (1 + 1e-3)) > 0.5
    assert np.all(np.asarray(match.error_low) <= truth * (1 + RELATIVE))


def test_candidates_are_not_all_neighbours():
    # Every subset of half A has its mirror image in half B, up to less than a quantum (the last
    # item makes quanta large): 64 pairs of neighbours, far from each other, may be the nearest.
    rng = np.random.default_rng(3)
    left = rng.uniform(0.5, 1, (200, 6)) * 3.0 ** np.arange(6)
    right = -left * (1 + 2.0**-21 * rng.uniform(-1, 1, left.shape))
    pairs = np.stack([left, right], axis=2).reshape(200, 12)
    items = np.concatenate([pairs, np.full((200, 1), 1e6)], axis=1).astype(np.float32)
    targets = 1e-4 * rng.uniform(-1, 1, 200).astype(np.float32)
    match = solver()(items, targets)
    assert_right(items, targets, match, least_error_of_many(items, targets))


def test_the_empty_subset_counts():
    match = nearest_sum(jnp.array([2.0, 3.0, 4.0, 9.0]), jnp.array(0.0))
    assert (float(match.error), bool(match.mask.any())) == (0.0, False)


def test_one_by_one_equals_batched():
    items, targets = draw("products", 7, 200)  # four tiles, the last one not full
    one_by_one = jax.jit(lambda *all_: jax.lax.map(lambda each: nearest_sum(*each), all_))
    jax.tree.map(
        np.testing.assert_array_equal, solver()(items, targets), one_by_one(items, targets)
    )


def test_batches_of_batches():
    items, targets = draw("products", 7)
    nested = jax.jit(jax.vmap(jax.vmap(nearest_sum, (None, 0)), (0, None)))
    match = nested(items[:3], targets[:5])
    truth = least_error_of_many(np.repeat(items[:3], 5, axis=0), np.tile(targets[:5], 3))
    np.testing.assert_allclose(match.error.reshape(-1), truth, rtol=RELATIVE, atol=1e-14)


def test_too_many_items_are_refused_before_compilation():
    with pytest.raises(ValueError, match=r"items.shape=\(41,\) needs lists of 2\*\*21 sums"):
        nearest_sum(jnp.ones(41), jnp.array(0.0))
