"""Paths of the three processes again, from their addresses: violations of Lemma 4 to look at."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import PRNGKeyArray

from lottery_jax import geometry
from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment, identity
from lottery_jax.neuron_pruning.process_path import Draw, Path, capacities, run


class Address(NamedTuple):
    """Where a path is drawn: chunk and lane of the experiment's stream."""

    chunk: int
    lane: int


def find_violations(
    experiment: Experiment, *, key: PRNGKeyArray, chunks: Sequence[int], reading: str = "own"
) -> list[Address]:
    """Where the capped process exceeds the original one, in the order of the addresses.

    Parameters
    ----------
    experiment
        From `process.experiment`, with the key that its counts were collected with.
    chunks
        Chunk numbers to look through.
    reading
        "own" or "copy".

    Raises
    ------
    ValueError
        For another reading.

    Examples
    --------
    >>> from lottery_jax.core import root
    >>> from lottery_jax.neuron_pruning.process import experiment
    >>> every = experiment(length=1.0, constant=0.05, cap=1, steps=16)
    >>> find_violations(every, key=root(0), chunks=[0], reading="copy")
    []
    """
    if reading not in ("own", "copy"):
        raise ValueError(f"{reading=} must be 'own' or 'copy'")
    stream = keys.stream(key, identity(experiment, epsilons=(), key=key, kind="counts"))
    program, parameters = _path_of(experiment), experiment.scalars()

    @jax.jit
    def is_violated(chunk_key, parameters):
        def one(lane):
            path = program(keys.lane(chunk_key, lane), parameters)[1]
            return jnp.any(getattr(path, reading) > path.original) & ~path.is_undecided

        return lax.map(one, jnp.arange(experiment.lanes, dtype=jnp.int32), batch_size=128)

    found = []
    for chunk in chunks:
        flags = is_violated(keys.chunk(stream, chunk), parameters)
        found += [Address(chunk, int(lane)) for lane in jnp.flatnonzero(flags)]
    return found


def replay(experiment: Experiment, address: Address, *, key: PRNGKeyArray) -> tuple[Draw, Path]:
    """One path again, from its address alone: what was drawn, and what the processes did.

    Parameters are those of `find_violations`. Kinks and times beyond the steps of the experiment
    are cut off.

    Examples
    --------
    >>> from lottery_jax.core import root
    >>> from lottery_jax.neuron_pruning.process import experiment
    >>> few = experiment(length=0.5, constant=0.02, cap=3, steps=4)
    >>> draw, path = replay(few, Address(chunk=0, lane=5), key=root(0))
    >>> draw.bins.tolist(), path.original.tolist()
    ([3, 1, 4, 3, 7], [1, 1, 2, 2, 2])
    """
    stream = keys.stream(key, identity(experiment, epsilons=(), key=key, kind="counts"))
    lane_key = keys.lane(keys.chunk(stream, address.chunk), address.lane)
    steps = int(dict(experiment.settings)["steps"])
    drawn, path = _program(*_path_of(experiment).keywords.items())(lane_key, experiment.scalars())
    drawn = Draw(
        places=drawn.places[: steps + 1],
        jumps=drawn.jumps[: steps + 1],
        bins=jnp.minimum(drawn.bins[: steps + 1], _num_bins(experiment)),
        coins=drawn.coins[:steps],
    )
    path = Path(
        original=path.original[: steps + 1],
        own=path.own[: steps + 1],
        copy=path.copy[: steps + 1],
        chain=path.chain[: steps + 1],
        is_held=path.is_held[:steps],
        is_undecided=path.is_undecided,
    )
    return drawn, path


def _path_of(experiment: Experiment):
    """The function of one path, from its key and the parameters."""
    settings = dict(experiment.settings)
    steps, bins = capacities(int(settings["steps"]), _num_bins(experiment))
    return functools.partial(run, steps=steps, bins=bins, precision=str(settings["precision"]))


@functools.cache
def _program(*sizes):
    """One path by itself, compiled."""
    return jax.jit(functools.partial(run, **dict(sizes)))


def _num_bins(experiment: Experiment) -> int:
    settings = dict(experiment.settings)
    return geometry.num_bins(float(settings["radius"]), float(settings["length"]))
