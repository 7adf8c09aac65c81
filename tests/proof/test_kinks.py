"""The study of single kinks: laws within limits, wrong laws refused, verdicts by limits."""

import re

import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.montecarlo import Store
from lottery_jax.montecarlo.counts import collect_counts
from lottery_jax.neuron_pruning import kinks
from lottery_jax.proof import kinks as study
from tests.oracles.rates import FALSE_ALARM, assert_rate

SMALL = study.Setup(neurons=24_576, bins=65_536)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("kinks") / "counts.jsonl")
    return store, study.measure(SMALL, key=keys.root(1), store=store, progress=False)


def _check_laws(rows):
    """Every closed form within exact limits; where the paper has another number, that one not."""
    refused = 0
    for row in rows:
        if row.exact is None or not row.trials:
            continue
        if row.undecided:
            from scipy import stats

            most = stats.binom(row.trials, row.exact).sf(row.hits + row.undecided)
            least = stats.binom(row.trials, row.exact).cdf(row.hits - 1)
            assert most < 1 - FALSE_ALARM / 2
            assert least < 1 - FALSE_ALARM / 2
        else:
            assert_rate(row.hits, row.trials, row.exact)
        if row.event == "jump > gamma":
            with pytest.raises(AssertionError):
                assert_rate(row.hits, row.trials, row.paper)
            refused += 1
    assert refused == 4


def test_the_laws_hold(run):
    _check_laws(run[1])


@pytest.mark.slow
def test_the_laws_hold_in_a_million_draws(tmp_path):
    setup = study.Setup(neurons=10**6, bins=10**5)
    _check_laws(
        study.measure(
            setup, key=keys.root(2), store=Store(tmp_path / "counts.jsonl"), progress=False
        )
    )


def test_the_verdicts(run):
    found = {each.lemma: each.verdict for each in study.verdicts(run[1])}
    assert found == {
        "Section 5.5, law of a jump": "fails",
        "Section 5.5, c_3": "holds with other constants",
        "Lemma 1": "holds",
        "Lemma 2": "holds",
        "Lemma 6": "fails",
        "Lemma 6, middle half": "undecided",  # too few draws for a limit below 1/1000
    }


def test_verdicts_follow_the_limits(run):
    """Rows that say the opposite turn the verdicts round."""
    changed = []
    for row in run[1]:
        if row.event == "jump > gamma":
            row = row._replace(low=row.paper - 0.01, high=row.paper + 0.01)
        if row.event in ("broken, but near", "best affine error not a delta / 4"):
            row = row._replace(hits=5, low=0.001, high=0.01)
        if row.event == "steep, unbroken":
            row = row._replace(hits=0, low=0.0, high=0.5)
        changed.append(row)
    found = {each.lemma: each.verdict for each in study.verdicts(changed)}
    assert found["Section 5.5, law of a jump"] == found["Section 5.5, c_3"] == "holds"
    assert found["Lemma 1"] == found["Lemma 2"] == "fails"
    assert found["Lemma 6"] == "undecided"


def _judged(rows):
    return {each.lemma: each.verdict for each in study.verdicts(rows)}


def test_the_law_is_judged_at_every_gamma_and_c_3_by_its_lower_limit(run):
    wide = [
        row._replace(low=0.0, high=1.0) if row.event == "jump > gamma" else row for row in run[1]
    ]
    found = _judged(wide)
    assert found["Section 5.5, law of a jump"] == found["Section 5.5, c_3"] == "undecided"
    changed = [
        row._replace(low=row.exact - 1e-3, high=row.exact + 1e-3)
        if row.event == "jump > gamma" and row.parameter == 2.0
        else row
        for row in wide
    ]
    assert _judged(changed)["Section 5.5, law of a jump"] == "fails"


def test_bins_left_open_widen_the_limits(run):
    """Neither a hit nor a miss: no claim of "never" survives many of them."""
    counts = {"apart": 1000, "broken": 400, "broken_near": 0, "whole": 500, "whole_far": 0}
    near, far, left = study._bin_rows(counts | {"undecided": 100})
    assert (near.trials, near.undecided, far.trials, far.undecided) == (500, 100, 600, 100)
    assert (left.trials, left.hits) == (1000, 100)
    assert near.high > 0.2
    assert far.high > 100 / 600
    assert near.low == far.low == 0
    rows = [near if row.event == near.event else row for row in run[1]]
    assert _judged(rows)["Lemma 1"] == "undecided"
    clear = {"apart": 10**6, "broken": 4 * 10**5, "whole": 6 * 10**5} | dict.fromkeys(
        ("broken_near", "whole_far", "undecided"), 0
    )
    rows = [study._bin_rows(clear)[0] if row.event == near.event else row for row in run[1]]
    assert _judged(rows)["Lemma 1"] == "holds"


def test_float64_leaves_no_bin_open(run):
    (left,) = (row for row in run[1] if row.event == "pair left open")
    assert left.hits == 0
    narrow = collect_counts(
        kinks.random_bins(), key=keys.root(1), trials=SMALL.bins, progress=False
    ).totals
    assert narrow["undecided"] > 0
    with pytest.raises(ValueError, match="enable_x64"):
        collect_counts(
            kinks.random_bins(precision="float64"), key=keys.root(1), trials=1, progress=False
        )
    with pytest.raises(ValueError, match="precision='float16'"):
        kinks.random_bins(precision="float16")


def test_only_real_laws_are_counted_as_agreeing(run):
    rows = run[1]
    laws = [row for row in rows if row.exact not in (None, 0.0, 1.0)]
    agreeing = re.search(
        r"Of (\d+) probabilities between 0 and 1 .*, (\d+) lie", study.describe(rows)
    )
    assert agreeing is not None
    assert [int(each) for each in agreeing.groups()] == [len(laws), len(laws)]
    assert len(laws) < sum(row.exact is not None for row in rows)


def test_the_text_follows_the_verdicts(run):
    rows = [
        row._replace(low=0.001, high=0.01)
        if row.event in ("broken, but near", "best affine error not a delta / 4")
        else row
        for row in run[1]
    ]
    text = study.describe(rows)
    assert re.search(r"Lemma 1,[^;]*: fails", text)
    assert re.search(r"Lemma 2,[^.]*: fails", text)
    assert re.search(r"Lemma 2,[^.]*: holds", study.describe(run[1]))


def test_a_resumed_run_gives_the_same_rows(run):
    store, rows = run
    size = store.path.stat().st_size
    assert study.measure(SMALL, key=keys.root(1), store=store, progress=False) == rows
    assert store.path.stat().st_size == size


def test_the_text_and_the_figure(run):
    rows = run[1]
    text = study.describe(rows)
    half = next(row for row in rows if row.event == "jump > gamma" and row.parameter == 0.5)
    assert f"{half.low:.4f} and {half.high:.4f}" in text
    left = study.draw(rows)
    lines = left.figure.axes[1].get_lines()
    measured = next(line for line in lines if line.get_label() == "measured")
    shares = [r.hits / r.trials for r in rows if r.event == "steep, unbroken at x"]
    assert np.array_equal(measured.get_ydata(), shares)
    assert "65536 random neurons" in study.plan(study.QUICK)
