"""Success on several input families at once: Lemma 3, which multiplies over families.

The families of "Structured vs. Unstructured Pruning: An Exponential Gap" use disjoint coordinates,
so the places of the breakpoints are independent. The slope jumps alpha_j |w_j,2i-1| are not: the
neurons share alpha_j over all families. Given the output weights the families are independent and
alike, with one success probability p(alpha), so all of m succeed with probability E p^m, which is
at least the (E p)^m of Lemma 3 (Jensen).

A draw has k kept neurons and J families, and counts its good families: those in which no bin is
broken, with the kink of the mirrored target among the kinks. `joint_success` makes E p^m of it.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, Int64, Key

from lottery_jax.core import keys
from lottery_jax.geometry.breakpoints import bin_edges, breakpoints, broken_bins, num_bins
from lottery_jax.montecarlo.experiment import Experiment

MAX_KEPT = 16
MAX_FAMILIES = 64
_MOST_BINS = 512
_SCALE = 2**12  # of products of jumps, counted as integers


def experiment(
    *,
    kept: int,
    epsilon: float = 0.5,
    radius: float = 2.0,
    constant: float = 0.045,
    jump: float = 1 / math.sqrt(6),
    num_families: int = 24,
    strengths: tuple[float, ...] | None = None,
) -> Experiment:
    """In how many of its families does a random network of `kept` neurons break no bin?

    Its counts (`montecarlo.collect_counts`) are the histograms ``certain[good]`` and
    ``possible[good]`` of draws by the number of good families, 0 to J. A family that rounding
    leaves open is good in the second only.

    Parameters
    ----------
    kept
        Neurons k, 1 to 16, with hidden weights from N(0, 1).
    epsilon
        Length of the bins.
    radius
        R > 1 of the ball; bins cover abs(t) <= sqrt(R^2 - 1).
    constant
        c of Definition 2.
    jump
        Of the mirrored target's kink at t = 0 in every family, which must break its bin; 0 for no
        target. A target of norm 1 has room for 1 / jump^2 families.
    num_families
        J, 1 to 64. The network has dimension 2J.
    strengths
        The output weights alpha of all draws; by default each draw has its own from N(0, 1).

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Examples
    --------
    >>> experiment(kept=2, strengths=(1.0, -0.5)).settings[-1]
    ('strengths', '1.0 -0.5')
    """
    if not 1 <= kept <= MAX_KEPT:
        raise ValueError(f"{kept=} must lie in 1 to {MAX_KEPT}")
    if not 1 <= num_families <= MAX_FAMILIES:
        raise ValueError(f"{num_families=} must lie in 1 to {MAX_FAMILIES}")
    bins = num_bins(radius, epsilon)
    if bins > _MOST_BINS:
        raise ValueError(f"{epsilon=} gives {bins} bins; use at most {_MOST_BINS}, longer ones")
    if not 0 < constant < math.inf:
        raise ValueError(f"{constant=} must be positive and finite")
    if strengths is not None and (len(strengths) != kept or not np.all(np.isfinite(strengths))):
        raise ValueError(f"{strengths=} must be {kept=} finite numbers")
    gap = _target_gap(jump, radius, epsilon)
    if jump < 0 or (jump > 0 and gap < 2 * constant * epsilon):
        raise ValueError(
            f"{jump=} must be 0, or break its bin: the gap of {gap:.3g} must reach 2 c epsilon = "
            f"{2 * constant * epsilon:.3g}; use a smaller {constant=}"
        )
    given = () if strengths is None else tuple(float(each) for each in strengths)
    return Experiment(
        name="families",
        settings=(
            ("kept", kept),
            ("epsilon", float(epsilon)),
            ("radius", float(radius)),
            ("constant", float(constant)),
            ("jump", float(jump)),
            ("num_families", num_families),
            ("strengths", " ".join(map(str, given)) or "random"),
        ),
        count=_count(kept, num_families, 1 << (bins - 1).bit_length(), strengths is not None),
        parameters=(
            ("epsilon", float(epsilon)),
            ("radius", float(radius)),
            ("constant", float(constant)),
            ("jump", float(jump)),
            *((f"strength_{number}", each) for number, each in enumerate(given)),
        ),
        lanes=1000,
        seconds_per_draw=lambda: 3e-7 * num_families * bins * (1 + kept / 4),
        bytes_per_draw=lambda: 32.0 * num_families * bins * (kept + 3),
    )


def _target_gap(jump: float, radius: float, epsilon: float) -> float:
    """The gap between the hulls of the target's kink in its bin."""
    end = math.sqrt((radius - 1) * (radius + 1))
    left = epsilon * math.floor(end / epsilon) - end
    right = min(left + epsilon, end)
    return jump * -left * right / (right - left)


