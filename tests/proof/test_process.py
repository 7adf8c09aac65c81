"""The study of the processes: its rows are its counts, and its verdicts follow the limits."""

import re

import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.montecarlo import Store
from lottery_jax.neuron_pruning import birth_death
from lottery_jax.proof import process as study
from lottery_jax.proof import process_report as report

# The programs are those of tests/neuron_pruning/test_process.py where both run in one process.
SMALL = study.Setup(
    cases=(study.Case(length=0.5, constant=0.1, cap=2, steps=30, trials=8192),), pilot=4096
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("process") / "counts.jsonl")
    return store, study.measure(SMALL, key=keys.root(1), store=store, progress=False)


def _only(rows, what, name, at=None):
    (row,) = (
        row for row in rows if row.what == what and row.process == name and at in (None, row.at)
    )
    return row


def test_violations_of_lemma_4_are_counted_and_one_is_shown(run):
    rows = run[1]
    own, copy = (_only(rows, "above", name) for name in ("own", "copy"))
    assert own.low > 0
    assert own.hits + copy.hits == own.hits
    path = _only(rows, "path", "own")
    original, capped = (
        [int(each) for each in part.split()]
        for part in re.search(r": ([\d ]+); own: ([\d ]+)$", path.text).groups()
    )
    assert capped[-1] > original[-1]
    assert all(low <= high for low, high in zip(capped[:-1], original[:-1], strict=True))
    steps = np.diff([original, capped], axis=1)
    assert set(steps.ravel().tolist()) <= {-1, 0, 1}


def test_the_bounds_are_those_of_the_chain(run):
    rows = run[1]
    p, q = (_only(rows, what, "own", 1).bound for what in ("up", "down"))
    assert 0 < q < p
    for row in rows:
        if row.what == "zero":
            assert row.bound == birth_death.law(p, q, 2, row.at)[0]
    # The coupled chain follows the law of Definition 4 as far as "own" follows its state alone.
    chain = _only(rows, "zero", "chain", 30)
    assert 0.7 < (chain.hits / chain.trials) / chain.bound < 1.3
    assert _only(rows, "above", "chain").hits == 0


def test_rates_have_limits_from_independent_chunks(run):
    """Visits of one path are not independent: the limits are wider than binomial ones."""
    rows = run[1]
    row = _only(rows, "up", "own", 1)
    share = row.hits / row.trials
    binomial = 2 * 3.89 * np.sqrt(share * (1 - share) / row.trials)
    assert row.low < share < row.high
    assert 0.9 * binomial < row.high - row.low < 10 * binomial
    assert study._ratio_limits(np.zeros(5, int), np.zeros(5, int)) == (0.0, 1.0)
    low, high = study._ratio_limits(np.array([5, 5, 5]), np.array([10, 10, 10]))
    assert low == high == 0.5


def test_the_verdicts(run):
    found = {each.lemma: each.verdict for each in study.verdicts(run[1])}
    assert found["Lemma 4, path by path, own configuration"] == "fails"
    assert found["Lemma 4, path by path, copied moves"] == "undecided"  # too few paths
    assert found["Lemma 5, own configuration"] != "fails"
    assert found["Lemma 5, p, copied moves"] == "fails"
    assert found["Lemma 5, q"] == "holds with other constants"


def test_verdicts_follow_the_limits(run):
    """Rows that say the opposite turn the verdicts round."""
    changed = []
    for row in run[1]:
        if row.what == "above":
            row = row._replace(hits=0, low=0.0, high=1e-4)
        if row.what == "zero":
            row = row._replace(low=0.9, high=0.95)
        if row.what == "zero in one alone":
            row = row._replace(low=0.1, high=0.2)
        if row.what == "up" and row.process == "copy beyond":
            row = row._replace(low=0.0, high=0.001)
        if row.what == "down":
            row = row._replace(low=0.5, high=0.6, hits=1)
        changed.append(row)
    found = {each.lemma: each.verdict for each in study.verdicts(changed)}
    assert found == {
        "Lemma 4, path by path, own configuration": "holds",
        "Lemma 4, path by path, copied moves": "holds",
        "Lemma 4, own configuration": "fails",
        "Lemma 5, own configuration": "fails",
        "Lemma 5, copied moves": "fails",
        "Lemma 5, p, copied moves": "fails",
        "Lemma 5, q": "undecided",
    }


def test_a_resumed_run_gives_the_same_rows(run):
    store, rows = run
    size = store.path.stat().st_size
    assert study.measure(SMALL, key=keys.root(1), store=store, progress=False) == rows
    assert store.path.stat().st_size == size


def test_the_text_and_the_figure(run):
    rows = run[1]
    text = study.describe(rows)
    own = _only(rows, "above", "own")
    assert f"{own.hits} of {own.trials} paths" in text
    left = study.draw(rows)
    (law,) = (line for line in left.get_lines() if "exact" in line.get_label())
    assert law.get_ydata()[-1] == _only(rows, "zero", "chain", 30).bound
    assert "12288 paths" in study.plan(study.QUICK)


def test_a_pilot_that_is_too_small_is_refused():
    nothing = study.Counts(1, {"own_moves": np.zeros((64, 9, 4), np.int64)}, {}, 0.0)
    with pytest.raises(ValueError, match=r"1000 times; give it more paths"):
        study._chain(nothing, SMALL.cases[0])


def test_the_bound_on_q_is_the_mass_of_the_central_bins(run):
    row = run[1][0]
    draws = np.random.default_rng(0).standard_cauchy(10**6)
    share = np.mean(np.abs(draws) <= row.cap * row.length / 2)
    assert abs(report._paper_q(row) - share) < 4e-3
