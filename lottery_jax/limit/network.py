"""One network: train it, predict how far it can be pruned, prune it, and compare.

The training images give the curvature and epsilon; both they and the held-out images judge. What a
run has done is kept in its folder, and the same command goes on from there: training by epochs, the
spectrum by Lanczos steps, the measurements one by one.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import PRNGKeyArray

from lottery_jax import data, models, training
from lottery_jax.core import keys
from lottery_jax.core.leaves import choose_leaves
from lottery_jax.core.records import Records
from lottery_jax.data import Dataset
from lottery_jax.limit.network_rows import (
    LayerRow,
    LimitRow,
    SweepRow,
    cut,
    measured_rows,
    predicted_rows,
    sweep_rows,
)
from lottery_jax.models import Model
from lottery_jax.pruning_limit.predicting import predict
from lottery_jax.pruning_limit.prediction import PruningLimit
from lottery_jax.training import Recipe


class Setup(NamedTuple):
    """A network, its training, and what is asked of it."""

    data: str = "digits"  # a name, or the path of an archive
    model: str = "mlp"  # a name in models.NAMES
    hidden: tuple[int, ...] | None = None  # widths of an "mlp"; None: the usual ones
    recipe: Recipe = Recipe(0.05, l1=3e-4, epochs=100)
    epsilon: float | str = "deviation"
    negative: str = "abs"
    products: int = 400  # spent on the spectrum
    passes: tuple[int, ...] = (50, 400)  # to optimise the kept weights again; a limit for each
    examples: int | None = None  # training images that give curvature and epsilon; None: all
    points: int = 101  # sparsities of the curves of loss and accuracy


FULL = Setup()
QUICK = Setup(
    hidden=(32, 16), recipe=Recipe(0.05, l1=3e-4, epochs=20), products=120, passes=(5,), points=21
)


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
    network = (model, trained, dataset)
    measured = measured_rows(
        *network,
        epsilon=limit.epsilon,
        batch=setup.recipe.batch,
        passes=setup.passes,
        records=records,
        run=name,
    )
    layers = limit.layers(limit.limits["displacement"].limit)
    return Result(
        title=_title(setup, model, trained, dataset),
        told="\n".join(limit.summary()),
        limits=[*predicted_rows(limit), *measured],
        sweep=sweep_rows(*network, points=setup.points, records=records, run=name),
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


def _title(setup, model, trained, dataset) -> str:
    size = choose_leaves(trained.params).size
    name = "mlp " + "-".join(map(str, setup.hidden)) if setup.hidden else model.name
    recipe = setup.recipe
    return (
        f"{name} on {dataset.name}, {size} prunable weights, l1 {recipe.l1:g} ({recipe.penalty}), "
        f"{recipe.epochs} epochs"
    )
