"""The measured table of random subset sums: rows, resume, lines and files."""

import csv
import math

import pytest

from lottery_jax import rss
from lottery_jax.core import keys
from lottery_jax.montecarlo import Store, StoreError

CURVES = (rss.Curve("interval", "uniform", 0, (0.3, 0.1), 128, (1.3, 5.0), (0.5, 0.8)),)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rss")
    key, store = keys.root(0), rss.open_store(folder)
    return folder, rss.measure(CURVES, key=key, store=store, progress=False)


def test_a_row_for_every_accuracy_and_probability(measured):
    _, rows = measured
    assert [(row.epsilon, row.probability) for row in rows] == [
        (epsilon, share) for epsilon in (0.3, 0.1) for share in (0.5, 0.8)
    ]
    for row in rows:
        assert row.width_low <= row.width <= row.width_high
        assert row.place_low <= row.place <= row.place_high
        # The whole number is the first one at or above the crossing.
        assert row.width == math.ceil(row.place)
        assert (row.trials, row.undecided) == (128, 0)


def test_what_is_stored_is_not_run_again(measured, monkeypatch):
    folder, rows = measured
    monkeypatch.setattr("lottery_jax.montecarlo.collect.run_first_width", None)
    told = []
    again = rss.measure(
        CURVES,
        key=keys.root(0),
        store=rss.open_store(folder),
        progress=lambda done, total: told.append((done, total)),
    )
    assert again == rows
    assert told[-1] == (256, 256)


def test_files_and_words(measured):
    folder, rows = measured
    rss.write(rows, folder)
    with open(folder / "rss.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["width"]) for line in lines] == [row.width for row in rows]
    assert (folder / "rss.png").stat().st_size > 10_000
    told = rss.describe(rows)
    assert "interval, uniform: n = " in told
    assert "x + c, c = " in told


def test_the_plan_names_every_point():
    told = rss.plan(rss.QUICK)
    assert f"{sum(len(curve.epsilons) for curve in rss.QUICK)} points" in told
    assert told.count("cube") == 3
    assert rss.plan(rss.FULL)


def test_a_store_of_something_else_is_refused(measured, tmp_path):
    row = next(iter(rss.open_store(measured[0]).rows()))
    Store(tmp_path / "rss.jsonl").append(row | {"name": "weight_pruning"})
    with pytest.raises(StoreError, match="another experiment; name another folder"):
        rss.open_store(tmp_path)
