"""One network: train it, predict how far it can be pruned, prune it, and compare.

The training images give the curvature and epsilon; both they and the held-out images judge. What a
run has done is kept in its folder, and the same command goes on from there: training by epochs, the
spectrum by Lanczos steps, the measurements one by one.
"""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from lottery_jax import data, models, training
from lottery_jax.core import keys
from lottery_jax.core.leaves import choose_leaves
from lottery_jax.core.records import Records
from lottery_jax.data import Dataset
from lottery_jax.models import Model
from lottery_jax.pruning_limit import measure as measuring
from lottery_jax.pruning_limit.measure import MeasuredLimit
from lottery_jax.pruning_limit.predicting import predict
from lottery_jax.pruning_limit.prediction import PruningLimit
from lottery_jax.training import Recipe

Batches = list[tuple[np.ndarray, np.ndarray]]


class Setup(NamedTuple):
    """A network, its training, and what is asked of it."""

    data: str = "digits"  # a name, or the path of an archive
    model: str = "mlp"  # a name in models.NAMES
    hidden: tuple[int, ...] | None = None  # widths of an "mlp"; None: the usual ones
    recipe: Recipe = Recipe(0.05, l1=3e-4, epochs=100)
    epsilon: float | str = "deviation"
    negative: str = "abs"
    products: int = 400  # spent on the spectrum
    passes: int = 50  # over the training images, to optimise the kept weights again
    examples: int | None = None  # training images that give curvature and epsilon; None: all
    points: int = 101  # sparsities of the curves of loss and accuracy


FULL = Setup()
QUICK = Setup(
    hidden=(32, 16), recipe=Recipe(0.05, l1=3e-4, epochs=20), products=120, passes=5, points=21
)


class LimitRow(NamedTuple):
    """One limit, predicted or measured; fractions of the prunable weights removed."""

    how: str  # "predicted" or "measured"
    name: str  # the form, or the rule and the images that judge
    removed: float
    low: float  # predicted: by the error of the curvature. Measured: 95 %, by images
    high: float
    window_low: float | None  # predicted: and the width of the transition
    window_high: float | None
    kept: float


class SweepRow(NamedTuple):
    """The network right after global magnitude pruning."""

    sparsity: float
    train_loss: float
    test_loss: float
    test_accuracy: float


class LayerRow(NamedTuple):
    """What global pruning takes from a layer at the limit of the displacement form."""

    path: str
    size: int
    removed: int
    sparsity: float


class Result(NamedTuple):
    """Everything a run found."""

    title: str
    told: str  # what the prediction says of the network and its curvature
    limits: list[LimitRow]
    sweep: list[SweepRow]
    layers: list[LayerRow]


# The settings of a recipe that may be asked for by name.
TRAINING = ("l1", "penalty", "learning_rate", "epochs", "batch")


def choose_setup(*, quick: bool, model: str, **asked: Any) -> Setup:
    """The usual setup of a network with what was asked for; None leaves a setting as it is.

    The paper's networks have the paper's recipes, all others that of `FULL`.

    Raises
    ------
    ValueError
        For a recipe or an epsilon out of range.

    Examples
    --------
    >>> choose_setup(quick=False, model="resnet18", epochs=10).recipe.learning_rate
    0.1
    """
    base = QUICK if quick else FULL
    given = {name: value for name, value in asked.items() if value is not None}
    recipe = training.PAPER.get(model, base.recipe)
    if quick:
        recipe = recipe._replace(epochs=base.recipe.epochs)
    recipe = recipe._replace(**{name: given.pop(name) for name in TRAINING if name in given})
    hidden = base.hidden if model == "mlp" else None
    setup = base._replace(**{"model": model, "hidden": hidden, "recipe": recipe, **given})
    if setup.epsilon != "deviation" and not 0 < float(setup.epsilon) < math.inf:
        raise ValueError(f'epsilon={setup.epsilon} must be a positive loss, or "deviation"')
    if setup.products < 16:
        raise ValueError(f"products={setup.products} must be 16 or more; 400 are usual")
    if setup.examples is not None and setup.examples < 1:
        raise ValueError(f"examples={setup.examples} must be at least 1; leave it out for all")
    return setup


def measure(setup: Setup, *, key: PRNGKeyArray, folder: Path, progress: Any = True) -> Result:
    """Train, predict and measure; what `folder` already holds is not computed again.

    Raises
    ------
    ValueError
        For settings, data or files that cannot be used, before anything is trained where possible.
    """
    dataset, model = load(setup)
    records = Records(folder / "limit.jsonl")
    name = identity(setup, key)
    key = keys.stream(key, name)
    trained = training.fit(
        keys.chunk(key, 0),
        model,
        setup.recipe,
        dataset,
        checkpoint=folder / f"training-{name}.npz",
        progress=progress,
    )
    limit = predict_trained(
        setup, model, trained, dataset, key=keys.chunk(key, 1), folder=folder, name=name
    )
    measured = measured_rows(setup, model, trained, dataset, limit, records=records, name=name)
    layers = limit.layers(limit.limits["displacement"].limit)
    return Result(
        title=_title(setup, model, trained, dataset),
        told="\n".join(limit.summary()),
        limits=[*predicted_rows(limit), *measured],
        sweep=_sweep(setup, model, trained, dataset, records, name),
        layers=[LayerRow(row.path, row.size, row.removed, row.sparsity) for row in layers],
    )


def load(setup: Setup) -> tuple[Dataset, Model]:
    """The data and the network of a setup; raises ValueError where they do not fit."""
    dataset = data.load(setup.data)
    model = models.build(
        setup.model,
        input_shape=dataset.image_shape,
        num_classes=dataset.num_classes,
        hidden=setup.hidden,
    )
    return dataset, model


