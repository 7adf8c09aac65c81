"""The studies that measure widths: what they print, draw and conclude from rows made up here."""

import math

import pytest

from lottery_jax import curves, study
from lottery_jax.core import keys
from lottery_jax.montecarlo import StoreError
from lottery_jax.neuron_pruning.single_neuron import success_gaussian
from lottery_jax.proof import corners, exponents
from lottery_jax.report.tables import WidthRow


def row(pruning, output, dim, epsilon, width, *, max_kept=4, spread=0.04):
    low, high = (float(math.floor(width * (1 + sign * spread))) for sign in (-1, 1))
    return WidthRow(
        *(pruning, output, dim, epsilon, 1.0, max_kept, 0.5, float(round(width))),
        *(low, high, 400, "upper"),
    )


def power_law(power, *, pruning="neuron", output="linear", dim=2, max_kept=4, scale=40):
    kind = pruning, output, dim
    return [
        row(*kind, epsilon, scale * (0.4 / epsilon) ** power, max_kept=max_kept, spread=0.02)
        for epsilon in (0.4, 0.2, 0.1, 0.05)
    ]


def closed_form():
    widths = {epsilon: exponents.one_neuron(2, epsilon) for epsilon in (0.4, 0.2, 0.1, 0.05)}
    return [row("neuron", "linear", 2, each, width, max_kept=1) for each, width in widths.items()]


def logarithm(pruning="weight", output="relu"):
    kind = pruning, output, 2
    return [
        row(*kind, epsilon, 220 + 42 * math.log2(0.4 / epsilon), max_kept=None, spread=0.02)
        for epsilon in (0.4, 0.1, 1e-2, 1e-3)
    ]


def test_one_neuron_succeeds_in_half_of_the_draws_at_the_closed_form():
    for dim, epsilon in ((2, 0.3), (3, 0.5)):
        width, share = exponents.one_neuron(dim, epsilon), success_gaussian(dim, epsilon)
        assert 1 - (1 - share) ** width >= 0.5 > 1 - (1 - share) ** (width - 1)


def test_exponents_are_those_of_the_rows():
    rows = power_law(1.5, max_kept=2) + closed_form()
    told = exponents.describe(rows)
    assert "1.50 [" in told
    assert "for 2 of 2 curves. With one kept the closed form is inside the limits at 4 of 4" in told
    scarce = exponents.describe(power_law(2.0, max_kept=1, scale=30))
    assert "inside the limits at 0 of 4" in scarce
    assert "for 0 of 1 curves; above it lie d = 2, at most 2 kept: 2.00" in exponents.describe(
        power_law(2.0, max_kept=2)
    )
    assert "; below it lie d = 2, at most 2 kept: 1.00" in exponents.describe(
        power_law(1.0, max_kept=2)
    )


def judged(module, rows):
    return {each.lemma: each.verdict for each in module.verdicts(rows)}


def test_theorem_1_is_judged_by_widths_with_any_number_kept_only():
    free = power_law(0.7, max_kept=None, scale=17)
    assert judged(exponents, power_law(0.7)) == {}
    assert judged(exponents, free) == {"Theorem 1, d = 2": "holds with other constants"}
    # One kink within reach needs .27/epsilon: far fewer neurons cannot do.
    few = power_law(0.0, max_kept=None, scale=2)
    assert judged(exponents, few)["Theorem 1, d = 2"] == "fails"
    near = [row("neuron", "linear", 2, 0.05, 6, max_kept=None, spread=0.4)]
    assert judged(exponents, near)["Theorem 1, d = 2"] == "undecided"


def test_the_factor_d_is_left_open_and_shown_where_most_dimensions_were_measured():
    rows = [
        row("neuron", "linear", dim, epsilon, 10 * dim, max_kept=kept)
        for dim, epsilon, kept in [(2, 0.4, 4), (3, 0.4, 4), (2, 0.2, 2), (3, 0.2, 2), (4, 0.2, 2)]
    ]
    (found,) = exponents.verdicts(rows)
    assert found.verdict == "undecided"
    assert (
        "[19, 20] at d = 2, [28, 31] at d = 3, [38, 41] at d = 4 (epsilon = 0.2" in found.measured
    )
    assert exponents.verdicts(rows[:1]) == []


