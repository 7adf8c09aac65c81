"""One path of the three processes: its neurons, and the broken bins after each of them.

What the processes are is said in `neuron_pruning.process`, which counts over paths. Everything of
one path is known before its first step, so the kinks are sorted once, and a step is two gaps over
those of one bin: one with all neurons so far, one with those that the capped process has kept.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int32, Key

from lottery_jax import geometry
from lottery_jax.core import keys
from lottery_jax.geometry.hull_gap import hull_gap_sorted

MAX_STEPS, MAX_BINS, MAX_CAP = 256, 512, 8


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


def run(
    key: Key[Array, ""], parameters, *, steps: int, bins: int, precision: str
) -> tuple[Draw, Path]:
    """One path from its key; `steps` and `bins` are the `capacities` of its settings.

    What is drawn are float32 numbers, in either precision; bins and gaps are computed in it.

    Parameters
    ----------
    key
        Of the path.
    parameters
        Those of `process.experiment`, as float32 and int32 scalars.

    Notes
    -----
    Cost: one sort, and for each step a few passes over all kinks.
    """
    if precision == "float64" and jnp.result_type(float) != jnp.float64:
        raise ValueError(
            f"{precision=} needs 64-bit types; collect under lottery_jax.core.enable_x64()"
        )
    lengths = ("radius", "length", "constant", "target")
    real = jnp.dtype(precision)
    parameters = parameters | {name: parameters[name].astype(real) for name in lengths}
    drawn = _draw(key, parameters, steps, bins)
    return drawn, _walk(drawn, parameters, steps, bins)


def capacities(steps: int, bins: int) -> tuple[int, int]:
    """Sizes of the compiled program, shared by all smaller settings."""
    return (
        next(size for size in (16, 32, 64, 128, MAX_STEPS) if size >= steps),
        next(size for size in (8, 16, 32, 64, 128, MAX_BINS) if size >= bins),
    )


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
    target = parameters["target"][None]
    places = jnp.concatenate([target, kinks.places[:, 0].astype(target.dtype)])
    jumps = jnp.concatenate([-jnp.ones_like(target), kinks.jumps[:, 0].astype(target.dtype)])
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
    order = jnp.argsort(draw.places).astype(
        jnp.int32
    )  # also the number of the step that adds each kink
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
