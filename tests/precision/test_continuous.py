"""Quantised against continuous: rows, and a reading that other rows would change."""

import math

import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.precision import continuous
from lottery_jax.precision.continuous_rows import Row, curves


def made(slope: float) -> list[Row]:
    """Curves whose quantised items grow by so many for each bit."""
    growth = {"exact": slope, "delta/2": 1.0, "delta^2/2": 2.0}
    model = {"exact": "quantised", "delta/2": "subset sum", "delta^2/2": "subset sum"}
    law = {"exact": "live product", "delta/2": "product normal", "delta^2/2": "product normal"}
    return [
        Row(
            model=model[accuracy],
            event="one",
            law=law[accuracy],
            accuracy=accuracy,
            bits=bits,
            epsilon=None,
            items=rate * bits,
            low=rate * bits - 0.1,
            high=rate * bits + 0.1,
            trials=100,
            probability=0.5,
            confidence=0.99,
        )
        for accuracy, rate in growth.items()
        for bits in (1, 4, 8)
    ]


@pytest.mark.slow
def test_a_run_measures_every_curve_and_is_read_back(tmp_path):
    store = Store(tmp_path / "quick.jsonl")
    rows = continuous.measure(continuous.QUICK, key=root(0), store=store, progress=False)
    found = {(row.accuracy, row.event, row.bits): row for row in rows}
    assert len(found) == 8
    assert all(row.low <= row.items <= row.high for row in rows)
    assert found["delta/2", "one", 4].epsilon == 2.0**-5
    assert found["delta^2/2", "one", 4].epsilon == 2.0**-9
    assert found["exact", "one", 4].items < found["exact", "all", 4].items
    assert found["delta/2", "one", 4].high < found["exact", "one", 4].low
    assert abs(found["delta^2/2", "one", 4].items - found["exact", "one", 4].items) <= 2
    before = store.path.read_bytes()
    assert continuous.measure(continuous.QUICK, key=root(0), store=store, progress=False) == rows
    assert store.path.read_bytes() == before


def test_half_of_the_units_of_a_pruned_network_are_items():
    row = continuous._row(
        "weight pruning", "one", "product normal", "delta/2", 3, 0.0625, (21, 20, math.inf), 100
    )
    assert (row.items, row.low, row.high) == (10.5, 10.0, math.inf)


def test_the_reading_depends_on_the_slopes():
    text = continuous.describe(made(2.0))
    assert "compatible with accuracy on the grid of products, δ², and not of δ" in text
    assert "compatible with accuracy on the grid of δ, and not of δ²" in continuous.describe(
        made(1.0)
    )
    assert "compatible with neither" in continuous.describe(made(1.5))
    assert "certainly more at 3" in continuous.describe(made(4.0))


def test_slopes_are_compared_over_the_same_bits():
    """A curve that bends after k = 4, where one of the others ends."""
    rows = [
        row._replace(items=80.0, low=79.9, high=80.1)
        if (row.accuracy, row.bits) == ("exact", 8)
        else row
        for row in made(2.0)
        if (row.accuracy, row.bits) != ("delta^2/2", 8)
    ]
    text = continuous.describe(rows)
    assert "From k = 1 to 4 each further bit asks for 2 items for one target exactly" in text
    assert "compatible with accuracy on the grid of products, δ², and not of δ" in text


def test_differences_name_their_sign():
    rows = made(2.0)
    rows = [row._replace(items=row.items - 2) if row.accuracy == "exact" else row for row in rows]
    text = continuous.describe(rows)
    assert "Gaussian products within δ/2: from 1 fewer to 6 more items" in text
    assert "Gaussian products within δ²/2: 2 items fewer" in text


def test_the_figure_names_every_curve():
    rows = made(2.0)
    for some in (rows, [rows[0]._replace(high=math.inf, items=math.inf), *rows[1:]]):
        ax = continuous.draw(some)
        assert isinstance(ax, Axes)
        labels = ax.get_legend_handles_labels()[1]
        assert len(labels) >= len(curves(some))
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        assert ax.get_xticks().tolist() == [1, 4, 8]
        assert "arrows: open above" in ax.get_title()


def test_the_plan_counts_the_points():
    assert continuous.plan(continuous.QUICK).startswith("2 points of 512 quantised draws and 4")
