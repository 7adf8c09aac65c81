"""Exact laws of the breakpoints of a Gaussian neuron, in float64 on the host.

Along one family a neuron with weights w_1, w_2, alpha ~ N(0, 1) has its kink at t = -w_2 / w_1,
where the slope jumps by alpha |w_1|. In polar coordinates, |w_1| = r / sqrt(1 + t^2) with a
Rayleigh r that is independent of the angle, hence of t. So arctan t is uniform, t is Cauchy, and

    jump sqrt(1 + t^2) = alpha r   is Laplace(1), independent of t.

"Structured vs. Unstructured Pruning: An Exponential Gap" takes the jump for one standard Gaussian
weight and leaves out alpha.
"""

import math

import numpy as np
from jaxtyping import Bool, Shaped


def mass_of_interval(radius: float) -> float:
    """P(a kink falls in |t| <= sqrt(radius^2 - 1)), radius >= 1.

    Examples
    --------
    >>> round(mass_of_interval(2.0), 6)
    0.666667
    """
    return 2 / math.pi * math.acos(1 / radius)


def probability_jump_exceeds(gamma: float, low: float = -math.inf, high: float = math.inf) -> float:
    """P(|jump| > gamma and low <= t <= high).

    The integral of e^(-gamma sqrt(1 + t^2)) / (pi (1 + t^2)) from `low` to `high`.

    Parameters
    ----------
    gamma
        At least 0.
    low, high
        An interval, by default the whole line.

    Examples
    --------
    >>> round(probability_jump_exceeds(0.5), 4)
    0.4098
    """
    from scipy.integrate import quad  # on first use: importing the package stays light

    def density(angle: float) -> float:  # of the angle arctan t, which is uniform
        cosine = math.cos(angle)
        return math.exp(-gamma / cosine) if cosine > 1e-300 else 0.0

    return quad(density, math.atan(low), math.atan(high), epsabs=1e-13)[0] / math.pi


def single_kink_breaks(
    jump: Shaped[np.ndarray, "*shape"] | float,
    position: Shaped[np.ndarray, "*shape"] | float,
    constant: float,
) -> Bool[np.ndarray, "*shape"] | np.bool_:
    """Whether one kink by itself breaks its bin: |jump| x (1 - x) >= 2 c.

    The hulls of a function with one kink are |jump| x (1 - x) bin lengths apart.

    Parameters
    ----------
    jump
        Change of the slope.
    position
        x, relative to a whole bin, from 0 to 1.
    constant
        c of Definition 2.

    Examples
    --------
    >>> bool(single_kink_breaks(1.0, 0.5, 0.125)), bool(single_kink_breaks(1.0, 0.4, 0.125))
    (True, False)
    """
    return np.abs(jump) * position * (1 - np.asarray(position)) >= 2 * constant


def probability_breaks(radius: float, constant: float) -> float:
    """P(one neuron breaks a bin that has no other kink), the kink uniform in its bin.

    The double integral of e^(-2 c sqrt(1 + t^2) / (x (1 - x))) / (pi (1 + t^2)) over the interval
    and over the position x in the bin. Inside one short bin the density of t is nearly constant, so
    this is the limit of short bins; the density varies least in the middle.

    Examples
    --------
    >>> round(probability_breaks(2.0, 0.0), 6)
    0.666667
    """
    from scipy.integrate import quad

    def at(position: float) -> float:
        if position <= 0:
            return float(constant == 0)
        gamma = 2 * constant / (position * (1 - position))
        return quad(lambda angle: math.exp(-gamma / math.cos(angle)), 0, math.acos(1 / radius))[0]

    return 2 * 2 / math.pi * quad(at, 0, 0.5, epsabs=1e-10)[0]  # symmetric in angle and position
