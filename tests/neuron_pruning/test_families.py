"""Families together: draw by draw in rationals, closed forms for one neuron, the correlation."""

import dataclasses
import itertools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from lottery_jax import geometry
from lottery_jax.core import enable_x64, keys, root
from lottery_jax.montecarlo import Counts, collect_counts, identity, limits_jackknife
from lottery_jax.neuron_pruning import families, joint_success
from tests.oracles import broken_bins as oracle
from tests.oracles.rates import FALSE_ALARM, assert_rate

END = math.sqrt(3)  # of |t| in the ball of radius 2
EPSILON, CONSTANT = 0.5, 0.045


def _one_draw(experiment, key):
    counts = jax.jit(experiment.count)(key, experiment.scalars())
    return {name: int(np.argmax(each)) for name, each in counts.items()}


@pytest.mark.parametrize("jump", [0.0, 1 / math.sqrt(6)])
@pytest.mark.parametrize("kept", [1, 2, 4])
def test_good_families_are_those_of_exact_arithmetic(kept, jump):
    num_families = 6
    experiment = families.experiment(kept=kept, jump=jump, num_families=num_families)
    threshold = Fraction(float(np.float32(CONSTANT))) * Fraction(1, 2)
    edges = np.asarray(geometry.bin_edges(2.0, EPSILON, num=8))
    seen, undecided = set(), 0
    for seed in range(60):
        shape = (1 + 2 * num_families,)
        items = keys.items(root(seed), kept)
        weights = np.stack([jax.random.normal(item, shape, jnp.float32) for item in items])
        alpha, slopes, offsets = weights[:, :1], weights[:, 1::2], weights[:, 2::2]
        places = np.append(-offsets / slopes, np.zeros((1, num_families), np.float32), axis=0)
        jumps = alpha * np.abs(slopes)
        jumps = np.append(jumps, np.full((1, num_families), -jump, np.float32), axis=0)
        good = sum(
            not any(
                oracle.is_broken(places[:, i], jumps[:, i], left, right, threshold)
                for left, right in itertools.pairwise(edges)
            )
            for i in range(num_families)
        )
        found = _one_draw(experiment, root(seed))
        assert found["certain"] <= good <= found["possible"]
        undecided += found["possible"] - found["certain"]
        seen.add(good)
    assert len(seen) > 1
    assert undecided <= 2


def _probability_good(strength):
    """One neuron of this output weight breaks no bin of one family (no target).

    Given its place t, |w| sqrt(1 + t^2) is a Rayleigh number.
    """
    edges = [-END + EPSILON * number for number in range(7)] + [END]
    breaks = 0.0
    for left, right in itertools.pairwise(edges):

        def density(t, left=left, right=right):
            needed = 2 * CONSTANT * EPSILON * (right - left) / ((t - left) * (right - t))
            size = (needed / strength) ** 2 * (1 + t * t) / 2
            return math.exp(-size) / (math.pi * (1 + t * t))

        breaks += integrate.quad(density, left, right, epsabs=1e-10)[0]
    return 1 - breaks


def _law_of_good(num_families):
    """The law of the number of good families of one neuron: binomial, mixed over its alpha."""
    nodes, weights = np.polynomial.legendre.leggauss(80)
    strengths, weights = 4 * (nodes + 1), 4 * weights  # 0 to 8; Gauss's points avoid the ends
    weights = weights * 2 * stats.norm.pdf(strengths)
    chances = np.array([_probability_good(strength) for strength in strengths])
    number = np.arange(num_families + 1)
    mixed = weights @ stats.binom.pmf(number[None], num_families, chances[:, None])
    return mixed, float(weights @ chances)


@pytest.mark.parametrize("trials", [20_000, pytest.param(10**6, marks=pytest.mark.slow)])
def test_one_neuron_against_its_closed_form(trials):
    num_families = 4
    experiment = families.experiment(kept=1, jump=0.0, num_families=num_families)
    counts = collect_counts(experiment, key=root(5), trials=trials, progress=False)
    good = counts.totals["certain"]
    open_draws = np.abs(counts.totals["possible"] - good).sum()
    assert open_draws <= 1e-4 * trials, "rounding must not matter below"
    law, chance = _law_of_good(num_families)
    assert law.sum() == pytest.approx(1, abs=1e-9)
    for number, mass in enumerate(law):
        assert_rate(int(good[number]), trials, float(mass))
    independent = stats.binom.pmf(num_families, num_families, chance)
    with pytest.raises(AssertionError):
        assert_rate(int(good[num_families]), trials, float(independent))
    # E p^2, the joint success of two families, and its excess over the product of Lemma 3.
    pairs = sum(mass * math.comb(s, 2) for s, mass in enumerate(law)) / math.comb(num_families, 2)
    assert joint_success.joint(good, 2) == pytest.approx(pairs, abs=5 / math.sqrt(trials))
    assert pairs > 1.05 * chance**2


