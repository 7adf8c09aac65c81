"""Ways to prune, side by side: accuracy at equal sparsity, and what it cost in training.

One network, one recipe and the same starts for every method; a training run has the same number of
epochs for all. Methods that train in several runs may do better and cost more: the table says how
many epochs of training are behind each result. Pruned weights are counted in the networks that come
out, not taken from what was asked.
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float64, PRNGKeyArray

from lottery_jax import data, models
from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.montecarlo.collect import Progress, reporting
from lottery_jax.pruning_limit import iterative, lanes
from lottery_jax.pruning_limit.baselines import METHODS, check_methods, prune
from lottery_jax.report.tables import format_table
from lottery_jax.training import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "limit_baselines"
QUESTION = "Which way of pruning keeps the accuracy at which sparsity, and what does it cost?"
CONFIDENCE = 0.95  # of the intervals that tell two methods apart
CLOSE = 0.02  # difference of accuracies that does not count
# Nothing removed: methods at sparsity 0.
DENSE = {"dense": "random_equal", "dense_l1": "one_shot_global"}
TOLD = {
    "dense": "dense",
    "dense_l1": "dense with l1",
    **{name: method.told for name, method in METHODS.items()},
}

_SHOWN = (0.05, 0.99)  # accuracies in the figure


class Setup(NamedTuple):
    """What is pruned, how it is trained, and by which methods."""

    methods: tuple[str, ...] = tuple(METHODS)
    sparsities: tuple[float, ...] = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
    num_seeds: int = 5
    data: str = "digits"
    model: str = "mlp"
    hidden: tuple[int, ...] | None = None
    # Of one training run. The penalty is about as strong as costs dense networks no accuracy.
    recipe: Recipe = Recipe(0.05, l1=4e-3, epochs=50, schedule="cosine")


class Row(NamedTuple):
    """One network."""

    method: str  # a name in the table of methods, or "dense", "dense_l1"
    sparsity: float  # asked: the fraction of the prunable weights removed
    seed: int  # of the start; the same start for all methods
    weights: int  # D, prunable
    asked: int  # of them to be removed
    zeros: int  # of them zero, counted in the network
    accuracy: float  # on the held-out images
    epochs: float  # of training behind it; where these differ between seeds, their mean


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


def draw(rows: Sequence[Row]) -> "Axes":
    """Accuracy against the fraction kept: means over the seeds, bars of one standard deviation."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    ax = figures.new_axis(9.0, 5.5)
    dense = _accuracies(rows, "dense", 0.0)
    ax.axhline(float(dense.mean()), color="black", lw=1, label=TOLD["dense"])
    names = _methods(rows)
    sparsities = _sparsities(rows)
    groups = [[name for name in names if METHODS[name].is_at_start == is_at] for is_at in (1, 0)]
    for number, name in enumerate([*groups[0], *groups[1]]):
        is_at_start = name in groups[0]
        place = number if is_at_start else number - len(groups[0])  # colours by group
        values = [_accuracies(rows, name, sparsity) for sparsity in sparsities]
        # Bars of several methods at one place would hide each other.
        shift = 1.02 ** (number - (len(names) - 1) / 2)
        means = np.array([each.mean() for each in values])
        ends = [
            np.clip(
                [mean + side * _deviation(each) for mean, each in zip(means, values, strict=True)],
                *_SHOWN,
            )
            for side in (-1, 1)
        ]
        ax.errorbar(
            [(1 - sparsity) * shift for sparsity in sparsities],
            means,
            np.abs(np.array(ends) - means),
            color=figures.COLOURS[place % len(figures.COLOURS)],
            marker=figures.MARKERS[place % len(figures.MARKERS)],
            ls="--" if is_at_start else "-",
            ms=4,
            lw=1.2,
            capsize=2,
            label=TOLD[name],
        )
    ax.set_xscale("log")
    ax.invert_xaxis()
    ticks = [1 - sparsity for sparsity in sparsities]
    ax.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yscale("logit")  # spreads what is close to 1
    ax.set_ylim(*_SHOWN)
    ax.set_yticks(
        [0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98], ["0.1", "0.2", "0.5", "0.8", "0.9", "0.95", "0.98"]
    )
    ax.set_yticks([], minor=True)
    ax.set_xlabel("fraction of the prunable weights kept")
    ax.set_ylabel("accuracy on held-out images")
    ax.set_title(
        f"{rows[0].weights} weights, {len(dense)} seeds; bars: one standard deviation; dashed: "
        "chosen before training; set apart sideways",
        fontsize="small",
    )
    ax.grid(True, alpha=0.3)
    ax.legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def describe(rows: Sequence[Row]) -> str:
    """The table of accuracies, and what it says."""
    sparsities = _sparsities(rows)
    header = ["method", "epochs", *(f"{sparsity:g}" for sparsity in sparsities)]
    cells = []
    for name in _methods(rows):
        epochs = sorted({row.epochs for row in rows if row.method == name})
        told = f"{epochs[0]:.0f}" if len(epochs) == 1 else f"{epochs[0]:.0f}-{epochs[-1]:.0f}"
        marks = ["*" if name in _best(rows, sparsity) else " " for sparsity in sparsities]
        cells.append(
            [TOLD[name], told]
            + [
                _told(_accuracies(rows, name, sparsity)) + mark
                for sparsity, mark in zip(sparsities, marks, strict=True)
            ]
        )
    references = [f"{TOLD[name]} {_told(_accuracies(rows, name, 0.0))}" for name in DENSE]
    return "\n".join(
        [
            "Accuracy on held-out images in percent, mean and standard deviation over "
            f"{len(_accuracies(rows, 'dense', 0.0))} seeds,\nby the fraction of "
            f"{rows[0].weights} weights removed ({', '.join(references)}):",
            "",
            format_table(header, cells),
            "",
            "epochs: of training behind one network. *: the highest mean; or within "
            f"{100 * CLOSE:g} points of it, and\nnot told apart from it by paired differences over "
            f"the seeds ({CONFIDENCE:.0%} limits).",
            "",
            _reading(rows),
        ]
    )


