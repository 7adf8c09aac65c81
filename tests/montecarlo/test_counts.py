"""Counts do not depend on devices, interruptions or order, and malformed ones are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lottery_jax.core import enable_x64, keys, make_mesh, root
from lottery_jax.montecarlo import (
    Counts,
    Estimates,
    Experiment,
    Store,
    StoreError,
    collect_counts,
    collect_each,
    identity,
    limits_jackknife,
    merge_stores,
)
from tests.montecarlo.toys import below
from tests.oracles.rates import assert_rate, assert_rate_at_most

RUN = {"key": root(0), "trials": 300, "progress": False}
SIDES = jnp.arange(6, dtype=jnp.int32)


def _throw(key, parameters):
    eyes = jax.random.randint(key, (2,), 0, parameters["sides"], jnp.int32)
    pair = (eyes[0] == SIDES[:, None]) & (eyes[1] == SIDES[None])
    return {"pair": pair.astype(jnp.int32), "difference": eyes[0] - eyes[1]}


def dice(*, sides=6, lanes=37, count=_throw, **options):
    """Two dice: a histogram over pairs, and a number of either sign."""
    return Experiment(
        "dice",
        settings=(("sides", sides),),
        count=count,
        parameters=(("sides", sides),),
        lanes=lanes,
        **options,
    )


def _as_lists(counts):
    totals, chunks = (
        {name: each.tolist() for name, each in group.items()}
        for group in (counts.totals, counts.chunks)
    )
    return counts.trials, totals, chunks


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counts.jsonl"


def test_counts_are_the_sums_over_the_lanes_one_by_one():
    counts = collect_counts(dice(), **RUN)
    name = identity(dice(), epsilons=(), key=RUN["key"], kind="counts")
    stream = keys.stream(RUN["key"], name)
    assert counts.trials == 9 * 37
    for number in (0, 8):
        pair, difference = np.zeros((6, 6), int), 0
        for lane in range(37):
            key = keys.lane(keys.chunk(stream, number), lane)
            first, second = np.asarray(jax.random.randint(key, (2,), 0, 6, jnp.int32))
            pair[first, second] += 1
            difference += int(first) - int(second)
        np.testing.assert_array_equal(counts.chunks["pair"][number], pair)
        assert counts.chunks["difference"][number] == difference
    for name, total in counts.totals.items():
        assert total.dtype == np.int64
        np.testing.assert_array_equal(total, counts.chunks[name].sum(axis=0))


def test_the_rates_are_those_of_the_law():
    counts = collect_counts(dice(lanes=4000), **RUN | {"trials": 20_000})
    sixes = int(counts.totals["pair"][5, 5])
    assert_rate(sixes, counts.trials, 1 / 36)
    with pytest.raises(AssertionError):
        assert_rate(sixes, counts.trials, 1 / 30)


@pytest.mark.parametrize("together", [1, 4])
def test_every_mesh_gives_the_same_counts(together):
    meshes = [make_mesh(jax.devices()[:number]) for number in (1, 2, 8)]
    experiment = dice(vmap_lanes={"cpu": together})
    one, two, eight = (_as_lists(collect_counts(experiment, **RUN, mesh=m)) for m in meshes)
    assert one == two == eight
    assert sum(np.ravel(one[1]["pair"])) == 9 * 37  # the padding does not count
    assert one[2]["pair"][0] != one[2]["pair"][1]


def test_counts_are_the_same_with_x64():
    with enable_x64():
        wide = collect_counts(dice(), **RUN)
    assert _as_lists(wide) == _as_lists(collect_counts(dice(), **RUN))


def test_a_sweep_compiles_once():
    traces = []

    def count(key, parameters):
        traces.append(1)
        return _throw(key, parameters)

    for sides in (2, 6):
        counts = collect_counts(dice(sides=sides, count=count), **RUN)
        assert np.count_nonzero(counts.totals["pair"]) == sides**2
    assert len(traces) == 1


def test_resuming_gives_the_same_as_not_stopping(path):
    class StopHereError(Exception):
        pass

    def interrupt(done, total):
        if done >= 100:
            raise StopHereError

    whole = collect_counts(dice(), **RUN)
    with pytest.raises(StopHereError):
        collect_counts(dice(), **RUN | {"progress": interrupt}, store=path)
    assert len(Store(path).rows()) == 3
    assert _as_lists(collect_counts(dice(), **RUN, store=path)) == _as_lists(whole)
    assert len(Store(path).rows()) == 9


def test_nothing_stored_is_run_again(path):
    def broken(*_):
        raise AssertionError("must not be traced")

    whole = collect_counts(dice(), **RUN, store=path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(reversed(lines)))
    stored = collect_counts(dice(count=broken), **RUN, store=Store(path))
    assert _as_lists(stored) == _as_lists(whole)
    assert stored.seconds == pytest.approx(whole.seconds)


def test_a_row_says_where_it_comes_from(path):
    collect_counts(dice(lanes=300), **RUN, store=path)
    (row,) = Store(path).rows()
    assert (row["kind"], row["epsilons"], row["trials"]) == ("counts", [], 300)
    assert list(row["counts"]) == ["difference", "pair"]
    assert "hits" not in row
    with pytest.raises(ValueError, match=r"rows of counts .*: give the success counts"):
        Estimates.from_rows([row])


def test_rows_that_disagree_are_refused(path, tmp_path):
    collect_counts(dice(lanes=300), **RUN, store=path)
    (row,) = Store(path).rows()
    assert merge_stores([path, path]) == [row]
    other = Store(tmp_path / "other.jsonl")
    other.append(row | {"seconds": 0.0})
    assert merge_stores([path, other.path]) == [row]
    other.append(row | {"counts": row["counts"] | {"difference": 10**6}})
    with pytest.raises(StoreError, match=r"counts.jsonl:1 and .*other.jsonl:2 disagree"):
        merge_stores([path, other.path])


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (lambda *_: {"a": jnp.int32(1), "b": jnp.float32(1)}, "count 'b' by an int32 array.*float"),
        (lambda *_: {"flag": jnp.array(True)}, "count 'flag' by an int32 array.*bool"),
        (lambda *_: {"plain": 3}, "count 'plain' by an int32 array.*not by int"),
        (lambda *_: {4: jnp.int32(1)}, "count 4 by an int32 array"),
        (lambda *_: jnp.int32(1), "a dict of int32 arrays, not"),
        (lambda *_: {}, "a dict of int32 arrays, not"),
    ],
)
def test_malformed_counts_are_refused_by_name(count, message):
    with pytest.raises(ValueError, match=message):
        collect_counts(dice(count=count), **RUN)


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_that_may_not_fit_are_refused(sign):
    def large(key, parameters):
        return {"fits": jnp.int32(10**6), "large": jnp.full((3,), sign * 2**26, jnp.int32)}

    with pytest.raises(ValueError, match="'large' of 37 draws may not fit int32"):
        collect_counts(dice(count=large), **RUN)


@pytest.mark.parametrize(
    ("changed", "match"),
    [({"key": jax.random.PRNGKey(0)}, "typed key"), ({"trials": 0}, "trials=0")],
)
def test_wrong_arguments_are_refused(changed, match):
    with pytest.raises(ValueError, match=match):
        collect_counts(dice(), **RUN | changed)


def test_an_experiment_without_counts_is_refused():
    with pytest.raises(ValueError, match="below has no count; use estimate"):
        collect_counts(below(), **RUN)


def _ratio(totals):
    return float(totals["top"] / totals["bottom"])


def _batches(random, num_chunks=20, draws=100):
    """Sums of two numbers that depend on each other; the ratio of their means is 2."""
    bottom = random.poisson(3, (num_chunks, draws))
    top = 2 * bottom + random.integers(-4, 5, bottom.shape)
    chunks = {"top": top.sum(axis=1), "bottom": bottom.sum(axis=1)}
    totals = {name: np.asarray(each.sum()) for name, each in chunks.items()}
    return Counts(num_chunks * draws, totals, chunks, 0.0)


def test_the_jackknife_of_a_mean_is_the_limit_of_the_batch_means():
    counts = _batches(np.random.default_rng(1))
    found = limits_jackknife(
        counts._replace(
            chunks=counts.chunks | {"draws": np.full(20, 100)},
            totals=counts.totals | {"draws": np.asarray(2000)},
        ),
        lambda totals: float(totals["top"] / totals["draws"]),
        confidence=0.9,
    )
    means = counts.chunks["top"] / 100
    reach = stats.t.ppf(0.95, 19) * means.std(ddof=1) / np.sqrt(20)
    expected = [means.mean(), means.mean() - reach, means.mean() + reach]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_jackknife_limits_cover_a_ratio():
    random = np.random.default_rng(2)
    runs, misses, narrow = 2000, 0, 0
    for _ in range(runs):
        value, low, high = limits_jackknife(_batches(random), _ratio, confidence=0.9)
        misses += not low <= 2 <= high
        narrow += not value - (value - low) / 2 <= 2 <= value + (high - value) / 2
    # The limits are approximate: a fifth more misses than promised would still do.
    assert_rate_at_most(misses, runs, 0.12)
    with pytest.raises(AssertionError):
        assert_rate_at_most(narrow, runs, 0.12)


def test_values_without_a_finite_jackknife_are_open():
    one = {"top": np.eye(1, 20, dtype=np.int64)[0], "bottom": np.ones(20, np.int64)}
    counts = Counts(20, {name: np.asarray(each.sum()) for name, each in one.items()}, one, 0.0)

    def log(totals):
        with np.errstate(divide="ignore"):
            return float(np.log(totals["top"] / totals["bottom"]))

    value, low, high = limits_jackknife(counts, log)
    assert value == pytest.approx(-np.log(20))
    assert (low, high) == (-np.inf, np.inf)


def test_limits_need_chunks_and_a_confidence():
    few = _batches(np.random.default_rng(3), num_chunks=9)
    with pytest.raises(ValueError, match="num_chunks=9 are too few"):
        limits_jackknife(few, _ratio)
    with pytest.raises(ValueError, match=r"confidence=1\.0"):
        limits_jackknife(_batches(np.random.default_rng(3)), _ratio, confidence=1.0)


def test_several_experiments_are_counted_as_each_alone_and_share_one_progress():
    tasks, told = [(dice(), 100), (dice(sides=4), 37)], []
    found = collect_each(tasks, label="dice", key=root(0), progress=lambda *at: told.append(at))
    for (experiment, trials), counts in zip(tasks, found, strict=True):
        alone = collect_counts(experiment, key=root(0), trials=trials, progress=False)
        assert _as_lists(counts) == _as_lists(alone)
    assert {total for _, total in told} == {137}
    done = [number for number, _ in told]
    assert done == sorted(done)
    assert done[-1] == 137
