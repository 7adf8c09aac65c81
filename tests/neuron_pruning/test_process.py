"""The three processes against a simulation in exact rational arithmetic, one path at a time."""

import dataclasses
import functools
from fractions import Fraction

import jax
import numpy as np
import pytest

from lottery_jax import geometry
from lottery_jax.core import enable_x64, keys
from lottery_jax.core.limits import limits_exact
from lottery_jax.geometry import breakpoint_laws
from lottery_jax.montecarlo.counts import collect_counts
from lottery_jax.neuron_pruning import birth_death, process, process_path, process_replay
from tests.oracles import broken_bins as oracle
from tests.oracles.rates import FALSE_ALARM, assert_rate

PRECISIONS = ("float32", "float64")
SETTINGS = dict(length=0.5, constant=0.1, cap=2, steps=30)


def _walked(draw, path, settings):
    """The same path by the oracle: original, own, copy."""
    edges = np.asarray(
        geometry.bin_edges(2.0, settings["length"], num=geometry.num_bins(2.0, settings["length"]))
    )
    threshold = Fraction(float(np.float32(settings["constant"]))) * Fraction(
        float(np.float32(settings["length"]))
    )
    assert len(path.own) == settings["steps"] + 1
    return oracle.walk(
        np.asarray(draw.places),
        np.asarray(draw.jumps),
        edges,
        target=0,
        threshold=threshold,
        cap=settings["cap"],
    )


def _check_path(experiment, address, settings) -> bool:
    """Whether the path was decided, and then step by step that of the oracle."""
    draw, path = process_replay.replay(experiment, address, key=keys.root(0))
    if bool(path.is_undecided):
        return False
    original, own, copy = _walked(draw, path, settings)
    assert path.original.tolist() == original
    assert path.own.tolist() == own
    assert path.copy.tolist() == copy
    return True


@pytest.mark.parametrize(
    "settings",
    [SETTINGS, dict(length=0.5, constant=0.02, cap=3, steps=30)],
    ids=lambda settings: f"c={settings['constant']}",
)
def test_paths_are_those_of_exact_arithmetic(settings):
    experiment = process.experiment(**settings)
    decided = sum(
        _check_path(experiment, process_replay.Address(chunk=1, lane=lane), settings)
        for lane in range(40)
    )
    assert decided >= 38


@pytest.mark.slow
@pytest.mark.parametrize("length", [0.5, 0.1, 1.1])
def test_hundreds_of_paths(length):
    settings = dict(length=length, constant=0.06, cap=2, steps=60)
    experiment = process.experiment(**settings)
    decided = sum(
        _check_path(experiment, process_replay.Address(chunk=3, lane=lane), settings)
        for lane in range(150)
    )
    assert decided >= 145


def test_a_violation_is_found_again_at_its_address():
    """Lemma 4 read as "own configuration": a path on which the cap makes more bins broken."""
    experiment = process.experiment(**SETTINGS)
    key, chunks = keys.root(0), range(2)
    found = process_replay.find_violations(experiment, key=key, chunks=chunks)
    counts = collect_counts(
        experiment, key=key, trials=len(chunks) * experiment.lanes, progress=False
    )
    assert len(found) == counts.totals["violations"][0] > 0
    assert process_replay.find_violations(experiment, key=key, chunks=chunks, reading="copy") == []
    for address in found[:3]:
        draw, path = process_replay.replay(experiment, address, key=key)
        original, own, _ = _walked(draw, path, SETTINGS)
        assert any(high > low for high, low in zip(own, original, strict=True))
        assert path.own.tolist() == own
        assert path.original.tolist() == original


