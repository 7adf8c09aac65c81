"""How far k kept Gaussian neurons are from the target: the score of a rare event.

p_k, the probability that one given set of k neurons approximates the target (equation (1) of
"Structured vs. Unstructured Pruning: An Exponential Gap"), is P(score <= epsilon / R) for the
vector of all their weights. For one neuron it has a closed form (`single_neuron`), and for any
number an upper bound (`bounds`); `montecarlo.splitting` estimates it for two and more.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from lottery_jax.core import keys
from lottery_jax.geometry.networks import TwoLayerNetwork, signed_vectors
from lottery_jax.geometry.relu_sums import rounding_bound, sup_on_sphere
from lottery_jax.montecarlo.experiment import Experiment, Trial
from lottery_jax.montecarlo.splitting import RareEvent
from lottery_jax.neuron_pruning.reduction import target

MOST_KEPT = {2: 8, 3: 8, 4: 4, 5: 3, 6: 3}  # by dimension: beyond them a score costs too much


def event(*, dim: int, kept: int) -> RareEvent:
    """The error of `kept` Gaussian neurons on the unit ball, as a rare event.

    Parameters
    ----------
    dim
        Input dimension, 2 to 6.
    kept
        Neurons, at least 1 and at most 8 (2 or 3 dimensions), 4 (4 dimensions) or 3.

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Notes
    -----
    The error is homogeneous: accuracy epsilon on the ball of radius R is the level epsilon / R.
    One score in float64 takes about 0.1 to 2 microseconds of a core.

    Examples
    --------
    >>> event(dim=2, kept=3).size
    9
    """
    _check(dim, kept)
    return RareEvent(
        name="kept_network",
        settings=(("dim", dim), ("kept", kept)),
        score=_score(dim, kept),
        size=kept * (dim + 1),
        blocks=kept,
    )


@functools.cache
def _score(dim: int, kept: int):
    """The same function for every level, so that a sweep compiles once."""

    def score(weights: Float[Array, " weight"]) -> Float[Array, ""]:
        return error(weights.reshape(kept, dim + 1))

    return score


def experiment(*, dim: int, kept: int, radius: float = 2.0) -> Experiment:
    """The same draws, plainly counted: for accuracies at which p_k is not rare.

    Parameters
    ----------
    dim, kept
        As in `event`.
    radius
        Radius of the ball on which the target is approximated.

    Raises
    ------
    ValueError
        For settings outside their ranges.

    Examples
    --------
    >>> experiment(dim=2, kept=1).bound
    'exact'
    """
    _check(dim, kept)
    if not 0 < radius < math.inf:
        raise ValueError(f"{radius=} must be positive and finite")
    return Experiment(
        name="kept_network",
        settings=(("dim", dim), ("kept", kept), ("radius", float(radius))),
        trial=_trial(dim, kept),
        parameters=(("radius", float(radius)),),
        lanes=8192,
        vmap_lanes={"cpu": 1024, "gpu": 8192, "tpu": 8192},
    )


@functools.cache
def _trial(dim: int, kept: int):
    def trial(key: Key[Array, ""], epsilons: Float[Array, " eps"], parameters) -> Trial:
        def neuron(key: Key[Array, ""]) -> Float[Array, " weight"]:
            return jax.random.normal(key, (dim + 1,), jnp.float32)

        neurons = jax.vmap(neuron)(keys.items(key, kept))
        signs, vectors = signed_vectors(TwoLayerNetwork(neurons[:, :dim], neurons[:, dim]))
        error = sup_on_sphere(signs, vectors, target(dim))
        band = rounding_bound(vectors, target(dim))
        tolerance = epsilons / parameters["radius"]
        hits = error + band <= tolerance
        return Trial(hits, ~hits & (error - band <= tolerance))

    return trial


def error(neurons: Float[Array, "neuron weight"]) -> Float[Array, ""]:
    """The largest |sum_i output_i relu(<hidden_i, x>) - relu(<e_1, x>)| over the unit ball.

    Parameters
    ----------
    neurons
        Hidden weights and, last, the output weight of each neuron.

    Returns
    -------
    Float[Array, ""]
        Exact but for rounding, some ten units in the last place of the sum of the neurons' lengths.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> print(error(jnp.array([[2.0, 0.0, 0.5]])))
    0.0
    """
    hidden, output = neurons[:, :-1], neurons[:, -1]
    return sup_on_sphere(output, hidden, target(hidden.shape[1]).astype(neurons.dtype))


def _check(dim: int, kept: int) -> None:
    if dim not in MOST_KEPT:
        raise ValueError(f"{dim=} must be one of {', '.join(map(str, MOST_KEPT))}")
    if isinstance(kept, bool) or not isinstance(kept, int) or not 1 <= kept <= MOST_KEPT[dim]:
        raise ValueError(f"{kept=} must be an integer from 1 to {MOST_KEPT[dim]} in {dim=}")
