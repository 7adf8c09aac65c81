"""The three processes of the lower bound, on the same draws, path by path.

Along one input family the proof of "Structured vs. Unstructured Pruning: An Exponential Gap" adds
the k kept neurons one by one to the mirrored target, and counts broken bins
(`geometry.breakpoints`). A neuron touches the bin that its kink falls into, so the count moves by
-1, 0 or +1. Compared are

- the original process (Definition 3), which starts at one broken bin, that of the target;
- the capped process, which never exceeds T. The paper can be read in two ways. "own": the process
  has its own set of neurons, and leaves out one that would break a bin too many. "copy": it copies
  the moves of the original, but for moves up from T, and stays at 0 where it would fall below;
- the (q, p, T)-chain of Definition 4, coupled to "own" by thinning: it goes up only where "own"
  does or would but for the cap, with chance p / u, and down where "own" does, and where "own" stays
  with the chance that makes up q. Here u, d are the chances of "own" to go up and down in its
  state. It never exceeds "own" where q >= d; its law is that of the chain where also p <= u, as far
  as the chances of "own" depend on nothing but its state.

Lemma 4 says that the capped process never exceeds the original one, on every path. The counts say
how often it does.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int32, Key, PRNGKeyArray

from lottery_jax import geometry
from lottery_jax.core import keys
from lottery_jax.geometry.hull_gap import hull_gap_sorted
from lottery_jax.montecarlo.experiment import Experiment, identity

NAMES = ("original", "own", "copy", "chain")
MAX_STEPS, MAX_BINS, MAX_CAP = 256, 512, 16

_MOVES = ("down", "stay", "up", "held")  # held: would go up but for the cap


class Chain(NamedTuple):
    """A (q, p, T)-chain, and the capped process that it is coupled to."""

    p: float
    q: float
    up: tuple[float, ...]  # chance of "own" to go up from 0, ..., T; at T to go up but for the cap
    down: tuple[float, ...]  # chance of "own" to go down


class Draw(NamedTuple):
    """What one path is made of: the mirrored target first, then the neurons in their order."""

    places: Float[Array, " kink"]
    jumps: Float[Array, " kink"]
    bins: Int32[Array, " kink"]  # the number of bins where the kink falls outside
    coins: Float[Array, " step"]  # uniform, for the chain


class Path(NamedTuple):
    """The number of broken bins before the first step and after every step."""

    original: Int32[Array, " time"]
    own: Int32[Array, " time"]
    copy: Int32[Array, " time"]
    chain: Int32[Array, " time"]
    is_held: Bool[Array, " step"]  # "own" leaves the neuron out
    is_undecided: Bool[Array, ""]  # rounding cannot tell whether some bin is broken


class Address(NamedTuple):
    """Where a path is drawn: chunk and lane of the experiment's stream."""

    chunk: int
    lane: int


