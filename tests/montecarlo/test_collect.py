"""Estimates do not depend on interruptions, shards or order, and their limits cover."""

import random

import jax
import numpy as np
import pytest

from lottery_jax.core import limits_exact, limits_sequential, make_mesh, root
from lottery_jax.montecarlo import Store, StoreError, estimate, merge_stores
from tests.montecarlo.toys import below, nested
from tests.oracles.rates import assert_rate, assert_rate_at_most

RUN = {"key": root(0), "trials": 1000, "epsilons": [0.1, 0.5], "progress": False}


def _counts(estimates):
    return estimates.trials, estimates.hits.tolist(), estimates.undecided.tolist()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counts.jsonl"


def test_the_rate_is_that_of_the_law():
    result = estimate(below(lanes=2000, band=0.1), **RUN | {"trials": 20_000})
    for epsilon, hits, undecided in zip(
        result.epsilons, result.hits, result.undecided, strict=True
    ):
        assert_rate(hits, 20_000, epsilon)
        assert_rate(undecided, 20_000, 0.1)
        with pytest.raises(AssertionError):
            assert_rate(hits, 20_000, epsilon + 0.03)


def test_limits_are_the_exact_ones_of_the_counts():
    result = estimate(below(band=0.1), **RUN, confidence=0.9)
    low, high = limits_exact(result.hits, 1000, undecided=result.undecided, confidence=0.9)
    assert result.low.tolist() == low.tolist()
    assert result.high.tolist() == high.tolist()
    assert result.limits == "exact"
    assert result.undecided.min() > 0


def test_trials_are_rounded_up_to_whole_chunks():
    assert estimate(below(lanes=100), **RUN | {"trials": 901}).trials == 1000


def test_the_counts_are_the_same_on_any_devices():
    meshes = [make_mesh(jax.devices()[:number]) for number in (1, 2, 8)]
    one, two, eight = (_counts(estimate(below(lanes=37), mesh=mesh, **RUN)) for mesh in meshes)
    assert one == two == eight


def test_resuming_gives_the_same_as_not_stopping(path):
    class StopHereError(Exception):
        pass

    def interrupt(done, total):
        if done >= 400:
            raise StopHereError

    whole = estimate(below(), **RUN)
    with pytest.raises(StopHereError):
        estimate(below(), **RUN | {"progress": interrupt}, store=path)
    assert len(Store(path).rows()) == 4
    assert _counts(estimate(below(), **RUN, store=path)) == _counts(whole)
    assert len(Store(path).rows()) == 10


