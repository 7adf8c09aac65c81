"""Batches in tiles with the batch axis last, however a caller maps a function over instances.

A function of one instance is written for many side by side ("lanes", the last axis of every array).
`jax.vmap` of it then runs as a loop over tiles that stay in the cache of a core.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

# On a CPU a tile stays in the cache of a core; elsewhere memory is the limit.
_KEYS_PER_TILE = {"cpu": 2**17}
_MOST_LANES = {"cpu": 64}


def lanes_of(keys: int) -> int:
    """How many instances of `keys` list entries each are a tile on the default backend.

    Examples
    --------
    >>> lanes_of(2**30)
    1
    """
    backend = jax.default_backend()
    return max(1, min(_MOST_LANES.get(backend, 2**14), _KEYS_PER_TILE.get(backend, 2**25) // keys))


def in_lanes(
    prepare: Callable[..., Any], solve: Callable[[Any], Any], *, keys: Callable[[int], int]
) -> Callable[..., Any]:
    """A function of one instance, and its `jax.vmap`, from two functions of many instances.

    Parameters
    ----------
    prepare
        Arrays with a last axis "lane" -> any pytree. Runs once for all tiles.
    solve
        What `prepare` gives for one tile -> a pytree of arrays with a last axis "lane".
    keys
        From the length of the first axis of the first argument to the list entries of an instance.
    """

    @jax.custom_batching.custom_vmap
    def single(*arguments):
        answers = solve(prepare(*(each[..., None] for each in arguments)))
        return jax.tree.map(lambda each: each[..., 0], answers)

    @single.def_vmap
    def batch(axis_size, is_batched, *arguments):
        num_items = arguments[0].shape[1 if is_batched[0] else 0]
        lanes = min(axis_size, lanes_of(keys(num_items)))
        tiles = -(-axis_size // lanes)
        # The last tile is filled up with the last instance.
        index = jnp.minimum(jnp.arange(tiles * lanes, dtype=jnp.int32), axis_size - 1)

        def split(argument, has_batch):
            if not has_batch:
                argument = jnp.broadcast_to(argument, (axis_size, *argument.shape))
            argument = argument[index] if tiles * lanes > axis_size else argument
            return jnp.moveaxis(argument.reshape(tiles, lanes, *argument.shape[1:]), 1, -1)

        answers = lax.map(solve, jax.vmap(prepare)(*map(split, arguments, is_batched)))

        def join(leaf):
            leaf = jnp.moveaxis(leaf, -1, 1)
            return leaf.reshape(tiles * lanes, *leaf.shape[2:])[:axis_size]

        return jax.tree.map(join, answers), jax.tree.map(lambda _: True, answers)

    return single
