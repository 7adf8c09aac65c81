"""Spectra by dense linear algebra in float64, and nothing else."""

import numpy as np


def eigenvalues(matrix):
    """All of them, of the symmetric part."""
    matrix = np.asarray(matrix, np.float64)
    return np.linalg.eigvalsh((matrix + matrix.T) / 2)


def mean_of(matrix, function):
    """tr f(H) / D."""
    return float(np.mean(function(eigenvalues(matrix))))


def seen_from(matrix, vector):
    """Eigenvalues, and the squared parts of a vector of length 1 along their eigenvectors."""
    values, vectors = np.linalg.eigh(np.asarray(matrix, np.float64))
    parts = (vectors.T @ np.asarray(vector, np.float64)) ** 2
    return values, parts / np.sum(parts)


def quadratic_form(matrix, vector, function):
    """vᵀ f(H) v / |v|²."""
    values, parts = seen_from(matrix, vector)
    return float(np.sum(parts * function(values)))


def spectrum_with(eigenvalues, seed):
    """A dense symmetric float32 matrix with these eigenvalues, in a random frame."""
    size = len(eigenvalues)
    frame, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return ((frame * eigenvalues) @ frame.T).astype(np.float32)
