"""Bundled data sets."""

from lottery_jax.data.digits import NUM_CLASSES, Digits, load_digits

__all__ = ["NUM_CLASSES", "Digits", "load_digits"]