def _reading(rows: Sequence[Row]) -> str:
    """One paragraph, all of whose numbers are those of the rows."""
    off = [row for row in rows if row.zeros != row.asked]
    count = (
        "In every network exactly the asked number of weights is zero."
        if not off
        else f"In {len(off)} of {len(rows)} networks the number of zeros is not the asked one, by "
        f"up to {max(abs(row.zeros - row.asked) for row in off)}."
    )
    dense = float(_accuracies(rows, "dense", 0.0).mean())
    limits = {name: _largest_kept(rows, name, dense) for name in _methods(rows)}
    by_limit = [
        f"{_listed(names)} to {limit:g}" if limit else f"{_listed(names)} at no sparsity tried"
        for limit in sorted(set(limits.values()), reverse=True)
        if (names := [TOLD[name] for name in limits if limits[name] == limit])
    ]
    leaders = []
    for sparsity in _sparsities(rows):
        first, *others = _best(rows, sparsity)
        also = f", with {_listed([TOLD[name] for name in others])}" if others else ""
        leaders.append(f"at {sparsity:g} {TOLD[first]}{also}")
    top = _sparsities(rows)[-1]
    cheapest = min(row.epochs for row in rows if row.sparsity == top)
    cheap = [
        name
        for name in _methods(rows)
        if any(r.epochs <= cheapest and r.sparsity == top for r in rows if r.method == name)
    ]
    best, best_cheap = _best(rows, top)[0], _ranked(rows, top, cheap)[0]
    cost = next(row.epochs for row in rows if row.method == best and row.sparsity == top)
    price = (
        f"At {top:g} the best with {cheapest:.0f} epochs of training is {TOLD[best_cheap]}, "
        f"{_told(_accuracies(rows, best_cheap, top))}; the best of all, {TOLD[best]}, has "
        f"{_told(_accuracies(rows, best, top))} after {cost:.0f} epochs."
    )
    return (
        f"Reading: {count} Mean accuracy within {100 * CLOSE:g} points of the dense networks is "
        f"kept by {'; '.join(by_limit)}. Highest means, and what is not told apart from them: "
        f"{'; '.join(leaders)}. {price}"
    )


def _best(rows: Sequence[Row], sparsity: float) -> list[str]:
    """The method of the highest mean, and those close to it that seeds do not tell from it."""
    from scipy.special import stdtrit  # on first use: importing the package stays light

    first, *others = _ranked(rows, sparsity, _methods(rows))
    best, found = _accuracies(rows, first, sparsity), [first]
    for name in others:
        less = best - _accuracies(rows, name, sparsity)
        num_seeds = len(less)
        if num_seeds < 2:
            continue
        bound = stdtrit(num_seeds - 1, (1 + CONFIDENCE) / 2) * _deviation(less) / num_seeds**0.5
        if less.mean() <= min(bound, CLOSE):
            found.append(name)
    return found


def _ranked(rows: Sequence[Row], sparsity: float, names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: -float(_accuracies(rows, name, sparsity).mean()))


def _largest_kept(rows: Sequence[Row], name: str, dense: float) -> float:
    """The largest sparsity up to which the mean accuracy stays close to dense; 0 for none."""
    largest = 0.0
    for sparsity in _sparsities(rows):
        if _accuracies(rows, name, sparsity).mean() < dense - CLOSE:
            break
        largest = sparsity
    return largest


def _accuracies(rows: Sequence[Row], method: str, sparsity: float) -> Float64[np.ndarray, " seed"]:
    chosen = [row for row in rows if (row.method, row.sparsity) == (method, sparsity)]
    return np.array([row.accuracy for row in sorted(chosen, key=lambda row: row.seed)])


def _methods(rows: Sequence[Row]) -> list[str]:
    return [name for name in dict.fromkeys(row.method for row in rows) if name not in DENSE]


def _sparsities(rows: Sequence[Row]) -> list[float]:
    return sorted({row.sparsity for row in rows if row.method not in DENSE})


def _told(accuracies: np.ndarray) -> str:
    return f"{100 * accuracies.mean():.1f} ± {100 * _deviation(accuracies):.1f}"


def _deviation(values: np.ndarray) -> float:
    """The standard deviation of a sample; 0 for a single value."""
    return float(values.std(ddof=min(1, len(values) - 1)))


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


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
