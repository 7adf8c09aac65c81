"""Small networks whose Hessian fits into memory."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree


@functools.cache
def dense_hessian(widths=(8, 30, 10), examples=96, steps=60, seed=0):
    """The float32 Hessian of the cross-entropy of a ReLU network, somewhat trained."""
    generator = np.random.default_rng(seed)
    images = jnp.asarray(generator.normal(size=(examples, widths[0])), jnp.float32)
    labels = jnp.asarray(generator.integers(0, widths[-1], examples), jnp.int32)
    weights = [
        jnp.asarray(generator.normal(size=shape) * (2 / shape[0]) ** 0.5, jnp.float32)
        for shape in itertools.pairwise(widths)
    ]
    flat, unravel = ravel_pytree(weights)

    def loss(vector):
        values = images
        for layer, matrix in enumerate(unravel(vector)):
            values = (values if layer == 0 else jnp.maximum(values, 0)) @ matrix
        chosen = jnp.take_along_axis(values, labels[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(values, axis=1) - chosen)

    descend = jax.jit(lambda vector: vector - np.float32(0.3) * jax.grad(loss)(vector))
    for _ in range(steps):
        flat = descend(flat)
    matrix = np.asarray(jax.jit(jax.hessian(loss))(flat), np.float64)
    return ((matrix + matrix.T) / 2).astype(np.float32)
