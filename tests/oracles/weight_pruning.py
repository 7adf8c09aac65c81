"""Pensia's construction in plain float64: the least criterion over all masks, neuron by neuron."""

import numpy as np

from tests.oracles.subset_sum import least_error_by_search


def least_criterion(hidden, output, target, num_neurons):
    """The criterion on the unit ball, minimised over all masks of the first `num_neurons`."""
    hidden, output = np.float64(hidden)[:num_neurons], np.float64(output)[:num_neurons]
    dim = len(target)
    total = 0.0
    for coordinate in range(dim):
        serves = np.arange(num_neurons) % dim == coordinate
        errors = []
        for sign in (1, -1):
            acts = serves & (hidden < 0 if sign < 0 else hidden >= 0)
            items = np.abs(hidden[acts]) * output[acts]
            errors.append(least_error_by_search(items, sign * float(target[coordinate])))
        total += max(errors) ** 2
    return total**0.5


def sampled_sup(hidden, output, target, *, count, seed):
    """The largest |relu(sum_j output_j relu(<hidden_j, x>)) - relu(<target, x>)| met on random
    points of the unit sphere and their coordinate directions."""
    dim = len(target)
    points = np.random.default_rng(seed).normal(size=(count, dim))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points = np.concatenate([points, np.eye(dim), -np.eye(dim)])
    values = np.maximum(points @ np.float64(hidden).T, 0) @ np.float64(output)
    return np.abs(np.maximum(values, 0) - np.maximum(points @ np.float64(target), 0)).max()
