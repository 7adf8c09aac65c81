"""The study of baselines: rows from counts, and a reading that follows its rows."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.features import baselines
from lottery_jax.montecarlo import Store
from lottery_jax.montecarlo.counts import Counts
from lottery_jax.sparse_features.baseline_recovery import METHODS
from lottery_jax.study import Study

SMALL = baselines.Setup((1, 2), 16, 4, (4.0, 64.0), 0.5, 2, 10)


def _counts(tasks, **arguments):
    """Ten draws that each find 4, 3, ..., of 4, and one less from few rows."""
    del arguments
    found = np.array([[max(0, 3 - i // 2), max(0, 4 - i // 2)] for i in range(len(METHODS))])
    totals = {"found": 10 * found, "found_squared": 10 * found**2, "kept": 10 * (found + 4)}
    return [Counts(trials, totals, {}, 0.0) for _, trials in tasks]


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(baselines, "collect_each", _counts)
    return baselines.measure(SMALL, key=root(0), store=Store("unused.jsonl"), progress=False)


def test_rows(rows):
    assert isinstance(baselines, Study)
    assert [row.method for row in rows[:12:2]] == list(METHODS)
    assert [row.size for row in rows[:2]] == [16, 256]
    assert [row.size for row in rows[12:14]] == [64, 1024]
    assert (rows[1].recall, rows[1].kept, rows[1].chance) == (1, 8, 0.5)
    assert (rows[10].recall, rows[10].kept, rows[10].chance) == (0.25, 5, 5 / 16)
    for row in rows:
        assert row.low <= row.recall <= row.high


def test_the_reading_follows_the_rows(rows):
    text = baselines.describe(rows)
    assert (
        "For k* = 1, 256 samples let these recall more than chance (0.50): PruneNetwork (1.00)"
        in text
    )
    assert "first order (0.50, its chance 0.38), random (0.50, its chance 0.38)" in text
    assert "is reached by PruneNetwork (n = 256), unshifted (n = 256)." in text
    early = [row._replace(recall=0.95 if row.size < 100 else 0.5, chance=0.5) for row in rows]
    assert "None reaches a recall of .9." in baselines.describe(early)  # not from all more rows
    assert "its chance" not in baselines.describe(early)
    none = [row._replace(recall=0.3, low=0.0) for row in rows]
    text = baselines.describe(none)
    assert "(0.50): none; not apart" in text
    assert "None reaches a recall of .9." in text


def test_the_figure_and_the_plan(rows):
    ax = baselines.draw(rows)
    assert isinstance(ax, Axes)
    legend = ax.figure.axes[-1].get_legend()
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == [*METHODS, "chance level |J|/d", "chance level of unshifted"]
    assert "6 ways to choose inputs at d = 16 for k* = 1, 2, 10 draws each" in baselines.plan(SMALL)
