"""Bounds against exact arithmetic, integrals of other kinds, and simulation."""

import fractions
import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import beta, gamma, kv

import lottery_jax as lj
from lottery_jax.core.limits import limits_exact
from lottery_jax.neuron_pruning import bounds, paper_bounds, single_neuron
from tests.oracles.rates import FALSE_ALARM, assert_rate, assert_rate_at_most


def one_neuron(dim: int, epsilon: float) -> float:
    """p_1 as a double integral in units of epsilon, its limits found from the error alone."""

    def error(strength, angle):
        """As in `single_neuron`, without the cancellation in 1 - 2 s cos + s^2."""
        if strength <= math.cos(angle) or strength * math.cos(angle) >= 1:
            return math.hypot(1 - strength, 2 * math.sqrt(strength) * math.sin(angle / 2))
        return max(1.0, strength) * math.sin(angle)

    order = (dim - 1) / 2

    def density(s):
        return s**order * kv(order, s) / (math.sqrt(math.pi) * 2**order * gamma(dim / 2))

    def mass(angle):
        def excess(strength):
            return error(strength, angle) - epsilon

        middle = math.cos(angle)
        low = brentq(excess, middle - 2 * epsilon, middle, xtol=1e-18, rtol=1e-14)
        high = brentq(excess, middle, middle + 3 * epsilon, xtol=1e-18, rtol=1e-14)
        return quad(lambda y: density(low + y * (high - low)), 0, 1, epsabs=0, epsrel=1e-9)[0] * (
            high - low
        )

    # The root at the end of the range is taken away by angle = end - width u^2, and the form of the
    # interval changes at arctan(epsilon).
    total, end, kink = 0.0, math.asin(epsilon), math.atan(epsilon)
    rule = np.polynomial.legendre.leggauss(100)
    for start, stop in ((0.0, kink), (kink, end * (1 - 1e-14))):
        width = stop - start

        def weighted(u, stop=stop, width=width):
            angle = stop - width * u * u
            return 2 * u * width * (math.sin(angle) / epsilon) ** (dim - 2) * mass(angle)

        total += sum(w / 2 * weighted((x + 1) / 2) for x, w in zip(*rule, strict=True))
    return total * epsilon ** (dim - 2) / beta((dim - 1) / 2, 0.5)


@pytest.mark.parametrize(
    ("dim", "epsilon"), [(2, 0.3), (2, 1e-3), (2, 3.297e-6), (3, 0.1), (4, 0.3)]
)
def test_p_1_against_an_integral_of_another_kind(dim, epsilon):
    assert math.exp(single_neuron.log_success_gaussian(dim, epsilon)) == pytest.approx(
        one_neuron(dim, epsilon), rel=1e-5
    )


def test_p_1_does_not_underflow():
    """Its leading term: log p_1 falls by d log 10 for each factor of ten."""
    for dim in (2, 6, 60):
        steps = np.diff([single_neuron.log_success_gaussian(dim, 10.0**-n) for n in (4, 5)])
        assert steps == pytest.approx(-dim * math.log(10), rel=1e-3)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("draws", [200_000, pytest.param(10**6, marks=pytest.mark.slow)])
def test_the_bound_of_the_linear_part_is_never_exceeded(dim, draws):
    """Gaussian networks, and one law of output weights that nearly reaches the bound."""
    epsilon, rng = 0.1, np.random.default_rng(dim)
    bound = math.exp(bounds.log_bound_kept(dim, epsilon))
    target = np.eye(dim)[0]

    def near(output):
        hidden = rng.normal(size=(*output.shape, dim))
        total = np.einsum("bk,bkd->bd", output, hidden)
        return int(np.sum(np.linalg.norm(total - target, axis=1) <= 2 * epsilon))

    for kept in (1, 2, 4, 8):
        assert_rate_at_most(near(rng.normal(size=(draws, kept))), draws, bound)
    # Variance r^2 / d with r the distance of the ball from 0: the worst there is.
    worst = near(np.full((draws, 1), (1 - 2 * epsilon) / math.sqrt(dim)))
    assert_rate_at_most(worst, draws, bound)
    # Control: a bound of three tenths would be wrong.
    with pytest.raises(AssertionError):
        assert_rate_at_most(worst, draws, 0.3 * bound)


