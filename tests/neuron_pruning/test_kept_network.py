"""Rare events of kept neurons: the score against other ways, p_1 exactly, p_2 by brute force."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import enable_x64, keys
from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo import estimate as estimate_counts
from lottery_jax.montecarlo import particles
from lottery_jax.montecarlo.splitting import Rare, choose_levels, limits_of_mean, split
from lottery_jax.neuron_pruning import kept_network, single_neuron
from tests.oracles import sampled_sup

FALSE_ALARM = 1e-6
# Accuracies at which p_1 in the plane is 1e-3, 1e-6, 1e-9 and 1e-12, to a few percent.
ONE_IN = {1e-3: 0.104, 1e-6: 3.3e-3, 1e-9: 1.043e-4, 1e-12: 3.297e-6}


def assert_inside(rare: Rare, expected: float) -> None:
    low, high = limits_of_mean(rare.repetitions, confidence=1 - FALSE_ALARM)
    assert low <= expected <= high, f"{expected:.3e} is outside [{low:.3e}, {high:.3e}]"


def estimate(event, epsilon: float, *, seed: int, repetitions: int, particles: int = 256) -> Rare:
    sizes = dict(key=keys.root(seed), particles=particles, moves=6)
    levels = choose_levels(event, level=epsilon, **sizes)
    return split(event, levels=levels, repetitions=repetitions, **sizes)


@pytest.mark.parametrize(("dim", "kept"), [(2, 3), (3, 2), (4, 2)])
def test_the_score_is_the_error_by_faces(dim, kept):
    """Networks near the target, where it matters, and far from it."""
    rng = np.random.default_rng(dim)
    neurons = rng.normal(size=(200, kept, dim + 1))
    neurons[:100] *= 1e-3
    neurons[:100, 0, 0] += 2
    neurons[:100, 0, -1] += 0.5
    with enable_x64():
        found = np.asarray(jax.jit(jax.vmap(kept_network.error))(jnp.asarray(neurons)))
    assert found.dtype == np.float64
    target = np.tile(np.eye(dim)[0], (200, 1))
    expected = sampled_sup.face_sup(neurons[..., -1], neurons[..., :-1], target)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
    event = kept_network.event(dim=dim, kept=kept)
    with enable_x64():
        score = jax.jit(event.score)(jnp.asarray(neurons[0].ravel()))
    assert float(score) == pytest.approx(found[0], rel=1e-12)


def one_error(strength: float, angle: float) -> float:
    """`single_neuron.error` without the cancellation in 1 - 2 s cos + s^2."""
    if angle >= math.pi / 2:
        return max(1.0, strength)
    if strength <= math.cos(angle) or strength * math.cos(angle) >= 1:
        return math.hypot(1 - strength, 2 * math.sqrt(strength) * math.sin(angle / 2))
    return max(1.0, strength) * math.sin(angle)


def test_the_error_of_one_neuron_is_the_closed_form_down_to_a_millionth():
    rng = np.random.default_rng(5)
    for size in (1.0, 1e-3, 1e-6):
        angle = np.minimum(np.abs(size * rng.normal(size=50)), math.pi)
        strength = np.abs(1 + size * rng.normal(size=50))
        neurons = np.stack([np.cos(angle), np.sin(angle), strength], axis=1)[:, None]
        with enable_x64():
            found = np.asarray(jax.jit(jax.vmap(kept_network.error))(jnp.asarray(neurons)))
        expected = [one_error(*pair) for pair in zip(strength, angle, strict=True)]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        known = [single_neuron.error(*pair) for pair in zip(strength, angle, strict=True)]
        # A cancellation of 1e-16 under its root.
        np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-15 / size)


@pytest.mark.parametrize("p", [1e-3, 1e-12])
def test_one_kept_neuron(p):
    epsilon = ONE_IN[p]
    exact = single_neuron.success_gaussian(2, epsilon)
    assert exact == pytest.approx(p, rel=0.02)
    rare = estimate(kept_network.event(dim=2, kept=1), epsilon, seed=1, repetitions=64)
    assert_inside(rare, exact)
    with pytest.raises(AssertionError, match="outside"):
        assert_inside(rare, 2 * exact)


def test_a_wrong_move_is_caught_by_the_closed_form(monkeypatch):
    """x + s z instead of sqrt(1 - s^2) x + s z: a fourth too many, in any number of levels."""
    right = kept_network.event(dim=2, kept=1)
    exact = single_neuron.success_gaussian(2, 1e-2)
    assert_inside(estimate(right, 1e-2, seed=2, repetitions=256), exact)
    monkeypatch.setattr(particles, "propose", lambda place, noise, step: place + step * noise)
    wrong = dataclasses.replace(right, score=lambda x: right.score(x))  # another program
    with pytest.raises(AssertionError, match="outside"):
        assert_inside(estimate(wrong, 1e-2, seed=2, repetitions=256), exact)


def near_networks(rng, draws: int, *, dim: int, kept: int, epsilon: float) -> int:
    """How many of so many Gaussian networks err by at most epsilon; plain NumPy."""
    hits = 0
    # Unit vectors on which a near network must be right: only a filter, any would do.
    points = np.random.default_rng(0).normal(size=(16 * (dim - 1), dim))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for _ in range(draws // 100_000):
        neurons = rng.normal(size=(100_000, kept, dim + 1))
        value = np.maximum(neurons[..., :dim] @ points.T, 0)
        error = np.einsum("bk,bkp->bp", neurons[..., dim], value) - np.maximum(points[:, 0], 0)
        near = neurons[np.abs(error).max(axis=1) <= epsilon]
        if len(near):
            target = np.tile(np.eye(dim)[0], (len(near), 1))
            sup = sampled_sup.face_sup(near[..., dim], near[..., :dim], target)
            hits += int(np.sum(sup <= epsilon))
    return hits


def assert_same(rare: Rare, hits: int, draws: int, factor: float = 1.0) -> None:
    """Two independent estimates of one probability, by the normal law of their difference."""
    p = rare.probability * factor
    spread = np.std(rare.repetitions, ddof=1) * factor / math.sqrt(len(rare.repetitions))
    z = (hits / draws - p) / math.hypot(spread, math.sqrt(p / draws))
    assert abs(z) < 5.5, f"{hits} of {draws} against {p:.3e}: {z:.1f} standard errors"


@pytest.mark.parametrize(
    ("dim", "kept", "epsilon", "draws"),
    [
        (2, 2, 0.3, 200_000),
        pytest.param(2, 2, 0.1, 10**7, marks=pytest.mark.slow),
        pytest.param(2, 3, 0.2, 4 * 10**6, marks=pytest.mark.slow),
        pytest.param(2, 4, 0.3, 2 * 10**6, marks=pytest.mark.slow),
        pytest.param(2, 5, 0.4, 10**6, marks=pytest.mark.slow),
        pytest.param(2, 6, 0.4, 10**6, marks=pytest.mark.slow),
        pytest.param(3, 2, 0.3, 2 * 10**6, marks=pytest.mark.slow),
        pytest.param(3, 3, 0.4, 2 * 10**6, marks=pytest.mark.slow),
    ],
)
def test_several_kept_neurons_against_brute_force(dim, kept, epsilon, draws):
    rng = np.random.default_rng(kept)
    hits = near_networks(rng, draws, dim=dim, kept=kept, epsilon=epsilon)
    assert hits > 500
    rare = estimate(kept_network.event(dim=dim, kept=kept), epsilon, seed=3, repetitions=128)
    print(
        f"p_{kept} at {epsilon} in {dim} dimensions: {hits / draws:.3e}, splitting {rare.low:.3e} "
        f"to {rare.high:.3e}"
    )
    assert_same(rare, hits, draws)
    with pytest.raises(AssertionError, match="standard errors"):
        assert_same(rare, hits, draws, factor=1.4)


@pytest.mark.slow
@pytest.mark.parametrize("p", list(ONE_IN))
def test_the_limits_hold_in_nineteen_of_twenty_seeds(p):
    """99 % limits of 32 repetitions each, the same levels and sizes as by default."""
    epsilon = ONE_IN[p]
    exact = single_neuron.success_gaussian(2, epsilon)
    event = kept_network.event(dim=2, kept=1)
    inside = []
    for seed in range(20):
        rare = estimate(event, epsilon, seed=seed, repetitions=32, particles=1024)
        low, high = limits_of_mean(rare.repetitions, confidence=0.99)
        inside.append((low <= exact <= high, rare.low <= exact <= rare.high))
    in_99, in_95 = np.sum(inside, axis=0)
    print(f"p_1 = {exact:.4e}: inside 99 % limits in {in_99} of 20 seeds, 95 % in {in_95}")
    assert in_99 >= 19


@pytest.mark.parametrize("trials", [100_000, pytest.param(10**6, marks=pytest.mark.slow)])
def test_plain_counts_and_splitting_agree(trials):
    """p_1 exactly and p_2 by both ways, at radius 2."""
    for kept in (1, 2):
        counted = kept_network.experiment(dim=2, kept=kept)
        found = estimate_counts(
            counted, key=keys.root(7), trials=trials, epsilons=[0.6], progress=False
        )
        low, high = limits_exact(
            found.hits, found.trials, undecided=found.undecided, confidence=1 - FALSE_ALARM
        )
        if kept == 1:
            expected = single_neuron.success_gaussian(2, 0.3)
        else:
            expected = estimate(
                kept_network.event(dim=2, kept=2), 0.3, seed=8, repetitions=128
            ).probability
        assert low[0] <= expected <= high[0]
        assert not low[0] <= 2 * expected <= high[0]


def test_a_sweep_over_accuracies_shares_the_score():
    events = [kept_network.event(dim=3, kept=2) for _ in range(2)]
    assert events[0] == events[1]
    assert events[0].score is events[1].score


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(dim=1, kept=1), "dim=1"),
        (dict(dim=7, kept=1), "dim=7"),
        (dict(dim=2, kept=0), "kept=0"),
        (dict(dim=2, kept=9), "kept=9"),
        (dict(dim=4, kept=5), "kept=5 .* 1 to 4"),
        (dict(dim=2, kept=True), "kept=True"),
    ],
)
def test_wrong_settings_name_the_value(settings, message):
    for make in (kept_network.event, kept_network.experiment):
        with pytest.raises(ValueError, match=message):
            make(**settings)


def test_a_wrong_radius_names_the_value():
    with pytest.raises(ValueError, match="radius=inf"):
        kept_network.experiment(dim=2, kept=1, radius=math.inf)
