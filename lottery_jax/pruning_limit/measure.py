"""How much of a trained network can be removed, measured by removing it.

Three rules, all for magnitude pruning. The first looks at the loss right after pruning, which is
what one-shot pruning needs. The second optimises the kept weights again, and so asks whether *some*
setting of them will do; it can miss settings, so it is a lower bound. The third is the paper's: the
accuracy, on a grid of sparsities.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, PyTree

from lottery_jax.core.leaves import Chosen, choose_leaves
from lottery_jax.pruning_limit.pruned_network import PrunedNetwork, Scope
from lottery_jax.spectrum.batches import Loss
from lottery_jax.training.descent import descent

_LOOK_EVERY = 5  # passes


class MeasuredLimit(NamedTuple):
    """The largest fraction removed at which a rule still is met.

    What `low` and `high` say depends on the rule. "one-shot": 95 % limits by Student's law, from
    the spread over the batches that judge, linear in the loss. "reoptimised": the ends of the
    bisection, the last fraction that met the rule and the first that did not; they say nothing of
    other images, nor of what a longer optimisation would reach. "accuracy": the limit itself.
    """

    rule: str  # "one-shot", "reoptimised" (a lower bound) or "accuracy"
    limit: float
    low: float
    high: float
    threshold: float  # what the loss, or the accuracy, is compared with
    num_evaluations: int  # sparsities looked at


class Sweep(NamedTuple):
    """A mean over every batch at every sparsity."""

    sparsities: Float64[np.ndarray, " sparsity"]
    values: Float64[np.ndarray, "sparsity batch"]
    num_examples: Float64[np.ndarray, " batch"]

    @property
    def means(self) -> Float64[np.ndarray, " sparsity"]:
        """Over all examples."""
        return np.average(self.values, axis=1, weights=self.num_examples)


def sweep(
    loss: Loss,
    params: PyTree,
    batches: Sequence[PyTree],
    sparsities: Sequence[float],
    *,
    prunable: Chosen = None,
    scope: Scope = "global",
) -> Sweep:
    """A loss, or any other mean over a batch, after magnitude pruning at every sparsity.

    Parameters
    ----------
    loss
        (params, batch) -> the mean over the batch; the accuracy is as good.
    scope
        "global" compares all prunable weights, "layerwise" removes the same share of each layer.

    Raises
    ------
    ValueError
        For no batches, a loss that is not finite, sparsities outside [0, 1].

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> params = jnp.array([[3.0, 1.0, 2.0]])
    >>> found = sweep(lambda w, _: jnp.sum(w), params, [jnp.ones(2)], [0.0, 0.4, 1.0])
    >>> found.means.tolist()
    [6.0, 5.0, 0.0]
    """
    pruned = PrunedNetwork(loss, params, batches, choose_leaves(params, prunable), scope)
    values = np.array([pruned.values(sparsity) for sparsity in sparsities])
    return Sweep(np.asarray(sparsities, np.float64), values, pruned.num_examples)


def one_shot_limit(
    loss: Loss,
    params: PyTree,
    batches: Sequence[PyTree],
    *,
    epsilon: float,
    prunable: Chosen = None,
    scope: Scope = "global",
    resolution: float = 1e-3,
) -> MeasuredLimit:
    """The limit of one-shot magnitude pruning: loss(pruned) <= loss(dense) + epsilon.

    Parameters
    ----------
    batches
        Those that judge: held-out ones, or those of training.
    epsilon
        Positive.
    resolution
        Of the bisection, which takes the loss to rise with the sparsity near its limit.

    Returns
    -------
    The limit, and 95 % limits of what all images would give, by the spread over the batches: the
    error of the mean change of the loss over the slope of that change. One batch gives 0 to 1.

    Raises
    ------
    ValueError
        For no batches, a loss that is not finite, or an epsilon or resolution out of range.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> params = jnp.arange(1.0, 101.0)[:, None]
    >>> def loss(weights, batch):
    ...     return jnp.mean(batch * jnp.sum((weights == 0).astype(jnp.float32)))
    >>> one_shot_limit(loss, params, [jnp.ones(2)], epsilon=29.5).limit
    0.29
    """
    pruned = PrunedNetwork(loss, params, batches, choose_leaves(params, prunable), scope)
    found = _bisect(pruned.values, pruned, epsilon, resolution)
    shares = pruned.num_examples / pruned.num_examples.sum()
    below, above = _half_widths(found, shares, epsilon)
    limit = pruned.share(found.met)
    ends = max(limit - below, 0.0), min(limit + above, 1.0)
    threshold = pruned.dense.mean + epsilon
    return MeasuredLimit("one-shot", limit, *ends, threshold, len(found.changes) - 1)


def reoptimised_limit(
    loss: Loss,
    params: PyTree,
    batches: Sequence[PyTree],
    *,
    epsilon: float,
    train_batches: Sequence[PyTree],
    passes: int = 50,
    learning_rate: float = 1e-3,
    prunable: Chosen = None,
    scope: Scope = "global",
    resolution: float = 5e-3,
) -> MeasuredLimit:
    """The limit with the kept weights optimised again, a lower bound of what is possible.

    A sparsity will do as soon as some network on the way of the optimisation, the pruned one at its
    start included, has loss(network) <= loss(dense) + epsilon on the batches that judge. Choosing
    the network on these very batches leaves no honest error bar, so `low` and `high` are the ends
    of the bisection.

    Parameters
    ----------
    train_batches
        What the kept weights, and the parameters that cannot be pruned, are optimised on.
    passes, learning_rate
        Of `training.descent.descent`, at every sparsity from the pruned parameters.

    Raises
    ------
    ValueError
        As `one_shot_limit`.

    Notes
    -----
    Cost: `passes` times the training batches, at each of about log2(1 / resolution) sparsities.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> params = jnp.ones((4, 1))
    >>> def loss(weights, batch):
    ...     return jnp.mean(batch * (jnp.sum(weights) - 4) ** 2)
    >>> batches = [jnp.ones(2)]
    >>> reoptimised_limit(
    ...     loss, params, batches, epsilon=0.1, train_batches=batches, passes=200, learning_rate=0.1
    ... ).limit
    0.75
    """
    pruned = PrunedNetwork(loss, params, batches, choose_leaves(params, prunable), scope)

    def values(sparsity: float) -> Float64[np.ndarray, " batch"]:
        path = descent(
            loss,
            params,
            pruned.mask(sparsity),
            train_batches,
            passes=passes,
            learning_rate=learning_rate,
        )
        best = None
        for number, candidate in enumerate(path):
            if number % _LOOK_EVERY and number != passes:
                continue
            found = pruned.judge(candidate)
            if best is None or pruned.excess(found) < pruned.excess(best):
                best = found
            if pruned.excess(best) <= epsilon:
                break
        assert best is not None  # a path has its start
        return best

    found = _bisect(values, pruned, epsilon, resolution)
    low, high = pruned.share(found.met), pruned.share(found.exceeded or 1.0)
    threshold = pruned.dense.mean + epsilon
    return MeasuredLimit("reoptimised", low, low, high, threshold, len(found.changes) - 1)


def accuracy_limit(
    accuracy: Loss,
    params: PyTree,
    batches: Sequence[PyTree],
    *,
    prunable: Chosen = None,
    scope: Scope = "global",
    resolution: float = 1e-3,
) -> MeasuredLimit:
    """The paper's rule: the largest sparsity of a grid at which accuracy is no less than dense.

    It takes the best of many looks at the same images, so it leans to high sparsities, and one
    image can move it far. It has no limits.

    Parameters
    ----------
    accuracy
        (params, batch) -> the part of the batch that is told right.
    resolution
        Of the grid.

    Raises
    ------
    ValueError
        For no batches, or a resolution outside (0, 1].

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> params = jnp.arange(1.0, 101.0)[:, None]
    >>> def accuracy(weights, batch):
    ...     return jnp.mean(batch * (weights[70, 0] > 0).astype(jnp.float32))
    >>> accuracy_limit(accuracy, params, [jnp.ones(2)], resolution=0.01).limit
    0.7
    """
    _check_resolution(resolution)
    grid = np.arange(0, round(1 / resolution) + 1) / round(1 / resolution)
    found = sweep(accuracy, params, batches, grid.tolist(), prunable=prunable, scope=scope)
    # Means of counts in float32: equal ones may differ in the last bits.
    is_met = found.means >= found.means[0] - 1e-6
    limit = float(grid[np.flatnonzero(is_met)[-1]])
    return MeasuredLimit("accuracy", limit, limit, limit, float(found.means[0]), len(grid))


class _Bisected(NamedTuple):
    """The ends of a bisection, and what was seen at all sparsities on the way."""

    met: float
    exceeded: float | None  # None where even removing everything meets the rule
    changes: dict[float, Float64[np.ndarray, " batch"]]  # from the dense network


def _bisect(
    values: Callable[[float], Float64[np.ndarray, " batch"]],
    pruned: PrunedNetwork,
    epsilon: float,
    resolution: float,
) -> _Bisected:
    """Halve [0, 1] until it is no longer than the resolution; its lower end meets the rule."""
    if isinstance(epsilon, bool) or not 0 < epsilon < np.inf:
        raise ValueError(f"{epsilon=} must be positive: the loss allowed above the dense one")
    _check_resolution(resolution)
    changes = {0.0: np.zeros(len(pruned.num_examples))}

    def exceeds(sparsity: float) -> bool:
        found = values(sparsity)
        changes[sparsity] = found - pruned.dense.losses
        return bool(pruned.excess(found) > epsilon)

    if not exceeds(1.0):
        return _Bisected(1.0, None, changes)
    steps = int(np.ceil(1 / resolution))
    low, high = 0, steps
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if exceeds(middle / steps) else (middle, high)
    return _Bisected(low / steps, high / steps, changes)


def _half_widths(found: _Bisected, shares, epsilon: float) -> tuple[float, float]:
    """How far 95 % limits lie below and above: the error of the mean change over its slope.

    The slope is that between the nearest sparsities that were looked at on either side and lie far
    enough apart to differ. Where everything can be removed, what is left of epsilon is allowed for.
    """
    from scipy import special  # on first use: importing the package stays light

    if len(shares) < 2:
        return 1.0, 1.0
    changes, low, high = found.changes, found.met, found.exceeded or found.met
    spread = changes[high] - changes[high] @ shares
    error = float(np.sqrt(np.sum((shares * spread) ** 2) * len(shares) / (len(shares) - 1)))
    reach = float(special.stdtrit(len(shares) - 1, 0.975)) * error
    left = epsilon - float(changes[high] @ shares) if found.exceeded is None else 0.0
    if reach < left:
        return 0.0, 0.0
    looked = sorted(changes)
    below = [part for part in looked if part <= low and part < high]
    above = [part for part in looked if part >= high]
    for distance in range(max(len(below), len(above))):
        first = below[max(len(below) - 1 - distance, 0)]
        last = above[min(distance, len(above) - 1)]
        rise = float((changes[last] - changes[first]) @ shares)
        if np.isfinite(rise) and rise > max(error, 0.1 * epsilon):
            slope = rise / (last - first)
            return (reach - left) / slope, reach / slope
    return 1.0, 1.0


def _check_resolution(resolution: float) -> None:
    if not 0 < resolution <= 1:
        raise ValueError(f"{resolution=} must lie in (0, 1]: the step between two sparsities")
