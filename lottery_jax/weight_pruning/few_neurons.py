"""Success of weight pruning that leaves few neurons, as an experiment to count."""

import functools
import math

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from lottery_jax.geometry.networks import OUTPUTS, Output
from lottery_jax.montecarlo.experiment import Experiment, FirstWidth, Trial
from lottery_jax.unit_search import FEW, most_units, search, search_first
from lottery_jax.weight_pruning.masked import draw, num_versions, units

MOST_DIMENSIONS = 4
_CAPACITIES = (16, 64, 160, 333)  # widths up to one of them share a compilation


def few_neurons(
    *, dim: int, width: int, radius: float = 2.0, max_kept: int = 4, output: Output = "linear"
) -> Experiment:
    """Can removing weights leave at most `max_kept` of `width` neurons that approximate a target?

    A draw is a two-layer ReLU network with N(0, 1) weights and a target relu(<w*, x>), w* uniform
    on the unit sphere. It is a success at epsilon if some choice of weights to keep, in at most
    `max_kept` neurons, has sup |g - f| <= epsilon on the ball of the given radius. All masks of
    such neurons are searched and the supremum is exact, so a draw is decided up to float32
    rounding; the few that fall inside the rounding bound are counted as undecided.

    Parameters
    ----------
    dim
        Input dimension, 2 to 4.
    width
        Number of neurons before pruning, at least 1; at most 333 in two dimensions, 142 in three
        and 66 in four, and more where fewer are kept.
    radius
        Radius of the ball; only epsilon / radius matters.
    max_kept
        Largest number of neurons that keep a weight, 1 to 4. Where `width` is larger this counts a
        lower bound on the success of weight pruning, and `bound` says so.
    output
        "linear", or "relu" for one more ReLU after the sum.

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Notes
    -----
    Cost: as for `neuron_pruning.experiment` with 2^dim - 1 times the neurons. Weight pruning with a
    ReLU after the sum that leaves any number of neurons is `weight_pruning.experiment`.

    Examples
    --------
    >>> few_neurons(dim=2, width=17).bound
    'lower'
    """
    for name, value, low, high in (
        ("dim", dim, 2, MOST_DIMENSIONS),
        ("max_kept", max_kept, 1, FEW),
        ("width", width, 1, most_units(1)),
    ):
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name}={value!r} must be an integer")
        if not low <= value <= high:
            raise ValueError(f"{name}={value} must lie between {low} and {high}")
    most = _most_neurons(dim, max_kept)
    if width > most:
        raise ValueError(
            f"{width=} neurons in {dim=} are {width * num_versions(dim)} masked neurons; with "
            f"{max_kept=} at most {most} neurons can be searched; keep fewer, or see "
            "weight_pruning.experiment for a construction with any number kept"
        )
    if not 0 < radius < math.inf:
        raise ValueError(f"{radius=} must be positive and finite")
    if output not in OUTPUTS:
        raise ValueError(f"{output=} must be one of {OUTPUTS}")
    capacity = min(next((size for size in _CAPACITIES if size >= width), most), most)
    trial, first_width = _functions(dim, capacity, max_kept, output)
    radius = float(radius)
    number = width * num_versions(dim)
    return Experiment(
        name="weight_pruning_few",
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
        lanes=256 if capacity <= 64 else 64,
        bound="exact" if max_kept >= width else "lower",
        at_width=functools.partial(
            _at_width, dim=dim, radius=radius, max_kept=max_kept, output=output
        ),
        max_width=most,
        seconds_per_draw=lambda: 3e-4 + 6e-12 * float(number) ** max_kept,
        bytes_per_draw=lambda: 4.0 * (16 + 4 * dim) * number ** ((max_kept + 1) // 2),
    )


def _at_width(width: int, **settings) -> Experiment:
    return few_neurons(width=width, **settings)


def _most_neurons(dim: int, max_kept: int) -> int:
    return most_units(max_kept) // num_versions(dim)


@functools.cache
def _functions(dim: int, capacity: int, max_kept: int, output: Output):
    """The two functions of one draw; the same objects for every width up to the capacity."""
    versions = num_versions(dim)

    def trial(key: Key[Array, ""], epsilons: Float[Array, " eps"], parameters) -> Trial:
        tolerances = epsilons / parameters["radius"]
        match = search(
            units(draw(key, dim=dim, num_neurons=capacity)),
            versions * parameters["width"],
            least=jnp.min(tolerances),
            most=jnp.max(tolerances),
            max_kept=max_kept,
            output=output,
        )
        hits = match.error <= tolerances
        return Trial(hits, ~hits & (match.error_low <= tolerances))

    def first_width(key: Key[Array, ""], epsilon: Float[Array, ""], parameters) -> FirstWidth:
        first = search_first(
            units(draw(key, dim=dim, num_neurons=capacity)),
            versions * parameters["width"],
            tolerance=epsilon / parameters["radius"],
            max_kept=max_kept,
            output=output,
        )
        # The neuron of the last version that is needed; one past all versions is one past all.
        neurons = [-(-needed // versions) for needed in first]
        return FirstWidth(*neurons)

    return trial, first_width
