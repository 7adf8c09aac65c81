"""One gradient step and a ridge regression in float64 NumPy, neuron by neuron, for one mask."""

from typing import NamedTuple

import numpy as np


class Found(NamedTuple):
    """The network, and the errors on the rows that validate."""

    weights: np.ndarray  # (neuron, input)
    second: np.ndarray  # (strength, neuron)
    constant: np.ndarray  # (strength,)
    linear: np.ndarray  # (input,)
    validation: np.ndarray  # (strength,)


def learn(
    inputs, targets, mask, weights, biases, signs, new_biases, strengths, *, fits_linear=False
) -> Found:
    """`weights`, `biases` and `signs` are those of one neuron of each pair."""
    inputs, targets, weights, biases, signs, new_biases = (
        np.asarray(each, np.float64)
        for each in (inputs, targets, weights, biases, signs, new_biases)
    )
    mask = np.asarray(mask)
    num_fitted = len(inputs) - len(inputs) // 5
    x, y = inputs[:num_fitted], targets[:num_fitted]
    linear = np.where(mask, x.T @ y / len(x), 0) if fits_linear else np.zeros(x.shape[1])
    residuals = y - x @ linear
    moved = np.stack(
        [
            sign * np.mean((residuals * (x @ weight + bias > 0))[:, None] * x, axis=0) * mask
            for weight, bias, sign in zip(weights, biases, signs, strict=True)
        ]
    )
    moved = moved / np.median(np.linalg.norm(moved, axis=1))
    moved = np.concatenate([moved, -moved])
    second, constant = ridge(relu(x, moved, new_biases), residuals, strengths)
    fresh, wanted = inputs[num_fitted:], targets[num_fitted:]
    outputs = relu(fresh, moved, new_biases) @ second.T + constant + (fresh @ linear)[:, None]
    return Found(moved, second, constant, linear, np.mean((outputs - wanted[:, None]) ** 2, axis=0))


def relu(inputs, weights, biases):
    """One column for each neuron."""
    return np.stack(
        [np.maximum(inputs @ w + b, 0) for w, b in zip(weights, biases, strict=True)], axis=1
    )


def ridge(features, targets, strengths):
    """Least squares with one more row for each penalised weight, and a free constant."""
    features, targets = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    rows, size = features.shape
    variance = np.mean(np.var(features, axis=0))
    constant = np.ones((rows, 1))
    found = []
    for strength in strengths:
        penalty = np.sqrt(rows * strength * variance) * np.eye(size)
        matrix = np.block([[features, constant], [penalty, np.zeros((size, 1))]])
        wanted = np.concatenate([targets, np.zeros(size)])
        found.append(np.linalg.lstsq(matrix, wanted, rcond=None)[0])
    found = np.stack(found)
    return found[:, :-1], found[:, -1]
