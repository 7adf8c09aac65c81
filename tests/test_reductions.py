"""One audit for every reduction: the error of the search is that of the pruned network itself."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.geometry.networks import TwoLayerNetwork, evaluate
from lottery_jax.neuron_pruning import reduction as neurons
from lottery_jax.weight_pruning import masked
from lottery_jax.weight_pruning import reduction as weights
from tests.oracles.pruned_networks import sphere


class Reduction(NamedTuple):
    """What a topic offers, with its settings filled in; every field takes a key or what it says."""

    solve: (
        Callable  # key -> pruned network, low and high error of the search, target, audited error
    )
    dim: int
    output: str
    is_exact: bool  # the audited error is the error, not an upper bound of it


def _neurons(dim: int, max_kept: int, output: str) -> Reduction:
    def solve(key):
        network = neurons.draw(key, dim=dim, num_neurons=24)
        match = neurons.search(
            network,
            jnp.int32(24),
            least=jnp.float32(1e-3),
            most=jnp.float32(1.5),
            max_kept=max_kept,
            output=output,
        )
        pruned = neurons.lift(network, match)
        audited = neurons.audit(pruned, max_kept=max_kept, output=output)
        return network, pruned, match.error_low, match.error, neurons.target(dim), audited

    return Reduction(solve, dim, output, is_exact=True)


def _masked(dim: int, max_kept: int, output: str) -> Reduction:
    def solve(key):
        instance = masked.draw(key, dim=dim, num_neurons=10)
        match = masked.search(
            instance,
            jnp.int32(10),
            least=jnp.float32(1e-3),
            most=jnp.float32(1.5),
            max_kept=max_kept,
            output=output,
        )
        pruned = masked.lift(instance, match)
        audited = masked.audit(pruned, instance.target, max_kept=max_kept, output=output)
        return instance.network, pruned, match.error_low, match.error, instance.target, audited

    return Reduction(solve, dim, output, is_exact=True)


def _weights(dim: int) -> Reduction:
    def solve(key):
        instance = weights.draw(key, dim=dim, num_neurons=12 * dim)
        match = weights.search(instance, jnp.int32(12 * dim))
        pruned = weights.lift(instance, match)
        full = TwoLayerNetwork(
            instance.hidden[:, None] * jnp.ones((1, dim), jnp.float32), instance.output
        )
        low, high = weights.criterion(match.error_low), weights.criterion(match.error)
        audited = weights.audit(instance, pruned)
        return full, pruned, low, high, instance.target, audited

    return Reduction(solve, dim, "relu", is_exact=False)


CASES = {
    "neurons, d=2, linear": _neurons(2, 4, "linear"),
    "neurons, d=3, linear": _neurons(3, 3, "linear"),
    "neurons, d=2, relu": _neurons(2, 4, "relu"),
    "neurons, d=4, relu": _neurons(4, 2, "relu"),
    "masked neurons, d=2, linear": _masked(2, 4, "linear"),
    "masked neurons, d=2, relu": _masked(2, 3, "relu"),
    "masked neurons, d=3, linear": _masked(3, 3, "linear"),
    "weights, d=2": _weights(2),
    "weights, d=3": _weights(3),
}


@functools.cache
def compiled(case):
    return jax.jit(case.solve)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_error_is_that_of_the_pruned_network(case):
    solve = compiled(case)
    for seed in range(5):
        network, pruned, low, high, target, audited = solve(keys.root(seed))
        # Pruning only: every weight is the one that was drawn, or zero.
        assert bool(jnp.all((pruned.output == network.output) | (pruned.output == 0)))
        assert bool(jnp.all((pruned.hidden == network.hidden) | (pruned.hidden == 0)))
        assert float(low) - 1e-5 <= float(audited) <= float(high) + 1e-5
        if case.dim > 3:
            continue
        points = sphere(case.dim, 20_000)
        values = evaluate(pruned, jnp.float32(points), output=case.output)
        wanted = np.maximum(points @ np.asarray(target, np.float64), 0)
        sampled = np.abs(np.asarray(values, np.float64) - wanted).max()
        assert sampled <= float(audited) + 1e-5, "a sampled error exceeds the supremum"
        if case.is_exact:
            assert float(audited) <= sampled + 0.1, "no sampled error comes near the supremum"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_audit_sees_a_weight_that_is_not_the_one_of_the_mask(case):
    """The control: an audit of a spoiled network must not agree with the search."""
    _, pruned, _, high, target, _ = compiled(case)(keys.root(0))
    if case.output == "linear" or case.is_exact:
        spoiled = pruned._replace(
            output=pruned.output.at[jnp.argmax(jnp.abs(pruned.output))].mul(5)
        )
        audited = masked.audit(spoiled, target, max_kept=4, output=case.output)
    else:
        spoiled = pruned._replace(output=5 * pruned.output)
        instance = weights.Instance(pruned.hidden[:, 0], pruned.output, target)
        audited = weights.audit(instance, spoiled)
    assert float(audited) > float(high) + 1e-3
