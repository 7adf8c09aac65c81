"""Weight pruning as an experiment: successes and first widths, draw by draw."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import identity
from lottery_jax.weight_pruning import experiment, reduction
from tests.oracles.weight_pruning import least_criterion

EPSILONS = 0.8, 0.4, 0.1, 0.01, 1e-3
DIM, RADIUS, COUNT = 2, 2.0, 60


@functools.partial(jax.jit, static_argnums=0)
def run(function, argument, parameters):
    """One outcome for each of the first keys."""
    lanes = keys.items(keys.root(11), COUNT)
    return jax.lax.map(lambda key: function(key, argument, parameters), lanes)


def decide(function, argument, *, width):
    parameters = {"width": jnp.int32(width), "radius": jnp.float32(RADIUS)}
    return jax.tree.map(np.asarray, run(function, jnp.float32(argument), parameters))


@pytest.fixture(scope="module")
def truth():
    """The least criterion of every draw (rows) at every width 0, 1, ..., 50 (columns)."""
    draws = [
        reduction.draw(key, dim=DIM, num_neurons=50) for key in keys.items(keys.root(11), COUNT)
    ]
    return RADIUS * np.array(
        [[least_criterion(*map(np.asarray, each), width) for width in range(51)] for each in draws]
    )


@pytest.mark.parametrize("width", [9, 40])
def test_trial_decides_every_draw_as_the_oracle_does(truth, width):
    trial = decide(experiment(dim=DIM, width=width).trial, EPSILONS, width=width)
    epsilons = np.float32(EPSILONS).astype(np.float64)
    np.testing.assert_array_equal(trial.hits, truth[:, [width]] <= epsilons)
    assert not trial.undecided.any()


def test_sums_left_early_do_not_leave_draws_open(truth):
    # Criteria just above the smallest epsilon, of every draw in turn.
    trial = experiment(dim=DIM, width=30).trial
    for criterion in truth[:, 30]:
        epsilons = np.float32(criterion * np.array([0.999, 1.1, 2, 3, 4]))
        outcome = decide(trial, epsilons, width=30)
        assert not outcome.undecided.any()
        np.testing.assert_array_equal(outcome.hits, truth[:, [30]] <= epsilons.astype(np.float64))


@pytest.mark.parametrize("epsilon", [3.0, 0.4, 0.02])
def test_first_width_is_where_the_oracle_first_succeeds(truth, epsilon):
    function = experiment(dim=DIM, width=50).first_width
    first = decide(function, epsilon, width=50)
    is_success = truth <= np.float64(np.float32(epsilon))
    expected = np.where(is_success.any(axis=1), is_success.argmax(axis=1), 51)
    np.testing.assert_array_equal(first.certain, expected)
    np.testing.assert_array_equal(first.possible, expected)
    # The same draws, cut short: nested widths.
    cut = decide(function, epsilon, width=20)
    np.testing.assert_array_equal(cut.certain, np.minimum(expected, 21))


def test_what_rounding_cannot_decide_is_reported():
    # Sums of 28 items are nearer to each other than their 28 bits tell: at 1e-9 some draws are
    # open (others reach the target exactly, on the grid of float32 numbers).
    first = decide(experiment(dim=DIM, width=120).first_width, 1e-9, width=120)
    assert np.all(first.possible <= first.certain)
    assert np.mean(first.possible < first.certain) > 0.2
    trial = decide(experiment(dim=DIM, width=120).trial, (0.5, 0.1, 1e-3, 1e-8, 1e-9), width=120)
    assert trial.undecided[:, -1].any()
    assert not np.any(trial.undecided & trial.hits)
    assert trial.hits[:, :3].all()


def test_one_program_serves_all_widths_and_radii():
    small, large = experiment(dim=3, width=4), experiment(dim=3, width=190, radius=1.0)
    assert small.trial is large.trial
    assert small.first_width is large.first_width
    names = [
        identity(each, epsilons=(0.1,), key=keys.root(1), kind="success")
        for each in (small, large, small.at_width(5), experiment(dim=3, width=5))
    ]
    assert len(set(names)) == 3
    assert small.at_width(5).settings == experiment(dim=3, width=5).settings
    assert small.bound == "lower"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output": "linear"}, "output='linear'.*weight_pruning.few_neurons"),
        ({"dim": 0}, "dim=0"),
        ({"dim": True}, "dim=True"),
        ({"width": 0}, "width=0"),
        ({"width": 129}, "width=129 must be an integer from 1 to 128"),
        ({"radius": 0.0}, "radius=0.0"),
        ({"radius": float("inf")}, "radius=inf"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        experiment(**{"dim": 2, "width": 10} | settings)
