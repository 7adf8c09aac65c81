"""Runs on sparse features: which inputs pruning keeps, and how many samples that saves."""

from collections.abc import Mapping
from typing import Any

# Each is a `study.Study`.
STUDIES: Mapping[str, Any] = {}
# What `lottery-jax features` runs.
HEADLINE: Mapping[str, Any] = {}
