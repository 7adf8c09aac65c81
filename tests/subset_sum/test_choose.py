"""The public face: what it accepts, which method it takes, and how it refuses."""

import numpy as np
import pytest

from lottery_jax.subset_sum.choose import explain, nearest
from tests.oracles.subset_sum import least_error


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 3)])
def test_scalars_and_vectors(shape):
    rng = np.random.default_rng(5)
    items, target = rng.normal(size=shape).astype(np.float32), np.zeros(shape[1:], np.float32) + 0.5
    match = nearest(items, target)
    np.testing.assert_allclose(match.error, least_error(items, target), rtol=2.0**-22)
    assert match.is_exact
    assert match.mask.shape == (6,)


@pytest.mark.parametrize(
    ("items", "target", "message"),
    [
        ([1.0, 2.0], [1.0], "do not fit"),
        ([[1.0, 2.0]], 1.0, "do not fit"),
        ([[[1.0]]], [[1.0]], "do not fit"),
        ([1.0, np.nan, np.inf], 1.0, r"items \[1, 2\] are not finite"),
        ([1e39], 1.0, r"items \[0\] are not finite"),
        ([1.0], np.inf, "must be finite"),
        ([3e38, 3e38], 0.0, "sum of all magnitudes"),
        (np.ones(41), 0.0, "num_items=41 scalar items.*few_items_nearest with max_kept"),
        (np.ones((27, 2)), np.ones(2), "num_items=27 vectors.*few_items_nearest with max_kept"),
        (np.ones((3, 0)), np.ones(0), "dim=0"),
    ],
)
def test_refusals(items, target, message):
    with pytest.raises(ValueError, match=message):
        nearest(items, target)


def test_explain_names_the_method():
    assert explain(30).startswith("meet in the middle")
    assert explain(26, dim=2).startswith("exhaustive")
    with pytest.raises(ValueError, match="at least 0"):
        explain(-1)