def identity(setup: Setup, key: PRNGKeyArray) -> str:
    """16 hexadecimal digits for everything that the result depends on."""
    told = [setup._asdict(), setup.recipe._asdict(), keys.STREAM_VERSION, keys.describe(key)]
    return hashlib.sha256(json.dumps(["limit", *told]).encode()).hexdigest()[:16]


def cut(images: np.ndarray, labels: np.ndarray, size: int) -> Batches:
    """Batches in the order of the data; a smaller last one is kept."""
    starts = range(0, len(images), size)
    return [(images[start : start + size], labels[start : start + size]) for start in starts]


def predict_trained(
    setup: Setup,
    model: Model,
    trained: training.TrainState,
    dataset: Dataset,
    *,
    key: PRNGKeyArray,
    folder: Path | None = None,
    name: str = "",
) -> PruningLimit:
    """The predicted limit of a trained network, from its training images."""
    images, labels = (
        each[: setup.examples] for each in (dataset.train_images, dataset.train_labels)
    )
    batches = cut(images, labels, setup.recipe.batch)
    loss: Any = training.loss(model, trained.state)
    return predict(
        loss,
        trained.params,
        batches,
        key=key,
        epsilon=setup.epsilon,  # type: ignore[arg-type]
        negative=setup.negative,  # type: ignore[arg-type]
        products=setup.products,
        checkpoint=None if folder is None else folder / f"spectrum-{name}.npz",
    )


def predicted_rows(limit: PruningLimit) -> list[LimitRow]:
    """The limits of all forms."""
    return [
        LimitRow(
            "predicted",
            row.form,
            row.limit,
            row.low,
            row.high,
            row.window_low,
            row.window_high,
            row.kept,
        )
        for row in limit.to_rows()
    ]


def accuracy(model: Model, state: PyTree):
    """(params, batch) -> the part of the batch whose largest logit is that of the label."""

    def share(params: PyTree, batch: tuple[Array, Array]) -> Float[Array, ""]:
        logits, _ = model.apply(params, state, batch[0], False)
        return jnp.mean((jnp.argmax(logits, axis=1) == batch[1]).astype(jnp.float32))

    return share


def measured_rows(
    setup: Setup,
    model: Model,
    trained: training.TrainState,
    dataset: Dataset,
    limit: PruningLimit,
    *,
    records: Records | None = None,
    name: str = "",
) -> list[LimitRow]:
    """The limits by every rule, judged by the training images and by the held-out ones."""
    loss: Any = training.loss(model, trained.state)
    size = setup.recipe.batch
    train = cut(dataset.train_images, dataset.train_labels, size)
    # Smaller batches tell the spread; there are few images.
    judges = {
        "training": cut(dataset.train_images, dataset.train_labels, size // 4),
        "held-out": cut(dataset.test_images, dataset.test_labels, size // 4),
    }
    rows = []
    for judge, batches in judges.items():
        asked = {"epsilon": limit.epsilon}

        def one_shot(batches=batches, asked=asked) -> MeasuredLimit:
            return measuring.one_shot_limit(loss, trained.params, batches, **asked)

        def reoptimised(batches=batches, asked=asked) -> MeasuredLimit:
            return measuring.reoptimised_limit(
                loss,
                trained.params,
                batches,
                **asked,
                train_batches=train,
                passes=setup.passes,
            )

        for rule, ask in {"one-shot": one_shot, "reoptimised": reoptimised}.items():
            told = f"{rule}, {judge} loss"
            rows.append(_row(told, _once(records, {"run": name, "limit": told}, ask)))

    def by_accuracy() -> MeasuredLimit:
        share = accuracy(model, trained.state)
        held_out = [(dataset.test_images, dataset.test_labels)]
        return measuring.accuracy_limit(share, trained.params, held_out)

    told = "paper's rule, held-out accuracy"
    rows.append(_row(told, _once(records, {"run": name, "limit": told}, by_accuracy)))
    return rows


def _once(
    records: Records | None, asked: dict[str, Any], ask: Callable[[], MeasuredLimit]
) -> MeasuredLimit:
    """The recorded answer, or the one that is measured and recorded now."""
    known = None if records is None else records.find(asked)
    if known is not None:
        return MeasuredLimit(**known)
    found = ask()
    if records is not None:
        records.add(asked, found._asdict())
    return found


def _row(name: str, found: MeasuredLimit) -> LimitRow:
    kept = 1 - found.limit
    return LimitRow("measured", name, found.limit, found.low, found.high, None, None, kept)


def _sweep(setup, model, trained, dataset, records, name) -> list[SweepRow]:
    grid = np.linspace(0, 1, setup.points).tolist()
    loss: Any = training.loss(model, trained.state)
    share = accuracy(model, trained.state)
    asked = {"run": name, "sweep": setup.points}
    known = records.find(asked)
    if known is None:
        train = [(dataset.train_images, dataset.train_labels)]
        test = [(dataset.test_images, dataset.test_labels)]
        known = {
            column: measuring.sweep(function, trained.params, batches, grid).means.tolist()
            for column, function, batches in (
                ("train_loss", loss, train),
                ("test_loss", loss, test),
                ("test_accuracy", share, test),
            )
        }
        records.add(asked, known)
    return [SweepRow(*row) for row in zip(grid, *known.values(), strict=True)]


def _title(setup, model, trained, dataset) -> str:
    size = choose_leaves(trained.params).size
    name = "mlp " + "-".join(map(str, setup.hidden)) if setup.hidden else model.name
    recipe = setup.recipe
    return (
        f"{name} on {dataset.name}, {size} prunable weights, l1 {recipe.l1:g} ({recipe.penalty}), "
        f"{recipe.epochs} epochs"
    )
