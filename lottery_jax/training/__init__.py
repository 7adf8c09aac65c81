"""Networks to prune: a dense ReLU network and its training."""

from lottery_jax.training.dense import Weights, accuracy, apply, initial, train

__all__ = ["Weights", "accuracy", "apply", "initial", "train"]
