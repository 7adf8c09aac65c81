"""One chunk gives the same counts on any devices, compiles once, and refuses malformed trials."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import enable_x64, keys, make_mesh
from lottery_jax.montecarlo.chunk import run_first_width, run_success
from lottery_jax.montecarlo.experiment import FirstWidth, Trial
from tests.montecarlo.toys import below, nested

KEY = keys.stream(keys.root(0), "00000001")
EPSILONS = (0.1, 0.5)


def _counts(experiment, num_devices=1, number=0):
    mesh = make_mesh(jax.devices()[:num_devices])
    return run_success(experiment, KEY, number, epsilons=EPSILONS, mesh=mesh)[0]


def test_counts_are_those_of_the_lanes_one_by_one():
    lanes = [keys.lane(keys.chunk(KEY, 3), number) for number in range(37)]
    uniform = np.array([jax.random.uniform(lane, (), jnp.float32) for lane in lanes])
    tally = _counts(below(lanes=37, band=0.2), number=3)
    assert tally.hits == tuple(int(np.sum(uniform < epsilon)) for epsilon in EPSILONS)
    certain_or_not = [int(np.sum(uniform < epsilon + 0.2)) for epsilon in EPSILONS]
    assert np.add(tally.hits, tally.undecided).tolist() == certain_or_not


@pytest.mark.parametrize("lanes", [37, 64, 3])
@pytest.mark.parametrize("together", [1, 4])
def test_every_mesh_gives_the_same_counts(lanes, together):
    experiment = below(lanes=lanes, band=0.1, vmap_lanes={"cpu": together})
    one, two, eight = (_counts(experiment, num_devices) for num_devices in (1, 2, 8))
    assert one == two == eight == _counts(below(lanes=lanes, band=0.1))
    assert one != _counts(experiment, number=1)


def test_every_mesh_gives_the_same_first_widths():
    def run(num_devices):
        mesh = make_mesh(jax.devices()[:num_devices])
        return run_first_width(nested(9, lanes=37, band=0.1), KEY, 0, epsilon=0.1, mesh=mesh)[:2]

    one, two, eight = run(1), run(2), run(8)
    certain, possible = one
    assert certain.shape == possible.shape == (37,)
    assert certain.max() == 10
    assert np.any(possible < certain)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, eight)


def test_counts_are_the_same_with_x64():
    with enable_x64():
        wide = _counts(below(lanes=37, band=0.1))
    assert wide == _counts(below(lanes=37, band=0.1))


def test_programs_with_and_without_x64_are_told_apart():
    def trial(key, epsilons, parameters):
        is_wide = jnp.result_type(float) == jnp.float64
        return Trial(jnp.full(epsilons.shape, is_wide), jnp.zeros(epsilons.shape, bool))

    assert _counts(below(trial=trial)).hits == (0, 0)
    with enable_x64():
        assert _counts(below(trial=trial)).hits == (100, 100)


def test_a_two_dimensional_mesh_will_do():
    axes = (jax.sharding.AxisType.Auto,) * 2
    mesh = jax.make_mesh((2, 4), ("a", "b"), axis_types=axes)
    tally, _ = run_success(below(lanes=37), KEY, 0, epsilons=EPSILONS, mesh=mesh)
    assert tally == _counts(below(lanes=37))


def test_trials_may_loop_from_constants():
    def trial(key, epsilons, parameters):
        def step(carry):
            number, smallest = carry
            drawn = jax.random.uniform(jax.random.fold_in(key, number), (), jnp.float32)
            return number + 1, jnp.minimum(smallest, drawn)

        start = jnp.int32(0), jnp.float32(1)
        _, smallest = jax.lax.while_loop(lambda carry: carry[0] < 2, step, start)
        return Trial(smallest < epsilons, jnp.zeros(epsilons.shape, bool))

    assert _counts(below(trial=trial), 8) == _counts(below(trial=trial), 1)


def test_a_sweep_compiles_once_and_compiling_is_not_timed():
    traces = []

    def trial(key, epsilons, parameters):
        traces.append(epsilons.shape)
        time.sleep(0.3)
        hits = jax.random.uniform(key, (), jnp.float32) < parameters["scale"] * epsilons
        return Trial(hits, jnp.zeros_like(hits))

    mesh = make_mesh()
    for scale in (0.5, 1.0, 1.5):
        for number in range(3):
            experiment = below(scale=scale, trial=trial)
            tally, seconds = run_success(experiment, KEY, number, epsilons=(0.5,), mesh=mesh)
            assert 0 < seconds < 0.3
    assert tally.hits[0] > 50  # the last scale, not the first
    assert traces == [(1,)]
    run_success(experiment, KEY, 0, epsilons=EPSILONS, mesh=mesh)
    assert traces == [(1,), (2,)]


def test_malformed_trials_are_refused():
    def float_hits(key, epsilons, parameters):
        return Trial(epsilons, epsilons)

    def one_number(key, epsilons, parameters):
        return Trial(jnp.array(True), jnp.array(False))

    for trial in (float_hits, one_number):
        with pytest.raises(ValueError, match=r"one draw must give Trial.*bool.*, not "):
            _counts(below(trial=trial))


def test_malformed_first_widths_are_refused():
    def swapped(key, epsilon, parameters):
        return FirstWidth(certain=jnp.int32(1), possible=jnp.int32(2))

    def too_wide(key, epsilon, parameters):
        return FirstWidth(certain=jnp.int32(11), possible=jnp.int32(2))

    for first_width in (swapped, too_wide):
        experiment = nested(9, first_width=first_width)
        with pytest.raises(ValueError, match="0 <= possible <= certain <= width"):
            run_first_width(experiment, KEY, 0, epsilon=0.1, mesh=make_mesh())