def _log_ratio(totals):
    good = totals["certain"]
    return math.log(joint_success.joint(good, 2)) - 2 * math.log(joint_success.joint(good, 1))


def test_given_the_output_weights_families_are_independent():
    """Joint over product is 1 given alpha, and above 1 without: the control is Lemma 3 itself."""

    def limits(strengths):
        experiment = families.experiment(kept=2, num_families=12, strengths=strengths)
        experiment = dataclasses.replace(experiment, lanes=200)
        counts = collect_counts(experiment, key=root(6), trials=12_000, progress=False)
        return limits_jackknife(counts, _log_ratio, confidence=1 - FALSE_ALARM)

    for strengths in ((0.9, 0.2), (-0.4, 0.7)):
        _, low, high = limits(strengths)
        assert low <= 0 <= high
        assert high - low < 0.6
    _, low, high = limits(None)
    assert low > 0
    assert high < 2


def test_given_strengths_one_neuron_has_a_binomial_law():
    experiment = families.experiment(kept=1, jump=0.0, num_families=4, strengths=(0.8,))
    counts = collect_counts(experiment, key=root(7), trials=20_000, progress=False)
    chance = _probability_good(0.8)
    for number, hits in enumerate(counts.totals["certain"].tolist()):
        assert_rate(hits, 20_000, stats.binom.pmf(number, 4, chance))
    with pytest.raises(AssertionError):
        assert_rate(int(counts.totals["certain"][4]), 20_000, _probability_good(0.7) ** 4)


def test_the_correlation_of_two_jumps():
    """pi/2 - 1 inside limits of 10^6 draws; the moments behind it one by one."""
    counts = collect_counts(families.jumps_experiment(), key=root(8), trials=10**6, progress=False)

    def mean(name):
        return lambda totals: float(totals[name] / totals["draws"])

    expected = {
        "first": 1.0,
        "second": 1.0,
        "first_square": 2.0,
        "second_square": 2.0,
        "product": math.pi / 2,
    }
    for name, value in expected.items():
        _, low, high = limits_jackknife(counts, mean(name), confidence=1 - FALSE_ALARM)
        assert low <= value <= high
        assert high - low < 0.1 * value
    value, low, high = limits_jackknife(counts, families.correlation, confidence=1 - FALSE_ALARM)
    assert low <= math.pi / 2 - 1 <= high
    assert not low <= 0.5 <= high  # the control
    assert not low <= 0.65 <= high


def test_the_correlation_is_that_of_the_draws():
    experiment = dataclasses.replace(families.jumps_experiment(), lanes=500)
    key = root(9)
    counts = collect_counts(experiment, key=key, trials=500, progress=False)
    name = identity(experiment, epsilons=(), key=key, kind="counts")
    chunk = keys.chunk(keys.stream(key, name), 0)
    draws = np.stack(
        [jax.random.normal(keys.lane(chunk, i), (5,), jnp.float32) for i in range(500)]
    )
    alpha, radii = np.abs(draws[:, 0]), np.hypot(draws[:, 1::2], draws[:, 2::2])
    expected = np.corrcoef(alpha * radii[:, 0], alpha * radii[:, 1])[0, 1]
    # Products are counted in units of 2^-12.
    assert families.correlation(counts.totals) == pytest.approx(expected, abs=1e-3)


def test_joint_is_the_share_of_choices():
    good = np.array([3, 0, 5, 2, 1])
    for m in (1, 2, 3, 4):
        shares = [
            np.mean(
                [set(choice) <= set(range(s)) for choice in itertools.combinations(range(4), m)]
            )
            for s in range(5)
        ]
        assert joint_success.joint(good, m) == pytest.approx(np.dot(good, shares) / 11)
        effective = np.dot(good, shares) ** 2 / np.dot(good, np.square(shares))
        assert joint_success.effective_draws(good, m) == pytest.approx(effective)
    assert joint_success.effective_draws(np.array([7, 0, 0]), 1) == 0
    for m in (0, 5):
        with pytest.raises(ValueError, match=f"families={m} must lie in 1 to 4"):
            joint_success.joint(good, m)


