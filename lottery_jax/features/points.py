"""Measured shares on a figure: means with bars for their limits, and the chance level beside."""

from collections.abc import Sequence
from typing import Any

# What is to be said wherever limits of `limits_mean` are shown.
CAUTION = "approximate, and too narrow near 0 and 1"


def first_of_all(sizes: Sequence[int], holds: Sequence[bool]) -> int | None:
    """The smallest size from which on something holds at every one; None if not at the largest.

    Examples
    --------
    >>> first_of_all([10, 20, 40, 80], [True, False, True, True])
    40
    """
    found = None
    for size, is_so in sorted(zip(sizes, holds, strict=True), reverse=True):
        if not is_so:
            break
        found = size
    return found


def draw_shares(
    ax: Any,
    at: Sequence[int | float],
    shares: Sequence[int | float],
    lows: Sequence[int | float],
    highs: Sequence[int | float],
    *,
    colour: str,
    marker: str,
    label: str,
    line: str = "-",
) -> None:
    """A curve of shares, its points with bars from their lower to their upper limits."""
    order = sorted(range(len(at)), key=lambda i: at[i])
    for i in order:
        ax.plot([at[i]] * 2, [lows[i], highs[i]], color=colour, lw=1)
    x, y = [at[i] for i in order], [shares[i] for i in order]
    ax.plot(x, y, line, color=colour, marker=marker, ms=4, lw=1, label=label)


def draw_chance(
    ax: Any,
    at: Sequence[int | float],
    levels: Sequence[int | float],
    *,
    colour: str,
    label: str | None = None,
) -> None:
    """The expected recall of as many random coordinates as were kept, dotted."""
    pairs = sorted(zip(at, levels, strict=True))
    x, y = zip(*pairs, strict=True)
    ax.plot(x, y, ":", color=colour, lw=1, label=label)
