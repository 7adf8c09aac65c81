from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.pruning_limit import magnitude

rng = np.random.default_rng(0)
# Few different values, so that there are many ties.
SCORES = rng.integers(0, 7, 200).astype(np.float32)


def plain_keep(scores, removed):
    """Remove the smallest one after the other, the first of equals."""
    kept = [True] * len(scores)
    for _ in range(removed):
        worst = min((s, place) for place, s in enumerate(scores) if kept[place])[1]
        kept[worst] = False
    return kept


@pytest.mark.parametrize("removed", [0, 1, 57, 199, 200])
def test_exactly_the_smallest_are_removed(removed):
    kept = magnitude.keep_global(jnp.asarray(SCORES), removed)
    assert kept.tolist() == plain_keep(SCORES.tolist(), removed)


def test_the_number_removed_may_be_traced():
    keep = jax.jit(magnitude.keep_global)
    assert int(keep(jnp.asarray(SCORES), jnp.int32(30)).sum()) == 170
    assert int(keep(jnp.asarray(SCORES), jnp.int32(31)).sum()) == 169


def test_each_layer_loses_its_share():
    bounds = [(0, 7), (7, 100), (100, 200)]
    kept = np.asarray(magnitude.keep_layerwise(jnp.asarray(SCORES), bounds, 0.35))
    assert [int((~kept[a:b]).sum()) for a, b in bounds] == [2, 32, 35]
    assert kept[7:100].tolist() == plain_keep(SCORES[7:100].tolist(), 32)


def test_number_removed_is_that_of_the_decimal():
    for size in (10, 97, 1000, 79_510):
        for k in range(1001):
            exact = int(Fraction(k, 1000) * size)
            assert magnitude.num_removed(k / 1000, size) == exact


def test_distance_is_that_of_the_pruned_vector():
    weights = rng.normal(size=50).astype(np.float32)
    squared = magnitude.squared_distances(weights)
    for removed in (0, 1, 20, 50):
        kept = np.asarray(magnitude.keep_global(jnp.abs(jnp.asarray(weights)), removed))
        moved = np.sum(np.where(kept, 0, weights.astype(np.float64)) ** 2)
        assert squared[removed] == pytest.approx(moved, rel=1e-13)


def test_layers_report_what_global_pruning_takes():
    bounds = [(0, 50), (50, 200)]
    kept = np.asarray(magnitude.keep_global(jnp.asarray(SCORES), 90))
    assert magnitude.removed_by_layer(SCORES, bounds, 90) == [
        int((~kept[a:b]).sum()) for a, b in bounds
    ]


@pytest.mark.parametrize(("sparsity", "size"), [(-0.1, 5), (1.1, 5), (float("nan"), 5), (0.5, 0)])
def test_a_wrong_sparsity_is_named(sparsity, size):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        magnitude.num_removed(sparsity, size)