def test_counts_do_not_depend_on_x64():
    experiment = families.experiment(kept=2, num_families=3)
    narrow = [_one_draw(experiment, root(seed)) for seed in range(20)]
    with enable_x64():
        assert [_one_draw(experiment, root(seed)) for seed in range(20)] == narrow


def test_a_sweep_compiles_once():
    functions = {
        families.experiment(kept=2, epsilon=epsilon, constant=constant, jump=jump).count
        for epsilon in (0.45, 0.5)
        for constant in (0.01, 0.02)
        for jump in (0.0, 0.4)
    }
    assert len(functions) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(kept=0), "kept=0"),
        (dict(kept=17), "kept=17"),
        (dict(kept=2, num_families=65), "num_families=65"),
        (dict(kept=2, radius=1.0), "radius=1.0"),
        (dict(kept=2, epsilon=0.0), "length=0.0"),
        (dict(kept=2, epsilon=1e-3), "epsilon=0.001 gives 3465 bins"),
        (dict(kept=2, constant=-1.0), "constant=-1.0"),
        (dict(kept=2, constant=0.1), "jump=0.408.* must be 0, or break its bin"),
        (dict(kept=2, jump=-0.5), "jump=-0.5"),
        (dict(kept=2, strengths=(1.0,)), r"strengths=\(1.0,\) must be kept=2"),
        (dict(kept=1, strengths=(math.nan,)), "strengths="),
    ],
)
def test_wrong_settings_name_the_value(settings, message):
    with pytest.raises(ValueError, match=message):
        families.experiment(**settings)


def test_the_gap_of_the_target_decides():
    """The mirrored kink alone breaks its bin up to the constant at which it is refused."""
    place = END % EPSILON / EPSILON
    jump = 1 / math.sqrt(6)
    largest = jump * place * (1 - place) / 2
    zero = (0.0, 0.0)
    for constant, is_refused in ((0.999 * largest, False), (1.001 * largest, True)):
        settings = dict(kept=2, constant=constant, jump=jump, num_families=2, strengths=zero)
        if is_refused:
            with pytest.raises(ValueError, match="must be 0, or break its bin"):
                families.experiment(**settings)
        else:
            assert _one_draw(families.experiment(**settings), root(0))["possible"] == 0
    # So near the edge that float32 cannot tell: good in one histogram, not in the other.
    edge = families.experiment(**settings | dict(constant=largest * (1 - 1e-6)))
    assert _one_draw(edge, root(0)) == {"certain": 0, "possible": 2}
    free = families.experiment(kept=2, constant=largest, jump=0.0, num_families=2, strengths=zero)
    assert _one_draw(free, root(0))["certain"] == 2


def _counts(certain, possible):
    chunks = {"certain": np.array(certain), "possible": np.array(possible)}
    totals = {name: each.sum(axis=0) for name, each in chunks.items()}
    return Counts(int(totals["certain"].sum()), totals, chunks, 0.0)


def test_open_families_widen_every_limit():
    random = np.random.default_rng(0)
    decided = random.multinomial(1000, [0.5, 0.3, 0.1, 0.1], 20)
    opened = decided + np.array([-20, 0, 0, 20])  # draws whose three families are all open
    closed = joint_success.compare(_counts(decided, decided), 2)
    wide = joint_success.compare(_counts(decided, opened), 2)
    for one, other in zip(closed[:3], wide[:3], strict=True):
        assert other.low <= one.low < one.value < one.high < other.high
    assert wide.ratio.low < closed.ratio.low / 1.02
    assert wide.ratio.high > closed.ratio.high * 1.02
    assert closed.effective == wide.effective > 1000


def test_a_mean_carried_by_few_draws_has_open_limits():
    good = np.tile([90, 9, 0, 1], (20, 1))
    few = joint_success.compare(_counts(good, good), 3)
    assert few.effective == 20
    assert few.joint[1:] == (0.0, 1.0)
    assert few.ratio[1:] == (0.0, math.inf)
    assert 0 < few.product.low < few.product.high < 1
    none = joint_success.compare(_counts(good[:, :3], good[:, :3]), 2)
    assert none.joint == (0.0, 0.0, 1.0)
