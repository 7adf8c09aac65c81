"""The study of whole networks: what is counted, read back, drawn and told."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.precision import layers

SMALL = layers.Setup((layers.Case((1, 1), (2, 8, 24), 64, bits=1, input_bits=1),))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("layers") / "layers.jsonl")


@pytest.fixture(scope="module")
def rows(store):
    return layers.measure(SMALL, key=root(0), store=store, progress=False)


def with_copies(rows):
    """The same once more as if there were copies."""
    other = {"construction": "depth l + 1", "copies": 4}
    return [*rows, *(row._replace(per_weight=3 * row.per_weight, **other) for row in rows)]


def test_rows_count_networks(rows):
    assert [(row.construction, row.units, row.copies) for row in rows] == [
        ("depth 2l", units, None) for units in (2, 8, 24)
    ]
    for row in rows:
        assert row.broken == 0
        assert row.served == row.equal <= row.trials == 64  # one layer hides nothing
        assert row.low <= row.equal / row.trials <= row.high
        assert (row.inputs, row.is_whole_grid) == (5, "yes")
        assert row.parameters == row.per_weight == 4 * row.units
    assert rows[0].equal < rows[2].equal


def test_parameters_with_copies_are_those_of_all_matrices():
    """2 n units with one input, c outputs each; c copies into one output."""
    case = layers.Case((1, 1, 1), ((24, 8),), 64)
    row = layers._row(case, (24, 8), 64, served=3, equal=4, broken=0)
    assert row.parameters == 48 * (1 + 8) + 8
    assert (row.construction, row.num_layers, row.per_weight) == ("depth l + 1", 2, 220.0)


def test_a_second_run_reads_the_store(rows, store):
    before = store.path.read_bytes()
    calls = []
    again = layers.measure(
        SMALL, key=root(0), store=store, progress=lambda *done: calls.append(done)
    )
    assert again == rows
    assert store.path.read_bytes() == before
    assert calls[-1] == (64, 64)


def test_the_figure_shows_no_network_as_a_limit(rows):
    none = [
        row._replace(equal=0, served=0, low=0.0) if row.units == 2 else row
        for row in with_copies(rows)
    ]
    ax = layers.draw(none)
    assert isinstance(ax, Axes)
    markers = [line.get_marker() for line in ax.lines]
    assert markers.count(r"$\downarrow$") == 2  # one for each construction
    unserved = [line for line in ax.lines if line.get_marker() == r"$\Downarrow$"]
    limits = [row.served_high for row in none if row.units == 2]
    assert [line.get_ydata()[0] for line in unserved] == limits  # type: ignore[index]
    bars = [list(line.get_ydata()) for line in ax.lines]  # type: ignore[arg-type]
    for row in none:
        assert ([row.served_low, row.served_high] in bars) == (row.served > 0)
    hollow = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert all(np.all(np.asarray(line.get_ydata()) > 0) for line in hollow)
    assert all(each.get_xlabel() and each.get_ylabel() for each in ax.figure.axes)
    assert ax.figure.legends  # type: ignore[union-attr]


def test_the_reading_depends_on_the_rows(rows):
    rows = with_copies(rows)
    rows[-1] = rows[-1]._replace(served=rows[-1].equal - 5)
    text = layers.describe(rows)
    served = sum(row.served for row in rows)
    assert f"of {served} pruned networks (sizes share draws) with every weight served, 0" in text
    assert (
        "Whole grids are compared in 6 of 6 rows, with up to 5 inputs: there 5 more networks"
        in text
    )
    assert "Corners" not in text
    assert "Depth l + 1 asks for 3 times as many parameters" in text
    sampled = [*rows[:-1], rows[-1]._replace(inputs=99, is_whole_grid="no")]
    text = layers.describe(sampled)
    assert (
        "Whole grids are compared in 5 of 6 rows, with up to 5 inputs: there 0 more networks"
        in text
    )
    assert (
        "Corners and random inputs stand for it in 1 of 6, up to 99 of them: there 5 more" in text
    )
    broken = layers.describe([rows[0]._replace(broken=1), *rows[1:]])
    assert "1 differs from the target" in broken
    wider = [row._replace(widths="2-2") for row in rows]
    assert "depth 2l, 1-1: 96; depth l + 1, 1-1: 288; depth 2l, 2-2: 96" in layers.describe(
        [*rows, *wider]
    )
    failed = [row._replace(equal=0) for row in rows]
    assert "above the sizes built" in layers.describe(failed)


def test_plans_are_made_of_the_cases():
    assert layers.plan(SMALL).startswith(
        "64 pairs of networks in 1 cases, pruned at 192 sizes and compared on 960 inputs"
    )