def test_counts_are_those_of_the_paths():
    """One chunk's counts, rebuilt from its replayed paths."""
    chain = process.Chain(p=0.05, q=0.04, up=(0.2, 0.14, 0.1), down=(0.0, 0.02, 0.02))
    settings = SETTINGS | dict(steps=29)
    experiment = dataclasses.replace(process.experiment(**settings, chain=chain), lanes=64)
    key = keys.root(5)
    totals = collect_counts(experiment, key=key, trials=64, progress=False).totals
    paths = [
        process_replay.replay(experiment, process_replay.Address(0, lane), key=key)[1]
        for lane in range(64)
    ]
    paths = [path for path in paths if not bool(path.is_undecided)]
    assert totals["undecided"] == 64 - len(paths)
    every = np.array([[np.asarray(each) for each in path[:4]] for path in paths])
    assert np.array_equal(totals["zero"][:, :30], (every == 0).sum(axis=0))
    assert np.array_equal(totals["total"][:, :30], every.sum(axis=0))
    assert not totals["zero"][:, 30:].any()
    assert not totals["total"][:, 30:].any()
    moves = {name: np.zeros_like(totals[f"{name}_moves"]) for name in ("original", "own", "copy")}
    for path, (original, own, copy, _) in zip(paths, every, strict=True):
        held = np.asarray(path.is_held)
        for t in range(29):
            up = original[t + 1] - original[t]
            moves["original"][original[t], up + 1] += 1
            moves["own"][t, own[t], 3 if held[t] else own[t + 1] - own[t] + 1] += 1
            move = 3 if up == 1 and copy[t] == 2 else copy[t + 1] - copy[t] + 1
            moves["copy"][int(original[t] > 2), copy[t], move] += 1
    is_zero = every[:, :2] == 0
    alone = [is_zero[:, 0] & ~is_zero[:, 1], is_zero[:, 1] & ~is_zero[:, 0]]
    assert np.array_equal(totals["zero_alone"][:, :30], np.sum(alone, axis=1))
    for name, expected in moves.items():
        assert np.array_equal(totals[f"{name}_moves"], expected), name


def _chain_zeros(trials: int):
    """Counts with a chain that is coupled to chances near those of "own"."""
    up, down = (0.2, 0.14, 0.12), (0.0, 0.015, 0.014)
    chain = process.Chain(p=0.06, q=0.05, up=up, down=down)
    experiment = process.experiment(**SETTINGS, chain=chain)
    return collect_counts(experiment, key=keys.root(3), trials=trials, progress=False)


def _first_moves(counts, number: int) -> tuple[int, int, int]:
    """Paths of one process that go up and down in the first step, from state 1, and all."""
    decided = counts.trials - int(counts.totals["undecided"])
    falls = int(counts.totals["zero"][number, 1])
    rises = int(counts.totals["total"][number, 1]) - (decided - falls)
    return rises, falls, decided


def test_the_first_step_of_the_chain_is_exact():
    """In state 1 at the start, the chances of "own" depend on nothing but its state."""
    trials = 20_000
    pilot = collect_counts(
        process.experiment(**SETTINGS), key=keys.root(2), trials=trials, progress=False
    )
    rises, falls, decided = _first_moves(pilot, 1)
    up, down = rises / decided, falls / decided
    chain = process.Chain(p=0.8 * up, q=1.5 * down, up=(0.2, up, 0.1), down=(0.0, down, 0.0))
    counts = collect_counts(
        process.experiment(**SETTINGS, chain=chain),
        key=keys.root(4),
        trials=trials,
        progress=False,
    )
    rises, falls, decided = _first_moves(counts, 3)
    # The pilot's chances have standard errors of 2 % and 4 % of themselves.
    for hits, chance, slack in ((rises, chain.p, 0.1), (falls, chain.q, 0.2)):
        low, high = limits_exact(hits, decided, confidence=1 - FALSE_ALARM)
        assert low <= chance * (1 + slack)
        assert high >= chance * (1 - slack)
    with pytest.raises(AssertionError):
        assert_rate(falls, decided, down)  # the falls of "own" alone, without those added
    with pytest.raises(AssertionError):
        assert_rate(rises, decided, up)  # the rises of "own", not thinned


def test_the_chain_never_exceeds_the_capped_process():
    counts = _chain_zeros(4096)
    assert counts.totals["violations"][2] == 0
    assert counts.totals["violations"][0] > 0
    moved = counts.totals["total"][3, 30]
    assert 0 < moved < counts.totals["total"][1, 30]


