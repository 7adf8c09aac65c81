"""The chain's law by spectrum, by steps, in rationals and by simulation is one law."""

import decimal
import math
from fractions import Fraction

import numpy as np
import pytest

from lottery_jax.core import root
from lottery_jax.montecarlo import collect_counts
from lottery_jax.neuron_pruning import birth_death
from tests.oracles import birth_death as oracle
from tests.oracles.rates import assert_rate

# Fast, slow, without rests, nearly balanced, lopsided.
CHAINS = [(0.5, 0.25), (0.3, 0.1), (0.7, 0.3), (0.5, 0.49), (0.9, 0.01), (0.02, 0.01), (1e-3, 1e-4)]


@pytest.mark.parametrize(("p", "q"), [*CHAINS, (1e-7, 1e-8)])  # the last is stepped through
@pytest.mark.parametrize("cap", [1, 2, 3, 7])
def test_small_chains_against_rationals(p, q, cap):
    steps = np.arange(1, 31)
    laws = oracle.exact_laws(p, q, cap, 30)
    logs = birth_death.log_probability_zero(p, q, cap, steps)
    expected = [oracle.exact_log(laws[k][0]) for k in steps]
    np.testing.assert_allclose(logs, expected, rtol=0, atol=1e-12)
    # Twelve digits of the exact numbers, and the bound on the error that `law` states.
    law = birth_death.law(p, q, cap, 30)
    errors = [
        abs(Fraction(x) / y - 1) if y else Fraction(x) for x, y in zip(law, laws[30], strict=True)
    ]
    assert float(max(errors)) <= 4 * 30 * 2**-53 * 1.01


def test_a_wrong_chain_is_told_apart():
    """The control of the test above: a cap, or a probability, that is off in the 12th digit."""
    exact = oracle.exact_log(oracle.exact_laws(0.3, 0.1, 3, 30)[30][0])
    for wrong in (
        birth_death.log_probability_zero(0.3, 0.1, 4, 30),
        birth_death.log_probability_zero(0.3, 0.1 * (1 + 1e-11), 3, 30),
        birth_death.log_probability_zero(0.3, 0.1, 3, 29),
    ):
        assert abs(float(wrong) - exact) > 1e-12


@pytest.mark.parametrize(("p", "q"), CHAINS[:5])
@pytest.mark.parametrize(("cap", "steps"), [(20, 1000), (300, 250), (100, 2000)])
def test_middle_sizes_against_steps(p, q, cap, steps):
    stepped = math.log(birth_death.law(p, q, cap, steps)[0])
    spectral = float(birth_death.log_probability_zero(p, q, cap, steps))
    # Rounding of both: 4 k units for the steps; 1e-15 of the logarithm, times a cancellation that
    # is at most 10 here, for the spectrum.
    assert abs(spectral - stepped) <= 1e-12 + 1e-14 * abs(stepped)


_SLOW = [pytest.param(*sizes, marks=pytest.mark.slow) for sizes in ((100, 10**6), (10**4, 10**5))]


@pytest.mark.parametrize(("cap", "steps"), [(10, 100), (10, 10**4), (10**4, 10**4), *_SLOW])
def test_no_underflow(cap, steps):
    """Far below the smallest float: rescaled backward steps are the oracle."""
    for p, q in ((0.3, 0.1), (0.41, 0.05)):
        expected = oracle.log_zero_backward(p, q, cap, steps)
        found = float(birth_death.log_probability_zero(p, q, cap, steps))
        assert abs(found - expected) <= 4 * steps * 2**-53 + 1e-12 + 1e-14 * abs(expected)
        if steps == 10_000 and cap == 10_000:
            assert expected < -500


@pytest.mark.parametrize("cap", [1, 2, 10, 30])
def test_the_limit(cap):
    for p, q in CHAINS:
        ratio = Fraction(p) / Fraction(q)
        exact = oracle.exact_log((ratio - 1) / (ratio ** (cap + 1) - 1))
        assert abs(birth_death.limit_zero(p, q, cap) - exact) <= 1e-12
        late = float(birth_death.log_probability_zero(p, q, cap, 10**6))
        if (p, q) != (0.5, 0.49) or cap < 30:  # that one still moves in its last digits
            assert abs(late - exact) <= 1e-12


