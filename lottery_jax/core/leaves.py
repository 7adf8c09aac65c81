"""The prunable weights of a network as one vector: which leaves they are, in what order.

Pruning, its distances and the curvature all speak of a vector of D weights. Parameters come as any
pytree: nested dicts (Linen), states (NNX), tuples of matrices. `Leaves` is the map between the two.
By default a leaf is prunable if it has at least two axes: matrices and kernels, but no biases and
no parameters of normalisation.

The vector is float32 whatever the leaves are, and goes back into each in its own type. So the
derivatives of a loss with respect to the vector are float32 too, computed as precisely as the
leaves' type allows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

# What says which leaves are prunable: (path, leaf) -> bool, or a pytree of bools.
Chosen = Callable[[str, Any], bool] | PyTree | None


@dataclass(frozen=True)
class Leaves:
    """The chosen leaves of a pytree, laid end to end in the order of the tree."""

    structure: Any  # treedef of the whole pytree
    is_chosen: tuple[bool, ...]  # for every leaf
    # Of the chosen leaves, such as "layers/0/kernel"; "params" where there is nothing but an array.
    paths: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]  # likewise
    bounds: tuple[tuple[int, int], ...]  # first and one past the last place in the vector

    @property
    def size(self) -> int:
        """D, the number of prunable weights."""
        return self.bounds[-1][1]

    def vector(self, params: PyTree) -> Float[Array, " {self.size}"]:
        """The chosen leaves as one float32 vector, whatever type they have."""
        leaves = self.structure.flatten_up_to(params)
        chosen = [leaf for leaf, is_in in zip(leaves, self.is_chosen, strict=True) if is_in]
        return jnp.concatenate([jnp.ravel(leaf).astype(jnp.float32) for leaf in chosen])

    def replace(self, params: PyTree, vector: Float[Array, " {self.size}"]) -> PyTree:
        """`params` with the chosen leaves taken from the vector, in the types they have."""
        parts = iter(zip(self.bounds, self.shapes, strict=True))
        leaves = self.structure.flatten_up_to(params)
        for place, is_in in enumerate(self.is_chosen):
            if is_in:
                (start, stop), shape = next(parts)
                part = vector[start:stop].reshape(shape)
                leaves[place] = part.astype(jnp.result_type(leaves[place]))
        return self.structure.unflatten(leaves)

    def mask(self, kept: Bool[Array, " {self.size}"], like: PyTree) -> PyTree:
        """Ones and zeros to multiply `like` by, in its types; ones at leaves not chosen."""
        ones = jax.tree.map(jnp.ones_like, like)
        return self.replace(ones, kept.astype(jnp.float32))


def choose_leaves(params: PyTree, chosen: Chosen = None) -> Leaves:
    """Which leaves of `params` are prunable.

    Parameters
    ----------
    params
        A pytree of arrays, or of their shapes (`jax.ShapeDtypeStruct`).
    chosen
        None for floating-point leaves with two axes or more; or a function of a leaf's path (its
        keys joined by "/") and the leaf; or a pytree of bools with the structure of `params`.

    Raises
    ------
    ValueError
        If nothing is chosen, a chosen leaf does not hold floating-point numbers, or a pytree of
        bools does not fit.

    Examples
    --------
    >>> params = {"dense": {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}}
    >>> choose_leaves(params).paths
    ('dense/kernel',)
    >>> choose_leaves(params, lambda path, leaf: True).size
    8
    """
    found, structure = jax.tree_util.tree_flatten_with_path(params)
    paths = ["/".join(map(_word, path)) or "params" for path, _ in found]
    leaves = [leaf for _, leaf in found]
    if chosen is None:
        is_chosen = [_is_float(leaf) and np.ndim(leaf) >= 2 for leaf in leaves]
    elif callable(chosen):
        is_chosen = [bool(chosen(path, leaf)) for path, leaf in zip(paths, leaves, strict=True)]
    else:
        answers, given = jax.tree.flatten(chosen)
        if given != structure:
            raise ValueError(f"the pytree of bools has structure {given}, params have {structure}")
        is_chosen = [bool(answer) for answer in answers]
    kept = [
        (path, leaf) for path, leaf, is_in in zip(paths, leaves, is_chosen, strict=True) if is_in
    ]
    if not kept:
        listed = ", ".join(f"{p} {np.shape(leaf)}" for p, leaf in zip(paths, leaves, strict=True))
        raise ValueError(
            f"no prunable leaf among: {listed or 'no leaves at all'}; leaves with two axes or more "
            "are prunable, or those that `chosen(path, leaf)` names"
        )
    for path, leaf in kept:
        if not _is_float(leaf):
            raise ValueError(f"{path} holds {jnp.result_type(leaf)}; only floats can be pruned")
    stops = np.cumsum([np.size(leaf) for _, leaf in kept]).tolist()
    return Leaves(
        structure=structure,
        is_chosen=tuple(is_chosen),
        paths=tuple(path for path, _ in kept),
        shapes=tuple(tuple(np.shape(leaf)) for _, leaf in kept),
        bounds=tuple(zip([0, *stops[:-1]], stops, strict=True)),
    )


def _word(key: Any) -> str:
    """One step of a path: the name of a dict's entry, an attribute, or a place in a sequence."""
    for name in ("key", "name", "idx"):
        if hasattr(key, name):
            return str(getattr(key, name))
    return str(key)


def _is_float(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
