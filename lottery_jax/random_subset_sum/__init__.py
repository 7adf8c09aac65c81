"""Random subset sums: how many random items serve one target, or all targets at once."""

from lottery_jax.random_subset_sum import scalars, vectors
from lottery_jax.random_subset_sum.cover import Cover, covers_cube

__all__ = ["Cover", "covers_cube", "scalars", "vectors"]
