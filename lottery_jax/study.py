"""What runs with a table and a figure have in common, and how one is run into a folder.

A study is a module with a NAME, a QUESTION, two setups (FULL and QUICK) and four functions: `plan`
says what a run would do, `measure` runs it and goes on from a store, `draw` and `describe` make a
figure and a table with a paragraph. A study that counts names the experiments that are COUNTED, and
its store holds their counts; any other store holds results by their settings. Studies of the steps
of a proof also have `verdicts`, see `proof.verdict`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.records import Records
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.store import Store, open_run
from lottery_jax.report.tables import write_rows


@runtime_checkable
class Study(Protocol):
    """A module that answers one question."""

    NAME: str
    QUESTION: str
    FULL: Any
    QUICK: Any

    def plan(self, setup: Any) -> str:
        """What a run will do, without doing it."""
        ...

    def measure(
        self,
        setup: Any,
        *,
        key: PRNGKeyArray,
        store: Any,
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


def open_store(study: Study, folder: Path) -> Store | Records:
    """The store of a study in a folder, refused if it holds something else."""
    path, counted = folder / f"{study.NAME}.jsonl", getattr(study, "COUNTED", None)
    return Records(path) if counted is None else open_run(path, counted)


def write(study: Study, rows: Sequence[Any], folder: Path) -> None:
    """Write the rows as NAME.csv and the figure as NAME.png into the folder."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    write_rows(folder / f"{study.NAME}.csv", rows)
    figures.save(study.draw(rows), folder / f"{study.NAME}.png")


def run_into(
    study: Study, setup: Any, folder: Path, *, key: PRNGKeyArray, progress: Progress
) -> list[Any]:
    """Measure a study, write its rows and figure into a folder, and give the rows."""
    rows = study.measure(setup, key=key, store=open_store(study, folder), progress=progress)
    write(study, rows, folder)
    return rows


def plan_all(studies: Mapping[str, Any], *, quick: bool) -> str:
    """What a run of several studies will do, without doing it."""
    return "\n\n".join(
        f"{name}: {study.plan(_setup(study, quick))}" for name, study in studies.items()
    )


def run_all(
    studies: Mapping[str, Any], folder: Path, *, quick: bool, key: PRNGKeyArray, progress: Progress
) -> str:
    """Run several studies into one folder; returns what each asks and says."""
    told = []
    for study in studies.values():
        rows = run_into(study, _setup(study, quick), folder, key=key, progress=progress)
        told.append(f"{study.QUESTION}\n\n{study.describe(rows)}")
    return "\n\n\n".join(told)


def _setup(study: Any, quick: bool) -> Any:
    return study.QUICK if quick else study.FULL
