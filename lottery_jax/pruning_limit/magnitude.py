"""Which weights magnitude pruning removes, and how far it moves the network.

Weights are one vector of D numbers (`core.leaves`). Global pruning compares all of them; layer-wise
pruning removes the same share of every layer. Any score can stand in for the magnitude. Sparsity is
the fraction removed, and exactly the asked number is removed: of equal magnitudes the one that
comes first in the vector goes first.
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int, Int32

Bounds = Sequence[tuple[int, int]]


def num_removed(sparsity: float, size: int) -> int:
    """How many of `size` weights a sparsity removes: sparsity * size, rounded down.

    Raises
    ------
    ValueError
        Unless 0 <= sparsity <= 1 and size >= 1.

    Examples
    --------
    >>> num_removed(0.29, 100), num_removed(0.999, 1234)
    (29, 1232)
    """
    if not 0 <= sparsity <= 1 or size < 1:
        raise ValueError(f"{sparsity=} must lie between 0 and 1, and {size=} be at least 1")
    # A decimal sparsity is a little off as a float: .29 * 100 is 28.999999999999996.
    return min(math.floor(sparsity * size * (1 + 1e-12)), size)


def ranks(scores: Float[Array, " size"]) -> Int32[Array, " size"]:
    """The place of each score in ascending order, ties in the order of the vector.

    Examples
    --------
    >>> ranks(jnp.array([3.0, 1.0, 3.0])).tolist()
    [1, 0, 2]
    """
    places = jnp.arange(len(scores), dtype=jnp.int32)
    return jnp.zeros(len(scores), jnp.int32).at[jnp.argsort(scores, stable=True)].set(places)


def ranks_layerwise(scores: Float[Array, " size"], bounds: Bounds) -> Int32[Array, " size"]:
    """The place of each score among those of its own layer.

    Examples
    --------
    >>> ranks_layerwise(jnp.array([3.0, 1.0, 9.0, 8.0]), [(0, 2), (2, 4)]).tolist()
    [1, 0, 1, 0]
    """
    return jnp.concatenate([ranks(scores[start:stop]) for start, stop in bounds])


def keep_global(
    scores: Float[Array, " size"], num_removed: int | Int[Array, ""]
) -> Bool[Array, " size"]:
    """True at all weights but the `num_removed` of the smallest scores.

    Parameters
    ----------
    scores
        Magnitudes, or anything else that says what to keep; finite.
    num_removed
        0 to D; may be traced.

    Examples
    --------
    >>> keep_global(jnp.array([3.0, 1.0, 2.0]), 2).tolist()
    [True, False, False]
    """
    return ranks(scores) >= jnp.asarray(num_removed, jnp.int32)


def keep_layerwise(
    scores: Float[Array, " size"], bounds: Bounds, sparsity: float
) -> Bool[Array, " size"]:
    """True at all weights but the smallest scores of each layer, the same share of every layer.

    Parameters
    ----------
    bounds
        First and one past the last place of each layer, as `Leaves.bounds` gives them.
    sparsity
        Of every layer, each rounded down to whole weights.

    Examples
    --------
    >>> keep_layerwise(jnp.array([3.0, 1.0, 2.0, 9.0, 8.0, 7.0]), [(0, 2), (2, 6)], 0.5).tolist()
    [True, False, False, True, True, False]
    """
    return jnp.concatenate(
        [
            keep_global(scores[start:stop], num_removed(sparsity, stop - start))
            for start, stop in bounds
        ]
    )


def squared_distances(weights: Float[np.ndarray, " size"]) -> Float64[np.ndarray, " counts"]:
    """How far magnitude pruning moves the weights, squared, for every number removed.

    Returns
    -------
    D + 1 numbers: entry j is R² after removing the j weights of smallest magnitude, in float64.

    Notes
    -----
    Cost: one sort and one cumulative sum.

    Examples
    --------
    >>> squared_distances(np.array([2.0, -1.0])).tolist()
    [0.0, 1.0, 5.0]
    """
    squares = np.sort(np.asarray(weights, np.float64) ** 2)
    return np.concatenate([[0.0], np.cumsum(squares)])


def removed_by_layer(
    weights: Float[np.ndarray, " size"], bounds: Bounds, num_removed: int
) -> list[int]:
    """How many weights global magnitude pruning takes from each layer.

    Examples
    --------
    >>> removed_by_layer(np.array([0.1, 0.2, 5.0, 0.3]), [(0, 2), (2, 4)], 3)
    [2, 1]
    """
    order = np.argsort(np.abs(weights), kind="stable")[:num_removed]
    is_removed = np.zeros(len(weights), bool)
    is_removed[order] = True
    return [int(is_removed[start:stop].sum()) for start, stop in bounds]
