"""Test error against the number of samples: the draws of one seed, and the rows they give."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Key, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.features import networks
from lottery_jax.features.networks import METHODS, Drawn, Task
from lottery_jax.features.seeds import each_seed, identity
from lottery_jax.montecarlo.collect import Progress, reporting
from lottery_jax.sparse_features import trained

_TRAINING = 2**31  # the stream of full training; seeds have the numbers below
TRAINED = ("pruned", "dense")  # these are fully trained too


class Setup(NamedTuple):
    """One model, and how it is pruned and learned."""

    dim: int  # d
    support_size: int  # s, of one flat direction
    degree: int  # k*, of the one Hermite polynomial that the link is
    sizes: tuple[int, ...]  # n, all rows that are used; ascending
    seeds: int
    num_neurons: int = 128  # 2 m, to prune and to learn
    kept: int = 12  # M
    shift: float = 0.5  # c
    fresh: int = 40_000  # rows without noise that measure the test error
    trained_sizes: tuple[int, ...] = ()  # n at which networks are fully trained
    passes: int = 20  # of a full training
    batch: int = 64
    learning_rate: float = 1e-2


class Row(NamedTuple):
    """One network of one seed."""

    method: str  # whose inputs the network keeps: pruned, dense, oracle or random
    training: str  # "one step" and ridge, or "all layers"
    size: int  # n
    seed: int
    error: float  # mean squared error on fresh rows without noise; the variance of the target is 1
    error_deviation: float  # standard error of this mean over the fresh rows
    recall: float  # share of the support that is kept
    kept: int  # inputs that the network keeps
    chance: float  # kept / d, the mean recall of as many inputs at random
    strength: float | None  # of the ridge; none where all layers are trained
    best_pass: int | None  # where the validation stopped a full training
    dim: int  # d
    support_size: int  # s
    degree: int  # k*
    neurons: int
    pruning_kept: int  # M
    shift: float  # c


def collect(
    setup: Setup,
    *,
    name: str,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None,
    progress: Progress,
) -> list[Row]:
    """The rows of all seeds; what the store already has is not run again."""
    settings = _settings(setup, key)
    stored = {seed: store.find(settings | {"seed": seed}) for seed in range(setup.seeds)}
    each = {seed: known for seed, known in stored.items() if known is not None}
    total = setup.seeds + len(setup.trained_sizes)
    with reporting(progress, total, name) as report:
        report(len(each), total)
        draw = networks.draw(_task(setup), METHODS, most=max(setup.sizes))
        sizes = np.asarray(setup.sizes, np.int32)
        seeds = [seed for seed in range(setup.seeds) if seed not in each]
        for seed, drawn in each_seed(draw, sizes, seeds, key=key, mesh=mesh):
            each[seed] = _told(drawn)
            store.add(settings | {"seed": seed}, each[seed])
            report(len(each), total)
        rows = [
            row for seed in range(setup.seeds) for row in _one_step_rows(setup, seed, each[seed])
        ]
        for number, size in enumerate(setup.trained_sizes):
            asked = settings | {"seeds": setup.seeds, "size": size, "recipe": list(_recipe(setup))}
            asked["training"] = keys.describe(keys.lane(key, _TRAINING))
            found = store.find(asked)
            if found is None:
                found = _train(setup, size, each, key)
                store.add(asked, found)
            rows += _trained_rows(setup, size, each, found)
            report(setup.seeds + number + 1, total)
    return rows


def _settings(setup: Setup, key: PRNGKeyArray) -> dict[str, Any]:
    """Whatever changes what one seed gives."""
    told = _task(setup)._asdict() | {"sizes": list(setup.sizes), "methods": list(METHODS)}
    return identity(key, told)


def _task(setup: Setup) -> Task:
    return Task(*(getattr(setup, name) for name in Task._fields))


def _recipe(setup: Setup) -> tuple[int, int, float]:
    return setup.passes, setup.batch, setup.learning_rate


def _told(drawn: Drawn) -> dict[str, Any]:
    """As JSON: masks by the numbers of the inputs that they keep; all inputs, by none."""
    return {
        "error": drawn.error.tolist(),
        "error_deviation": drawn.error_deviation.tolist(),
        "strength": drawn.strength.tolist(),
        "pruned": [np.flatnonzero(masks[0]).tolist() for masks in drawn.masks],
        "found": np.sum(drawn.masks & drawn.support, axis=2).tolist(),
    }


def _one_step_rows(setup: Setup, seed: int, known: dict[str, Any]) -> list[Row]:
    return [
        _row(
            setup,
            method,
            "one step",
            size,
            seed,
            known,
            error=known["error"][at][place],
            error_deviation=known["error_deviation"][at][place],
            strength=known["strength"][at][place],
        )
        for at, size in enumerate(setup.sizes)
        for place, method in enumerate(METHODS)
    ]


def _row(
    setup: Setup,
    method: str,
    training: str,
    size: int,
    seed: int,
    known: dict[str, Any],
    *,
    error: float,
    error_deviation: float,
    strength: float | None = None,
    best_pass: int | None = None,
) -> Row:
    at = setup.sizes.index(size)
    num_pruned = len(known["pruned"][at])
    kept = {"dense": setup.dim, "oracle": setup.support_size}.get(method, num_pruned)
    return Row(
        method=method,
        training=training,
        size=size,
        seed=seed,
        recall=known["found"][at][METHODS.index(method)] / setup.support_size,
        kept=kept,
        chance=kept / setup.dim,
        error=error,
        error_deviation=error_deviation,
        strength=strength,
        best_pass=best_pass,
        dim=setup.dim,
        support_size=setup.support_size,
        degree=setup.degree,
        neurons=setup.num_neurons,
        pruning_kept=setup.kept,
        shift=setup.shift,
    )


def _train(setup: Setup, size: int, each: dict[int, Any], key: PRNGKeyArray) -> dict[str, Any]:
    """All seeds side by side, on the rows and with the inputs of their networks of one step."""
    at = setup.sizes.index(size)
    masks = np.ones((setup.seeds, len(TRAINED), setup.dim), bool)
    for seed, known in each.items():
        masks[seed, 0] = np.isin(np.arange(setup.dim), known["pruned"][at])

    def fresh(seed_and_weights):
        seed, weights = seed_and_weights
        rows = _rows(setup, keys.lane(key, seed), networks.FRESH, setup.fresh)
        weights, *rows = jax.tree.map(lambda array: array[None], (weights, *rows))
        return jax.tree.map(lambda array: array[0], trained.fresh_error(weights, *rows))

    seeds = jnp.arange(setup.seeds, dtype=jnp.int32)
    inputs, targets = lax.map(
        lambda seed: _rows(setup, keys.lane(key, seed), networks.DATA, size), seeds
    )
    found = trained.train(
        inputs,
        targets,
        jnp.asarray(masks),
        keys.lane(key, _TRAINING),
        num_neurons=setup.num_neurons,
        passes=setup.passes,
        batch=setup.batch,
        learning_rate=setup.learning_rate,
    )
    # Seed by seed: the hidden layers of all at once would need the memory of a large run.
    error, deviation = lax.map(fresh, (seeds, found.weights))
    return {
        "error": error.tolist(),
        "error_deviation": deviation.tolist(),
        "best_pass": found.best_pass.astype(int).tolist(),
    }


def _rows(setup: Setup, key: Key[Array, ""], stream: int, count: int):
    """The first rows of one stream of a seed."""
    source, _ = networks.rows_of(_task(setup), key, stream, rows=count)
    return source.read(jnp.int32(0))


def _trained_rows(setup: Setup, size: int, each, found: dict[str, Any]) -> Sequence[Row]:
    return [
        _row(
            setup,
            method,
            "all layers",
            size,
            seed,
            each[seed],
            error=found["error"][seed][place],
            error_deviation=found["error_deviation"][seed][place],
            best_pass=found["best_pass"][seed][place],
        )
        for seed in range(setup.seeds)
        for place, method in enumerate(TRAINED)
    ]
