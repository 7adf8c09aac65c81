"""Success of neuron pruning over random networks, as an experiment to count."""

import functools
import math

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from lottery_jax.geometry.networks import OUTPUTS, Output
from lottery_jax.montecarlo.bisection import first_width_by_bisection
from lottery_jax.montecarlo.experiment import Experiment, FirstWidth, Trial
from lottery_jax.neuron_pruning.reduction import draw, units
from lottery_jax.unit_search import FEW, decide, most_units, search, search_first

MAX_WIDTH_ANY = most_units(FEW + 1)  # where any number of neurons is kept

# Widths up to one of them share a compilation.
_CAPACITIES = (8, 16, 32, 64, 128, 256, 500, 1000, 2048, 4096, 8192, 16384, 65536)


def experiment(
    *, dim: int, width: int, radius: float = 2.0, max_kept: int = 4, output: Output = "linear"
) -> Experiment:
    """Can some of `width` random neurons, kept as they are, approximate one target neuron?

    A draw is a two-layer ReLU network with N(0, 1) weights and the target relu(<w*, x>), |w*| = 1
    (any w*: the law is rotation invariant). It is a success at epsilon if some subset of at most
    `max_kept` neurons has sup |g_S - f| <= epsilon on the ball of the given radius. Every such
    subset is searched and the supremum is exact, so a draw is decided up to float32 rounding; the
    few that fall inside the rounding bound are counted as undecided.

    Parameters
    ----------
    dim
        Input dimension, 2 to 64.
    width
        Number of neurons before pruning, at least 1; at most 65536, 16384, 2048, 1000 where 1, 2,
        3, 4 of them are kept, and 64 where more are.
    radius
        Radius of the ball; only epsilon / radius matters.
    max_kept
        Largest number of neurons kept, 1 to 64; more than 4 in 2 or 3 dimensions only.
        Where `width` is larger this counts a lower bound on the success of pruning with any number
        kept, and `bound` says so.
    output
        "linear" as in the paper, or "relu" for one more ReLU after the sum.

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Notes
    -----
    Source: Definition 1 and Theorem 1 of "Structured vs. Unstructured Pruning: An Exponential
    Gap". Cost of a draw: about width^4 epsilon / radius tile elements at max_kept = 4, exponential
    in the width for more than four; `lottery-jax run neuron_pruning ... --dry-run` estimates it.

    Examples
    --------
    >>> experiment(dim=2, width=17).bound
    'lower'
    """
    for name, value, low, high in (
        ("dim", dim, 2, 64),
        ("max_kept", max_kept, 1, MAX_WIDTH_ANY),
        ("width", width, 1, most_units(1)),
    ):
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name}={value!r} must be an integer")
        if name == "dim" and value == 1:
            raise ValueError(
                "dim=1: with one input, removing a neuron is removing its only weight, so neuron "
                "pruning equals weight pruning; use lottery_jax.weight_pruning.experiment(dim=1)"
            )
        if not low <= value <= high:
            raise ValueError(f"{name}={value} must lie between {low} and {high}")
    if max_kept > FEW and (width > MAX_WIDTH_ANY or dim > 3):
        raise ValueError(
            f"{max_kept=} of {width=} neurons in {dim=}: more than {FEW} kept neurons can be "
            f"searched up to width {MAX_WIDTH_ANY} in 2 or 3 dimensions; use max_kept={FEW}"
        )
    most = most_units(max_kept)
    if width > most:
        raise ValueError(
            f"{width=}: at most {most} neurons can be searched with {max_kept=}; keep fewer of them"
        )
    if not 0 < radius < math.inf:
        raise ValueError(f"{radius=} must be positive and finite")
    if output not in OUTPUTS:
        raise ValueError(f"{output=} must be one of {OUTPUTS}")
    capacity = next(size for size in _CAPACITIES if size >= width)
    trial, first_width = _trials(dim, capacity, max_kept, output)
    radius = float(radius)
    return Experiment(
        name="neuron_pruning",
        settings=(
            ("dim", dim),
            ("max_kept", max_kept),
            ("output", output),
            ("radius", radius),
            ("width", width),
        ),
        trial=trial,
        first_width=first_width,
        parameters=(("width", width), ("radius", radius)),
        lanes=max(64, min(1024, 16384 // capacity)),
        bound="exact" if max_kept >= width else "lower",
        at_width=functools.partial(
            _at_width, dim=dim, radius=radius, max_kept=max_kept, output=output
        ),
        max_width=most,
        seconds_per_draw=lambda: 3e-4 + _search_seconds(width, max_kept),
        bytes_per_draw=lambda: 4.0 * (16 + 4 * dim) * capacity ** ((min(max_kept, 4) + 1) // 2),
    )


def _search_seconds(width: int, max_kept: int) -> float:
    """Rough: parts against parts, or branch and bound over masks."""
    if max_kept > FEW:
        return 3e-4 * 1.32 ** (width - 32)
    return {1: 1e-7 * width, 2: 2e-7 * width, 3: 4e-11 * width**3, 4: 3e-12 * width**4}[max_kept]


def _at_width(width: int, **settings) -> Experiment:
    return experiment(width=width, **settings)


@functools.cache
def _trials(dim: int, capacity: int, max_kept: int, output: Output):
    """The two functions of one draw; the same objects for every width up to the capacity."""

    def trial(key: Key[Array, ""], epsilons: Float[Array, " eps"], parameters) -> Trial:
        tolerances = epsilons / parameters["radius"]
        match = search(
            units(draw(key, dim=dim, num_neurons=capacity)),
            parameters["width"],
            least=jnp.min(tolerances),
            most=jnp.max(tolerances),
            max_kept=max_kept,
            output=output,
        )
        hits = match.error <= tolerances
        return Trial(hits, ~hits & (match.error_low <= tolerances))

    def first_width(key: Key[Array, ""], epsilon: Float[Array, ""], parameters) -> FirstWidth:
        neurons = units(draw(key, dim=dim, num_neurons=capacity))
        tolerance, most = epsilon / parameters["radius"], parameters["width"]
        how = functools.partial(decide, tolerance=tolerance, max_kept=max_kept, output=output)
        if max_kept > FEW:
            return first_width_by_bisection(lambda width: how(neurons, width), most)
        first = search_first(neurons, most, tolerance=tolerance, max_kept=max_kept, output=output)
        return FirstWidth(first.certain, first.possible)

    return trial, first_width
