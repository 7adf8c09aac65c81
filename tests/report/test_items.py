"""Rows of items needed: the lines through them."""

import math

import pytest

from lottery_jax.report.items import ItemsRow, fit_items


def test_lines_come_from_the_crossings_of_one_share():
    def row(epsilon, probability, place):
        limits = (place, place - 0.1, place + 0.1)
        return ItemsRow("target", "uniform", 0, epsilon, probability, *limits, *limits, 9, 0, 30)

    rows = [row(2.0**-bits, 0.5, 1.5 * bits + 2) for bits in (2, 4, 6)]
    rows += [row(2.0**-bits, 0.9, 20.0) for bits in (2, 4, 6)]
    rows += [row(2.0**-8, 0.5, math.inf)]
    line = fit_items(rows, ("target", "uniform", 0))
    assert line.slope.value == pytest.approx(1.5)
    assert line.intercept.value == pytest.approx(2)
