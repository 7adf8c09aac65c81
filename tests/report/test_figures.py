"""What a figure shows: every point, zero hits and open limits included, and no global change."""

import dataclasses
import math

import matplotlib
import numpy as np
import pytest

from lottery_jax.montecarlo import Estimates
from lottery_jax.report import figures
from lottery_jax.report.tables import WidthRow


def estimates(hits, *, bound="exact", limits="exact"):
    hits = np.asarray(hits)
    return Estimates(
        name="toy",
        settings=(("dim", 2),),
        epsilons=np.array([0.4, 0.1, 0.2, 0.05])[: len(hits)],
        hits=hits,
        undecided=np.zeros_like(hits),
        trials=100,
        low=np.maximum(hits / 100 - 0.1, 0),
        high=np.minimum(hits / 100 + 0.1, 1),
        limits=limits,
        confidence=0.95,
        bound=bound,
        seconds=0.0,
    )


def row(epsilon, width, low, high, **changes):
    measured = WidthRow("neuron", "linear", 2, epsilon, 1.0, 4, 0.5, width, low, high, 800, "upper")
    return dataclasses.replace(measured, **changes)


def points(line):
    return list(zip(*map(np.ndarray.tolist, map(np.asarray, line.get_data())), strict=True))


def band(ax):
    """The corners of the first band."""
    return ax.collections[0].get_paths()[0].vertices


def test_success_curve_draws_points_and_limits():
    ax = figures.success_curve(None, estimates([70, 20, 50]))
    (line,) = ax.lines
    assert points(line) == [(0.1, 0.2), (0.2, 0.5), (0.4, 0.7)]
    corners = band(ax).round(6).tolist()
    assert [0.1, 0.1] in corners
    assert [0.4, 0.8] in corners
    assert ax.get_xscale() == "log"
    assert ax.get_title() == "bands: 95 % exact limits; the points of a curve share draws"
    assert "100 draws" in ax.get_legend().get_texts()[0].get_text()


def test_zero_hits_are_upper_limits():
    ax = figures.success_curve(None, estimates([70, 0, 50, 0]))
    seen, unseen = ax.lines
    assert points(seen) == [(0.2, 0.5), (0.4, 0.7)]
    assert points(unseen) == [(0.05, 0.1), (0.1, 0.1)]
    assert unseen.get_marker() == r"$\downarrow$"
    assert band(ax)[:, 0].min() == 0.2
    never = figures.success_curve(None, estimates([0, 0]))
    assert points(never.lines[-1]) == [(0.1, 0.1), (0.4, 0.1)]
    assert len(never.get_legend().get_texts()) == 1


@pytest.mark.parametrize(
    ("bound", "label"),
    [("exact", "toy, "), ("lower", "toy (lower bound), "), ("upper", "toy (upper bound), ")],
)
def test_one_sided_counts_say_so(bound, label):
    ax = figures.success_curve(None, estimates([70, 20], bound=bound))
    assert ax.get_legend().get_texts()[0].get_text().startswith(label)


def test_sequential_limits_are_named():
    ax = figures.success_curve(None, estimates([70, 20], limits="sequential"))
    assert "sequential limits" in ax.get_title()


def test_an_axis_is_drawn_on_and_returned():
    ax = figures.new_axis()
    assert estimates([70, 20]).plot(ax) is ax
    assert figures.success_curve(ax, estimates([60, 10]), label="other") is ax
    assert len(ax.lines) == 2
    assert len({line.get_color() for line in ax.lines}) == 2
    assert len({line.get_marker() for line in ax.lines}) == 2
    assert ax.get_legend().get_texts()[1].get_text() == "other"
    ax = figures.new_axis()
    assert figures.width_curves(ax, [row(0.1, 75.0, 70.0, 81.0)]) is ax


def test_width_curves_draw_points_and_limits():
    rows = [
        row(0.1, 75.0, 70.0, 81.0),
        row(0.4, 17.0, 16.0, 19.0),
        row(0.2, 30.0, 28.0, 32.0, pruning="weight", output="relu", max_kept=None, one_sided=""),
    ]
    ax = figures.width_curves(None, rows)
    neuron, weight = ax.lines
    assert points(neuron) == [(2.5, 17.0), (10.0, 75.0)]
    assert points(weight) == [(5.0, 30.0)]
    assert [10.0, 81.0] in band(ax).tolist()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [
        "neuron pruning, linear output, d = 2, at most 4 kept (upper bound)",
        "weight pruning, relu output, d = 2",
    ]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert "50 % of the draws" in ax.get_ylabel()


def test_the_radius_rescales_epsilon():
    ax = figures.width_curves(None, [row(0.4, 17.0, 16.0, 19.0, radius=2.0)])
    assert points(ax.lines[0]) == [(5.0, 17.0)]


def test_open_limits_are_arrows():
    rows = [row(0.4, 17.0, 16.0, 19.0), row(0.01, math.inf, 480.0, math.inf)]
    ax = figures.width_curves(None, rows)
    line, arrow = ax.lines
    assert math.isnan(points(line)[1][1])
    assert points(arrow) == [(100.0, 480.0)]
    assert arrow.get_marker() == r"$\uparrow$"


def test_no_global_style_changes(tmp_path):
    before = matplotlib.rcParams.copy()
    figures.success_curve(None, estimates([0, 20]))
    ax = figures.width_curves(None, [row(0.4, 17.0, 16.0, 19.0)])
    figures.save(ax, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000
    assert matplotlib.rcParams == before
