"""A mean over batches of linear functions, as one operator: linearised once, held, or streamed."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float, PyTree

from lottery_jax.core.leaves import Leaves
from lottery_jax.spectrum.batches import Loss, num_bytes, num_examples, place, same_shapes, stack
from lottery_jax.spectrum.operator import Operator, Vectors

Keep = Literal["auto", "linearized", "data", "batch"]
# (prunable weights, all params, batch) -> a linear function of one vector, as a pytree
Linear = Callable[[Float[Array, " size"], PyTree, PyTree], Callable[..., Any]]

_KEPT_BYTES = 2**30  # what "auto" keeps at most


def mean_operator(
    linear: Linear,
    loss: Loss,
    params: PyTree,
    batches: Sequence[PyTree],
    *,
    leaves: Leaves,
    keep: Keep,
    mesh: Mesh | None,
    is_semidefinite: bool,
) -> Operator:
    """The mean over all examples of what `linear` gives at each batch; see `products.hessian`."""
    if keep not in ("auto", "linearized", "data", "batch"):
        raise ValueError(f'{keep=} must be "auto", "linearized", "data" or "batch"')
    vector = leaves.vector(params)
    if keep == "auto":
        keep = _what_fits(linear, vector, params, batches)
    total = sum(map(num_examples, batches))
    # XLA on CPU runs convolutions inside a compiled loop many times slower than from the host.
    is_slow = jax.default_backend() == "cpu" and "conv_general_dilated" in str(
        jax.make_jaxpr(loss)(params, batches[0])
    )
    if is_slow and keep == "linearized":
        functions = [
            (
                _linearized_batch(linear, vector, params, batch),
                np.float32(num_examples(batch) / total),
            )
            for batch in (place(each, mesh, axis=0) for each in batches)
        ]
        return Operator(leaves.size, _one_by_one, functions, False, is_semidefinite)
    if is_slow and keep == "data":
        batches, keep = [place(batch, mesh, axis=0) for batch in batches], "batch"
    if keep == "batch":
        # A host-level product: what it needs stays with it, and it holds two batches at most.
        product = functools.partial(_streamed, linear, batches, total, mesh)
        return Operator(leaves.size, product, (vector, params), False, is_semidefinite)
    groups = [
        (stack(group, mesh), np.array([num_examples(b) / total for b in group], np.float32))
        for group in same_shapes(batches)
    ]
    arrays: Any = (vector, params, groups)
    product = _product_of(linear)
    if keep == "linearized":
        arrays = [
            (_linearized(linear, vector, params, stacked), shares) for stacked, shares in groups
        ]
        product = _linearized_product
    return Operator(leaves.size, product, arrays, True, is_semidefinite)


def _what_fits(linear: Linear, vector, params, batches) -> Keep:
    data = sum(num_bytes(batch) for batch in batches)
    if data > _KEPT_BYTES:
        return "batch"
    kept = sum(
        len(group) * num_bytes(jax.eval_shape(linear, vector, params, group[0]))
        for group in same_shapes(batches)
    )
    return "linearized" if kept <= _KEPT_BYTES else "data"


@functools.partial(jax.jit, static_argnums=0)
def _linearized(linear: Linear, vector, params, stacked):
    """The linear functions of all batches, stacked."""
    with jax.default_matmul_precision("highest"):
        return lax.map(lambda batch: linear(vector, params, batch), stacked)


def _linearized_product(arrays, vectors: Vectors) -> Vectors:
    """Sum over batches of each one's share times its linear function."""

    def add(total, part):
        function, share = part
        with jax.default_matmul_precision("highest"):
            return total + share * jax.vmap(function)(vectors), None

    return _sum_over(add, arrays, vectors)


@functools.lru_cache(maxsize=32)
def _product_of(linear: Linear):
    """The same from the data: the linear functions are made anew for every product."""

    def product(arrays, vectors: Vectors) -> Vectors:
        vector, params, groups = arrays

        def add(total, part):
            batch, share = part
            with jax.default_matmul_precision("highest"):
                function = linear(vector, params, batch)
                return total + share * jax.vmap(function)(vectors), None

        return _sum_over(add, groups, vectors)

    return product


def _sum_over(add, groups, vectors: Vectors) -> Vectors:
    total = jnp.zeros_like(vectors)
    for parts, shares in groups:
        if len(shares) == 1:  # without a loop XLA may fuse and reorder more
            total, _ = add(total, jax.tree.map(lambda leaf: leaf[0], (parts, jnp.asarray(shares))))
        else:
            total, _ = lax.scan(add, total, (parts, jnp.asarray(shares)))
    return total


@functools.partial(jax.jit, static_argnums=0)
def _linearized_batch(linear: Linear, vector, params, batch):
    with jax.default_matmul_precision("highest"):
        return linear(vector, params, batch)


def _one_by_one(functions, vectors: Vectors) -> Vectors:
    """The sum over batches from the host."""
    result = jnp.zeros_like(vectors)
    for function, share in functions:
        result = _add_function(result, function, share, vectors)
    return result


@functools.partial(jax.jit, donate_argnums=0)
def _add_function(result, function, share, vectors):
    with jax.default_matmul_precision("highest"):
        return result + share * jax.vmap(function)(vectors)


def _streamed(linear, batches, total, mesh, arrays, vectors: Vectors) -> Vectors:
    """One batch after the other; the next is on its way while this one is worked on, no more."""
    vector, params = arrays
    result = jnp.zeros_like(vectors)
    for batch in batches:
        share = np.float32(num_examples(batch) / total)
        placed = place(batch, mesh, axis=0)
        jax.block_until_ready(result)  # or the host would send all batches ahead
        result = _add_batch(linear, result, vector, params, placed, share, vectors)
    return result


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def _add_batch(linear, result, vector, params, batch, share, vectors):
    with jax.default_matmul_precision("highest"):
        return result + share * jax.vmap(linear(vector, params, batch))(vectors)
