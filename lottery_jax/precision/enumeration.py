"""All instances of small problems counted: integers that the laws of the transition are held to.

Number partitioning for every n and M with M^n up to a limit, and the quantised subset sum at the
targets 0 and M/2 (rounded down; at 0 a solution keeps something) for M a power of two or the
largest. Every number is counted in two ways that share no code: multisets decided by the engine and
weighted by their orders, and all instances in turn in NumPy. Nothing is random.

With one item only X = 1 is partitionable, whatever M is; the rows begin with two.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core.records import Records
from lottery_jax.montecarlo.collect import Progress, reporting
from lottery_jax.precision.enumeration_report import describe, draw
from lottery_jax.precision.enumeration_rows import PARTITION, SUBSET_SUM, Row
from lottery_jax.quantized import all_instances, enumeration, laws, subset_sum_laws

__all__ = ["FULL", "NAME", "QUESTION", "QUICK", "describe", "draw", "measure", "plan"]

NAME = "quantized_enumeration"
QUESTION = "How many small instances are exactly solvable, and how near are the laws?"


class Setup(NamedTuple):
    """The most instances of one size."""

    partitions: int  # of M^n
    subset_sums: int  # of (2M)^n


FULL = Setup(2**24, 2**24)
QUICK = Setup(2**14, 2**12)


class _Task(NamedTuple):
    problem: str
    num_items: int
    largest: int
    target: int | None


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    tasks = list(_tasks(setup))
    sizes = sum(task.largest if task.target is None else 1 for task in tasks)
    multisets = sum(enumeration.num_multisets(task.num_items, _values(task)) for task in tasks)
    instances = sum(_values(task) ** task.num_items for task in tasks)
    return (
        f"{sizes} pairs (n, M), of at most {setup.partitions} partitions or {setup.subset_sums} "
        f"subset sums each: {multisets} multisets and {instances} instances, a minute or less"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows; what the store already holds is not counted again. Neither key nor mesh is used."""
    del key, mesh
    rows: list[Row] = []
    tasks = list(_tasks(setup))
    with reporting(progress, len(tasks), NAME) as report:
        for number, task in enumerate(tasks):
            found = store.find(task._asdict())
            if found is None:
                found = _count(task)
                store.add(task._asdict(), found)
            rows += _rows(task, found)
            report(number + 1, len(tasks))
    return rows


def _tasks(setup: Setup) -> Iterator[_Task]:
    """One count for all partitions of n items, and one for each subset sum."""
    for num_items in range(2, setup.partitions.bit_length()):
        largest = enumeration.largest_within(num_items, setup.partitions)
        yield _Task(PARTITION, num_items, largest, None)
    for num_items in range(2, setup.subset_sums.bit_length()):
        most = enumeration.largest_within(num_items, setup.subset_sums) // 2
        for largest in sorted({2**power for power in range(most.bit_length())} | {most}):
            for target in sorted({0, largest // 2}):
                yield _Task(SUBSET_SUM, num_items, largest, target)


def _values(task: _Task) -> int:
    return task.largest if task.target is None else 2 * task.largest


def _count(task: _Task) -> dict[str, Any]:
    """Solvable instances, at every M up to the largest or at one, by both ways."""
    sizes = task.num_items, task.largest

    def count(partitions: Callable, subset_sums: Callable) -> list[int]:
        if task.target is None:
            return partitions(*sizes).tolist()
        return [subset_sums(*sizes, task.target)]

    return {
        "by_multisets": count(enumeration.count_partitions, enumeration.count_subset_sums),
        "by_all_instances": count(all_instances.count_partitions, all_instances.count_subset_sums),
    }


def _rows(task: _Task, found: dict[str, Any]) -> list[Row]:
    items = task.num_items
    if task.target is None:
        largest = np.arange(1, task.largest + 1)
        chances = laws.perfect(items, np.log2(largest))
    else:
        largest = np.array([task.largest])
        share = task.target / task.largest
        chances = subset_sum_laws.solvable(items, np.log2(largest), share)
    columns = zip(
        largest.tolist(),
        found["by_multisets"],
        found["by_all_instances"],
        np.asarray(chances.success).tolist(),
        strict=True,
    )
    return [
        Row(
            problem=task.problem,
            num_items=items,
            largest=size,
            target=task.target,
            instances=_values(task._replace(largest=size)) ** items,
            by_multisets=first,
            by_all_instances=second,
            law=round(law, 6),
        )
        for size, first, second, law in columns
    ]
