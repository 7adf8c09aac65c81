"""The study of test errors: each row from its parts, resuming, and what the text claims."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys, make_mesh, root
from lottery_jax.core.records import Records
from lottery_jax.features import error, error_report, error_rows, networks, seeds
from lottery_jax.sparse_features import data, directions, learn, links, prune
from lottery_jax.study import Study

SMALL = error.Setup(
    dim=10,
    support_size=2,
    degree=2,
    sizes=(200, 400),
    seeds=2,
    num_neurons=8,
    kept=2,
    fresh=500,
    passes=1,
    batch=32,
)
TRAINED = SMALL._replace(trained_sizes=(200,))


class Run(NamedTuple):
    """The rows of a run, and its store."""

    rows: list
    store: Records


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run of the small setup."""
    store = Records(tmp_path_factory.mktemp("error") / "error.jsonl")
    return Run(measure(SMALL, store), store)


def measure(setup, store):
    """On one device, for which it compiles faster."""
    mesh = make_mesh(jax.devices()[:1])
    return error.measure(setup, key=root(3), store=store, mesh=mesh, progress=False)


def test_there_is_a_row_for_each_network(run):
    """Four of one step for each n and seed."""
    kinds = [(row.method, row.training, row.size, row.seed) for row in run.rows]
    assert len(set(kinds)) == len(kinds) == 4 * 2 * 2
    for row in run.rows:
        assert row.chance == row.kept / SMALL.dim
        if row.method in ("dense", "oracle"):
            assert row.recall == 1
    by = {(row.method, row.size, row.seed): row for row in run.rows}
    for (method, size, seed), row in by.items():
        if method == "random":
            assert row.kept == by["pruned", size, seed].kept


@pytest.mark.slow
def test_full_training_adds_rows(run, monkeypatch):
    """Two for each seed, with the recall of the networks of one step; known ones are not run."""
    rows = measure(TRAINED, run.store)
    assert [row for row in rows if row.training == "one step"] == run.rows
    added = [row for row in rows if row.training == "all layers"]
    assert {(row.method, row.seed) for row in added} == {
        (method, seed) for method in ("pruned", "dense") for seed in (0, 1)
    }
    recalls = {(row.method, row.seed): row.recall for row in run.rows if row.size == 200}
    for row in added:
        assert (row.size, row.strength) == (200, None)
        assert row.recall == recalls[row.method, row.seed]
    monkeypatch.setattr(error_rows, "_train", None)
    assert measure(TRAINED, run.store) == rows


@pytest.mark.slow
def test_rows_are_those_of_their_parts(run):
    """Seed 1 at n = 400 again, from the public functions and its own streams."""
    key = jax.random.fold_in(root(3), 1)
    hidden = directions.flat(jax.random.fold_in(key, 0), 10, 2)
    model = data.Model(links.hermite({2: 1.0}))
    source = data.generated(model, hidden, jax.random.fold_in(key, 1), rows=200)
    fresh = data.generated(model, hidden, jax.random.fold_in(key, 5), rows=500)

    @jax.jit
    def again():
        pruned = prune.prune_network(
            source, 320, jax.random.fold_in(key, 2), num_pairs=4, kept=2, shift=0.5
        )
        masks = jnp.stack([pruned.kept, jnp.any(hidden != 0, axis=1)])
        found = learn.learn(source, 400, masks, jax.random.fold_in(key, 4), num_neurons=8)
        return masks, learn.fresh_error(found.network, fresh, 500)

    masks, known = again()
    for place, method in enumerate(("pruned", "oracle")):
        (row,) = [
            row
            for row in run.rows
            if (row.method, row.training, row.size, row.seed) == (method, "one step", 400, 1)
        ]
        assert row.kept == int(np.sum(masks[place]))
        assert row.recall == float(np.sum(masks[place] & masks[1])) / 2
        np.testing.assert_allclose(row.error, known.mean[place], rtol=1e-3)
        np.testing.assert_allclose(row.error_deviation, known.deviation[place], rtol=1e-3)


def test_a_run_goes_on_from_its_store(run, monkeypatch):
    """The same rows with nothing run; and a third seed changes none of the first two."""

    def none(*arguments, **options):
        raise AssertionError("this was known")

    with monkeypatch.context() as patch:
        patch.setattr(networks.learn, "learn", none)
        again = measure(SMALL, run.store)
        assert again == run.rows
        other = SMALL._replace(kept=3)
        with pytest.raises(AssertionError, match="known"):
            measure(other, run.store)
    more = SMALL._replace(seeds=3)
    rows = measure(more, run.store)
    assert [row for row in rows if row.seed < 2] == run.rows


