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
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Key

from lottery_jax import geometry
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.neuron_pruning.process_path import (
    MAX_BINS,
    MAX_CAP,
    MAX_STEPS,
    capacities,
    run,
)

NAMES = ("original", "own", "copy", "chain")

_MOVES = ("down", "stay", "up", "held")  # held: would go up but for the cap


class Chain(NamedTuple):
    """A (q, p, T)-chain, and the capped process that it is coupled to."""

    p: float
    q: float
    up: tuple[float, ...]  # chance of "own" to go up from 0, ..., T; at T to go up but for the cap
    down: tuple[float, ...]  # chance of "own" to go down


def experiment(
    *,
    length: float,
    constant: float,
    cap: int,
    steps: int,
    radius: float = 2.0,
    target_place: float | None = None,
    chain: Chain | None = None,
    precision: str = "float32",
) -> Experiment:
    """The processes as counts over paths, for `montecarlo.collect_counts`.

    Paths on which rounding leaves some bin undecided are counted as ``undecided``, and nowhere
    else. Of the others are counted, with the processes in the order of `NAMES`:

    - ``violations[3]``: own > original, copy > original, chain > own, at any step;
    - ``zero[process, time]``: no broken bin; ``total[process, time]``: broken bins;
    - ``zero_alone[2, time]``: no broken bin in "original" alone of it and "own"; in "own" alone;
    - ``original_moves[state, move]``: steps by the state before them, and by move: down, stay, up,
      held back by the cap; ``own_moves[step, state, move]``: the same, step by step;
    - ``copy_moves[beyond, state, move]``: the same over all steps, where the original process is at
      most at T before the step (beyond = 0) or above (beyond = 1).

    Parameters
    ----------
    length, constant
        Bin length epsilon, and c of Definition 2.
    cap
        T, 1 to 8.
    steps
        Neurons that are added, k, 1 to 256.
    radius
        Of the ball, above 1.
    target_place
        Of the mirrored target's kink, of slope jump -1; by default in the middle of the bin that
        contains 0.
    chain
        The chain and its coupling; by default a chain that never moves.
    precision
        "float32", or "float64", which leaves next to nothing undecided and asks for
        ``core.enable_x64()`` where the counts are collected. The draws are the same.

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
    if precision not in ("float32", "float64"):
        raise ValueError(f"{precision=} must be 'float32' or 'float64'")
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
        settings=(*settings, ("precision", precision), *rates),
        count=_count(*capacities(steps, bins), precision),
        parameters=(*settings, *rates),
        lanes=1024,
        vmap_lanes={"cpu": 128, "gpu": 1024, "tpu": 1024},
        seconds_per_draw=lambda: 1e-7 * steps * (steps + 20),
        bytes_per_draw=lambda: 4.0 * (64 + steps) * 24 + 16.0 * bins,
    )


@functools.cache
def _count(steps: int, bins: int, precision: str):
    """The counts of one path; one program for all settings up to these capacities."""

    def count(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, "..."]]:
        _, path = run(key, parameters, steps=steps, bins=bins, precision=precision)
        every = jnp.stack(path[:4])
        is_in = jnp.arange(steps + 1, dtype=jnp.int32) <= parameters["steps"]
        is_step = is_in[1:]
        is_zero = (every == 0) & is_in[None]
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
            "zero": is_zero.astype(jnp.int32),
            "total": jnp.where(is_in[None], every, 0),
            "zero_alone": (jnp.stack([is_zero[0] & ~is_zero[1], ~is_zero[0] & is_zero[1]])).astype(
                jnp.int32
            ),
            "original_moves": _moves(path.original, held & False, is_step, bins + 1),
            "own_moves": _each_move(path.own, held, is_step, MAX_CAP + 1),
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
    return jnp.sum(_each_move(process, is_held, is_step, num_states), axis=0, dtype=jnp.int32)


def _each_move(process, is_held, is_step, num_states: int) -> Int32[Array, "step state move"]:
    """A one at the state and the move of each step that is made."""
    move = jnp.where(is_held, 3, jnp.diff(process) + 1)
    states, moves = (
        jax.nn.one_hot(each, size, dtype=jnp.int32)
        for each, size in ((process[:-1], num_states), (move, len(_MOVES)))
    )
    return jnp.where(is_step[:, None], states, 0)[..., None] * moves[:, None]


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
