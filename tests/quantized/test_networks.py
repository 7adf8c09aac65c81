"""Networks of several layers, by depth 2 l and by copies: found, pruned, equal in fractions."""

import functools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys, root
from lottery_jax.quantized import copies, layers, networks
from tests.oracles.quantized_network import first_width, outputs

WIDTHS = (2, 2, 1)
PAIRS = layers.Design(WIDTHS, bits=1, target_bits=1, num_units=20)
COPIES = copies.Design(WIDTHS, bits=1, target_bits=1, num_units=36, num_copies=9)
HALF = Fraction(1, 2)


def is_equal(weights, roundings, target) -> bool:
    """On all 25 inputs of the grid of halves, both networks in fractions, rounded to halves."""
    for point in np.ndindex(5, 5):
        inputs = [Fraction(each - 2, 2) for each in point]
        ours = outputs(weights, [2] * len(weights), inputs, roundings)
        if ours != outputs(target, [2] * len(target), inputs, [HALF] * len(target)):
            return False
    return True


def as_arrays(weights) -> list[np.ndarray]:
    return [np.asarray(each) for each in weights]


@functools.cache
def pairs():
    def solve(key):
        instances = layers.draw(key, PAIRS)
        return instances, layers.search(instances, PAIRS)

    return jax.jit(solve), jax.jit(layers.lift)


@functools.cache
def with_copies_solver():
    def solve(key):
        instance = copies.draw(key, COPIES)
        return instance, copies.search(instance, COPIES)

    return jax.jit(solve), jax.jit(copies.lift)


def test_two_layers_for_each_layer():
    solve, lift = pairs()
    served = []
    for seed in range(16):
        instances, found = solve(root(seed))
        for units in (8, 20):
            weights = as_arrays(lift(instances, found, jnp.int32(units)))
            assert [each.shape for each in weights] == [(80, 2), (2, 80), (80, 2), (1, 80)]
            drawn = [matrix for each in instances for matrix in (each.first, each.second)]
            for kept, all_of in zip(weights, drawn, strict=True):
                assert np.all((kept == 0) | (kept == np.asarray(all_of)))
            served.append(bool(layers.is_served(found, jnp.int32(units))))
            equal = is_equal(weights, [None, HALF] * 2, as_arrays(layers.target(instances)))
            assert equal or not served[-1]
    assert sum(served) in range(1, len(served))


def test_one_layer_more_with_copies():
    solve, lift = with_copies_solver()
    served = []
    for seed in range(16):
        instance, found = solve(root(seed))
        target = as_arrays(copies.target(instance))
        assert [each.shape for each in target] == [(2, 2), (1, 2)]
        _check_later(instance, found, target[1])
        for units, number in ((20, 5), (36, 9)):
            sizes = jnp.int32(units), jnp.int32(number)
            weights = as_arrays(lift(instance, found, *sizes))
            assert [each.shape for each in weights] == [(144, 2), (18, 144), (1, 18)]
            drawn = [instance.first.first, instance.first.second, instance.later[0].weights]
            for kept, all_of in zip(weights, drawn, strict=True):
                assert np.all((kept == 0) | (kept == np.asarray(all_of).reshape(kept.shape)))
            served.append(bool(copies.is_served(found, *sizes)))
            assert not np.any(weights[2].reshape(2, 9)[:, number:])
            equal = is_equal(weights, [None, HALF, HALF], target)
            assert equal or not served[-1]
    assert sum(served) in range(1, len(served))


def _check_later(instance, found, target):
    """Every weight between copies is a subset sum, found at the fewest of them."""
    for place in np.ndindex(found.widths[0].shape):
        items = np.asarray(instance.later[0].weights[place])
        wanted = int(target[place[0], place[2]])
        width = int(found.widths[0][place])
        assert width == first_width(items.tolist(), [wanted])
        kept = int(items @ np.asarray(found.masks[0][place]))
        assert kept == (wanted if width <= items.size else 0)


def test_one_layer_alone_needs_no_copies():
    design = copies.Design((2, 1), bits=1, target_bits=1, num_units=12, num_copies=3)
    instance = jax.eval_shape(lambda: copies.draw(root(0), design))
    assert instance.first.target.shape == (1, 2)
    assert copies.num_parameters(design) == layers.num_parameters(
        layers.Design((2, 1), bits=1, target_bits=1, num_units=12)
    )
    assert copies.divisors(design) == ((1, 4), (2,))


