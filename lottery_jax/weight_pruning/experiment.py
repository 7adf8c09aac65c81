"""Weight pruning as an experiment: success at every ε, and the first width that succeeds."""

import functools
import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from lottery_jax.montecarlo.experiment import Experiment, FirstWidth, Trial
from lottery_jax.subset_sum.meet_in_the_middle import nearest_sum
from lottery_jax.weight_pruning import reduction

MAX_PER_COORDINATE = 64  # neurons


def experiment(*, dim: int, width: int, radius: float = 2.0, output: str = "relu") -> Experiment:
    """How likely it is that weight pruning alone approximates one ReLU neuron.

    A draw is a network of `width` hidden neurons and a target neuron with weight uniform on the
    sphere. It is a success at ε when a mask of Pensia et al.'s construction (`reduction`) has
    criterion at most ε on the ball of the given radius. That implies an error of at most ε there,
    so the probabilities are lower bounds, and the widths that reach a given probability are upper
    bounds.

    Parameters
    ----------
    dim
        Dimension of the input, at least 1.
    width
        Number of hidden neurons, 1 to 64 * dim.
    radius
        Of the ball on which the error is measured. Only ε / radius matters.
    output
        Only "relu": the sum of the neurons passes one more ReLU, as in the construction.

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Notes
    -----
    Decisions are exact down to ε / radius of about 1e-6; closer ones are reported as undecided.

    Examples
    --------
    >>> experiment(dim=2, width=40).settings
    (('dim', 2), ('output', 'relu'), ('radius', 2.0), ('width', 40))
    """
    if output != "relu":
        raise ValueError(
            f"{output=}: the construction needs output='relu'; with a linear output neurons must "
            "match the kink of the target: use weight_pruning.few_neurons"
        )
    for name, value in (("dim", dim), ("width", width)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r} must be an integer of at least 1")
    if width > MAX_PER_COORDINATE * dim:
        raise ValueError(
            f"{width=} must be an integer from 1 to {MAX_PER_COORDINATE * dim} for {dim=}: beyond, "
            "subset sums are nearer to each other than 28 bits can tell; use a larger epsilon"
        )
    if not 0 < radius < math.inf:
        raise ValueError(f"{radius=} must be positive and finite")
    trial, first_width = _functions(dim)
    return Experiment(
        name="weight_pruning",
        settings=(("dim", dim), ("output", output), ("radius", float(radius)), ("width", width)),
        trial=trial,
        first_width=first_width,
        parameters=(("radius", float(radius)), ("width", width)),
        lanes=128,
        bound="lower",
        at_width=lambda width: experiment(dim=dim, width=width, radius=radius, output=output),
        max_width=MAX_PER_COORDINATE * dim,
        seconds_per_draw=lambda: 3e-4 * dim,
        bytes_per_draw=lambda: 2.0**18 + 4.0 * 6 * MAX_PER_COORDINATE * dim,
    )


@functools.cache
def _functions(dim: int):
    """Trial and first width. All neurons that any width could use are drawn, so that one program
    serves every width: drawing costs little beside the search.
    """
    slack, capacity = reduction.rounding_bound(dim), MAX_PER_COORDINATE * dim

    def trial(key, epsilons: Float[Array, " eps"], parameters) -> Trial:
        instance = reduction.draw(key, dim=dim, num_neurons=capacity)
        tolerances = epsilons / parameters["radius"]

        def decide(state):
            goal, _ = state
            match = reduction.search(instance, parameters["width"], goal=goal)
            hits = reduction.criterion(match.error) * (1 + slack) <= tolerances
            possible = reduction.criterion(match.error_low) * (1 - slack) <= tolerances
            return jnp.where(goal > 0, jnp.float32(0), -1), Trial(hits, possible & ~hits)

        # Sums well below the smallest tolerance need no search to the end, with rare exceptions.
        unknown = Trial(jnp.zeros(epsilons.shape, bool), jnp.ones(epsilons.shape, bool))
        start = jnp.min(tolerances) / (2 * dim), unknown
        return lax.while_loop(
            lambda state: (state[0] >= 0) & jnp.any(state[1].undecided), decide, start
        )[1]

    def first_width(key, epsilon: Float[Array, ""], parameters) -> FirstWidth:
        instance = reduction.draw(key, dim=dim, num_neurons=capacity)
        return _first_width(
            reduction.subset_sums(instance),
            epsilon / parameters["radius"],
            parameters["width"],
            slack,
        )

    return trial, first_width


class _Growth(NamedTuple):
    """A network that grows neuron by neuron. A sum is stale when it has items not yet searched."""

    width: Int[Array, ""]
    searched: Int[Array, " sum"]  # leading items that the errors below take into account
    error: Float[Array, " sum"]  # of a subset: certain, stale or not
    error_low: Float[Array, " sum"]
    possible: Int[Array, ""]


def _first_width(
    sums: reduction.SubsetSums,
    tolerance: Float[Array, ""],
    width: Int[Array, ""],
    slack: float,
) -> FirstWidth:
    """Add neurons until the criterion is met, and search only sums that can decide.

    As long as the sums that are not stale exclude success, the network grows. Otherwise the stale
    sum with the largest error is searched again. So most of the time one sum blocks and the others
    wait, and a draw costs a few searches for each sum.
    """
    num_sums = len(sums.target)
    ahead = jnp.concatenate([sums.width, jnp.full((num_sums, 1), reduction.NEVER, jnp.int32)], 1)

    def next_width(searched):
        """The width at which a sum becomes stale."""
        return jnp.take_along_axis(ahead, searched[:, None], axis=1)[:, 0]

    def meets(errors, slack):
        return reduction.criterion(errors) * (1 + slack) <= tolerance

    def is_open(state: _Growth) -> Bool[Array, ""]:
        return ~meets(state.error, slack) & (state.width <= width)

    def step(state: _Growth) -> _Growth:
        arrival = next_width(state.searched)
        is_stale = arrival <= state.width
        low = jnp.where(is_stale | (sums.full <= state.width), 0, state.error_low)
        is_possible = meets(low, -slack)
        must_grow = ~is_possible | ~jnp.any(is_stale)
        return lax.cond(must_grow, grow, search, state, arrival, is_stale, is_possible)

    def grow(state: _Growth, arrival, is_stale, is_possible) -> _Growth:
        """To the next width at which a sum that blocks becomes stale."""
        possible = jnp.where(is_possible, state.width, state.possible)
        wider = jnp.min(jnp.where(is_stale, reduction.NEVER, jnp.minimum(arrival, sums.full)))
        return state._replace(
            width=jnp.maximum(jnp.minimum(wider, width + 1), state.width + 1),
            possible=jnp.minimum(possible, state.possible),
        )

    def search(state: _Growth, arrival, is_stale, is_possible) -> _Growth:
        """The stale sum with the largest error, with the items that have arrived."""
        worst = jnp.argmax(jnp.where(is_stale, state.error, -1))
        number = jnp.sum(sums.width[worst] <= state.width, dtype=jnp.int32)
        match = nearest_sum(sums.items[worst], sums.target[worst], num_items=number)
        return state._replace(
            searched=state.searched.at[worst].set(number),
            error=state.error.at[worst].min(match.error),
            error_low=state.error_low.at[worst].set(match.error_low),
        )

    empty = jnp.abs(sums.target)
    start = _Growth(jnp.int32(0), jnp.zeros(num_sums, jnp.int32), empty, empty, width + 1)
    end = lax.while_loop(is_open, step, start)
    certain = jnp.where(meets(end.error, slack), end.width, width + 1)
    return FirstWidth(certain=certain, possible=jnp.minimum(end.possible, certain))
