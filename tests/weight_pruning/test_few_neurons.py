"""Weight pruning that leaves few neurons, against every mask of every neuron in plain NumPy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lottery_jax as lj
from lottery_jax.core import keys
from lottery_jax.weight_pruning import few_neurons, masked
from tests.oracles.pruned_networks import sphere


def least_error(hidden, output, target, *, max_kept, relu, count=4000):
    """The least error on a grid over all masks of at most `max_kept` neurons."""
    hidden, output, target = (np.asarray(each, np.float64) for each in (hidden, output, target))
    points = sphere(2, count)
    wanted = np.maximum(points @ target, 0)
    masks = [np.array(mask) for mask in itertools.product((0, 1), repeat=2) if any(mask)]
    best = np.abs(wanted).max()
    for size in range(1, max_kept + 1):
        for chosen in itertools.combinations(range(len(output)), size):
            for versions in itertools.product(masks, repeat=size):
                sums = sum(
                    output[j] * np.maximum(points @ (mask * hidden[j]), 0)
                    for j, mask in zip(chosen, versions, strict=True)
                )
                sums = np.maximum(sums, 0) if relu else sums
                best = min(best, np.abs(sums - wanted).max())
    return best


@pytest.mark.parametrize(
    ("max_kept", "output"),
    [(2, "linear"), pytest.param(3, "linear", marks=pytest.mark.slow), (2, "relu")],
)
def test_trials_and_first_widths_are_those_of_all_masks(max_kept, output):
    width, epsilon, count = 5, 0.35, 4000
    experiment = few_neurons(dim=2, width=width, radius=1.0, max_kept=max_kept, output=output)
    trial, first_width = jax.jit(experiment.trial), jax.jit(experiment.first_width)
    hits = first_hits = 0
    for seed in range(25):
        key = keys.root(seed)
        hidden, weights = masked.draw(key, dim=2, num_neurons=width).network
        target = masked.draw(key, dim=2, num_neurons=width).target
        errors = [
            least_error(hidden[:n], weights[:n], target, max_kept=max_kept, relu=output == "relu")
            for n in range(width + 1)
        ]
        # The grid misses the supremum by the slope times half its spacing.
        slope = 1 + float(jnp.sum(jnp.abs(weights) * jnp.linalg.norm(hidden, axis=1)))
        if any(abs(error - epsilon) <= slope * np.pi / count for error in errors):
            continue
        outcome = trial(key, jnp.float32([epsilon]), experiment.scalars())
        assert bool(outcome.hits[0]) == (errors[-1] <= epsilon)
        first = first_width(key, jnp.float32(epsilon), experiment.scalars())
        reached = [error <= epsilon for error in errors]
        expected = reached.index(True) if any(reached) else width + 1
        assert (int(first.certain), int(first.possible)) == (expected, expected)
        hits += any(reached)
        first_hits += any(reached) and expected < width
    assert 0 < hits < 25
    assert first_hits, "no seed succeeds below the full width"


@pytest.mark.slow
def test_masks_help():
    """Fewer neurons are needed than where each is kept whole."""
    settings = dict(key=lj.key(0), epsilon=0.4, trials=200, progress=False)
    whole = lj.threshold(lj.neuron_pruning.experiment(dim=2, width=15, radius=1.0), **settings)
    parts = lj.threshold(few_neurons(dim=2, width=15, radius=1.0), **settings)
    assert parts.width_high < whole.width_low


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(dim=1, width=4), "dim=1 must lie between 2 and 4"),
        (dict(dim=2, width=0), "width=0"),
        (dict(dim=2, width=4, max_kept=5), "max_kept=5 must lie between 1 and 4"),
        (dict(dim=2, width=334), "are 1002 masked neurons.* at most 333"),
        (dict(dim=3, width=143), "at most 142 neurons"),
        (dict(dim=2, width=4, radius=-1.0), "radius=-1.0"),
    ],
)
def test_wrong_settings_name_the_value(settings, message):
    with pytest.raises(ValueError, match=message):
        few_neurons(**settings)


def test_a_linear_output_of_the_construction_names_the_other_experiment():
    with pytest.raises(ValueError, match=r"use weight_pruning\.few_neurons"):
        lj.weight_pruning.experiment(dim=2, width=10, output="linear")
