"""What the experiments on the proof have in common, and how one is run into a folder.

A study is a module with a NAME, a QUESTION, two setups (FULL and QUICK), the names of the
experiments that its rows COUNT, and five functions: `plan` says what a run would do, `measure` runs
it and goes on from a store, `draw` and `describe` make a figure and a table with a paragraph, and
`verdicts` says what follows for the steps of the proof.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.store import Store, open_run
from lottery_jax.proof.verdict import Verdict
from lottery_jax.report.tables import write_rows


@runtime_checkable
class Study(Protocol):
    """One experiment on the proof."""

    NAME: str
    QUESTION: str
    FULL: Any
    QUICK: Any
    COUNTED: tuple[str, ...]  # names of the experiments in its store

    def plan(self, setup: Any) -> str:
        """What a run will do, without doing it."""
        ...

    def measure(
        self,
        setup: Any,
        *,
        key: PRNGKeyArray,
        store: Store,
        mesh: Mesh | None = None,
        progress: Progress = True,
    ) -> list[Any]:
        """The rows; what the store already holds is not run again."""
        ...

    def draw(self, rows: Sequence[Any]) -> Any:
        """The figure, as a matplotlib axis."""
        ...

    def describe(self, rows: Sequence[Any]) -> str:
        """A table, and a paragraph that reads it."""
        ...

    def verdicts(self, rows: Sequence[Any]) -> list[Verdict]:
        """What the rows say of the steps of the proof."""
        ...


def open_store(study: Study, folder: Path) -> Store:
    """The store of a study in a folder, refused if it holds counts of something else."""
    return open_run(folder / f"{study.NAME}.jsonl", study.COUNTED)


def write(study: Study, rows: Sequence[Any], folder: Path) -> None:
    """Write the rows as NAME.csv and the figure as NAME.png into the folder."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    write_rows(folder / f"{study.NAME}.csv", rows)
    figures.save(study.draw(rows), folder / f"{study.NAME}.png")
