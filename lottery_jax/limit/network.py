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
from lottery_jax.core.records import Records
from lottery_jax.data import Dataset
from lottery_jax.limit.network_rows import (
    LayerRow,
    LimitRow,
    SweepRow,
    Trained,
    cut,
    judged,
    measured_rows,
    predicted_rows,
    sweep_rows,
)
from lottery_jax.models import Model
from lottery_jax.pruning_limit.predicting import predict
from lottery_jax.pruning_limit.prediction import PruningLimit
from lottery_jax.training import Recipe
from lottery_jax.training.recipe import check_recipe


class Setup(NamedTuple):
    """A network, its training, and what is asked of it."""

    data: str = "digits"  # a name, or the path of an archive
    model: str = "mlp"  # a name in models.NAMES
    hidden: tuple[int, ...] | None = None  # widths of an "mlp"; None: the usual ones
    recipe: Recipe = Recipe(0.05, l1=3e-4, epochs=100)
    epsilon: float | str = "deviation"
    negative: str = "abs"
    products: int = 1600  # spent on the spectrum
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
        raise ValueError(f"products={setup.products} must be 16 or more; 1600 are usual")
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
    name = training_identity(setup, key)
    stream = keys.stream(key, name)
    state = training.fit(
        keys.chunk(stream, 0),
        model,
        setup.recipe,
        dataset,
        checkpoint=folder / f"training-{name}.npz",
        progress=progress,
    )
    trained = judged(model, state, dataset)
    limit = predict_trained(setup, trained, key=keys.chunk(stream, 1), folder=folder)
    measured = measured_rows(
        trained,
        epsilon=limit.epsilon,
        batch=setup.recipe.batch,
        passes=setup.passes,
        records=records,
    )
    layers = limit.layers(limit.limits["displacement"].limit)
    return Result(
        title=_title(setup, model, limit.size, dataset),
        told="\n".join(limit.summary()),
        limits=[*predicted_rows(limit), *measured],
        sweep=sweep_rows(trained, points=setup.points, records=records),
        layers=[LayerRow(row.path, row.size, row.removed, row.sparsity) for row in layers],
    )


def load(setup: Setup) -> tuple[Dataset, Model]:
    """The data and the network of a setup; raises ValueError where they or settings do not fit."""
    dataset = data.load(setup.data)
    check_recipe(setup.recipe, len(dataset.train_images))
    batch, used = setup.recipe.batch, num_used(setup, dataset)
    if setup.epsilon == "deviation" and used < 2 * batch:
        raise ValueError(
            f'epsilon="deviation" compares whole batches of {batch} images, of which {used} images '
            f"make {used // batch}; take {2 * batch} images or more, smaller batches, or a number "
            "as epsilon"
        )
    model = models.build(
        setup.model,
        input_shape=dataset.image_shape,
        num_classes=dataset.num_classes,
        hidden=setup.hidden,
    )
    return dataset, model


def num_used(setup: Setup, dataset: Dataset) -> int:
    """Training images that give the curvature and epsilon."""
    images = len(dataset.train_images)
    return images if setup.examples is None else min(setup.examples, images)


def identity(setup: Setup, key: PRNGKeyArray) -> str:
    """16 hexadecimal digits for all that is asked of a run; version 2 of what is computed from it.

    Examples
    --------
    >>> len(identity(QUICK, keys.root(0)))
    16
    """
    return _hash("limit 2", setup._asdict(), keys.STREAM_VERSION, keys.describe(key))


def training_identity(setup: Setup, key: PRNGKeyArray) -> str:
    """The same for all that the trained weights depend on: what is asked of them trains nothing."""
    of_training = [setup.data, setup.model, setup.hidden, setup.recipe._asdict()]
    return _hash("training 2", of_training, keys.STREAM_VERSION, keys.describe(key))


def predict_trained(
    setup: Setup, trained: Trained, *, key: PRNGKeyArray, folder: Path | None = None
) -> PruningLimit:
    """The predicted limit of a trained network, from its training images.

    The checkpoint of the spectrum in `folder` is named by the weights and all else that makes it.
    """
    images, labels = (
        each[: setup.examples]
        for each in (trained.dataset.train_images, trained.dataset.train_labels)
    )
    matrix = "gauss_newton" if setup.negative == "gauss_newton" else "hessian"
    name = _hash(
        trained.digest,
        [trained.dataset.name, setup.examples, setup.recipe.batch, matrix, setup.products],
        keys.describe(key),
    )
    return predict(
        trained.loss,
        trained.params,
        cut(images, labels, setup.recipe.batch),
        key=key,
        epsilon=setup.epsilon,  # type: ignore[arg-type]
        negative=setup.negative,  # type: ignore[arg-type]
        products=setup.products,
        checkpoint=None if folder is None else folder / f"spectrum-{name}.npz",
    )


def _hash(*told: Any) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _title(setup, model, size, dataset) -> str:
    name = "mlp " + "-".join(map(str, setup.hidden)) if setup.hidden else model.name
    recipe = setup.recipe
    return (
        f"{name} on {dataset.name}, {size} prunable weights, l1 {recipe.l1:g} ({recipe.penalty}), "
        f"{recipe.epochs} epochs"
    )
