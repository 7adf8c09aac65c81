"""How many random vectors are needed for their subset sums to come close to a target?

The multidimensional random subset sum problem (Becchetti et al., arXiv 2207.13944), on which the
structured pruning of convolutions by da Cunha et al. (2023) rests: n independent N(0, I_d) vectors
serve a target within ε if some subset has a sum that differs from it by at most ε in every
coordinate. Their theorem: n = O(d^3 log(1/ε) (log(1/ε) + log d)) vectors serve all of [-1, 1]^d
with high probability. Counting gives n >= d log2(1/ε): 2^n boxes of side 2 ε must fill the cube.

One target is decided by branch and bound over all subsets, which visits a small part of the 2^n;
the cube by listing the sums near it, several times ε^-d of them, and subtracting the boxes around
them (`cover`). Limits on both searches leave a draw undecided.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment, FirstWidth, Trial
from lottery_jax.random_subset_sum.cover import covers_cube
from lottery_jax.subset_sum.all_subsets import exists_within
from lottery_jax.subset_sum.branch_and_bound import MAX_ITEMS, MaskVisitor, fold_all_subsets
from lottery_jax.subset_sum.fold_subsets import Window

MAX_DIM = 8
_MOST_NODES = 2**23  # partial subsets expanded in one search
_MOST_SUMS = 2**16  # listed in and around the cube


class Instance(NamedTuple):
    """Random vectors and one random target."""

    items: Float[Array, "item dim"]
    target: Float[Array, " dim"]  # in [-1, 1]^dim


class Sums(NamedTuple):
    """The subset sums in a cube around zero."""

    sums: Float[Array, "capacity dim"]  # the first `count`; then zeros
    count: Int[Array, ""]  # type: ignore[override]
    is_complete: Bool[Array, ""]  # False where there are more, or where the search was cut off


def experiment(*, dim: int, width: int, event: str = "target") -> Experiment:
    """Do the subset sums of `width` random vectors serve a target, or a whole cube, within ε?

    A draw is `width` independent N(0, I_dim) vectors and a target uniform on [-1, 1]^dim. The norm
    is the largest coordinate, and the empty subset counts.

    Parameters
    ----------
    dim
        1 to 8.
    width
        Number of vectors, 1 to 64. Beyond about 40, searches come near their limits.
    event
        "target": the target of the draw is served. "cube": every target of [-1, 1]^dim is.

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Notes
    -----
    A draw is undecided where rounding or a limit of a search leaves it open. For the cube the limit
    is 2**16 sums in [-1 - ε, 1 + ε]^dim.

    Examples
    --------
    >>> experiment(dim=2, width=12).settings
    (('dim', 2), ('event', 'target'), ('width', 12))
    """
    if event not in ("target", "cube"):
        raise ValueError(
            f"{event=} must be 'target', one random target, or 'cube', all targets of [-1, 1]^dim"
        )
    for name, value, most in (("dim", dim, MAX_DIM), ("width", width, MAX_ITEMS)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(
                f"{name}={value!r} must be an integer from 1 to {most}: searches over all subsets "
                "end there; use a larger epsilon"
            )
    is_target = event == "target"
    trial, first_width = _target_functions(dim) if is_target else _cube_functions(dim)
    return Experiment(
        name="vector_rss",
        settings=(("dim", dim), ("event", event), ("width", width)),
        trial=trial,
        first_width=first_width,
        parameters=(("width", width),),
        lanes=64,
        at_width=functools.partial(_at_width, dim=dim, event=event),
        max_width=MAX_ITEMS,
        vmap_lanes={"cpu": 1, "gpu": 256, "tpu": 256} if is_target else {"cpu": 1},
        seconds_per_draw=lambda: (
            (1e-4 * width + 1e-10 * 1.8**width) if is_target else 3e-2 + 1e-7 * 1.8**width
        ),
        bytes_per_draw=lambda: 4.0 * 16 * 64 * (dim + 4) if is_target else 8.0 * dim * _MOST_SUMS,
    )


def _at_width(width: int, **settings) -> Experiment:
    return experiment(width=width, **settings)


def draw(key: Key[Array, ""], *, dim: int, num_items: int) -> Instance:
    """Vectors and a target; the first n vectors are the same for every `num_items`."""
    of_target, of_items = keys.items(key, 2)
    items = jax.vmap(lambda item: jax.random.normal(item, (dim,), jnp.float32))(
        keys.items(of_items, num_items)
    )
    target = jax.random.uniform(of_target, (dim,), jnp.float32, minval=-1.0, maxval=1.0)
    return Instance(items, target)


def sums_in_cube(
    items: Float[Array, "item dim"],
    num_items: Int[Array, ""],
    half: Float[Array, ""],
    *,
    capacity: int = _MOST_SUMS,
) -> Sums:
    """Every subset sum of the first items in [-half, half]^dim, as many as the capacity holds.

    Examples
    --------
    >>> items = jnp.array([[1.0], [0.5], [-3.0]])
    >>> near = sums_in_cube(items, jnp.int32(2), jnp.float32(1.2), capacity=4)
    >>> sorted(near.sums[: near.count, 0].tolist()), bool(near.is_complete)
    ([0.0, 0.5, 1.0], True)
    """
    dim = items.shape[1]
    half = half.astype(jnp.float32)

    def visit(state, masks, sums, is_found):
        listed, count = state
        place = jnp.where(is_found, count + jnp.cumsum(is_found, dtype=jnp.int32) - 1, capacity)
        listed = listed.at[place].set(sums, mode="drop")
        return listed, count + jnp.sum(is_found, dtype=jnp.int32)

    visitor = MaskVisitor(
        window=lambda state: Window(jnp.full((dim,), -half), jnp.full((dim,), half)),
        accept=lambda state, sums: jnp.max(jnp.abs(sums), axis=1) <= half,
        visit=visit,
        is_done=lambda state: state[1] > capacity,
    )
    nothing = jnp.zeros((1, capacity, dim), jnp.float32), jnp.zeros((1,), jnp.int32)
    (sums, count), effort = fold_all_subsets(
        items[None],
        jnp.asarray(num_items, jnp.int32)[None],
        nothing,
        visitor,
        pairs=_pairs(dim),
        max_nodes=_MOST_NODES,
    )
    is_complete = (count[0] <= capacity) & ~effort.is_cut_off[0]
    return Sums(sums[0], jnp.minimum(count[0], capacity), is_complete)


class _Decision(NamedTuple):
    is_certain: Bool[Array, ""]  # success
    is_possible: Bool[Array, ""]  # success cannot be excluded
    is_over: Bool[Array, ""]  # more items would be left open as well


def decide_target(
    instance: Instance, epsilon: Float[Array, ""], num_items: Int[Array, ""]
) -> _Decision:
    """Whether some subset of the first items has a sum within ε of the target."""
    answer = exists_within(
        instance.items[None],
        instance.target[None],
        epsilon[None],
        num_items[None],
        pairs=_pairs(instance.items.shape[1]),
        max_nodes=_MOST_NODES,
    )
    exists, is_decided = answer.exists[0], answer.is_decided[0]
    return _Decision(exists, exists | ~is_decided, jnp.array(False))


def decide_cube(
    instance: Instance, epsilon: Float[Array, ""], num_items: Int[Array, ""]
) -> _Decision:
    """Whether every target of [-1, 1]^dim is within ε of a sum of the first items."""
    # No box beyond meets the cube, rounding included.
    near = sums_in_cube(instance.items, num_items, (1 + epsilon) * (1 + 2.0**-18))
    cover = covers_cube(near.sums, near.count, epsilon)
    is_excluded = cover.is_missed & near.is_complete
    return _Decision(cover.is_covered, ~is_excluded, ~cover.is_covered & ~near.is_complete)


def _pairs(dim: int) -> int:
    """A pair of a coordinate with itself would drop nothing."""
    return min(1, dim - 1)


@functools.cache
def _target_functions(dim: int):
    return _functions(dim, decide_target, lambda epsilon: jnp.int32(0))


@functools.cache
def _cube_functions(dim: int):
    def least(epsilon: Float[Array, ""]) -> Int[Array, ""]:
        """2**n boxes of side 2 ε must fill the cube."""
        bits = jnp.ceil(-dim * jnp.log2(epsilon) - 1e-3)
        return jnp.clip(bits, 0, MAX_ITEMS + 1).astype(jnp.int32)

    return _functions(dim, decide_cube, least)


def _functions(dim: int, decide, least):
    """Trial and first width; one program serves every width."""

    def trial(key, epsilons: Float[Array, " eps"], parameters) -> Trial:
        instance = draw(key, dim=dim, num_items=MAX_ITEMS)

        def at(epsilon):
            decision = decide(instance, epsilon, parameters["width"])
            return Trial(decision.is_certain, decision.is_possible & ~decision.is_certain)

        return lax.map(at, epsilons)

    def first_width(key, epsilon: Float[Array, ""], parameters) -> FirstWidth:
        instance, width = draw(key, dim=dim, num_items=MAX_ITEMS), parameters["width"]

        def is_open(carry):
            number, first, is_over = carry
            return (number <= first.certain) & (number <= width) & ~is_over

        def add_item(carry):
            # Upwards: what is decided early costs little, and few decisions cost much.
            number, first, _ = carry
            decision = decide(instance, epsilon, number)
            return (
                number + 1,
                FirstWidth(
                    certain=jnp.where(decision.is_certain, number, first.certain),
                    possible=jnp.where(
                        decision.is_possible, jnp.minimum(number, first.possible), first.possible
                    ),
                ),
                decision.is_over,
            )

        start = jnp.minimum(least(epsilon), width + 1)
        none = FirstWidth(width + 1, width + 1)
        return lax.while_loop(is_open, add_item, (start, none, jnp.array(False)))[1]

    return trial, first_width
