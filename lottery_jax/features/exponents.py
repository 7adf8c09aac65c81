"""How the number of samples for a given test error grows with the dimension, pruned and dense.

The target is one Hermite polynomial of degree k* of one direction with s = sqrt(d) equal entries.
Theory: one gradient step of a dense network needs about d^k* samples, and one of a network that was
pruned to the support s^k* = d^(k*/2), up to logarithms; no algorithm that sees correlations alone
(CSQ) does with less than about d^(k*/2). For every seed the test error is measured on a grid of n
around the expected place, and the n at which it falls to a level is interpolated. A straight line
through their logarithms against log d gives the exponent.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.records import Records
from lottery_jax.features import exponents_report
from lottery_jax.features.exponents_rows import Row, Setup, collect, grid
from lottery_jax.montecarlo.collect import Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "features_exponents"
QUESTION = "How does the number of samples grow with the dimension, pruned and dense?"

FULL = Setup(
    dims={"pruned": (64, 144, 256, 576, 1024), "dense": (64, 144, 256, 400, 576)},
    grids={
        "pruned": (2.0, 2.83, 4.0, 5.66, 8.0, 11.3, 16.0, 22.6, 32.0, 45.3),
        "dense": (0.08, 0.113, 0.16, 0.226, 0.32, 0.453, 0.64, 0.905),
    },
    most={"pruned": 33_000, "dense": 400_000},
    seeds=8,
)
QUICK = Setup(  # most of its time goes into compiling, for each d and method
    dims={"pruned": (16, 36), "dense": (16, 36)},
    grids={"pruned": (1.0, 6.0, 36.0, 216.0), "dense": (0.1, 0.4, 1.6, 6.4)},
    most={"pruned": 25_000, "dense": 25_000},
    seeds=6,
    num_neurons=32,
    fresh=2000,
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    told = [
        f"{method} networks at d = {', '.join(map(str, dims))} from up to "
        f"{max(grid(setup, method, dim)[-1] for dim in dims)} rows"
        for method, dims in setup.dims.items()
    ]
    return f"{'; '.join(told)}; {setup.seeds} seeds each, {setup.num_neurons} neurons"


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """A row for each method, level, dimension and seed; what the store has is not run again.

    Seeds are shared out over the mesh, by default over all devices.
    """
    return collect(setup, name=NAME, key=key, store=store, mesh=mesh, progress=progress)


def draw(rows: Sequence[Row]) -> "Axes":
    """Samples needed against the dimension, a panel for each level. Returns the first axis."""
    return exponents_report.draw(rows)


def describe(rows: Sequence[Row]) -> str:
    """The table of samples needed, the exponents, and what they say."""
    return exponents_report.describe(rows)