@functools.cache
def _count(kept: int, num_families: int, capacity: int, is_given: bool):
    def count(key: Key[Array, ""], parameters: dict[str, Any]) -> dict[str, Int32[Array, "..."]]:
        def neuron(item):
            return jax.random.normal(item, (1 + 2 * num_families,), jnp.float32)

        weights = jax.vmap(neuron)(keys.items(key, kept))
        output, hidden = weights[:, 0], weights[:, 1:]
        if is_given:
            output = jnp.stack([parameters[f"strength_{i}"] for i in range(kept)])
        kinks = breakpoints(hidden, output)
        target = jnp.broadcast_to(-parameters["jump"], (1, num_families))
        epsilon = parameters["epsilon"]
        # In the precision of the weights also where float64 is on.
        edges = bin_edges(parameters["radius"], epsilon, num=capacity).astype(jnp.float32)

        def decide(places, jumps):
            bins = broken_bins(
                places, jumps, edges, length=epsilon, constant=parameters["constant"]
            )
            return ~jnp.any(bins.possible), ~jnp.any(bins.certain)

        places = jnp.concatenate([kinks.places, jnp.zeros_like(target)])
        jumps = jnp.concatenate([kinks.jumps, target])
        certain, possible = jax.vmap(decide, in_axes=1)(places, jumps)

        def histogram(is_good):
            number = jnp.arange(num_families + 1, dtype=jnp.int32)
            return (jnp.sum(is_good, dtype=jnp.int32) == number).astype(jnp.int32)

        return {"certain": histogram(certain), "possible": histogram(possible)}

    return count


def jumps_experiment() -> Experiment:
    """The slope jumps of one neuron on two families, as moments.

    On family i the jump is alpha abs(w_2i-1) = L_i / sqrt(1 + t_i^2), where L_i = alpha r_i has
    Laplace's law and r_i is the length of (w_2i-1, w_2i). The counts of a draw are abs(L_1),
    abs(L_2), their squares and their product, in units of 2**-12: see `correlation`.

    Examples
    --------
    >>> jumps_experiment().lanes
    10000
    """
    return Experiment(
        name="family_jumps",
        settings=(("families", 2),),
        count=_moments,
        lanes=10_000,
        vmap_lanes={"cpu": 1024, "gpu": 16384, "tpu": 16384},
        seconds_per_draw=lambda: 2e-7,
        bytes_per_draw=lambda: 60.0,
    )


def _moments(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, ""]]:
    del parameters
    weights = jax.random.normal(key, (5,), jnp.float32)
    first = jnp.abs(weights[0]) * jnp.hypot(weights[1], weights[2])
    second = jnp.abs(weights[0]) * jnp.hypot(weights[3], weights[4])
    moments = {
        "draws": jnp.float32(1),
        "first": first,
        "second": second,
        "first_square": first * first,
        "second_square": second * second,
        "product": first * second,
    }
    return {name: jnp.round(each * _SCALE).astype(jnp.int32) for name, each in moments.items()}


def correlation(totals: dict[str, Int64[np.ndarray, ""]]) -> float:
    """The correlation of abs(L_1) and abs(L_2) from the counts of `jumps_experiment`.

    Its true value is pi/2 - 1: E abs(L) = 1, E L^2 = 2, and E abs(L_1 L_2) = E alpha^2 (E r)^2 =
    pi/2. Independent jumps would have 0.

    Examples
    --------
    >>> names = ("draws", "first", "second", "first_square", "second_square", "product")
    >>> totals = dict(zip(names, np.array([4, 4, 4, 8, 8, 6]), strict=True))
    >>> correlation({name: np.asarray(each) for name, each in totals.items()})
    0.5
    """
    mean = {name: float(each) / float(totals["draws"]) for name, each in totals.items()}
    spread = math.sqrt(
        (mean["first_square"] - mean["first"] ** 2) * (mean["second_square"] - mean["second"] ** 2)
    )
    return (mean["product"] - mean["first"] * mean["second"]) / spread
