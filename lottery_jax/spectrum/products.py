"""The curvature of a mean loss over batches, as products with vectors.

The loss is any function of a pytree of parameters and a batch; the batches are any sequence, in a
fixed order, and the mean weighs each by its number of examples. The matrix is that of the prunable
weights alone (`core.leaves`); all other parameters stay where they are.

A Hessian-vector product is the derivative of the gradient along the vector (forward over reverse,
Pearlmutter 1994). At fixed parameters it is linear, so the pass that depends on the parameters
alone is done once, and its intermediate values are kept where they fit into memory.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.tree_util import Partial
from jaxtyping import Array, Float, PyTree

from lottery_jax.core.leaves import Leaves, choose_leaves
from lottery_jax.spectrum.batches import Loss, check_batches, evaluate_batches, num_examples
from lottery_jax.spectrum.mean_operator import Keep, Linear, mean_operator
from lottery_jax.spectrum.operator import Operator


@dataclass(frozen=True)
class SplitLoss:
    """A loss in two parts, as the Gauss-Newton matrix needs it; may be called as a loss.

    Examples
    --------
    >>> loss = SplitLoss(lambda params, batch: batch @ params, lambda out, batch: jnp.mean(out**2))
    >>> loss(jnp.ones((2, 1)), jnp.eye(2)).tolist()
    1.0
    """

    outputs: Callable[[PyTree, PyTree], PyTree]  # (params, batch) -> what the network gives
    of_outputs: Callable[[PyTree, PyTree], Array]  # (outputs, batch) -> scalar

    def __call__(self, params: PyTree, batch: PyTree) -> Array:
        """The mean loss over the batch."""
        return self.of_outputs(self.outputs(params, batch), batch)


def hessian(
    loss: Loss,
    params: PyTree,
    batches: Sequence[PyTree],
    *,
    leaves: Leaves | None = None,
    keep: Keep = "auto",
    mesh: Mesh | None = None,
) -> Operator:
    """The Hessian of the mean loss over all batches.

    Parameters
    ----------
    loss
        (params, batch) -> scalar, the mean over the batch; twice differentiable, not random.
    params
        A pytree of arrays.
    batches
        A non-empty sequence of pytrees of arrays whose first axis counts examples.
    leaves
        The prunable weights; by default all leaves with two axes or more.
    keep
        What stays in memory between products. "linearized": the intermediate values of the pass
        that all products share, for all batches, which makes a product cheapest; "data": all
        batches on the devices; "batch": one batch and the next, streamed from the host. "auto"
        takes the first of these that stays below 1 GiB.
    mesh
        Devices over which the examples of each batch are split; by default one device.

    Raises
    ------
    ValueError
        For no batches, a loss that is no scalar, or that is not finite at a batch; the message says
        at which.

    Notes
    -----
    Cost of a product with one vector: about two gradients, or one and a half once linearised.

    Examples
    --------
    >>> def loss(params, batch):
    ...     return jnp.mean((batch @ params["w"]) ** 2) / 2
    >>> matrix = hessian(loss, {"w": jnp.ones((2, 1))}, [jnp.eye(2), 2 * jnp.eye(2)])
    >>> (matrix @ jnp.eye(2)).tolist()
    [[1.25, 0.0], [0.0, 1.25]]
    """
    leaves = choose_leaves(params) if leaves is None else leaves
    evaluate_batches(loss, params, batches)
    linear = _hessian_of(loss, leaves)
    return mean_operator(
        linear, loss, params, batches, leaves=leaves, keep=keep, mesh=mesh, is_semidefinite=False
    )


def gauss_newton(
    outputs: Callable[[PyTree, PyTree], PyTree],
    loss_of_outputs: Callable[[PyTree, PyTree], Array],
    params: PyTree,
    batches: Sequence[PyTree],
    *,
    leaves: Leaves | None = None,
    keep: Keep = "auto",
    mesh: Mesh | None = None,
) -> Operator:
    """The Gauss-Newton matrix JᵀAJ of the mean loss over all batches, positive semidefinite.

    J is the derivative of the outputs, A the Hessian of the loss with respect to them. With the
    cross-entropy of a softmax this is the Fisher information.

    Parameters
    ----------
    outputs
        (params, batch) -> any pytree of arrays.
    loss_of_outputs
        (outputs, batch) -> scalar, the mean over the batch, convex in the outputs.
    params, batches, leaves, keep, mesh
        As for `hessian`.

    Raises
    ------
    ValueError
        As `hessian` does.

    Notes
    -----
    Cost of a product with one vector: about one gradient and a half.

    Examples
    --------
    >>> matrix = gauss_newton(
    ...     lambda params, batch: batch @ params,
    ...     lambda out, batch: jnp.mean(out**2) / 2,
    ...     jnp.ones((2, 1)),
    ...     [jnp.eye(2)],
    ... )
    >>> (matrix @ jnp.eye(2)).tolist(), matrix.is_semidefinite
    ([[0.5, 0.0], [0.0, 0.5]], True)
    """
    leaves = choose_leaves(params) if leaves is None else leaves
    loss = SplitLoss(outputs, loss_of_outputs)
    evaluate_batches(loss, params, batches)
    linear = _gauss_newton_of(outputs, loss_of_outputs, leaves)
    return mean_operator(
        linear, loss, params, batches, leaves=leaves, keep=keep, mesh=mesh, is_semidefinite=True
    )


def fisher(
    losses: Callable[[PyTree, PyTree], Array],
    params: PyTree,
    batches: Sequence[PyTree],
    *,
    leaves: Leaves | None = None,
    keep: Keep = "auto",
    mesh: Mesh | None = None,
) -> Operator:
    """The empirical Fisher matrix: the mean of g gᵀ over the gradients g of single examples.

    Its labels are those of the data. For the Fisher information of a softmax, whose labels are
    drawn from the network's own outputs, use `gauss_newton` with the cross-entropy.

    Parameters
    ----------
    losses
        (params, batch) -> the loss of every example, one axis.
    params, batches, leaves, keep, mesh
        As for `hessian`.

    Raises
    ------
    ValueError
        As `hessian` does, and for losses without exactly one axis.

    Examples
    --------
    >>> def losses(params, batch):
    ...     return (batch @ params)[:, 0]
    >>> matrix = fisher(losses, jnp.ones((2, 1)), [jnp.eye(2)])
    >>> (matrix @ jnp.eye(2)).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    check_batches(batches)
    shape = jax.eval_shape(losses, params, batches[0]).shape
    if len(shape) != 1:
        raise ValueError(f"losses(params, batch) has {shape=}; it must give one loss per example")
    return gauss_newton(losses, _half_square, params, batches, leaves=leaves, keep=keep, mesh=mesh)


