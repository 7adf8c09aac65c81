"""Runs on the pruning limit of trained networks."""

from collections.abc import Mapping
from typing import Any

from lottery_jax.limit import baselines, digits, quadratics

# Each is a `study.Study`.
STUDIES: Mapping[str, Any] = {module.NAME: module for module in (quadratics, digits, baselines)}
