"""Blocks of splitting repetitions: what is simulated, one compiled program, one stored row each.

A repetition is one population of particles on its way down (`particles`). The repetitions of a
block are the lanes of one sharded program; levels, steps and the number of levels are traced, so a
sweep over levels compiles once, and the pilot that chooses levels is the same program.
"""

import functools
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Float64, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.core.compat import enable_x64
from lottery_jax.montecarlo.collect import versions
from lottery_jax.montecarlo.experiment import Setting
from lottery_jax.montecarlo.particles import MOST_LEVELS, Descent, Orders, Score, descend
from lottery_jax.montecarlo.store import Row, Store

LANES = 8  # repetitions in a block; a pilot is one


@dataclass(frozen=True)
class RareEvent:
    """A score of Gaussian vectors; the rare event is that it lies at or below a level.

    Raises
    ------
    ValueError
        For a size below 1, or blocks that do not divide it.

    Examples
    --------
    >>> RareEvent("distance", (), score=lambda x: jnp.sum(x * x), size=4).blocks
    1
    """

    name: str
    settings: tuple[tuple[str, Setting], ...]  # with the name they fix the score
    # float64[size] -> float64, pure and compiled; events of one family share the function object.
    score: Score
    size: int  # coordinates of x
    blocks: int = 1  # equal parts of x that are also moved one at a time

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"{self.size=} must be at least 1")
        if self.blocks < 1 or self.size % self.blocks:
            raise ValueError(f"{self.blocks=} must divide {self.size=}")


def describe(event: RareEvent, key: PRNGKeyArray, kind: str, **numbers: Any) -> Row:
    """Everything that the survivors of a block depend on, and an identity made of it.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> distance = RareEvent("distance", (), score=lambda x: jnp.sum(x * x), size=4)
    >>> describe(distance, keys.root(7), "splitting", moves=8)["id"]
    '31ab13cc61c1c509'
    """
    described = {
        "name": event.name,
        "settings": dict(event.settings),
        "size": event.size,
        "blocks": event.blocks,
        "kind": kind,
        **numbers,
        "stream": keys.STREAM_VERSION,
        "key": keys.describe(key),
    }
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return {"id": hashlib.sha256(canonical.encode()).hexdigest()[:16], **described}


def orders(
    levels: Float64[np.ndarray, " level"],
    steps: Float64[np.ndarray, " level"],
    *,
    share: float = 1.0,
    is_pilot: bool = False,
) -> Orders:
    """Where a block goes, as arrays of one shape; the last level is the target.

    Raises
    ------
    ValueError
        For levels that are not finite, do not decrease or are too many, or steps outside (0, 1].
    """
    if levels.ndim != 1 or levels.shape != steps.shape or not 1 <= len(levels) <= MOST_LEVELS:
        raise ValueError(
            f"{levels.shape=} and {steps.shape=} must be a list of 1 to {MOST_LEVELS} levels and a "
            "step for each; see choose_levels"
        )
    if not np.all(np.isfinite(levels)) or np.any(np.diff(levels) >= 0):
        raise ValueError(f"{levels=} must be finite and decrease")
    if not np.all((steps > 0) & (steps <= 1)):
        raise ValueError(f"{steps=} must lie above 0 and not above 1")

    def padded(values) -> np.ndarray:
        return np.concatenate([values, np.ones(MOST_LEVELS - len(values))])

    return Orders(
        levels=padded(levels),
        steps=padded(steps),
        target=np.asarray(levels[-1], np.float64),
        share=np.asarray(share, np.float64),
        is_pilot=np.asarray(is_pilot),
        is_idle=np.asarray(False),
    )


def run_block(
    event: RareEvent,
    key: PRNGKeyArray,
    number: int,
    described: Row,
    where: Orders,
    *,
    store: Store | None,
    mesh: Mesh,
) -> Row:
    """Block `number` of the repetitions that `described` names: from the store, or run and stored.

    The row has, for every repetition, the "hits" (survivors) and moves "accepted" at every level
    that was tried, and of the first repetition the "levels" and "steps" it went through.

    Raises
    ------
    ValueError
        For a score that gives NaN, or is no float64 scalar.
    """
    stored = {} if store is None else store.only(described["id"])
    if number in stored:
        return stored[number]
    trials = 1 if described["kind"] == "levels" else LANES
    words = np.asarray(jax.random.key_data(keys.stream(key, described["id"])))
    with enable_x64():
        compiled = _compile(
            event.score,
            event.size,
            event.blocks,
            described["particles"],
            described["moves"],
            mesh,
            str(jax.random.key_impl(key)),
        )
        start = time.perf_counter()
        descents = jax.device_get(compiled(words, np.uint32(number), np.int32(trials), where))
        seconds = time.perf_counter() - start
    if not np.all(descents.is_sound):
        raise ValueError(f"{event.name}: the score of some particle is NaN")
    # A pilot finds its levels; others have them, even where all repetitions died out on the way.
    tried = len(described.get("levels", ())) or int(descents.tried[0])
    row = {
        **described,
        "epsilons": [float(where.target)],
        "chunk": number,
        "trials": trials,
        "levels": described.get("levels") or descents.levels[0, :tried].tolist(),
        "steps": described.get("steps") or descents.steps[0, :tried].tolist(),
        "hits": descents.survivors[:trials, :tried].tolist(),
        "accepted": descents.accepted[:trials, :tried].tolist(),
        "undecided": 0,
        "seconds": seconds,
        "versions": versions(),
        "device": f"{mesh.size} x {mesh.devices.flat[0].device_kind}",
    }
    if store is not None and jax.process_index() == 0:
        store.append(row)
    return row


@functools.lru_cache(maxsize=128)
def _compile(score, size, blocks, particles, moves, mesh, impl):
    """The program of a block, ahead of time: compiling is neither timed nor repeated in a sweep."""
    shape = jax.eval_shape(score, jax.ShapeDtypeStruct((size,), jnp.float64))
    if getattr(shape, "shape", None) != () or shape.dtype != jnp.float64:
        raise ValueError(f"a score must be a float64 scalar, not {shape}")
    axes = mesh.axis_names
    per_device = -(-LANES // mesh.size)
    is_one_by_one = mesh.devices.flat[0].platform == "cpu"

    def on_device(numbers, words, number, active, where) -> Descent:
        block_key = keys.chunk(jax.random.wrap_key_data(words, impl=impl), number)

        def one(lane):
            return descend(
                score,
                keys.lane(block_key, lane),
                where._replace(is_idle=lane >= active),
                size=size,
                blocks=blocks,
                particles=particles,
                moves=moves,
            )

        outcomes = lax.map(one, numbers) if is_one_by_one else jax.vmap(one)(numbers)
        return jax.tree.map(lambda each: lax.all_gather(each, axes, tiled=True), outcomes)

    @jax.jit
    def program(words, number, active, where):
        # Lanes are padded to a multiple of the devices. Those that are not active do nothing, and
        # the caller drops them.
        numbers = jnp.arange(per_device * mesh.size, dtype=jnp.int32)
        return jax.shard_map(
            on_device,
            mesh=mesh,
            in_specs=(PartitionSpec(axes), *[PartitionSpec()] * 4),
            out_specs=PartitionSpec(),
            check_vma=False,
        )(numbers, words, number, active, where)

    words = np.asarray(jax.random.key_data(jax.random.key(0, impl=impl)))
    example = orders(np.ones(1), np.ones(1))
    shapes = jax.tree.map(
        lambda each: jax.ShapeDtypeStruct(each.shape, each.dtype),
        (words, np.uint32(0), np.int32(0), example),
    )
    return program.lower(*shapes).compile()
