"""The study of signs: rows that read back, and a reading that other rows would change."""

import jax
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import make_mesh, root
from lottery_jax.features import signs
from lottery_jax.features.points import CAUTION
from lottery_jax.montecarlo import Store
from lottery_jax.study import Study
from tests.features import made_counts
from tests.oracles.rates import assert_rate

SMALL = signs.Setup((1,), 20, 3, (200, 400), 0.5, 3, 10)


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(signs, "collect_each", made_counts.collect_each)
    return signs.measure(SMALL, key=root(0), store=Store("unused.jsonl"), progress=False)


def test_rows(rows):
    assert isinstance(signs, Study)
    assert [(row.convention, row.size) for row in rows] == [
        ("appendix", 200),
        ("appendix", 400),
        ("main_text", 200),
        ("main_text", 400),
    ]
    for row, (experiment, index) in zip(rows, made_counts.points(signs._tasks(SMALL)), strict=True):
        assert dict(experiment.settings)["convention"] == row.convention
        assert row.trials == 10
        assert row.chance_line == 3 / 20
        assert row.recall == made_counts.count(experiment, "found", index) / 30
        assert row.first == made_counts.count(experiment, "first", index) / 30
        assert row.odd == made_counts.count(experiment, "odd", index) / 30
        assert row.low <= row.recall <= row.high


def _made(convention, size, recall, first, exponent=1):
    low, high = max(0.0, recall - 0.05), min(1.0, recall + 0.05)
    return signs.Row(
        *(exponent, convention, 400, 10, size, 0.5, 10, recall, low, high, 10 * int(recall == 1)),
        *(0.07, first, 0.02, 0.03, 0.025),
    )


def test_the_reading_follows_the_rows():
    rows = [
        _made("appendix", 4000, 1.0, 1.0),
        _made("main_text", 4000, 0.08, 0.02),
        _made("main_text", 16_000, 0.08, 0.04),
    ]
    text = signs.describe(rows)
    assert "the recall is 1.000 [0.950, 1.000], above the chance level 0.070, the whole" in text
    assert "in 10 of 10 draws (exact limits of its probability [0.69, 1.00]); line 3 alone" in text
    assert CAUTION in text
    assert "0.080 [0.030, 0.130], not clearly above the chance level 0.070, the whole" in text
    assert "in 0 of 10 draws (exact limits of its probability [0.00, 0.31]); no line alone" in text
    assert "line 3 finds 0.040 of the support from 16000 rows, against 0.025 by chance" in text
    other = signs.describe([_made("main_text", 4000, 0.5, 0.6)])
    assert ", above the chance level 0.070" in other
    assert "line 3 alone finds 0.60" in other
    assert "rows, against" not in other


def test_the_figure_and_the_plan(rows):
    ax = signs.draw([*rows, *(row._replace(exponent=2) for row in rows)])
    assert isinstance(ax, Axes)
    assert ax.get_xticklabels()[0].get_text() == "line 3"
    assert len(ax.patches) == 8  # three lines and all, by two signs
    assert "chance level" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert "2 experiments at d = 20, n = 200, 400, 10 draws each" in signs.plan(SMALL)
    assert "4 experiments at d = 400" in signs.plan(signs.FULL)


@pytest.mark.slow
def test_line_3_needs_the_sign_of_the_appendix(tmp_path):
    """k* = 1, d = 400, s = 10, n = 4000: all of the support, and no more of it than by chance."""
    setup = signs.FULL._replace(exponents=(1,), sizes=(4000,))
    mesh = make_mesh(jax.devices()[:2])
    store = Store(tmp_path / "signs.jsonl")
    meant, printed = signs.measure(setup, key=root(0), store=store, mesh=mesh, progress=False)
    assert (meant.recall, meant.first) == (1, 1)
    assert_rate(round(printed.first * 10 * printed.trials), 10 * printed.trials, 10 / 400)
    assert printed.low <= printed.chance
