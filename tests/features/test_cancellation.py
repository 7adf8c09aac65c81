"""The study of the cancellation: gradients by another way, and a reading that follows its rows."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.features import cancellation, cancellation_report
from lottery_jax.features.points import CAUTION
from lottery_jax.montecarlo import Store
from lottery_jax.study import Study
from tests.features import made_counts

SMALL = cancellation.Setup(12, 2, (100, 400), 0.5, 3, 10, 11)


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(cancellation, "collect_each", made_counts.collect_each)
    return cancellation.measure(SMALL, key=root(0), store=Store("unused.jsonl"), progress=False)


def _by_hand(shift, bias):
    """E f(x) phi'_+(c x + sqrt(1 - c^2) g + b) (x, g) on a fine grid, without Hermite series."""
    t = np.linspace(-9, 9, 1201)
    x, g = np.meshgrid(t, t, indexing="ij")
    mass = np.exp(-(x**2 + g**2) / 2) / (2 * math.pi) * (t[1] - t[0]) ** 2
    f = (x**2 - 1) / math.sqrt(2) + 2 * math.sqrt(3) * (x**4 - 6 * x**2 + 3) / math.sqrt(24)
    at = shift * x + math.sqrt(1 - shift**2) * g
    slope = np.sign(at) * (np.abs(at) > abs(bias)) / 2 * mass * f / math.sqrt(13)
    return math.hypot(np.sum(slope * x), np.sum(slope * g))


@pytest.mark.parametrize(("shift", "bias"), [(1.0, 0.0), (0.5, 0.0), (0.2, 0.0), (1.0, 0.7)])
def test_norms_against_a_grid(shift, bias):
    """A step of 0.015 across a jump is off by about that times the integrand, below 1 here."""
    found = cancellation.gradient_norms([shift], [bias])[0, 0]
    assert abs(found - _by_hand(shift, bias)) < 0.015
    if bias == 0:
        known = {1.0: 0.0, 0.5: 0.1331, 0.2: 0.1023}[shift]
        assert abs(found * math.sqrt(13) - known) < 5e-5
    else:  # b^2 (b^2 - 1) / 2 exp(-b^2 / 2) / sqrt(pi), from the terms at e_1
        law = abs(bias**2 * (bias**2 - 1)) / 2 * math.exp(-(bias**2) / 2) / math.sqrt(13 * math.pi)
        assert found == pytest.approx(law, abs=1e-12)


def test_rows(rows):
    assert isinstance(cancellation, Study)
    gradients = [row for row in rows if row.what == "gradient"]
    assert [row.shift for row in gradients[:11]] == pytest.approx(np.arange(1, 12) / 11)
    assert gradients[10].norm < 1e-15
    assert gradients[21].norm > 0.04
    found = [row for row in rows if row.what == "recall"]
    cases = [("zero", 1.0), ("zero", 0.5), ("normal", 1.0), ("normal", 0.5)]
    assert [(row.biases, row.shift) for row in found] == [case for case in cases for _ in range(2)]
    points = made_counts.points(cancellation._tasks(SMALL))
    for row, (experiment, index) in zip(found, points, strict=True):
        assert dict(experiment.settings)["biases"] == row.biases
        assert dict(experiment.settings)["shift"] == row.shift
        assert row.line == made_counts.count(experiment, "even", index) / 20
        assert row.recall == made_counts.count(experiment, "found", index) / 20
        assert row.line_low <= row.line <= row.line_high


def _made(rows, seen):
    """Line 4 as it is where it sees the support, and at chance elsewhere."""
    made = []
    for row in rows:
        share = 0.9 if (row.biases, row.shift) in seen else 0.2
        limits = {"line": share, "line_low": share - 0.1, "line_high": share + 0.05}
        shares = {"line_chance": 0.2, "recall": 0.5, "low": 0.4, "high": 0.6, "chance": 0.3}
        made.append(row._replace(**limits, **shares) if row.what == "recall" else row)
    return made


def test_the_reading_follows_the_rows(rows):
    text = cancellation_report.describe(_made(rows, [("zero", 0.5), ("normal", 1.0)]))
    assert (
        "unshifted basis, line 4 finds 0.20 [0.10, 0.25] of the support at n = 400, not apart"
        in text
    )
    assert "c = 0.5, line 4 finds 0.90 [0.80, 0.95] of the support at n = 400, above chance" in text
    assert "is what lets line 4 see the support; normal biases do that too" in text
    assert "At c = 1 the gradient is 0 but for rounding without biases" in text
    assert "an explanation, which no row shows" in text
    assert CAUTION in text
    text = cancellation_report.describe(_made(rows, [("zero", 0.5)]))
    assert "see the support, and normal biases do not help" in text
    text = cancellation_report.describe(_made(rows, [("zero", 1.0), ("zero", 0.5)]))
    assert "lets line 4 see" not in text
    assert "explanation" not in text
    seen = [
        row._replace(norm=0.01) if row.shift == 1 and row.norm is not None else row for row in rows
    ]
    text = cancellation_report.describe(_made(seen, []))
    assert "At c = 1 the gradient has the norm 0.01 without biases" in text
    labels = cancellation.draw(seen).get_legend().get_texts()
    assert "c = 1 without biases: 0.01" in [label.get_text() for label in labels]


def test_the_figure_and_the_plan(rows):
    ax = cancellation.draw(rows)
    assert isinstance(ax, Axes)
    right = ax.figure.axes[1]
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    assert labels[0] == "no biases, unshifted basis"
    assert labels[-1] == "chance level M/d"
    assert "4 experiments at d = 12, n up to 400, 10 draws each" in cancellation.plan(SMALL)
