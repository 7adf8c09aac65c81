"""Runs on sparse features: which inputs pruning keeps, and how many samples that saves."""

from collections.abc import Mapping
from typing import Any

from lottery_jax.features import (
    baselines,
    cancellation,
    directions,
    error,
    exponents,
    gradients,
    recall,
    sensitivity,
    signs,
)

# Each is a `study.Study`.
STUDIES: Mapping[str, Any] = {
    module.NAME: module
    for module in (
        error,
        recall,
        exponents,
        baselines,
        signs,
        gradients,
        cancellation,
        sensitivity,
        directions,
    )
}
# What `lottery-jax features` runs.
HEADLINE: Mapping[str, Any] = {error.NAME: error}
