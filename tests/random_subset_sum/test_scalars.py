"""Random subset sums of numbers: draws, decisions and first widths, draw by draw."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.montecarlo import identity, threshold
from lottery_jax.random_subset_sum import scalars
from tests.oracles.random_subset_sum import (
    least_epsilons_of_interval,
    least_epsilons_of_target,
)

EPSILONS = 0.6, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4
COUNT, MOST = 40, 14
LAWS = "uniform", "product_normal", "normal"
LANES = keys.items(keys.root(11), COUNT)


@functools.partial(jax.jit, static_argnums=0)
def run(function, argument, parameters):
    """One outcome for each of the first keys."""
    return jax.lax.map(lambda key: function(key, argument, parameters), LANES)


def decide(experiment, name, argument):
    function = getattr(experiment, name)
    return jax.tree.map(np.asarray, run(function, jnp.float32(argument), experiment.scalars()))


@functools.cache
def drawn(law, num_items):
    code = jnp.int32(LAWS.index(law))
    return jax.vmap(lambda key: scalars.draw(key, code, num_items=num_items))(LANES)


@functools.cache
def truth(event, law):
    """The least ε of every draw (rows) at 0, 1, ..., 14 items (columns)."""
    instances = [np.float64(field) for field in drawn(law, MOST)]
    if event == "target":
        return np.array([least_epsilons_of_target(*draw) for draw in zip(*instances, strict=True)])
    return np.array([least_epsilons_of_interval(items, -0.5, 0.5) for items in instances[0]])


@pytest.mark.parametrize("law", LAWS)
def test_draws_are_nested_and_follow_their_law(law):
    few, many = drawn(law, 5), drawn(law, MOST)
    np.testing.assert_array_equal(few.items, many.items[:, :5])
    np.testing.assert_array_equal(few.target, many.target)
    assert np.abs(many.target).max() <= 0.5
    assert len(np.unique(many.items)) == COUNT * MOST
    items = np.asarray(many.items)
    assert (np.abs(items).max() > 1) == (law != "uniform")
    # 560 items: six standard errors of their mean square.
    variance, fourth = {"uniform": (1 / 3, 1 / 5), "product_normal": (1, 9), "normal": (1, 3)}[law]
    error = np.sqrt((fourth - variance**2) / items.size)
    assert abs(np.mean(items**2) - variance) < 6 * error


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("event", ["target", "interval"])
@pytest.mark.parametrize("width", [1, 6, 13])
def test_trial_decides_every_draw_as_the_oracle_does(event, law, width):
    trial = decide(scalars.experiment(event=event, law=law, width=width), "trial", EPSILONS)
    epsilons = np.float32(EPSILONS).astype(np.float64)
    np.testing.assert_array_equal(trial.hits, truth(event, law)[:, [width]] <= epsilons)
    assert not trial.undecided.any()


@pytest.mark.parametrize("law", ["uniform", "product_normal"])
@pytest.mark.parametrize("event", ["target", "interval"])
@pytest.mark.parametrize("epsilon", [0.6, 0.1, 3e-3])
def test_first_width_is_the_smallest_that_succeeds(event, law, epsilon):
    experiment = scalars.experiment(event=event, law=law, width=MOST)
    first = decide(experiment, "first_width", epsilon)
    is_success = truth(event, law) <= np.float64(np.float32(epsilon))
    expected = np.where(is_success.any(axis=1), is_success.argmax(axis=1), MOST + 1)
    np.testing.assert_array_equal(first.certain, expected)
    np.testing.assert_array_equal(first.possible, expected)
    # The same draws, cut short.
    cut = decide(experiment.at_width(5), "first_width", epsilon)
    np.testing.assert_array_equal(cut.certain, np.minimum(expected, 6))


def test_trial_decides_on_both_sides_of_the_least_epsilon():
    # Accuracies a little above and below the least ε of one draw after the other.
    experiment = scalars.experiment(width=10)
    for least in truth("target", "uniform")[:12, 10]:
        epsilons = np.float32(least * np.array([1 - 1e-5, 1 + 1e-5, 2, 3, 4, 5, 6]))
        outcome = decide(experiment, "trial", epsilons)
        assert not outcome.undecided.any()
        expected = truth("target", "uniform")[:, [10]] <= epsilons.astype(np.float64)
        np.testing.assert_array_equal(outcome.hits, expected)


def test_what_rounding_cannot_tell_is_reported():
    least = np.float32(truth("target", "uniform")[0, 10])
    outcome = decide(scalars.experiment(width=10), "trial", least * np.float32([1, *range(3, 9)]))
    assert outcome.undecided[0].tolist() == [True] + [False] * 6
    assert not np.any(outcome.undecided & outcome.hits)


def test_one_program_serves_laws_and_widths():
    small, large = scalars.experiment(width=3), scalars.experiment(width=20, law="product_normal")
    assert small.trial is large.trial
    assert small.first_width is large.first_width
    some = [small, large, small.at_width(20), scalars.experiment(width=3, event="interval")]
    some += [scalars.experiment(width=3)]
    names = [identity(e, epsilons=(0.1,), key=keys.root(1), kind="success") for e in some]
    assert len(set(names)) == 4
    assert {each.bound for each in some} == {"exact"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"event": "cube"}, "event='cube'.*vectors"),
        ({"law": "cauchy"}, "law='cauchy' must be one of uniform, product_normal, normal"),
        ({"width": 0}, "width=0 must be an integer from 1 to 28"),
        ({"width": 29}, "width=29.*use a larger epsilon"),
        ({"width": True}, "width=True"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        scalars.experiment(**{"width": 10} | settings)


def test_median_of_all_targets():
    found = threshold(
        scalars.experiment(width=10, event="interval"),
        key=keys.root(1),
        epsilon=0.1,
        trials=256,
        progress=False,
    )
    assert found.undecided == 0
    # Counting needs log2(1 / 0.1) - 1 = 2.3 items, and 3 to 5 more than one target (3) is expected.
    assert 5 <= found.width_low <= found.width_high <= 8


@pytest.mark.slow
@pytest.mark.parametrize(("law", "constant"), [("uniform", -0.7), ("product_normal", -0.2)])
def test_items_per_bit_of_one_target(law, constant):
    for epsilon in (1e-2, 1e-4, 1e-6):
        found = threshold(
            scalars.experiment(width=20, law=law),
            key=keys.root(1),
            epsilon=epsilon,
            trials=4096,
            progress=False,
        )
        expected = 1.08 * np.log2(1 / epsilon) + constant
        # The smallest whole number is up to one larger; the line is known to about a half.
        assert found.width_low - 1.5 <= expected <= found.width_high + 0.5


@pytest.mark.slow
def test_accuracies_of_a_millionth_are_decided():
    for event, law in (("target", "uniform"), ("target", "product_normal"), ("interval", "normal")):
        experiment = scalars.experiment(event=event, law=law, width=25)
        first = decide(experiment, "first_width", 1e-6 if event == "target" else 1e-5)
        assert np.mean(first.possible < first.certain) <= 0.05
