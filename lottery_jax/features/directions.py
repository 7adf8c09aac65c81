"""Directions from sparse to dense, and inputs that are not normal: where does pruning help?

The same M is kept from the same n rows, whatever the direction is: s equal entries, entries that
fall off like i^-p, or a uniform direction, in which all inputs matter and pruning has nothing to
find. Recall has no meaning there, so the share of the direction on the inputs kept is measured,
beside the largest that a set of this size can have and what random inputs have. Then a network on
these inputs and one on all inputs are trained on the same rows (one gradient step and ridge
regression), and their test errors are compared seed by seed.

With alpha defined by ||V||_{2,1}^2 = d^alpha, theory has about d^(alpha k*) samples for pruning,
d^k* for one step of a dense network, and d^(min(alpha, 1/2) k*) as the lower bound for all methods
that see the data through correlations (CSQ).
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int32, Key, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.features import directions_rows
from lottery_jax.features.directions_report import describe, draw
from lottery_jax.features.directions_rows import Row
from lottery_jax.features.seeds import each_seed, identity, mean_over
from lottery_jax.montecarlo.collect import Progress, reporting
from lottery_jax.sparse_features import data, learn, links
from lottery_jax.sparse_features.prune import select
from lottery_jax.sparse_features.recovery_limits import check_spread
from lottery_jax.sparse_features.scores import scores_at

__all__ = ["FULL", "NAME", "QUESTION", "QUICK", "Case", "Row", "Setup"]
__all__ += ["describe", "draw", "measure", "plan"]

NAME = "features_directions"
QUESTION = "Where does pruning help, and where not?"
_FRESH, _PRUNE, _LEARN, _DATA, _DIRECTIONS = range(5)  # streams of a seed


class Case(NamedTuple):
    """A law of directions and one of inputs."""

    law: str  # "flat", "power P" or "dense"
    inputs: str


class Setup(NamedTuple):
    """What a run measures."""

    cases: tuple[Case, ...]
    dim: int
    support_size: int  # s of the flat direction, and M for all
    exponent: int  # k*
    sizes: tuple[int, ...]
    shift: float
    num_pairs: int  # m of PruneNetwork
    num_neurons: int  # of the networks that are trained
    fresh: int  # rows for the test error
    seeds: int


_LAWS = ("flat", "power 1.5", "power 1", "power 0.5", "dense")
FULL = Setup(
    cases=(
        *(Case(law, "normal") for law in _LAWS),
        *(Case("flat", inputs) for inputs in ("uniform", "rademacher", "laplace")),
    ),
    dim=144,
    support_size=12,
    exponent=2,
    sizes=(1000, 4000, 16_000),
    shift=0.5,
    num_pairs=16,
    num_neurons=64,
    fresh=4096,
    seeds=10,
)
QUICK = FULL._replace(
    cases=(Case("flat", "normal"), Case("dense", "normal")),
    dim=36,
    support_size=6,
    sizes=(500, 2000),
    num_pairs=4,
    num_neurons=32,
    fresh=2048,
    seeds=4,
)


def plan(setup: Setup) -> str:
    """What a run will do, without doing it."""
    return (
        f"{len(setup.cases)} laws of directions and inputs at d = {setup.dim}, M = "
        f"{setup.support_size}, n = {', '.join(map(str, setup.sizes))}, {setup.seeds} seeds each: "
        "scores, and two networks trained for each n"
    )


def measure(
    setup: Setup,
    *,
    key: PRNGKeyArray,
    store: Records,
    mesh: Mesh | None = None,
    progress: Progress = True,
) -> list[Row]:
    """A row for each case and number of rows; seeds that the store has are not run again."""
    check_spread(setup.seeds)
    rows, total = [], len(setup.cases) * setup.seeds
    with reporting(progress, total, NAME) as report:
        for number, case in enumerate(setup.cases):
            found = _seeds(setup, case, key, store, mesh)
            report((number + 1) * setup.seeds, total)
            rows += [_row(setup, case, i, found) for i in range(len(setup.sizes))]
    return rows


def _seeds(setup: Setup, case: Case, key, store: Records, mesh) -> list[dict[str, Any]]:
    """What every seed of a case gives, as lists over sizes."""
    law = setup._replace(cases=(), seeds=0)
    asked = identity(key, {"study": NAME, "setup": repr(law), "case": repr(case)})
    known: dict[int, Any] = {
        seed: store.find({**asked, "seed": seed}) for seed in range(setup.seeds)
    }
    missing = [seed for seed, result in known.items() if result is None]
    laws = tuple(dict.fromkeys(each.law for each in setup.cases if each.inputs == case.inputs))
    asked_of = jnp.int32(laws.index(case.law)), jnp.asarray(setup.sizes, jnp.int32)
    program = _measure(law, laws, case.inputs)
    for seed, result in each_seed(program, asked_of, missing, key=key, mesh=mesh):
        known[seed] = {name: np.asarray(each).tolist() for name, each in result.items()}
        store.add({**asked, "seed": seed}, known[seed])
    return list(known.values())


@functools.cache
def _measure(setup: Setup, laws: tuple[str, ...], inputs: str):
    """The measurement of one seed at all sizes, compiled once for all laws of directions."""
    model = data.Model(links.hermite({setup.exponent: 1.0}), inputs=inputs)
    draws = [directions_rows.draw_direction(law, setup.dim, setup.support_size) for law in laws]

    def measure(
        key: Key[Array, ""], asked: tuple[Int32[Array, ""], Int32[Array, " size"]]
    ) -> dict[str, Array]:
        law, sizes = asked
        stream = functools.partial(keys.lane, key)
        hidden = jax.lax.switch(law, draws, stream(_DIRECTIONS))
        source = data.generated(model, hidden, stream(_DATA))
        fresh = data.generated(model, hidden, stream(_FRESH))
        masses = jnp.sum(hidden**2, axis=1)
        ranked = jnp.cumsum(jnp.sort(masses, descending=True))
        kept = jnp.int32(setup.support_size)
        scores = scores_at(
            source,
            learn.num_fitted(sizes),  # the rest chooses the strength of the ridge
            stream(_PRUNE),
            num_pairs=setup.num_pairs,
            kept=kept[None],
            shift=setup.shift,
        )

        def at_size(size_and_scores):
            size, scores = size_and_scores
            mask = select(jax.tree.map(lambda each: each[0], scores), kept=kept)[:-1]
            number = jnp.sum(mask, dtype=jnp.int32)
            masks = jnp.stack([mask, jnp.ones_like(mask)])
            learned = learn.learn(
                source, size, masks, stream(_LEARN), num_neurons=setup.num_neurons
            )
            error = learn.fresh_error(learned.network, fresh, jnp.int32(setup.fresh)).mean
            return {
                "mass": jnp.sum(jnp.where(mask, masses, jnp.zeros_like(masses))),
                "largest": ranked[number - 1],
                "kept": number,
                "pruned": error[0],
                "dense": error[1],
            }

        return jax.lax.map(at_size, (sizes, scores))

    return measure


def _row(setup: Setup, case: Case, place: int, found: list[dict[str, Any]]) -> Row:
    at = {name: np.array([each[name][place] for each in found], float) for name in found[0]}
    effective = directions_rows.effective_size(case.law, setup.dim, setup.support_size)
    mass_low, mass_high = directions_rows.share_limits(at["mass"], effective)
    pruned, dense, gain = (
        mean_over(each, confidence=directions_rows.CONFIDENCE)
        for each in (at["pruned"], at["dense"], at["dense"] - at["pruned"])
    )
    return Row(
        law=case.law,
        inputs=case.inputs,
        dim=setup.dim,
        effective=effective,
        alpha=float(np.log(effective) / np.log(setup.dim)),
        exponent=setup.exponent,
        kept_entries=setup.support_size,
        size=setup.sizes[place],
        seeds=setup.seeds,
        mass=float(at["mass"].mean()),
        mass_low=mass_low,
        mass_high=mass_high,
        largest=float(at["largest"].mean()),
        chance=float(at["kept"].mean()) / setup.dim,
        pruned=pruned.mean,
        pruned_deviation=pruned.deviation,
        dense=dense.mean,
        dense_deviation=dense.deviation,
        gain=gain.mean,
        gain_low=gain.low,
        gain_high=gain.high,
    )
