"""The rivals on whole numbers give right answers: those of enumeration."""

import importlib.util
import itertools

import numpy as np
import pytest

from benchmarks import rivals_integers as rivals
from benchmarks import solvers_integers
from benchmarks.cases import CASES
from benchmarks.timing import Result


def have(package):
    found = importlib.util.find_spec(package) is not None
    return pytest.mark.skipif(not found, reason=f"{package} is in the extra `bench`")


def draw(num_items, bits, batch=6):
    """Items, and all their sums in any order, instance by instance."""
    rng = np.random.default_rng(num_items)
    items = rng.integers(1, 2**bits, (batch, num_items))
    items[0] = 64 * rng.integers(1, 4, num_items)  # whole words
    masks = np.array(list(itertools.product((0, 1), repeat=num_items)))
    return items, items @ masks.T


SIZES = [(1, 3), (5, 4), (8, 8), (9, 3)]


@pytest.mark.parametrize(("num_items", "bits"), SIZES)
def test_bits(num_items, bits):
    for row, sums in zip(*draw(num_items, bits), strict=True):
        total = int(row.sum())
        expected = [s in set(sums.tolist()) for s in range(total + 1)]
        words = rivals.reachable_bits(row)
        bits_ = np.unpackbits(words.view(np.uint8), bitorder="little")
        assert bits_[: total + 1].tolist() == expected
        assert not bits_[total + 1 :].any()
        integer = rivals.reachable_integer(row.tolist())
        assert [bool(integer >> s & 1) for s in range(total + 1)] == expected
        for target in (-1, total + 1, *range(0, total + 1, 1 + total // 50)):
            is_sum = 0 <= target <= total and expected[target]
            assert rivals.has_sum(row, target) == is_sum
            assert rivals.has_sum_of_halves(row, target) == is_sum
            assert rivals.has_sum_integer(row.tolist(), target) == is_sum


def test_window():
    """Found wherever there are enough items; its limits are those of all bits."""
    rng, found = np.random.default_rng(0), 0
    for items in [*rng.integers(1, 64, (20, 40)), np.arange(20, 61), np.full(40, 6)]:
        total = int(items.sum())
        for target in (-1, *range(130), total // 2, *range(total - 130, total + 2)):
            answer = rivals.has_sum_in_window(items, target, 6)
            found += answer is not None
            assert answer in (None, rivals.has_sum(items, target))
    assert found > 0.9 * 22 * 263


@have("numba")
@pytest.mark.parametrize(("num_items", "bits"), SIZES)
def test_native_bits(num_items, bits):
    from benchmarks import native_integers

    for row, sums in zip(*draw(num_items, bits), strict=True):
        total = int(row.sum())
        words = native_integers.reachable_bits(row, total)
        assert np.array_equal(words, rivals.reachable_bits(row))
        for target in (-1, total + 1, *range(0, total + 1, 1 + total // 50)):
            assert native_integers.has_sum(row, target) == (target in set(sums.tolist()))


@pytest.mark.parametrize(("num_items", "bits"), [(2, 3), (8, 3), (9, 6)])
def test_halves_and_tables(num_items, bits):
    items, sums = draw(num_items, bits)
    for target in range(0, int(items.sum(axis=1).max()), 7):
        targets = np.full(len(items), target)
        expected = (sums == target).sum(axis=1)
        assert rivals.have_sums(items, targets).tolist() == (expected > 0).tolist()
        assert rivals.count_sums(items, targets).tolist() == expected.tolist()
        assert rivals.count_sums_merged(items, targets).tolist() == expected.tolist()
        inside = items.sum(axis=1) >= target
        tables = [rivals.count_table(row, target) for row in items[inside]]
        assert tables == expected[inside].tolist()


@have("ortools")
def test_cp_sat():
    items, sums = draw(7, 5)
    for row, each in zip(items, sums, strict=True):
        for target in (int(row.sum()) // 2, 1):
            assert solvers_integers.cp_sat_has_sum(row, target, seconds=20) == (target in each)


@have("ortools")
def test_cp_sat_without_time():
    items = np.random.default_rng(0).integers(1, 2**40, 60)
    target = int(items.sum()) // 2
    assert solvers_integers.cp_sat_has_sum(items, target, seconds=1e-3) is None


@have("prtpy")
@pytest.mark.parametrize("algorithm", ["cbldm", "complete_greedy"])
def test_partitions(algorithm):
    answers = []
    for row, each in zip(*draw(5, 5, batch=12), strict=True):
        half = int(row.sum()) // 2
        answers.append(solvers_integers.has_partition(row, half, algorithm=algorithm, seconds=20))
        assert answers[-1] == (half in each)
    assert len(set(answers)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["integer_exists", "integer_partition", "integer_count"])
def test_cases(name, monkeypatch):
    """Answers agree, and wrong ones of NumPy are noticed."""
    assert all(row.agree for row in CASES[name]("quick") if isinstance(row, Result))
    wrong = {
        "has_sum": lambda *_: False,
        "have_sums": lambda items, _: np.ones(len(items), bool),
        "count_sums": lambda items, _: np.ones(len(items)),
    }
    for each, answer in wrong.items():
        monkeypatch.setattr(rivals, each, answer)
    rows = [row for row in CASES[name]("quick") if isinstance(row, Result)]
    assert not all(row.agree for row in rows)
