"""Draws, searches, pruned networks and audits of weight pruning."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.weight_pruning import reduction
from tests.oracles.weight_pruning import least_criterion, sampled_sup

CASES = [(1, 12), (3, 40)]  # dim, neurons; 40 is no multiple of 3


@functools.cache
def instances(dim, num_neurons, count=40):
    lanes = keys.items(keys.root(dim), count)
    return jax.jit(jax.vmap(functools.partial(reduction.draw, dim=dim, num_neurons=num_neurons)))(
        lanes
    )


@jax.jit
def solve(drawn, num_neurons, goal):
    """Nearest subsets, pruned networks, audits of many instances."""

    def one(instance):
        match = reduction.search(instance, num_neurons, goal=goal)
        network = reduction.lift(instance, match)
        return match, network, reduction.audit(instance, network)

    return jax.lax.map(one, drawn)


def solved(dim, num_neurons, goal=0.0):
    drawn = instances(dim, num_neurons)
    return drawn, *solve(drawn, jnp.int32(num_neurons), jnp.float32(goal))


def rows(tree):
    """The instances of a batch, one at a time, as NumPy arrays."""
    leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, tree))
    return [structure.unflatten(row) for row in zip(*leaves, strict=True)]


@pytest.mark.parametrize(("dim", "num_neurons"), CASES)
def test_criterion_is_the_least_of_all_masks(dim, num_neurons):
    drawn, match, _, _ = solved(dim, num_neurons)
    truth = [least_criterion(*row, num_neurons) for row in rows(drawn)]
    found = jax.vmap(reduction.criterion)
    # Products are exact: no tolerance beyond the rounding that decisions allow for.
    rtol = reduction.rounding_bound(dim)
    np.testing.assert_allclose(found(match.error), truth, rtol=rtol)
    np.testing.assert_allclose(found(match.error_low), truth, rtol=rtol)


@pytest.mark.parametrize(("dim", "num_neurons"), CASES)
def test_audit_of_the_pruned_network_equals_the_search(dim, num_neurons):
    drawn, match, network, audited = solved(dim, num_neurons)
    # float32 rounding of the audit's sums of at most 40 products of size 10
    np.testing.assert_allclose(jax.vmap(reduction.criterion)(match.error), audited, atol=4e-5)
    for row, pruned in zip(rows(drawn), rows(network), strict=True):
        is_kept = pruned.output != 0
        np.testing.assert_array_equal(pruned.output[is_kept], row.output[is_kept])
        neuron, coordinate = np.nonzero(pruned.hidden)
        np.testing.assert_array_equal(neuron, np.flatnonzero(is_kept))
        np.testing.assert_array_equal(coordinate, neuron % dim)
        np.testing.assert_array_equal(pruned.hidden[neuron, coordinate], row.hidden[is_kept])


@pytest.mark.parametrize(("dim", "num_neurons"), CASES)
def test_criterion_bounds_the_network_on_the_ball(dim, num_neurons):
    drawn, match, network, _ = solved(dim, num_neurons)
    criteria = np.asarray(jax.vmap(reduction.criterion)(match.error))
    sups = np.array(
        [
            sampled_sup(*pruned, row.target, count=4000, seed=i)
            for i, (row, pruned) in enumerate(zip(rows(drawn), rows(network), strict=True))
        ]
    )
    assert np.all(sups <= criteria * (1 + 1e-6) + 1e-12)
    # It is not the sup itself: the last ReLU hides errors. But it is of its size.
    assert np.mean(sups / criteria) > 0.5


def test_draws_are_nested_and_independent_of_the_number_of_neurons():
    few, many = instances(3, 7), instances(3, 40)
    np.testing.assert_array_equal(few.hidden, many.hidden[:, :7])
    np.testing.assert_array_equal(few.output, many.output[:, :7])
    np.testing.assert_array_equal(few.target, many.target)
    np.testing.assert_allclose(np.linalg.norm(few.target, axis=1), 1, rtol=1e-6)


def test_products_of_weights_are_exact():
    drawn = instances(3, 40)
    exact = np.float64(drawn.hidden) * np.float64(drawn.output)
    np.testing.assert_array_equal(np.float32(exact), exact)
    assert np.unique(exact).size == exact.size


def test_more_items_than_room_leave_the_draw_open(monkeypatch):
    # 20 positive hidden weights: 8 items have no room, and only the last one reaches the target.
    monkeypatch.setattr(reduction, "MAX_ITEMS", 12)
    hidden = jnp.ones(20, jnp.float32)
    instance = reduction.Instance(hidden, (-hidden).at[19].set(1), jnp.ones(1, jnp.float32))
    np.testing.assert_array_equal(reduction.subset_sums(instance).full, [13, reduction.NEVER])
    search = jax.jit(lambda width: reduction.search(instance, width))
    match = search(jnp.int32(20))
    assert (float(match.error[0]), float(match.error_low[0])) == (1, 0)
    assert not match.is_exact[0]
    match = search(jnp.int32(12))
    assert (float(match.error[0]), float(match.error_low[0])) == (1, 1)
    assert match.is_exact[0]


def test_a_goal_ends_the_search_early_and_says_so():
    _, match, _, _ = solved(3, 40, goal=0.3)
    _, full, _, _ = solved(3, 40)
    is_early = ~np.asarray(match.is_exact)
    assert is_early.any()
    assert np.all(match.error[is_early] <= 0.3)
    assert np.all(match.error_low[is_early] == 0)
    assert np.all(full.error <= match.error)
