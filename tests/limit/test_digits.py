"""The study of small networks on the digits: what it says of rows, and that it goes on."""

import pytest

from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.limit import digits
from lottery_jax.limit.digits import Row

RULES = {"one-shot, training loss": (0.30, 0.50), "paper's rule": (0.55, 0.71)}
FORMS = {"paper": (0.60, 0.70), "one-shot": (0.31, 0.52)}


def rows():
    """Two networks, two forms, two rules."""
    found = []
    for number, l1 in enumerate((1e-4, 1e-3)):
        told = ("8", l1, 592, 0.9, 0.01, 0.002, 1.5 + number)
        for how, limits in (("predicted", FORMS), ("measured", RULES)):
            for name, values in limits.items():
                value = values[number]
                found.append(Row(*told, how, name, value, value - 0.02, value + 0.02))
    return found


def test_differences_are_those_of_the_rows():
    text = digits.describe(rows())
    lines = {line.split()[0]: " ".join(line.split()) for line in text.splitlines() if line}
    # predicted - measured of both networks: means and mean sizes.
    assert lines["paper"] == "paper +0.250 (0.250) +0.020 (0.030)"
    assert "one-shot +0.015 (0.015) -0.215 (0.215)" in " ".join(text.split())


def test_reading_names_the_nearest_form_and_whether_intervals_meet():
    text = digits.describe(rows())
    assert (
        "one-shot, training loss: one-shot is nearest, off by 0.015 on average, and their "
        "intervals meet for 2 of 2 networks." in text
    )
    assert "paper's rule: paper is nearest, off by 0.030 on average" in text
    assert "the gradient adds 1.5 to 2.5 epsilons" in text


def test_figure_has_a_panel_for_each_rule():
    axes = digits.draw(rows()).figure.axes
    titles = [ax.get_title().replace("\n", " ") for ax in axes if ax.get_title()]
    assert titles == list(RULES)


def test_networks_in_the_store_are_not_trained_again(tmp_path, monkeypatch):
    trained = []

    def fake(setup, key, progress):
        trained.append(setup.recipe.l1)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return [row for row in rows() if row.l1 == setup.recipe.l1]

    monkeypatch.setattr(digits, "_rows", fake)
    asked = {"key": keys.root(0), "progress": False}
    with pytest.raises(KeyboardInterrupt):
        digits.measure(digits.QUICK, store=Records(tmp_path / "a.jsonl"), **asked)
    found = digits.measure(digits.QUICK, store=Records(tmp_path / "a.jsonl"), **asked)
    assert trained == [1e-4, 1e-3, 1e-3]
    assert found == rows()


def test_other_setups_are_other_results(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(digits, "_rows", lambda setup, *others: trained.append(setup) or rows()[:1])
    store = Records(tmp_path / "a.jsonl")
    for setup in (digits.QUICK, digits.QUICK._replace(products=101), digits.QUICK):
        digits.measure(setup, key=keys.root(0), store=store, progress=False)
    assert len(trained) == 4


def test_plan_counts_networks():
    assert digits.plan(digits.FULL).startswith("9 networks on the digits, 100 epochs each")
