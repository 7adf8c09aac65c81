"""PruneNetwork as its definition reads, in loops and float64; shares no code with the package."""

from typing import NamedTuple

import numpy as np


class Result(NamedTuple):
    even: np.ndarray  # scores of d + 1 coordinates
    odd: np.ndarray
    first: np.ndarray  # absolute entries of the gradient that line 3 truncates
    kept: set  # numbers of coordinates, d for the appended one


def prune(inputs, targets, noise, biases, *, shift, kept, convention="appendix"):
    rows = np.concatenate([inputs, noise[:, None]], axis=1).astype(np.float64)
    dim = inputs.shape[1]
    basis = np.eye(dim + 1)
    shifted = [shift * basis[i] + np.sqrt(1 - shift**2) * basis[dim] for i in range(dim)]
    shifted.append(basis[dim])
    plus, minus = (even, odd) if convention == "appendix" else (odd, even)
    line4, line5 = np.zeros(dim + 1), np.zeros(dim + 1)
    for bias in biases:
        for i, weight in enumerate(shifted):
            line4[i] += np.sum(truncated(gradient(rows, targets, weight, bias, plus), kept) ** 2)
            line5[i] += np.sum(truncated(gradient(rows, targets, weight, bias, minus), kept) ** 2)
    one = next((bias for bias in biases if bias >= 0), max(biases))
    first = np.abs(gradient(rows, targets, basis[dim], one, minus))
    chosen = set(top(first, kept)) | set(top(line4, kept)) | set(top(line5, kept))
    scores = (line4, line5) if convention == "appendix" else (line5, line4)
    return Result(*scores, first, chosen)


def step(t):
    """The derivative of ReLU, 0 at 0."""
    return 1.0 if t > 0 else 0.0


def even(t, bias):
    """The derivative of the even part of the activation."""
    return (step(t + bias) - step(-t + bias)) / 2


def odd(t, bias):
    """The derivative of the odd part."""
    return (step(t + bias) + step(-t + bias)) / 2


def gradient(rows, targets, weight, bias, derivative):
    total = np.zeros(rows.shape[1])
    for row, target in zip(rows, targets, strict=True):
        total -= target * row * derivative(float(weight @ row), float(bias))
    return total / len(rows)


def truncated(vector, kept):
    result = np.zeros_like(vector)
    chosen = top(np.abs(vector), kept)
    result[chosen] = vector[chosen]
    return result


def top(values, kept):
    return sorted(range(len(values)), key=lambda i: (-values[i], i))[:kept]