def test_the_bound_of_the_linear_part_is_sharp_for_small_accuracies():
    """Its value for the worst variance, by the density in the middle of the ball."""
    for dim in (2, 3, 7):
        epsilon = 1e-6
        volume = math.pi ** (dim / 2) / math.gamma(dim / 2 + 1) * (2 * epsilon) ** dim
        density = (2 * math.pi / dim) ** (-dim / 2) * math.exp(-dim / 2)
        bound = bounds.log_bound_kept(dim, epsilon)
        assert bound == pytest.approx(math.log(volume * density), abs=1e-4)
        stirling = dim * math.log(2 * epsilon / (1 - 2 * epsilon)) - math.log(math.pi * dim) / 2
        assert stirling - 0.1 < bound <= stirling


def test_p_1_is_below_the_bound_for_every_number_kept():
    for dim in (2, 3, 8, 30):
        for epsilon in (0.45, 0.1, 1e-3, 1e-6):
            assert single_neuron.log_success_gaussian(dim, epsilon) <= bounds.log_bound_kept(
                dim, epsilon
            )
    assert bounds.log_bound_kept(2, 0.5) == 0


def test_the_union_bound_against_exact_sums():
    rng = np.random.default_rng(1)
    logs = -rng.uniform(1, 40, size=30)
    widths = np.array([1, 2, 5, 30, 31, 200, 1000])
    found = bounds.log_union(logs, widths)
    for width, log in zip(widths.tolist(), found, strict=True):
        exact = sum(
            math.comb(width, kept) * fractions.Fraction(math.exp(each))
            for kept, each in enumerate(logs.tolist(), start=1)
        )
        assert log == pytest.approx(math.log(exact), rel=1e-12, abs=1e-10)
    assert bounds.log_union(np.array([-1e5]), widths)[0] == pytest.approx(-1e5)


def test_masks_need_the_width_of_the_closed_form():
    """The bound reaches 2^-s at N = d log2((1 - 2 e) / 2 e) - s at the latest."""
    for dim, epsilon, s in ((2, 1e-2, 1.0), (5, 1e-3, 4.0), (40, 0.1, 0.0)):
        least = dim * math.log2((1 - 2 * epsilon) / (2 * epsilon)) - s
        widths = np.array([math.floor(least), math.floor(least) + 1 + dim])
        below, above = bounds.log_bound_masks(dim, epsilon, widths)
        assert below <= -s * math.log(2) < above


@pytest.mark.parametrize("draws", [200_000, pytest.param(10**6, marks=pytest.mark.slow)])
def test_a_breakpoint_near_the_target_is_as_rare_as_the_bounds_say(draws):
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, draws))
    epsilon = 0.02
    place = -second / first
    near = int(np.sum(np.abs(place + 1) <= 8 * math.sqrt(2) * epsilon))
    one = np.array([1])
    assert_rate(near, draws, float(np.exp(bounds.log_bound_breakpoint(epsilon, one))[0]))
    # A neuron bends in the line orthogonal to (first, second), the target in x_0 = 0.
    angle = np.arctan2(np.abs(second), np.abs(first))
    near = int(np.sum(angle <= 2 * np.arctan(2 * epsilon)))
    chance = float(np.exp(bounds.log_bound_kink(epsilon, one))[0])
    assert_rate(near, draws, chance)
    with pytest.raises(AssertionError):
        assert_rate(near, draws, 1.2 * chance)
    # 0.55 p / (C epsilon) at radius 2, for probability p at accuracy C epsilon.
    assert np.exp(bounds.log_bound_breakpoint(1e-6 / 2, one))[0] == pytest.approx(
        1e-6 / 0.555, rel=1e-3
    )


def test_the_error_without_a_kink_is_as_large_as_the_bounds_say():
    """Any linear function errs by tan(b/2) / 2 on the arc, and one by no more; likewise Lemma 2."""
    rng = np.random.default_rng(3)
    for half in (0.05, 0.5, 1.2):
        angles = np.linspace(-half, half, 201)
        points = np.stack([np.sin(angles), np.cos(angles)], axis=1)
        heights = np.maximum(points[:, 0], 0)
        best = np.array([0.5, math.tan(half / 2) / 2])
        slopes = best + np.concatenate([[[0, 0]], 0.2 * rng.normal(size=(2000, 2))])
        errors = np.abs(slopes @ points.T - heights).max(axis=1)
        assert errors[0] == pytest.approx(math.tan(half / 2) / 2)
        assert errors.min() >= math.tan(half / 2) / 2 - 1e-12
        assert math.exp(bounds.log_bound_kink(math.tan(half / 2) / 2, np.array([1]))[0]) == (
            pytest.approx(2 * half / math.pi)
        )
    delta = 0.3
    places = np.linspace(-1 - delta, -1 + delta, 201)
    target = np.maximum(places + 1, 0) / math.sqrt(2)
    lines = rng.normal(size=(20_000, 2)) * [0.3, 0.1] + [0.35, 0.05]
    errors = np.abs(lines[:, :1] * (places + 1) + lines[:, 1:] - target).max(axis=1)
    assert delta / (4 * math.sqrt(2)) <= errors.min() < 1.1 * delta / (4 * math.sqrt(2))


