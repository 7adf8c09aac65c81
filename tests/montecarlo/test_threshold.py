"""Thresholds cover the known quantile of a nested law."""

import math
from dataclasses import replace

import jax
import numpy as np
import pytest

from lottery_jax.core import limits_exact, root
from lottery_jax.montecarlo import Store, threshold
from lottery_jax.montecarlo.threshold import invert
from tests.montecarlo.toys import MAX_WIDTH, nested, nested_threshold
from tests.oracles.rates import assert_rate_at_most

RUN = {"key": root(0), "epsilon": 0.1, "trials": 500, "progress": False}


def _successes(first_widths, cap):
    """How many of the draws succeed at the widths 0, ..., cap."""
    return np.array([np.sum(first_widths <= width) for width in range(cap + 1)])


@pytest.mark.parametrize(("epsilon", "probability"), [(0.02, 0.5), (0.1, 0.5), (0.05, 0.9)])
def test_limits_cover_the_quantile(epsilon, probability):
    truth, runs, trials = nested_threshold(epsilon, probability), 1000, 200
    generator = np.random.default_rng(0)
    too_high = too_low = wrong = 0
    for _ in range(runs):
        hits = _successes(generator.geometric(epsilon, trials), cap=3 * truth)
        width, low, high = invert(hits, hits, trials, probability, 0.95)
        assert low <= width <= high
        too_high += low > truth
        too_low += high < truth
        wrong += not low <= 2 * truth <= high
    assert_rate_at_most(too_high, runs, 0.025)
    assert_rate_at_most(too_low, runs, 0.025)
    with pytest.raises(AssertionError):
        assert_rate_at_most(wrong, runs, 0.05)


def test_limits_are_those_of_one_binomial_test_at_each_width():
    hits = np.array([0, 2, 30, 49, 50, 62, 70, 95])
    width, low, high = invert(hits, hits, 100, 0.5, 0.9)
    lower, upper = limits_exact(hits, 100, confidence=0.9)
    assert width == 4  # exactly half is enough
    assert upper[low - 1] < 0.5 <= upper[low]
    assert lower[high - 1] < 0.5 <= lower[high]


def test_undecided_draws_count_both_ways():
    generator = np.random.default_rng(1)
    first = generator.geometric(0.1, 300)
    blur = generator.integers(0, 4, 300)
    certain, possible = (_successes(each, 40) for each in (first + blur, first - blur))
    both = invert(certain, possible, 300, 0.5, 0.95)
    pessimist = invert(certain, certain, 300, 0.5, 0.95)
    optimist = invert(possible, possible, 300, 0.5, 0.95)
    assert both == (pessimist[0], optimist[1], pessimist[2])
    assert pessimist[1] > optimist[1]
    assert pessimist[2] > optimist[2]


def test_limits_stay_open_where_the_draws_do_not_reach():
    hits = np.array([0, 1, 2, 3])
    assert invert(hits, hits, 100, 0.5, 0.95) == (math.inf, 4, math.inf)
    hits = np.array([0, 20, 38, 55])
    width, low, high = invert(hits, hits, 100, 0.5, 0.95)
    assert (width, low, high) == (3, 3, math.inf)


def test_a_whole_run_covers_the_quantile_and_is_rarely_open():
    truth, runs = nested_threshold(0.1, 0.5), 200
    results = [threshold(nested(3), **RUN | {"key": root(seed)}) for seed in range(runs)]
    misses = sum(not each.width_low <= truth <= each.width_high for each in results)
    wrong = sum(not each.width_low <= truth + 4 <= each.width_high for each in results)
    assert_rate_at_most(misses, runs, 0.05)
    with pytest.raises(AssertionError):
        assert_rate_at_most(wrong, runs, 0.05)
    assert sum(each.is_open for each in results) <= 2  # about one in a thousand is expected
    assert all(each.trials == 512 and each.cap < 40 for each in results)


