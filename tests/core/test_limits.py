"""Limits against summed tails, and their coverage."""

import numpy as np
import pytest
from scipy import stats

from lottery_jax.core import limits_exact, limits_sequential, limits_wilson
from tests.oracles.binomial import at_least, at_most, mixture_evidence
from tests.oracles.rates import assert_rate_at_most

ALL_LIMITS = [limits_exact, limits_wilson, limits_sequential]
COUNTS = [(hits, trials) for trials in (1, 2, 7, 30) for hits in range(trials + 1)]


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_exact_limits_leave_half_the_error_in_each_tail(confidence):
    side = (1 - confidence) / 2
    for hits, trials in COUNTS:
        low, high = limits_exact(hits, trials, confidence=confidence)
        # The tails are sums of at most 31 terms, each right to a few ulp, with slope below 30/p.
        assert (low == 0) if hits == 0 else np.isclose(at_least(hits, trials, low), side, rtol=1e-9)
        assert (
            (high == 1)
            if hits == trials
            else np.isclose(at_most(hits, trials, high), side, rtol=1e-9)
        )


def test_exact_limits_of_many_trials_match_scipy():
    hits, trials = np.array([1, 1000, 10**6]), np.array([10**5, 10**6, 10**9])
    low, high = limits_exact(hits, trials)
    np.testing.assert_allclose(low, stats.beta.ppf(0.025, hits, trials - hits + 1), rtol=1e-9)
    np.testing.assert_allclose(high, stats.beta.isf(0.025, hits + 1, trials - hits), rtol=1e-9)


def test_exact_limits_of_rare_events_keep_their_digits():
    low, high = limits_exact([1, 0], 10**11)
    # One success at least: 1 - (1 - p)^n = 0.025; none: (1 - p)^n = 0.025.
    np.testing.assert_allclose(low[0], -np.log(0.975) / 1e11, rtol=1e-9)
    np.testing.assert_allclose(high[1], -np.log(0.025) / 1e11, rtol=1e-9)


def test_wilson_matches_scipy():
    for hits, trials in COUNTS:
        expected = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
        np.testing.assert_allclose(limits_wilson(hits, trials), expected, atol=1e-12)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_sequential_limits_are_where_the_evidence_reaches_the_bound(confidence):
    for hits, trials in COUNTS:
        low, high = limits_sequential(hits, trials, confidence=confidence)
        for limit, is_trivial in ((low, hits == 0), (high, hits == trials)):
            if is_trivial:
                assert limit in (0, 1)
            else:
                evidence = mixture_evidence(hits, trials, limit)
                np.testing.assert_allclose(evidence, 1 / (1 - confidence), rtol=1e-9)


@pytest.mark.parametrize("truth", [0.003, 0.2, 0.5])
def test_exact_limits_cover_a_fixed_number_of_trials(truth):
    hits = np.random.default_rng(0).binomial(400, truth, size=20_000)
    low, high = limits_exact(hits, 400)
    for side in (low > truth, high < truth):
        assert_rate_at_most(int(side.sum()), 20_000, 0.025)
    wrong = truth + 0.05
    with pytest.raises(AssertionError):
        assert_rate_at_most(int(((low > wrong) | (high < wrong)).sum()), 20_000, 0.05)


def _ever_missed(limits, hits, truth):
    """Runs whose limits exclude `truth` after any number of trials."""
    trials = np.arange(hits.shape[1] + 1)
    low, high = limits(np.minimum(trials, trials[:, None]), trials[:, None])  # by trials, then hits
    low, high = low[trials[1:], hits], high[trials[1:], hits]
    return int(((low > truth) | (high < truth)).any(axis=1).sum())


def test_sequential_limits_cover_at_every_look_and_exact_ones_do_not():
    truth, runs = 0.3, 3000
    hits = (np.random.default_rng(1).random((runs, 200)) < truth).cumsum(axis=1)
    assert_rate_at_most(_ever_missed(limits_sequential, hits, truth), runs, 0.05)
    with pytest.raises(AssertionError):  # a wrong truth is noticed
        assert_rate_at_most(_ever_missed(limits_sequential, hits, truth + 0.1), runs, 0.05)
    with pytest.raises(AssertionError):  # and so is peeking at limits made for one look
        assert_rate_at_most(_ever_missed(limits_exact, hits, truth), runs, 0.05)


@pytest.mark.parametrize("limits", ALL_LIMITS)
def test_undecided_draws_count_both_ways(limits):
    low, high = limits(3, 20, undecided=4)
    assert low == limits(3, 20)[0]
    assert high == limits(7, 20)[1]


@pytest.mark.parametrize("limits", ALL_LIMITS)
def test_no_trials_say_nothing(limits):
    assert limits(0, 0) == (0, 1)
    low, high = limits([0, 0], [0, 10])
    assert (low[0], high[0]) == (0, 1)
    assert high[1] < 1


@pytest.mark.parametrize("limits", ALL_LIMITS)
@pytest.mark.parametrize(
    ("counts", "match"),
    [
        ({"hits": 3, "trials": 2}, "hits=.*trials="),
        ({"hits": -1, "trials": 2}, "hits="),
        ({"hits": 1, "trials": 2, "undecided": 2}, "undecided="),
        ({"hits": 1, "trials": 2, "undecided": -1}, "undecided="),
        ({"hits": np.array(0.5), "trials": 2}, "integer"),
        ({"hits": 1, "trials": 2, "confidence": 1.0}, "confidence=1.0"),
        ({"hits": 1, "trials": 2, "confidence": 0.0}, "confidence=0.0"),
    ],
)
def test_impossible_counts_are_refused(limits, counts, match):
    with pytest.raises(ValueError, match=match):
        limits(**counts)
