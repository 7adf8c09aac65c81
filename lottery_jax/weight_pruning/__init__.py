"""Weight pruning of random networks: the width that contains one ReLU neuron."""

from lottery_jax.weight_pruning.experiment import experiment
from lottery_jax.weight_pruning.few_neurons import few_neurons
from lottery_jax.weight_pruning.reduction import (
    Instance,
    SubsetSums,
    audit,
    criterion,
    draw,
    lift,
    search,
    subset_sums,
)

__all__ = [
    "Instance",
    "SubsetSums",
    "audit",
    "criterion",
    "draw",
    "experiment",
    "few_neurons",
    "lift",
    "search",
    "subset_sums",
]
