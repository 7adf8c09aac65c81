"""The predicted limit: where a form of the limit, which falls, meets the fraction removed.

Sparsity is the fraction of prunable weights removed, rho = j / D with whole j, and F(j) is a form
at the displacement that removing j weights makes. The limit is the last j with F(j) >= j / D. Its
error is that of F carried over: the last j at which the lower, and the upper, end of F still is
above j / D. Kept weights are 1 - rho of them; `Limit.kept` says the same in that convention.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

Curve = Sequence[float] | Float64[np.ndarray, " point"]


class Limit(NamedTuple):
    """A limit as a fraction of the prunable weights removed, with its interval."""

    removed: float
    low: float  # where the lower end of the form crosses
    high: float

    @property
    def kept(self) -> "Limit":
        """The same limit as the fraction of weights kept."""
        return Limit(1 - self.removed, 1 - self.high, 1 - self.low)


def last_step(form: Callable[[int], float | tuple[float, float]], size: int) -> Limit:
    """The limit on the exact steps j / D, by bisection over j.

    Parameters
    ----------
    form
        F(j) in [0, 1] for 0 <= j <= size, or the pair of F(j) and its error. Called once for each j
        that is looked at.
    size
        D, the number of prunable weights.

    Returns
    -------
    limit
        Multiples of 1 / D. Where F does not fall everywhere, one crossing of possibly several.

    Raises
    ------
    ValueError
        For a size below 1, or a value or an error that is no number in range, with its j.

    Notes
    -----
    Cost: about log2(D) calls, and up to three times as many with errors.

    Examples
    --------
    >>> last_step(lambda removed: (4 / (4 + removed), 0.1), 10)
    Limit(removed=0.4, low=0.4, high=0.5)
    """
    if size < 1:
        raise ValueError(f"{size=} must be at least 1")
    known: dict[int, tuple[float, float]] = {}

    def ends(removed: int) -> tuple[float, float]:
        if removed not in known:
            given = form(removed)
            value, error = given if isinstance(given, tuple) else (given, 0.0)
            if not (-1e-9 <= value <= 1 + 1e-9 and 0 <= error < math.inf):
                raise ValueError(f"F({removed}) = {value} with error {error} is no fraction")
            known[removed] = float(value), float(error)
        return known[removed]

    def last(sign: int) -> float:
        # A rounding error of the form must not move a limit that it meets exactly.
        def is_above(removed):
            value, error = ends(removed)
            return value + sign * error >= removed / size - 1e-12

        low, high = 0, size + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if is_above(middle) else (low, middle)
        return low / size

    return Limit(last(0), last(-1), last(+1))


def first_change(
    excess: Callable[[int], float], size: int, *, grid: Sequence[float], step: int
) -> tuple[int, int]:
    """The numbers of weights between which a function, positive at 0, first is negative.

    Parameters
    ----------
    excess
        Of the number removed; costly. Called once for each number that is looked at.
    size
        D.
    grid
        Rising fractions of D that are looked at from the left, until one is negative; what changes
        twice between two of them is not seen. It should end with 1.
    step
        The result is no wider than this, at least 1.

    Returns
    -------
    low, high
        excess(low) >= 0 > excess(high), or D twice where no place of the grid is negative.

    Notes
    -----
    Secants and halves in turn.

    Examples
    --------
    >>> first_change(lambda removed: 31.5 - removed, 100, grid=(0.25, 0.5, 1.0), step=1)
    (31, 32)
    """
    low, high, at_low, at_high = 0, size, math.inf, math.inf
    for part in grid:
        high = max(round(part * size), 1)
        at_high = excess(high)
        if at_high < 0:
            break
        low, at_low = high, at_high
    if at_high >= 0:
        return size, size
    for number in itertools.count():
        if high - low <= step:
            return low, high
        middle = (low + high) // 2
        if number % 2 == 0 and math.isfinite(at_low) and math.isfinite(at_high):
            part = at_low / (at_low - at_high)
            middle = min(max(low + round(part * (high - low)), low + 1), high - 1)
        at_middle = excess(middle)
        if at_middle < 0:
            high, at_high = middle, at_middle
        else:
            low, at_low = middle, at_middle
    raise AssertionError  # the count does not end


def crossing(sparsities: Curve, values: Curve, errors: Curve | None = None) -> Limit:
    """The limit on a curve of a form over sparsities, linear in between.

    Parameters
    ----------
    sparsities
        Rising, in [0, 1].
    values, errors
        The form there, and its errors; None: 0.

    Returns
    -------
    limit
        The first crossing. The first sparsity where the curve starts below it, and the last where
        it never gets below.

    Raises
    ------
    ValueError
        For curves of other lengths, sparsities that do not rise, or numbers that are not finite.

    Examples
    --------
    >>> crossing([0.0, 0.5, 1.0], [1.0, 0.75, 0.25]).removed
    0.625
    """
    grid, curve = np.asarray(sparsities, np.float64), np.asarray(values, np.float64)
    spread = np.zeros_like(curve) if errors is None else np.asarray(errors, np.float64)
    if not (grid.ndim == 1 and grid.shape == curve.shape == spread.shape and grid.size):
        raise ValueError(f"{grid.shape=}, {curve.shape=}, {spread.shape=} must be equal, one axis")
    if not np.all(np.isfinite([grid, curve, spread])) or np.any(np.diff(grid) <= 0):
        raise ValueError("sparsities must rise, and all numbers be finite")
    return Limit(*(_first_zero(grid, curve + sign * spread - grid) for sign in (0, -1, 1)))


def _first_zero(grid, excess) -> float:
    below = np.flatnonzero(excess < 0)
    if not below.size:
        return float(grid[-1])
    after = below[0]
    if after == 0:
        return float(grid[0])
    before = excess[after - 1]
    part = before / (before - excess[after])
    return float(grid[after - 1] + part * (grid[after] - grid[after - 1]))
