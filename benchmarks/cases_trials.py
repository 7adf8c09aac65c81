"""Draws per second of the pruning experiments, against NumPy loops over the same draws."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lottery_jax as lj
from benchmarks import rivals, rivals_neurons
from benchmarks.timing import Checked, Missing, Result, Rival, compare
from lottery_jax.core import keys
from lottery_jax.core.compat import make_mesh
from lottery_jax.montecarlo.chunk import run_success
from lottery_jax.neuron_pruning import reduction as neurons
from lottery_jax.weight_pruning import masked
from lottery_jax.weight_pruning import reduction as weights


def neuron_trial(scale: str) -> Iterator[Result | Missing]:
    """At most 4 kept neurons, or any number of them."""
    cases = [(2, 64, 4, 0.12, 3), (3, 128, 4, 0.2, 1), (2, 32, 32, 0.15, 3)]
    if scale == "quick":
        cases = [(2, 16, 4, 0.3, 1), (2, 8, 8, 0.3, 1)]
    for dim, width, kept, epsilon, rounds in cases:
        has = rivals_neurons.has_any if kept > 4 else rivals_neurons.has_four
        yield from _trial(
            f"neuron trial d={dim} N={width} K={kept} eps={epsilon}",
            lj.neuron_pruning.experiment(dim=dim, width=width, radius=1.0, max_kept=kept),
            epsilon,
            functools.partial(neurons.draw, dim=dim, num_neurons=width),
            lambda net, has=has, epsilon=epsilon: has(net.hidden, net.output, epsilon),
            rounds,
            goal="" if scale == "quick" else "20 x",
        )


def weight_trial(scale: str) -> Iterator[Result | Missing]:
    """Two subset sums for every coordinate of the target."""
    for dim, width, epsilon in (
        [(2, 24, 0.3)] if scale == "quick" else [(2, 48, 0.007), (16, 512, 0.005)]
    ):

        def has(instance, width=width, epsilon=epsilon) -> bool:
            return rivals.has_weights(*_sums(*instance, width), epsilon)

        yield from _trial(
            f"weight trial d={dim} N={width} eps={epsilon}",
            lj.weight_pruning.experiment(dim=dim, width=width, radius=1.0),
            epsilon,
            functools.partial(weights.draw, dim=dim, num_neurons=64 * dim),
            has,
            1 if scale == "quick" else 3,
        )


def corners(scale: str) -> Iterator[Result | Missing]:
    """Weight pruning with a linear output that leaves at most 4 neurons."""
    for width, epsilon, rounds in [(8, 0.3, 1)] if scale == "quick" else [(24, 0.12, 3)]:
        yield from _trial(
            f"corner weight, linear d=2 N={width} K=4 eps={epsilon}",
            lj.weight_pruning.few_neurons(dim=2, width=width, radius=1.0),
            epsilon,
            functools.partial(masked.draw, dim=2, num_neurons=width),
            lambda each, epsilon=epsilon: rivals_neurons.has_masked(
                *each.network, each.target, epsilon
            ),
            rounds,
        )


def exponents(scale: str) -> Iterator[Result | Missing]:
    """Wide networks of which at most 1, 2 or 3 neurons are kept."""
    has = {1: rivals_neurons.has_one, 2: rivals_neurons.has_two, 3: rivals_neurons.has_three}
    cases = [(1, 4000, 0.05), (2, 600, 0.05), (3, 270, 0.05)]
    if scale == "quick":
        cases = [(1, 60, 0.3), (2, 30, 0.3), (3, 16, 0.3)]
    for kept, width, epsilon in cases:
        yield from _trial(
            f"exponents d=2 N={width} K={kept} eps={epsilon}",
            lj.neuron_pruning.experiment(dim=2, width=width, radius=1.0, max_kept=kept),
            epsilon,
            functools.partial(neurons.draw, dim=2, num_neurons=width),
            lambda net, kept=kept, epsilon=epsilon: has[kept](net.hidden, net.output, epsilon),
            1 if scale == "quick" else 3,
        )


def _trial(
    case: str,
    experiment: lj.Experiment,
    epsilon: float,
    draw: Callable[[Any], Any],
    has: Callable[[Any], bool],
    rounds: int,
    goal: str = "",
) -> Iterator[Result]:
    """One chunk of draws, and the same draws in a loop; the numbers of successes are compared."""
    key, mesh = lj.key(0), make_mesh()
    chunk = keys.chunk(key, 0)
    lanes = jnp.arange(experiment.lanes, dtype=jnp.uint32)
    drawn = jax.jit(jax.vmap(lambda lane: draw(keys.lane(chunk, lane))))(lanes)
    drawn = jax.tree.map(lambda field: np.asarray(field, np.float64), drawn)
    leaves, structure = jax.tree.flatten(drawn)
    draws = [jax.tree.unflatten(structure, each) for each in zip(*leaves, strict=True)]

    def agree(run: Any, answers: list[bool]) -> Checked:
        tally, successes = run[0], sum(answers)
        note = f"{successes} of {tally.trials} succeed"
        possible = tally.hits[0] + tally.undecided[0]
        return Checked(tally.trials, tally.hits[0] <= successes <= possible, note)

    theirs = Rival(
        "NumPy loop", lambda: [has(each) for each in draws], len(draws), agree, goal=goal
    )
    return compare(
        case,
        work="draw",
        ours=lambda: run_success(experiment, key, 0, epsilons=(epsilon,), mesh=mesh),
        units=experiment.lanes,
        rivals=[theirs],
        rounds=rounds,
    )


def _sums(hidden, output, target, width: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Neuron j serves coordinate j mod d, on the side of the sign of its input weight."""
    dim, number = len(target), np.arange(width)
    hidden, output = hidden[:width], output[:width]
    items, targets = [], []
    for coordinate in range(dim):
        for sign in (1, -1):
            serves = (number % dim == coordinate) & (sign * hidden > 0)
            items.append(output[serves] * np.abs(hidden[serves]))
            targets.append(sign * target[coordinate])
    return items, np.array(targets)
