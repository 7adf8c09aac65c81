"""Minimise any loss over the weights that a mask keeps."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

Loss = Callable[[PyTree, PyTree], Array]  # (params, batch) -> the mean over the batch


def descend(
    loss: Loss,
    params: PyTree,
    mask: PyTree,
    batches: Sequence[PyTree],
    *,
    passes: int = 10,
    learning_rate: float = 1e-3,
) -> PyTree:
    """The parameters after some passes of Adam over the batches, removed weights staying at 0.

    Parameters
    ----------
    params
        Where to start; multiplied by the mask first.
    mask
        Ones and zeros, of the structure of `params`.
    batches
        In the same order in every pass; they stay on the device.
    learning_rate
        Of the first pass; it falls linearly to a tenth of it in the last one.

    Raises
    ------
    ValueError
        For no batches, or settings out of range.

    Notes
    -----
    Deterministic. Cost: a gradient at every batch for every pass. Kingma and Ba (2015).

    Examples
    --------
    >>> def loss(params, batch):
    ...     return jnp.sum((params - 1) ** 2)
    >>> found = descend(loss, jnp.zeros(2), jnp.array([1.0, 0.0]), [jnp.ones(1)], passes=1000,
    ...     learning_rate=0.1)
    >>> found.round(4).tolist()
    [1.0, 0.0]
    """
    *_, last = descent(loss, params, mask, batches, passes=passes, learning_rate=learning_rate)
    return last


def descent(
    loss: Loss,
    params: PyTree,
    mask: PyTree,
    batches: Sequence[PyTree],
    *,
    passes: int = 10,
    learning_rate: float = 1e-3,
) -> Iterator[PyTree]:
    """The parameters before the first pass of `descend`, and after each: passes + 1 of them.

    Arguments and errors are those of `descend`; errors come with the first one.
    """
    if len(batches) == 0 or passes < 1 or not learning_rate > 0:
        raise ValueError(
            f"{len(batches)=}, {passes=} and {learning_rate=} must be positive: batches to go over"
        )
    placed = [jax.tree.map(jnp.asarray, batch) for batch in batches]
    rates = np.linspace(learning_rate, learning_rate / 10, passes, dtype=np.float32)
    state = _start(params, mask)
    yield state[0]
    for rate in rates:
        for batch in placed:
            state = _step(loss, state, mask, batch, rate)
        yield state[0]


@jax.jit
def _start(params, mask) -> tuple[PyTree, Any]:
    import optax  # on first use: importing the package stays light

    start = jax.tree.map(jnp.multiply, params, mask)
    return start, optax.scale_by_adam().init(start)


# A step at a time: XLA on CPU runs convolutions in a compiled loop many times slower.
@functools.partial(jax.jit, static_argnums=0)
def _step(loss, state, mask, batch, rate: Float[Array, ""]):
    import optax

    params, memory = state
    slope = jax.tree.map(jnp.multiply, jax.grad(loss)(params, batch), mask)
    with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer power
        update, memory = optax.scale_by_adam().update(slope, memory)
    return jax.tree.map(lambda p, u: p - rate * u, params, update), memory
