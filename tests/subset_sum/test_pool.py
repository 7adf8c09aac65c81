"""Nearest sums of many targets in one pool, against float64 enumeration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.subset_sum.pool import kept_items, pool_bytes, pool_nearest
from tests.oracles.scalar_items import FAMILIES, draw_items
from tests.oracles.subset_sum import all_sums

RELATIVE = 2.0**-22  # the accuracy that PoolMatch promises
ABSOLUTE = 2.0**-47
FLUSHED = 2.0**-126


def draw_targets(items, rng, count):
    """Near the sums, between them, at them and beyond all of them."""
    total = np.abs(items).sum(dtype=np.float64) + (len(items) == 0)
    reached = (items * rng.integers(0, 2, (count, len(items)))).sum(axis=1)
    targets = np.where(rng.integers(0, 4, count) == 0, reached, total * rng.uniform(-1, 1, count))
    return targets.astype(np.float32)


def least_errors(items, targets):
    sums = np.sort(all_sums(items))
    place = np.searchsorted(sums, targets.astype(np.float64))
    beside = sums[np.clip(np.stack([place - 1, place]), 0, len(sums) - 1)]
    return np.abs(beside - targets).min(axis=0)


def assert_right(items, targets, match, truth):
    items, targets = items.astype(np.float64), targets.astype(np.float64)
    error, error_low, is_exact = (np.asarray(x) for x in match[1:])
    absolute = ABSOLUTE * (np.abs(items).sum() + np.abs(targets).max(initial=0)) + FLUSHED
    slack = RELATIVE * truth + absolute
    of_mask = np.abs(np.asarray(kept_items(match.subset, len(items))) @ items - targets)
    assert np.all(np.abs(error - of_mask) <= RELATIVE * of_mask + absolute)
    assert np.all(error >= truth - slack)
    assert np.all(error_low <= truth + slack)
    assert np.all(np.abs(error - truth)[is_exact] <= slack[is_exact])
    np.testing.assert_array_equal(is_exact, error_low >= error)


@pytest.mark.parametrize("num_items", [0, 1, 7, 13])
@pytest.mark.parametrize("family", FAMILIES)
def test_against_enumeration(family, num_items):
    (items,), rng = draw_items(family, num_items, 1)
    targets = draw_targets(items, rng, 1000)
    match = pool_nearest(items, targets)
    assert_right(items, targets, match, least_errors(items, targets))
    if family in ("uniform", "products", "positive", "huge", "tiny"):
        assert np.all(match.is_exact)


def test_sums_that_share_a_coarse_sum_are_an_interval():
    # The last 12 items are far below a quantum, and 2**12 subsets share each coarse sum.
    (items,), rng = draw_items("uniform", 13, 1)
    items[0], items[1:] = 1e3, 1e-10 * items[1:]
    targets = (2e-10 * rng.uniform(-1, 1, 1000)).astype(np.float32)
    truth = least_errors(items, targets)
    match = pool_nearest(items, targets)
    assert_right(items, targets, match, truth)
    assert np.mean(np.asarray(match.error) > 2 * truth) > 0.5
    assert np.all(np.asarray(match.error_low) <= truth)


def test_the_second_limb_tells_neighbours_apart():
    # Pairs of sums less than a quantum apart: the coarse limbs alone are wrong half of the time.
    (items,), rng = draw_items("uniform", 12, 1)
    items = np.concatenate([items, [2.0**-31]]).astype(np.float32)
    targets = draw_targets(items, rng, 1000)
    match = pool_nearest(items, targets)
    truth = least_errors(items, targets)
    assert_right(items, targets, match, truth)
    assert np.all(match.is_exact)


def test_blocks_of_targets_are_joined():
    (items,), rng = draw_items("products", 7, 1)
    targets = draw_targets(items, rng, 20_000)
    match = pool_nearest(items, targets)
    assert_right(items, targets, match, least_errors(items, targets))
    part = pool_nearest(items, np.concatenate([targets[-999:], targets.max(keepdims=True)]))
    jax.tree.map(
        lambda whole, part: np.testing.assert_array_equal(whole[-999:], part[:999]), match, part
    )


def test_no_targets():
    match = pool_nearest(jnp.ones(3), jnp.ones(0))
    assert match.subset.shape == match.is_exact.shape == (0,)


def test_too_many_items_are_refused_before_compilation():
    with pytest.raises(ValueError, match=r"num_items=27 needs a list of 2\*\*27 sums.*nearest_sum"):
        pool_nearest(jnp.ones(27), jnp.ones(1))


def test_memory_is_stated():
    assert pool_bytes(20, 10) < pool_bytes(26, 10**6) < 2**32


@pytest.mark.slow
def test_many_targets():
    for seed in range(5):
        for family in FAMILIES:
            (items,), rng = draw_items(family, 13, 1, seed=seed)
            targets = draw_targets(items, rng, 20_000)
            assert_right(items, targets, pool_nearest(items, targets), least_errors(items, targets))


@pytest.mark.slow
def test_a_large_pool():
    (items,), rng = draw_items("uniform", 21, 1)
    targets = draw_targets(items, rng, 100_000)
    match = pool_nearest(items, targets)
    assert_right(items, targets, match, least_errors(items, targets))
    assert np.mean(match.is_exact) > 0.999
