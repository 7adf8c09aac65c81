"""The study of rare events: rows that resume, verdicts that other rows would change."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.montecarlo.splitting import limits_of_mean
from lottery_jax.neuron_pruning import birth_death, bounds, paper_bounds
from lottery_jax.proof import rare, rare_bounds
from lottery_jax.proof.rare_rows import (
    CONFIDENCE,
    NOMINAL,
    WIDEST,
    Curve,
    Setup,
    named,
    names,
)
from tests.oracles.rates import assert_rate_at_most

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
    # p_1 is exact, and p_2 has limits.
    lower = bounds.log_union(np.log([upper[1].exact, upper[2].low]), np.arange(1, 17))
    assert [row.low for row in union] == pytest.approx(np.exp(lower), rel=1e-12)
    assert [row.high for row in union] == pytest.approx([math.exp(row.log) for row in union])
    assert union[0].low == union[0].high < union[1].low < union[1].high
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


def judge(rows, lemma):
    (verdict,) = [each for each in rare.verdicts(rows) if each.lemma == lemma]
    return verdict


def with_kept(rows, kept, **fields):
    """The rows, with one p_k made up."""
    return [
        row._replace(**fields) if (row.what, row.kept) == ("kept", kept) else row for row in rows
    ]


def test_verdicts_of_the_rows_measured(rows):
    assert {verdict.lemma: verdict.verdict for verdict in rare.verdicts(rows)} == {
        "Lemma 8": "undecided",
        "union bound (1)": "holds",
        "Lemma 9": "undecided",
        "Lemma 10": "holds",
    }


def test_no_range_of_k_decides_lemma_8(rows):
    """Neither a p_k that falls ever more slowly, nor one that once does not fall."""
    one, two = (row for row in rows if (row.what, row.epsilon) == ("kept", 0.2))
    for chances in ([1e-3 * 2 ** (-(k**0.1)) for k in range(1, 7)], [1e-6, 2e-6, 1e-8, 1e-10]):
        made = [
            two._replace(kept=k, low=0.9 * p, high=1.1 * p) for k, p in enumerate(chances, start=1)
        ]
        others = [row for row in rows if row.what != "kept"]
        found = judge([*made, *others], "Lemma 8")
        assert found.verdict == "undecided"
        a = min(-math.log(1.1 * p) / (2 * k) for k, p in enumerate(chances, start=1))
        assert f"a = {a:.3g} at d = 2, k <= {len(chances)}" in found.measured
        assert "upper limits reach 1" not in found.measured
    # The exact p_1 is its own limit.
    a = min(-math.log(one.exact) / 2, -math.log(two.high) / 4)
    assert f"a = {a:.3g} at d = 2, k <= 2" in judge(rows, "Lemma 8").measured
    unknown = judge(with_kept(rows, 2, low=0.0, high=1.0), "Lemma 8")
    assert "a = 0 at d = 2, k <= 2" in unknown.measured
    assert "2 of 4 upper limits reach 1" in unknown.measured


def test_the_union_bound_is_judged_by_both_limits(rows):
    def made(**fields):
        """The union bound is N / 40, known to a tenth; success is made up."""
        for row in rows:
            if (row.what, row.name) == ("bound", "union of p_1 to p_2"):
                bound = row.width / 40
                yield row._replace(log=math.log(bound), low=0.9 * bound, high=1.1 * bound)
            elif row.what == "success":
                yield row._replace(**{end: row.width * at for end, at in fields.items()})
            else:
                yield row

    assert judge(list(made(low=0.01, high=0.02)), "union bound (1)").verdict == "holds"
    assert judge(list(made(low=0.01, high=0.024)), "union bound (1)").verdict == "undecided"
    assert judge(list(made(low=0.026, high=0.03)), "union bound (1)").verdict == "undecided"
    assert judge(list(made(low=0.028, high=0.03)), "union bound (1)").verdict == "fails"
    found = judge(list(made(low=0.01, high=0.02)), "union bound (1)")
    assert "at 7 of 7 widths" in found.measured  # 10 to 16
    # Narrow networks are not judged, wide ones where the bound says nothing neither.
    narrow = [
        row._replace(high=1.0) if row.what == "success" and row.width < 10 else row
        for row in made(low=0.01, high=0.02)
    ]
    assert judge(narrow, "union bound (1)").verdict == "holds"
    empty = [row._replace(low=2.0) if row.what == "bound" else row for row in narrow]
    assert judge(empty, "union bound (1)").verdict == "undecided"


def test_lemma_9_stays_conditional(rows):
    """(5) is computed from the chain at one accuracy: however far it reaches, nothing holds."""
    far = [row._replace(width=10**9) if row.what == "range" else row for row in rows]
    for each in (rows, far):
        found = judge(each, "Lemma 9")
        assert found.verdict == "undecided"
        assert found.claim.startswith("given Lemma 8")
        assert "epsilon = 0.0001" in found.measured


def test_lemma_10_depends_on_the_rows(rows):
    def single(**fields):
        return [row._replace(**fields) if row.what == "single" else row for row in rows]

    assert judge(single(exact=0.9), "Lemma 10").verdict == "undecided"
    assert judge(single(low=0.9, high=0.95), "Lemma 10").verdict == "fails"


def test_wide_spreads_are_marked(rows):
    """Limits of repetitions that spread more than was checked are named."""
    text = rare.describe(rows)
    assert "as at all points here" in text
    assert " no " not in text.split("\n\n")[0]
    wide = rare.describe(with_kept(rows, 2, deviation=0.8, is_covered=False))
    assert "it is larger at d = 2, k = 2, 0.2, d = 2, k = 2, 0.05" in wide
    assert wide.split("\n\n")[0].count(" no ") == 2
    for row in rows:
        if row.what == "kept":
            assert row.is_covered == (row.deviation <= 0.5)


@pytest.mark.parametrize("draws", [40_000, pytest.param(200_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("repetitions", [rare.FULL.repetitions, rare.QUICK.repetitions])
def test_the_limits_of_p_k_cover_as_often_as_stated(draws, repetitions):
    """Lognormal repetitions of the widest spread allowed; limits set at CONFIDENCE do not."""
    rng = np.random.default_rng(9)
    sigma = math.sqrt(math.log1p(WIDEST**2))
    made = np.exp(sigma * rng.normal(size=(draws, repetitions)) - sigma**2 / 2)

    def missed(confidence):
        low, high = np.array([limits_of_mean(each, confidence=confidence) for each in made]).T
        return int(np.sum((low > 1) | (high < 1)))

    assert_rate_at_most(missed(NOMINAL), draws, 1 - CONFIDENCE)
    with pytest.raises(AssertionError):
        assert_rate_at_most(missed(CONFIDENCE), draws, 1 - CONFIDENCE)


def test_the_paragraph_and_the_figure(rows):
    text = rare.describe(rows)
    assert "scores/level" in text.splitlines()[0]
    success = [row for row in rows if row.what == "success"]
    assert f"{success[-1].low:.3g} to {success[-1].high:.3g}" in text
    deep = max((row for row in rows if row.what == "kept"), key=lambda row: row.levels)
    # Every particle once at the first level, six moves of each at the others: 8 x 128 of them.
    assert deep.by_level == f"1024, {deep.levels - 1} x 6144"
    assert f"epsilon = {deep.epsilon:g}): {deep.by_level}." in text
    ax = rare.draw(rows)
    assert isinstance(ax, Axes)
    _, labels = ax.get_legend_handles_labels()
    assert len(labels) == 1 + len(names(rows, "bound"))
    assert {"(5) of the paper: never below 1", "(9) and (10) of the paper: never below 1"} <= {
        *labels
    }


def test_a_plan_counts_points_and_programs():
    assert rare.plan(rare.FULL).startswith("28 probabilities by splitting, 24 repetitions")
    assert "5 programs" in rare.plan(rare.QUICK)
