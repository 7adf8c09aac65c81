"""The study of families: what it measures, and verdicts that other rows would change."""

import math

import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.proof import families as study

SMALL = study.Setup(
    cases=(
        study.Case(study.TARGET, 2, 10_000),
        study.Case(study.NOTHING, 1, 10_000, (0.8,)),
    ),
    pairs=100_000,
    numbers=(1, 2, 6),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("families") / "families.jsonl")


@pytest.fixture(scope="module")
def rows(store):
    return study.measure(SMALL, key=root(0), store=store, progress=False)


def test_rows_are_consistent(rows):
    assert len(rows) == 2 * 3 * 3 + 1
    values = {(row.quantity, row.event, row.families): row for row in rows}
    for event in (study.TARGET, study.NOTHING):
        for number in (1, 2, 6):
            joint, product, ratio = (
                values[name, event, number] for name in ("joint", "product", "ratio")
            )
            assert ratio.value == pytest.approx(joint.value / product.value)
            assert joint.low <= joint.value <= joint.high
            assert joint.trials == 10_000
    assert values["ratio", study.TARGET, 1].value == pytest.approx(1, abs=0.01)
    assert values["ratio", study.TARGET, 6].high == math.inf  # too few draws carry it
    assert values["ratio", study.NOTHING, 6].high < 2
    assert {row.exact for row in rows if row.quantity == "ratio"} == {1.0, None}


def test_a_second_run_reads_the_store(rows, store):
    calls = []
    before = store.path.read_bytes()
    again = study.measure(
        SMALL, key=root(0), store=store, progress=lambda *call: calls.append(call)
    )
    assert again == rows
    assert store.path.read_bytes() == before
    assert calls[-1] == (120_000, 120_000)
    assert {row["name"] for row in store.rows()} == set(study.COUNTED)


def test_the_verdicts_depend_on_limits_alone(rows):
    lemma, independence = study.verdicts(rows)
    assert (lemma.verdict, independence.verdict) == ("fails", "fails")
    assert "at m = 2" in lemma.measured
    assert "at m = 6" not in lemma.measured
    assert "given alpha in [" in lemma.measured

    def judged(low, high):
        changed = [row._replace(low=low, high=high) for row in rows]
        return tuple(verdict.verdict for verdict in study.verdicts(changed))

    assert judged(0.5, 1.5) == ("undecided", "fails")
    assert judged(-0.1, 0.9) == ("holds", "undecided")
    assert judged(1.01, 1.5) == ("fails", "fails")
    random_only = [row for row in rows if row.event != study.NOTHING]
    assert "given alpha" not in study.verdicts(random_only)[0].measured


def test_given_output_weights_decide_nothing(rows):
    """The control: a ratio above 1 counts only where the output weights are random."""
    given = [
        row._replace(low=2.0, high=3.0) if row.strengths != "random" else row._replace(low=0.5)
        for row in rows
    ]
    assert study.verdicts(given)[0].verdict == "undecided"


def test_the_table_and_the_figure(rows):
    table, reading = study.describe(rows).split("\n\n")
    assert len(table.splitlines()) == 1 + 2 * 3
    assert "Lemma 3: fails" in reading
    assert "hold 1 at 2 of 2 points" in reading
    ax = study.draw(rows)
    assert isinstance(ax, Axes)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["target repaired, k = 2", "nothing broken, k = 1, α = (0.8)"]
    assert "20000 networks of 2 kinds" in study.plan(SMALL)
