"""Ways to prune, side by side: accuracy at equal sparsity, and what it cost in training.

One network, one recipe and the same starts for every method; a training run has the same number of
epochs for all. Methods that train in several runs may do better and cost more: the table says how
many epochs of training are behind each result. Pruned weights are counted in the networks that come
out, not taken from what was asked.
"""

import functools
from typing import Any, NamedTuple

from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax import data, models
from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.limit import baselines_report
from lottery_jax.limit.baselines_rows import DENSE, Row
from lottery_jax.montecarlo.collect import Progress, reporting
from lottery_jax.pruning_limit import iterative, lanes
from lottery_jax.pruning_limit.baselines import METHODS, check_methods, prune
from lottery_jax.training import Recipe

NAME = "limit_baselines"
QUESTION = "Which way of pruning keeps the accuracy at which sparsity, and what does it cost?"


class Setup(NamedTuple):
    """What is pruned, how it is trained, and by which methods."""

    methods: tuple[str, ...] = tuple(METHODS)
    sparsities: tuple[float, ...] = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
    num_seeds: int = 5
    data: str = "digits"
    model: str = "mlp"
    hidden: tuple[int, ...] | None = None
    # Of one training run. The strength of the penalty, which only methods that prune after training
    # use, was chosen among a few on these images: the rows "dense_l1" say what it costs.
    recipe: Recipe = Recipe(0.05, l1=4e-3, epochs=50, schedule="cosine")


FULL = Setup()
QUICK = Setup(
    methods=("random_smart", "snip", "one_shot_global", "fine_tuned", "iterative"),
    sparsities=(0.5, 0.9),
    num_seeds=2,
    hidden=(40, 20),
    recipe=FULL.recipe._replace(epochs=10),
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    task = _task(setup, keys.root(0), setup.sparsities)
    runs = sum(_num_runs(name, task) for name in (*DENSE, *setup.methods))
    epochs = setup.recipe.epochs
    seconds = 1.5e-10 * runs * epochs * task.leaves.size * len(task.images)
    seconds += 4.0 * len(setup.methods)
    return (
        f"{len(setup.methods)} methods on {setup.model!r} with {task.leaves.size} prunable weights "
        f"and {setup.data!r}: {runs} training runs of {epochs} epochs and several programs to "
        f"compile, about {seconds:.0f} s of two cores"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """The rows of every method; a method that the store already holds is not run again.

    All lanes of a method run as one program on one device; `mesh` is not used.

    Raises
    ------
    ValueError
        For settings out of range, before anything is trained.
    """
    del mesh
    check_methods(setup.methods)
    _task(setup, key, setup.sparsities)  # checks the settings
    dataset = _dataset(setup.data)
    rows: list[Row] = []
    names = (*DENSE, *setup.methods)
    with reporting(progress, len(names), NAME) as report:
        for number, name in enumerate(names):
            sparsities = (0.0,) if name in DENSE else setup.sparsities
            task = _task(setup, key, sparsities)
            settings = {
                "method": name,
                "setup": repr(setup._replace(methods=(), sparsities=sparsities)),
                "stream": keys.STREAM_VERSION,
                "key": keys.describe(key),
            }
            found = store.find(settings)
            if found is None:
                pruned = prune(DENSE.get(name, name), task)
                images = dataset.test_images, dataset.test_labels
                found = {
                    "zeros": lanes.num_zeros(task.leaves, pruned).tolist(),
                    "accuracy": lanes.accuracies(task.model, pruned, *images).tolist(),
                    "epochs": pruned.epochs.tolist(),
                }
                store.add(settings, found)
            rows += _rows(name, task, found)
            report(number + 1, len(names))
    return rows


# The figure and the text of the study.
draw = baselines_report.draw
describe = baselines_report.describe


def _rows(name: str, task: lanes.Task, found: dict) -> list[Row]:
    return [
        Row(
            name,
            sparsity,
            seed,
            task.leaves.size,
            int(task.num_removed[place]),
            zeros,
            accuracy,
            found["epochs"][place],
        )
        for place, sparsity in enumerate(task.sparsities)
        for seed, (zeros, accuracy) in enumerate(
            zip(found["zeros"][place], found["accuracy"][place], strict=True)
        )
    ]


def _task(setup: Setup, key: PRNGKeyArray, sparsities: tuple[float, ...]) -> lanes.Task:
    dataset = _dataset(setup.data)
    model: Any = models.build(
        setup.model,
        input_shape=dataset.image_shape,
        num_classes=dataset.num_classes,
        hidden=setup.hidden,
    )
    return lanes.task(
        *(key, model, setup.recipe, dataset), sparsities=sparsities, num_seeds=setup.num_seeds
    )


@functools.lru_cache(maxsize=1)
def _dataset(name: str) -> data.Dataset:
    return data.load(name)


def _num_runs(name: str, task: lanes.Task) -> int:
    """Training runs, of all lanes."""
    num_seeds, num_sparsities = len(task.keys), len(task.sparsities)
    if name in DENSE or name.startswith("one_shot"):
        return num_seeds
    if name in ("fine_tuned", "gradual"):
        return num_seeds * (num_sparsities + 1)
    if name == "iterative":
        path = iterative.rounds(task.num_removed.tolist(), task.leaves.size)
        return num_seeds * (1 + sum(map(len, path)))
    return num_seeds * num_sparsities
