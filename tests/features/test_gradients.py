"""The study of gradients: three ways agree, and a wrong one is told."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.core.records import Records
from lottery_jax.features import gradients, gradients_report
from lottery_jax.sparse_features import links
from lottery_jax.study import Study

SMALL = gradients.Setup((2,), (2,), (0.5,), 20_000)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Records(tmp_path_factory.mktemp("gradients") / "gradients.jsonl")


@pytest.fixture(scope="module")
def rows(store):
    return gradients.measure(SMALL, key=root(0), store=store, progress=False)


def test_three_ways_agree(rows):
    assert isinstance(gradients, Study)
    assert [row.case for row in rows] == ["two squares"] * 3 + ["cancelling"] * 3 + [
        "k* = 2, r = 2"
    ] * 3
    known = {0: 1 / (2 * math.sqrt(math.pi)) / math.sqrt(2), 2: 0.0}
    known |= {3: 0.0, 4: 0.1331 / math.sqrt(13), 5: 0.1023 / math.sqrt(13)}
    for place, norm in known.items():
        assert rows[place].formula == pytest.approx(norm, abs=2e-5)
        assert rows[place].golden == pytest.approx(rows[place].formula, abs=1e-12)
    for row in rows:
        assert row.error < 1e-6
        assert row.deviation < row.allowed
        assert row.low <= row.formula <= row.high
        assert row.samples == 20_000
    assert {row.part for row in rows[6:]} == {"all", "even", "odd"}


def test_quadrature_against_a_known_value():
    """For y = x_1 at w = e_1: E x^2 1(x > -b) = Phi(b) - b phi(b)."""
    first = np.eye(3)[0]
    link = links.hermite({1: 1.0})
    for bias in (-0.7, 0.4):
        found = gradients.by_quadrature(link, first[:, None], first, bias, "all")
        normal = math.exp(-(bias**2) / 2) / math.sqrt(2 * math.pi)
        law = (1 + math.erf(bias / math.sqrt(2))) / 2 - bias * normal
        np.testing.assert_allclose(found, [law, 0, 0], atol=1e-12)


def test_a_second_run_reads_the_store(rows, store):
    before = store.path.read_bytes()
    assert gradients.measure(SMALL, key=root(0), store=store, progress=False) == rows
    assert store.path.read_bytes() == before


def test_the_reading_follows_the_rows(rows):
    text = gradients_report.describe(rows)
    assert "gives 6 of 6 known norms to 1e-06" in text
    assert "for 9 of 9 gradients" in text
    assert "limits for 9 (largest" in text
    wrong = [rows[0]._replace(golden=0.3, error=1e-3, deviation=9.0), *rows[1:]]
    text = gradients_report.describe(wrong)
    assert "gives 5 of 6 known norms" in text
    assert "for 8 of 9 gradients" in text
    assert "limits for 8 (largest deviation 9.00 standard errors" in text


def test_the_figure_and_the_plan(rows):
    ax = gradients.draw(rows)
    assert isinstance(ax, Axes)
    assert ax.get_xlabel().startswith("norm of the gradient")
    assert "9 gradients under 3 links" in gradients.plan(SMALL)
    assert "87 gradients under 11 links" in gradients.plan(gradients.FULL)
