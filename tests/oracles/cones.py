"""The cone of an ellipsoid seen from a point outside: certificates, and a general solver."""

import numpy as np
from scipy import optimize


def faults(direction, found, curvatures, displaced, epsilon):
    """How far `found` is from the projection of `direction` on the cone, by Moreau's conditions.

    The cone is that of {y : 1/2 y'Hy <= epsilon} - c. Its polar cone has the closed form that the
    support function of the set is at most 0. All three numbers vanish for the projection alone.
    """
    rest = direction - found
    size = np.linalg.norm(direction)
    # In the cone: some y = c + t found, t >= 0, has loss at most epsilon; the least is at t*.
    bend, fall = found @ (curvatures * found), -(found @ (curvatures * displaced))
    start = displaced @ (curvatures * displaced)
    least = start - max(fall, 0) ** 2 / bend if bend > 0 else start
    outside = max(least / 2 / epsilon - 1, 0) if np.linalg.norm(found) > 1e-7 * size else 0.0
    # The rest in the polar cone: support of the ellipsoid at the rest, less c.
    is_flat = curvatures == 0
    reach = np.sqrt(np.sum(2 * epsilon * rest[~is_flat] ** 2 / curvatures[~is_flat]))
    scale = np.linalg.norm(displaced) * size
    above = max((reach - rest @ displaced) / scale, 0) + np.linalg.norm(rest[is_flat]) / size
    return outside, above, abs(found @ rest) / size**2


def project_slow(direction, curvatures, displaced, epsilon):
    """The projection by a general solver: nearest t (y - c) with t >= 0 and y in the set."""
    # With z = t y: minimise |z - t c - g|^2 over 1/2 z'Hz <= epsilon t^2, t >= 0.
    size = len(direction)

    def distance(variables):
        gap = variables[:size] - variables[size] * displaced - direction
        gradient = np.append(2 * gap, -2 * gap @ displaced)
        return gap @ gap, gradient

    inside = {
        "type": "ineq",
        "fun": lambda v: epsilon * v[size] ** 2 - v[:size] @ (curvatures * v[:size]) / 2,
        "jac": lambda v: np.append(-curvatures * v[:size], 2 * epsilon * v[size]),
    }
    best = optimize.minimize(
        distance,
        np.append(np.zeros(size), 1.0),
        jac=True,
        bounds=[(None, None)] * size + [(0, None)],
        constraints=[inside],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    return best.x[:size] - best.x[size] * displaced


def dimension_by_intrinsic_angle(sine_squared, size):
    """The statistical dimension of a circular cone, by integrals over the angle to its axis."""
    # A Gaussian vector makes the angle b with the axis with density ~ sin^(D-2) b, and its
    # squared length is D on average, independent of the angle.
    angles = np.linspace(0, np.pi, 400_001)[1:-1]
    log_density = (size - 2) * np.log(np.sin(angles))
    density = np.exp(log_density - log_density.max())
    opening = np.arcsin(np.sqrt(sine_squared))
    part = np.where(
        angles <= opening,
        1.0,
        np.where(angles < opening + np.pi / 2, np.cos(angles - opening) ** 2, 0.0),
    )
    return size * np.sum(density * part) / np.sum(density)
