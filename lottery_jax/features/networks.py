"""Networks of one seed that keep different inputs, for several numbers of rows.

A seed draws a target of one hidden direction, its rows, and the random numbers of the networks. All
networks of a seed share them, and so do all numbers of rows: the rows of a smaller number are the
first of a larger one.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int32, Key

from lottery_jax.core import keys
from lottery_jax.sparse_features import data, directions, learn, links, prune, scores

METHODS = ("pruned", "dense", "oracle", "random")  # which inputs the first layer keeps

# Streams of a seed.
_DIRECTIONS, DATA, _PRUNING, _RANDOM, _NETWORK, FRESH = range(6)
_HELD = 2**25  # numbers, of 4 bytes


class Task(NamedTuple):
    """One model, and how it is pruned and learned."""

    dim: int  # d
    support_size: int  # s, of one flat direction
    degree: int  # k*, of the one Hermite polynomial that the link is
    num_neurons: int  # 2 m, to prune and to learn
    kept: int  # M
    shift: float  # c
    fresh: int  # rows without noise that measure the test error


class Drawn(NamedTuple):
    """What one seed gives."""

    error: Float[Array, "size method"]
    error_deviation: Float[Array, "size method"]  # standard error over the fresh rows
    strength: Float[Array, "size method"]  # of the ridge
    masks: Bool[Array, "size method input"]
    support: Bool[Array, " input"]


@functools.lru_cache(maxsize=64)
def draw(task: Task, methods: tuple[str, ...], *, most: int):
    """One seed as a function of its key and of the numbers of rows, which are traced.

    Parameters
    ----------
    methods
        Some of `METHODS`. "random" keeps as many inputs as "pruned", at every number of rows the
        first of one random order.
    most
        The largest number of rows. Where so many are at most 2^25 numbers they are drawn once and
        held, which runs and compiles faster; otherwise they are drawn whenever they are read.
    """

    def one_seed(key: Key[Array, ""], sizes: Int32[Array, " size"]) -> Drawn:
        source, support = rows_of(task, key, DATA)
        if most * task.dim <= _HELD:
            source = _held(task, key, DATA, most)
        fresh = _held(task, key, FRESH, task.fresh)
        kept = jnp.ones((len(sizes), task.dim), bool)
        if {"pruned", "random"} & set(methods):
            kept = _pruned(task, source, sizes, keys.lane(key, _PRUNING))
        order = jnp.arange(task.dim, dtype=jnp.int32)
        place = jax.random.permutation(keys.lane(key, _RANDOM), order)

        def one_size(size_and_kept):
            size, kept = size_and_kept
            masks = {
                "pruned": kept,
                "dense": jnp.ones_like(kept),
                "oracle": support,
                "random": place < jnp.sum(kept, dtype=jnp.int32),
            }
            masks = jnp.stack([masks[method] for method in methods])
            stream = keys.lane(key, _NETWORK)
            learned = learn.learn(source, size, masks, stream, num_neurons=task.num_neurons)
            error = learn.fresh_error(learned.network, fresh, task.fresh)
            return error.mean, error.deviation, learned.strength, masks

        error, deviation, strength, masks = lax.map(one_size, (sizes, kept))
        return Drawn(error, deviation, strength, masks, support)

    return one_seed


def rows_of(
    task: Task, key: Key[Array, ""], stream: int, *, rows: int = 1024
) -> tuple[data.Source, Bool[Array, " input"]]:
    """The rows of one stream of a seed, and the support of its target."""
    hidden = directions.flat(keys.lane(key, _DIRECTIONS), task.dim, task.support_size)
    model = data.Model(links.hermite({task.degree: 1.0}))
    source = data.generated(model, hidden, keys.lane(key, stream), rows=rows)
    return source, directions.support(hidden)


def _held(task: Task, key: Key[Array, ""], stream: int, count: int) -> data.Source:
    """The first rows of a stream, drawn at once."""
    inputs, targets = rows_of(task, key, stream, rows=count)[0].read(jnp.int32(0))
    return data.held(inputs, targets)


def _pruned(task: Task, source: data.Source, sizes, key) -> Bool[Array, "size input"]:
    """The inputs that PruneNetwork keeps, without the rows that choose the ridge."""
    found = scores.scores_at(
        source,
        learn.num_fitted(sizes),
        key,
        num_pairs=task.num_neurons // 2,
        kept=[task.kept],
        shift=task.shift,
    )
    found = jax.tree.map(lambda each: each[:, 0], found)
    return jax.vmap(lambda each: prune.select(each, kept=task.kept))(found)[:, :-1]
