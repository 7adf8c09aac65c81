"""The study of settings: rows that follow from counts, and a reading that follows its rows."""

import math

import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.features import sensitivity, sensitivity_report
from lottery_jax.features.points import CAUTION
from lottery_jax.montecarlo import Store
from lottery_jax.study import Study
from tests.features import made_counts

SMALL = sensitivity.Setup(16, 4, 2, (2.0, 8.0), (0.5, 1.0), (0.1, 0.9), 0.5, 3, 10)


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(sensitivity, "collect_each", made_counts.collect_each)
    return sensitivity.measure(SMALL, key=root(0), store=Store("unused.jsonl"), progress=False)


def test_rows(rows):
    assert isinstance(sensitivity, Study)
    assert [(row.sweep, row.size, row.kept_entries, row.shift) for row in rows] == [
        ("M", 32, 2, 0.5),
        ("M", 32, 4, 0.5),
        ("M", 128, 2, 0.5),
        ("M", 128, 4, 0.5),
        *(("c", size, 4, shift) for shift in (0.1, 1 / math.log(16), 0.9) for size in (32, 128)),
    ]
    points = made_counts.points(sensitivity._tasks(SMALL))
    for row, (experiment, index) in zip(rows, points, strict=True):
        found = made_counts.count(experiment, "found", index)
        kept = made_counts.count(experiment, "kept", index)
        assert row.recall == found / 40
        assert row.kept == kept / 10
        assert row.false == pytest.approx((kept - found) / 10)
        assert row.chance == kept / 160
        assert row.low <= row.recall <= row.high


def _made(rows, best):
    """Recall .9 at this c, .5 at all others, and growing with M."""
    made = []
    for row in rows:
        recall = row.kept_entries / 8 if row.sweep == "M" else 0.9 if row.shift == best else 0.5
        limits = {"low": recall - 0.1, "high": recall + 0.1, "chance": 0.1 * row.kept_entries}
        made.append(row._replace(recall=recall, false=float(row.kept_entries), **limits))
    return made


def test_the_reading_follows_the_rows(rows):
    text = sensitivity_report.describe(_made(rows, 0.9))
    assert "From n = 32, recall goes from 0.25 at M = 0.5 s to 0.50 at M = 1 s" in text
    assert (
        "beside the support from 2.0 to 4.0; it is furthest above chance, by 0.10, at M = 1 s"
        in text
    )
    assert "c = 0.9 recalls most, 0.90 [0.80, 1.00]; 1 / log d = 0.36 recalls 0.50" in text
    assert "below that." in text
    assert CAUTION in text
    text = sensitivity_report.describe(_made(rows, 1 / math.log(16)))
    assert "as much." in text
    wide = [row._replace(low=0.0, high=1.0) for row in _made(rows, 0.9)]
    assert "within limits of that." in sensitivity_report.describe(wide)


def test_the_figure_and_the_plan(rows):
    ax = sensitivity.draw(rows)
    assert isinstance(ax, Axes)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["n = 32 = 2 s^2", "n = 128 = 8 s^2", "chance level |J|/d, by colour"]
    assert len(ax.figure.axes) == 3
    assert "2 values of M and 3 of c at d = 16, 10 draws each" in sensitivity.plan(SMALL)
