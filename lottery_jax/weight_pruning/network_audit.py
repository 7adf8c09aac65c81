"""The pruned random network itself: its masked matrices part by part, its outputs, its error.

Nothing here knows of subset sums. All weights of the random network are drawn again, pruned ones
included, the masks are applied, and the matrices are multiplied, in float64. The hidden neurons of
a layer come in parts, so that memory stays bounded.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int

from lottery_jax.weight_pruning.expanded import BLOCK, draw_block
from lottery_jax.weight_pruning.network import PrunedNetwork, check_weights


class Part(NamedTuple):
    """Some hidden neurons of one expanded layer, with their masks."""

    hidden: Float32[np.ndarray, "neuron input"]
    hidden_mask: Bool[np.ndarray, "neuron input"]  # True where the weight is kept
    output: Float32[np.ndarray, "output neuron"]
    output_mask: Bool[np.ndarray, "output neuron"]


class Audit(NamedTuple):
    """The pruned random network beside its target, on some images."""

    accuracy_before: float  # of the target
    accuracy_after: float  # of the pruned random network
    output_difference: float  # largest difference of any output on any image
    # Largest difference between a weight of the target and the response of the pruned layer to a
    # unit input or its negative.
    weight_error: float


def lift(pruned: PrunedNetwork, layer: int) -> Iterator[Part]:
    """The matrices and masks that stand for one layer of the target, part by part.

    The layer computes sum over parts of (output * output_mask) @ h((hidden * hidden_mask) @ x),
    where h is a ReLU for "independent" and nothing for "pool".
    """
    network = pruned.network
    edges, inputs, outputs = network.num_edges, *network.widths[layer : layer + 2]
    for start in range(0, inputs, BLOCK):
        some = range(start, min(start + BLOCK, inputs))
        block = draw_block(network, layer, some)
        kept = np.unpackbits(pruned.masks[layer][start : some.stop], axis=-1, count=edges)
        output_mask = kept.astype(bool).transpose(1, 0, 2).reshape(outputs, -1)
        own = np.repeat(np.asarray(some), edges)
        hidden_mask = np.zeros((own.size, inputs), bool)
        hidden_mask[np.arange(own.size), own] = output_mask.any(axis=0)
        output = block.output.transpose(2, 0, 1).reshape(outputs, -1)
        yield Part(block.hidden.reshape(-1, inputs), hidden_mask, output, output_mask)


def count_kept(pruned: PrunedNetwork) -> int:
    """Weights that the masks of all layers keep; a parallel edge is one weight."""
    has_hidden = pruned.network.construction == "independent"
    return sum(
        has_hidden * int(part.hidden_mask.sum()) + int(part.output_mask.sum())
        for layer in range(pruned.network.num_layers)
        for part in lift(pruned, layer)
    )


def evaluate(
    pruned: PrunedNetwork, images: Float[np.ndarray, "image input"]
) -> Float64[np.ndarray, "image output"]:
    """The outputs of the pruned random network."""
    return _evaluate(pruned, images)[0]


def audit(
    pruned: PrunedNetwork,
    weights: Any,
    images: Float[np.ndarray, "image input"],
    labels: Int[np.ndarray, " image"],
) -> Audit:
    """Compare the pruned random network with the target, from its own weights.

    Parameters
    ----------
    weights
        The target, as given to `prune_network`.
    images, labels
        Held-out images and their classes.

    Notes
    -----
    Cost: 2 (images + 2 inputs) multiplications for each weight of the random network, in float64.

    Examples
    --------
    >>> from lottery_jax.core import keys
    >>> from lottery_jax.weight_pruning.network import prune_network
    >>> target = [np.float32([[0.5, -0.25], [0.125, 0.5]])]
    >>> pruned = prune_network(target, key=keys.root(0), epsilon=0.01, progress=False)
    >>> result = audit(pruned, target, np.eye(2), np.array([0, 1]))
    >>> result.accuracy_after, result.weight_error <= 0.01
    (1.0, True)
    """
    targets = [matrix.astype(np.float64) for matrix in check_weights(weights)]
    before = np.asarray(images, np.float64)
    for layer, matrix in enumerate(targets):
        before = (before if layer == 0 else np.maximum(before, 0)) @ matrix.T
    after, responses = _evaluate(pruned, images)
    errors = [
        max(np.abs(plus.T - matrix).max(), np.abs(minus.T + matrix).max())
        for matrix, (plus, minus) in zip(targets, responses, strict=True)
    ]
    return Audit(
        accuracy_before=float(np.mean(before.argmax(axis=1) == labels)),
        accuracy_after=float(np.mean(after.argmax(axis=1) == labels)),
        output_difference=float(np.abs(after - before).max()),
        weight_error=float(max(errors)),
    )


def _evaluate(pruned: PrunedNetwork, images):
    """Outputs on the images, and of each layer on the unit inputs and their negatives."""
    values, responses = np.asarray(images, np.float64), []
    for layer in range(pruned.network.num_layers):
        values = values if layer == 0 else np.maximum(values, 0)
        total = plus = minus = np.zeros(())
        for part in lift(pruned, layer):
            hidden = np.where(part.hidden_mask, part.hidden, 0).astype(np.float64)
            output = np.where(part.output_mask, part.output, 0).astype(np.float64).T
            total = total + _activate(pruned, values @ hidden.T) @ output
            plus = plus + _activate(pruned, hidden.T) @ output
            minus = minus + _activate(pruned, -hidden.T) @ output
        values = total
        responses.append((plus, minus))
    return values, responses


def _activate(pruned: PrunedNetwork, values):
    return np.maximum(values, 0) if pruned.network.construction == "independent" else values
