"""The score of k kept neurons, and one level of splitting, against NumPy over whole arrays."""

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import lottery_jax as lj
from benchmarks.timing import Checked, Missing, Result, Rival, compare
from lottery_jax.core import enable_x64
from lottery_jax.montecarlo.splitting import Levels, choose_levels, split
from lottery_jax.neuron_pruning import kept_network


def kept_score(scale: str) -> Iterator[Result | Missing]:
    """The exact error of k Gaussian neurons in the plane, in float64."""
    draws = 8192 if scale == "quick" else 65_536
    for kept in (1, 4):
        event = kept_network.event(dim=2, kept=kept)
        weights = np.random.default_rng(kept).normal(size=(draws, event.size))
        scores = jax.jit(jax.vmap(event.score))
        with enable_x64():
            places = jnp.asarray(weights)

        def ours(scores=scores, places=places) -> np.ndarray:
            with enable_x64():
                return jax.device_get(scores(places))

        def theirs(weights=weights, kept=kept) -> np.ndarray:
            parts = np.split(weights.reshape(-1, kept, 3), len(weights) // 4096)
            return np.concatenate([errors(each) for each in parts])

        yield from compare(
            f"score of kept neurons d=2 K={kept}",
            work="score",
            ours=ours,
            units=draws,
            rivals=[Rival("NumPy arrays", theirs, draws, _agree_scores)],
            rounds=1 if scale == "quick" else 5,
        )


def splitting_level(scale: str) -> Iterator[Result | Missing]:
    """Eight populations through one level: survivors multiplied, moved six times and counted."""
    particles, moves = (256, 2) if scale == "quick" else (1024, 6)
    for kept in (1, 4):
        event = kept_network.event(dim=2, kept=kept)
        sizes = {"particles": particles, "moves": moves}
        chosen = choose_levels(event, key=lj.key(0), level=0.2, **sizes)
        levels = Levels(chosen.levels[:2], chosen.steps[:2], 0.0)
        rng = np.random.default_rng(kept)

        def ours(event=event, levels=levels, sizes=sizes):
            return split(event, key=lj.key(1), levels=levels, repetitions=8, **sizes)

        def theirs(kept=kept, levels=levels, rng=rng) -> np.ndarray:
            return np.array([through(rng, kept, levels, particles, moves) for _ in range(8)])

        yield from compare(
            f"one splitting level d=2 K={kept}",
            work="move",
            ours=ours,
            units=8 * particles * moves,
            rivals=[Rival("NumPy arrays", theirs, 8 * particles * moves, _agree_levels)],
            rounds=1 if scale == "quick" else 5,
        )


def errors(neurons: np.ndarray) -> np.ndarray:
    """The error on the unit circle of [draw, neuron, weight] against the target e_1.

    Linear between neighbouring kinks: the candidates are the kinks and, on the arc that starts at
    each of them, the direction of the linear piece.
    """
    draws, kept, _ = neurons.shape
    target = np.broadcast_to([1.0, 0.0], (draws, 1, 2))
    vectors = np.concatenate([target, neurons[..., :2]], axis=1)
    outputs = np.concatenate([np.full((draws, 1), -1.0), neurons[..., 2]], axis=1)
    kinks = np.stack([-vectors[..., 1], vectors[..., 0]], axis=-1)
    kinks /= np.linalg.norm(kinks, axis=-1, keepdims=True)
    kinks = np.concatenate([kinks, -kinks], axis=1)
    heights = kinks @ vectors.transpose(0, 2, 1)
    # Just counterclockwise of a kink its own line is decided by the direction of turning.
    turned = np.stack([-kinks[..., 1], kinks[..., 0]], axis=-1) @ vectors.transpose(0, 2, 1)
    own = np.tile(np.eye(kept + 1, dtype=bool), (2, 1))
    is_active = np.where(own, turned, heights) > 0
    pieces = (is_active * outputs[:, None]) @ vectors
    length = np.linalg.norm(pieces, axis=-1, keepdims=True)
    ends = np.concatenate([kinks, pieces / np.where(length > 0, length, 1)], axis=1)
    ends = np.concatenate([ends, -ends], axis=1)
    values = np.maximum(ends @ vectors.transpose(0, 2, 1), 0) @ outputs[..., None]
    return np.abs(values[..., 0]).max(axis=1)


def through(rng, kept: int, levels: Levels, particles: int, moves: int) -> float:
    """The share of particles below the first level times that of moved ones below the second."""
    places = rng.normal(size=(particles, kept, 3))
    scores = errors(places)
    alive = np.flatnonzero(scores <= levels.levels[0])
    first = len(alive) / particles
    if first == 0:
        return 0.0
    rank = (np.arange(particles) + rng.random()) * len(alive) / particles
    chosen = alive[rank.astype(int)]
    places, scores = places[chosen], scores[chosen]
    low, high = math.log(levels.steps[1]) - math.log(10), math.log(levels.steps[1]) + math.log(10)
    for _ in range(moves):
        step = np.exp(rng.uniform(low, min(high, 0), size=(particles, 1, 1)))
        block = rng.integers(-kept, kept, size=(particles, 1, 1))
        step = np.where((block < 0) | (block == np.arange(kept)[:, None]), step, 0)
        proposed = np.sqrt(1 - step**2) * places + step * rng.normal(size=places.shape)
        of_proposed = errors(proposed)
        accepts = of_proposed <= levels.levels[0]
        places = np.where(accepts[:, None, None], proposed, places)
        scores = np.where(accepts, of_proposed, scores)
    return first * float(np.mean(scores <= levels.levels[1]))


def _agree_scores(ours: np.ndarray, theirs: np.ndarray) -> Checked:
    return Checked(len(ours), bool(np.allclose(ours, theirs, rtol=1e-9)))


def _agree_levels(ours, theirs: np.ndarray) -> Checked:
    """Means of eight repetitions each, four standard errors apart at most."""
    spread = math.hypot(np.std(ours.repetitions, ddof=1), np.std(theirs, ddof=1)) / math.sqrt(8)
    agrees = abs(ours.probability - np.mean(theirs)) <= 4 * spread
    return Checked(8, bool(agrees), f"{ours.probability:.2e} and {np.mean(theirs):.2e}")
