"""The experiments against enumeration: items from their bits, solutions, and all counts exactly."""

import functools
import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lottery_jax.core import enable_x64, keys, root
from lottery_jax.montecarlo.counts import collect_counts
from lottery_jax.montecarlo.experiment import identity
from lottery_jax.quantized import laws, networks, partition, weight_widths
from tests.oracles import partition as oracle
from tests.oracles.rates import assert_rate

# Ordered instances of number partitioning with a perfect partition, by exhaustive enumeration.
SOLVABLE = {(3, 4): 46, (4, 8): 2692, (6, 8): 244_150}


def _draw(experiment, draw, *, num_items, largest):
    """The items of all draws of the first chunk, on the host."""
    name = identity(experiment, epsilons=(), key=root(3), kind="counts")
    chunk = keys.chunk(keys.stream(root(3), name), 0)
    lanes = jnp.arange(experiment.lanes, dtype=jnp.uint32)
    lane_keys = jax.vmap(keys.lane, (None, 0))(chunk, lanes)
    of_one = jax.jit(jax.vmap(lambda key: draw(key, jnp.int32(largest), num_items=num_items)))
    return np.asarray(of_one(lane_keys), np.int64)


@pytest.mark.parametrize("largest", [1, 2, 7, 2**20 + 1, 2**30 - 1])
def test_items_are_the_upper_words_of_products(largest):
    """The same from the random bits, in whole numbers of any size; magnitudes are shared."""
    key, num_items = root(5), 40  # the lower word of bits decides one item in eight of 2^30
    found = partition.magnitudes(key, jnp.int32(largest), num_items=num_items)
    signed = partition.signed_items(key, jnp.int32(largest), num_items=num_items)
    for item, value, of_item in zip(
        found.tolist(), signed.tolist(), keys.items(key, num_items), strict=True
    ):
        high, low = map(int, jax.random.bits(of_item, (2,), jnp.uint32))
        bits = high << 32 | low
        assert item == (bits * largest >> 64) + 1
        place = bits * 2 * largest >> 64
        assert value == (place // 2 + 1) * (-1) ** (place % 2)
        assert abs(value) == item
    more = partition.magnitudes(key, jnp.int32(largest), num_items=45)
    assert more[:num_items].tolist() == found.tolist()


def test_every_value_is_equally_likely():
    """A chi-squared test; the control leaves out one value."""
    items = _draw(
        partition.quantized_subset_sum(num_items=6, largest=5, target=0),
        partition.signed_items,
        num_items=6,
        largest=5,
    )
    seen = np.array([(items == value).sum() for value in oracle.signed_values(5)])
    assert seen.sum() == items.size
    assert stats.chisquare(seen).pvalue > 1e-6
    seen[0], seen[1] = 0, seen[1] + seen[0]
    assert stats.chisquare(seen).pvalue < 1e-6


@pytest.mark.parametrize(("num_items", "largest"), SOLVABLE)
def test_every_instance(num_items, largest):
    """Existence and number on all M^n instances, and how many of them are solvable."""
    items = oracle.instances(range(1, largest + 1), num_items)
    found = jax.jit(jax.vmap(partition.perfect_partitions))(jnp.asarray(items, jnp.int32))
    number = np.asarray(found.number)
    assert int(np.asarray(found.exists).sum()) == SOLVABLE[num_items, largest]
    assert np.array_equal(np.asarray(found.exists), number > 0)
    some = slice(None, None, max(1, len(items) // 4096))
    assert np.array_equal(number[some], oracle.count_perfect(items[some]))


@pytest.mark.parametrize("target", [0, 1, 3, -4, 11, 12])
def test_every_signed_instance(target):
    """Numbers of subsets; solvable if and only if signs of the magnitudes sum to |Lambda - 2t|."""
    items = oracle.instances(oracle.signed_values(3), 4)
    find = jax.jit(jax.vmap(partition.subsets, (0, None)))
    found = find(jnp.asarray(items, jnp.int32), jnp.int32(target))
    number = oracle.count_subsets(items, target)
    assert np.array_equal(np.asarray(found.number), number - (target == 0))
    assert np.array_equal(np.asarray(found.exists), number > 0)
    signed = np.abs(items) @ oracle.sign_vectors(4).T
    wanted = np.abs(items.sum(axis=1) - 2 * target)
    has_signs = np.any(np.abs(signed) == wanted[:, None], axis=1)
    assert np.array_equal(np.asarray(found.exists), has_signs)


@pytest.mark.parametrize("largest", [9, 200])
def test_counts_of_partitions(largest):
    """All counts of a chunk, from its items by enumeration."""
    experiment = partition.number_partitioning(num_items=8, largest=largest)
    counts = collect_counts(experiment, key=root(3), trials=1, progress=False)
    items = _draw(experiment, partition.magnitudes, num_items=8, largest=largest)
    number, is_odd = oracle.count_perfect(items), items.sum(axis=1) % 2
    assert counts.totals["disagree"] == 0
    for parity in (0, 1):
        _assert_counts(number[is_odd == parity], "partitions", counts.totals, parity)


@pytest.mark.parametrize("target", [0, 8])
def test_counts_of_subsets(target):
    experiment = partition.quantized_subset_sum(num_items=8, largest=16, target=target)
    counts = collect_counts(experiment, key=root(3), trials=1, progress=False)
    items = _draw(experiment, partition.signed_items, num_items=8, largest=16)
    number = oracle.count_subsets(items, target) - (target == 0)
    assert counts.totals["disagree"] == 0
    _assert_counts(number, "subsets", counts.totals, ...)


def _assert_counts(number, cells, totals, parity):
    assert totals["draws"][parity] == len(number)
    assert totals["solvable"][parity] == np.sum(number > 0)
    expected = np.bincount(np.minimum(number, 16), minlength=17)
    assert totals[cells][parity].tolist() == expected.tolist()
    assert partition.whole(totals["sum"][parity]) == number.sum()
    assert partition.whole(totals["squares"][parity]) == np.sum(number**2)


def test_digits_hold_any_number():
    """The most there can be, and its square; the sum of a chunk's digits stays below 2^30."""
    most = 601_080_390  # C(32, 16)
    digits = partition._digits(jnp.uint32(most))
    assert partition.whole(np.asarray(digits, np.int64)) == most
    tallied = partition._tally(
        partition.Solutions(jnp.array(True), jnp.uint32(most)), jnp.array(True), "cells"
    )
    assert partition.whole(np.asarray(tallied["squares"], np.int64)) == most**2
    assert int(np.argmax(tallied["cells"])) == 16
    experiment = partition.number_partitioning(num_items=3, largest=4)
    assert experiment.lanes * (2**16 - 1) < 2**30


def test_rates_of_enumeration():
    """The share of solvable draws is that of all instances; the law is another number."""
    experiment = partition.number_partitioning(num_items=4, largest=8)
    counts = collect_counts(experiment, key=root(0), trials=40_000, progress=False)
    hits = int(counts.totals["solvable"].sum())
    assert_rate(hits, counts.trials, SOLVABLE[4, 8] / 8**4)
    with pytest.raises(AssertionError):
        assert_rate(hits, counts.trials, float(laws.perfect(4, 3.0).success))


def test_64_bit_types_change_nothing():
    experiment = partition.quantized_subset_sum(num_items=2, largest=2**28, target=3)
    arguments = {"key": root(0), "trials": 1, "progress": False}
    small = collect_counts(experiment, **arguments).totals
    with enable_x64():
        large = collect_counts(experiment, **arguments).totals
    assert {name: each.tolist() for name, each in small.items()} == {
        name: each.tolist() for name, each in large.items()
    }


@pytest.mark.parametrize(
    "experiment",
    [
        weight_widths.experiment(bits=1, cap=8),
        networks.experiment(widths=(1, 1), bits=1, sizes=(3,)),
    ],
    ids=["widths", "networks"],
)
@pytest.mark.parametrize("is_run", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_64_bit_types_change_no_other_experiment(is_run, experiment):
    """One draw. Tracing already compares types inside, as they are strict in tests."""
    answers = []
    for enabled in (False, True):
        with enable_x64(enabled):
            count = functools.partial(experiment.count, parameters={})
            found = jax.jit(count)(root(1)) if is_run else jax.eval_shape(count, root(1))
        answers.append(
            {
                name: (each.dtype, each.tolist() if is_run else each.shape)
                for name, each in found.items()
            }
        )
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_items": 0, "largest": 4}, "num_items=0 must be a positive integer"),
        ({"num_items": 4, "largest": 0}, "largest=0 must be a positive integer"),
        ({"num_items": 33, "largest": 4}, "num_items=33 must be at most 32"),
        ({"num_items": 24, "largest": 2**26}, r"stays largest=67108864 up to 44739242"),
    ],
)
def test_ranges(settings, message):
    with pytest.raises(ValueError, match=message):
        partition.number_partitioning(**settings)
    with pytest.raises(ValueError, match=message):
        partition.quantized_subset_sum(**settings, target=1)


@pytest.mark.parametrize("target", [0.5, 5.0, np.float32(5), True])
def test_targets_that_are_not_whole(target):
    make = inspect.unwrap(partition.quantized_subset_sum)  # without the check of types in tests
    with pytest.raises(ValueError, match="must be an integer"):
        make(num_items=4, largest=10, target=target)


def test_numbers_of_numpy_are_settings():
    sizes = {"num_items": np.int32(4), "largest": np.int64(10)}
    found = partition.quantized_subset_sum(**sizes, target=np.int64(-5))
    expected = partition.quantized_subset_sum(num_items=4, largest=10, target=-5)
    assert json.dumps(found.settings) == json.dumps(expected.settings)
    assert found.parameters == expected.parameters
    assert json.dumps(partition.number_partitioning(**sizes).settings)


def test_targets_out_of_reach():
    partition.quantized_subset_sum(num_items=4, largest=10, target=-40)
    with pytest.raises(ValueError, match="target=41 is out of reach; use at most 40"):
        partition.quantized_subset_sum(num_items=4, largest=10, target=41)
    partition.number_partitioning(num_items=24, largest=44_739_242)
