"""Random subset sums of vectors: decisions and first widths, draw by draw."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.montecarlo import identity, threshold
from lottery_jax.random_subset_sum import vectors
from tests.oracles.random_subset_sum import (
    covers_cube,
    least_epsilons_of_interval,
    least_epsilons_of_target,
)
from tests.oracles.subset_sum import all_sums

COUNT, MOST = 16, 11
LANES = keys.items(keys.root(13), COUNT)


@functools.partial(jax.jit, static_argnums=0)
def run(function, argument, parameters):
    """One outcome for each of the first keys."""
    return jax.lax.map(lambda key: function(key, argument, parameters), LANES)


def decide(experiment, name, argument):
    function = getattr(experiment, name)
    return jax.tree.map(np.asarray, run(function, jnp.float32(argument), experiment.scalars()))


@functools.cache
def drawn(dim, num_items=MOST):
    return jax.vmap(lambda key: vectors.draw(key, dim=dim, num_items=num_items))(LANES)


@functools.cache
def truth_of_target(dim):
    """The least ε of every draw (rows) at 0, 1, ..., 11 items (columns)."""
    instances = (np.float64(field) for field in drawn(dim))
    return np.array([least_epsilons_of_target(*draw) for draw in zip(*instances, strict=True)])


def first_of(is_success, width):
    """The smallest number of items with a success in each row, up to that width."""
    first = np.where(is_success.any(axis=1), is_success.argmax(axis=1), is_success.shape[1])
    return np.minimum(first, width + 1)


def test_draws_are_nested():
    few, many = drawn(2, 4), drawn(2)
    np.testing.assert_array_equal(few.items, many.items[:, :4])
    np.testing.assert_array_equal(few.target, many.target)
    assert np.abs(many.target).max() <= 1


@pytest.mark.parametrize("dim", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_one_target_is_decided_as_the_oracle_does(dim):
    truth = truth_of_target(dim)
    epsilons = np.float32([1.0, 0.5, 0.2, 0.1, 0.03, 3e-3])
    for width in (1, 7, MOST):
        trial = decide(vectors.experiment(dim=dim, width=width), "trial", epsilons)
        np.testing.assert_array_equal(trial.hits, truth[:, [width]] <= epsilons.astype(np.float64))
        assert not trial.undecided.any()
    for epsilon in (0.5, 0.2, 0.05):
        first = decide(vectors.experiment(dim=dim, width=MOST), "first_width", epsilon)
        expected = first_of(truth <= np.float64(np.float32(epsilon)), MOST)
        np.testing.assert_array_equal(first.certain, expected)
        np.testing.assert_array_equal(first.possible, expected)


def test_all_targets_of_a_line_as_sorted_sums_say():
    items = np.float64(drawn(1).items)[..., 0]
    truth = np.array([least_epsilons_of_interval(each, -1.0, 1.0) for each in items])
    for epsilon in (1.2, 0.5, 0.1):
        first = decide(vectors.experiment(dim=1, width=MOST, event="cube"), "first_width", epsilon)
        expected = first_of(truth <= np.float64(np.float32(epsilon)), MOST)
        np.testing.assert_array_equal(first.certain, expected)
        np.testing.assert_array_equal(first.possible, expected)


def test_all_targets_of_a_square_as_brute_force_says():
    items = np.float64(drawn(2).items)
    epsilons = np.float32([1.1, 0.8, 0.5])
    for width in (0, 7, 9, MOST):
        # A program takes the width as a number, and the width 0 as well.
        trial = vectors.experiment(dim=2, width=max(width, 1), event="cube").trial
        trial = jax.tree.map(np.asarray, run(trial, epsilons, {"width": np.int32(width)}))
        truth = [[covers_cube(each[:width], float(e)) for e in epsilons] for each in items]
        np.testing.assert_array_equal(trial.hits, truth)
        assert not trial.undecided.any()


@pytest.mark.slow
def test_first_widths_for_a_square_as_brute_force_says():
    items = np.float64(drawn(2).items)
    for epsilon in np.float32([0.8, 0.5]):
        experiment = vectors.experiment(dim=2, width=MOST, event="cube")
        first = decide(experiment, "first_width", epsilon)
        truth = [[covers_cube(x[:n], float(epsilon)) for n in range(MOST + 1)] for x in items]
        expected = first_of(np.array(truth), MOST)
        assert (expected <= MOST).any()
        np.testing.assert_array_equal(first.certain, expected)
        np.testing.assert_array_equal(first.possible, expected)


def test_sums_in_the_cube_are_all_listed_or_said_to_be_missing():
    items = drawn(2).items[0]
    sums = all_sums(items)
    inside = sums[(np.abs(sums) <= 1.1).all(axis=1)]
    near = vectors.sums_in_cube(items, jnp.int32(MOST), jnp.float32(1.1), capacity=2048)
    assert near.is_complete
    assert int(near.count) == len(inside)
    found = np.asarray(near.sums[: len(inside)])
    np.testing.assert_allclose(
        found[np.lexsort(found.T)], inside[np.lexsort(inside.T)], rtol=0, atol=1e-6
    )


def test_lists_that_overflow_leave_draws_open(monkeypatch):
    monkeypatch.setattr(
        vectors, "sums_in_cube", functools.partial(vectors.sums_in_cube, capacity=32)
    )
    decided = jax.jit(
        lambda item: vectors.decide_cube(
            vectors.Instance(item, item[0]), jnp.float32(0.3), jnp.int32(MOST)
        )
    )
    for items in drawn(2).items[:4]:
        answer = decided(items)
        assert not answer.is_certain
        assert answer.is_possible
        assert answer.is_over


def test_one_program_serves_all_widths():
    small, large = vectors.experiment(dim=2, width=3), vectors.experiment(dim=2, width=40)
    assert small.first_width is large.first_width
    cube = vectors.experiment(dim=2, width=3, event="cube")
    names = [
        identity(each, epsilons=(0.1,), key=keys.root(1), kind="success")
        for each in (small, large, small.at_width(40), cube)
    ]
    assert len(set(names)) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"event": "interval"}, "event='interval' must be 'target'.*'cube'"),
        ({"dim": 0}, "dim=0 must be an integer from 1 to 8"),
        ({"dim": 9}, "dim=9"),
        ({"dim": True}, "dim=True"),
        ({"width": 0}, "width=0"),
        ({"width": 65}, "width=65 must be an integer from 1 to 64.*larger epsilon"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        vectors.experiment(**{"dim": 2, "width": 10} | settings)


@pytest.mark.slow
@pytest.mark.parametrize(("dim", "epsilon", "width"), [(2, 0.03, 16), (6, 0.5, 24)])
def test_medians_exceed_what_counting_needs(dim, epsilon, width):
    found = threshold(
        vectors.experiment(dim=dim, width=width),
        key=keys.root(2),
        epsilon=epsilon,
        trials=256,
        progress=False,
    )
    assert found.undecided == 0
    assert found.width_low >= -dim * np.log2(epsilon) - 1
