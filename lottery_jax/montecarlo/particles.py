"""A population of Gaussian particles that is led down through decreasing levels of a score.

At every level the particles at or below it survive, and their share is counted. All particles then
become copies of survivors and take random moves that keep the Gaussian law conditioned on lying at
or below the level, so that they again stand for that law when the next level is tried.

A move is autoregressive: x' = sqrt(1 - s^2) x + s z with a fresh Gaussian z keeps N(0, I), and
refusing every x' above the level keeps the conditioned law (Metropolis: the proposal is reversible,
so nothing but the level enters the decision). The step s is drawn log-uniformly over two decades
around a middle step, so that wide and narrow directions are both served, and half of the moves
touch one block of coordinates only.

All of it is one compiled program. Numbers are float64: at a probability of 1e-12 the level of a
score can be 1e-6 of its size.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Float64, Int32, Key

from lottery_jax.core import keys

MOST_LEVELS = 256  # survivors are counted in arrays of this length
_SPREAD = math.log(10)  # of the logarithm of a step, to both sides of its middle
_ACCEPTED = 0.3  # the share of accepted moves that a pilot steers for

Numbers = Array | np.ndarray  # traced inside, host numbers at the call
Score = Callable[[Float64[Array, " coordinate"]], Float64[Array, ""]]


class Orders(NamedTuple):
    """Where a population goes: through given levels, or, as a pilot, through levels it chooses."""

    levels: Float64[Numbers, " level"]  # decreasing; beyond the target, anything
    steps: Float64[
        Numbers, " level"
    ]  # middle step of the moves on the way to each level, at most 1
    target: Float64[Numbers, ""]  # the last level
    share: Float64[Numbers, ""]  # of survivors that a pilot aims at
    is_pilot: Bool[Numbers, ""]
    is_idle: Bool[Numbers, ""]  # nothing to do


class Descent(NamedTuple):
    """What became of one population; entries after the last level that was tried are 0."""

    survivors: Int32[Array, " level"]  # particles at or below each level
    accepted: Int32[Array, " level"]  # moves accepted on the way to each level
    levels: Float64[Array, " level"]
    steps: Float64[Array, " level"]
    tried: Int32[Array, ""]  # levels
    is_sound: Bool[Array, ""]  # no score was NaN


class _Cloud(NamedTuple):
    places: Float64[Array, "coordinate particle"]
    scores: Float64[Array, " particle"]


def descend(
    score: Score,
    key: Key[Array, ""],
    orders: Orders,
    *,
    size: int,
    blocks: int,
    particles: int,
    moves: int,
) -> Descent:
    """Lead one population to the target, or until no particle survives; for inside jit."""
    measure = jax.vmap(score, in_axes=1)

    def is_under_way(carry) -> Bool[Array, ""]:
        _, descent, _, _, is_done = carry
        return ~is_done & (descent.tried < MOST_LEVELS)

    def go_on(carry):
        cloud, descent, level, step, _ = carry
        number = descent.tried
        of_stage = keys.chunk(key, number)
        cloud = _multiply(keys.chunk(of_stage, 0), cloud, cloud.scores <= level)
        step = jnp.where(orders.is_pilot, step, orders.steps[number])
        # Nothing holds the first particles: one move of step 1 draws them.
        is_first = number == 0
        gain = jnp.where(orders.is_pilot & ~is_first, jnp.float64(1), jnp.float64(0))
        cloud, step, accepted = _walk(
            measure, of_stage, cloud, level, step, gain, is_first, moves=moves, blocks=blocks
        )
        level = jnp.where(
            orders.is_pilot, _next_level(cloud.scores, level, orders), orders.levels[number]
        )
        survivors = jnp.sum(cloud.scores <= level, dtype=jnp.int32)
        descent = Descent(
            survivors=descent.survivors.at[number].set(survivors),
            accepted=descent.accepted.at[number].set(accepted),
            levels=descent.levels.at[number].set(level),
            steps=descent.steps.at[number].set(step),
            tried=number + 1,
            is_sound=descent.is_sound & ~jnp.isnan(cloud.scores).any(),
        )
        return cloud, descent, level, step, (level <= orders.target) | (survivors == 0)

    nothing = jnp.zeros((MOST_LEVELS,), jnp.int32)
    unset = jnp.zeros((MOST_LEVELS,), jnp.float64)
    cloud = _Cloud(jnp.zeros((size, particles), jnp.float64), jnp.zeros((particles,), jnp.float64))
    descent = Descent(nothing, nothing, unset, unset, jnp.int32(0), jnp.array(True))
    start = (cloud, descent, jnp.float64(jnp.inf), jnp.float64(1), orders.is_idle)
    return lax.while_loop(is_under_way, go_on, start)[1]


def propose(
    place: Float[Array, "*shape"], noise: Float[Array, "*shape"], step: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """The autoregressive move; coordinates with step 0 stay where they are."""
    return jnp.sqrt(1 - step * step) * place + step * noise


def _next_level(scores, level, orders: Orders) -> Float[Array, ""]:
    """The score that a share of the particles reaches, or the next lower one where many tie.

    Many tie where the score has an atom: one neuron that points away from the target errs by 1.
    """
    rank = jnp.ceil(orders.share * scores.shape[0]).astype(jnp.int32) - 1
    reached = jnp.sort(scores)[rank]
    below = jnp.max(jnp.where(scores < level, scores, -jnp.inf))
    return jnp.maximum(jnp.where(reached < level, reached, below), orders.target)


def _multiply(key, cloud: _Cloud, is_alive: Bool[Array, " particle"]) -> _Cloud:
    """Copies of survivors only, in numbers that differ by at most one (systematic resampling).

    Each survivor has the same expected number of copies, which is all that an unbiased estimate
    needs.
    """
    particles = len(is_alive)
    survivors = jnp.sum(is_alive, dtype=jnp.int32)
    (alive,) = jnp.nonzero(is_alive, size=particles, fill_value=0)
    places = jnp.arange(particles, dtype=jnp.float64) + jax.random.uniform(key, (), jnp.float64)
    rank = jnp.floor(places / particles * survivors.astype(jnp.float64)).astype(jnp.int32)
    chosen = alive[jnp.minimum(rank, survivors - 1)]
    return _Cloud(cloud.places[:, chosen], cloud.scores[chosen])


def _walk(measure, key, cloud: _Cloud, level, step, gain, is_first, *, moves: int, blocks: int):
    """Random moves below the level; a pilot's gain above 0 steers the step."""
    size, particles = cloud.places.shape
    block_of = jnp.arange(size, dtype=jnp.int32) // (size // blocks)

    def move(number, carry):
        cloud, step, accepted = carry
        of_noise, of_choice = keys.items(keys.chunk(key, number + 1), 2)
        noise = jax.random.normal(of_noise, (size, particles), jnp.float64)
        where, which = jax.random.uniform(of_choice, (2, particles), jnp.float64)
        low, high = jnp.log(step) - _SPREAD, jnp.minimum(jnp.log(step) + _SPREAD, 0)
        steps = jnp.where(is_first, 1, jnp.exp(low + (high - low) * where))
        # As likely all coordinates as one block of them.
        block = jnp.floor((2 * which - 1) * blocks).astype(jnp.int32)
        is_moved = is_first | (block[None] < 0) | (block_of[:, None] == block[None])
        places = propose(cloud.places, noise, jnp.where(is_moved, steps[None], 0))
        scores = measure(places)
        # A NaN is let in and stays, so that it is seen.
        accepts = ~(scores > level) & ~jnp.isnan(cloud.scores)
        cloud = _Cloud(
            jnp.where(accepts[None], places, cloud.places),
            jnp.where(accepts, scores, cloud.scores),
        )
        taken = jnp.sum(accepts, dtype=jnp.int32)
        excess = taken.astype(jnp.float64) / particles - _ACCEPTED
        return cloud, jnp.clip(step * jnp.exp(gain * excess), 1e-100, 1), accepted + taken

    number = jnp.where(is_first, 1, jnp.int32(moves))
    return lax.fori_loop(0, number, move, (cloud, step, jnp.int32(0)))
