"""Networks to prune: a dense ReLU network and its training; and the training of any network."""

from lottery_jax.training.dense import Weights, accuracy, apply, initial, train
from lottery_jax.training.epochs import TrainState, epoch, start
from lottery_jax.training.evaluation import Evaluation, cross_entropy, evaluate, loss, totals
from lottery_jax.training.fitting import fit
from lottery_jax.training.recipe import PAPER, Recipe

__all__ = [
    "PAPER",
    "Evaluation",
    "Recipe",
    "TrainState",
    "Weights",
    "accuracy",
    "apply",
    "cross_entropy",
    "epoch",
    "evaluate",
    "fit",
    "initial",
    "loss",
    "start",
    "totals",
    "train",
]