def test_only_the_finest_points_are_fitted_once_more():
    rows = power_law(1.5, max_kept=2)
    assert [each.epsilon for each in exponents.finest(rows, rows[0].curve)] == [0.2, 0.1, 0.05]


def test_corners_tell_a_power_from_a_logarithm():
    masked = power_law(1.0, pruning="weight")
    rows = [*power_law(1.0), *power_law(0.95, output="relu"), *masked, *logarithm()]
    assert judged(corners, rows) == {
        "neurons, linear output, d = 2": "holds",
        "neurons, relu output, d = 2": "holds",
        "weights, linear output, d = 2": "fails",
        "weights, relu output, d = 2": "holds",
    }
    assert "neither change alone escapes the power" in corners.describe(rows)


def test_corners_are_judged_by_their_own_law():
    """A smaller power is no logarithm, and a logarithm is none of a power."""
    slow = power_law(0.5, pruning="weight", scale=200)
    small = power_law(0.5, pruning="weight", output="relu", max_kept=None, scale=200)
    assert judged(corners, [*power_law(1.25), *slow, *small]) == {
        "neurons, linear output, d = 2": "holds",
        "weights, linear output, d = 2": "fails",
        "weights, relu output, d = 2": "fails",
    }
    neurons = [each for each in logarithm("neuron", "linear") if each.epsilon < 0.4]
    assert judged(corners, neurons) == {"neurons, linear output, d = 2": "fails"}
    assert "neither change" not in corners.describe([*power_law(1.25), *slow, *small])


def test_few_or_vague_points_leave_a_corner_undecided():
    vague = [
        row("weight", "linear", 2, epsilon, 20 * (0.4 / epsilon) ** 0.6, spread=0.5)
        for epsilon in (0.4, 0.2, 0.1, 0.05)
    ]
    for rows in (vague, power_law(1.0)[:2]):
        assert set(judged(corners, rows).values()) == {"undecided"}


SMALL = (
    curves.Curve("neuron", "linear", 2, (0.6, 0.5), 100, 12, 1.15, max_kept=2),
    curves.Curve("weight", "linear", 2, (0.6, 0.5), 100, 6, 1.0, max_kept=2),
)


def test_a_run_into_a_folder_and_once_more(tmp_path, monkeypatch):
    settings = dict(key=keys.root(0), store=study.open_store(corners, tmp_path), progress=False)
    rows = corners.measure(SMALL, **settings)
    assert [(each.pruning, each.epsilon, each.max_kept) for each in rows] == [
        ("neuron", 0.6, 2),
        ("neuron", 0.5, 2),
        ("weight", 0.6, 2),
        ("weight", 0.5, 2),
    ]
    assert rows[2].width_high < rows[0].width_low  # masks help
    study.write(corners, rows, tmp_path)
    assert (tmp_path / "corners.csv").read_text().count("\n") == 5
    assert (tmp_path / "corners.png").stat().st_size > 10_000
    monkeypatch.setattr("lottery_jax.montecarlo.collect.run_first_width", None)
    assert corners.measure(SMALL, **settings) == rows
    (tmp_path / "corners.jsonl").rename(tmp_path / "exponents.jsonl")
    with pytest.raises(StoreError, match="another experiment; name another folder"):
        study.open_store(exponents, tmp_path)


@pytest.mark.parametrize("module", [corners, exponents])
def test_plans_name_every_point(module):
    for setup in (module.QUICK, module.FULL):
        points = sum(len(curve.epsilons) for curve in setup)
        assert f"{points} points" in module.plan(setup)


def test_the_figure_has_a_panel_for_each_dimension_and_a_curve_for_each_number_kept():
    rows = power_law(2.0, max_kept=1) + power_law(0.7, max_kept=None) + power_law(3.0, dim=3)
    panels = exponents.draw(rows).figure.axes
    assert [ax.get_title() for ax in panels] == ["d = 2", "d = 3"]
    labels = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in panels]
    assert labels == [["at most 1 kept", "any number kept"], ["at most 4 kept"]]
    (line,) = panels[1].lines
    assert list(line.get_ydata()) == [each.width for each in rows[-4:]]
