"""Exact moments against enumeration, exact integers, and the limits they tend to."""

import inspect
import math

import numpy as np
import pytest

from lottery_jax.quantized import laws, moments, subset_sum_laws
from tests.oracles import partition


@pytest.mark.parametrize(("num_items", "largest"), [(1, 1), (1, 4), (2, 3), (4, 3), (3, 5)])
def test_vectors_by_sum(num_items, largest):
    signed = partition.instances(partition.signed_values(largest), num_items).sum(axis=1)
    expected = np.bincount(signed[signed >= 0], minlength=num_items * largest + 1)
    assert np.array_equal(moments.vectors_by_sum(num_items, largest), expected)


@pytest.mark.parametrize(("num_items", "largest"), [(1, 3), (5, 1), (7, 20), (9, 50), (4, 10_000)])
def test_shares_against_exact_integers(num_items, largest):
    counts = moments.vectors_by_sum(num_items, largest)
    number = (2 * largest) ** num_items
    for total in {0, 1, largest, num_items * largest // 2, num_items * largest}:
        share = moments.share_with_sum(num_items, largest, total)
        tolerance = num_items * 1e-15 * max(counts[0] / number, 1 / (2 * largest))
        assert share == pytest.approx(int(counts[total]) / number, rel=0, abs=tolerance)
    far = moments.share_with_sum(num_items, largest, num_items * largest + 1)
    assert far == pytest.approx(0, abs=num_items * 1e-15)


@pytest.mark.parametrize(("num_items", "largest"), [(1, 2), (3, 4), (4, 5), (5, 3), (6, 4)])
def test_moments_of_perfect_partitions(num_items, largest):
    """All instances; the sums are whole numbers, so that only rounding is allowed."""
    items = partition.instances(range(1, largest + 1), num_items)
    number, is_odd = partition.count_perfect(items), items.sum(axis=1) % 2 == 1
    even, odd, even_share = moments.perfect_moments(num_items, largest)
    assert even_share == pytest.approx(np.mean(~is_odd), rel=1e-14)
    for found, chosen in ((even, number[~is_odd]), (odd, number[is_odd])):
        assert found.mean == pytest.approx(chosen.mean(), rel=1e-13)
        assert found.pairs == pytest.approx(np.mean(chosen * (chosen - 1)), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("num_items", [1, 2, 3, 6])
def test_moments_for_ones_alone(num_items):
    """One instance, whose total has one parity; the other one never occurs."""
    found = moments.perfect_moments(num_items, 1)
    number = math.comb(num_items, num_items // 2) // (1 if num_items % 2 else 2)
    known = pytest.approx((number, number * (number - 1)), rel=1e-12, abs=1e-12)
    assert found.even_share == (num_items + 1) % 2
    assert (found.odd if num_items % 2 else found.even) == known
    assert (found.even if num_items % 2 else found.odd) == (0, 0)


@pytest.mark.parametrize("total", [0, 1, 2, 5])
def test_moments_of_signs(total):
    items = partition.instances(range(1, 5), 4)
    number = np.sum(items @ partition.sign_vectors(4).T == total, axis=1)
    found = moments.sign_moments(4, 4, total)
    assert found.mean == pytest.approx(number.mean(), rel=1e-13)
    assert found.pairs == pytest.approx(np.mean(number * (number - 1)), rel=1e-12)


@pytest.mark.parametrize("target", [0, 1, -2, 5])
@pytest.mark.parametrize(("num_items", "largest"), [(1, 5), (3, 3), (4, 3), (5, 2)])
def test_moments_of_subsets(num_items, largest, target):
    items = partition.instances(partition.signed_values(largest), num_items)
    number = partition.count_subsets(items, target)
    found = moments.subset_moments(num_items, largest, target)
    assert found.mean == pytest.approx(number.mean(), rel=1e-12, abs=1e-13)
    assert found.pairs == pytest.approx(np.mean(number * (number - 1)), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("largest", [5, 1000])
def test_the_local_limit_and_its_next_term(largest):
    """Exact over formula is 1 + kurtosis / (8 n), to O(1/n^2): 1 - 0.15 / n for large M."""
    log2_largest = math.log2(largest)
    constant = float(laws.kurtosis(log2_largest)) / 8
    if largest == 1000:
        assert constant == pytest.approx(-0.15, abs=2e-4)  # to O(1/M)
    for num_items in (16, 64, 256):
        formula = math.exp(laws.log_density(num_items, log2_largest))
        ratio = moments.share_with_sum(num_items, largest, 0) / formula
        # The next term has a constant well below 0.1 here.
        assert ratio - 1 == pytest.approx(constant / num_items, rel=0, abs=0.1 / num_items**2)
        assert ratio - 1 != pytest.approx(0.16 / 0.15 * constant / num_items, rel=1e-3)


@pytest.mark.parametrize("relative", [0.0, 1.5, 3.0])
def test_expected_numbers_tend_to_their_laws(relative):
    """Away from 0 too: the error stays below a multiple of 1/n."""
    errors = []
    for num_items in (16, 64):
        largest = 200
        total = int(relative * largest)
        signs = moments.sign_moments(num_items, largest, total).mean
        law = 2.0 ** laws.log2_expected_signs(num_items, math.log2(largest), relative)
        subsets = moments.subset_moments(num_items, largest, total)
        mean = 2.0 ** subset_sum_laws.log2_expected_subsets(num_items, math.log2(largest), relative)
        # Subsets that are equal or nearly so are pairs of their own; at 16 items they matter.
        pairs = 2.0 ** subset_sum_laws.log2_expected_pairs(num_items, math.log2(largest), relative)
        errors.append([signs / law - 1, subsets.mean / mean - 1, subsets.pairs / pairs - 1])
    few, many = np.abs(errors)
    assert np.all(few < 2 / 16)
    assert np.all(many < 1 / 64)


def test_pairs_tend_to_those_of_poisson_laws():
    """1 - 0.1 / n of the square of the law's mean; 1 - 0.15 / n of the mean itself."""
    num_items, largest = 24, 40_000
    rho = 2.0 ** float(laws.log2_solutions(num_items, math.log2(largest)))
    even, odd, _ = moments.perfect_moments(num_items, largest)
    for found, mean in ((even, rho / 2), (odd, rho)):
        assert found.mean / mean - 1 == pytest.approx(-0.15 / num_items, abs=0.1 / num_items**2)
        assert found.pairs / mean**2 - 1 == pytest.approx(-0.1 / num_items, abs=0.5 / num_items**2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: moments.share_with_sum(0, 3, 0), "num_items=0 and largest=3"),
        (lambda: moments.vectors_by_sum(20, 10), r"leave 63 bits; share_with_sum"),
        (lambda: moments.share_with_sum(32, 2**25, 0), "use largest up to 4194304"),
        (lambda: moments.subset_moments(4, 10, 41), "target=41 is out of reach"),
        (lambda: moments.subset_moments(20, 2**20, 0), "use largest up to 53261"),
    ],
)
def test_ranges(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("vectors_by_sum", (2.5, 3)),
        ("share_with_sum", (2, 3, 0.5)),
        ("sign_moments", (2, 3.0, 0)),
        ("perfect_moments", (2.5, 3)),
        ("subset_moments", (2, 3, 1.5)),
    ],
)
def test_what_is_not_whole_is_refused(name, arguments):
    with pytest.raises(ValueError, match="must be an integer, and"):
        inspect.unwrap(getattr(moments, name))(*arguments)  # without the check of types in tests
    if name == "vectors_by_sum":
        with pytest.raises(ValueError, match="leave 63 bits"):
            inspect.unwrap(moments.vectors_by_sum)(np.int64(32), np.int64(2))
