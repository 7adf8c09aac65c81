"""The study of pruning methods: rows, what it says of them, and going on after an interruption."""

import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.limit import baselines, baselines_rows
from lottery_jax.limit.baselines import Setup
from lottery_jax.limit.baselines_rows import Row
from lottery_jax.pruning_limit import lanes
from lottery_jax.report import figures
from lottery_jax.training import Recipe

TINY = Setup(
    methods=("one_shot_layerwise", "one_shot_global"),
    sparsities=(0.5, 0.9),
    num_seeds=2,
    hidden=(12,),
    recipe=Recipe(0.1, l1=1e-3, epochs=2),
)


def measure(setup, folder, **settings):
    store = Records(folder / "rows.jsonl")
    return baselines.measure(setup, key=keys.root(0), store=store, progress=False, **settings)


def untrained(name, task):
    """Stands in for every method: masks at random, and no training."""
    removed = jnp.asarray(task.num_removed)
    states = lanes.starts(task)
    order = jnp.asarray(np.random.default_rng(0).permutation(task.leaves.size), jnp.int32)
    kept = jnp.broadcast_to(
        (order[None] >= removed[:, None])[:, None], (len(removed), len(task.keys), task.leaves.size)
    )
    both = lanes.repeat((states.params, states.state), len(removed))
    params, state = lanes.spread(both, len(removed))
    return lanes.Pruned(lanes.prune(task, params, kept), state, kept, np.ones(len(removed)))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("baselines")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "prune", untrained)
        return folder, measure(TINY, folder)


@pytest.mark.slow
def test_methods_are_run_and_networks_learn(tmp_path):
    rows = measure(TINY, tmp_path)
    assert all(row.zeros == row.asked for row in rows)
    assert np.mean([row.accuracy for row in rows if row.method == "dense"]) > 0.5
    assert {row.epochs for row in rows} == {2.0}


def test_every_network_is_a_row_with_its_zeros_counted(measured):
    _, rows = measured
    assert len(rows) == 2 * 2 + 2 * 2 * 2
    places = [(row.method, row.sparsity, row.seed) for row in rows]
    assert len(set(places)) == len(rows)
    assert all(row.weights == 64 * 12 + 12 * 10 for row in rows)
    assert {(row.sparsity, row.asked) for row in rows} == {(0.0, 0), (0.5, 444), (0.9, 799)}
    assert all(row.zeros == row.asked for row in rows)


def test_what_is_stored_is_not_trained_again(measured, monkeypatch):
    folder, rows = measured
    monkeypatch.setattr(baselines, "prune", None)
    assert measure(TINY, folder) == rows
    assert measure(TINY._replace(methods=("one_shot_global",)), folder) == [
        row for row in rows if row.method != "one_shot_layerwise"
    ]
    with pytest.raises(TypeError, match="not callable"):  # another recipe, another result
        measure(TINY._replace(recipe=Recipe(0.2, epochs=2)), folder)


def rows_of(accuracies):
    """Rows at one sparsity, from accuracies by method and seed."""
    return [
        Row(method, 0.0 if "dense" in method else 0.9, seed, 100, 0, 0, accuracy, 10.0)
        for method, values in accuracies.items()
        for seed, accuracy in enumerate(values)
    ]


EXAMPLE = {
    "dense": [0.97, 0.96, 0.98],
    "dense_l1": [0.97, 0.96, 0.98],
    "snip": [0.90, 0.92, 0.94],  # always a point below synflow: told apart, although they overlap
    "synflow": [0.91, 0.931, 0.949],
    "grasp": [0.915, 0.91, 0.95],  # now above, now below
    "random_equal": [0.1, 0.95, 0.95],  # too far, whatever the spread
}


def test_methods_are_told_apart_by_paired_differences():
    assert baselines_rows.best(rows_of(EXAMPLE), 0.9) == ["synflow", "grasp"]


def test_the_reading_says_what_the_rows_say():
    text = baselines.describe(rows_of(EXAMPLE))
    lines = [line.split() for line in text.splitlines()]
    assert ["SynFlow", "10", "93.0", "±", "2.0*"] in lines
    assert ["SNIP", "10", "92.0", "±", "2.0"] in lines
    assert "exactly the asked number" in text
    assert "random (equal ratios) at no sparsity tried" in text
    assert "at 0.9 SynFlow, with GraSP." in text
    close = rows_of({**EXAMPLE, "snip": [0.96, 0.97, 0.98]})
    assert "kept by SNIP to 0.9;" in baselines.describe(close)
    broken = [row._replace(zeros=3) if row.method == "snip" else row for row in close]
    assert "In 3 of 18 networks the number of zeros is not the asked one, by up to 3." in (
        baselines.describe(broken)
    )


def test_figure_and_plan(measured, tmp_path):
    _, rows = measured
    figures.save(baselines.draw(rows), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    # Runs: two seeds twice without pruning, and once for each method.
    assert "888 prunable weights" in baselines.plan(TINY)
    assert ": 8 training runs of 2 epochs" in baselines.plan(TINY)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"methods": ("snip", "magic")}, "method 'magic'"),
        ({"sparsities": (1.0,)}, "sparsities="),
        ({"num_seeds": 0}, "num_seeds=0"),
        ({"model": "perceptron"}, "perceptron"),
        ({"data": "fashion"}, "fashion"),
    ],
)
def test_settings_out_of_range_are_refused(changes, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        measure(TINY._replace(**changes), tmp_path)
