"""Weight pruning of random networks: how wide must they be to contain one ReLU neuron?"""

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
from lottery_jax.weight_pruning.experiment import experiment

__all__ = [
    "Instance",
    "SubsetSums",
    "audit",
    "criterion",
    "draw",
    "experiment",
    "lift",
    "search",
    "subset_sums",
]
