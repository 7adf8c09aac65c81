"""One kept neuron: its exact error, and the closed forms of its success probability.

A neuron at angle theta < pi/2 from the target, fixed strength s = alpha |w| >= 0, has on the unit
ball the error sqrt(1 - 2 s cos(theta) + s^2) while s <= cos(theta) or s >= 1/cos(theta), and
max(1, s) sin(theta) between; at theta >= pi/2 it is max(1, s). The best strength gives sin(theta).
This is Lemma 10 of "Structured vs. Unstructured Pruning: An Exponential Gap" with exact constants.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from lottery_jax.geometry.relu_sums import rounding_bound, sup_on_sphere
from lottery_jax.montecarlo.experiment import Experiment, Trial
from lottery_jax.neuron_pruning.reduction import target


def experiment(*, dim: int, radius: float = 2.0) -> Experiment:
    """One random neuron whose output weight may be chosen freely, decided by the exact supremum.

    Parameters
    ----------
    dim
        Input dimension, at least 2.
    radius
        Radius of the ball on which the target is approximated.

    Raises
    ------
    ValueError
        For a dimension below 2 or a radius that is not positive.

    Examples
    --------
    >>> experiment(dim=3).name
    'single_neuron'
    """
    if dim < 2:
        raise ValueError(f"{dim=} must be at least 2: in one dimension a neuron has no direction")
    if not 0 < radius < math.inf:
        raise ValueError(f"{radius=} must be positive and finite")
    return Experiment(
        name="single_neuron",
        settings=(("dim", dim), ("radius", float(radius))),
        trial=_trial(dim),
        parameters=(("radius", float(radius)),),
        lanes=8192,
        vmap_lanes={"cpu": 1024, "gpu": 8192, "tpu": 8192},
    )


@functools.cache
def _trial(dim: int):
    def trial(key: Key[Array, ""], epsilons: Float[Array, " eps"], parameters) -> Trial:
        direction = jax.random.normal(key, (dim,), jnp.float32)
        direction = direction / jnp.linalg.norm(direction)
        strength = jnp.maximum(direction[0], 0)
        vectors = (strength * direction)[None]
        error = sup_on_sphere(jnp.ones((1,), jnp.float32), vectors, target(dim), output="linear")
        # Two more roundings than those of the supremum itself: the unit vector and its cosine.
        band = rounding_bound(vectors, target(dim))
        tolerance = epsilons / parameters["radius"]
        hits = error + band <= tolerance
        return Trial(hits, ~hits & (error - band <= tolerance))

    return trial


def error(strength: float, angle: float) -> float:
    """The error on the unit ball of one neuron of given strength and angle to the target.

    Parameters
    ----------
    strength
        s = alpha |w| >= 0.
    angle
        Between 0 and pi.

    Examples
    --------
    >>> error(0.0, 1.0)
    1.0
    """
    if angle >= math.pi / 2:
        return max(1.0, strength)
    if strength <= math.cos(angle) or strength * math.cos(angle) >= 1:
        return math.sqrt(1 - 2 * strength * math.cos(angle) + strength**2)
    return max(1.0, strength) * math.sin(angle)


def success_rescaled(dim: int, epsilon: float) -> float:
    """P(one random neuron, freely rescaled, is within epsilon on the unit ball), 0 < epsilon <= 1.

    Half the regularised incomplete beta function I_x((d-1)/2, 1/2) at x = epsilon^2: the cap of
    directions with sin(theta) <= epsilon (Lemma 10 with its exact constant).

    Examples
    --------
    >>> round(success_rescaled(3, 0.5), 6)
    0.066987
    """
    from scipy.special import betainc

    return float(betainc((dim - 1) / 2, 0.5, min(epsilon, 1.0) ** 2) / 2)


def success_gaussian(dim: int, epsilon: float) -> float:
    """P(one neuron with Gaussian weights, kept as it is, is within epsilon), 0 < epsilon < 1.

    The integral over the angle (density proportional to sin^(d-2)) of the mass that the strength
    alpha |w| (a variance-gamma law, independent of the angle) puts on the interval that works.

    Examples
    --------
    >>> round(success_gaussian(2, 0.3), 6)
    0.008572
    """
    from scipy.integrate import quad
    from scipy.special import betaln, gammaln, kve

    order = (dim - 1) / 2

    def density(strength: float) -> float:
        log = order * math.log(strength) + math.log(kve(order, strength)) - strength
        return math.exp(log - order * math.log(2) - gammaln(dim / 2)) / math.sqrt(math.pi)

    def mass(angle: float) -> float:
        rest = math.sqrt(max(epsilon**2 - math.sin(angle) ** 2, 0.0))
        low = math.cos(angle) - rest
        high = math.cos(angle) + rest
        if math.tan(angle) > epsilon:
            high = min(epsilon / math.sin(angle), 1 / math.cos(angle))
        return quad(density, low, high)[0]

    def weighted(angle: float) -> float:
        return math.sin(angle) ** (dim - 2) * mass(angle)

    middle = math.atan(epsilon)  # the interval changes its form there
    parts = [quad(weighted, 0, middle)[0], quad(weighted, middle, math.asin(epsilon))[0]]
    return float(sum(parts) * np.exp(-betaln((dim - 1) / 2, 0.5)))
