"""Scores of the weights of an untrained network: the higher, the sooner a weight is kept.

SNIP asks what removing a weight does to the loss, GraSP what it does to the size of the gradient,
SynFlow how much of the flow from input to output passes through it. All three look before training
and give one number for each prunable weight, to be ranked over the whole network. SynFlow sees no
data; it scores and removes in many rounds, because one round can remove all of a layer.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PyTree

from lottery_jax.core.leaves import Leaves
from lottery_jax.pruning_limit.magnitude import keep_global
from lottery_jax.training import cross_entropy

# outputs(params, images) [image, class]; loss(params, batch), a mean over the batch.
Outputs = Callable[[PyTree, Float[Array, "..."]], Float[Array, "image output"]]
Loss = Callable[[PyTree, Any], Float[Array, ""]]

GRASP_TEMPERATURE = 200.0  # of Wang et al.; see `tempered_loss`
SYNFLOW_ROUNDS = 100  # of Tanaka et al.


def tempered_loss(outputs: Outputs, *, temperature: float = 1.0) -> Loss:
    """The mean cross-entropy over batches (images, labels), of outputs divided by a temperature.

    GraSP takes a temperature of 200: the probabilities are then nearly equal, so that few images
    with large errors do not decide alone (Wang et al. 2020, section 4).

    Raises
    ------
    ValueError
        For a temperature that is not a positive number.

    Examples
    --------
    >>> loss = tempered_loss(lambda params, images: images @ params)
    >>> float(loss(jnp.zeros((3, 4)), (jnp.ones((5, 3)), jnp.arange(5) % 4)))  # log 4
    1.3862943649291992
    """
    if not 0 < temperature < float("inf"):
        raise ValueError(f"{temperature=} must be a positive number; 1 changes nothing")

    def loss(params, batch):
        images, labels = batch
        return jnp.mean(cross_entropy(outputs(params, images) / np.float32(temperature), labels))

    return loss


def snip(loss: Loss, params: PyTree, batch: Any, *, leaves: Leaves) -> Float[Array, " weight"]:
    """|weight * gradient|: to first order, what removing the weight changes in the loss.

    Parameters
    ----------
    loss
        (params, batch) -> scalar.
    params
        Those of the untrained network.
    batch
        Whatever `loss` takes; one batch of training.
    leaves
        Which parameters are prunable.

    Notes
    -----
    Lee, Ajanthan and Torr (2019), equations 5 and 6; dividing by the sum, as they do, changes no
    rank. Cost: one gradient.

    Examples
    --------
    >>> from lottery_jax.core.leaves import choose_leaves
    >>> params = {"kernel": jnp.array([[1.0, -2.0, 0.0]])}
    >>> loss = lambda params, batch: jnp.sum(params["kernel"] * batch)
    >>> snip(loss, params, jnp.array([[3.0, 1.0, 5.0]]), leaves=choose_leaves(params)).tolist()
    [3.0, 2.0, 0.0]
    """
    return jnp.abs(leaves.vector(params) * leaves.vector(jax.grad(loss)(params, batch)))


def grasp(loss: Loss, params: PyTree, batch: Any, *, leaves: Leaves) -> Float[Array, " weight"]:
    """Weight * (Hessian times gradient): what removing the weight takes from the gradient's norm.

    To first order, setting weight w_i to 0 changes |g|^2 by -2 w_i (H g)_i. The paper calls
    -w_i (H g)_i the score and removes the highest; the sign here is the other one, so that the
    highest are kept, as with every score of this module. H and g are those of the prunable weights.

    Parameters
    ----------
    loss
        (params, batch) -> scalar; `tempered_loss(outputs, temperature=GRASP_TEMPERATURE)` for the
        loss of the paper.
    params, batch, leaves
        As in `snip`.

    Notes
    -----
    Wang, Zhang and Grosse (2020), equation 8 and algorithm 1. Cost: one gradient and one
    Hessian-vector product, forward over reverse. Removing what makes the gradient larger can make
    it too large to train with; `lottery-jax run limit_baselines` shows at which sparsities.

    Examples
    --------
    >>> from lottery_jax.core.leaves import choose_leaves
    >>> params = {"kernel": jnp.array([[1.0, -2.0]])}
    >>> loss = lambda params, batch: jnp.sum(batch * params["kernel"] ** 2) / 2
    >>> grasp(loss, params, jnp.array([[3.0, 1.0]]), leaves=choose_leaves(params)).tolist()
    [9.0, 4.0]
    """
    weights = leaves.vector(params)

    def of_weights(weights):
        return loss(leaves.replace(params, weights), batch)

    gradient = jax.grad(of_weights)(weights)
    return weights * jax.jvp(jax.grad(of_weights), (weights,), (gradient,))[1]


def synflow(
    outputs: Outputs,
    params: PyTree,
    num_removed: int | Int[Array, ""],
    *,
    input_shape: tuple[int, ...],
    leaves: Leaves,
    rounds: int = SYNFLOW_ROUNDS,
) -> Bool[Array, " weight"]:
    """Which weights are kept when those with the least synaptic flow are removed, round by round.

    The flow is R = 1' f(1): the sum of the outputs for an image of ones, with every parameter
    replaced by its absolute value. The score of a weight is w dR/dw. After round k of n,
    D (kept / D)^(k/n) weights are left. Without biases the scores of every layer add up to R, as do
    those into and out of every hidden unit: so the last weight of a layer has a score of R, and a
    layer is not removed while others have weights to give.

    Parameters
    ----------
    outputs
        (params, images) -> outputs, in evaluation mode.
    params
        Those of the untrained network.
    num_removed
        0 to D - 1; may be traced.
    input_shape
        Of one image.
    leaves
        Which parameters are prunable.
    rounds
        At least 1.

    Raises
    ------
    ValueError
        For fewer than one round.

    Notes
    -----
    Tanaka, Kunin, Yamins and Ganguli (2020), algorithm 1. Cost: a gradient for one image and a
    selection in every round. In float32 the flow of a network of more than about 20 wide layers
    without normalisation may exceed the largest number.

    Examples
    --------
    >>> from lottery_jax.core.leaves import choose_leaves
    >>> params = {"kernel": jnp.array([[1.0, -2.0, 0.5]])}
    >>> linear = lambda params, images: images @ params["kernel"].T
    >>> leaves = choose_leaves(params)
    >>> synflow(linear, params, 1, input_shape=(3,), leaves=leaves, rounds=2).tolist()
    [True, True, False]
    """
    if rounds < 1:
        raise ValueError(f"{rounds=} must be at least 1; the paper takes {SYNFLOW_ROUNDS}")
    ones = jnp.ones((1, *input_shape), jnp.float32)
    positive = jax.tree.map(jnp.abs, params)
    weights = leaves.vector(positive)
    num_weights = np.float32(leaves.size)
    share = (num_weights - jnp.asarray(num_removed, jnp.float32)) / num_weights

    def flow(weights):
        return jnp.sum(outputs(leaves.replace(positive, weights), ones))

    def remove(number, kept):
        present = jnp.where(kept, weights, np.float32(0))
        # A weight already removed ranks below one whose paths are all cut, which scores 0.
        scores = jnp.where(kept, present * jax.grad(flow)(present), np.float32(-1))
        left = num_weights * share ** ((number + 1).astype(jnp.float32) / np.float32(rounds))
        so_far = jnp.minimum(jnp.floor(num_weights - left).astype(jnp.int32), num_removed)
        # The last power of a rounded share need not be a whole number.
        return keep_global(scores, jnp.where(number == rounds - 1, num_removed, so_far))

    return lax.fori_loop(0, rounds, remove, jnp.ones(leaves.size, bool))
