"""Runs on quantised networks: the partition transition, and the width that exactness needs."""

from collections.abc import Mapping
from typing import Any

from lottery_jax.precision import (
    continuous,
    enumeration,
    layers,
    solutions,
    transition,
    widths,
    window,
)

# Each is a `study.Study`.
STUDIES: Mapping[str, Any] = {
    module.NAME: module
    for module in (window, transition, solutions, enumeration, widths, layers, continuous)
}
# What `lottery-jax quantized` runs: the partition window, the softer transition, and the widths.
HEADLINE: Mapping[str, Any] = {module.NAME: module for module in (window, transition, widths)}
