"""The rivals on sparse features give right answers: those of the definition."""

import numpy as np
import pytest

from benchmarks import rivals_features as rivals
from benchmarks.cases import CASES
from benchmarks.timing import Result
from tests.oracles import prune_network


@pytest.mark.parametrize("solve", [rivals.scores_by_products, rivals.scores_by_runs])
@pytest.mark.parametrize("kept", [1, 3, 6])
def test_scores(solve, kept):
    """With runs that are empty, and a projection equal to a bias."""
    rng = np.random.default_rng(kept)
    inputs = rng.normal(size=(30, 5)).astype(np.float32)
    targets, noise = rng.normal(size=(2, 30)).astype(np.float32)
    biases = np.array([0.3, -1.2, 3.0, -4.0, 0.31, noise[0], -noise[1]], np.float32)
    found = solve(inputs, targets, noise, biases, shift=0.5, kept=kept)
    wanted = prune_network.prune(inputs, targets, noise, biases, shift=0.5, kept=kept)
    # float32: sums of 30 terms below 10
    np.testing.assert_allclose(found, [wanted.even, wanted.odd], rtol=1e-5)


@pytest.mark.slow
def test_case(monkeypatch):
    """Answers agree, and wrong ones of NumPy are noticed."""
    assert all(row.agree for row in CASES["features_scores"]("quick") if isinstance(row, Result))
    right = rivals.scores_by_runs
    wrong = lambda *rows, **settings: 1.001 * right(*rows, **settings)  # noqa: E731
    monkeypatch.setattr(rivals, "scores_by_runs", wrong)
    rows = [row for row in CASES["features_scores"]("quick") if isinstance(row, Result)]
    assert [row.agree for row in rows] == [True, False, True]
