"""Networks to train and to prune: the paper's, and small ones for a processor."""

from lottery_jax.models.catalogue import NAMES, build
from lottery_jax.models.model import Model, count_parameters, from_linen

__all__ = ["NAMES", "Model", "build", "count_parameters", "from_linen"]
