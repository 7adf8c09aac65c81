"""Neuron pruning: whole neurons are kept as they are or removed."""

from lottery_jax.neuron_pruning.experiment import experiment

__all__ = ["experiment"]
