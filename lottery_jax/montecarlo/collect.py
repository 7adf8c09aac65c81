"""Success probabilities: stored chunks are read, missing ones are run, limits are set."""

import contextlib
import functools
import importlib.metadata
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.core.compat import make_mesh
from lottery_jax.core.limits import limits_exact, limits_sequential
from lottery_jax.core.tally import Tally
from lottery_jax.montecarlo.chunk import run_counts, run_first_width, run_success
from lottery_jax.montecarlo.estimates import Estimates
from lottery_jax.montecarlo.experiment import Epsilons, Experiment, Kind, check_epsilons, identity
from lottery_jax.montecarlo.store import Row, Store

Progress = bool | Callable[[int, int], Any]


def estimate(
    experiment: Experiment,
    *,
    key: PRNGKeyArray,
    trials: int,
    epsilons: Epsilons,
    confidence: float = 0.95,
    half_width: float | None = None,
    shard: tuple[int, int] = (0, 1),
    store: Store | str | os.PathLike | None = None,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> Estimates:
    """Probability that a draw succeeds, at every ε.

    The counts depend on the experiment, the key, `epsilons` and the number of trials alone: not on
    the devices, on interruptions or on who ran which chunk. Every ε sees the same draws.

    Parameters
    ----------
    key
        A typed key, for example ``lottery_jax.core.root(7)``. Every experiment takes its own stream
        from it.
    trials
        Draws, rounded up to whole chunks of ``experiment.lanes``. The most of them if `half_width`
        is given.
    epsilons
        One-dimensional grid of positive, distinct accuracies (float32).
    confidence
        Of the limits, at each ε by itself.
    half_width
        Stop as soon as half the distance between the limits is at most this at every ε. Such a stop
        looks at the draws, so the limits are then the (wider) sequential ones.
    shard
        ``(i, n)`` runs every n-th chunk from the i-th, for n independent processes with a store
        each. Merge the stores and call without `shard` for the whole.
    store
        File of rows, or None to keep nothing. Stored chunks are not run again. Under
        ``jax.distributed`` every process must see the file, and only process 0 writes it.
    mesh
        Devices; all by default.
    progress
        True for a bar, False for silence, or a function called with (draws done, draws in total).

    Raises
    ------
    ValueError
        For an argument outside its range, before anything is compiled; StoreError for an unusable
        store.

    Examples
    --------
    >>> from lottery_jax.core import root
    >>> from lottery_jax.montecarlo import Experiment, Trial
    >>> def trial(key, epsilons, parameters):
    ...     hits = jax.random.uniform(key, (), "float32")[None] < epsilons
    ...     return Trial(hits, hits & False)
    >>> below = Experiment("below", settings=(("dim", 1),), trial=trial, lanes=1000)
    >>> print(estimate(below, key=root(8), trials=4000, epsilons=[0.1, 0.5], progress=False))
    below (dim=1): 4000 trials, 95 % exact limits
         epsilon probability         low        high        hits   undecided
             0.1      0.0985     0.08944      0.1082         394           0
             0.5      0.4925      0.4769      0.5081        1970           0
    """
    if experiment.trial is None:
        raise ValueError(f"{experiment.name} has no trial; use threshold for its first_width")
    keys.check_key(key)
    grid = check_epsilons(epsilons)
    num_chunks = count_chunks(experiment, trials)
    first, step = shard
    if not 0 <= first < min(step, num_chunks):
        raise ValueError(
            f"{shard=} of {num_chunks} chunks is empty; use 0 <= i < n <= {num_chunks}"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"{confidence=} must lie strictly between 0 and 1, for example 0.95")
    if half_width is not None and not 0 < half_width < 1:
        raise ValueError(f"{half_width=} must lie strictly between 0 and 1, for example 0.01")

    make_limits = limits_exact if half_width is None else limits_sequential
    limits = functools.partial(make_limits, confidence=confidence)
    tally, seconds = Tally.zero(len(grid)), 0.0
    rows = collect_rows(
        experiment,
        key=key,
        kind="success",
        epsilons=grid,
        chunks=range(first, num_chunks, step),
        store=store,
        mesh=mesh,
        progress=progress,
    )
    # Rows come in the order of the chunks even where they were stored in another, so that a resumed
    # run stops where an uninterrupted one does.
    for row in rows:
        tally = tally.merge(Tally(row["trials"], tuple(row["hits"]), tuple(row["undecided"])))
        seconds += row["seconds"]
        if half_width is not None:
            low, high = limits(tally.hits, tally.trials, undecided=tally.undecided)
            if np.all(high - low <= 2 * half_width):
                break
    low, high = limits(tally.hits, tally.trials, undecided=tally.undecided)
    return Estimates(
        name=experiment.name,
        settings=experiment.settings,
        epsilons=np.asarray(grid),
        hits=np.asarray(tally.hits),
        undecided=np.asarray(tally.undecided),
        trials=tally.trials,
        low=np.asarray(low),
        high=np.asarray(high),
        limits="exact" if half_width is None else "sequential",
        confidence=confidence,
        bound=experiment.bound,
        seconds=seconds,
    )


def count_chunks(experiment: Experiment, trials: int) -> int:
    """Whole chunks that hold `trials` draws.

    Raises
    ------
    ValueError
        Unless `trials` is a positive integer that fits the 2**32 chunks of a stream.

    Examples
    --------
    >>> count_chunks(Experiment("below", (), lanes=100), 950)
    10
    """
    if isinstance(trials, bool) or not isinstance(trials, (int, np.integer)) or trials < 1:
        raise ValueError(f"{trials=} must be a positive integer")
    num_chunks = -(-int(trials) // experiment.lanes)
    if num_chunks > 2**32:
        raise ValueError(f"{trials=} needs more than 2**32 chunks; raise {experiment.lanes=}")
    return num_chunks


def collect_rows(
    experiment: Experiment,
    *,
    key: PRNGKeyArray,
    kind: Kind,
    epsilons: tuple[float, ...],
    chunks: Sequence[int],
    store: Store | str | os.PathLike | None = None,
    mesh: Mesh | None = None,
    progress: Progress = False,
) -> Iterator[Row]:
    """The rows of `chunks`, in this order: from the store where it has them, else run and stored.

    A row is yielded after it is durable, so the caller may stop at any time and lose nothing.
    Arguments are those of `estimate`, already checked.
    """
    store = Store(store) if isinstance(store, (str, os.PathLike)) else store
    mesh = make_mesh() if mesh is None else mesh
    name = identity(experiment, epsilons=epsilons, key=key, kind=kind)
    stored = {} if store is None else store.only(name)
    stream = keys.stream(key, name)
    total = len(chunks) * experiment.lanes
    with reporting(progress, total, f"{experiment.name} {kind}") as report:
        for position, number in enumerate(chunks, start=1):
            row = stored.get(number)
            if row is None:
                row = {
                    "id": name,
                    "name": experiment.name,
                    "settings": dict(experiment.settings),
                    "kind": kind,
                    "bound": experiment.bound,
                    "epsilons": list(epsilons),
                    "lanes": experiment.lanes,
                    "stream": keys.STREAM_VERSION,
                    "key": keys.describe(key),
                    "chunk": number,
                    "trials": experiment.lanes,
                    **_counts(experiment, stream, number, kind, epsilons, mesh),
                    "versions": versions(),
                    "device": f"{mesh.size} x {mesh.devices.flat[0].device_kind}",
                }
                if store is not None and jax.process_index() == 0:
                    store.append(row)
            report(position * experiment.lanes, total)
            yield row


def _counts(experiment, stream, number, kind, epsilons, mesh) -> Row:
    """The part of a row that has to be computed."""
    if kind == "success":
        tally, seconds = run_success(experiment, stream, number, epsilons=epsilons, mesh=mesh)
        return {"hits": list(tally.hits), "undecided": list(tally.undecided), "seconds": seconds}
    if kind == "counts":
        totals, seconds = run_counts(experiment, stream, number, mesh=mesh)
        counts = {name: total.tolist() for name, total in totals.items()}
        return {"counts": counts, "seconds": seconds}
    (epsilon,) = epsilons
    certain, possible, seconds = run_first_width(
        experiment, stream, number, epsilon=epsilon, mesh=mesh
    )
    return {
        "certain": _histogram(certain),
        "possible": _histogram(possible),
        "undecided": int(np.sum(possible < certain)),
        "seconds": seconds,
    }


def _histogram(widths: np.ndarray) -> dict[str, int]:
    values, counts = np.unique(widths, return_counts=True)
    return dict(zip(map(str, values.tolist()), counts.tolist(), strict=True))


@functools.cache
def versions() -> dict[str, str]:
    """The versions of this package and of jax, which every stored row names."""
    try:
        package = importlib.metadata.version("lottery_jax")
    except importlib.metadata.PackageNotFoundError:  # run from a source tree
        package = "source"
    return {"lottery_jax": package, "jax": jax.__version__}


@contextlib.contextmanager
def reporting(progress: Progress, total: int, label: str) -> Iterator[Callable[[int, int], Any]]:
    """A function to be told (done, total): a bar, nothing, or the caller's own; see `estimate`."""
    if callable(progress):
        yield progress
    elif progress and jax.process_index() == 0:
        from tqdm.auto import tqdm  # on first use: importing the package stays light

        with tqdm(total=total, desc=label, unit="draw", unit_scale=True) as bar:
            yield lambda done, _: bar.update(done - bar.n)
    else:
        yield lambda done, total: None


def report_part(
    report: Callable[[int, int], Any], before: int, trials: int, total: int, done: int, of: int
) -> None:
    """Tell of one point's progress as part of the whole; `of` is `trials` in whole chunks."""
    report(before + trials * done // of, total)
