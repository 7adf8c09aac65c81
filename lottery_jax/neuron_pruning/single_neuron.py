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

_NODES = 40  # of each Gauss-Legendre rule


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

    See `log_success_gaussian`.

    Examples
    --------
    >>> round(success_gaussian(2, 0.3), 6)
    0.008572
    """
    return math.exp(log_success_gaussian(dim, epsilon))


def log_success_gaussian(dim: int, epsilon: float) -> float:
    """Log p_1: one neuron with Gaussian weights, kept as it is, is within epsilon on the unit ball.

    The integral over the angle (density proportional to sin^(d-2)) of the mass that the strength
    alpha |w| (a variance-gamma law, independent of the angle) puts on the interval that works. With
    sin(angle) = epsilon sin(t), which takes away the root at the end of the range, a fixed Gauss
    rule is accurate to 1e-11 of the probability down to epsilon = 3e-6, where p_1 is 1e-12 in the
    plane.

    Raises
    ------
    ValueError
        Unless dim >= 2 and 0 < epsilon < 1.

    Examples
    --------
    >>> round(log_success_gaussian(2, 3e-6), 6)
    -27.820091
    """
    from scipy.special import betaln, gammaln, kve  # on first use: importing stays light

    if dim < 2:
        raise ValueError(f"{dim=} must be at least 2: with one input a neuron has no direction")
    if not 0 < epsilon < 1:
        raise ValueError(f"{epsilon=} must lie strictly between 0 and 1, on the unit ball")
    order = (dim - 1) / 2
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    constant = order * math.log(2) + float(gammaln(dim / 2)) + math.log(math.pi) / 2

    def density(strength):
        return np.exp(order * np.log(strength) + np.log(kve(order, strength)) - strength - constant)

    # The interval of strengths that work changes its form where tan(angle) = epsilon.
    middle = math.asin(1 / math.sqrt(1 + epsilon**2))
    total = 0.0
    for start, end in ((0.0, middle), (middle, math.pi / 2)):
        t = (start + end) / 2 + (end - start) / 2 * nodes
        cosine = np.sqrt(1 - (epsilon * np.sin(t)) ** 2)
        low = cosine - epsilon * np.cos(t)
        high = cosine + epsilon * np.cos(t)
        if start > 0:
            high = 1 / np.sin(t)
        strengths = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * nodes
        mass = density(strengths) @ weights * (high - low) / 2
        # In units of epsilon^(dim - 1), so that nothing underflows.
        total += (
            (end - start) / 2 * np.sum(weights * mass * np.sin(t) ** (dim - 2) * np.cos(t) / cosine)
        )
    return float(np.log(total) + (dim - 1) * math.log(epsilon) - betaln((dim - 1) / 2, 0.5))
