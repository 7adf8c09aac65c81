"""The figure and the table of test errors, and the paragraph that reads them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64

from lottery_jax.features.error_rows import Row
from lottery_jax.features.networks import METHODS
from lottery_jax.features.points import first_of_all
from lottery_jax.features.seeds import mean_over
from lottery_jax.report.tables import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONFIDENCE = 0.99  # of each interval for a mean difference
MATTERS_FROM = 2000  # samples: the question is asked from here on

TOLD = {
    ("pruned", "one step"): "pruned",
    ("dense", "one step"): "dense",
    ("oracle", "one step"): "oracle: the support",
    ("random", "one step"): "random, as many as pruned",
    ("pruned", "all layers"): "pruned, all layers trained",
    ("dense", "all layers"): "dense, all layers trained",
}


class Difference(NamedTuple):
    """Test error of dense minus pruned networks of the same seeds."""

    mean: float
    low: float
    high: float
    wins: int  # seeds in which the pruned network has the smaller error
    seeds: int


def draw(rows: Sequence[Row]) -> "Axes":
    """Left: test error against n; right: recall and chance. Returns the left axis."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    figure = figures.new_axis(11.5, 6.0).figure
    figure.clear()
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))  # pyright: ignore[reportAttributeAccessIssue]
    for number, (kind, label) in enumerate(TOLD.items()):
        method, training = kind
        sizes = _sizes(rows, *kind)
        if not sizes:
            continue
        colour = figures.COLOURS[METHODS.index(method)]
        values = [_values(rows, *kind, size) for size in sizes]
        means = [each.mean() for each in values]
        if training == "one step":
            ends = [each.min() for each in values], [each.max() for each in values]
            left.fill_between(sizes, *ends, color=colour, alpha=0.18, lw=0)
            left.plot(sizes, means, color=colour, marker=figures.MARKERS[number], ms=5, label=label)
            continue
        spread = [[m - v.min(), v.max() - m] for m, v in zip(means, values, strict=True)]
        shift = 1.04 if method == "dense" else 1 / 1.04  # bars beside each other
        left.errorbar(
            [shift * size for size in sizes],
            means,
            np.transpose(spread),
            color=colour,
            marker=figures.MARKERS[number],
            mfc="white",
            ms=7,
            ls="none",
            capsize=3,
            label=label,
        )
    left.axhline(1, color="black", ls=":", lw=1, label="the mean alone: 1")
    for number, method in enumerate(METHODS):
        if method == "dense":
            continue  # keeps all inputs
        sizes = _sizes(rows, method, "one step")
        values = [_values(rows, method, "one step", size, "recall") for size in sizes]
        ends = [each.min() for each in values], [each.max() for each in values]
        colour = figures.COLOURS[number]
        right.fill_between(sizes, *ends, color=colour, alpha=0.18, lw=0)
        means = [each.mean() for each in values]
        marker, label = figures.MARKERS[number], TOLD[method, "one step"]
        right.plot(sizes, means, color=colour, marker=marker, ms=5, label=label)
    sizes = _sizes(rows, "random", "one step")
    chance = [_values(rows, "random", "one step", size, "chance").mean() for size in sizes]
    right.plot(sizes, chance, color="black", ls="--", lw=1, label="chance: |J| / d")
    first = rows[0]
    left.set_yscale("log")
    left.set_ylabel("test error / variance of the target")
    right.set_ylabel("share of the support that is kept")
    right.set_ylim(-0.02, 1.05)
    ticks = sorted({row.size for row in rows})
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xticks(ticks, [f"{tick}" for tick in ticks])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("samples n, all that are used")
        ax.grid(True, alpha=0.3)
    for ax in (left, right):  # below: wherever curves leave room differs from run to run
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12)}
        ax.legend(fontsize="small", frameon=False, ncols=2, **place)
    title = (
        f"{first.dim} inputs, a target of {first.support_size} of them with information exponent "
        f"{first.degree}; networks of {first.neurons} neurons: one gradient step and ridge "
        f"regression\nlines: means of {_num_seeds(rows)} seeds; bands and bars: from the smallest "
        "to the largest of them; all networks of a seed share its rows, and at all n its random "
        "inputs are the first of one order"
    )
    figure.suptitle(title, fontsize="small")  # pyright: ignore[reportAttributeAccessIssue]
    return left


def describe(rows: Sequence[Row]) -> str:
    """The table, and what it says."""
    kinds = [kind for kind in TOLD if _sizes(rows, *kind)]
    header = ["n", "|J|", "chance", "recall", *(TOLD[kind].split(":")[0] for kind in kinds)]
    cells = []
    for size in sorted({row.size for row in rows}):
        kept = _values(rows, "pruned", "one step", size, "kept").mean()
        chance = _values(rows, "pruned", "one step", size, "chance").mean()
        recall = _values(rows, "pruned", "one step", size, "recall")
        told = [
            _spread(_values(rows, *kind, size)) if size in _sizes(rows, *kind) else ""
            for kind in kinds
        ]
        cells.append([size, round(float(kept), 1), float(chance), _spread(recall, 2), *told])
    first = rows[0]
    return "\n".join(
        [
            "Test error in units of the target's variance, mean (smallest to largest) over "
            f"{_num_seeds(rows)} seeds,\nwith d = {first.dim}, s = {first.support_size}, k* = "
            f"{first.degree}, M = {first.pruning_kept}, c = {first.shift:g}, {first.neurons} "
            "neurons; |J| inputs are kept, recall is\nthe share of the support among them:",
            "",
            format_table(header, cells),
            "",
            _reading(rows),
        ]
    )


