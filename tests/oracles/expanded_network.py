"""A random network with one hidden layer for each layer of its target, weight by weight in float64.

`hidden` [input, edge] holds the one input weight of each hidden neuron that serves an input, and
`output` [input, edge, output] its output weights.
"""

import numpy as np

from tests.oracles.subset_sum import least_error_by_search


def least_errors(hidden, output, target, num_items):
    """For each weight target[output, input], the larger error of its two nearest subset sums.

    The positive inputs are served by the first `num_items` neurons with hidden > 0, the negative
    ones by the first with hidden < 0.
    """
    errors = np.zeros(target.shape)
    for o, i in np.ndindex(*target.shape):
        for sign in (1, -1):
            acts = np.flatnonzero(sign * hidden[i] > 0)[:num_items]
            items = np.float64(output[i, acts, o]) * np.abs(np.float64(hidden[i, acts]))
            error = least_error_by_search(items, sign * float(target[o, i]))
            errors[o, i] = max(errors[o, i], error)
    return errors


def outputs(layers, points):
    """Outputs of the pruned network; each layer is (hidden, output, kept [input, edge, output])."""
    values = np.float64(points)
    for number, (hidden, output, kept) in enumerate(layers):
        values = values if number == 0 else np.maximum(values, 0)
        following = np.zeros((len(points), output.shape[2]))
        for i, edge, o in zip(*np.nonzero(kept), strict=True):
            active = np.maximum(np.float64(hidden[i, edge]) * values[:, i], 0)
            following[:, o] += np.float64(output[i, edge, o]) * active
        values = following
    return values


def responses(hidden, output, kept):
    """The weight [output, input] that inputs see where they are positive, and where negative."""
    both = np.float64(hidden)[:, :, None] * np.float64(output) * kept
    is_positive = hidden[:, :, None] > 0
    return (
        np.where(is_positive, both, 0).sum(axis=1).T,
        np.where(is_positive, 0, both).sum(axis=1).T,
    )
