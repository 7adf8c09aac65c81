"""Seeds on several devices: the same numbers, and each exactly once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys, make_mesh, root
from lottery_jax.core.records import Records
from lottery_jax.features import (
    baselines,
    cancellation,
    directions,
    gradients,
    recall,
    sensitivity,
    signs,
)
from lottery_jax.features.seeds import each_seed
from lottery_jax.montecarlo import Store


def measure(key, scale):
    """A number of the seed, and an array of it."""
    return {"one": scale * jax.random.uniform(key, (), jnp.float32), "two": jnp.arange(3)}


@pytest.mark.parametrize("devices", [1, 3, 8])
def test_numbers_do_not_depend_on_the_devices(devices):
    """Each is that of the seed's own key, whatever the group is filled up with."""
    mesh = make_mesh(jax.devices()[:devices])
    found = list(each_seed(measure, jnp.float32(2), [5, 0, 3, 9], key=root(7), mesh=mesh))
    assert [seed for seed, _ in found] == [5, 0, 3, 9]
    for seed, each in found:
        alone = 2 * jax.random.uniform(jax.random.fold_in(root(7), seed), (), jnp.float32)
        assert float(each["one"]) == float(alone)
        np.testing.assert_array_equal(each["two"], [0, 1, 2])


def test_no_seeds_run_nothing():
    """As when all are known."""
    assert list(each_seed(measure, jnp.float32(2), [], key=root(7))) == []


def test_results_of_other_streams_are_not_found(tmp_path, monkeypatch):
    """All studies name the version of the streams in what they store."""
    store = Records(tmp_path / "results.jsonl")
    asked = gradients.Setup((), (), (), 4096)
    monkeypatch.setattr(gradients, "_sampled", lambda cases, *_: ([[[0.0] * 6] * 3] * 2,) * 2)
    gradients.measure(asked, key=root(0), store=store, progress=False)
    gives = {"mass": [1.0], "largest": [1.0], "kept": [1], "pruned": [0.1], "dense": [0.2]}
    found = {name: np.array(each) for name, each in gives.items()}
    monkeypatch.setattr(
        directions, "each_seed", lambda p, a, seeds, **_: ((s, found) for s in seeds)
    )
    small = directions.QUICK._replace(sizes=(500,), seeds=2)
    directions.measure(small, key=root(0), store=store, progress=False)
    before = len(store.path.read_text().splitlines())
    monkeypatch.setattr(keys, "STREAM_VERSION", keys.STREAM_VERSION + 1)
    gradients.measure(asked, key=root(0), store=store, progress=False)
    directions.measure(small, key=root(0), store=store, progress=False)
    assert len(store.path.read_text().splitlines()) == 2 * before


@pytest.mark.parametrize("study", [directions, baselines, cancellation, recall, sensitivity, signs])
def test_one_draw_is_refused_before_it_is_drawn(study, tmp_path):
    """The limits of its rows are those of a spread."""
    one = study.QUICK
    if study is directions:
        one = one._replace(seeds=1)
    elif study is recall:
        one = one._replace(curves=(one.curves[0]._replace(trials=1),))
    else:
        one = one._replace(trials=1)
    store = (Records if study is directions else Store)(tmp_path / "results.jsonl")
    with pytest.raises(ValueError, match="have no spread; use 2 or more"):
        study.measure(one, key=root(0), store=store, progress=False)
    assert not store.path.exists()
