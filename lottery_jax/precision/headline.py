"""What `lottery-jax quantized` draws: the partition transition, the softer one, and the widths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import PRNGKeyArray

from lottery_jax import study
from lottery_jax.precision import transition, widths, window

STUDIES: Mapping[str, Any] = {module.NAME: module for module in (window, transition, widths)}


def plan(*, quick: bool) -> str:
    """What a run will do, without doing it."""
    return "\n\n".join(
        f"{name}: {module.plan(_setup(module, quick))}" for name, module in STUDIES.items()
    )


def measure(folder: Path, *, quick: bool, key: PRNGKeyArray, progress: bool) -> str:
    """Run the studies into a folder, each with rows and a figure; returns what they say."""
    told = []
    for module in STUDIES.values():
        setup = _setup(module, quick)
        rows = study.run_into(module, setup, folder, key=key, progress=progress)
        told.append(f"{module.QUESTION}\n\n{module.describe(rows)}")
    return "\n\n\n".join(told)


def _setup(module: Any, quick: bool) -> Any:
    return module.QUICK if quick else module.FULL
