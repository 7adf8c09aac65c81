"""Other ways to choose inputs before training, beside PruneNetwork.

All but the last two read data once, for several numbers of rows n. Each gives a score for every
input: `keep` takes those with the largest. The network is that of PruneNetwork at its start:
neurons in mirrored pairs, so that its output is 0 and the gradient of the loss for w_j is
-(a_j / n) sum over rows of y x 1(<w_j, x> + b_j > 0), with a_j = 1 or -1, biases standard normal,
and weights uniform on the sphere of all inputs.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32, Key

from lottery_jax.core import keys
from lottery_jax.sparse_features import checks, sums
from lottery_jax.sparse_features.checks import Integer, Integers
from lottery_jax.sparse_features.data import EXACT, Source, available, fold
from lottery_jax.sparse_features.largest import largest
from lottery_jax.sparse_features.scores import Scores, scores_at

_WEIGHTS = 2  # a stream of the key; 0 and 1 belong to `sums`


def keep(scores: ArrayLike | Sequence[Any], kept: Integer) -> Bool[Array, " input"]:
    """The `kept` inputs with the largest scores; of equal ones those with the lower numbers.

    Raises
    ------
    ValueError
        Unless `kept`, which may be traced, is from 1 to d; for a score that is nan (unless traced).

    Examples
    --------
    >>> keep(jnp.array([1.0, 3.0, 2.0]), 2).tolist()
    [False, True, True]
    """
    each = jnp.asarray(scores)
    if each.ndim != 1:
        raise ValueError(f"scores of shape {each.shape} must be one for each input")
    checks.check_kept(kept, len(each))
    if checks.is_known(each) and np.any(np.isnan(each)):
        raise ValueError(f"score {int(np.argmax(np.isnan(each)))} is nan; no order has it")
    return largest(each.astype(jnp.float32), jnp.asarray(kept, jnp.int32))


def first_order(source: Source, sizes: Integers) -> Float[Array, "size input"]:
    """|mean of y x_i|, which sees the linear part of a link and nothing else.

    Examples
    --------
    >>> from lottery_jax.sparse_features import data
    >>> source = data.held(jnp.array([[1.0, 2.0], [3.0, -1.0]]), jnp.array([1.0, -2.0]))
    >>> first_order(source, [1, 2]).tolist()
    [[1.0, 2.0], [2.5, 2.0]]
    """
    checks.check_sizes(sizes, source.num_samples)

    def add(
        total: Float[Array, " input"],
        inputs: Float[Array, "row input"],
        targets: Float[Array, " row"],
        is_used: Bool[Array, " row"],
    ) -> Float[Array, " input"]:
        used = jnp.where(is_used, targets, jnp.float32(0))
        return total + jnp.matmul(used, inputs, precision=EXACT)

    return jnp.abs(_means(source, sizes, add, jnp.zeros(source.dim, jnp.float32)))


def gradient_norms(
    source: Source, sizes: Integers, key: Key[Array, ""], *, num_pairs: int
) -> Float[Array, "size input"]:
    """The norm over neurons of the gradient's entries at the random initial weights.

    Parameters
    ----------
    num_pairs
        Neurons with weights of their own; mirrored ones add nothing new.

    Notes
    -----
    Costs 4 m d operations for each row.

    Examples
    --------
    >>> from lottery_jax.sparse_features import data
    >>> source = data.held(jnp.ones((4, 3)), jnp.ones(4))
    >>> gradient_norms(source, [2, 4], keys.root(0), num_pairs=5).shape
    (2, 3)
    """
    gradients, _ = _at_start(source, sizes, key, num_pairs)
    return jnp.sqrt(jnp.sum(gradients**2, axis=1))


def snip(
    source: Source, sizes: Integers, key: Key[Array, ""], *, num_pairs: int
) -> Float[Array, "size input"]:
    """SNIP's |weight * gradient| (Lee et al. 2019), summed over the weights of an input.

    Its arguments are those of `gradient_norms`, at the same network.

    Examples
    --------
    >>> from lottery_jax.sparse_features import data
    >>> source = data.held(jnp.ones((4, 3)), jnp.ones(4))
    >>> snip(source, [2, 4], keys.root(0), num_pairs=5).shape
    (2, 3)
    """
    gradients, weights = _at_start(source, sizes, key, num_pairs)
    return jnp.sum(jnp.abs(gradients * weights[None]), axis=1)


def unshifted(
    source: Source,
    sizes: Integers,
    key: Key[Array, ""],
    *,
    num_pairs: int,
    kept: Integers,
) -> Scores:
    """PruneNetwork's scores at the basis vectors themselves, c = 1, for `prune.select`.

    Arguments and leading axes are those of `scores_at`. A link whose gradient vanishes at every
    basis vector is not seen.

    Examples
    --------
    >>> from lottery_jax.sparse_features import data
    >>> source = data.held(jnp.ones((4, 3)), jnp.ones(4))
    >>> unshifted(source, [2, 4], keys.root(0), num_pairs=5, kept=[1]).odd.shape
    (2, 1, 4)
    """
    return scores_at(source, sizes, key, num_pairs=num_pairs, kept=kept, shift=1.0)


def random(key: Key[Array, ""], dim: int) -> Float[Array, " input"]:
    """Scores without any reason: the chance level. Sets of several sizes are nested.

    Examples
    --------
    >>> int(keep(random(keys.root(0), 10), 4).sum())
    4
    """
    keys.check_key(key)
    checks.check_whole("dim", dim, 1)
    return jax.random.uniform(key, (dim,), jnp.float32)


def oracle(directions: Float[Array, "input index"]) -> Float[Array, " input"]:
    """The norms of the rows of V, which no method knows; its support are those above 0.

    Examples
    --------
    >>> keep(oracle(jnp.array([[0.0], [0.6], [-0.8]])), 1).tolist()
    [False, False, True]
    """
    return jnp.sqrt(jnp.sum(directions**2, axis=1))


def _at_start(
    source: Source, sizes: Integers, key: Key[Array, ""], num_pairs: int
) -> tuple[Float[Array, "size neuron input"], Float[Array, "neuron input"]]:
    """Gradients but for the sign a_j, and the weights."""
    keys.check_key(key)
    checks.check_sizes(sizes, source.num_samples)
    checks.check_pairs(num_pairs)
    biases = sums.draw_biases(key, num_pairs)
    each = keys.items(jax.random.fold_in(key, _WEIGHTS), num_pairs)
    drawn = jax.vmap(lambda item: jax.random.normal(item, (source.dim,), jnp.float32))(each)
    weights = drawn / jnp.sqrt(jnp.sum(drawn**2, axis=1, keepdims=True))

    def add(
        total: Float[Array, "neuron input"],
        inputs: Float[Array, "row input"],
        targets: Float[Array, " row"],
        is_used: Bool[Array, " row"],
    ) -> Float[Array, "neuron input"]:
        heights = jnp.matmul(weights, inputs.T, precision=EXACT) + biases[:, None]
        steps = jnp.where((heights > 0) & is_used[None], targets[None], jnp.float32(0))
        return total + jnp.matmul(steps, inputs, precision=EXACT)

    return _means(source, sizes, add, jnp.zeros_like(weights)), weights


def _means(source, sizes, add, total):
    """What rows add up to, divided by their number, after each of several numbers."""
    ends = available(source, jnp.asarray(sizes, jnp.int32))

    def step(
        total: Float[Array, "..."], rows: tuple[Int32[Array, ""], Int32[Array, ""]]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        total = fold(source, *rows, add, total)
        return total, total / rows[1].astype(jnp.float32)

    starts = jnp.concatenate([jnp.zeros(1, jnp.int32), ends[:-1]])
    return jax.lax.scan(step, total, (starts, ends))[1]