@pytest.mark.parametrize("cap", [100, 300])
def test_the_limit_of_a_middle_chain(cap):
    """Still a float: 2e-143 at T = 300, to 1e-12 of the probability."""
    ratio = Fraction(0.3) / Fraction(0.1)
    exact = (ratio - 1) / (ratio ** (cap + 1) - 1)
    for found in (
        birth_death.limit_zero(0.3, 0.1, cap),
        float(birth_death.log_probability_zero(0.3, 0.1, cap, 10**5)),
    ):
        assert abs(Fraction(math.exp(found)) / exact - 1) < 1e-12


def test_the_limit_of_a_long_chain():
    """The logarithm of 1e-4772, in decimals of 40 digits."""
    with decimal.localcontext(prec=40):
        ratio = decimal.Decimal.from_float(0.3) / decimal.Decimal.from_float(0.1)
        exact = (ratio - 1).ln() - 10_001 * ratio.ln()  # but for 3**-10001
    late = birth_death.log_probability_zero(0.3, 0.1, 10_000, 10**6)
    for found in (birth_death.limit_zero(0.3, 0.1, 10_000), float(late)):
        # One unit in the last place of 11,000 is 1.8e-12, and a few roundings of that size happen:
        # of log(p/q), of its multiple, of the sum. So 1e-11, absolute, for a probability to 1e-11.
        assert abs(decimal.Decimal(found) - exact) < decimal.Decimal("1e-11")


@pytest.mark.parametrize(("p", "q"), CHAINS[:3])
def test_the_rate_before_the_cap_is_felt(p, q):
    """Pr(B_k = 0) ~ C k**(-3/2) exp(-k rate), and never above sqrt(q/p) exp(-k rate)."""
    cap = 10_000
    k = np.array([10, 100, 1000, 4001, 8001])
    logs = birth_death.log_probability_zero(p, q, cap, k)
    rate = birth_death.decay_rate(p, q)
    assert np.all(logs <= -k * rate + math.log(q / p) / 2)
    slope = -(logs[-1] - logs[-2]) / 4000
    # The next term of the expansion is c/k with c of the order of 30: 1e-6 of a slope here.
    assert slope - 1.5 * math.log(8001 / 4001) / 4000 == pytest.approx(rate, abs=1e-5)
    assert abs(slope - rate) > 1e-4, "without the power of k the tolerance would tell"


@pytest.mark.parametrize(("cap", "longest"), [(1, 40), (4, 60), (12, 100)])
def test_lemma_7_constant_is_the_largest(cap, longest):
    p, q = 0.4, 0.1
    found = birth_death.lemma_7_constant(p, q, cap, longest)
    log_zero = [oracle.exact_log(law[0]) for law in oracle.exact_laws(p, q, cap, longest)[1:]]
    bounds = [-log / min(k, cap) for k, log in enumerate(log_zero, start=1)]
    bounds.append(-birth_death.limit_zero(p, q, cap) / cap)
    assert found.constant == pytest.approx(min(bounds), abs=1e-12)
    assert bounds[found.step - 1] == pytest.approx(min(bounds), abs=1e-12)
    assert birth_death.decay_rate(p, q) < found.constant <= -math.log(q)


def test_the_constant_falls_to_the_decay_rate():
    rate = birth_death.decay_rate(0.3, 0.1)
    excess = [
        birth_death.lemma_7_constant(0.3, 0.1, cap, 2 * cap).constant - rate
        for cap in (10, 100, 1000)
    ]
    assert excess[0] > excess[1] > excess[2] > 0
    assert excess[2] < 0.01


def _simulate(p, q, cap, trials):
    experiment = birth_death.experiment(p=p, q=q, cap=cap, steps=25)
    return collect_counts(experiment, key=root(4), trials=trials, progress=False)


def _assert_law(counts, law):
    for state, mass in enumerate(law):
        assert_rate(int(counts.totals["last"][state]), counts.trials, float(mass))


@pytest.mark.parametrize("trials", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("p", "q", "cap"), [(0.3, 0.2, 3), (0.6, 0.4, 5), (0.45, 0.3, 1)])
def test_the_simulation_follows_the_law(p, q, cap, trials):
    counts = _simulate(p, q, cap, trials)
    assert counts.trials == trials
    assert counts.totals["zero"].shape == (32,)
    assert not counts.totals["zero"][25:].any()
    for step in (1, 2, 5, 24, 25):
        law = birth_death.law(p, q, cap, step)
        hits = int(counts.totals["zero"][step - 1])
        assert_rate(hits, trials, float(law[0]))
    _assert_law(counts, law)
    assert counts.totals["last"].sum() == trials
    for wrong in (birth_death.law(p, q * 0.85, cap, 25), birth_death.law(p, q, cap + 1, 25)):
        with pytest.raises(AssertionError):
            _assert_law(counts, wrong)


