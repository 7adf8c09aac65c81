"""Success of neuron pruning: closed forms, and messages for settings that make no sense."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gamma, kv

import lottery_jax as lj
from lottery_jax import geometry
from lottery_jax.core import enable_x64
from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.estimates import Estimates
from lottery_jax.neuron_pruning import reduction, single_neuron

FALSE_ALARM = 1e-6


def assert_probability(estimates: Estimates, expected: float) -> None:
    """The true probability lies inside exact limits that a right program leaves once in 10^6."""
    low, high = limits_exact(
        estimates.hits, estimates.trials, undecided=estimates.undecided, confidence=1 - FALSE_ALARM
    )
    assert low[0] <= expected <= high[0]


@pytest.mark.parametrize("dim", [2, 3, 5, 8])
def test_one_neuron_rescaled(dim):
    experiment = single_neuron.experiment(dim=dim, radius=1.0)
    found = lj.estimate(experiment, key=lj.key(1), trials=100_000, epsilons=[0.6], progress=False)
    expected = single_neuron.success_rescaled(dim, 0.6)
    assert_probability(found, expected)
    with pytest.raises(AssertionError):
        assert_probability(found, expected * 1.5)


@pytest.mark.parametrize("dim", [2, 3, 5, 8])
def test_one_neuron_as_it_is(dim):
    experiment = lj.neuron_pruning.experiment(dim=dim, width=1, max_kept=1, radius=1.0)
    assert experiment.bound == "exact"
    found = lj.estimate(experiment, key=lj.key(2), trials=30_000, epsilons=[0.7], progress=False)
    expected = single_neuron.success_gaussian(dim, 0.7)
    assert_probability(found, expected)
    with pytest.raises(AssertionError):
        assert_probability(found, expected * 3)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3, 5, 8])
def test_one_neuron_in_a_million_draws(dim):
    epsilons = [0.3, 0.6, 0.9]
    for experiment, expected in (
        (single_neuron.experiment(dim=dim, radius=1.0), single_neuron.success_rescaled),
        (
            lj.neuron_pruning.experiment(dim=dim, width=1, max_kept=1, radius=1.0),
            single_neuron.success_gaussian,
        ),
    ):
        found = lj.estimate(
            experiment, key=lj.key(3), trials=10**6, epsilons=epsilons, progress=False
        )
        low, high = limits_exact(
            found.hits, found.trials, undecided=found.undecided, confidence=1 - FALSE_ALARM
        )
        truth = np.array([expected(dim, epsilon) for epsilon in epsilons])
        assert np.all((low <= truth) & (truth <= high))
        print(experiment.name, dim, found.hits, found.undecided, truth * found.trials)


@pytest.mark.parametrize("dim", [2, 3, 6])
def test_the_integral_of_the_gaussian_neuron(dim):
    """The same probability by brute force over angle and strength, from the error alone."""
    epsilon = 0.5
    order = (dim - 1) / 2
    angles = np.linspace(0, np.arcsin(epsilon), 401)
    strengths = np.linspace(0.3, 2.0, 1201)
    works = [[single_neuron.error(s, a) <= epsilon for s in strengths] for a in angles]
    density = strengths**order * kv(order, strengths) / (np.sqrt(np.pi) * 2**order)
    grid = np.array(works) * density[None] / gamma(dim / 2) * np.sin(angles)[:, None] ** (dim - 2)
    norm = gamma((dim - 1) / 2) * np.sqrt(np.pi) / gamma(dim / 2)
    expected = np.trapezoid(np.trapezoid(grid, strengths), angles) / norm
    assert single_neuron.success_gaussian(dim, epsilon) == pytest.approx(expected, rel=5e-3)


def test_a_sweep_over_widths_compiles_once():
    experiments = [lj.neuron_pruning.experiment(dim=2, width=width) for width in range(9, 17)]
    assert len({experiment.trial for experiment in experiments}) == 1
    assert len({experiment.first_width for experiment in experiments}) == 1


@pytest.mark.parametrize("output", ["linear", "relu"])
def test_any_number_kept_against_every_subset(output):
    """Each of the 2^7 subsets of each network by itself, and each width by itself."""
    width, epsilon = 7, 0.55
    any_number = lj.neuron_pruning.experiment(
        dim=2, width=width, radius=1.0, max_kept=width, output=output
    )
    assert any_number.bound == "exact"
    masks = np.array(list(np.ndindex(*[2] * width)), bool)

    @jax.jit
    def errors(network):
        signs, vectors = geometry.networks.signed_vectors(network)

        def error(mask):
            kept = jnp.where(mask, signs, 0), jnp.where(mask[:, None], vectors, 0)
            return geometry.sup_on_sphere(*kept, jnp.array([1.0, 0.0]), output=output)

        return jax.vmap(error)(masks)

    trial, first_width = jax.jit(any_number.trial), jax.jit(any_number.first_width)
    hits = 0
    for seed in range(60):
        network = reduction.draw(lj.key(seed), dim=2, num_neurons=8)
        network = jax.tree.map(lambda leaf: leaf[:width], network)
        all_errors = np.asarray(errors(network))
        succeeds = all_errors.min() <= epsilon
        scalars = any_number.scalars()
        found = trial(lj.key(seed), jnp.float32([epsilon]), scalars)
        assert bool(found.hits[0]) == succeeds
        assert not found.undecided[0]
        needed = np.where(masks, np.arange(1, width + 1), 0).max(axis=1)
        first = np.where(all_errors <= epsilon, needed, width + 1).min()
        assert int(first_width(lj.key(seed), jnp.float32(epsilon), scalars).certain) == first
        hits += succeeds
    assert 0 < hits < 60


def test_radius_only_scales_the_accuracy():
    small, large = (lj.neuron_pruning.experiment(dim=2, width=8, radius=r) for r in (1.0, 2.0))
    trial = jax.jit(small.trial)
    hits = 0
    for seed in range(20):
        on_small = trial(lj.key(seed), jnp.float32([0.6]), small.scalars())
        on_large = trial(lj.key(seed), jnp.float32([1.2]), large.scalars())
        assert bool(on_small.hits[0]) == bool(on_large.hits[0])
        hits += bool(on_small.hits[0])
    assert 0 < hits < 20


@pytest.mark.slow
@pytest.mark.parametrize(("dim", "epsilon", "expected"), [(2, 0.4, 17), (2, 0.1, 75), (3, 0.4, 38)])
def test_known_median_widths(dim, epsilon, expected):
    """First measurements gave these medians from 500 to 800 draws a width; two widths in a hundred
    is their own standard error."""
    experiment = lj.neuron_pruning.experiment(dim=dim, width=expected, radius=1.0)
    found = lj.threshold(experiment, key=lj.key(0), epsilon=epsilon, trials=1600, progress=False)
    assert 0.96 * found.width_low <= expected <= 1.04 * found.width_high


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(dim=1, width=4), "dim=1: .*weight_pruning"),
        (dict(dim=65, width=4), "dim=65"),
        (dict(dim=2, width=0), "width=0"),
        (dict(dim=2, width=1001), "width=1001: at most 1000 neurons .* max_kept=4"),
        (dict(dim=2, width=65537, max_kept=1), "width=65537"),
        (dict(dim=2, width=4, max_kept=65), "max_kept=65"),
        (dict(dim=2, width=65, max_kept=5), "max_kept=5 of width=65.*use max_kept=4"),
        (dict(dim=4, width=8, max_kept=8), "in dim=4: more than 4 kept"),
        (dict(dim=2, width=4, radius=0.0), "radius=0.0"),
        (dict(dim=2, width=4, radius=float("nan")), "radius=nan"),
    ],
)
def test_wrong_settings_name_the_value(settings, message):
    with pytest.raises(ValueError, match=message):
        lj.neuron_pruning.experiment(**settings)


def test_counts_do_not_depend_on_x64():
    experiment = lj.neuron_pruning.experiment(dim=2, width=8, max_kept=2, radius=1.0)
    settings = dict(key=lj.key(6), trials=100, epsilons=[0.3, 0.6], progress=False)
    narrow = lj.estimate(experiment, **settings)
    with enable_x64():
        wide = lj.estimate(experiment, **settings)
    assert wide.hits.tolist() == narrow.hits.tolist()
    assert wide.undecided.tolist() == narrow.undecided.tolist()
