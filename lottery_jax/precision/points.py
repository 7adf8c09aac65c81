"""Measured shares as points of a figure: with limits, and as an arrow where nothing was seen."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Measured(Protocol):
    """Hits among trials, with confidence limits of their probability."""

    @property
    def hits(self) -> int:
        """Successes."""
        ...

    @property
    def trials(self) -> int:
        """Draws."""
        ...

    @property
    def low(self) -> float:
        """Lower limit."""
        ...

    @property
    def high(self) -> float:
        """Upper limit."""
        ...


def draw_points(
    ax: Any, at: Sequence[float], rows: Sequence[Measured], *, colour: str, marker: str, label: str
) -> None:
    """Shares with bars for their limits; without hits, an arrow at the upper limit."""
    seen = [(x, row) for x, row in zip(at, rows, strict=True) if row.hits]
    unseen = [(x, row.high) for x, row in zip(at, rows, strict=True) if not row.hits]
    style = {"color": colour, "ls": "none"}
    for x, row in seen:
        ax.plot([x, x], [row.low, row.high], color=colour, lw=1)
    shares = [row.hits / row.trials for _, row in seen]
    ax.plot([x for x, _ in seen], shares, marker=marker, ms=4, label=label, **style)
    if unseen:
        ax.plot(*zip(*unseen, strict=True), marker=r"$\downarrow$", ms=9, **style)
