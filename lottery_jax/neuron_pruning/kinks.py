"""Random neurons and networks on one input family, as counts: the laws and lemmas about one kink.

`single_kinks` draws one neuron and a bin around its kink, `random_bins` a network and a bin. Both
decide with the code that the processes use (`geometry.hull_gap`), so that agreement with the closed
forms of `geometry.breakpoint_laws` checks that code as well.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, Key

from lottery_jax import geometry
from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment

GAMMAS = (0.25, 0.5, 1.0, 2.0)  # sizes of slope jumps
CONSTANTS = (0.01, 0.03, 0.1)  # c of Definition 2
NUM_CELLS = 16  # of the position in a bin, for Lemma 6
STEEP = 0.5  # the gamma of those cells
_MAX_NEURONS = 16


def single_kinks(*, radius: float = 2.0) -> Experiment:
    """One Gaussian neuron, and a bin of length 1 whose place around the kink is uniform.

    Counts (for `montecarlo.collect_counts`):

    - ``inside``: the kink falls in |t| <= sqrt(radius^2 - 1);
    - ``jump[gamma]``, ``inside_jump[gamma]``: the slope jump exceeds gamma; and falls inside;
    - ``breaks[c]``: it falls inside and breaks its bin; ``breaks_undecided[c]``: it may;
    - ``steep[cell]``: the jump exceeds `STEEP`, by the position of the kink in the bin;
      ``unbroken[cell]``: of these, the bin is not broken for c = STEEP / 16;
      ``steep_undecided[cell]``: of these, rounding cannot tell;
    - ``flat``: the best affine error of a kink of this size in the middle of an interval of this
      kink's place differs from jump * delta / 4, delta the half length, by more than rounding.

    Parameters
    ----------
    radius
        Above 1.

    Raises
    ------
    ValueError
        For a radius of 1 or less.

    Examples
    --------
    >>> single_kinks().settings[0]
    ('radius', 2.0)
    """
    if not 1 < radius < math.inf:
        raise ValueError(f"{radius=} must be finite and above 1")
    return Experiment(
        name="single_kinks",
        settings=(
            ("radius", float(radius)),
            ("gammas", " ".join(map(str, GAMMAS))),
            ("constants", " ".join(map(str, CONSTANTS))),
            ("cells", NUM_CELLS),
            ("steep", STEEP),
        ),
        count=_count_single,
        parameters=(("radius", float(radius)),),
        lanes=8192,
        vmap_lanes={"cpu": 1024, "gpu": 8192, "tpu": 8192},
        seconds_per_draw=lambda: 2e-6,
    )


def random_bins(
    *,
    num_neurons: int = 8,
    length: float = 0.5,
    constant: float = 0.05,
    radius: float = 2.0,
    precision: str = "float32",
) -> Experiment:
    """A random network g of two inputs, a random target f, and a bin chosen at random.

    Lemma 1 speaks of any function, so g may have any affine function added to it. What is left of
    the error on the bin is then the best affine error of g - f. It is taken from the values of both
    networks, over the slopes of all chords between kinks and ends: by other means than the hulls
    that say whether the bin is broken.

    Counts: ``apart``: the target's kink is not in the bin. Of these: ``broken``: the bin is broken
    for g; ``broken_near``: and g, corrected, comes within c epsilon of f, against Lemma 1;
    ``whole``: the bin is not broken; ``whole_far``: and no correction brings g within c epsilon;
    ``undecided``: rounding leaves something open.

    Parameters
    ----------
    num_neurons
        1 to 16.
    length, constant
        Bin length epsilon, and c of Definition 2.
    radius
        Above 1.
    precision
        "float32", or "float64", which leaves next to nothing undecided and asks for
        ``core.enable_x64()`` where the counts are collected. What is drawn are float32 numbers.

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Examples
    --------
    >>> random_bins(num_neurons=4).settings[0]
    ('num_neurons', 4)
    """
    if not 1 <= num_neurons <= _MAX_NEURONS:
        raise ValueError(f"{num_neurons=} must lie in 1 to {_MAX_NEURONS}")
    if not 0 < constant < math.inf:
        raise ValueError(f"{constant=} must be positive and finite")
    if precision not in ("float32", "float64"):
        raise ValueError(f"{precision=} must be 'float32' or 'float64'")
    count = geometry.num_bins(radius, length)
    settings = (
        ("num_neurons", num_neurons),
        ("length", float(length)),
        ("constant", float(constant)),
        ("radius", float(radius)),
    )
    return Experiment(
        name="random_bins",
        settings=(*settings, ("precision", precision)),
        count=_count_bin(
            1 << (count - 1).bit_length(), 1 << (num_neurons - 1).bit_length(), precision
        ),
        parameters=(*settings, ("bins", count)),
        lanes=4096,
        vmap_lanes={"cpu": 512, "gpu": 4096, "tpu": 4096},
        seconds_per_draw=lambda: 5e-6,
    )


def _count_single(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, "..."]]:
    of_neuron, of_position = keys.items(key, 2)
    weights = jax.random.normal(of_neuron, (3,), jnp.float32)
    position = jax.random.uniform(of_position, (), jnp.float32)
    kink = geometry.breakpoints(weights[None, :2], weights[2:])
    place, jump = kink.places[0, 0], kink.jumps[0, 0]
    end = jnp.sqrt((parameters["radius"] - 1) * (parameters["radius"] + 1))
    is_inside = jnp.abs(place) <= end
    one = jnp.ones((1,), jnp.float32)

    def gap(at, length):
        return geometry.hull_gap(at * one, jump * one, one > 0, 0 * at, length)

    height, band = gap(position, jnp.float32(1))
    certain, possible = jax.vmap(
        lambda constant: geometry.breaks(height, band, length=1.0, constant=constant)
    )(jnp.array([*CONSTANTS, STEEP / 16], jnp.float32))
    is_steep = jnp.abs(jump) > jnp.array(GAMMAS, jnp.float32)
    cell = jnp.minimum((position * NUM_CELLS).astype(jnp.int32), NUM_CELLS - 1)
    is_steep_here = (jnp.abs(jump) > STEEP) & (jnp.arange(NUM_CELLS, dtype=jnp.int32) == cell)
    # Lemma 2: an interval of any length, here |t| clipped, with the kink in its middle.
    half = jnp.clip(jnp.abs(place), 1e-3, 1e3)
    middle = gap(half, 2 * half)
    is_flat = jnp.abs(middle.height / 2 - jnp.abs(jump) * half / 4) > middle.band
    counts = {
        "inside": is_inside,
        "jump": is_steep,
        "inside_jump": is_steep & is_inside,
        "breaks": certain[:-1] & is_inside,
        "breaks_undecided": possible[:-1] & ~certain[:-1] & is_inside,
        "steep": is_steep_here,
        "unbroken": is_steep_here & ~possible[-1],
        "steep_undecided": is_steep_here & possible[-1] & ~certain[-1],
        "flat": is_flat,
    }
    return jax.tree.map(lambda each: each.astype(jnp.int32), counts)


@functools.cache
def _count_bin(bins: int, capacity: int, precision: str):
    real = jnp.dtype(precision)

    def count(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, "..."]]:
        if real == jnp.float64 and jnp.result_type(float) != jnp.float64:
            raise ValueError(
                f"{precision=} needs 64-bit types; collect under lottery_jax.core.enable_x64()"
            )
        lengths = ("radius", "length", "constant")
        parameters = parameters | {name: parameters[name].astype(real) for name in lengths}
        of_network, of_target, of_bin = keys.items(key, 3)
        weights = jax.vmap(lambda key: jax.random.normal(key, (3,), jnp.float32))(
            keys.items(of_network, capacity)
        ).astype(real)
        is_there = jnp.arange(capacity, dtype=jnp.int32) < parameters["num_neurons"]
        hidden, output = weights[:, :2], jnp.where(is_there, weights[:, 2], 0)
        target = jax.random.normal(of_target, (2,), jnp.float32).astype(real)
        target = target / jnp.sqrt(jnp.sum(target * target))
        number = jax.random.randint(of_bin, (), 0, parameters["bins"], jnp.int32)
        edges = geometry.bin_edges(parameters["radius"], parameters["length"], num=bins)
        left, right = edges[number], edges[number + 1]

        places, jumps = (each[:, 0] for each in geometry.breakpoints(hidden, output))
        gap = geometry.hull_gap(places, jumps, is_there, left, right)
        certain, possible = geometry.breaks(
            gap.height, gap.band, length=parameters["length"], constant=parameters["constant"]
        )
        # The error is linear between kinks and ends, so its largest value is at one of them.
        nodes = jnp.concatenate([jnp.clip(places, left, right), left[None], right[None]])
        nodes = jnp.where(jnp.isnan(nodes), left, nodes)
        along = nodes[:, None] * hidden[None, :, 0] + hidden[None, :, 1]
        terms = output[None] * jnp.maximum(along, 0)
        error = jnp.sum(terms, axis=1) - jnp.maximum(nodes * target[0] + target[1], 0)
        first, last = np.triu_indices(capacity + 2, 1)
        run = nodes[first] - nodes[last]
        slopes = (error[first] - error[last]) / jnp.where(run == 0, jnp.inf, run)
        rest = error[:, None] - slopes[None] * nodes[:, None]
        best = jnp.min(jnp.max(rest, axis=0) - jnp.min(rest, axis=0)) / 2
        # Of every value of g - f: products and sums of at most 16 neurons and the target.
        size = (
            jnp.sum(
                jnp.abs(output)
                * (parameters["radius"] * jnp.abs(hidden[:, 0]) + jnp.abs(hidden[:, 1]))
            )
            + 3
        )
        rounding = 2 * _MAX_NEURONS * jnp.finfo(real).eps * size
        least = parameters["constant"] * parameters["length"]
        is_near, is_far = best + rounding < least, best - rounding >= least
        kink = -target[1] / target[0]
        is_apart = (kink < left) | (kink > right)
        counts = {
            "apart": is_apart,
            "broken": is_apart & certain,
            "broken_near": is_apart & certain & is_near,
            "whole": is_apart & ~possible,
            "whole_far": is_apart & ~possible & is_far,
            "undecided": is_apart & ((possible & ~certain) | ~(is_near | is_far)),
        }
        return jax.tree.map(lambda each: each.astype(jnp.int32), counts)

    return count
