"""One step of descent on cross-entropy + l1 * |w|_1, in two ways that share their fixed points.

With momentum mu and rate a, the memory is m <- mu m + g.

- subgradient: g is the gradient of the loss plus l1 sign(w), with sign(0) = 0, and w <- w - a m. A
  weight that should be zero jumps about zero by some a l1 / (1 - mu), and none is exactly zero.
- proximal: g is the gradient of the loss alone, and w <- soft(w - a m, a l1 / (1 - mu)), where
  soft(v, t) takes t off the size of v and stops at zero. Weights become zero exactly.

Why the threshold has 1 - mu: at a fixed point m = g / (1 - mu), and w = soft(w - a m, t) holds
where a m = -t sign(w), or |a m| <= t at w = 0. That is g = -l1 sign(w), or |g| <= l1, the condition
for a minimum of loss + l1 |w|, only for t = a l1 / (1 - mu). A threshold of a l1 would find the
minimum for the weaker penalty (1 - mu) l1.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from lottery_jax.training.recipe import Recipe


class Moved(NamedTuple):
    """Parameters after a step, and the memory of the momentum."""

    params: PyTree
    memory: Any


def move(
    recipe: Recipe,
    params: PyTree,
    memory: Any,
    gradient: PyTree,
    rate: Float[Array, ""],
) -> Moved:
    """One step from `params`, where the loss without penalty has this gradient.

    Examples
    --------
    >>> import optax
    >>> recipe, weight = Recipe(0.5, momentum=0.0, l1=1.0, penalty="proximal"), jnp.float32(2.0)
    >>> memory = optax.trace(0.0).init(weight)
    >>> move(recipe, weight, memory, jnp.float32(3.0), jnp.float32(0.5)).params
    Array(0., dtype=float32)
    """
    import optax  # on first use: importing the package stays light

    if recipe.penalty == "subgradient" and recipe.l1 > 0:
        slope = jnp.float32(recipe.l1)
        gradient = jax.tree.map(lambda g, w: g + slope * jnp.sign(w), gradient, params)
    update, memory = optax.trace(recipe.momentum).update(gradient, memory, params)
    params = jax.tree.map(lambda w, u: w - rate * u, params, update)
    if recipe.penalty == "proximal" and recipe.l1 > 0:
        threshold = rate * jnp.float32(recipe.l1 / (1 - recipe.momentum))
        params = jax.tree.map(lambda w: soft(w, threshold), params)
    return Moved(params, memory)


def soft(values: Float[Array, "*shape"], threshold: Float[Array, ""]) -> Float[Array, "*shape"]:
    """Take `threshold` off the size of each value, down to zero.

    Examples
    --------
    >>> soft(jnp.array([-3.0, 0.5, 2.0]), jnp.float32(1)).tolist()
    [-2.0, 0.0, 1.0]
    """
    return jnp.sign(values) * jnp.maximum(jnp.abs(values) - threshold, 0)
