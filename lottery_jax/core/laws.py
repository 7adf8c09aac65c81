"""Laws of random weights: how to sample them, and the moments the theory asks for."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, PRNGKeyArray


@dataclass(frozen=True)
class Law:
    """A law of independent, symmetric real weights.

    Examples
    --------
    >>> law("uniform").sample(jax.random.key(0), (2, 3)).shape
    (2, 3)
    """

    name: str
    sample: Callable[[PRNGKeyArray, tuple[int, ...]], Float32[Array, "..."]]
    mean: float
    variance: float
    fourth_moment: float  # about 0


def _normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float32[Array, "..."]:
    return jax.random.normal(key, shape, jnp.float32)


def _uniform(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float32[Array, "..."]:
    return jax.random.uniform(key, shape, jnp.float32, minval=-1.0, maxval=1.0)


def _product_normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float32[Array, "..."]:
    first, second = jax.random.split(key)
    return _normal(first, shape) * _normal(second, shape)


def signs(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float32[Array, "..."]:
    """Independent signs, 1.0 or -1.0 with equal chance.

    Those of `jax.random.rademacher`, but for one thing: they stay the same where 64-bit types are
    enabled, which make that function compare other uniform numbers.

    Examples
    --------
    >>> signs(jax.random.key(0), (5,)).tolist()
    [-1.0, -1.0, 1.0, 1.0, -1.0]
    """
    is_positive = jax.random.bernoulli(key, jnp.float32(0.5), shape)
    return jnp.where(is_positive, jnp.float32(1), jnp.float32(-1))


normal = Law("normal", _normal, mean=0.0, variance=1.0, fourth_moment=3.0)
uniform = Law("uniform", _uniform, mean=0.0, variance=1 / 3, fourth_moment=1 / 5)  # on [-1, 1]
product_normal = Law("product_normal", _product_normal, mean=0.0, variance=1.0, fourth_moment=9.0)

LAWS = {each.name: each for each in (normal, uniform, product_normal)}


def law(name: str) -> Law:
    """The law called `name`.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known ones.

    Examples
    --------
    >>> law("product_normal").fourth_moment
    9.0
    """
    if name not in LAWS:
        raise ValueError(f"{name=} is no known law; choose one of {', '.join(LAWS)}")
    return LAWS[name]