@pytest.mark.parametrize("trials", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("p", "q"), [(0.3, 0.1), (0.4, 0.3), (0.41, 0.08)])
def test_paths_reach_the_limit(p, q, trials):
    """T = 3: after 64 steps the law is within 2e-4 of its limit, after 100 within 1e-6."""
    experiment = birth_death.experiment(p=p, q=q, cap=3, steps=100)
    counts = collect_counts(experiment, key=root(5), trials=trials, progress=False)
    hits = int(counts.totals["zero"][99])
    assert_rate(hits, trials, math.exp(birth_death.limit_zero(p, q, 3)))
    for wrong in (birth_death.limit_zero(p, q, 4), birth_death.limit_zero(p, 0.8 * q, 3)):
        with pytest.raises(AssertionError):
            assert_rate(hits, trials, math.exp(wrong))


@pytest.mark.parametrize("trials", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_paths_decay_at_the_rate(trials):
    """Slopes of log Pr(B_k = 0) ~ -rate k - 1.5 log k + a + c/k between 16, 32 and 64 steps."""
    p, q = 0.3, 0.1
    experiment = birth_death.experiment(p=p, q=q, cap=200, steps=64)
    counts = collect_counts(experiment, key=root(6), trials=trials, progress=False)
    hits = [int(counts.totals["zero"][k - 1]) for k in (16, 32, 64)]
    logs = np.log(np.array(hits) / trials) + 1.5 * np.log([16, 32, 64])
    first, second = (logs[0] - logs[1]) / 16, (logs[1] - logs[2]) / 32
    slope = (4 * second - first) / 3  # without c/k
    # Terms beyond c/k: 3e-3 by the exact law. Five standard deviations of the counts, at worst
    # correlated, with the weights of the three logarithms in the slope.
    error = 3.5e-3 + 5 * float(np.abs([1 / 48, 3 / 48, 2 / 48]) @ (1 / np.sqrt(hits)))
    assert abs(slope - birth_death.decay_rate(p, q)) < error
    assert abs(slope - -math.log1p(-(p - q))) > error, "the drift is not the rate"
    if trials == 1_000_000:
        for wrong in (0.5, 2.0):
            assert abs(slope - wrong * birth_death.decay_rate(p, q)) > error


def test_a_sweep_compiles_once():
    functions = {
        birth_death.experiment(p=p, q=0.1, cap=cap, steps=steps).count
        for p in (0.2, 0.5)
        for cap in (1, 7)
        for steps in (17, 32)
    }
    assert len(functions) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(p=0.2, q=0.3, cap=2), "p=0.2, q=0.3 must satisfy 0 < q < p"),
        (dict(p=0.8, q=0.3, cap=2), "p=0.8, q=0.3"),
        (dict(p=0.8, q=0.0, cap=2), "q=0.0"),
        (dict(p=0.8, q=float("nan"), cap=2), "q=nan"),
        (dict(p=0.5, q=0.3, cap=0), "cap=0"),
    ],
)
def test_wrong_chains_are_refused(arguments, message):
    for function in (birth_death.law, birth_death.log_probability_zero, birth_death.experiment):
        with pytest.raises(ValueError, match=message):
            function(**arguments, steps=3)


def test_wrong_steps_are_refused():
    with pytest.raises(ValueError, match="steps=-1"):
        birth_death.law(0.5, 0.3, 2, -1)
    with pytest.raises(ValueError, match="must not be negative"):
        birth_death.log_probability_zero(0.5, 0.3, 2, [3, -1])
    with pytest.raises(ValueError, match="steps=0"):
        birth_death.lemma_7_constant(0.5, 0.3, 2, 0)
    with pytest.raises(ValueError, match="steps=4097 must lie in 1 to 4096"):
        birth_death.experiment(p=0.5, q=0.3, cap=2, steps=4097)
    with pytest.raises(ValueError, match="too long; use larger probabilities"):
        birth_death.log_probability_zero(1e-9, 1e-10, 10_000, [10**6])
    assert birth_death.log_probability_zero(0.5, 0.3, 2, 0) == -np.inf
