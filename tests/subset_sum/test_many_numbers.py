"""A hundred thousand instances of every family: no wrong decision, no missed subset."""

import numpy as np
import pytest

from lottery_jax.subset_sum import count, exists, nearest, numbers
from tests.oracles.subset_sum import least_error_of_many
from tests.subset_sum.test_meet_in_the_middle import FAMILIES, draw


def errors_and_slack(items, targets):
    items, targets = items.astype(np.float64), targets.astype(np.float64)
    total = np.abs(items).sum(axis=1) + np.abs(targets)
    return least_error_of_many(items, targets), 2.0**-48 * total


@pytest.mark.parametrize(
    ("num_items", "rows"), [(6, 40), pytest.param(13, 10_000, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_nearest(family, num_items, rows):
    items, targets = draw(family, num_items, rows)
    truth, slack = errors_and_slack(items, targets)
    match = nearest(numbers(items, targets))
    of_mask = np.abs((items.astype(np.float64) * match.mask).sum(axis=1) - targets)
    assert np.all(np.abs(match.error - truth) <= slack)
    assert np.all(np.abs(of_mask - truth) <= slack)
    assert np.all(match.error_low <= match.error)
    assert np.all(np.abs(match.error_low - truth) <= slack)


@pytest.mark.parametrize(
    ("num_items", "rows"), [(6, 40), pytest.param(13, 10_000, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_exists(family, num_items, rows):
    items, targets = draw(family, num_items, rows)
    truth, slack = errors_and_slack(items, targets)
    problem = numbers(items, targets)
    for factor, is_within in ((1 + 1e-7, True), (1 - 1e-7, False)):
        tolerances = factor * truth
        decision = exists(problem, tolerances)
        # Where sums in float64 cannot tell, neither can this oracle.
        is_clear = np.abs(tolerances - truth) > slack
        assert decision.is_decided[is_clear].all()
        assert np.all(decision.exists[is_clear] == is_within)
        assert not np.any(decision.exists & ~decision.is_decided)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_counts_agree_with_decisions(family):
    items, targets = draw(family, 9, 1000)
    truth, slack = errors_and_slack(items, targets)
    problem = numbers(items, targets)
    counted = count(problem, truth + 4 * slack)
    assert np.all(counted.low >= 1)
    assert np.all(counted.low <= counted.high)
    fewer = count(problem, np.maximum(truth - 4 * slack, 0))
    assert np.all(fewer.low[truth > 4 * slack] == 0)


def test_float32_would_decide_wrongly():
    """The reason for integers: float32 sums of 24 items, and 1e-7 as the tolerance."""
    rng = np.random.default_rng(11)
    items, targets = rng.uniform(-1, 1, (40, 24)), rng.uniform(-0.5, 0.5, 40)
    halves = [np.zeros((40, 1)), np.zeros((40, 1))]
    for k, item in enumerate(items.T):
        halves[k % 2] = np.concatenate([halves[k % 2], halves[k % 2] + item[:, None]], axis=1)
    ordered, wanted = np.sort(halves[0], axis=1), targets[:, None] - halves[1]

    def errors(dtype):
        rows = []
        for low, high in zip(ordered.astype(dtype), wanted.astype(dtype), strict=True):
            place = np.clip(np.searchsorted(low, high), 1, len(low) - 1)
            rows.append(np.minimum(abs(low[place] - high), abs(low[place - 1] - high)).min())
        return np.array(rows)

    truth, single = errors(np.float64), errors(np.float32)
    assert np.any(single == 0)
    assert np.any((single <= 1e-7) != (truth <= 1e-7))
    problem = numbers(items, targets)
    np.testing.assert_allclose(nearest(problem, masks=False).error, truth, rtol=1e-6)
    decision = exists(problem, 1e-7)
    assert decision.is_decided.all()
    np.testing.assert_array_equal(decision.exists, truth <= 1e-7)
