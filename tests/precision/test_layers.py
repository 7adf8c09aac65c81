"""The study of whole networks: what is counted, read back, drawn and told."""

import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.precision import layers

SMALL = layers.Setup(
    (
        layers.Case((1, 1), (2, 8, 24), 64, bits=1, input_bits=1),
        layers.Case((1, 1, 1), ((2, 2), (24, 8)), 64, bits=1, input_bits=1),
    )
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("layers") / "layers.jsonl")


@pytest.fixture(scope="module")
def rows(store):
    return layers.measure(SMALL, key=root(0), store=store, progress=False)


def test_rows_count_networks(rows):
    assert [(row.construction, row.units, row.copies) for row in rows] == [
        *(("depth 2l", 2, None), ("depth 2l", 8, None), ("depth 2l", 24, None)),
        *(("depth l + 1", 2, 2), ("depth l + 1", 24, 8)),
    ]
    for row in rows:
        assert row.broken == 0
        assert row.served <= row.equal <= row.trials == 64
        assert row.low <= row.equal / row.trials <= row.high
        assert (row.inputs, row.is_whole_grid) == (5, "yes")
    assert rows[0].equal < rows[2].equal
    # 2 n units with an input and an output weight each; with copies, c of both outputs and inputs.
    assert [row.parameters for row in rows] == [8, 32, 96, 2 * 2 * (1 + 2) + 2, 48 * (1 + 8) + 8]


def test_a_second_run_reads_the_store(rows, store):
    before = store.path.read_bytes()
    calls = []
    again = layers.measure(
        SMALL, key=root(0), store=store, progress=lambda *done: calls.append(done)
    )
    assert again == rows
    assert store.path.read_bytes() == before
    assert calls[-1] == (128, 128)


def test_the_figure_shows_no_network_as_a_limit(rows):
    none = [row._replace(equal=0, served=0, low=0.0) if row.units == 2 else row for row in rows]
    ax = layers.draw(none)
    assert isinstance(ax, Axes)
    markers = [line.get_marker() for line in ax.lines]
    assert markers.count(r"$\downarrow$") == 2
    assert all(each.get_xlabel() and each.get_ylabel() for each in ax.figure.axes)
    assert ax.figure.legends  # type: ignore[union-attr]


def test_the_reading_depends_on_the_rows(rows):
    text = layers.describe(rows)
    served, lucky = sum(row.served for row in rows), sum(row.equal - row.served for row in rows)
    assert f"of {served} pruned networks with every weight served, 0 differ" in text
    assert f"{lucky} more networks are equal" in text
    broken = layers.describe([rows[0]._replace(broken=1), *rows[1:]])
    assert "1 differs from the target" in broken
    failed = [row._replace(equal=0) for row in rows]
    assert "above the sizes built" in layers.describe(failed)


def test_plans_are_made_of_the_cases():
    assert layers.plan(SMALL).startswith(
        "128 pairs of networks in 2 cases, pruned at 320 sizes and compared on 1600 inputs"
    )
