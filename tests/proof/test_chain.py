"""The study of the chain: rows that read back, and a verdict that other rows would change."""

import math

import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.neuron_pruning import birth_death
from lottery_jax.proof import chain

SMALL = chain.Setup(
    chains=(chain.Chain(0.3, 0.1, 3), chain.Chain(0.3, 0.1, 20), chain.Chain(0.4, 0.3, 5)),
    trials=20_000,
    simulated=(1, 4, 16, 64),
    longest=400,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("chain") / "chain.jsonl")


@pytest.fixture(scope="module")
def rows(store):
    return chain.measure(SMALL, key=root(0), store=store, progress=False)


def test_rows_hold_the_law_and_the_paths(rows):
    assert {(row.p, row.q, row.cap) for row in rows} == set(SMALL.chains)
    for row in rows:
        law = birth_death.law(row.p, row.q, row.cap, row.step)
        assert row.exponent == pytest.approx(-math.log(law[0]), abs=1e-11)
        assert (row.hits is not None) == (row.step in SMALL.simulated)
        if row.hits is not None:
            assert row.trials == 20_000
            assert row.low < row.hits / row.trials < row.high


def test_a_second_run_reads_the_store(rows, store):
    def fail(done, total):
        calls.append((done, total))

    calls = []
    before = store.path.read_bytes()
    again = chain.measure(SMALL, key=root(0), store=store, progress=fail)
    assert again == rows
    assert store.path.read_bytes() == before
    assert calls[-1] == (60_000, 60_000)


def test_the_verdict_depends_on_the_rows(rows):
    (found,) = chain.verdicts(rows)
    assert found.verdict == "holds"
    assert "with the law at 12 of 12 points, with its limit at 1 of 1" in found.measured
    (fails,) = chain.verdicts([row._replace(constant=0.9 * row.rate) for row in rows])
    assert fails.verdict == "fails"
    off = [row._replace(low=row.high) if row.low and row.step == 4 else row for row in rows]
    (unsure,) = chain.verdicts(off)
    assert unsure.verdict == "undecided"
    assert "9 of 12 points" in unsure.measured
    assert "Lemma 7: undecided" in chain.describe(off)


def test_paths_that_miss_the_limit_leave_the_lemma_undecided(rows):
    """The limit is a closed form of its own: the law may agree, and it not."""
    off = [row._replace(limit=row.limit + 7e-4) for row in rows]
    low = [
        row._replace(low=math.exp(-row.exponent)) if row.step == 64 and row.low else row
        for row in off
    ]
    (found,) = chain.verdicts(low)
    assert "12 of 12 points, with its limit at 0 of 1" in found.measured
    assert found.verdict == "undecided"


def test_the_paragraph_follows_the_rows(rows):
    """Rows that say the opposite turn every conclusion round."""
    text = chain.describe(rows)
    assert "nearer to the rate" in text
    assert "serves every k and T computed" in text
    assert "at or above the rate in 3 of 3 chains" in text
    assert ", below exp(-a T)" in text
    made = [
        row._replace(constant=(0.9 if row.cap == 3 else 0.5) * row.rate, limit=0.1 * row.rate)
        for row in rows
    ]
    text = chain.describe([row._replace(constant_step=7) for row in made])
    assert "it is at or above the rate in 0 of 3 chains. Lemma 7: fails. The step" in text
    assert "within 2 of T in 1 of 3 chains" in text
    assert ", no lower than exp(-a T)" in text
    far = chain.describe(
        [row._replace(constant=(1 if row.cap == 3 else 9) * row.rate) for row in rows]
    )
    assert "no nearer to the rate" in far


def test_the_table_and_the_figure(rows):
    text = chain.describe(rows)
    table, reading = text.split("\n\n")
    assert len(table.splitlines()) == 1 + len(SMALL.chains)
    assert "Lemma 7: holds" in reading
    assert f"it is {rows[0].constant:.3g} at T = 3" in reading
    ax = chain.draw(rows)
    assert isinstance(ax, Axes)
    assert "T = 20" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert "60000 paths of 64 steps" in chain.plan(SMALL)


@pytest.mark.parametrize("setup", [chain.FULL, chain.QUICK])
def test_the_constants_serve_every_step(setup):
    """After the steps looked at, the chance is within exp(-k rate) of its limit."""
    for p, q, cap in setup.chains:
        steps = setup.multiple * max(cap, 250)
        constant, _ = birth_death.lemma_7_constant(p, q, cap, steps)
        later = math.exp(birth_death.limit_zero(p, q, cap))
        later += math.sqrt(q / p) * math.exp(-steps * birth_death.decay_rate(p, q))
        assert later <= math.exp(-constant * cap)
