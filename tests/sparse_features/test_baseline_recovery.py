"""Counts of every method on one draw, against masks from the scores themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys, root
from lottery_jax.sparse_features import baseline_recovery, baselines, data, directions, links
from lottery_jax.sparse_features.baseline_recovery import METHODS

LINEAR = links.hermite({1: 1.0})
TINY = {"dim": 12, "support_size": 3, "link": LINEAR, "sizes": (20, 400), "kept": 2}


def test_counts_of_a_draw_are_traceable():
    experiment = baseline_recovery.baseline_recovery(**TINY, num_pairs=3)
    shapes = jax.eval_shape(experiment.count, root(3), experiment.scalars())
    assert {name: (each.shape, str(each.dtype)) for name, each in shapes.items()} == dict.fromkeys(
        ("found", "found_squared", "kept"), ((len(METHODS), 2), "int32")
    )


@pytest.mark.slow
def test_one_draw():
    experiment = baseline_recovery.baseline_recovery(**TINY, num_pairs=3)
    key = keys.lane(root(3), 0)
    counted = jax.jit(experiment.count)(key, experiment.scalars())
    found, kept = (np.asarray(counted[name]) for name in ("found", "kept"))
    assert found.shape == kept.shape == (len(METHODS), 2)
    np.testing.assert_array_equal(counted["found_squared"], found**2)
    for row in kept[2:]:
        np.testing.assert_array_equal(row, kept[0])
    hidden = directions.flat(keys.lane(key, 1), 12, 3)
    support = np.asarray(directions.support(hidden))
    source = data.generated(data.Model(LINEAR), hidden, keys.lane(key, 0))
    scores = np.asarray(jax.jit(lambda: baselines.first_order(source, jnp.array([20, 400])))())
    for place, number in enumerate(kept[0]):
        best = np.argsort(-scores[place], kind="stable")[:number]
        assert found[METHODS.index("first order"), place] == np.sum(support[best])
    assert found[METHODS.index("first order"), 1] == found[0, 1] == 3


def test_wrong_settings():
    with pytest.raises(ValueError, match="kept=13 must be a whole number from 1 to 12"):
        baseline_recovery.baseline_recovery(**{**TINY, "kept": 13})
