"""One weight and one layer: subsets found as by sets, lifted, and evaluated in fractions."""

import functools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import root
from lottery_jax.quantized import audit, construction
from lottery_jax.quantized.search import search
from tests.oracles.quantized_network import first_width, outputs, round_to, weight_items

BITS = 2
LARGEST = 4


@functools.partial(jax.jit, static_argnames=("shape", "num_units"))
def build(key, *, shape: tuple[int, int], num_units: int):
    target = construction.draw_target(key, num_outputs=shape[0], num_inputs=shape[1], bits=BITS)
    instance = construction.draw(key, target, bits=BITS, num_units=num_units)
    sums = construction.subset_sums(instance, bits=BITS, target_bits=BITS)
    (found,) = construction.solve([sums], bits=BITS)
    return instance, sums, found, construction.lift(instance, found.masks)


@pytest.mark.parametrize(("shape", "num_units"), [((1, 1), 28), ((3, 2), 32)])
def test_a_layer_is_found_and_built(shape, num_units):
    served = 0
    for seed in range(12):
        instance, sums, found, pruned = build(root(seed), shape=shape, num_units=num_units)
        first, second, target = (np.asarray(each) for each in instance)
        _check_subsets(first, second, target, sums, found, num_units)
        built_first, built_second = (np.asarray(each) for each in pruned)
        _check_pruned(first, second, built_first, built_second)
        is_served = np.all(np.asarray(found.widths) <= num_units)
        served += is_served
        is_equal = _is_equal(built_first, built_second, target)
        assert is_equal == is_served  # a layer without a ReLU behind hides nothing
        if is_served:
            spoiled = built_second.copy()
            unit = np.flatnonzero(np.any(built_first, axis=1) & (second[0] != 0))[0]
            spoiled[0, unit] = 0 if spoiled[0, unit] else second[0, unit]
            assert not _is_equal(built_first, spoiled, target), "one wrong weight is not seen"
    assert served > 0


def _check_subsets(first, second, target, sums, found, num_units):
    for place in np.ndindex(found.widths.shape):
        side, column, row = place
        items = weight_items(first, second, place)
        wanted = (1 - 2 * side) * LARGEST * int(target[row, column])
        assert sums.items[place].tolist() == items
        assert int(sums.targets[place]) == wanted
        width, mask = int(found.widths[place]), np.asarray(found.masks[place])
        assert width == first_width(items, [wanted])
        assert not np.any(mask[width:])
        assert int(np.array(items) @ mask) == (wanted if width <= num_units else 0)