def test_measured_success_stays_below_every_rigorous_bound():
    """All subsets of up to seven neurons in the plane, on the unit ball."""
    epsilon, width = 0.06, 7
    experiment = lj.neuron_pruning.experiment(dim=2, width=width, radius=1.0, max_kept=width)
    found = lj.estimate(experiment, key=lj.key(4), trials=2000, epsilons=[epsilon], progress=False)
    low, _ = limits_exact(found.hits, found.trials, confidence=1 - FALSE_ALARM)
    assert found.hits[0] > 0
    widths = np.array([width])
    for log_bound in (
        bounds.log_bound_masks(2, epsilon, widths),
        bounds.log_bound_breakpoint(epsilon, widths),
        bounds.log_bound_kink(epsilon, widths),
    ):
        assert low[0] <= np.exp(log_bound[0])
    assert np.exp(bounds.log_bound_kink(epsilon, widths))[0] < 0.9


def test_the_paper_s_chain_against_simulation():
    """Short bins, T of them broken at the centre: the extreme case of section 5.5."""
    epsilon, radius, share, jump = 1e-3, 2.0, 20.0, 0.5
    chain = paper_bounds.chain(epsilon=epsilon, radius=radius, share=share, jump=jump)
    assert chain.cap == 100
    rng = np.random.default_rng(6)
    draws = 400_000
    first, second, output = rng.normal(size=(3, draws))
    place = -second / first
    is_central = np.abs(place) < chain.cap * epsilon / 2
    assert_rate(int(is_central.sum()), draws, chain.down)
    in_bin = np.mod(place / epsilon, 1)
    breaks = (np.abs(output * first) > jump) & (np.abs(in_bin - 0.5) < 0.25)
    breaks &= ~is_central & (np.abs(place) < math.sqrt(radius**2 - 1))
    assert_rate(int(breaks.sum()), draws, chain.up)
    with pytest.raises(AssertionError):
        assert_rate(int(breaks.sum()), draws, 1.05 * chain.up)


def test_the_paper_s_sums_against_exact_ones():
    widths = np.array([1, 3, 50])
    for dim, cap, rate in ((2, 5, 0.4), (30, 40, 0.2), (10, 2, 1.0)):
        found = paper_bounds.log_bound_9(dim, cap, widths, rate=rate)
        for width, log in zip(widths.tolist(), found, strict=True):
            terms = [math.exp(k * (1 + math.log(width) - rate * dim)) for k in range(1, cap)]
            assert log == pytest.approx(math.log(math.fsum(terms)), rel=1e-12)
    assert np.all(paper_bounds.log_bound_9(2, 1, widths, rate=1.0) == -np.inf)
    assert paper_bounds.log_bound_10(6, 0.5, widths, rate=0.25) == pytest.approx(
        [math.log(2.0**width * math.exp(-3)) for width in widths]
    )
    logs = paper_bounds.log_kept(7, np.array([-1.0, -2.5]))
    assert logs.tolist() == [-3.0, -7.5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: single_neuron.log_success_gaussian(1, 0.1), "dim=1"),
        (lambda: single_neuron.log_success_gaussian(2, 1.0), "epsilon=1.0"),
        (lambda: bounds.log_bound_kept(2, -0.1), "epsilon=-0.1"),
        (lambda: bounds.log_bound_kink(float("nan"), np.array([1])), "epsilon=nan"),
        (lambda: paper_bounds.chain(epsilon=0.1, radius=1.0, share=20.0, jump=0.5), "radius=1.0"),
        (lambda: paper_bounds.chain(epsilon=0.5, radius=2.0, share=20.0, jump=0.5), "T = 0.2 < 1"),
        (lambda: paper_bounds.chain(epsilon=0.1, radius=2.0, share=3.0, jump=0.5), "not below p"),
    ],
)
def test_wrong_settings_name_the_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_bounds_take_whole_sweeps():
    widths = np.asarray(jnp.arange(1, 501))
    logs = np.array([single_neuron.log_success_gaussian(2, 0.1), -10.0])
    for log in (
        bounds.log_union(logs, widths),
        bounds.log_bound_masks(2, 0.1, widths),
        bounds.log_bound_breakpoint(0.01, widths),
        bounds.log_bound_breakpoint(0.1, widths),
        bounds.log_bound_kink(0.1, widths),
    ):
        assert log.shape == (500,)
        assert np.all(np.diff(log) >= 0)
