"""Quantised networks: when pruning represents them exactly, and the transition behind it.

`number_partitioning` and `quantized_subset_sum` are the two problems as experiments, `laws`,
`subset_sum_laws` and `moments` what theory says of them, `enumeration` all instances of small ones.
`networks`, `weight_widths` and `layer_widths` count random networks that contain a quantised one.
"""

from lottery_jax.quantized import (
    enumeration,
    laws,
    layer_widths,
    moments,
    networks,
    products,
    subset_sum_laws,
    weight_widths,
)
from lottery_jax.quantized.partition import number_partitioning, quantized_subset_sum

__all__ = [
    "enumeration",
    "laws",
    "layer_widths",
    "moments",
    "networks",
    "number_partitioning",
    "products",
    "quantized_subset_sum",
    "subset_sum_laws",
    "weight_widths",
]
