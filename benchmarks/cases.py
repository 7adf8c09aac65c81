"""What is measured: each function runs one case at its sizes and yields rows."""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import lottery_jax as lj
from benchmarks import rivals
from benchmarks.timing import Result, compare
from lottery_jax.core import keys
from lottery_jax.core.compat import make_mesh
from lottery_jax.montecarlo.chunk import run_success
from lottery_jax.neuron_pruning import reduction
from lottery_jax.subset_sum.few_items import few_items_nearest, few_items_within
from lottery_jax.subset_sum.meet_in_the_middle import nearest_sum


def neuron_trial() -> Iterator[Result]:
    """Draws per second of the neuron-pruning trial, all cores, against a NumPy loop over draws."""
    for dim, width, epsilon in ((2, 64, 0.12), (3, 128, 0.2)):
        experiment = lj.neuron_pruning.experiment(dim=dim, width=width, radius=1.0)
        key, mesh = lj.key(0), make_mesh()
        chunk = keys.chunk(key, 0)
        networks = [
            reduction.draw(keys.lane(chunk, lane), dim=dim, num_neurons=width) for lane in range(24)
        ]
        arrays = [(np.float64(net.hidden), np.float64(net.output)) for net in networks]
        decide = jax.jit(functools.partial(_decide, experiment, epsilon))

        def ours(experiment=experiment, epsilon=epsilon, key=key, mesh=mesh):
            return run_success(experiment, key, 0, epsilons=(epsilon,), mesh=mesh)

        def theirs(arrays=arrays, epsilon=epsilon):
            return [rivals.has_neurons(hidden, output, epsilon) for hidden, output in arrays]

        def agree(_, answers, decide=decide, chunk=chunk):
            mine = [decide(keys.lane(chunk, lane)) for lane in range(len(answers))]
            same = [
                bool(trial.undecided[0]) or bool(trial.hits[0]) == answer
                for trial, answer in zip(mine, answers, strict=True)
            ]
            return len(same), all(same)

        yield compare(
            f"neuron trial d={dim} N={width} K=4 eps={epsilon}",
            work="draw",
            rival="NumPy loop",
            ours=ours,
            theirs=theirs,
            ours_units=experiment.lanes,
            their_units=len(arrays),
            agree=agree,
            goal="20 x",
        )


def few_items() -> Iterator[Result]:
    """All subsets of at most 4 of N vectors in R^16 within a tolerance of a planted sum."""
    for num_items, tolerance in ((64, 0.6), (128, 0.5), (300, 0.4)):
        rng = np.random.default_rng(num_items)
        items = rng.normal(size=(num_items, 16)).astype(np.float32)
        target = items[:4].sum(axis=0)

        def ours(items=items, target=target, tolerance=tolerance):
            return few_items_within(items, target, max_kept=4, tolerance=tolerance)

        def theirs(items=items, target=target, tolerance=tolerance):
            return rivals.few_items_within(np.float64(items), np.float64(target), tolerance)

        def agree(found, answers, num_items=num_items):
            rows = np.asarray(found.subsets)[: int(found.count)].tolist()
            return len(answers), answers == {tuple(i for i in r if i < num_items) for r in rows}

        yield compare(
            f"few items N={num_items} m=16 K=4 tol={tolerance}",
            work="instance",
            rival="NumPy",
            ours=ours,
            theirs=theirs,
            ours_units=1,
            their_units=1,
            agree=agree,
        )
    items = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
    yield compare(
        "nearest of at most 4, N=24 m=4",
        work="instance",
        rival="scipy milp",
        ours=lambda: few_items_nearest(items, np.float32([1, 0, 0, 0]), max_kept=4),
        theirs=lambda: rivals.few_items_milp(np.float64(items), np.array([1.0, 0, 0, 0]), 4),
        ours_units=1,
        their_units=1,
        agree=lambda match, answer: (1, abs(float(match.error) - answer) < 1e-5),
        rounds=1,
    )


def scalar_sums() -> Iterator[Result]:
    """Nearest subset sum of n products of two Gaussians to a target, one device."""
    solve = jax.jit(jax.vmap(nearest_sum))
    for num_items, batch in ((12, 4096), (16, 1024), (20, 256), (24, 64), (30, 2)):
        rng = np.random.default_rng(num_items)
        items = np.prod(rng.normal(size=(2, batch, num_items)), axis=0).astype(np.float32)
        targets = rng.uniform(-1, 1, size=batch).astype(np.float32)

        def ours(items=items, targets=targets):
            return solve(items, targets)

        def theirs(items=items, targets=targets):
            pairs = zip(np.float64(items[:64]), np.float64(targets[:64]), strict=True)
            return [rivals.nearest_sum(row, target) for row, target in pairs]

        def agree(match, answers):
            low, high = match.error_low[: len(answers)], match.error[: len(answers)]
            slack = 1e-6 * np.abs(answers) + 1e-9
            inside = (low <= answers + slack) & (answers - slack <= high)
            return len(answers), bool(np.all(inside))

        yield compare(
            f"scalar sum n={num_items}, {batch} together",
            work="instance",
            rival="NumPy",
            ours=ours,
            theirs=theirs,
            ours_units=batch,
            their_units=min(batch, 64),
            agree=agree,
        )
    rng = np.random.default_rng(1)
    items = np.prod(rng.normal(size=(2, 1, 14)), axis=0).astype(np.float32)
    yield compare(
        "scalar sum n=14",
        work="instance",
        rival="scipy milp",
        ours=lambda: solve(items, np.float32([0.3])),
        theirs=lambda: rivals.nearest_sum_milp(np.float64(items[0]), float(np.float32(0.3))),
        ours_units=1,
        their_units=1,
        # HiGHS stops within its feasibility tolerance of 1e-6.
        agree=lambda match, answer: (1, abs(float(match.error[0]) - answer) < 1e-5),
        rounds=1,
    )


def _decide(experiment, epsilon, key):
    """The trial of one draw at one accuracy."""
    return experiment.trial(key, jnp.float32([epsilon]), parameters(experiment))


def parameters(experiment) -> dict:
    """The parameters of an experiment as arrays."""
    return {name: jnp.asarray(value) for name, value in experiment.scalars().items()}


CASES = {"neuron_trial": neuron_trial, "few_items": few_items, "scalar_sums": scalar_sums}
