"""Every notebook agrees with its source, and is stored without outputs."""

from pathlib import Path

import jupytext
import pytest

SOURCES = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_notebook_agrees_with_its_source(source):
    notebook = jupytext.read(source.with_suffix(".ipynb"))
    written, stored = (
        [(cell.cell_type, cell.source) for cell in each.cells]
        for each in (jupytext.read(source), notebook)
    )
    assert stored == written, f"run: jupytext --sync {source}"
    for cell in notebook.cells:
        assert not cell.get("outputs"), "clear the outputs"


def test_there_is_a_notebook():
    assert SOURCES