def test_full_training_of_a_seed_does_not_depend_on_their_number(monkeypatch):
    """Its key is that of the seed's number in one stream, whatever the number of seeds."""
    used = []

    def none(inputs, targets, masks, key, **settings):
        del inputs, targets, settings
        used.append(jax.random.key_data(keys.items(key, len(masks)))[0].tolist())
        raise InterruptedError

    monkeypatch.setattr(error_rows.trained, "train", none)
    monkeypatch.setattr(error_rows.lax, "map", lambda function, seeds: (None, None))
    for number in (2, 3):
        each = {seed: {"pruned": [[0], [1]]} for seed in range(number)}
        with pytest.raises(InterruptedError):
            error_rows._train(TRAINED._replace(seeds=number), 200, each, root(3))
    assert used[0] == used[1]


def made_up(errors):
    """Rows of four seeds from the mean errors of each method, a few per cent apart."""
    rows = []
    for (method, training, size), mean in errors.items():
        for seed in range(4):
            rows.append(
                error_rows.Row(
                    method=method,
                    training=training,
                    size=size,
                    seed=seed,
                    error=mean * (1 + 0.02 * seed),
                    error_deviation=0.001 * mean,
                    recall=0.5,
                    kept=30,
                    chance=0.3,
                    strength=0.1,
                    best_pass=None,
                    dim=100,
                    support_size=10,
                    degree=2,
                    neurons=8,
                    pruning_kept=10,
                    shift=0.5,
                )
            )
    return rows


ONE = "one step"
GOOD = {
    (method, ONE, size): value
    for method, values in {
        "pruned": (0.9, 0.2, 0.1),
        "dense": (1.0, 0.9, 0.2),
        "oracle": (0.1, 0.1, 0.1),
        "random": (1.0, 1.0, 1.0),
    }.items()
    for size, value in zip((1000, 2000, 4000), values, strict=True)
}


def test_claims_follow_from_the_rows():
    """Turned round, every clause says the opposite."""
    said = error.describe(made_up(GOOD))
    assert "below that of the dense ones at 2 of 2 n" in said
    assert "smaller in every seed at 2 of them" in said
    assert "at most the dense one's error of n = 4000 from n = 2000 on, 2 times fewer" in said
    assert "no better than the mean alone" in said
    mixed = GOOD | {("random", ONE, 1000): 0.95, ("pruned", ONE, 1000): 0.15}
    mixed["pruned", ONE, 2000] = 0.3  # so that a good n = 1000 is by chance
    same = [row._replace(error=GOOD[row.method, ONE, row.size]) for row in made_up(GOOD)]
    said = error.describe(made_up(mixed))
    assert "hardly better than the mean alone" in said
    assert "times fewer" not in said
    assert "inf" not in error.describe(same)
    swapped = {"pruned": "dense", "dense": "pruned"}
    bad = {(swapped.get(m, m), t, n): value for (m, t, n), value in GOOD.items()}
    bad["random", ONE, 4000] = 0.5
    said = error.describe(made_up(bad))
    assert "below that of the dense ones at 0 of 2 n" in said
    assert "(not at n = 2000, 4000)" in said
    assert "times fewer" not in said
    assert "less than 0.9 at n = 4000" in said


def test_differences_are_paired_with_student_limits():
    """Two values by hand: mean 2, standard error 1, and 63.657 is Student's quantile at 99 %."""
    found = seeds.mean_over(np.array([1.0, 3.0]), confidence=0.99)
    assert (found.low, found.high) == pytest.approx((2 - 63.657, 2 + 63.657), rel=1e-4)
    gap = error_report.difference(made_up(GOOD), 2000)
    assert gap.mean == pytest.approx(0.7 * 1.03)
    assert (gap.wins, gap.seeds) == (4, 4)
    alone = seeds.mean_over(np.array([1.0]), confidence=0.99)
    assert (alone.low, alone.high) == (-np.inf, np.inf)


def test_it_is_a_study_with_a_figure(run):
    """Both panels are labelled."""
    assert isinstance(error, Study)
    assert "2 seeds" in error.plan(SMALL)
    for rows in (run.rows, made_up(GOOD)):
        ax = error.draw(rows)
        assert ax.get_ylabel() == "test error / variance of the target"
        assert {text.get_text() for text in ax.get_legend().get_texts()} >= {"pruned", "dense"}
