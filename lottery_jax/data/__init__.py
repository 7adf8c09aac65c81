"""Bundled data sets, and readers of others from local archives."""

from lottery_jax.data.dataset import Dataset, load
from lottery_jax.data.digits import NUM_CLASSES, Digits, load_digits

__all__ = ["NUM_CLASSES", "Dataset", "Digits", "load", "load_digits"]