def gradient(
    loss: Loss, params: PyTree, batches: Sequence[PyTree], *, leaves: Leaves
) -> Float[Array, " size"]:
    """The gradient of the mean loss over all batches with respect to the prunable weights.

    Examples
    --------
    >>> params = jnp.ones((2, 1))
    >>> found = gradient(
    ...     lambda w, x: jnp.mean(x @ w), params, [jnp.eye(2)], leaves=choose_leaves(params)
    ... )
    >>> found.tolist()
    [0.5, 0.5]
    """
    check_batches(batches)
    count = sum(map(num_examples, batches))
    add = _compiled_gradient(loss, leaves)
    total = jnp.zeros(leaves.size, jnp.float32)
    for batch in batches:
        jax.block_until_ready(total)  # or the host would send all batches ahead
        total = add(total, params, batch, np.float32(num_examples(batch) / count))
    return total


def _half_square(losses, batch):
    del batch
    return jnp.mean(losses**2) / 2


# Cached, so that the same functions give the same function, and jax compiles it once.
@functools.lru_cache(maxsize=32)
def _hessian_of(loss: Loss, leaves: Leaves) -> Linear:
    def linear(vector, params, batch):
        gradient = jax.grad(lambda weights: loss(leaves.replace(params, weights), batch))
        return jax.linearize(gradient, vector)[1]

    return linear


@functools.lru_cache(maxsize=32)
def _gauss_newton_of(outputs, loss_of_outputs, leaves: Leaves) -> Linear:
    def linear(vector, params, batch):
        given, push = jax.linearize(
            lambda weights: outputs(leaves.replace(params, weights), batch), vector
        )
        gradient = jax.grad(lambda values: loss_of_outputs(values, batch))
        return Partial(_sandwich, push, jax.linearize(gradient, given)[1])

    return linear


def _sandwich(push, middle, vector):
    """Jᵀ A J times a vector, from J and A."""
    return jax.linear_transpose(push, vector)(middle(push(vector)))[0]


@functools.lru_cache(maxsize=32)
def _compiled_gradient(loss: Loss, leaves: Leaves):
    @functools.partial(jax.jit, donate_argnums=0)  # one vector, whatever the number of batches
    def add(total, params, batch, share):
        weights = leaves.vector(params)
        slope = jax.grad(lambda vector: loss(leaves.replace(params, vector), batch))(weights)
        return total + share * slope

    return add
