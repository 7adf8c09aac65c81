"""The study of recall: rows that follow from counts, and a reading that other rows would change."""

import jax
import numpy as np
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import make_mesh, root
from lottery_jax.features import recall, recall_report, recall_rows
from lottery_jax.features.points import CAUTION
from lottery_jax.montecarlo import Store
from lottery_jax.study import Study
from tests.features import made_counts

SMALL = recall.Setup(
    (recall.Curve(2, 16, 0.5, (2.0, 100.0), 4), recall.Curve(2, 16, 0.8, (8.0, 100.0), 4)), 3
)


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(recall, "collect_each", made_counts.collect_each)
    return recall.measure(SMALL, key=root(0), store=Store("unused.jsonl"), progress=False)


def test_rows(rows):
    assert isinstance(recall, Study)
    assert [(row.shift, row.size) for row in rows] == [
        *((0.5, 32), (0.5, 1600)),
        *((0.8, 128), (0.8, 1600)),
    ]
    experiments = [recall._experiment(curve, SMALL.num_pairs) for curve in SMALL.curves]
    for row, (experiment, index) in zip(rows, made_counts.points(experiments), strict=True):
        assert row.recall == made_counts.count(experiment, "found", index, trials=4) / 16
        assert row.support_size == 4
        assert row.scaled == row.size / 16
        assert row.low <= row.recall <= row.high
        assert row.chance == row.kept / 16
        assert row.complete_low <= row.complete / row.trials <= row.complete_high


def test_a_crossing_by_hand():
    sizes = [10, 100, 1000]
    assert recall_rows.first_rise(sizes, [0.2, 0.4, 0.8], [0.6] * 3) == pytest.approx(10**2.5)
    assert recall_rows.first_rise(sizes, [0.2, 0.6, 0.8], [0.5, 0.6, 0.6]) == pytest.approx(100)
    assert recall_rows.first_rise(sizes, [0.2, 0.3, 0.4], [0.6] * 3) is None
    assert recall_rows.first_rise(sizes, [0.7, 0.8, 0.9], [0.6] * 3) is None


def _curve(exponent, dim, place, *, power=None, shift=0.5, limits=0.05):
    """A curve that is halfway at n = `place` s^power, from a logistic in log n."""
    size = round(dim**0.5)
    made = []
    middle = place * size ** (power or exponent)
    for multiple in (1 / 16, 1 / 4, 1.0, 4.0, 16.0):
        n = round(middle * multiple)
        share = 1 / (1 + (middle / n) ** 2)
        value = 0.1 + 0.9 * share
        made.append(
            recall_rows.Row(
                exponent=exponent,
                dim=dim,
                support_size=size,
                shift=shift,
                size=n,
                scaled=n / size**exponent,
                trials=10,
                recall=value,
                low=value - limits,
                high=min(1.0, value + limits),
                complete=round(10 * share),
                complete_low=0.0,
                complete_high=1.0,
                kept=0.1 * dim,
                chance=0.1,
                half=middle,
                half_low=middle / 1.1,
                half_high=middle * 1.1,
            )
        )
    return made


def test_the_reading_follows_the_rows():
    dims = (64, 256, 1024)
    good = [row for dim in dims for row in _curve(2, dim, 6.0)]
    text = recall_report.describe(good)
    assert "halfway between chance and 1 at n / s^k* = 6 (d = 64, 256, 1024, c = 0.5)" in text
    slope = recall_report.fitted([curve[0] for curve in recall_rows.curves(good)])
    assert slope is not None
    np.testing.assert_allclose(slope.value, 2.0, atol=1e-6)
    assert "to the power 2.00 [1.90, 2.10] (d = 64, 256, 1024); the limits hold k* = 2; a" in text
    assert CAUTION in text
    steep = [row for dim in dims for row in _curve(2, dim, 0.5, power=3)]
    text = recall_report.describe(steep)
    assert "3.00 [2.90, 3.10] (d = 64, 256, 1024); the limits miss k* = 2, and 3 too" in text
    larger = [row for dim in (*dims, 4096) for row in _curve(2, dim, 6.0)]
    larger = [row._replace(half_low=None) if row.dim == 4096 else row for row in larger]
    told = text.split("a factor log d")[1]
    assert told in recall_report.describe([*larger])  # over the d that are fitted alone
    few = [row._replace(half_high=None) for row in good]
    assert "too few curves are closed for an exponent" in recall_report.describe(few)
    theory = _curve(2, 144, 60.0, shift=recall.theory_shift(144))
    text = recall_report.describe([*good, *theory])
    assert "With c = 0.201, the 1 / log d of theory, at d = 144" in text
    last = theory[-1]
    assert f"{last.size} samples = {last.scaled:g} s^2 give a recall of {last.recall:.3f}" in text
    assert "kept in 10 of 10 draws, exact limits of its probability [0.00, 1.00]" in text
    assert "c = 0.5)" in recall_report.describe(
        [*_curve(2, 144, 60.0, shift=0.2), *_curve(2, 64, 6.0)]
    )


def test_the_figure(rows):
    ax = recall.draw([*rows, *_curve(3, 64, 6.0)])
    assert isinstance(ax, Axes)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:2] == ["d = 16, s = 4", "d = 16, s = 4, c = 0.5"]
    assert any(label.startswith("chance level") for label in labels)
    assert len(ax.figure.axes) == 2
    assert "over 4 to 10 draws" in ax.figure.get_suptitle()
    assert "over 4 draws" in recall.draw(rows).figure.get_suptitle()


def test_the_plan():
    assert "2 curves of recall, k* = 2, d = 16, 8 draws in all" in recall.plan(SMALL)
    assert "d = 64, 144, 256, 576, 1024" in recall.plan(recall.FULL)
    point = next(curve for curve in recall.FULL.curves if curve.shift < 0.5)
    assert (point.dim, point.multiples[-1]) == (144, 128.0)
    assert point.trials >= 10
    assert recall.plan(recall.QUICK).startswith("2 curves")


@pytest.mark.slow
def test_the_shift_of_theory_finds_the_support(tmp_path):
    """d = 144, s = 12, n = 128 s^2, c = 1 / log d: at least .95 of it; 8 s^2 are too few."""
    curve = next(curve for curve in recall.FULL.curves if curve.shift < 0.5)
    setup = recall.Setup((curve,), recall.FULL.num_pairs)
    mesh = make_mesh(jax.devices()[:2])
    store = Store(tmp_path / "recall.jsonl")
    few, *_, many = recall.measure(setup, key=root(0), store=store, mesh=mesh, progress=False)
    assert (many.trials, many.scaled) == (10, 128)
    assert many.recall >= 0.95
    assert few.recall < 0.95
