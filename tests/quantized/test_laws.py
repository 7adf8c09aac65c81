"""The laws against closed forms in exact arithmetic, adaptive quadrature and exact enumeration."""

import inspect
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, stats

from lottery_jax.quantized import laws, moments, subset_sum_laws, width_bounds
from tests.oracles import partition


@pytest.mark.parametrize("largest", [1, 2, 3, 10, 1000])
def test_moments_of_an_item(largest):
    values = range(1, largest + 1)
    second = Fraction(sum(x**2 for x in values), largest)
    fourth = Fraction(sum(x**4 for x in values), largest)
    assert laws.mean_square(math.log2(largest)) == pytest.approx(second / largest**2, rel=1e-13)
    assert laws.kurtosis(math.log2(largest)) == pytest.approx(
        float(fourth / second**2 - 3), rel=1e-12
    )


def test_golden_values_of_the_window():
    """Those of the theory, and the same by another form of the law."""
    places = np.arange(-2.0, 4.0)
    assert laws.window_law(places).success.round(4).tolist() == [
        *(0.9665, 0.8429, 0.6239, 0.3955, 0.2254, 0.1207)
    ]
    a = np.sqrt(3 / (2 * np.pi)) * 2**-places
    expected = 1 - 0.5 * np.exp(-a) * (1 + np.exp(-a))
    assert laws.window_law(places).success == pytest.approx(expected, rel=1e-12)
    assert laws.window_law(places).failure == pytest.approx(1 - expected, rel=1e-12)


def test_the_window_is_the_law_for_large_items():
    for num_items in (200, 10_000):
        log2_largest = laws.log2_largest_at(num_items, [-2.0, 0.0, 3.0])
        # log2(M) is known to n 2**-52, which is the relative error of rho.
        assert laws.perfect(num_items, log2_largest).success == pytest.approx(
            laws.window_law([-2.0, 0.0, 3.0]).success, rel=1e-11
        )
        places = laws.window_place(num_items, log2_largest)
        assert places == pytest.approx([-2.0, 0.0, 3.0], abs=1e-11)
        assert laws.kappa_at(num_items, places) * num_items == pytest.approx(log2_largest)


def test_both_tails_are_right():
    """Where one chance is within rounding of 1 the other keeps its digits."""
    low, high = map(np.asarray, laws.window_law([-5.0, 60.0]))
    a = math.sqrt(3 / (2 * math.pi))
    assert low[1] == pytest.approx(1.5 * a * 2.0**-60, rel=1e-12, abs=0)
    assert high[0] == pytest.approx((math.exp(-32 * a) + math.exp(-64 * a)) / 2, rel=1e-12, abs=0)
    assert np.asarray(laws.perfect(10_000, [0.0, 20_000.0]).success).tolist() == [1.0, 0.0]
    assert np.all(np.asarray(laws.perfect(10_000, [9_950, 9_960]).failure) == 0.0)
    rare = laws.perfect(10_000, 10_500.0).success
    exact = 1.5 * 2.0 ** float(laws.log2_solutions(10_000, 10_500.0) - 1)
    assert rare == pytest.approx(exact, rel=1e-12, abs=0)


@pytest.mark.parametrize(("num_items", "largest"), [(8, 12), (8, 2**9), (11, 2**10)])
def test_the_next_order_is_nearer_than_the_law(num_items, largest):
    """Draws of NumPy: the law is within its error, the next order within limits."""
    generator = np.random.default_rng(0)
    trials = 20_000
    items = generator.integers(1, largest + 1, (trials, num_items))
    found = np.concatenate([partition.count_perfect(part) > 0 for part in np.split(items, 20)])
    is_odd = items.sum(axis=1) % 2 == 1
    log2_largest = math.log2(largest)
    next_order = laws.perfect_next_order(num_items, log2_largest)
    # O(1/n^2), with what n^2 / M equal pairs do to few and small items.
    slack = 1 / num_items**2 + 0.05 * num_items**2 / largest
    for chosen, chance, law in (
        (~is_odd, next_order.even, laws.perfect_even(num_items, log2_largest)),
        (is_odd, next_order.odd, laws.perfect_odd(num_items, log2_largest)),
        (is_odd | True, next_order.either, laws.perfect(num_items, log2_largest)),
    ):
        hits, number = int(found[chosen].sum()), int(chosen.sum())
        low, high = stats.binomtest(hits, number).proportion_ci(1 - 1e-6)
        assert low - slack <= chance.success <= high + slack
        assert chance.success + chance.failure == pytest.approx(1, abs=1e-15)
        assert abs(law.success - chance.success) < laws.WINDOW_ERROR / num_items + slack


