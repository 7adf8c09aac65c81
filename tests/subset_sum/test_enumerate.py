"""Nearest sums of vectors in the largest-coordinate norm against float64 enumeration."""

import jax
import numpy as np
import pytest

from lottery_jax.subset_sum.enumerate import exhaustive
from tests.oracles.subset_sum import least_error

SCALES = {"random": 1.0, "huge": 1e33, "tiny": 1e-30}


def draw(family, shape):
    rng = np.random.default_rng([*shape, len(family)])
    items = rng.normal(size=shape)
    if family == "integers":
        items = rng.integers(-9, 9, shape)
    if family == "ratios":
        items = items * 10.0 ** rng.integers(-9, 4, shape)
    scale = SCALES.get(family, 1.0)
    return (scale * items).astype(np.float32), (scale * rng.normal(size=shape[1])).astype(
        np.float32
    )


# 13 items are four tiles; dim 1 is the scalar problem.
@pytest.mark.parametrize("shape", [(0, 2), (1, 1), (5, 3), (13, 1), (13, 2)])
@pytest.mark.parametrize("family", [*SCALES, "integers", "ratios"])
def test_against_enumeration(family, shape):
    items, target = draw(family, shape)
    match = jax.tree.map(np.asarray, jax.jit(exhaustive(num_items=shape[0]))(items, target))
    truth = least_error(items, target)
    total = np.abs(items).sum(initial=0) + np.abs(target).sum()
    slack = 2.0**-22 * truth + 2.0**-47 * total + 2.0**-126
    of_mask = np.abs(items.astype(np.float64)[np.asarray(match.mask)].sum(axis=0) - target).max()
    assert abs(match.error - of_mask) <= slack + 2.0**-22 * of_mask
    assert match.error_low - slack <= truth <= match.error + slack
    assert match.error - match.error_low <= 2.0**-27 * shape[0] * total + 2 * slack
    if family != "ratios":
        assert match.is_exact


def test_subsets_at_one_position_of_the_tile():
    # Items 11 and 12 are looped over, and are less than a quantum: the empty subset, met first,
    # has the same coarse error as the nearest one.
    items, _ = draw("random", (13, 2))
    items[11:] = 3e-9
    match = jax.tree.map(np.asarray, jax.jit(exhaustive(num_items=13))(items, items[11]))
    assert match.error_low == 0
    assert match.error <= 3.001e-9
    assert match.is_exact == (match.error == 0)


def test_many_instances():
    items, _ = draw("random", (600 * 8, 2))
    items, targets = items.reshape(600, 8, 2), items[:600] / 2
    match = jax.jit(jax.vmap(exhaustive(num_items=8)))(items, targets)
    truth = np.array(list(map(least_error, items, targets)))
    np.testing.assert_allclose(match.error, truth, rtol=2.0**-22)
    np.testing.assert_allclose(match.error_low, truth, rtol=2.0**-22)


@pytest.mark.parametrize("num_items", [27, -1])
def test_sizes_are_checked(num_items):
    with pytest.raises(ValueError, match=rf"{num_items=}.*use subset_sum\.nearest_sum"):
        exhaustive(num_items=num_items)
