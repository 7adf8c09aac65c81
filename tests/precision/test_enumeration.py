"""The study of all instances: integers that are known, and words that follow the rows."""

import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.core.records import Records
from lottery_jax.precision import enumeration
from lottery_jax.study import Study
from tests.oracles import enumeration as oracle

SMALL = enumeration.Setup(4**6, 2**7)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("enumeration") / "quantized_enumeration.jsonl"


@pytest.fixture(scope="module")
def rows(path):
    return enumeration.measure(SMALL, key=root(0), store=Records(path), progress=False)


def test_it_is_a_study():
    assert isinstance(enumeration, Study)


def test_rows_are_all_sizes(rows):
    partitions = [row for row in rows if row.problem == "partition"]
    sizes = {(n, m) for n in range(2, 13) for m in range(1, 65) if m**n <= 4**6}
    assert [(row.num_items, row.largest) for row in partitions] == sorted(sizes)
    sums = {(row.num_items, row.largest, row.target) for row in rows if row.target is not None}
    assert {(2, 1, 0), (2, 4, 2), (2, 5, 0), (3, 2, 1), (7, 1, 0)} <= sums
    assert not {(2, 3, 1), (2, 8, 4), (8, 1, 0)} & sums  # not a power of two; too many


def test_rows_are_right(rows):
    for row in rows:
        assert row.by_multisets == row.by_all_instances
        assert abs(row.error) < 0.75  # three quarters of 1/n: the law is that of this row
        if row.target is None and row.instances <= 1000:
            expected = oracle.partitions_by_states(row.num_items, row.largest)
            assert row.by_multisets == expected
            assert row.instances == row.largest**row.num_items
        if row.target is not None:
            expected = oracle.subset_sums_by_loops(row.num_items, row.largest, row.target)
            assert row.by_multisets == expected
            assert row.instances == (2 * row.largest) ** row.num_items


def test_a_second_run_reads_the_store(rows, path):
    calls, before = [], path.read_bytes()
    again = enumeration.measure(
        SMALL, key=root(1), store=Records(path), progress=lambda *call: calls.append(call)
    )
    assert again == rows
    assert path.read_bytes() == before
    assert calls[-1][0] == calls[-1][1] == len(before.splitlines())


def test_the_plan_counts_what_is_done(rows):
    assert f"{len(rows)} pairs" in enumeration.plan(SMALL)
    assert "16777216 partitions" in enumeration.plan(enumeration.FULL)


def test_the_figure_shows_shares_and_laws(rows):
    ax = enumeration.draw(rows)
    assert isinstance(ax, Axes)
    labels = ax.get_legend_handles_labels()[1]
    assert labels[:2] == ["n = 2", "n = 3"]
    assert any("λ = 0" in label for label in labels)
    assert len(ax.figure.axes) == 3


def test_the_paragraph_follows_the_rows(rows):
    text = enumeration.describe(rows)
    assert f"the same at {len(rows)} of {len(rows)} sizes" in text
    assert "46 of 64 at n = 3, M = 4, 2692 of 4096 at n = 4, M = 8." in text
    assert "n = 2 at M = 1 to 7; n = 3 at M = 1 to 7; n = 4 at M = 2 to 8" in text
    assert "from n = 5 on" not in text  # it goes on to (5, 5)
    assert "from n = 6 on it holds at every M here" in text


def test_other_rows_turn_the_paragraph_round(rows):
    exact = [row._replace(law=row.probability) for row in rows]
    text = enumeration.describe(exact)
    partitions = sum(row.problem == "partition" for row in rows)
    assert f"at {partitions} of {partitions} pairs (n, M). The law of subset" in text
    assert "it is not" not in text
    assert "off by up to 0.00/n" in text

    far = [row._replace(law=1 - row.probability) for row in rows]
    assert "holds at every M here" not in enumeration.describe(far)

    wrong = [*rows[:-1], rows[-1]._replace(by_all_instances=0)]
    text = enumeration.describe(wrong)
    assert f"the same at {len(rows) - 1} of {len(rows)} sizes" in text
    assert "They differ at Row(problem='subset sum'" in text

    alone = [row for row in rows if row.problem == "partition" and row.num_items > 5]
    text = enumeration.describe(alone)
    assert "Among them" not in text
    assert "subset" not in text