def test_the_largest_error_of_the_first_order_is_as_stated():
    """n (law - next order) over the window has the largest value .094, below the stated .15."""
    places = np.linspace(-6, 8, 2001)
    num_items = 4000
    log2_largest = laws.log2_largest_at(num_items, places)
    lost = laws.perfect(num_items, log2_largest).success
    lost = num_items * (lost - laws.perfect_next_order(num_items, log2_largest).either.success)
    a = np.sqrt(3 / (2 * np.pi)) * 2**-places
    expected = np.exp(-a) * (0.15 * a + 0.1 * a**2) + np.exp(-2 * a) * (0.3 * a + 0.4 * a**2)
    assert lost == pytest.approx(expected / 2, abs=2e-4)
    assert 0.093 < lost.max() < 0.095 < laws.WINDOW_ERROR


@pytest.mark.parametrize("relative", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("log2_largest", [6.0, 14.0, 18.0, 40.0])
def test_the_law_of_subsets_by_adaptive_quadrature(relative, log2_largest):
    num_items = 16
    chance = subset_sum_laws.solvable(num_items, log2_largest, relative)
    rho = 2.0 ** laws.log2_solutions(num_items, log2_largest)
    mean = 2 * relative / math.sqrt(num_items * laws.mean_square(log2_largest))

    def success(g):
        return -math.expm1(-rho * math.exp(-((g - mean) ** 2) / 2)) * stats.norm.pdf(g)

    def failure(g):
        return math.exp(-rho * math.exp(-((g - mean) ** 2) / 2)) * stats.norm.pdf(g)

    settings = {"epsabs": 1e-300, "epsrel": 1e-11, "limit": 500}
    reach = math.sqrt(2 * math.log(max(rho, 2)))
    points = sorted({-12, mean - reach, mean, mean + reach, 0.0, 12})
    for function, value in ((success, chance.success), (failure, chance.failure)):
        parts = itertools.pairwise(points)
        expected = sum(integrate.quad(function, low, high, **settings)[0] for low, high in parts)
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_the_law_of_subsets_far_out():
    """log-space: n to 10^4, and a failure far below rounding, by Laplace's bound on both sides."""
    success = np.asarray(
        subset_sum_laws.solvable(10_000, [9_000.0, 9_993.0, 10_100.0], 0.5).success
    )
    assert success[0] == pytest.approx(1.0, abs=1e-15)
    assert 0.4 < success[1] < 0.8
    mean = 2.0 ** float(laws.log2_solutions(10_000, 10_100.0)) / math.sqrt(2)
    assert success[2] == pytest.approx(mean, rel=1e-3, abs=0)
    reach = math.sqrt(2 * math.log(2.0 ** laws.log2_solutions(100, 20.0)))
    failure = subset_sum_laws.solvable(100, 20.0, 0.0).failure
    assert 2 * stats.norm.sf(reach + 0.5) < failure < 2 * stats.norm.sf(reach - 0.5)


def test_few_solutions_are_as_likely_as_expected():
    """Where solutions are rare the chance is their expected number."""
    for relative in (0.0, 0.5, 4.0):
        success = subset_sum_laws.solvable(20, 60.0, relative).success
        expected = 2.0 ** subset_sum_laws.log2_expected_subsets(20, 60.0, relative)
        assert success == pytest.approx(expected, rel=1e-9, abs=0)
    half = laws.poisson(laws.log2_expected_signs(20, 60.0) * math.log(2)).success
    assert laws.perfect(20, 60.0).success == pytest.approx(1.5 * half, rel=1e-9, abs=0)


@pytest.mark.parametrize("relative", [0.5, 1.5])
def test_the_next_order_where_solutions_are_rare(relative):
    """The chance is then the expected number, which is known exactly."""
    num_items, bits = 8, 14
    exact = moments.subset_moments(num_items, 2**bits, int(relative * 2**bits)).mean
    setting = num_items, float(bits), relative
    found = float(subset_sum_laws.solvable_next_order(*setting).success)
    # O(1/n^2), of which two solutions at once are rho / 2, below 0.004.
    assert abs(found / exact - 1) < 0.6 / num_items**2


@pytest.mark.parametrize("relative", [0.0, 0.5])
def test_the_next_order_for_subsets(relative):
    """Against draws of NumPy; the next order is within its error and limits."""
    num_items, largest, trials = 10, 400, 20_000
    generator = np.random.default_rng(1)
    items = generator.integers(0, 2 * largest, (trials, num_items))
    items = (items // 2 + 1) * (1 - 2 * (items % 2))
    target = int(relative * largest)
    counts = [partition.count_subsets(part, target) for part in np.split(items, 40)]
    hits = int(np.sum(np.concatenate(counts) > (target == 0)))
    low, high = stats.binomtest(hits, trials).proportion_ci(1 - 1e-6)
    chance = subset_sum_laws.solvable_next_order(num_items, math.log2(largest), relative)
    slack = 1 / num_items**2
    assert low - slack <= chance.success <= high + slack
    wrong = subset_sum_laws.solvable_next_order(num_items, math.log2(largest) + 0.5, relative)
    assert not low - slack <= wrong.success <= high + slack


def test_the_counting_bound():
    """One weight of 2/delta + 1 values, a layer of independent ones, and the loss by p."""
    assert width_bounds.counting_bound(2, rows=1, columns=1, probability=1.0) == pytest.approx(
        math.log2(9), rel=1e-15
    )
    bound = width_bounds.counting_bound([0, 3], rows=2, columns=3, probability=0.25)
    assert bound == pytest.approx([6 * math.log2(3) - 2, 6 * math.log2(17) - 2])
    assert np.isfinite(width_bounds.counting_bound(10_000, rows=5, columns=5, probability=1e-300))


def _bound(**sizes):
    """Without the check of types in tests."""
    sizes = {"rows": 1, "columns": 1} | sizes
    return inspect.unwrap(width_bounds.counting_bound)(3, probability=0.5, **sizes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: laws.log_density(0, 3), "num_items=0 must be at least 1"),
        (lambda: laws.perfect(5, -1.0), "log2_largest=-1.0 must be finite and at least 0"),
        (lambda: laws.perfect(5, [1.0, math.nan]), "must be finite"),
        (lambda: laws.perfect_next_order(2, 3.0), "must be at least 3"),
        (lambda: laws.window_law(math.nan), "place=nan must be"),
        (lambda: laws.window_place(3, math.nan), "log2_largest=nan must be"),
        (lambda: laws.log2_largest_at(3, [math.nan]), "must be numbers"),
        (lambda: laws.log2_expected_signs(3, 3, math.nan), "relative_sum=nan must be"),
        (lambda: laws.poisson(math.nan), "log_mean=nan"),
        (lambda: _bound(rows=1.5), "rows=1.5 must be an integer"),
        (lambda: _bound(columns=True), "columns=True must be an integer"),
        (lambda: subset_sum_laws.number_of_subsets(16, 14, 0.5, -1), "number=-1 must be whole"),
        (lambda: subset_sum_laws.number_of_subsets(16, 14, 0.5, [1, 1.5]), "must be whole"),
        (lambda: subset_sum_laws.solvable(math.nan, 3.0, 0.5), "num_items=nan"),
        (lambda: width_bounds.counting_bound(-1, rows=1, columns=1, probability=0.5), "bits=-1"),
        (lambda: width_bounds.counting_bound(3, rows=0, columns=1, probability=0.5), "rows=0"),
        (
            lambda: width_bounds.counting_bound(3, rows=1, columns=1, probability=0.0),
            "probability=0.0",
        ),
        (lambda: subset_sum_laws.solvable(0, 3.0, 0.5), "num_items=0"),
        (lambda: subset_sum_laws.solvable(4, 3.0, math.inf), "relative_target=inf"),
    ],
)
def test_arguments_outside_their_ranges(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_law_of_the_number_of_subsets():
    """Shares of all numbers: they add up, start at the failure, and have the law's moments."""
    number = np.arange(400)
    for setting in ((16, 14.0, 0.5), (16, 10.0, 3.0)):
        shares = np.asarray(subset_sum_laws.number_of_subsets(*setting, number))
        assert shares[0] == pytest.approx(subset_sum_laws.solvable(*setting).failure, rel=1e-12)
        assert shares.sum() == pytest.approx(1, rel=1e-9)
        mean = 2.0 ** float(subset_sum_laws.log2_expected_subsets(*setting))
        pairs = 2.0 ** float(subset_sum_laws.log2_expected_pairs(*setting))
        assert np.sum(number * shares) == pytest.approx(mean, rel=1e-9)
        assert np.sum(number * (number - 1) * shares) == pytest.approx(pairs, rel=1e-9)
