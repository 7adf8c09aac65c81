"""The study of rare events: rows that resume, verdicts that other rows would change."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.neuron_pruning import birth_death, bounds, paper_bounds
from lottery_jax.proof import rare, rare_bounds
from lottery_jax.proof.rare_rows import Curve, Setup, named, names

SMALL = Setup(
    kept=((2, (1, 2), (0.2, 0.05)),),
    particles=128,
    repetitions=8,
    curve=Curve(0.4, 2.0, width=16, max_kept=2, trials=512),
    single_dims=(2,),
    single_epsilons=(0.8, 0.4),
    single_trials=20_000,
    range_dims=(2, 128, 512),
    range_epsilon=1e-4,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("rare") / "rare.jsonl")


@pytest.fixture(scope="module")
def rows(store):
    return rare.measure(SMALL, key=root(0), store=store, progress=False)


def test_rows_say_what_was_measured(rows):
    kept = [row for row in rows if row.what == "kept"]
    assert {(row.kept, row.epsilon) for row in kept} == {(1, 0.2), (1, 0.05), (2, 0.2), (2, 0.05)}
    for row in kept:
        assert row.low < math.exp(row.log) < row.high <= row.bound
        assert (row.exact is None) == (row.kept == 2)
        assert row.exact is None or row.low < row.exact < row.high
        assert row.evaluations == 8 * 128 * (1 + 6 * (row.levels - 1))
    success = [row for row in rows if row.what == "success"]
    assert [row.width for row in success] == list(range(1, 17))
    assert np.all(np.diff([row.low for row in success]) >= 0)
    assert {row.trials for row in success} == {success[0].trials}
    assert success[0].trials >= 512


def test_bounds_are_those_of_the_library(rows):
    upper = {row.kept: row for row in rows if row.what == "kept" and row.epsilon == 0.2}
    logs = np.log([upper[1].exact, upper[2].high])
    union = named(rows, "bound", "union of p_1 to p_2")
    assert [row.log for row in union] == bounds.log_union(logs, np.arange(1, 17)).tolist()
    masks = named(rows, "bound", "union over masks")
    assert masks[4].log == bounds.log_bound_masks(2, 0.2, np.array([5]))[0]


def test_reach_is_where_the_bound_crosses_one_half(rows):
    """(5) at d = 128, summed directly; the other bounds through the library."""
    inside = SMALL.range_epsilon / 2
    for name, log_bound in (
        ("one kink", lambda widths: bounds.log_bound_kink(inside, widths)),
        ("union over masks", lambda widths: bounds.log_bound_masks(128, inside, widths)),
    ):
        (row,) = [row for row in named(rows, "range", name) if row.dim == 128]
        below, above = log_bound(np.array([row.width, row.width + 1]))
        assert below < math.log(0.5) <= above
    (row,) = [row for row in named(rows, "range", "(5) of the paper") if row.dim == 128]
    chain = rare_bounds.paper_chain(SMALL.range_epsilon, 2.0)
    zero = birth_death.log_probability_zero(*chain, np.arange(1, row.width + 2))
    logs = paper_bounds.log_kept(128, zero)
    below, above = bounds.log_union(logs, np.array([row.width, row.width + 1]))
    assert below < math.log(0.5) <= above


def test_the_paper_s_chain_needs_fine_accuracies():
    assert rare_bounds.paper_chain(0.2, 2.0) is None
    assert rare_bounds.paper_chain(1e-4, 2.0).cap == 62
    assert rare_bounds.paper_chain(0.00625, 2.0).cap == 1
    widths = np.array([1, 5])
    for make in (rare_bounds._log_bound_5, rare_bounds._log_bounds_9_10):
        assert make(2, 0.2, 2.0)(widths).tolist() == [0, 0]
        # T = 1: no sum before it.
        assert np.all(np.isfinite(make(64, 0.00625, 2.0)(widths)))


def test_a_second_run_reads_the_store(rows, store):
    calls = []
    before = store.path.read_bytes()
    again = rare.measure(
        SMALL, key=root(0), store=store, progress=lambda done, total: calls.append((done, total))
    )
    assert again == rows
    assert store.path.read_bytes() == before
    assert calls[-1] == (6, 6)
    assert {row["name"] for row in store.rows()} == set(rare.COUNTED)


def test_verdicts_depend_on_the_rows(rows):
    found = {verdict.lemma: verdict.verdict for verdict in rare.verdicts(rows)}
    assert found == {
        "Lemma 8": "holds",
        "union bound (1)": "holds",
        "Lemma 9": "holds with other constants",
        "Lemma 10": "holds",
    }

    def judged(lemma, change):
        (verdict,) = [
            each for each in rare.verdicts([change(row) for row in rows]) if each.lemma == lemma
        ]
        return verdict.verdict

    def second(**fields):
        return lambda row: row._replace(**fields) if (row.what, row.kept) == ("kept", 2) else row

    assert judged("Lemma 8", second(low=1e-9, high=1e-2)) == "undecided"
    assert judged("Lemma 8", second(low=0.1, high=0.2)) == "fails"

    def single(**fields):
        return lambda row: row._replace(**fields) if row.what == "single" else row

    assert judged("Lemma 10", single(exact=0.9)) == "undecided"
    assert judged("Lemma 10", single(low=0.9, high=0.95)) == "fails"
    assert judged("Lemma 9", lambda row: row._replace(width=0) if row.what == "range" else row) == (
        "undecided"
    )
    raised = judged(
        "union bound (1)", lambda row: row._replace(low=1.0) if row.what == "success" else row
    )
    assert raised == "fails"


def test_the_paragraph_and_the_figure(rows):
    text = rare.describe(rows)
    assert "scores/level" in text.splitlines()[0]
    success = [row for row in rows if row.what == "success"]
    assert f"{success[-1].low:.3g} to {success[-1].high:.3g}" in text
    ax = rare.draw(rows)
    assert isinstance(ax, Axes)
    _, labels = ax.get_legend_handles_labels()
    assert len(labels) == 1 + len(names(rows, "bound"))


def test_a_plan_counts_points_and_programs():
    assert rare.plan(rare.FULL).startswith("28 probabilities by splitting, 24 repetitions")
    assert "5 programs" in rare.plan(rare.QUICK)
