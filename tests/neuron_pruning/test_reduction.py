"""The search decides what enumerating every small subnetwork decides."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.neuron_pruning import reduction
from tests.oracles import pruned_networks

CASES = [(2, 4, "linear"), (2, 3, "relu"), (3, 4, "linear"), (3, 2, "relu"), (2, 1, "linear")]


@pytest.mark.parametrize(("dim", "max_kept", "output"), CASES)
def test_the_best_subset_is_that_of_exhaustive_search(dim, max_kept, output):
    num_neurons, count = 9, 20_000
    search = jax.jit(
        lambda network: reduction.search(
            network,
            jnp.int32(num_neurons),
            least=jnp.float32(1e-3),
            most=jnp.float32(2.0),
            max_kept=max_kept,
            output=output,
        )
    )
    for seed in range(12):
        network = reduction.draw(keys.root(seed), dim=dim, num_neurons=num_neurons)
        match = search(network)
        expected, _ = pruned_networks.best_subset(
            network.hidden, network.output, max_kept=max_kept, relu=output == "relu", count=count
        )
        # No point of the grid exceeds the supremum. It is missed by at most the slope of the error
        # times half the spacing of the grid.
        slope = 1 + float(jnp.sum(jnp.sort(jnp.abs(_strengths(network)))[-max_kept:]))
        spacing = np.pi / count if dim == 2 else 2.5 / np.sqrt(count)
        assert float(match.error) >= expected - 1e-6
        assert float(match.error_low) <= expected + slope * spacing
        assert 0 <= float(match.error) - float(match.error_low) <= 1e-5 * slope


def _strengths(network):
    return network.output * jnp.linalg.norm(network.hidden, axis=1)


@pytest.mark.parametrize(("dim", "max_kept", "output"), CASES)
def test_the_first_width_is_where_the_search_first_succeeds(dim, max_kept, output):
    num_neurons, tolerance = 24, jnp.float32(0.45)

    @jax.jit
    def first(network):
        return reduction.search_first(
            network,
            jnp.int32(num_neurons),
            tolerance=tolerance,
            max_kept=max_kept,
            output=output,
        )

    @jax.jit
    def best(network, width):
        return reduction.search(
            network, width, least=tolerance, most=tolerance, max_kept=max_kept, output=output
        )

    reached = 0
    for seed in range(8):
        network = reduction.draw(keys.root(seed), dim=dim, num_neurons=num_neurons)
        found = first(network)
        succeeds = [best(network, jnp.int32(w)).error <= tolerance for w in range(num_neurons + 1)]
        expected = succeeds.index(True) if any(succeeds) else num_neurons + 1
        assert int(found.certain) == expected
        assert int(found.possible) <= int(found.certain)
        reached += any(succeeds)
    assert reached, "no seed tested a success"


def test_draws_are_nested_in_the_number_of_neurons():
    few, many = (reduction.draw(keys.root(3), dim=3, num_neurons=n) for n in (5, 17))
    assert jnp.array_equal(few.hidden, many.hidden[:5])
    assert jnp.array_equal(few.output, many.output[:5])


def test_probe_points_are_on_the_sphere_and_symmetric():
    for dim in (2, 3, 5, 12):
        points = reduction.probe_points(dim)
        assert np.allclose(np.linalg.norm(points, axis=1), 1)
        gaps = np.abs(points[:, None] + points[None]).max(axis=2).min(axis=1)
        assert gaps.max() < 1e-12, "the linear part of the error needs opposite points"
