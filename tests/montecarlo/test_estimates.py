"""The table is the same in every form."""

import csv
import subprocess
import sys

import numpy as np
import pandas
import polars
import pytest

from lottery_jax.core import root
from lottery_jax.montecarlo import Estimates, Store, estimate
from tests.montecarlo.toys import below


@pytest.fixture(scope="module")
def result():
    return estimate(
        below(band=0.1, bound="lower"),
        key=root(0),
        trials=1000,
        epsilons=[1e-6, 0.5],
        progress=False,
    )


def test_columns_hold_everything(result):
    columns = result.columns()
    assert columns["experiment"] == ["below"] * 2
    assert columns["band"] == [0.1, 0.1]
    assert columns["epsilon"] == [1e-6, 0.5]
    assert columns["trials"] == [1000, 1000]
    assert columns["hits"] == result.hits.tolist()
    assert columns["hits"][0] == 0
    np.testing.assert_array_equal(columns["probability"], result.hits / 1000)
    assert columns["limits"] == ["exact"] * 2
    assert columns["bound"] == ["lower"] * 2


def test_every_table_has_the_columns(result, tmp_path):
    columns = result.columns()
    assert result.to_pandas().to_dict("list") == columns
    assert result.to_polars().to_dict(as_series=False) == columns
    result.to_parquet(tmp_path / "table.parquet")
    assert pandas.read_parquet(tmp_path / "table.parquet").to_dict("list") == columns
    assert polars.read_parquet(tmp_path / "table.parquet").to_dict(as_series=False) == columns
    result.to_csv(tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["low"] for line in lines] == [repr(low) for low in columns["low"]]
    assert list(lines[0]) == list(columns)


def test_text_names_limits_and_bound(result):
    title, head, *rows = str(result).splitlines()
    assert title == (
        "below (band=0.1, scale=1.0): 1000 trials, 95 % exact limits, lower bound on success"
    )
    assert head.split()[:4] == ["epsilon", "probability", "low", "high"]
    assert len(rows) == 2
    markup = result._repr_html_()
    assert markup.count("<tr>") == 3
    assert markup.count("<th>") == 6
    assert markup.count("<td>") == 12


def test_stored_rows_give_the_estimates_of_the_run(tmp_path):
    settings = {"key": root(1), "epsilons": [0.25, 0.5], "progress": False}
    experiment = below(band=0.1, bound="lower")
    run = estimate(experiment, trials=300, store=tmp_path / "s.jsonl", **settings)
    rows = Store(tmp_path / "s.jsonl").rows()
    assert len(rows) == 3
    read = Estimates.from_rows(rows)
    assert read.columns() == run.columns()
    assert read.settings == run.settings
    wider = Estimates.from_rows(rows, confidence=0.99)
    assert np.all(wider.low < read.low)
    assert wider.confidence == 0.99


def test_rows_of_different_experiments_are_refused(tmp_path):
    path = tmp_path / "s.jsonl"
    for seed in (0, 1):
        settings = {"trials": 100, "epsilons": [0.5], "progress": False}
        estimate(below(), key=root(seed), store=path, **settings)
    with pytest.raises(ValueError, match=r"rows of success \w+, success \w+: give the success"):
        Estimates.from_rows(Store(path).rows())
    with pytest.raises(ValueError, match="rows of nothing"):
        Estimates.from_rows([])


def test_a_missing_library_is_named(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match=r"polars is not installed; pip install 'lottery-jax\[t"):
        result.to_polars()


def test_importing_stays_light():
    heavy = ["scipy", "pandas", "polars", "matplotlib", "tqdm"]
    code = "import sys, jax, jax.numpy, jax.random; before = set(sys.modules); "
    code += "import lottery_jax.montecarlo; added = set(sys.modules) - before; "
    code += f"print([name for name in {heavy} if name in added])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout == "[]\n", loaded.stderr