@pytest.mark.slow
def test_the_first_step_has_the_exact_law():
    """The neuron breaks an unbroken bin, off the target's, with the chance of the closed form.

    With short bins the position in a bin is uniform up to the slope of the Cauchy density.
    """
    settings = dict(length=0.02, constant=0.05, cap=2, steps=1)
    counts = collect_counts(
        process.experiment(**settings), key=keys.root(8), trials=20_000, progress=False
    )
    ups = int(counts.totals["own_moves"][0, 1, 2])
    decided = counts.trials - int(counts.totals["undecided"])
    expected = breakpoint_laws.probability_breaks(2.0, 0.05)
    # One bin of 174 is broken already, and the last is partial: at most 1 % of the mass.
    low, high = limits_exact(ups, decided, confidence=1 - FALSE_ALARM)
    assert low <= expected
    assert high >= 0.98 * expected
    with pytest.raises(AssertionError):
        assert_rate(ups, decided, breakpoint_laws.mass_of_interval(2.0))


@pytest.mark.slow
def test_float64_decides_the_same_paths_and_more():
    key, count = keys.root(9), 300
    narrow, wide = (process.experiment(**SETTINGS, precision=name) for name in PRECISIONS)
    lanes = jax.vmap(keys.lane, (None, 0))(key, np.arange(count, dtype=np.int32))

    def paths(experiment, precision):
        program = functools.partial(process_path.run, steps=32, bins=8, precision=precision)
        return jax.jit(jax.vmap(program, (0, None)))(lanes, experiment.scalars())[1]

    low = paths(narrow, "float32")
    with enable_x64():
        high = paths(wide, "float64")
    assert not np.any(high.is_undecided)
    is_decided = ~np.asarray(low.is_undecided)
    assert is_decided.sum() >= 0.99 * count
    for each, other in zip(low[:3], high[:3], strict=True):
        assert np.array_equal(np.asarray(each)[is_decided], np.asarray(other)[is_decided])
    with pytest.raises(ValueError, match="enable_x64"):
        paths(wide, "float64")


def test_draws_are_nested_in_the_steps():
    draw = jax.jit(process_path._draw, static_argnums=(2, 3))
    parameters = process.experiment(**(SETTINGS | dict(steps=16))).scalars()
    short, long = (draw(keys.lane(keys.root(1), 0), parameters, steps, 8) for steps in (16, 32))
    for small, large in zip(short, long, strict=True):
        assert np.array_equal(small[:16], large[:16])


def test_a_sweep_shares_its_program():
    sweep = [
        process.experiment(length=length, constant=constant, cap=cap, steps=steps)
        for length, constant, cap, steps in ((0.5, 0.1, 2, 40), (0.6, 0.01, 5, 60))
    ]
    assert sweep[0].count is sweep[1].count


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(cap=0), "cap=0"),
        (dict(cap=9), "cap=9"),
        (dict(steps=257), "steps=257"),
        (dict(constant=0.0), "constant=0.0"),
        (dict(constant=0.2), "does not break its bin.*below 0.125"),
        (dict(radius=1.0), "radius=1.0"),
        (dict(length=1e-3), "length=0.001.*larger"),
        (dict(target_place=2.0), "outside"),
        (dict(precision="float16"), "precision='float16'"),
        (dict(target_place=-0.25), "does not break"),
        (dict(chain=process.Chain(0.1, 0.1, (0.1,), (0.1,))), "one chance for each"),
        (dict(chain=process.Chain(0.8, 0.3, (0.1,) * 3, (0.1,) * 3)), "0.8 and 0.3"),
    ],
)
def test_wrong_settings_name_the_value(settings, message):
    with pytest.raises(ValueError, match=message):
        process.experiment(**(SETTINGS | settings))


def test_an_unknown_reading_is_refused():
    with pytest.raises(ValueError, match="reading='both'"):
        process_replay.find_violations(
            process.experiment(**SETTINGS), key=keys.root(0), chunks=[0], reading="both"
        )


def test_lemma_7_of_the_coupled_chain():
    """Where the rates given are those of "own", the chain's law is near that of Definition 4."""
    counts = _chain_zeros(4096)
    decided = counts.trials - int(counts.totals["undecided"])
    zero = birth_death.law(0.06, 0.05, 2, 30)[0]
    low, high = limits_exact(int(counts.totals["zero"][3, 30]), decided, confidence=1 - 1e-6)
    assert low / 1.3 <= zero <= high * 1.3  # the chances of "own" depend on more than its state
