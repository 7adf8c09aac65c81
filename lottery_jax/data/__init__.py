"""Bundled data sets, and readers of others from local archives."""

from lottery_jax.data.archives import ArchiveError
from lottery_jax.data.dataset import NAMES, Dataset, load
from lottery_jax.data.digits import NUM_CLASSES, Digits, load_digits

__all__ = ["NAMES", "NUM_CLASSES", "ArchiveError", "Dataset", "Digits", "load", "load_digits"]
