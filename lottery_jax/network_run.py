"""A whole network by weight pruning: train it, find it in random networks, evaluate those.

Experiment 1 of Pensia et al. (2020) in the two constructions of `weight_pruning.expanded`. Theirs:
MNIST, 784-500-10, ε = 0.01, a pool of 21 uniform numbers; accuracy 97.19 % before and after;
77,266 s on 36 cores with a commercial solver of integer programs. Here the digits that come with
the package stand in for MNIST: accuracies cannot be compared with theirs, numbers of weights and
errors of weights can.
"""

import contextlib
import csv
import hashlib
import json
import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import PRNGKeyArray

from lottery_jax import training
from lottery_jax.core import keys
from lottery_jax.data import NUM_CLASSES, load_digits
from lottery_jax.montecarlo.collect import Progress
from lottery_jax.montecarlo.experiment import check_epsilons
from lottery_jax.montecarlo.store import Store, StoreError
from lottery_jax.report.tables import format_table
from lottery_jax.subset_sum.pool import pool_bytes
from lottery_jax.weight_pruning import network, network_audit
from lottery_jax.weight_pruning.expanded import CONSTRUCTIONS, RandomNetwork, random_network

DATA = {"digits28": 28, "digits": 8}  # pixels along a side


class Setup(NamedTuple):
    """One target and the random networks in which it is looked for."""

    data: str = "digits28"  # a name in DATA
    hidden: int = 500  # neurons of the target
    epochs: int = 40
    epsilon: float = 0.01  # for every weight
    num_items: int | None = None  # None: `network.default_items`
    law: str = "uniform"
    constructions: tuple[str, ...] = CONSTRUCTIONS

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the target: input, hidden layer, output."""
        return DATA[self.data] ** 2, self.hidden, NUM_CLASSES


FULL = Setup()
QUICK = Setup(hidden=50, epochs=10)


@dataclass(frozen=True)
class NetworkRow:
    """What one random network gave; one row of network.csv."""

    data: str
    widths: str
    construction: str
    law: str
    epsilon: float
    items: int  # n of the construction
    weights: int  # of the target
    failed: int  # of them without a sum within epsilon
    undecided: int  # of them where rounding cannot tell
    largest_error: float  # of all weights, from the pruned random network
    accuracy_before: float  # on the held-out images
    accuracy_after: float  # of the pruned random network
    output_difference: float  # largest on the held-out images
    initial: int  # weights of the random network
    kept: int  # of them
    seconds: float  # drawing, searching and compiling


def measure(
    setup: Setup, *, key: PRNGKeyArray, folder: Path, progress: Progress = True
) -> list[NetworkRow]:
    """Train the target, prune every random network to it, and evaluate the pruned networks.

    What `folder` already holds, weights or chunks, is not computed again.

    Raises
    ------
    ValueError
        For a setting outside its range, before anything is trained; StoreError for files in the
        folder that were not written by this command.
    """
    random_networks(setup, key=key)
    store = open_store(folder)
    digits = load_digits(DATA[setup.data])
    weights = _target(setup, digits, key=key, folder=folder)
    rows = []
    for construction in setup.constructions:
        pruned = network.prune_network(
            weights,
            key=key,
            epsilon=setup.epsilon,
            num_items=setup.num_items,
            law=setup.law,
            construction=construction,
            store=store,
            progress=progress,
        )
        found = network_audit.audit(pruned, weights, digits.test_images, digits.test_labels)
        rows.append(
            NetworkRow(
                data=setup.data,
                widths="-".join(map(str, setup.widths)),
                construction=construction,
                law=setup.law,
                epsilon=pruned.epsilon,
                items=pruned.network.num_items,
                weights=pruned.num_targets,
                failed=pruned.failed,
                undecided=pruned.undecided,
                largest_error=found.weight_error,
                accuracy_before=found.accuracy_before,
                accuracy_after=found.accuracy_after,
                output_difference=found.output_difference,
                initial=pruned.initial,
                kept=pruned.kept,
                seconds=pruned.seconds,
            )
        )
    return rows


def random_networks(setup: Setup, *, key: PRNGKeyArray) -> list[RandomNetwork]:
    """The random networks of a run; raises ValueError for settings outside their range."""
    if setup.data not in DATA:
        raise ValueError(f"data={setup.data!r} must be one of {', '.join(DATA)}")
    (epsilon,) = check_epsilons([setup.epsilon])
    return [
        random_network(
            key,
            setup.widths,
            construction=construction,
            law=setup.law,
            num_items=(
                network.default_items(epsilon, construction)
                if setup.num_items is None
                else setup.num_items
            ),
        )
        for construction in setup.constructions
    ]


def _target(setup: Setup, digits, *, key: PRNGKeyArray, folder: Path) -> tuple[np.ndarray, ...]:
    """The trained weights, read from the folder where an earlier run left them.

    A run that goes on must find the very same weights, and training repeats itself to the last bit
    only on the same kind of device.
    """
    told = [setup.data, setup.widths, setup.epochs, keys.STREAM_VERSION, keys.describe(key)]
    name = hashlib.sha256(json.dumps(["training", *told]).encode()).hexdigest()[:16]
    path = folder / f"weights-{name}.npz"
    if not path.exists():
        weights = training.train(
            keys.stream(key, name),
            digits.train_images,
            digits.train_labels,
            widths=setup.widths,
            epochs=setup.epochs,
        )
        draft = path.with_suffix(".part")
        with open(draft, "wb") as file:
            np.savez_compressed(file, *map(np.asarray, weights))
        os.replace(draft, path)  # a name never stands for half of a file
    with contextlib.suppress(OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError):
        with open(path, "rb") as file, np.load(file) as arrays:
            weights = network.check_weights([arrays[name] for name in arrays.files])
        if tuple(map(np.shape, weights)) == tuple(
            zip(setup.widths[1:], setup.widths, strict=False)
        ):
            return weights
    raise StoreError(f"{path} does not hold the trained weights; remove it to train again")


def write(rows: Sequence[NetworkRow], folder: Path) -> None:
    """Write network.csv into the folder."""
    with open(folder / "network.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, [field.name for field in fields(NetworkRow)], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def describe(rows: Sequence[NetworkRow]) -> str:
    """The table, and what its columns are."""
    first = rows[0]
    header = ["construction", "items", "failed", "largest error", "accuracy", "pruned"]
    header += ["output diff.", "initial", "kept", "seconds"]
    cells = [
        [
            row.construction,
            row.items,
            row.failed + row.undecided,
            row.largest_error,
            f"{row.accuracy_before:.2%}",
            f"{row.accuracy_after:.2%}",
            row.output_difference,
            row.initial,
            row.kept,
            row.seconds,
        ]
        for row in rows
    ]
    return "\n".join(
        [
            f"A {first.widths} network trained on {first.data}, each of its {first.weights} "
            f"weights\nas a subset sum of random numbers ({first.law}) within {first.epsilon:g}:",
            "",
            format_table(header, cells),
            "",
            "failed: weights without a sum within that accuracy, or too close to tell. largest",
            "error, pruned accuracy and output difference (largest on the held-out images) were",
            "computed from the masked weights of the random network itself. initial and kept count",
            "its weights; in a pool these are parallel edges that share as many random numbers as",
            "items says. seconds: drawing, searching and compiling.",
        ]
    )


def plan(setup: Setup, *, key: PRNGKeyArray) -> str:
    """What a run will do, without doing it: sizes, and rough time and memory."""
    header = ["construction", "items", "weights", "sums", "initial", "chunks", "seconds", "MiB"]
    cells = []
    targets = sum(math.prod(pair) for pair in zip(setup.widths, setup.widths[1:], strict=False))
    for each in random_networks(setup, key=key):
        is_pool = each.construction == "pool"
        sums = targets if is_pool else 2 * targets
        seconds = 2e-7 * 2**each.num_items + 2e-6 * sums if is_pool else 1.5e-5 * sums
        size = (
            pool_bytes(each.num_items, 2**17)
            if is_pool
            else 2**14 * 512 + 2**10 * 32 * each.widths[0]
        )
        masks = targets * -(-each.num_edges // 8)
        cells.append(
            [
                each.construction,
                each.num_items,
                targets,
                sums,
                each.num_weights,
                len(network.chunks(each)),
                seconds + 2e-7 * each.num_weights,
                (size + masks) / 2**20,
            ]
        )
    return "\n".join(
        [
            format_table(header, cells),
            "",
            "Seconds are those of one core; some more for training and for a few programs to "
            "compile.",
        ]
    )


def open_store(folder: str | os.PathLike) -> Store:
    """The store of a folder, refused if it holds counts of something else.

    Raises
    ------
    StoreError
        For a store that cannot be read, or that was not written by this command.
    """
    store = Store(Path(folder) / "network.jsonl")
    if any(row["kind"] != "network" for row in store.rows()):
        raise StoreError(
            f"{store.path} holds the counts of another experiment; name another folder with --out"
        )
    return store
