"""Counts as an experiment on recovery could give them, without a draw: for tests of studies."""

import itertools
import zlib

import numpy as np

from lottery_jax.montecarlo.counts import Counts

LINES = ("first", "even", "odd")


def collect_each(tasks, **arguments):
    """In place of `counts.collect_each`: the same counts for the same experiment, any key."""
    del arguments
    return [_counts(experiment, trials) for experiment, trials in tasks]


def points(experiments):
    """Experiment and (size, M) of every point, in the order of rows."""
    for experiment in experiments:
        for index in itertools.product(*map(range, _shape(experiment))):
            yield experiment, index


def count(experiment, name, index, *, trials=10):
    """The total of one count at one point."""
    return int(_counts(experiment, trials).totals[name][index])


def _shape(experiment):
    settings = dict(experiment.settings)
    return len(settings["sizes"].split()), len(settings["kept"].split())


def _counts(experiment, trials):
    settings = dict(experiment.settings)
    rng = np.random.default_rng(zlib.crc32(repr(experiment.settings).encode()))
    size, dim = settings["support_size"], settings["dim"]
    shape = (trials, *_shape(experiment))
    found = np.sort(rng.integers(0, size + 1, shape), axis=1)
    lines = {name: rng.integers(0, found + 1) for name in LINES}
    each = {
        "found": found,
        "found_squared": found**2,
        "complete": (found == size).astype(int),
        "kept": np.minimum(dim, found + rng.integers(0, size, shape)),
        "mass": 4096 * found // size,
        "mass_squared": (4096 * found // size) ** 2,
        **lines,
        "even_squared": lines["even"] ** 2,
    }
    return Counts(trials, {name: np.asarray(v.sum(axis=0)) for name, v in each.items()}, {}, 0.0)