@pytest.mark.parametrize("probability", [0.05, 0.9])
def test_other_probabilities(probability):
    result = threshold(nested(3), **RUN, probability=probability, confidence=1 - 1e-6)
    assert result.width_low <= nested_threshold(0.1, probability) <= result.width_high
    assert not result.is_open
    assert result.width_low <= result.width <= result.width_high


def test_pilot_and_fresh_draws_are_stored_apart(tmp_path):
    path = tmp_path / "counts.jsonl"
    result = threshold(nested(3), **RUN, store=path)
    kinds = [row["kind"] for row in Store(path).rows()]
    assert kinds == sorted(kinds, reverse=True)
    assert kinds.count("first_width") == 8
    assert kinds.count("pilot") > 1
    assert len({row["id"] for row in Store(path).rows()}) == kinds.count("pilot") + 1

    def broken(*_):
        raise AssertionError("must not be traced")

    assert threshold(nested(3, first_width=broken), **RUN, store=path) == result
    more = threshold(nested(3), **RUN | {"trials": 1000}, store=path)
    assert len(Store(path).rows()) > len(kinds)
    assert more.trials == 1024


def test_a_sweep_over_widths_compiles_once():
    traces = []

    def first_width(key, epsilon, parameters):
        traces.append(epsilon)
        return toy.first_width(key, epsilon, parameters)

    toy = nested(3)
    threshold(nested(3, first_width=first_width), **RUN)
    threshold(nested(10, first_width=first_width), **RUN | {"epsilon": 0.2})
    assert len(traces) == 1


def test_undecided_draws_are_counted_and_widen_the_limits():
    sharp, blurred = (threshold(nested(3, band=band), **RUN) for band in (0.0, 0.05))
    assert sharp.undecided == 0 < blurred.undecided <= blurred.trials
    assert blurred.width_low <= nested_threshold(0.15, 0.5) < nested_threshold(0.1, 0.5)
    assert nested_threshold(0.1, 0.5) <= blurred.width_high


def test_a_threshold_beyond_the_largest_width_stays_open():
    result = threshold(nested(3), **RUN | {"epsilon": 0.001})
    assert result.is_open
    assert result.width == result.width_high == math.inf
    assert result.cap == MAX_WIDTH
    assert result.width_low == MAX_WIDTH + 1
    assert f"width > {MAX_WIDTH}" in str(result)
    assert "[65, inf]" in str(result)


@pytest.mark.parametrize("start", [1, 40, MAX_WIDTH, 2 * MAX_WIDTH])
def test_any_first_guess_will_do(start):
    result = threshold(nested(start), **RUN)
    assert result.width_low <= nested_threshold(0.1, 0.5) <= result.width_high
    assert result.cap < 40


def test_progress_is_told_about_the_fresh_draws():
    calls = []
    threshold(nested(3), **RUN | {"progress": lambda *call: calls.append(call)})
    assert calls == [(done, 512) for done in range(64, 513, 64)]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"key": jax.random.PRNGKey(0)}, "typed key"),
        ({"epsilon": -0.1}, "epsilons="),
        ({"trials": 0}, "trials=0"),
        ({"trials": 5}, "trials=5 cannot reach probability=0.5; use at least 6"),
        ({"pilot_trials": 0}, "trials=0"),
        ({"probability": 1.0}, "probability=1.0"),
        ({"confidence": 0.0}, "confidence=0.0"),
        ({"store": "missing/counts.jsonl"}, "existing folder"),
    ],
)
def test_wrong_arguments_are_refused(changed, match):
    with pytest.raises(ValueError, match=match):
        threshold(nested(3), **RUN | changed)


def test_the_least_number_of_trials_is_enough():
    assert threshold(nested(3, lanes=6), **RUN | {"trials": 6}).width_low <= 7


@pytest.mark.parametrize("missing", ["first_width", "at_width", "max_width"])
def test_an_experiment_that_is_not_nested_is_refused(missing):
    with pytest.raises(ValueError, match=f"nested has no {missing}; use estimate"):
        threshold(replace(nested(3), **{missing: None}), **RUN)