def test_a_finer_random_network_serves_a_coarser_target():
    """δ = 1/4 and δ_t = 1/2: targets are multiples of 8 in units of δ²."""
    design = layers.Design((1, 1), bits=2, target_bits=1, num_units=24)
    solve = jax.jit(
        lambda key: (lambda it: (it, layers.search(it, design)))(layers.draw(key, design))
    )
    served = 0
    for seed in range(6):
        instances, found = solve(root(seed))
        weights = as_arrays(layers.lift(instances, found, jnp.int32(24)))
        target = int(instances[0].target[0, 0])
        assert abs(target) <= 2
        if bool(layers.is_served(found, jnp.int32(24))):
            served += 1
            for point in (Fraction(1, 4), Fraction(-3, 4)):
                assert outputs(weights, [4, 4], [point], [None, None]) == [
                    Fraction(target, 2) * point
                ]
    assert served
    assert layers.divisors(design) == ((1, 16), (2,))


def test_a_served_network_that_differs_is_counted_as_broken(monkeypatch):
    """The control of the count that must stay zero: outputs of the wrong sign, where not 0."""
    lift = layers.lift
    monkeypatch.setattr(layers, "lift", lambda *each: (lift(*each)[0], -lift(*each)[1]))
    count = networks._count.__wrapped__((1, 1), 1, (24,), 1)  # not kept: others mean the true lift
    design = layers.Design((1, 1), bits=1, target_bits=1, num_units=24)

    @jax.jit
    def solve(key):
        return count(key, {}), layers.draw(keys.items(key, 2)[0], design)[0].target

    served = broken = 0
    for seed in range(24):
        counts, target = solve(root(seed))
        is_served, is_broken = (bool(counts[name][0]) for name in ("served", "broken"))
        assert is_broken == (is_served and int(target[0, 0]) != 0)
        served, broken = served + is_served, broken + is_broken
    assert 0 < broken < served < 24


@pytest.mark.slow
@pytest.mark.parametrize("with_copies", [False, True])
def test_the_experiment_counts_what_fractions_say(with_copies):
    sizes = ((20, 5), (36, 9)) if with_copies else (8, 20)
    experiment = networks.experiment(widths=WIDTHS, bits=1, sizes=sizes)
    count = jax.jit(experiment.count or pytest.fail)
    for seed in range(6):
        counts = count(root(seed), {})
        assert counts["broken"].tolist() == [0, 0]
        assert np.all(np.asarray(counts["served"]) <= np.asarray(counts["equal"]))
        key = keys.items(root(seed), 2)[0]
        if with_copies:
            instance, found = with_copies_solver()[0](key)
            lifted = [
                copies.lift(instance, found, jnp.int32(units), jnp.int32(number))
                for units, number in ((20, 5), (36, 9))
            ]
            target, roundings = copies.target(instance), [None, HALF, HALF]
        else:
            instances, found = pairs()[0](key)
            lifted = [layers.lift(instances, found, jnp.int32(units)) for units in (8, 20)]
            target, roundings = layers.target(instances), [None, HALF, None, HALF]
        equal = [is_equal(as_arrays(each), roundings, as_arrays(target)) for each in lifted]
        assert counts["equal"].tolist() == equal


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": (2,), "bits": 3, "sizes": (8,)}, "inputs and outputs"),
        ({"widths": (2, 2), "bits": 3, "sizes": (0,)}, "at least 1"),
        ({"widths": (2, 2), "bits": 3, "sizes": ()}, "numbers of units"),
        ({"widths": (2, 2), "bits": 15, "sizes": (8,)}, "from 0 to 14"),
        ({"widths": (2, 2), "bits": 9, "sizes": (64,)}, "bytes for each search"),
        ({"widths": (6,) * 4, "bits": 6, "sizes": (64,)}, "use at most 37 units"),
        ({"widths": (6,) * 4, "bits": 6, "sizes": ((37, 2**12),)}, "copies"),
        ({"widths": (4096, 4096), "bits": 1, "sizes": (32,)}, "for each draw; use narrower layers"),
        ({"widths": (256, 256), "bits": 1, "sizes": (32, 96)}, "use at most 31 units"),
        ({"widths": (9, 9, 9), "bits": 1, "sizes": ((2, 2**16),)}, "use fewer copies or narrower"),
    ],
)
def test_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        networks.experiment(**settings)


def test_sizes_are_all_units_or_all_pairs():
    """Before they are unpacked; the annotations, checked in tests alone, say the same."""
    for sizes in (((16, 4, 5),), (16, (16, 4)), ((16,),)):
        with pytest.raises(ValueError, match="pairs of units and copies"):
            networks._check_sizes((2, 2), sizes)


def test_the_bytes_of_a_draw_hold_its_matrices():
    """Drawn and pruned, four bytes each: where layers are wide they outweigh the searches."""
    experiment = networks.experiment(widths=(64, 64), bits=1, sizes=(32,))
    parameters = 2 * 32 * 64 * (64 + 64)
    assert experiment.bytes_per_draw is not None
    assert experiment.bytes_per_draw() > 8 * parameters
