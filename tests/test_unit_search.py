"""The search among units decides what enumerating every small choice of them decides."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax import unit_search
from lottery_jax.core import keys
from lottery_jax.neuron_pruning import reduction
from lottery_jax.unit_search import Units
from tests.oracles import pruned_networks

CASES = [(2, 4, "linear"), (2, 3, "relu"), (3, 4, "linear"), (3, 2, "relu"), (2, 1, "linear")]


@pytest.mark.parametrize(("dim", "max_kept", "output"), CASES)
def test_the_best_subset_is_that_of_exhaustive_search(dim, max_kept, output):
    num_neurons, count = 9, 20_000
    search = jax.jit(
        lambda network: unit_search.search(
            reduction.units(network),
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


@pytest.mark.parametrize(
    ("dim", "max_kept", "output"),
    [pytest.param(*case, marks=[pytest.mark.slow] * (case == (3, 2, "relu"))) for case in CASES],
)
def test_the_first_width_is_where_the_search_first_succeeds(dim, max_kept, output):
    num_neurons, tolerance = 24, jnp.float32(0.45)

    @jax.jit
    def first(network):
        return unit_search.search_first(
            reduction.units(network),
            jnp.int32(num_neurons),
            tolerance=tolerance,
            max_kept=max_kept,
            output=output,
        )

    @jax.jit
    def best(network, width):
        return unit_search.search(
            reduction.units(network),
            width,
            least=tolerance,
            most=tolerance,
            max_kept=max_kept,
            output=output,
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


@pytest.mark.parametrize(
    ("max_kept", "groups"), [(3, [0, 0, 0, 1, 1, 1, 2, 2, 2]), (5, [0, 0, 1, 1, 2, 2, 3, 4, 5])]
)
def test_a_target_in_any_direction_and_one_unit_of_a_group(max_kept, groups):
    """Against every choice, in plain NumPy on a fine grid; without groups a better one exists.

    Parts of the target are planted, with noise: as many as may be kept, each of its own group, or
    two of one group.
    """
    rng = np.random.default_rng(0)
    groups = np.array(groups, np.int32)
    parts = [number for number in range(9) if number == 0 or groups[number] > groups[number - 1]]
    count, better, full = 20_000, 0, 0
    points = pruned_networks.sphere(2, count)

    @jax.jit
    def search(signs, vectors, target, groups):
        return unit_search.search(
            Units(signs, vectors, target, groups),
            jnp.int32(9),
            least=jnp.float32(1e-3),
            most=jnp.float32(2.0),
            max_kept=max_kept,
            output="linear",
        )

    for trial in range(10):
        signs, vectors = np.sign(rng.normal(size=9)), 0.7 * rng.normal(size=(9, 2))
        direction = rng.normal(size=2)
        target = direction / np.linalg.norm(direction)
        planted = parts[:max_kept] if trial % 2 else [0, 1]
        noise = 0.01 * rng.normal(size=(len(planted), 2))
        signs[planted], vectors[planted] = 1, target / len(planted) + noise
        arrays = [jnp.asarray(each, jnp.float32) for each in (signs, vectors, target)]
        found = search(*arrays, jnp.asarray(groups))
        values = signs * np.maximum(points @ vectors.T, 0)
        wanted = np.maximum(points @ target, 0)
        least = {True: np.inf, False: np.inf}  # with and without groups
        for size in range(max_kept + 1):
            for subset in itertools.combinations(range(9), size):
                error = np.abs(values[:, subset].sum(axis=1) - wanted).max()
                is_free = len(set(groups[list(subset)])) == size
                least[False] = min(least[False], error)
                if is_free and error < least[True]:
                    least[True], kept = error, size
        slope = 1 + np.linalg.norm(vectors, axis=1).sum()
        assert least[True] - 1e-6 <= float(found.error) <= least[True] + slope * np.pi / count
        full += kept == max_kept
        better += least[False] < least[True] - slope * np.pi / count
    assert better, "no instance tells groups from none"
    assert full, "no best choice keeps as many as it may"


def test_probe_points_are_on_the_sphere_and_symmetric():
    for dim in (2, 3, 5, 12):
        points = unit_search.probe_points(dim)
        assert np.allclose(np.linalg.norm(points, axis=1), 1)
        gaps = np.abs(points[:, None] + points[None]).max(axis=2).min(axis=1)
        assert gaps.max() < 1e-12, "the linear part of the error needs opposite points"
