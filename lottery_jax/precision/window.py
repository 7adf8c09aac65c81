"""The window of perfect partitions: success against lambda, and its sharpening in kappa.

Whole numbers uniform on 1, ..., M; a perfect partition has the difference 0, or 1 if the total is
odd. With lambda = log2(M) - n + log2(n) / 2 the chance of one tends to a law of lambda alone, and
differs from it by O(1/n), so that in kappa = log2(M) / n the transition narrows like 1 / n. Points
are compared with the law with an allowance of 0.15 / n, which is no bound of the difference.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.limits import limits_exact
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.counts import collect_each, planned_seconds
from lottery_jax.montecarlo.store import Store
from lottery_jax.precision.points import draw_points
from lottery_jax.quantized import laws, partition
from lottery_jax.report.tables import format_table

NAME = "quantized_window"
QUESTION = "Where do random whole numbers stop having a perfect partition, and how sharply?"
COUNTED = ("number_partitioning",)
CONFIDENCE = 0.9999  # of each interval: a run sets a few dozen of them


class Row(NamedTuple):
    """One number of items with one largest item."""

    num_items: int  # n
    largest: int  # M, the nearest whole number
    place: float  # lambda of this M
    kappa: float  # log2(M) / n
    trials: int
    hits: int  # draws with a perfect partition
    low: float  # limits of its probability
    high: float
    window_law: float  # p(lambda)
    band: float  # allowance about p(lambda): 0.15 / n
    law: float  # 1 - (exp(-rho / 2) + exp(-rho)) / 2 at this n and M
    next_order: float  # the law with its terms of order 1 / n
    disagree: int  # draws on which existence and number of partitions contradict each other


class Setup(NamedTuple):
    """What a run draws."""

    sizes: tuple[int, ...]  # n
    places: tuple[float, ...]  # lambda
    trials: int  # of each n and lambda


FULL = Setup(sizes=(8, 12, 16, 20, 24), places=(-2.0, -1.0, 0.0, 1.0, 2.0, 3.0), trials=40_960)
QUICK = Setup(sizes=(8, 12), places=(-2.0, -1.0, 0.0, 1.0, 2.0, 3.0), trials=8_192)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    seconds = planned_seconds([(_experiment(*case), setup.trials) for case in _cases(setup)])
    return (
        f"{len(_cases(setup))} sizes of items, n = {', '.join(map(str, setup.sizes))}, "
        f"{setup.trials} draws each, decided by search and by counting: about {seconds:.0f} s of "
        "one core after compiling"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Store,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """A row for each n and lambda; draws that the store already holds are not drawn again."""
    cases = _cases(setup)
    tasks = [(_experiment(*case), setup.trials) for case in cases]
    counts = collect_each(tasks, label=NAME, key=key, store=store, mesh=mesh, progress=progress)
    return [
        _row(num_items, _largest(num_items, place), each)
        for (num_items, place), each in zip(cases, counts, strict=True)
    ]


def _cases(setup: Setup) -> list[tuple[int, float]]:
    return [(num_items, place) for num_items in setup.sizes for place in setup.places]


def _largest(num_items: int, place: float) -> int:
    return round(2.0 ** float(laws.log2_largest_at(num_items, place)))


def _experiment(num_items: int, place: float):
    return partition.number_partitioning(num_items=num_items, largest=_largest(num_items, place))


def _row(num_items: int, largest: int, counts) -> Row:
    hits = int(counts.totals["solvable"].sum())
    low, high = limits_exact(hits, counts.trials, confidence=CONFIDENCE)
    log2_largest = float(np.log2(largest))
    place = float(laws.window_place(num_items, log2_largest))
    return Row(
        num_items=num_items,
        largest=largest,
        place=place,
        kappa=log2_largest / num_items,
        trials=counts.trials,
        hits=hits,
        low=float(low),
        high=float(high),
        window_law=float(laws.window_law(place).success),
        band=laws.WINDOW_ERROR / num_items,
        law=float(laws.perfect(num_items, log2_largest).success),
        next_order=float(laws.perfect_next_order(num_items, log2_largest).either.success),
        disagree=int(counts.totals["disagree"]),
    )


def is_within(row: Row) -> bool:
    """Whether the limits leave room for a probability within the allowance about p(lambda)."""
    return row.low <= row.window_law + row.band and row.window_law - row.band <= row.high


def draw(rows: Sequence[Row]):
    """Success against lambda with the law, its n-fold difference from it, success against kappa.

    Returns the first axis.
    """
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(14.5, 5.0).figure
    figure.clear()
    left, middle, right = figure.subplots(1, 3)  # pyright: ignore[reportAttributeAccessIssue]
    sizes = sorted({row.num_items for row in rows})
    grid = np.linspace(min(r.place for r in rows) - 0.7, max(r.place for r in rows) + 0.7, 300)
    left.plot(grid, laws.window_law(grid).success, color="black", lw=1, label="law p(λ)")
    band = laws.WINDOW_ERROR
    middle.axhspan(-band, band, color="0.88", lw=0, label=f"allowance: ±{band:g}")
    middle.axhline(0, color="black", lw=1, label="law p(λ)")
    middle.plot(grid, _first_term(grid), "--", color="black", lw=1, label="its term of order 1/n")
    for number, num_items in enumerate(sizes):
        chosen = [row for row in rows if row.num_items == num_items]
        colour = figures.COLOURS[number % len(figures.COLOURS)]
        marker = figures.MARKERS[number % len(figures.MARKERS)]
        style = {"colour": colour, "marker": marker, "label": f"n = {num_items}"}
        draw_points(left, [row.place for row in chosen], chosen, **style)
        draw_points(right, [row.kappa for row in chosen], chosen, **style)
        log2_largest = np.maximum(laws.log2_largest_at(num_items, grid), 0)
        curve = laws.perfect(num_items, log2_largest).success
        right.plot(log2_largest / num_items, curve, color=colour, lw=1)
        # Beside each other, so that the bars of several n can be told apart.
        shift = 0.12 * (number - (len(sizes) - 1) / 2)
        for row in chosen:
            place, law = row.place + shift, row.window_law
            ends = [num_items * (row.low - law), num_items * (row.high - law)]
            share = num_items * (row.hits / row.trials - law)
            middle.plot([place, place], ends, color=colour, lw=1)
            middle.plot(place, share, marker, color=colour, ms=4)
    left.set_xlabel("λ = log2(M) - n + log2(n)/2")
    middle.set_xlabel("λ   (points of one λ drawn side by side)")
    right.set_xlabel("κ = log2(M)/n")
    left.set_ylabel("probability of a perfect partition")
    middle.set_ylabel("n (share - p(λ))")
    right.set_ylabel("probability of a perfect partition")
    left.set_title("one curve for all n", fontsize="small")
    middle.set_title("its error, times n", fontsize="small")
    right.set_title("lines: the law at this n", fontsize="small")
    for ax in (left, right):
        ax.set_ylim(-0.02, 1.02)
    for ax in (left, middle, right):
        ax.grid(True, alpha=0.3)
    left.legend(fontsize="small", frameon=False)
    middle.legend(fontsize="small", frameon=False, loc="upper left")
    right.legend(fontsize="small", frameon=False)
    title = (
        "n whole numbers uniform on 1 to M: is there a partition with difference 0 (even total) or "
        f"1 (odd)?\nbars: {100 * CONFIDENCE:g} % exact limits, {_trials(rows)} draws each"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return left


def _first_term(place):
    """The limit of n (probability - p(lambda)), at an n for which log2(M) keeps its digits."""
    num_items = 1e4
    log2_largest = laws.log2_largest_at(num_items, place)
    chance = laws.perfect_next_order(num_items, log2_largest).either
    return num_items * (chance.success - laws.window_law(place).success)


def _trials(rows: Sequence[Row]) -> str:
    return " or ".join(map(str, sorted({row.trials for row in rows})))


def describe(rows: Sequence[Row]) -> str:
    """The points beside the laws, and what they say."""
    header = ["n", "M", "lambda", "share", "low", "high", "p(lambda)", "0.15/n", "within"]
    header += ["law at M", "next order"]
    cells = [
        [
            *(row.num_items, row.largest, row.place, row.hits / row.trials, row.low, row.high),
            *(row.window_law, row.band, "yes" if is_within(row) else "no"),
            *(row.law, row.next_order),
        ]
        for row in rows
    ]
    return f"{format_table(header, cells)}\n\n{_reading(rows)}"


def _reading(rows: Sequence[Row]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    within = sum(map(is_within, rows))
    outside = sorted({row.num_items for row in rows if not is_within(row)})
    inside = {
        name: sum(row.low <= getattr(row, name) <= row.high for row in rows)
        for name in ("window_law", "law", "next_order")
    }
    sizes = sorted({row.num_items for row in rows})
    widths = [_width(rows, num_items) for num_items in sizes]
    known = [
        f"{width:.3f} at n = {num_items}"
        for num_items, width in zip(sizes, widths, strict=True)
        if width is not None
    ]
    sharpening = (
        "The range of kappa from a share of 3/4 to one of 1/4, between points, is "
        f"{', '.join(known)}. "
        if known
        else "No n has points on both sides of the shares 3/4 and 1/4. "
    )
    contradictions = sum(row.disagree for row in rows)
    draws = sum(row.trials for row in rows)
    return (
        "The limits leave room for a probability within 0.15 / n of p(lambda) at "
        f"{within} of {len(rows)} points"
        f"{' (not at n = ' + ', '.join(map(str, outside)) + ')' if outside else ''}, at "
        f"{100 * CONFIDENCE:g} % limits of each. Without the allowance the limits hold p(lambda) "
        f"at {inside['window_law']} points, the law at this n and M at {inside['law']}, and the "
        f"law with its terms of order 1 / n at {inside['next_order']}. {sharpening}Search for one "
        f"partition and counting of all contradict each other on {contradictions} of {draws} draws."
    )


def _width(rows: Sequence[Row], num_items: int) -> float | None:
    """Distance in kappa between the shares 3/4 and 1/4, interpolated; None if out of reach."""
    chosen = sorted((row for row in rows if row.num_items == num_items), key=lambda row: row.kappa)
    shares = [row.hits / row.trials for row in chosen]
    if max(shares) < 0.75 or min(shares) > 0.25:
        return None
    at = np.interp([-0.75, -0.25], [-share for share in shares], [row.kappa for row in chosen])
    return float(at[1] - at[0])