def difference(rows: Sequence[Row], size: int, *, than: str = "dense") -> Difference:
    """Error of the networks `than` minus that of pruned ones, seed by seed, with Student limits."""
    gaps = _values(rows, than, "one step", size) - _values(rows, "pruned", "one step", size)
    mean = mean_over(gaps, confidence=CONFIDENCE)
    return Difference(mean.mean, mean.low, mean.high, int(np.sum(gaps > 0)), len(gaps))


def _reading(rows: Sequence[Row]) -> str:
    """Every clause that other rows could contradict depends on the rows."""
    sizes = _sizes(rows, "pruned", "one step")
    asked = [size for size in sizes if size >= MATTERS_FROM] or sizes
    gaps = {size: difference(rows, size) for size in asked}
    clear = [size for size, gap in gaps.items() if gap.low > 0]
    unclear = [size for size in asked if size not in clear]
    always = [size for size, gap in gaps.items() if gap.wins == gap.seeds]
    said = [
        f"From n = {asked[0]} on the mean error of the pruned networks is below that of the dense "
        f"ones at {len(clear)} of {len(asked)} n by {100 * CONFIDENCE:g} % Student limits of the "
        "paired difference"
        + (f" (not at n = {_listed(unclear)})" if unclear else "")
        + f", and the pruned one's is the smaller in every seed at {len(always)} of them."
    ]
    last = asked[-1]
    dense, pruned = (_values(rows, each, "one step", last).mean() for each in ("dense", "pruned"))
    oracle = _values(rows, "oracle", "one step", last).mean()
    said.append(
        f"At n = {last} the errors are {pruned:.3g} (pruned), {dense:.3g} (dense) and {oracle:.3g} "
        "(oracle)."
    )
    saved = first_of_all(
        sizes, [bool(_values(rows, "pruned", "one step", n).mean() <= dense) for n in sizes]
    )
    if saved is not None and saved < last:
        said.append(
            f"The pruned network has at most the dense one's error of n = {last} from n = {saved} "
            f"on, {last / saved:.3g} times fewer samples on this grid."
        )
    useful = [size for size in sizes if _values(rows, "random", "one step", size).mean() < 0.9]
    random = [float(_values(rows, "random", "one step", size).mean()) for size in sizes]
    said.append(
        f"As many inputs at random give {min(random):.3g} to {max(random):.3g}"
        + (
            f", less than 0.9 at n = {_listed(useful)}."
            if useful
            else ": no better than the mean alone, whose error is 1."
            if min(random) >= 1
            else ": hardly better than the mean alone, whose error is 1."
        )
    )
    for size in _sizes(rows, "dense", "all layers"):
        by = {
            kind: float(_values(rows, *kind, size).mean())
            for kind in TOLD
            if size in _sizes(rows, *kind)
        }
        dense = by["dense", "all layers"]
        below = "below" if dense < by["pruned", "one step"] else "above"
        said.append(
            f"With all layers trained the dense network reaches {dense:.3g} at n = {size}, {below} "
            f"the pruned network of one step ({by['pruned', 'one step']:.3g}), and the pruned one "
            f"{by['pruned', 'all layers']:.3g}."
        )
    return " ".join([*said, *_noise(rows)])


def _noise(rows: Sequence[Row]) -> list[str]:
    """What a finite number of fresh rows adds, beside what the seeds do."""
    if _num_seeds(rows) < 2:
        return []
    told = []
    for method in ("pruned", "dense"):
        shares = {
            size: np.sqrt(np.mean(_values(rows, method, "one step", size, "error_deviation") ** 2))
            / spread
            for size in _sizes(rows, method, "one step")
            if (spread := _values(rows, method, "one step", size).std(ddof=1)) > 0
        }
        if not shares:  # all seeds have one error, down to the last bit
            return []
        size = max(shares, key=lambda size: shares[size])
        told.append(f"{shares[size]:.2g} of it for {method} networks (n = {size})")
    return [
        "Beside the standard deviation over the seeds, the standard error that the fresh rows "
        f"leave is at most {' and '.join(told)}; where a network knows nothing, both are the same "
        "noise."
    ]


def _sizes(rows: Sequence[Row], method: str, training: str) -> list[int]:
    return sorted({row.size for row in rows if (row.method, row.training) == (method, training)})


def _values(
    rows: Sequence[Row], method: str, training: str, size: int, field: str = "error"
) -> Float64[np.ndarray, " seed"]:
    """By seed."""
    chosen = [r for r in rows if (r.method, r.training, r.size) == (method, training, size)]
    chosen.sort(key=lambda row: row.seed)
    return np.array([getattr(row, field) for row in chosen], np.float64)


def _num_seeds(rows: Sequence[Row]) -> int:
    return len({row.seed for row in rows})


def _spread(values: Float64[np.ndarray, " seed"], digits: int = 3) -> str:
    mean, low, high = values.mean(), values.min(), values.max()
    return f"{mean:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def _listed(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))