def experiment(
    *,
    length: float,
    constant: float,
    cap: int,
    steps: int,
    radius: float = 2.0,
    target_place: float | None = None,
    chain: Chain | None = None,
) -> Experiment:
    """The processes as counts over paths, for `montecarlo.collect_counts`.

    Paths on which rounding leaves some bin undecided are counted as ``undecided``, and nowhere
    else. Of the others are counted, with the processes in the order of `NAMES`:

    - ``violations[3]``: own > original, copy > original, chain > own, at any step;
    - ``zero[process, time]``: no broken bin; ``total[process, time]``: broken bins;
    - ``original_moves[state, move]``, ``own_moves[state, move]``: steps by the state before them,
      and by move: down, stay, up, held back by the cap;
    - ``copy_moves[beyond, state, move]``: the same, where the original process is at most at T
      before the step (beyond = 0) or above (beyond = 1).

    Parameters
    ----------
    length, constant
        Bin length epsilon, and c of Definition 2.
    cap
        T, 1 to 16.
    steps
        Neurons that are added, k, 1 to 256.
    radius
        Of the ball, above 1.
    target_place
        Of the mirrored target's kink, of slope jump -1; by default in the middle of the bin that
        contains 0.
    chain
        The chain and its coupling; by default a chain that never moves.

    Raises
    ------
    ValueError
        For settings outside these ranges, a target that does not break its bin by itself, and a
        chain whose chances are none.

    Notes
    -----
    Cost: for each step a few passes over all kinks.

    Examples
    --------
    >>> experiment(length=0.5, constant=0.02, cap=3, steps=20).parameters[:4]
    (('radius', 2.0), ('length', 0.5), ('constant', 0.02), ('target', 0.017949192431122807))
    """
    for name, value, most in (("cap", cap, MAX_CAP), ("steps", steps, MAX_STEPS)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"{name}={value!r} must be an integer from 1 to {most}")
    if not 0 < constant < math.inf:
        raise ValueError(f"{constant=} must be positive and finite")
    bins = geometry.num_bins(radius, length)
    if bins > MAX_BINS:
        raise ValueError(f"{length=} makes {bins} bins; at most {MAX_BINS}: use a larger length")
    place = _check_target(target_place, radius, length, constant)
    rates = _rates(chain, cap)
    settings = (
        ("radius", float(radius)),
        ("length", float(length)),
        ("constant", float(constant)),
        ("target", place),
        ("cap", cap),
        ("steps", steps),
    )
    return Experiment(
        name="process",
        settings=(*settings, *rates),
        count=_count(*_capacities(steps, bins)),
        parameters=(*settings, *rates),
        lanes=1024,
        vmap_lanes={"cpu": 128, "gpu": 1024, "tpu": 1024},
        seconds_per_draw=lambda: 1e-7 * steps * (steps + 20),
        bytes_per_draw=lambda: 4.0 * (64 + steps) * 24 + 16.0 * bins,
    )


