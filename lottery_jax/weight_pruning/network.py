"""Prune a random network until it is a given dense ReLU network: every weight, one by one.

The random networks and their constructions are those of `expanded`, the searches those of
`weight_search`. Work is done and stored in chunks of some inputs of one layer; what a chunk finds
depends on its weights, the settings and the key alone, not on the size of the chunks, on the
devices, or on what was stored before. `network_audit` evaluates the pruned network by itself.
"""

import base64
import hashlib
import itertools
import json
import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray, UInt8

from lottery_jax.core import keys
from lottery_jax.core.compat import make_mesh
from lottery_jax.montecarlo.collect import Progress, reporting
from lottery_jax.montecarlo.experiment import check_epsilons
from lottery_jax.montecarlo.store import Row, Store
from lottery_jax.weight_pruning import weight_search
from lottery_jax.weight_pruning.expanded import (
    BLOCK,
    CONSTRUCTIONS,
    MAX_ITEMS,
    RandomNetwork,
    draw_block,
    pool,
    random_network,
)

NAME = "network_pruning"
# Sums in a chunk. An upper limit, but a chunk holds at least all weights of one input.
CHUNK_SUMS = {"independent": 2**14, "pool": 2**17}
# Errors are right to a relative 2**-22 (`subset_sum.problem.Match`).
_SLACK = 2.0**-20


class PrunedNetwork(NamedTuple):
    """Masks that turn a random network into an approximation of a target, and what was counted."""

    network: RandomNetwork
    epsilon: float  # accuracy asked of every weight
    # Kept edges from the neurons or parallel edges that serve an input to an output; bits packed by
    # `numpy.packbits`. One array for each layer.
    masks: tuple[UInt8[np.ndarray, "input output byte"], ...]
    num_targets: int  # weights of the target
    failed: int  # of them without a sum within epsilon
    undecided: int  # of them where rounding cannot tell
    largest_error: float  # of all weights, failed ones included
    kept: int  # weights of the random network that are kept
    seconds: float  # drawing, searching and compiling, over all runs of a resumed one

    @property
    def initial(self) -> int:
        """Weights of the random network."""
        return self.network.num_weights


