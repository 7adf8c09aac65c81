"""The number of samples at which networks reach a level, seed by seed, in several dimensions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float64, Int, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.features import networks
from lottery_jax.features.networks import Drawn, Task
from lottery_jax.features.seeds import each_seed, identity
from lottery_jax.montecarlo.collect import Progress, reporting

RECALL = 0.5  # of what chance leaves of the support


class Setup(NamedTuple):
    """Which networks are learned, and on which grids of n."""

    dims: dict[str, tuple[int, ...]]  # d by method; squares, since s = sqrt(d)
    grids: dict[str, tuple[float, ...]]  # by method, in units of d for pruned and d^2 for dense
    most: dict[str, int]  # rows, by method: larger ones of its grid are left out
    seeds: int
    levels: tuple[float, ...] = (0.5, 0.25)  # of the test error
    degree: int = 2  # k*
    num_neurons: int = 128  # 2 m
    shift: float = 0.5  # c
    fresh: int = 10_000  # rows without noise that measure the test error


class Row(NamedTuple):
    """Where one network of one seed reaches a level."""

    method: str  # pruned or dense
    what: str  # "error" falls to the level, or "recall" in excess of chance rises to it
    level: float
    dim: int  # d
    support_size: int  # s
    seed: int
    crossing: float | None  # n, interpolated in log n; none where it lies outside of the grid
    side: str  # "inside", "below" or "above" the grid
    smallest: int  # n of the grid
    largest: int
    degree: int  # k*
    neurons: int
    pruning_kept: int  # M
    shift: float  # c


def collect(
    setup: Setup,
    *,
    name: str,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None,
    progress: Progress,
) -> list[Row]:
    """The rows of all seeds; what the store already has is not run again."""
    cases = [(method, dim) for method, dims in setup.dims.items() for dim in dims]
    total, done, rows = len(cases) * setup.seeds, 0, []
    with reporting(progress, total, name) as report:
        for method, dim in cases:
            task, sizes = task_of(setup, dim), grid(setup, method, dim)
            told = task._asdict() | {"method": method, "sizes": sizes.tolist()}
            point = point_key(key, method, dim)
            settings = identity(point, told)
            stored = {seed: store.find(settings | {"seed": seed}) for seed in range(setup.seeds)}
            each = {seed: known for seed, known in stored.items() if known is not None}
            draw = networks.draw(task, (method,), most=int(sizes[-1]))
            seeds = [seed for seed in range(setup.seeds) if seed not in each]
            for seed, drawn in each_seed(draw, sizes, seeds, key=point, mesh=mesh):
                each[seed] = _told(drawn)
                store.add(settings | {"seed": seed}, each[seed])
                report(done + len(each), total)
            done += setup.seeds
            report(done, total)
            for seed in range(setup.seeds):
                rows += _rows(setup, method, task, sizes, seed, each[seed])
    return rows


def point_key(key: PRNGKeyArray, method: str, dim: int) -> PRNGKeyArray:
    """The stream of one method in one dimension: points of a line must not share draws."""
    return keys.lane(keys.chunk(key, networks.METHODS.index(method)), dim)


def task_of(setup: Setup, dim: int) -> Task:
    """The task in d dimensions: s = sqrt(d), and M = s."""
    support = round(dim**0.5)
    return Task(
        dim=dim,
        support_size=support,
        degree=setup.degree,
        num_neurons=setup.num_neurons,
        kept=support,
        shift=setup.shift,
        fresh=setup.fresh,
    )


def grid(setup: Setup, method: str, dim: int) -> Int[np.ndarray, " size"]:
    """The numbers of rows, from where theory puts them: d^{k*/2} pruned, d^{k*} dense."""
    unit = dim ** (setup.degree / 2 if method == "pruned" else setup.degree)
    sizes = [round(factor * unit) for factor in setup.grids[method]]
    return np.array([size for size in sizes if size <= setup.most[method]], np.int32)


def last_fall(
    sizes: Int[np.ndarray, " size"], values: Float64[np.ndarray, " size"], level: float
) -> tuple[float | None, str]:
    """Where values fall to a level for good: linear in log n between the last two that differ.

    Returns
    -------
    The place, and "inside"; or None, and on which side of the grid the place must be.

    Examples
    --------
    >>> place, side = last_fall(np.array([100, 400, 1600]), np.array([0.9, 0.1, 0.1]), 0.5)
    >>> round(place), side
    (200, 'inside')
    >>> last_fall(np.array([100, 200]), np.array([0.9, 0.8]), 0.5)
    (None, 'above')
    """
    above = np.flatnonzero(values > level)
    if len(above) == 0:
        return None, "below"
    last = int(above[-1])
    if last == len(sizes) - 1:
        return None, "above"
    share = (values[last] - level) / (values[last] - values[last + 1])
    logs = np.log(sizes[last : last + 2])
    return float(np.exp(logs[0] + share * (logs[1] - logs[0]))), "inside"


def _told(drawn: Drawn) -> dict[str, Any]:
    """As JSON."""
    kept = drawn.masks[:, 0]
    return {
        "error": drawn.error[:, 0].tolist(),
        "found": np.sum(kept & drawn.support, axis=1).tolist(),
        "kept": np.sum(kept, axis=1).tolist(),
    }


def _rows(
    setup: Setup, method: str, task: Task, sizes, seed: int, known: dict[str, Any]
) -> Sequence[Row]:
    found = [
        ("error", level, last_fall(sizes, np.array(known["error"]), level))
        for level in setup.levels
    ]
    if method == "pruned":
        chance = np.array(known["kept"]) / task.dim
        excess = (np.array(known["found"]) / task.support_size - chance) / (1 - chance)
        found.append(("recall", RECALL, last_fall(sizes, 1 - excess, 1 - RECALL)))
    return [
        Row(
            method=method,
            what=what,
            level=level,
            dim=task.dim,
            support_size=task.support_size,
            seed=seed,
            crossing=place,
            side=side,
            smallest=int(sizes[0]),
            largest=int(sizes[-1]),
            degree=task.degree,
            neurons=task.num_neurons,
            pruning_kept=task.kept,
            shift=task.shift,
        )
        for what, level, (place, side) in found
    ]
