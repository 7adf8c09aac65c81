"""First widths against Python sets, draw by draw, and the widths that theory expects."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys, root
from lottery_jax.montecarlo.counts import collect_counts
from lottery_jax.montecarlo.threshold import invert
from lottery_jax.quantized import construction, layer_widths, weight_widths
from tests.oracles.quantized_network import all_sums, first_width, weight_items


@functools.cache
def solver(bits: int):
    return jax.jit(functools.partial(weight_widths.first_widths, bits=bits))


@pytest.mark.parametrize(("bits", "num_units"), [(3, 40)])
def test_first_widths_are_those_of_sets(bits, num_units):
    largest = 2**bits
    targets = [weight * largest for weight in range(-largest, largest + 1)]
    for seed in range(15):
        items = weight_widths.draw(root(seed), bits=bits, law="product", num_units=num_units)
        found = solver(bits)(items, jnp.array(targets, jnp.int32))
        wanted = [first_width(items.tolist(), [target]) for target in targets]
        assert found.certain.tolist() == wanted
        assert found.possible.tolist() == wanted  # the sums stay inside


def test_sums_by_enumeration():
    items = weight_widths.draw(root(5), bits=2, law="product", num_units=9)
    found = solver(2)(items, jnp.arange(-16, 17, dtype=jnp.int32))
    sums = all_sums(items.tolist())
    assert (found.certain <= 9).tolist() == [target in sums for target in range(-16, 17)]


def test_draws_are_nested():
    few, many = (
        jax.jit(functools.partial(weight_widths.draw, bits=3, law="product", num_units=number))
        for number in (4, 9)
    )
    assert few(root(1)).tolist() == many(root(1))[:4].tolist()


def test_sums_that_leave_the_range_are_left_open():
    """17 items of K² pass 16 K², and -17 K² of smaller ones come back to the target 1."""
    items = jnp.array([4] * 17 + [-4] * 17 + [1], jnp.int32)
    found = solver(1)(items, jnp.array([1, 4], jnp.int32))
    assert found.certain.tolist() == [35, 1]
    assert found.possible.tolist() == [17, 1]
    odd = solver(1)(jnp.array([4] * 15 + [-4] * 15 + [2], jnp.int32), jnp.array([1], jnp.int32))
    assert odd.certain.tolist() == odd.possible.tolist() == [32]


def test_counts_are_those_of_the_draws():
    count = jax.jit(weight_widths.experiment(bits=2, cap=20).count or pytest.fail)
    for seed in range(8):
        of_target, of_units = keys.items(root(seed), 2)
        items = weight_widths.draw(of_units, bits=2, law="product", num_units=20).tolist()
        weight = int(weight_widths.sample(of_target, (), bits=2))
        found = count(root(seed), {})
        every = first_width(items, [4 * each for each in range(-4, 5)])
        assert np.flatnonzero(found["all_certain"]).tolist() == [every]
        assert np.flatnonzero(found["one_possible"]).tolist() == [first_width(items, [4 * weight])]


def test_a_layer_needs_what_its_worst_sum_needs():
    experiment = layer_widths.experiment(bits=1, num_inputs=2, num_outputs=3, cap=16)
    count = jax.jit(experiment.count or pytest.fail)
    for seed in range(12):
        of_target, of_network = keys.items(root(seed), 2)
        target = construction.draw_target(of_target, num_outputs=3, num_inputs=2, bits=1)
        instance = construction.draw(of_network, target, bits=1, num_units=16)
        first, second = np.asarray(instance.first), np.asarray(instance.second)
        widths = [
            first_width(
                weight_items(first, second, (side, column, row)),
                [(1 - 2 * side) * 2 * int(target[row, column])],
            )
            for side in range(2)
            for column in range(2)
            for row in range(3)
        ]
        assert np.flatnonzero(count(root(seed), {})["certain"]).tolist() == [max(widths)]


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (3, 41),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((4, 43), (5, 46), (6, 48))),
    ],
)
def test_90_percent_widths_are_near_those_of_theory(bits, expected):
    counts = collect_counts(
        weight_widths.experiment(bits=bits), key=root(11), trials=1024, progress=False
    )
    certain, possible = (
        counts.totals[f"all_{name}"][:-1].cumsum() for name in ("certain", "possible")
    )
    _, low, high = invert(certain, possible, counts.trials, 0.9, 1 - 1e-6)
    assert low - 1 <= expected <= high + 1  # theory's widths are stated to about a unit
    assert not low <= expected - 9 <= high


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 9}, "use at most 8"),
        ({"bits": 3, "law": "normal"}, "law='normal'"),
        ({"bits": 3, "cap": 0}, "cap=0"),
        ({"bits": 3, "cap": 300}, "from 1 to 256"),
        ({"bits": -1}, "bits=-1"),
    ],
)
def test_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        weight_widths.experiment(**settings)


def test_layers_are_refused():
    with pytest.raises(ValueError, match="num_outputs=0"):
        layer_widths.experiment(bits=3, num_inputs=1, num_outputs=0)
    with pytest.raises(ValueError, match="use at most 1024"):
        layer_widths.experiment(bits=3, num_inputs=64, num_outputs=64)
