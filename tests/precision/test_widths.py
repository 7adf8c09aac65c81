"""The study of widths: rows that follow from counts, are read back, and are told as they are."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.precision import widths, widths_report

SMALL = widths.Setup(
    curves=(widths.Curve("product", 0, (1,), 256),),
    cap=64,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("widths") / "widths.jsonl")


@pytest.fixture(scope="module")
def rows(store):
    return widths.measure(SMALL, key=root(0), store=store, progress=False)


def with_control(rows):
    """A control as if its items were products, and a layer that needs no more than a weight."""
    controls = [row._replace(law="uniform", subsets=None) for row in rows]
    one = [row for row in rows if row.event == "one"]
    layer = {"event": "layer", "dim": 2, "independent_low": 5, "independent_high": 90}
    return [*rows, *controls, *(row._replace(subsets=None, **layer) for row in one)]


def test_rows_are_ordered_and_bounded(rows):
    assert {(row.event, row.law) for row in rows} == {
        *(("one", "product"), ("all", "product")),
    }
    for row in rows:
        assert row.low <= row.width <= row.high
        assert row.masks < row.high
        assert row.subsets is None or row.subsets <= row.high
        assert row.undecided == 0
        assert (row.share, row.trials) == (0.8, 256)
    for event in ("one", "all"):
        found = [row.width for row in rows if (row.event, row.law) == (event, "product")]
        assert found == sorted(found)


def test_all_weights_need_no_fewer_than_one(rows):
    place = {(row.event, row.law, row.probability): row.width for row in rows}
    for (event, law, probability), width in place.items():
        if event == "one":
            assert width <= place["all", law, probability]


def test_a_second_run_reads_the_store(rows, store):
    before = store.path.read_bytes()
    calls = []
    again = widths.measure(
        SMALL, key=root(0), store=store, progress=lambda *done: calls.append(done)
    )
    assert again == rows
    assert store.path.read_bytes() == before
    assert calls[-1] == (256, 256)


def test_the_figure_names_what_it_shows(rows):
    ax = widths.draw(with_control(rows))
    assert isinstance(ax, Axes)
    axes = ax.figure.axes
    assert len(axes) == 4
    assert all(each.get_xlabel() and each.get_ylabel() and each.get_title() for each in axes)
    labels = [text.get_text() for text in axes[1].get_legend().get_texts()]  # type: ignore[union-attr]
    assert "products, 90 % success" in labels
    assert any("control" in label for label in labels)
    assert any("no less" in label for label in labels)


def test_the_reading_depends_on_the_rows(rows):
    text = widths.describe(with_control(rows))
    assert "at 0 and certainly more at 0 of 6 settings; products need 0 units more" in text
    at_90 = next(
        row for row in rows if (row.event, row.law, row.probability) == ("all", "product", 0.9)
    )
    assert (
        f"90 % success needs n = {at_90.width:g} [{at_90.low:g}, {at_90.high:g}] at k = 1" in text
    )
    open_rows = [
        row._replace(width=math.inf, high=math.inf) if row == at_90 else row for row in rows
    ]
    told = widths.describe(open_rows)
    assert f"n = > 64 [{at_90.low:g}, open] at k = 1" in told
    widths.draw(open_rows)
    lower = [
        row._replace(low=1.0, high=2.0) if row.event == "layer" else row
        for row in with_control(rows)
    ]
    assert "certainly below those of as many independent halves at 3" in widths.describe(lower)


def test_eight_halves_of_four_weights_succeed_together():
    assert widths._of_one_half(0.9, 2) ** 8 == pytest.approx(0.9)
    assert widths._of_one_half(0.5, 1) == pytest.approx(math.sqrt(0.5))


def test_a_curve_of_one_point_shows_its_limits(rows):
    """Bars, for bands need two points; an arrow alone has its name in the legend."""
    shown = widths.draw(rows)
    bars = [list(line.get_xydata()[:, 1]) for line in shown.lines]  # type: ignore[index]
    for row in rows:
        if row.event == "one" and math.isfinite(row.high):
            assert [row.low, row.high] in bars
    assert all(line.get_marker() != "None" for line in shown.lines if "no less" in _label(line))
    assert shown.get_xlim()[0] == pytest.approx(0.7)  # k = 1
    three = widths.draw([row._replace(bits=3) for row in rows])
    assert three.get_xlim() == pytest.approx((2.7, 3.3))
    unbounded = [row._replace(width=math.inf, high=math.inf) for row in rows]
    labels = widths.draw(unbounded).get_legend_handles_labels()[1]
    assert "products, 99 % success (no upper limit)" in labels


def _label(line) -> str:
    return str(line.get_label())


def test_undecided_draws_are_counted_once(rows):
    assert "No draws are undecided" in widths.describe(rows)
    some = [row._replace(undecided=7 if row.event == "all" else 2) for row in rows]
    assert "At most 7 draws of one setting are undecided" in widths.describe(some)
    assert "at 1 of 1 settings" in widths.describe(some)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([4.0, 4.0], "4 units more"),
        ([0.0, 0.0], "0 units more"),
        ([-1.0, 3.0], "from 1 fewer to 3 more units"),
        ([-3.0, -1.0], "1 to 3 units fewer"),
        ([-1.0, 0.0], "from 1 fewer to 0 more units"),
        ([2.5, 3.0], "2.5 to 3 units more"),
    ],
)
def test_differences_are_told_with_their_sign(values, words):
    assert widths_report.more(values, "units") == words


@pytest.mark.slow
def test_a_layer_stands_beside_independent_halves(tmp_path):
    curves = (*SMALL.curves, widths.Curve("product", 2, (1,), 512))
    store = Store(tmp_path / "layer.jsonl")
    rows = widths.measure(widths.Setup(curves, 64), key=root(0), store=store, progress=False)
    layers = [row for row in rows if row.event == "layer"]
    assert [row.probability for row in layers] == [0.5, 0.9, 0.99]
    for row in layers[:2]:
        assert row.independent_low is not None
        assert row.independent_high is not None
        assert row.independent_low <= row.high
        assert row.low <= row.independent_high


def test_the_plan_counts_what_will_be_done():
    plan = widths.plan(SMALL)
    assert plan.startswith("256 draws of 64 units at 1 settings")
    assert np.all(["compile" in widths.plan(each) for each in (widths.FULL, widths.QUICK)])
