"""The catalogue: every experiment that can be run by name, and what it answers."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lottery_jax import neuron_pruning, weight_pruning
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.neuron_pruning import single_neuron
from lottery_jax.random_subset_sum import scalars, vectors


class Entry(NamedTuple):
    """One experiment of the catalogue."""

    build: Callable[..., Experiment]  # keyword settings -> experiment
    question: str


CATALOGUE: Mapping[str, Entry] = {
    "neuron_pruning": Entry(
        neuron_pruning.experiment,
        "Can some of `width` random neurons, kept as they are, approximate one target neuron?",
    ),
    "single_neuron": Entry(
        single_neuron.experiment,
        "Does one random neuron approximate the target once its output weight is chosen freely?",
    ),
    "weight_pruning": Entry(
        weight_pruning.experiment,
        "Can pruning single weights of `width` random neurons approximate one target neuron?",
    ),
    "weight_pruning_few": Entry(
        weight_pruning.few_neurons,
        "Can pruning single weights leave few of `width` neurons that approximate one target?",
    ),
    "scalar_rss": Entry(
        scalars.experiment,
        "Do the subset sums of `width` random numbers serve one target, or all of [-1/2, 1/2]?",
    ),
    "vector_rss": Entry(
        vectors.experiment,
        "Do the subset sums of `width` random vectors serve one target, or all of [-1, 1]^dim?",
    ),
}


def build(name: str, settings: Mapping[str, Any]) -> Experiment:
    """The experiment of this name with these settings.

    Raises
    ------
    ValueError
        For an unknown name, or settings that the experiment does not have or does not accept.

    Examples
    --------
    >>> build("neuron_pruning", {"dim": 2, "width": 17}).name
    'neuron_pruning'
    """
    if name not in CATALOGUE:
        raise ValueError(f"unknown experiment {name!r}; choose from {', '.join(CATALOGUE)}")
    known = settings_of(name)
    unknown = [setting for setting in settings if setting not in known]
    if unknown:
        raise ValueError(f"{name} has no setting {unknown[0]!r}; it has {', '.join(known)}")
    return CATALOGUE[name].build(**settings)


def settings_of(name: str) -> Mapping[str, inspect.Parameter]:
    """The settings of an experiment with their types and defaults."""
    return inspect.signature(CATALOGUE[name].build).parameters
