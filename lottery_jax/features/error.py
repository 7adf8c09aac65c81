"""Test error against the number of samples: pruned before training, dense, oracle and random.

The target is one Hermite polynomial of one hidden direction with few equal entries. All networks of
a seed see the same rows and start from the same random numbers; they differ in the inputs that
their first layer keeps. n counts all rows: four fifths choose the inputs, move the first layer and
fit the second, one fifth chooses the strength of the ridge. The test error is measured on fresh
rows, which choose nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.records import Records
from lottery_jax.features import error_report
from lottery_jax.features.error_rows import TRAINED, Row, Setup, collect
from lottery_jax.features.networks import METHODS
from lottery_jax.montecarlo.collect import Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "features_error"
QUESTION = "How many samples does pruning before training save?"

FULL = Setup(
    dim=256,
    support_size=12,
    degree=2,
    sizes=(1000, 2000, 4000, 8000, 16000, 32000),
    seeds=10,
    trained_sizes=(2000, 8000),
)
QUICK = Setup(
    dim=32,
    support_size=4,
    degree=2,
    sizes=(250, 500, 1000),
    seeds=2,
    num_neurons=32,
    kept=4,
    fresh=2000,
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    trained = (
        f"; {len(TRAINED)} of them fully trained, {setup.passes} passes, from n = "
        f"{', '.join(map(str, setup.trained_sizes))}"
        if setup.trained_sizes
        else ""
    )
    return (
        f"{len(METHODS)} networks of {setup.num_neurons} neurons on {setup.dim} inputs, of which "
        f"{setup.support_size} matter, from n = {', '.join(map(str, setup.sizes))} rows, "
        f"{setup.seeds} seeds{trained}"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """A row for each network, number of rows and seed; what the store has is not run again.

    Seeds are shared out over the mesh, by default over all devices.
    """
    return collect(setup, name=NAME, key=key, store=store, mesh=mesh, progress=progress)


def draw(rows: Sequence[Row]) -> "Axes":
    """Test error and recall against the number of samples. Returns the left axis."""
    return error_report.draw(rows)


def describe(rows: Sequence[Row]) -> str:
    """The table of test errors and recalls, and what it says."""
    return error_report.describe(rows)