def find_violations(
    experiment: Experiment, *, key: PRNGKeyArray, chunks: Sequence[int], reading: str = "own"
) -> list[Address]:
    """Where the capped process exceeds the original one, in the order of the addresses.

    Parameters
    ----------
    experiment
        From `experiment`, with the key that its counts were collected with.
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
    >>> every = experiment(length=1.0, constant=0.05, cap=1, steps=16)
    >>> find_violations(every, key=root(0), chunks=[0], reading="copy")
    []
    """
    if reading not in ("own", "copy"):
        raise ValueError(f"{reading=} must be 'own' or 'copy'")
    stream = keys.stream(key, identity(experiment, epsilons=(), key=key, kind="counts"))
    capacities, parameters = _capacities_of(experiment), experiment.scalars()

    @jax.jit
    def is_violated(chunk_key, parameters):
        def one(lane):
            path = _run(keys.lane(chunk_key, lane), parameters, *capacities)[1]
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
    >>> few = experiment(length=0.5, constant=0.02, cap=3, steps=4)
    >>> draw, path = replay(few, Address(chunk=0, lane=5), key=root(0))
    >>> draw.bins.tolist(), path.original.tolist()
    ([3, 2, 1, 7, 5], [1, 2, 3, 3, 4])
    """
    stream = keys.stream(key, identity(experiment, epsilons=(), key=key, kind="counts"))
    lane_key = keys.lane(keys.chunk(stream, address.chunk), address.lane)
    steps = int(dict(experiment.settings)["steps"])
    drawn, path = _program(*_capacities_of(experiment))(lane_key, experiment.scalars())
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


@functools.cache
def _program(steps: int, bins: int):
    """One path by itself, compiled."""
    return jax.jit(functools.partial(_run, steps=steps, bins=bins))


@functools.cache
def _count(steps: int, bins: int):
    """The counts of one path; one program for all settings up to these capacities."""

    def count(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, "..."]]:
        _, path = _run(key, parameters, steps, bins)
        every = jnp.stack(path[:4])
        is_in = jnp.arange(steps + 1, dtype=jnp.int32) <= parameters["steps"]
        is_step = is_in[1:]
        held = path.is_held
        copy_held = (path.copy[:-1] == parameters["cap"]) & (jnp.diff(path.original) == 1)
        beyond = path.original[:-1] > parameters["cap"]
        counts = {
            "violations": jnp.stack(
                [
                    jnp.any((high > low) & is_in)
                    for high, low in (
                        (path.own, path.original),
                        (path.copy, path.original),
                        (path.chain, path.own),
                    )
                ]
            ).astype(jnp.int32),
            "zero": ((every == 0) & is_in[None]).astype(jnp.int32),
            "total": jnp.where(is_in[None], every, 0),
            "original_moves": _moves(path.original, held & False, is_step, bins + 1),
            "own_moves": _moves(path.own, held, is_step, MAX_CAP + 1),
            "copy_moves": jnp.stack(
                [
                    _moves(path.copy, copy_held, is_step & (beyond == side), MAX_CAP + 1)
                    for side in (False, True)
                ]
            ),
        }
        counts = jax.tree.map(lambda each: jnp.where(path.is_undecided, 0, each), counts)
        return counts | {"undecided": path.is_undecided.astype(jnp.int32)}

    return count


def _moves(process, is_held, is_step, num_states: int) -> Int32[Array, "state move"]:
    """Steps by state and move."""
    move = jnp.where(is_held, 3, jnp.diff(process) + 1)
    states, moves = (
        jax.nn.one_hot(each, size, dtype=jnp.int32)
        for each, size in ((process[:-1], num_states), (move, len(_MOVES)))
    )
    return jnp.einsum("ts,tm->sm", jnp.where(is_step[:, None], states, 0), moves)


def _capacities_of(experiment: Experiment) -> tuple[int, int]:
    return _capacities(int(dict(experiment.settings)["steps"]), _num_bins(experiment))


def _num_bins(experiment: Experiment) -> int:
    settings = dict(experiment.settings)
    return geometry.num_bins(float(settings["radius"]), float(settings["length"]))


def _run(key: Key[Array, ""], parameters, steps: int, bins: int) -> tuple[Draw, Path]:
    drawn = _draw(key, parameters, steps, bins)
    return drawn, _walk(drawn, parameters, steps, bins)


def _draw(key: Key[Array, ""], parameters, steps: int, bins: int) -> Draw:
    """One path's neurons; the first n of them are the same for every number of steps."""
    of_neurons, of_coins = keys.items(key, 2)
    weights = jax.vmap(lambda key: jax.random.normal(key, (3,), jnp.float32))(
        keys.items(of_neurons, steps)
    )
    coins = jax.vmap(lambda key: jax.random.uniform(key, (), jnp.float32))(
        keys.items(of_coins, steps)
    )
    kinks = geometry.breakpoints(weights[:, :2], weights[:, 2])
    places = jnp.concatenate([parameters["target"][None], kinks.places[:, 0]])
    jumps = jnp.concatenate([jnp.full((1,), -1, jnp.float32), kinks.jumps[:, 0]])
    edges = geometry.bin_edges(parameters["radius"], parameters["length"], num=bins)
    is_in = jnp.arange(steps + 1, dtype=jnp.int32) <= parameters["steps"]
    numbers = jnp.where(is_in, geometry.bin_of(places, edges), bins)
    return Draw(places, jumps, numbers, coins)


class _State(NamedTuple):
    """Both configurations after some steps."""

    is_broken: Bool[Array, "2 bin"]  # original, own
    is_kept: Bool[Array, " kink"]  # by "own", kinks sorted by place
    counts: tuple[Int32[Array, ""], ...]  # original, own, copy, chain
    is_undecided: Bool[Array, ""]


