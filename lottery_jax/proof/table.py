"""The steps of the proof in one table: what is claimed, what was measured, and whether it holds.

Runs every study in turn, into one folder, and collects what each says. The two that measure widths
take smaller setups: their full ones take longer than all others together and are runs of their own
(`lottery-jax run exponents`, `lottery-jax run corners`).
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxtyping import PRNGKeyArray

from lottery_jax import study
from lottery_jax.proof import STUDIES, corners, exponents
from lottery_jax.proof.verdict import Verdict
from lottery_jax.report.tables import write_rows

_SMALLER = {"exponents": exponents.QUICK, "corners": corners.PLANE}
_WIDTHS = {"lemma": 15, "claim": 30, "measured": 40, "verdict": 12, "command": 27}


def judge(folder: Path, *, quick: bool, key: PRNGKeyArray, progress: bool) -> list[Verdict]:
    """Run all studies into a folder, each with its rows and figure, and write verdicts.csv."""
    found = []
    for name, module in STUDIES.items():
        setup = _setup(name, quick)
        rows = study.run_into(module, setup, folder, key=key, progress=progress)
        found += module.verdicts(rows)
    write_rows(folder / "verdicts.csv", found)
    return found


def plan(*, quick: bool) -> str:
    """What a run of all studies will do."""
    return "\n\n".join(
        f"{name}: {module.plan(_setup(name, quick))}" for name, module in STUDIES.items()
    )


def describe(verdicts: Sequence[Verdict]) -> str:
    """The table, its cells wrapped, and how many steps hold."""
    lines = [_line(_WIDTHS)]
    for verdict in verdicts:
        cells = [
            textwrap.wrap(text, width) or [""]
            for text, width in zip(verdict, _WIDTHS.values(), strict=True)
        ]
        height = max(map(len, cells))
        padded = [cell + [""] * (height - len(cell)) for cell in cells]
        lines += ["", *(_line(parts) for parts in zip(*padded, strict=True))]
    counts: dict[str, int] = {}
    for verdict in verdicts:
        counts[verdict.verdict] = counts.get(verdict.verdict, 0) + 1
    told = ", ".join(f"{name}: {count}" for name, count in counts.items())
    return "\n".join([*lines, "", f"{len(verdicts)} statements; {told}."])


def _line(cells) -> str:
    return "  ".join(
        cell.ljust(width) for cell, width in zip(cells, _WIDTHS.values(), strict=True)
    ).rstrip()


def _setup(name: str, quick: bool) -> Any:
    module = STUDIES[name]
    return module.QUICK if quick else _SMALLER.get(name, module.FULL)
