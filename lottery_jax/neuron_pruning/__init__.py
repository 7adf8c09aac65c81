"""Neuron pruning of random two-layer ReLU networks, decided exactly draw by draw."""

from lottery_jax.neuron_pruning.experiment import MAX_WIDTH_ANY, experiment

__all__ = ["MAX_WIDTH_ANY", "experiment"]