def _walk(draw: Draw, parameters, steps: int, bins: int) -> Path:
    cap, p, q = (parameters[name] for name in ("cap", "p", "q"))
    up, down = (
        jnp.stack([parameters[f"{name}_{state}"] for state in range(MAX_CAP + 1)])
        for name in ("up", "down")
    )
    edges = geometry.bin_edges(parameters["radius"], parameters["length"], num=bins)
    order = jnp.argsort(draw.places)  # also the number of the step that adds each kink
    places, jumps, owners = draw.places[order], draw.jumps[order], draw.bins[order]
    numbers = jnp.arange(bins, dtype=jnp.int32)[None]

    def step(state: _State, this):
        number, bin_, coin = this
        is_here, is_new = owners == bin_, order == number
        left, right = edges[bin_], edges[jnp.minimum(bin_ + 1, bins)]
        gap = jax.vmap(lambda is_in: hull_gap_sorted(places, jumps, is_in, left, right))(
            jnp.stack([is_here & (order <= number), is_here & (state.is_kept | is_new)])
        )
        is_broken, is_possible = geometry.breaks(
            gap.height, gap.band, length=parameters["length"], constant=parameters["constant"]
        )
        is_open = jnp.any(is_possible & ~is_broken)
        was_broken = jnp.any(state.is_broken & (numbers == bin_), axis=1)
        original, own, copy, chain = state.counts
        move = is_broken.astype(jnp.int32) - was_broken.astype(jnp.int32)
        is_held = (move[1] == 1) & (own >= cap)
        is_broken = is_broken & jnp.stack([jnp.array(True), ~is_held])
        own_move = jnp.where(is_held, 0, move[1])
        stay = jnp.maximum(1 - up[own] - down[own], 1e-9)
        rises = (move[1] == 1) & (coin * up[own] < p) & (chain < cap)
        falls = (move[1] == -1) | ((move[1] == 0) & (coin * stay < q - down[own]))
        falls = falls & (chain > 0)
        counts = (
            original + move[0],
            own + own_move,
            jnp.clip(copy + move[0], 0, cap),
            chain + rises.astype(jnp.int32) - falls.astype(jnp.int32),
        )
        after = _State(
            is_broken=jnp.where(numbers == bin_, is_broken[:, None], state.is_broken),
            is_kept=state.is_kept | (is_new & ~is_held),
            counts=counts,
            is_undecided=state.is_undecided | is_open,
        )
        return after, (*counts, is_held)

    one = jnp.int32(1)
    start = _State(
        is_broken=jnp.broadcast_to(numbers == draw.bins[0], (2, bins)),
        is_kept=order == 0,
        counts=(one, one, one, one),
        is_undecided=jnp.array(False),
    )
    each_step = jnp.arange(1, steps + 1, dtype=jnp.int32), draw.bins[1:], draw.coins
    last, (*processes, is_held) = lax.scan(step, start, each_step)
    processes = [jnp.concatenate([one[None], each]) for each in processes]
    return Path(*processes, is_held=is_held, is_undecided=last.is_undecided)


def _capacities(steps: int, bins: int) -> tuple[int, int]:
    """Sizes of the compiled program, shared by all smaller settings."""
    return (
        next(size for size in (16, 32, 64, 128, MAX_STEPS) if size >= steps),
        next(size for size in (8, 16, 32, 64, 128, MAX_BINS) if size >= bins),
    )


def _check_target(place: float | None, radius: float, length: float, constant: float) -> float:
    """Where the target's kink lies, if it breaks its bin there."""
    end = math.sqrt((radius - 1) * (radius + 1))
    number = math.floor(((0.0 if place is None else place) + end) / length)
    left, right = number * length - end, min((number + 1) * length - end, end)
    place = (left + right) / 2 if place is None else float(place)
    if not -end <= place < end:
        raise ValueError(f"target_place={place} lies outside of the interval up to {end:.4g}")
    height = (place - left) * (right - place) / (right - left)
    if not height > 2 * constant * length * 1.001:
        raise ValueError(
            f"target_place={place} with {constant=}: the target does not break its bin, for which "
            f"c must be below {height / (2 * length):.4g}"
        )
    return place


def _rates(chain: Chain | None, cap: int) -> tuple[tuple[str, float], ...]:
    """The numbers of a chain as settings, filled up beyond the cap."""
    chain = Chain(0.0, 0.0, (0.0,) * (cap + 1), (0.0,) * (cap + 1)) if chain is None else chain
    if len(chain.up) != cap + 1 or len(chain.down) != cap + 1:
        raise ValueError(f"{chain=} must give one chance for each of the states 0 to {cap=}")
    for up, down in [(chain.p, chain.q), *zip(chain.up, chain.down, strict=True)]:
        if not (up >= 0 and down >= 0 and up + down <= 1):
            raise ValueError(f"{chain=} has the chances {up} and {down}, which are none")
    named = [("p", chain.p), ("q", chain.q)]
    for name, values in (("up", chain.up), ("down", chain.down)):
        filled = (*values, *(0.0,) * (MAX_CAP - cap))
        named += [(f"{name}_{state}", value) for state, value in enumerate(filled)]
    return tuple((name, float(value)) for name, value in named)
