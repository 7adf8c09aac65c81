"""Sparse features in plain float64 NumPy: data, and the gradient of a unit by quadrature."""

import numpy as np
from numpy.polynomial import hermite_e, legendre


def product_link(terms, z):
    """Sum of c prod He_a(z_i) / sqrt(a_i!) over {multi-index: c} at rows of z."""
    total = np.zeros(len(z))
    for index, coefficient in terms.items():
        value = np.full(len(z), float(coefficient))
        for i, degree in enumerate(index):
            norm = np.sqrt(np.prod(np.arange(1.0, degree + 1)))
            value *= hermite_e.hermeval(z[:, i], [0] * degree + [1]) / norm
        total += value
    return total


def step(t, bias, part):
    """relu'(t + b), or the derivative of the even or odd part of relu(t + b) in t."""
    ahead, behind = np.heaviside(t + bias, 0.0), np.heaviside(bias - t, 0.0)
    return {"all": ahead, "even": (ahead - behind) / 2, "odd": (ahead + behind) / 2}[part]


def gradient(terms, directions, weight, bias, part):
    """E f(V^T x) relu'_part(<w, x> + b) x for a unit vector w.

    x enters by its components in the span of w and V. The first axis is w itself, in Gauss-Legendre
    pieces that end at the two steps; along the others the integrand is a polynomial, which Gauss
    and Hermite's rule of 6 nodes integrates exactly to degree 11.
    """
    basis = span(weight, directions)
    edges = np.unique(np.concatenate([np.arange(-10.0, 11.0), [-bias, bias]]))
    points, point_weights = legendre.leggauss(16)
    middles, halves = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    line = (middles[:, None] + halves[:, None] * points).ravel()
    line_weights = (halves[:, None] * point_weights).ravel()
    line_weights = line_weights * np.exp(-(line**2) / 2) / np.sqrt(2 * np.pi)
    others, other_weights = hermite_e.hermegauss(6)
    other_weights = other_weights / other_weights.sum()

    axes = [line] + [others] * (basis.shape[1] - 1)
    weights = [line_weights] + [other_weights] * (basis.shape[1] - 1)
    place = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, basis.shape[1])
    mass = np.stack(np.meshgrid(*weights, indexing="ij"), -1).reshape(place.shape).prod(1)
    targets = product_link(terms, place @ (basis.T @ directions))
    return basis @ (place.T @ (mass * targets * step(place[:, 0], bias, part)))


def span(weight, directions):
    """Orthonormal columns that span w, which comes first, and V."""
    columns = [weight / np.linalg.norm(weight)]
    for direction in directions.T:
        rest = direction
        for _ in range(2):  # once more for rounding
            rest = rest - sum(column * (column @ rest) for column in columns)
        if np.linalg.norm(rest) > 1e-9:
            columns.append(rest / np.linalg.norm(rest))
    return np.stack(columns, axis=1)


def draw(generator, terms, directions, num_samples, noise=0.0):
    """Normal inputs and their targets."""
    inputs = generator.standard_normal((num_samples, len(directions)))
    targets = product_link(terms, inputs @ directions)
    return inputs, targets + noise * generator.standard_normal(num_samples)