def test_a_torn_row_is_run_again(path):
    whole = estimate(below(), **RUN, store=path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(UserWarning, match=r"counts.jsonl:10 is torn"):
        again = estimate(below(), **RUN, store=path)
    assert _counts(again) == _counts(whole)
    assert again.seconds != whole.seconds
    assert len(Store(path).rows()) == 10


def test_nothing_stored_is_run_again(path):
    def broken(*_):
        raise AssertionError("must not be traced")

    whole = estimate(below(), **RUN, store=path)
    stored = estimate(below(trial=broken), **RUN, store=Store(path))
    assert _counts(stored) == _counts(whole)
    assert stored.seconds == whole.seconds
    fewer = estimate(below(trial=broken), **RUN | {"trials": 300}, store=path)
    assert _counts(fewer) == _counts(estimate(below(), **RUN | {"trials": 300}))


def test_the_order_of_stored_chunks_is_irrelevant(path):
    sequential = {"half_width": 0.06}
    whole = estimate(below(), **RUN, **sequential)
    estimate(below(), **RUN, store=path)
    lines = path.read_text().splitlines(keepends=True)
    random.Random(0).shuffle(lines)
    path.write_text("".join(lines[:6]))
    assert _counts(estimate(below(), **RUN, **sequential, store=path)) == _counts(whole)
    assert _counts(estimate(below(), **RUN, store=path)) == _counts(estimate(below(), **RUN))


def test_shards_merge_into_the_whole(path, tmp_path):
    parts = [tmp_path / f"{number}.jsonl" for number in range(3)]
    shards = [
        estimate(below(), **RUN, shard=(number, 3), store=part) for number, part in enumerate(parts)
    ]
    assert [shard.trials for shard in shards] == [400, 300, 300]
    for row in merge_stores(parts):
        Store(path).append(row)
    whole = estimate(below(), **RUN, store=path)
    assert len(Store(path).rows()) == 10
    assert _counts(whole) == _counts(estimate(below(), **RUN))
    assert whole.hits.tolist() == sum(shard.hits for shard in shards).tolist()


def test_a_store_holds_many_experiments(path):
    for experiment in (below(), below(scale=0.5), below()):
        estimate(experiment, **RUN, store=path)
    estimate(below(), **RUN | {"key": root(1)}, store=path)
    assert len(Store(path).rows()) == 30
    names = {(row["id"], row["settings"]["scale"]) for row in Store(path).rows()}
    assert sorted(scale for _, scale in names) == [0.5, 1.0, 1.0]


def test_a_row_says_where_it_comes_from(path):
    estimate(below(lanes=500), **RUN, store=path)
    row = Store(path).rows()[1]
    assert 0 < row.pop("seconds") < 60
    assert row.pop("versions")["jax"] == jax.__version__
    assert row.pop("device") == "8 x cpu"
    (hits, undecided), _ = (row.pop("hits"), row.pop("undecided")), row.pop("id")
    assert 0 < hits[0] < hits[1]
    assert undecided == [0, 0]
    assert row == {
        "name": "below",
        "settings": {"band": 0.0, "scale": 1.0},
        "kind": "success",
        "bound": "exact",
        "epsilons": [0.1, 0.5],
        "lanes": 500,
        "stream": 1,
        "key": "threefry2x32:00000000:00000000",
        "chunk": 1,
        "trials": 500,
    }


def test_half_width_stops_early_with_sequential_limits():
    result = estimate(below(), **RUN | {"trials": 100_000}, half_width=0.05)
    assert result.limits == "sequential"
    assert result.trials < 5000
    expected = limits_sequential(result.hits, result.trials)
    assert [result.low.tolist(), result.high.tolist()] == [each.tolist() for each in expected]
    assert np.all(result.high - result.low <= 0.1)
    blurred = estimate(below(band=0.05), **RUN | {"trials": 100_000}, half_width=0.05)
    assert np.all(blurred.high - blurred.low <= 0.1)
    assert blurred.trials > result.trials
    shorter = estimate(below(), **RUN | {"trials": result.trials - 100}, half_width=0.05)
    assert np.any(shorter.high - shorter.low > 0.1)  # and not a chunk too late


def test_estimates_cover_the_truth():
    runs, misses, wrong = 300, 0, 0
    for seed in range(runs):
        result = estimate(below(), **RUN | {"key": root(seed), "trials": 100, "epsilons": [0.3]})
        misses += not result.low[0] <= 0.3 <= result.high[0]
        wrong += not result.low[0] <= 0.45 <= result.high[0]
    assert_rate_at_most(misses, runs, 0.05)
    with pytest.raises(AssertionError):
        assert_rate_at_most(wrong, runs, 0.05)


def test_progress_counts_draws(capsys):
    calls = []
    estimate(below(), **RUN | {"progress": lambda *call: calls.append(call)})
    assert calls == [(done, 1000) for done in range(100, 1001, 100)]
    estimate(below(), **RUN)
    assert capsys.readouterr() == ("", "")
    estimate(below(), **RUN | {"progress": True})
    assert "1.00k/1.00k" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"key": jax.random.PRNGKey(0)}, "typed key"),
        ({"trials": 0}, "trials=0"),
        ({"trials": 2**40}, "trials=1099511627776 needs more than"),
        ({"epsilons": [0.1, -0.1]}, "epsilons="),
        ({"confidence": 1.0}, "confidence=1.0"),
        ({"half_width": 0.0}, "half_width=0.0"),
        ({"half_width": 1.5}, "half_width=1.5"),
        ({"shard": (2, 2)}, r"shard=\(2, 2\)"),
        ({"shard": (-1, 2)}, r"shard=\(-1, 2\)"),
        ({"shard": (10, 11)}, r"shard=\(10, 11\) of 10 chunks is empty"),
        ({"store": "missing/counts.jsonl"}, "existing folder"),
    ],
)
def test_wrong_arguments_are_refused(changed, match):
    with pytest.raises(ValueError, match=match):
        estimate(below(), **RUN | changed)


def test_an_experiment_without_trials_is_refused():
    with pytest.raises(ValueError, match="nested has no trial"):
        estimate(nested(4), **RUN)


def test_a_foreign_store_is_refused(path):
    path.write_text("hello\n")
    with pytest.raises(StoreError, match=r"counts.jsonl:1 is not a row of counts"):
        estimate(below(), **RUN, store=path)
