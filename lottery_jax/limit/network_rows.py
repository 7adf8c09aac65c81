"""The limits of one network as rows, predicted and measured by every rule, and its curves."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from lottery_jax import training
from lottery_jax.core.records import Records
from lottery_jax.data import Dataset
from lottery_jax.models import Model
from lottery_jax.pruning_limit import measure as measuring
from lottery_jax.pruning_limit.measure import MeasuredLimit
from lottery_jax.pruning_limit.prediction import PruningLimit
from lottery_jax.spectrum.products import SplitLoss

Batches = list[tuple[np.ndarray, np.ndarray]]
_AT_ONCE = 512  # images evaluated at a time where the size of batches says nothing


class LimitRow(NamedTuple):
    """One limit, predicted or measured; fractions of the prunable weights removed."""

    how: str  # "predicted" or "measured"
    name: str  # the form, or the rule and the images that judge
    removed: float
    # Predicted: by the error of the curvature. Measured: see `measure.MeasuredLimit`.
    low: float
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


class Trained(NamedTuple):
    """A trained network, its images, and what is asked of both: functions made once, compiled once.

    `digest` stands for the weights in the names of results and files.
    """

    params: PyTree
    dataset: Dataset
    loss: SplitLoss  # mean cross-entropy in evaluation mode, without penalty
    accuracy: Any  # (params, batch) -> the part of the batch told right
    digest: str  # 16 hexadecimal digits of all parameters and averages


def judged(model: Model, state: training.TrainState, dataset: Dataset) -> Trained:
    """What measurements and predictions need of a network after its training."""
    of_model = split_loss(model, state.state)
    return Trained(
        state.params,
        dataset,
        of_model,
        _accuracy(of_model),
        _digest((state.params, state.state)),
    )


def split_loss(model: Model, state: PyTree) -> SplitLoss:
    """The loss that `training.loss` gives, in the two parts that a Gauss-Newton matrix asks for."""

    def outputs(params: PyTree, batch: tuple[Array, Array]) -> Float[Array, "image class"]:
        with jax.default_matmul_precision("highest"):
            logits, _ = model.apply(params, state, batch[0], False)
        return logits

    def of_outputs(logits: Array, batch: tuple[Array, Array]) -> Float[Array, ""]:
        return jnp.mean(training.cross_entropy(logits, batch[1]))

    return SplitLoss(outputs, of_outputs)


def cut(images: np.ndarray, labels: np.ndarray, size: int) -> Batches:
    """Batches in the order of the data; a smaller last one is kept."""
    starts = range(0, len(images), size)
    return [(images[start : start + size], labels[start : start + size]) for start in starts]


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


def _accuracy(loss: SplitLoss):
    """(params, batch) -> the part of the batch whose largest logit is that of the label."""

    def share(params: PyTree, batch: tuple[Array, Array]) -> Float[Array, ""]:
        logits = loss.outputs(params, batch)
        return jnp.mean((jnp.argmax(logits, axis=1) == batch[1]).astype(jnp.float32))

    return share


def _digest(tree: PyTree) -> str:
    found = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        array = np.ascontiguousarray(leaf)
        found.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()[:16]


def measured_rows(
    trained: Trained,
    *,
    epsilon: float,
    batch: int,
    passes: Sequence[int],
    records: Records | None = None,
) -> list[LimitRow]:
    """The limits by every rule, judged by the training images and by the held-out ones.

    Parameters
    ----------
    epsilon
        The loss allowed.
    batch
        Images in a batch of training; those that judge are a quarter of it, to tell the spread.
    passes
        Over the training images, to optimise the kept weights again: a limit for each.
    records
        Where results are kept.
    """
    dataset = trained.dataset
    train = cut(dataset.train_images, dataset.train_labels, batch)
    judges = {
        "training": cut(dataset.train_images, dataset.train_labels, max(batch // 4, 1)),
        "held-out": cut(dataset.test_images, dataset.test_labels, max(batch // 4, 1)),
    }
    asked: dict[str, Callable[[], MeasuredLimit]] = {}
    for judge, batches in judges.items():
        given = (trained.loss, trained.params, batches)
        asked[f"one-shot, {judge} loss"] = partial(
            measuring.one_shot_limit, *given, epsilon=epsilon
        )
        for number in passes:
            asked[f"reoptimised ({number} passes), {judge} loss"] = partial(
                measuring.reoptimised_limit,
                *given,
                epsilon=epsilon,
                train_batches=train,
                passes=number,
            )
    asked["paper's rule, held-out accuracy"] = partial(
        measuring.accuracy_limit,
        trained.accuracy,
        trained.params,
        cut(dataset.test_images, dataset.test_labels, _AT_ONCE),
    )
    settings = _named(trained) | {"epsilon": epsilon, "batch": batch}
    return [
        _row(name, _once(records, settings | {"limit": name}, ask)) for name, ask in asked.items()
    ]


def sweep_rows(trained: Trained, *, points: int, records: Records) -> list[SweepRow]:
    """Loss and accuracy right after global magnitude pruning, at so many sparsities from 0 to 1."""
    grid = np.linspace(0, 1, points).tolist()
    asked = _named(trained) | {"sweep": points}
    known = records.find(asked)
    if known is None:
        dataset = trained.dataset
        train = cut(dataset.train_images, dataset.train_labels, _AT_ONCE)
        test = cut(dataset.test_images, dataset.test_labels, _AT_ONCE)
        columns = {
            "train_loss": (trained.loss, train),
            "test_loss": (trained.loss, test),
            "test_accuracy": (trained.accuracy, test),
        }
        known = {
            name: measuring.sweep(mean, trained.params, batches, grid).means.tolist()
            for name, (mean, batches) in columns.items()
        }
        records.add(asked, known)
    return [SweepRow(*row) for row in zip(grid, *known.values(), strict=True)]


def _named(trained: Trained) -> dict[str, Any]:
    return {"weights": trained.digest, "data": trained.dataset.name}


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