def _check_pruned(first, second, built_first, built_second):
    """Weights are kept as they are, or removed; blocks and signs are those of the construction."""
    assert np.all((built_first == first) | (built_first == 0))
    assert np.all((built_second == second) | (built_second == 0))
    half = first.shape[0] // 2
    block = half // first.shape[1]
    for unit, row in enumerate(built_first):
        others = np.delete(row, unit % half // block)
        assert not np.any(others)
        assert np.all(row >= 0) if unit < half else np.all(row <= 0)


def _is_equal(first, second, target) -> bool:
    """On all inputs of a grid of halves, in fractions, unrounded."""
    dim = target.shape[1]
    for point in np.ndindex(*(5,) * dim):
        inputs = [Fraction(each - 2, 2) for each in point]
        ours = outputs([first, second], [LARGEST] * 2, inputs, [None, None])
        if ours != outputs([target], [LARGEST], inputs, [None]):
            return False
    return True


def test_the_search_gives_the_fewest_leading_items():
    solve = jax.jit(functools.partial(search, reach=30))
    rng = np.random.default_rng(4)
    for _ in range(60):
        items, target = rng.integers(-6, 7, 5), int(rng.integers(-8, 9))
        found = solve(jnp.array(items, jnp.int32), jnp.int32(target))
        width = first_width(items.tolist(), [target])
        assert int(found.width) == width
        assert int(items @ np.asarray(found.mask)) == (target if width <= 5 else 0)
    lost = solve(jnp.array([20, 20, -15, -20, 0], jnp.int32), jnp.int32(25))
    assert int(lost.width) == 6  # 40 is out of reach, so 40 - 15 is missed, and nothing is claimed
    assert not np.any(lost.mask)
    assert int(solve(jnp.zeros(5, jnp.int32), jnp.int32(1000)).width) == 6


def test_evaluation_is_that_of_fractions():
    """Deep networks with rounding at every layer, and at every second one."""
    rng = np.random.default_rng(8)
    weights = [rng.integers(-4, 5, shape) for shape in ((3, 2), (2, 3), (2, 2), (1, 2))]
    inputs = np.array([[a, b] for a in range(-8, 9, 3) for b in range(-8, 9, 2)])
    for divisors in ((4, 4, 4, 4), (1, 16, 1, 16)):
        values = audit.evaluate(
            tuple(jnp.array(each, jnp.int32) for each in weights),
            jnp.array(inputs, jnp.int32),
            divisors=divisors,
        )
        roundings = [None if divisor == 1 else Fraction(1, 8) for divisor in divisors[:-1]]
        for point, value in zip(inputs.tolist(), np.asarray(values).tolist(), strict=True):
            exact = outputs(
                weights, [4] * 4, [Fraction(each, 8) for each in point], [*roundings, None]
            )
            assert [Fraction(each, 8 * divisors[-1]) for each in value] == exact
            assert round_to(exact[0], Fraction(1, 8)) == Fraction(
                int(audit.round_nearest(jnp.int32(value[0]), divisors[-1])), 8
            )


def test_every_input_of_the_grid_is_compared():
    inputs = np.asarray(audit._inputs(root(0), jnp.arange(289, dtype=jnp.int32), 2, 3))
    assert {tuple(point) for point in inputs.tolist()} == {
        (a, b) for a in range(-8, 9) for b in range(-8, 9)
    }
    assert audit.num_checked(2, 3) == 289
    # One input of 289 where the networks differ, and no other, is counted.
    ours = (jnp.array([[8, 8]], jnp.int32),)
    theirs = (jnp.array([[8, 0], [0, 8], [8, 8]], jnp.int32), jnp.array([[0, 0, 1]], jnp.int32))
    other = audit.differences(
        root(0), theirs, ours, pruned_divisors=(1, 8), target_divisors=(8,), bits=3
    )
    assert int(other.exact) == 136  # where x + y < 0, which the ReLU removes
    assert int(other.rounded) == 136
    half = (jnp.array([[4, 4]], jnp.int32),)
    all_others = audit.differences(
        root(0), half, ours, pruned_divisors=(8,), target_divisors=(8,), bits=3
    )
    # All but x + y = 0, the first and the last input included.
    assert int(all_others.exact) == int(all_others.rounded) == 289 - 17


def test_a_large_grid_is_checked_at_all_corners_and_at_random():
    dim = 6
    assert not audit.is_whole_grid(dim, 4)
    total = audit.num_checked(dim, 4)
    assert total == 2**dim + 2**16
    inputs = np.asarray(audit._inputs(root(0), jnp.arange(2000, dtype=jnp.int32), dim, 4))
    assert len({tuple(point) for point in inputs[: 2**dim].tolist()}) == 2**dim
    assert np.all(np.abs(inputs[: 2**dim]) == 16)
    assert set(np.unique(inputs[2**dim :])) == set(range(-16, 17))


def test_the_last_input_of_a_partial_chunk_is_compared():
    """x + y rounds up at the largest input of both alone: the last of 33^2, and of two chunks."""
    assert audit.num_checked(2, 4) == 33**2 > audit.CHUNK
    ours = (jnp.array([[1, 1]], jnp.int32), jnp.array([[1]], jnp.int32))
    zero = (jnp.zeros((1, 2), jnp.int32),)
    for divisor, others in ((63, 1), (65, 0)):  # 31 < 63 / 2 < 32 < 65 / 2
        other = audit.differences(
            root(0), ours, zero, pruned_divisors=(divisor, 1), target_divisors=(1,), bits=4
        )
        assert int(other.exact) == int(other.rounded) == others


def test_corners_of_many_inputs_are_drawn_with_both_signs():
    draw = jax.jit(lambda key: audit._inputs(key, jnp.arange(64, dtype=jnp.int32), 17, 4))
    inputs = np.asarray(draw(root(0)))
    assert np.all(np.abs(inputs) == 16)
    assert np.all(inputs.min(axis=0) == -16)
    assert np.all(inputs.max(axis=0) == 16)
    assert len({tuple(point) for point in inputs.tolist()}) > 1
