"""Draws per second of the studies that count, against NumPy over the same draws, and over its own.

Drawing is half of the work where little is decided. So each rival runs twice: on our draws, where
the counts must be the same up to what float32 leaves undecided, and on draws of its own, which it
is timed with, where they must agree within chance.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lottery_jax as lj
from benchmarks import rivals_process, rivals_proof
from benchmarks.timing import Checked, Missing, Result, Rival, compare
from lottery_jax import geometry
from lottery_jax.core import enable_x64, keys
from lottery_jax.core.compat import make_mesh
from lottery_jax.montecarlo.chunk import run_counts
from lottery_jax.neuron_pruning import birth_death, process_path
from lottery_jax.neuron_pruning import families as families_
from lottery_jax.neuron_pruning import kinks as kinks_
from lottery_jax.neuron_pruning import process as process_

Counts = dict[str, Any]  # arrays and integers
_SPREADS = 6  # standard deviations of a difference that chance is allowed


def process(scale: str) -> Iterator[Result | Missing]:
    """Paths of 60 steps in float64, as the study draws them: few long bins, and many short ones."""
    # Chances near those of the capped process, by state.
    few = process_.Chain(0.01, 0.3, (0.05, 0.02, 0.02), (0.0, 0.1, 0.2))
    many = process_.Chain(0.2, 0.1, (0.3, 0.3, 0.3, 0.3, 0.3, 0.3), (0.0,) * 6)
    cases = [(0.5, 0.1, 2, 60, few), (0.1, 0.02, 5, 60, many)]
    if scale == "quick":
        cases = [(0.5, 0.1, 2, 15, few)]
    for length, constant, cap, steps, chain in cases:
        experiment = process_.experiment(
            length=length, constant=constant, cap=cap, steps=steps, chain=chain, precision="float64"
        )
        bins = geometry.num_bins(2.0, length)
        given = experiment.scalars()
        settings = {name: float(given[name]) for name in ("radius", "length", "constant")}

        most = {"total": bins, "original_moves": steps, "copy_moves": steps}

        def draw(key, given=given, steps=steps, bins=bins):
            sizes = process_path.capacities(steps, bins)
            size = {"steps": sizes[0], "bins": sizes[1], "precision": "float64"}
            drawn, _ = process_path.run(key, jax.tree.map(jnp.asarray, given), **size)
            return drawn.places[: steps + 1], drawn.jumps[: steps + 1], drawn.coins[:steps]

        def own(rng, lanes, steps=steps, target=float(given["target"])):
            slope, offset, output = rng.normal(size=(3, lanes, steps + 1))
            places, jumps = -offset / slope, output * np.abs(slope)
            places[:, 0], jumps[:, 0] = target, -1
            return places, jumps, rng.random((lanes, steps))

        def within(counts: Counts, most=most) -> tuple[Counts, Counts]:
            open_ = counts["undecided"]
            low = {name: each for name, each in counts.items() if name != "undecided"}
            return low, {name: each + open_ * most.get(name, 1) for name, each in low.items()}

        yield from _counted(
            f"process eps={length} c={constant} T={cap} k={steps}",
            experiment,
            "path",
            draw,
            own,
            functools.partial(
                rivals_process.processes, **settings, cap=cap, chain=_as_float32(chain)
            ),
            within,
            most=most,
            rounds=1 if scale == "quick" else 3,
            context=enable_x64,
        )


def chain(scale: str) -> Iterator[Result | Missing]:
    """Paths of the birth-death chain."""
    for cap, steps in [(10, 16)] if scale == "quick" else [(10, 64), (100, 512)]:
        experiment = birth_death.experiment(p=0.3, q=0.1, cap=cap, steps=steps)

        def draw(key, steps=steps):
            return (
                jax.vmap(
                    lambda step: jax.random.bits(jax.random.fold_in(key, step), (), jnp.uint32) >> 2
                )(jnp.arange(steps, dtype=jnp.int32)),
            )

        yield from _counted(
            f"chain p=.3 q=.1 T={cap} k={steps}",
            experiment,
            "path",
            draw,
            lambda rng, lanes, steps=steps: (rng.random((steps, lanes)).T,),
            functools.partial(rivals_proof.chain, p=0.3, q=0.1, cap=cap),
            lambda counts: (counts, counts),
            rounds=1 if scale == "quick" else 5,
            prepare=lambda bits: bits / 2.0**30,
        )


def kinks(scale: str) -> Iterator[Result | Missing]:
    """Single kinks, and random networks on a bin."""
    rounds = 1 if scale == "quick" else 9

    def neuron(key):
        of_neuron, of_position = keys.items(key, 2)
        weights = jax.random.normal(of_neuron, (3,), jnp.float32)
        return weights, jax.random.uniform(of_position, (), jnp.float32)

    def within_single(counts: Counts) -> tuple[Counts, Counts]:
        low = {name: each for name, each in counts.items() if "undecided" not in name}
        more = {
            "breaks": counts["breaks_undecided"],
            "unbroken": counts["steep_undecided"],
        }
        return low, {name: each + more.get(name, 0) for name, each in low.items()}

    yield from _counted(
        "kinks, single",
        kinks_.single_kinks(),
        "neuron",
        neuron,
        lambda rng, lanes: (rng.normal(size=(lanes, 3)), rng.random(lanes)),
        functools.partial(
            rivals_proof.single_kinks,
            radius=2.0,
            gammas=kinks_.GAMMAS,
            constants=kinks_.CONSTANTS,
            cells=kinks_.NUM_CELLS,
            steep=kinks_.STEEP,
        ),
        within_single,
        rounds=rounds,
    )
    neurons, bins = 8, geometry.num_bins(2.0, 0.5)

    def network(key):
        of_network, of_target, of_bin = keys.items(key, 3)
        weights = jax.vmap(lambda key: jax.random.normal(key, (3,), jnp.float32))(
            keys.items(of_network, neurons)
        )
        target = jax.random.normal(of_target, (2,), jnp.float32)
        return weights, target, jax.random.randint(of_bin, (), 0, bins, jnp.int32)

    def within_bins(counts: Counts) -> tuple[Counts, Counts]:
        low = {name: each for name, each in counts.items() if name != "undecided"}
        more = {name: 0 if name == "apart" else counts["undecided"] for name in low}
        return low, {name: each + more[name] for name, each in low.items()}

    yield from _counted(
        f"kinks, bins of {neurons} neurons",
        kinks_.random_bins(num_neurons=neurons, length=0.5, constant=0.05),
        "network",
        network,
        lambda rng, lanes: (
            rng.normal(size=(lanes, neurons, 3)),
            rng.normal(size=(lanes, 2)),
            rng.integers(bins, size=lanes),
        ),
        functools.partial(rivals_proof.random_bins, length=0.5, constant=0.05, radius=2.0),
        within_bins,
        rounds=rounds,
    )


def families(scale: str) -> Iterator[Result | Missing]:
    """Networks of two and three kept neurons on 24 families."""
    settings: dict[str, Any] = {"epsilon": 0.5, "radius": 2.0, "constant": 0.045, "jump": 0.4}
    for kept in (2,) if scale == "quick" else (2, 3):

        def draw(key, kept=kept):
            def neuron(item):
                return jax.random.normal(item, (49,), jnp.float32)

            return (jax.vmap(neuron)(keys.items(key, kept)),)

        yield from _counted(
            f"families k={kept} J=24",
            families_.experiment(kept=kept, **settings),
            "network",
            draw,
            lambda rng, lanes, kept=kept: (rng.normal(size=(lanes, kept, 49)),),
            functools.partial(rivals_proof.families, **settings),
            lambda counts: (
                {"at_most": np.cumsum(counts["possible"])},
                {"at_most": np.cumsum(counts["certain"])},
            ),
            rounds=1 if scale == "quick" else 5,
        )


def _counted(
    case: str,
    experiment: lj.Experiment,
    work: str,
    draw: Callable[..., tuple],
    own: Callable[..., tuple],
    count: Callable[..., Counts],
    within: Callable[[Counts], tuple[Counts, Counts]],
    *,
    rounds: int,
    most: Mapping[str, int] = MappingProxyType({}),
    context: Callable[[], Any] = contextlib.nullcontext,
    prepare: Callable[[np.ndarray], np.ndarray] = lambda each: each,
) -> Iterator[Result | Missing]:
    """One chunk, and NumPy over its draws and over its own.

    `within` gives the least and the largest counts that ours allow for; `most` is what one draw may
    add to one of them, by name; 1 where it is not named.
    """
    key, mesh, number = lj.key(0), make_mesh(), experiment.lanes

    def ours() -> Counts:
        with context():
            return run_counts(experiment, key, 0, mesh=mesh)[0]

    with context():
        lanes = jnp.arange(number, dtype=jnp.uint32)
        chunk = keys.chunk(key, 0)
        drawn = jax.jit(jax.vmap(lambda lane: draw(keys.lane(chunk, lane))))(lanes)
    draws = [prepare(np.asarray(each, np.float64)) for each in drawn]
    rng = np.random.default_rng(0)

    def agree(counts: Counts, theirs: Counts, *, by_chance: bool) -> Checked:
        low, high = within(counts)
        checked, agrees = 0, set(low) == set(theirs)
        for name in low.keys() & theirs.keys():
            answer = _padded(theirs[name], np.shape(low[name]))
            slack = 0.0
            if by_chance:
                size = most.get(name, 1)
                slack = _SPREADS * (np.sqrt(size * (high[name] + answer)) + size)
            is_right = (low[name] - slack <= answer) & (answer <= high[name] + slack)
            agrees, checked = agrees and bool(np.all(is_right)), checked + answer.size
        note = "its own draws" if by_chance else f"{number} draws"
        return Checked(checked, agrees, note)

    def rival(name: str, run: Callable[[], Counts], *, by_chance: bool) -> Rival:
        return Rival(name, run, number, functools.partial(agree, by_chance=by_chance))

    yield from compare(
        case,
        work=work,
        ours=ours,
        units=number,
        rivals=[
            rival("NumPy", lambda: count(*draws), by_chance=False),
            rival("NumPy that draws", lambda: count(*own(rng, number)), by_chance=True),
        ],
        rounds=rounds,
    )


def _padded(counts: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Filled up with zeros: our arrays are as long as the capacity of the program."""
    counts = np.asarray(counts)
    if not counts.ndim:
        return counts
    return np.pad(counts, [(0, size - has) for size, has in zip(shape, counts.shape, strict=True)])


def _as_float32(chain: process_.Chain) -> tuple:
    """The chances as the compiled program compares them."""
    p, q, up, down = jax.tree.map(lambda each: float(np.float32(each)), chain)
    return p, q, up, down
