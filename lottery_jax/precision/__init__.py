"""Runs on quantised networks: the partition transition, and the width that exactness needs."""

from collections.abc import Mapping
from typing import Any

# Each is a `study.Study`.
STUDIES: Mapping[str, Any] = {}
