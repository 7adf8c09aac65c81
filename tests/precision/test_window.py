"""The study of the window: rows that read back, and a reading that other rows would change."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.precision import window
from lottery_jax.quantized import laws
from lottery_jax.study import Study

SMALL = window.Setup(sizes=(4, 6), places=(-1.0, 0.0, 3.0), trials=4096)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("window") / "window.jsonl")


@pytest.fixture(scope="module")
def rows(store):
    return window.measure(SMALL, key=root(0), store=store, progress=False)


def test_rows(rows):
    assert isinstance(window, Study)
    assert [row.num_items for row in rows] == [4, 4, 4, 6, 6, 6]
    for row, place in zip(rows, 2 * SMALL.places, strict=True):
        assert row.largest == round(2.0 ** (place + row.num_items - np.log2(row.num_items) / 2))
        exact = math.log2(row.largest) - row.num_items + math.log2(row.num_items) / 2
        assert row.place == pytest.approx(exact, abs=1e-12)
        assert row.kappa * row.num_items == pytest.approx(math.log2(row.largest))
        assert row.window_law == pytest.approx(float(laws.window_law(row.place).success))
        assert row.band == 0.15 / row.num_items
        assert row.trials == 4096
        assert row.low < row.hits / row.trials < row.high
        assert row.disagree == 0


def test_a_second_run_reads_the_store(rows, store):
    calls = []
    before = store.path.read_bytes()
    again = window.measure(
        SMALL, key=root(0), store=store, progress=lambda done, total: calls.append((done, total))
    )
    assert again == rows
    assert store.path.read_bytes() == before
    assert calls[-1] == (6 * 4096, 6 * 4096)


def _made(num_items, place, share, **changes):
    """A row with this share of 10,000 draws, and limits 0.01 either way."""
    law = float(laws.window_law(place).success)
    row = window.Row(
        num_items=num_items,
        largest=2**num_items,
        place=place,
        kappa=float(laws.kappa_at(num_items, place)),
        trials=10_000,
        hits=round(10_000 * share),
        low=share - 0.01,
        high=share + 0.01,
        window_law=law,
        band=0.15 / num_items,
        law=law,
        next_order=law,
        disagree=0,
    )
    return row._replace(**changes)


def test_the_reading_follows_the_rows():
    places = (-2.0, 0.0, 2.0, 3.0)
    good = [
        _made(n, place, float(laws.window_law(place).success)) for n in (10, 20) for place in places
    ]
    text = window.describe(good)
    assert "leave room for a probability within 0.15 / n of p(lambda) at 8 of 8 points, at " in text
    assert "at 8 of 8 points, at 99.99 % limits" in text
    assert "contradict each other on 0 of 80000 draws" in text
    assert "hold p(lambda) at 8 points" in text
    # Limits that end short of the law, but not of the allowance about it, on either side.
    beside = [
        row._replace(low=row.window_law + sign * 0.9 * row.band - 1e-3 * (sign < 0))
        for row, sign in zip(good, (1, -1) * 4, strict=True)
    ]
    beside = [row._replace(high=row.low + 1e-3) for row in beside]
    assert "at 8 of 8 points, at 99.99 % limits" in window.describe(beside)
    assert "hold p(lambda) at 0 points" in window.describe(beside)
    bad = [row._replace(disagree=2, next_order=row.high + 0.01) for row in good]
    bad[5] = bad[5]._replace(low=bad[5].window_law + bad[5].band + 1e-6, high=0.9)
    text = window.describe(bad)
    assert "at 7 of 8 points (not at n = 20)" in text
    assert "terms of order 1 / n at 1." in text
    assert "contradict each other on 16 of 80000 draws" in text
    assert "No n has points on both sides" in window.describe(good[:1])
    # Three quarters and one quarter, by hand: between 1 and 0 on a straight line.
    line = [_made(10, 0.0, 1 - step / 4, kappa=1 + step) for step in range(5)]
    assert "is 2.000 at n = 10." in window.describe(line)


def test_the_figure_shows_zero_hits_as_a_limit(rows):
    ax = window.draw(rows)
    assert isinstance(ax, Axes)
    assert ax.get_xlabel().startswith("λ")
    arrows = [line for line in ax.lines if "downarrow" in str(line.get_marker())]
    assert not arrows
    none = [row._replace(hits=0, low=0.0, high=0.004) for row in rows]
    lines = window.draw(none).lines
    assert not [line for line in lines if line.get_marker() == "o" and len(line.get_ydata())]
    arrows = [line for line in lines if "downarrow" in str(line.get_marker())]
    assert [set(line.get_ydata()) for line in arrows] == [{0.004}] * 2


def test_the_plan():
    assert "6 sizes of items, n = 4, 6, 4096 draws each" in window.plan(SMALL)
    for setup in (window.FULL, window.QUICK):
        assert all(
            each.count for each in [window._experiment(*case) for case in window._cases(setup)]
        )