def prune_network(
    weights: Sequence[Any],
    *,
    key: PRNGKeyArray,
    epsilon: float,
    num_items: int | None = None,
    law: str = "uniform",
    construction: str = "independent",
    store: Store | str | os.PathLike | None = None,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> PrunedNetwork:
    """Find every weight of a dense ReLU network as a subset sum in a random one.

    Parameters
    ----------
    weights
        The matrices [output, input] of the target, the first layer first, taken in float32.
    key
        A typed key; the random network follows from it, construction and law.
    epsilon
        Every weight should be met to this accuracy. Weights that are not are counted, and keep the
        nearest sum that was found.
    num_items
        n of `expanded`; `default_items` if None.
    law
        "uniform" or "product_normal"; see `expanded.random_network`.
    construction
        "independent" or "pool"; see `expanded`.
    store
        File of rows, one for each chunk, or None to keep nothing. Stored chunks are not run again.
    mesh
        Devices; all by default.
    progress
        True for a bar, False for silence, or a function called with (weights done, weights).

    Raises
    ------
    ValueError
        For matrices that do not follow on each other or are not finite, or a setting outside its
        range; StoreError for an unusable store.

    Notes
    -----
    Memory: a few hundred bytes for each sum of a chunk, and the masks. Pensia et al. (2020).

    Examples
    --------
    >>> target = [np.float32([[0.5, -0.25]])]
    >>> found = prune_network(
    ...     target, key=keys.root(0), epsilon=0.01, construction="pool", progress=False
    ... )
    >>> found.failed, found.num_targets, found.initial
    (0, 2, 42)
    """
    targets = check_weights(weights)
    (epsilon,) = check_epsilons([epsilon])
    if num_items is None:
        num_items = default_items(epsilon, construction)
    widths = (targets[0].shape[1], *(len(matrix) for matrix in targets))
    network = random_network(key, widths, construction=construction, law=law, num_items=num_items)
    mesh = make_mesh() if mesh is None else mesh
    store = Store(store) if isinstance(store, (str, os.PathLike)) else store

    header = _header(network, targets, epsilon, key)
    stored = {} if store is None else store.only(header["id"])
    num_targets = sum(matrix.size for matrix in targets)
    rows, done = [], 0
    with reporting(progress, num_targets, f"{NAME} {construction}") as report:
        for number, (layer, inputs) in enumerate(chunks(network)):
            row = stored.get(number)
            if row is None:
                target = targets[layer].T[inputs.start : inputs.stop]
                row = {
                    **header,
                    "chunk": number,
                    **_run(network, layer, inputs, target, epsilon, mesh),
                }
                row["device"] = f"{mesh.size} x {mesh.devices.flat[0].device_kind}"
                if store is not None:
                    store.append(row)
            rows.append(row)
            done += row["trials"]
            report(done, num_targets)
    return _collect(network, epsilon, rows)


def default_items(epsilon: float, construction: str) -> int:
    """Items with which weights of size at most 1 rarely fail; 21 for a pool at ε = 0.01, as in the
    paper.

    Two items for each bit of 1/ε, and a number that does not depend on ε. Each sum of "independent"
    has items of its own, and all items of n have the wrong sign with probability 2^-n; besides, it
    gets only the neurons whose input weight has its sign. A pool has to be right once. Never more
    than `expanded.MAX_ITEMS`.

    Raises
    ------
    ValueError
        For an unknown construction.

    Examples
    --------
    >>> default_items(0.01, "pool"), default_items(0.01, "independent")
    (21, 40)
    """
    if construction not in CONSTRUCTIONS:
        raise ValueError(f"{construction=} must be one of {', '.join(CONSTRUCTIONS)}")
    more = 8 if construction == "pool" else 27
    return min(MAX_ITEMS[construction], max(1, more + round(2 * np.log2(1 / epsilon))))


def check_weights(weights: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """The matrices in float32.

    Raises
    ------
    ValueError
        Unless they are finite, not empty, and each takes what the one before gives.
    """
    with np.errstate(over="ignore"):
        targets = tuple(np.asarray(matrix, np.float32) for matrix in weights)
    shapes = [matrix.shape for matrix in targets]
    follow = all(after[-1:] == before[:1] for before, after in itertools.pairwise(shapes))
    if not shapes or any(len(shape) != 2 or 0 in shape for shape in shapes) or not follow:
        raise ValueError(f"{shapes=} must be those of matrices [output, input] that follow")
    for layer, matrix in enumerate(targets):
        if not np.isfinite(matrix).all():
            raise ValueError(f"layer {layer} holds weights that are not finite in float32")
    return targets


def chunks(network: RandomNetwork) -> list[tuple[int, range]]:
    """The pieces of work: a layer, and some of its inputs."""
    sums = 2 if network.construction == "independent" else 1
    found = []
    for layer, (inputs, outputs) in enumerate(
        zip(network.widths, network.widths[1:], strict=False)
    ):
        step = max(1, CHUNK_SUMS[network.construction] // (sums * outputs))
        found += [
            (layer, range(start, min(start + step, inputs))) for start in range(0, inputs, step)
        ]
    return found


def _header(network: RandomNetwork, targets, epsilon: float, key: PRNGKeyArray) -> Row:
    """What all rows of a run share, its identity first."""
    digest = hashlib.sha256()
    for matrix in targets:
        digest.update(np.ascontiguousarray(matrix).tobytes())
    header = {
        "name": NAME,
        "settings": {
            "construction": network.construction,
            "law": network.law,
            "num_items": network.num_items,
            "widths": "-".join(map(str, network.widths)),
            "target": digest.hexdigest()[:16],
        },
        "kind": "network",
        "bound": "lower",  # on the weights that can be met: more items were not searched
        "epsilons": [epsilon],
        "lanes": CHUNK_SUMS[network.construction],
        "stream": keys.STREAM_VERSION,
        "key": keys.describe(key),
    }
    canonical = json.dumps(header, sort_keys=True, separators=(",", ":"))
    return {"id": hashlib.sha256(canonical.encode()).hexdigest()[:16], **header}


def _run(network: RandomNetwork, layer: int, inputs: range, targets, epsilon: float, mesh) -> Row:
    """Search one chunk: the part of its row that has to be computed."""
    start = time.perf_counter()
    if network.construction == "pool":
        found = weight_search.by_pool(pool(network), targets)
    else:
        hidden, output = _own_weights(network, layer, inputs)
        found = weight_search.by_own_items(hidden, output, targets, epsilon=epsilon, mesh=mesh)
    is_met = found.error.astype(np.float64) * (1 + _SLACK) <= epsilon
    is_possible = found.error_low.astype(np.float64) * (1 - _SLACK) <= epsilon
    return {
        "trials": targets.size,
        "hits": [int(is_met.sum())],
        "undecided": [int((is_possible & ~is_met).sum())],
        "largest_error": float(found.error.max()),
        "kept": _count_kept(network, found.mask),
        "masks": base64.b64encode(np.packbits(found.mask, axis=-1).tobytes()).decode(),
        "seconds": time.perf_counter() - start,
        "versions": {"jax": jax.__version__},
    }


def _own_weights(network: RandomNetwork, layer: int, inputs: range):
    """Own input weights and output weights of the neurons that serve these inputs."""
    parts = []
    for start in range(inputs.start, inputs.stop, BLOCK):
        some = range(start, min(start + BLOCK, inputs.stop))
        block = draw_block(network, layer, some)
        parts.append((block.own(some), block.output))
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _count_kept(network: RandomNetwork, mask) -> int:
    """Kept weights: edges to an output, and one input weight of every neuron with such an edge."""
    edges = int(mask.sum())
    return edges if network.construction == "pool" else edges + int(mask.any(axis=1).sum())


def _collect(network: RandomNetwork, epsilon: float, rows: list[Row]) -> PrunedNetwork:
    """The whole from its chunks."""
    num_bytes = -(-network.num_edges // 8)
    masks = [
        np.zeros((inputs, outputs, num_bytes), np.uint8)
        for inputs, outputs in zip(network.widths, network.widths[1:], strict=False)
    ]
    for (layer, inputs), row in zip(chunks(network), rows, strict=True):
        part = np.frombuffer(base64.b64decode(row["masks"]), np.uint8)
        into = masks[layer][inputs.start : inputs.stop]
        into[:] = part.reshape(into.shape)
    trials, hits, undecided, kept, seconds = (
        sum(each[name][0] if isinstance(each[name], list) else each[name] for each in rows)
        for name in ("trials", "hits", "undecided", "kept", "seconds")
    )
    return PrunedNetwork(
        network=network,
        epsilon=epsilon,
        masks=tuple(masks),
        num_targets=trials,
        failed=trials - hits - undecided,
        undecided=undecided,
        largest_error=max(row["largest_error"] for row in rows),
        kept=kept,
        seconds=seconds,
    )
