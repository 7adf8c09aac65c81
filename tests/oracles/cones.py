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
    # In the cone: the line c + t found, t >= 0, reaches the set, or runs along flat directions.
    bend, fall = found @ (curvatures * found), -(found @ (curvatures * displaced))
    start = displaced @ (curvatures * displaced)
    outside = 0.0
    if bend > 1e-16 * curvatures.max() * size**2:
        outside = max((start - max(fall, 0) ** 2 / bend) / 2 / epsilon - 1, 0)
    # The rest in the polar cone: support of the ellipsoid at the rest, less c.
    is_flat = curvatures == 0
    reach = np.sqrt(np.sum(2 * epsilon * rest[~is_flat] ** 2 / curvatures[~is_flat]))
    scale = np.linalg.norm(displaced) * size
    above = max((reach - rest @ displaced) / scale, 0) + np.linalg.norm(rest[is_flat]) / size
    return outside, above, abs(found @ rest) / size**2


def project_slow(direction, curvatures, displaced, epsilon):
    """The projection by a search over t >= 0 for the nearest point of t (set - c)."""

    def nearest(t):
        # t c is added to have the ellipsoid z'Hz / 2 <= epsilon t^2 around 0.
        goal = direction + t * displaced
        of = lambda multiplier: goal / (1 + multiplier * curvatures)  # noqa: E731
        excess = lambda m: of(m) @ (curvatures * of(m)) / 2 - epsilon * t**2  # noqa: E731
        top = 1.0
        while excess(top) > 0:
            top *= 2
        root = optimize.brentq(excess, 0, top, xtol=1e-15) if excess(0) > 0 else 0.0
        return of(root) - t * displaced

    def distance(log_t):
        return np.sum((nearest(np.exp(log_t)) - direction) ** 2)

    grid = np.linspace(-12, 12, 121)
    first = grid[np.argmin([distance(each) for each in grid])]
    best = optimize.minimize_scalar(
        distance, bounds=(first - 0.3, first + 0.3), method="bounded", options={"xatol": 1e-9}
    )
    return nearest(np.exp(best.x))


def dimension_of_circular_cone(sine_squared, size):
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
