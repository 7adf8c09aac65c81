"""Rows of data: nested, the same in blocks of any size, and of the law that the model states."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lottery_jax.core import compat
from lottery_jax.sparse_features import directions, links, one_step
from lottery_jax.sparse_features.data import INPUTS, Model, fold, generated, held
from tests.oracles import sparse_features as oracle
from tests.oracles.rates import FALSE_ALARM

MODEL = Model(links.hermite({(2, 0): 1.0, (1, 1): -0.5}), noise=0.5)
COLUMNS = directions.flat(jax.random.key(1), 9, 4, 2)


def _all_rows(source, num_samples):
    read = jax.jit(source.read)
    blocks = [read(jnp.int32(b)) for b in range(-(-num_samples // source.rows))]
    inputs, targets = (np.concatenate(each) for each in zip(*blocks, strict=True))
    return inputs[:num_samples], targets[:num_samples]


def test_rows_do_not_depend_on_the_blocks():
    key = jax.random.key(5)
    inputs, targets = _all_rows(generated(MODEL, COLUMNS, key, rows=24), 24)
    for rows in (1, 7):
        again, others = _all_rows(generated(MODEL, COLUMNS, key, rows=rows), 24)
        np.testing.assert_array_equal(again, inputs)
        # Products over nine inputs may be summed in another order.
        np.testing.assert_allclose(others, targets, rtol=0, atol=1e-5)
    assert len(np.unique(inputs)) > inputs.size - 3  # of 24 bits each, no row is drawn twice


def test_targets_are_the_link_of_the_hidden_features():
    silent = Model(MODEL.link)
    inputs, targets = _all_rows(generated(silent, COLUMNS, jax.random.key(5), rows=24), 24)
    hidden = np.asarray(inputs, np.float64) @ np.asarray(COLUMNS, np.float64)
    wanted = oracle.product_link(dict(MODEL.link.terms), hidden)
    np.testing.assert_allclose(targets, wanted, rtol=0, atol=1e-5)
    # Noise changes the targets and nothing else.
    again, noisy = _all_rows(generated(MODEL, COLUMNS, jax.random.key(5), rows=24), 24)
    np.testing.assert_array_equal(again, inputs)
    assert 0.2 < np.std(noisy - targets) < 0.8


def test_draws_do_not_depend_on_64_bits():
    def drawn():
        key = jax.random.key(3)
        pairs = one_step.start(key, jnp.ones((1, 3), bool), num_pairs=4)
        rows = [law(key, 4) for law in INPUTS.values()]
        columns = [directions.flat(key, 6, 3), directions.flat(key, 6, 3, 2)]
        return [*rows, *columns, directions.dense(key, 6, 2), *pairs]

    without = jax.jit(drawn)()
    with compat.enable_x64():
        for one, other in zip(without, jax.jit(drawn)(), strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("name", INPUTS)
def test_laws_of_inputs(name):
    model = Model(links.hermite({1: 1.0}), inputs=name)
    source = generated(model, directions.given(np.eye(4, 1)), jax.random.key(2), rows=4096)
    values = np.asarray(jax.jit(source.read)(jnp.int32(0))[0], np.float64)
    num_values, fourth = values.size, np.mean(values**4)
    reach = stats.norm.isf(FALSE_ALARM / 2)
    assert abs(values.mean()) < reach / np.sqrt(num_values)
    assert abs(np.mean(values**2) - 1) <= reach * np.sqrt((fourth - 1) / num_values)
    laws = {
        "normal": stats.norm(),
        "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)),
        "laplace": stats.laplace(scale=np.sqrt(0.5)),
    }
    if name == "rademacher":
        assert set(np.unique(values)) == {-1.0, 1.0}
        return
    for other, law in laws.items():
        alike = stats.kstest(values.ravel(), law.cdf).pvalue
        assert (alike > FALSE_ALARM) == (other == name)
    # Inputs of one row, and of neighbouring rows, are uncorrelated.
    for one, two in ((values[:, 0], values[:, 1]), (values[1:, 0], values[:-1, 0])):
        assert abs(np.mean(one * two)) < reach / np.sqrt(len(one))


def test_variance_of_the_targets_and_independent_noise():
    source = generated(MODEL, COLUMNS, jax.random.key(11), rows=4096)

    def add(state, inputs, targets, is_used):
        powers = jnp.stack([targets, targets**2, targets**4, targets * inputs[:, 0]])
        return state + jnp.sum(jnp.where(is_used[None], powers, 0), axis=1)

    count = 100_000
    run = jax.jit(lambda count: fold(source, 0, count, add, jnp.zeros(4, jnp.float32)))
    mean, second, fourth, cross = np.asarray(run(jnp.int32(count)), np.float64) / count
    reach = stats.norm.isf(FALSE_ALARM / 2) / np.sqrt(count)
    assert abs(mean) < reach * np.sqrt(1.25)
    assert abs(second - 1.25) < reach * np.sqrt(fourth - 1.25**2)
    assert abs(second - 1.0) > reach * np.sqrt(fourth - 1.25**2)  # the control: noise is there
    assert abs(cross) < reach * np.sqrt(1.25 * 20)


@pytest.mark.parametrize("rows", [1, 4, 32])
def test_held_rows_are_the_rows_given(rows):
    inputs, targets = oracle.draw(np.random.default_rng(0), {(1,): 1.0}, np.eye(3, 1), 13)
    inputs, targets = inputs.astype(np.float32), targets.astype(np.float32)
    source = held(jnp.asarray(inputs), jnp.asarray(targets), rows=rows)
    again, others = _all_rows(source, 13)
    np.testing.assert_array_equal(again, inputs)
    np.testing.assert_array_equal(others, targets)


def test_held_lists_and_constants():
    """Known rows are checked, and read, inside a function that is compiled too."""
    inputs, targets = [[1, 2], [3, 4], [5, 6]], [0.5, 1.5, 2.5]
    for make in (np.asarray, jnp.asarray, lambda values: values):
        source = held(make(inputs), make(targets), rows=2)
        assert source.read(jnp.int32(1))[0].tolist() == [[5, 6], [0, 0]]
    wide, high = np.asarray(inputs, np.float32), np.asarray(targets, np.float32)
    read = jax.jit(lambda number: held(wide, high, rows=2).read(number))
    np.testing.assert_array_equal(read(jnp.int32(1))[1], [2.5, 0])
    wide[2, 0] = np.nan
    with pytest.raises(ValueError, match="row 2 is not finite"):
        jax.jit(lambda number: held(wide, high, rows=2).read(number))(jnp.int32(1))


def test_a_fold_meets_each_row_once_and_compiles_once():
    inputs, targets = jnp.ones((30, 2), jnp.float32), 2.0 ** jnp.arange(23, dtype=jnp.float32)
    source = held(inputs[:23], targets, rows=4)
    traces = []

    def add(state, inputs, targets, is_used):
        traces.append(inputs.shape)
        return state[0] + jnp.sum(jnp.where(is_used, targets, 0)), state[1] + 1

    none = jnp.float32(0), jnp.int32(0)
    run = jax.jit(lambda first, last: fold(source, first, last, add, none))
    ranges = [(0, 23), (0, 1), (22, 23), (5, 5), (0, 0), (8, 12), (3, 22), (7, 9), (23, 23)]
    for first, last in ranges:  # sums of distinct powers of 2, exact in float32
        total, num_blocks = run(jnp.int32(first), jnp.int32(last))
        assert int(total) == 2**last - 2**first
        assert int(num_blocks) == len({row // 4 for row in range(first, last)})
    assert len(traces) == len(set(traces)) == 1
    assert float(fold(source, 3, 5, add, none)[0]) == 24  # numbers that are known
    for first, last in ((3, 24), (20, 1000)):  # beyond all rows, and not known at the call
        total, num_blocks = run(jnp.int32(first), jnp.int32(last))
        assert int(total) == 2**23 - 2**first
        assert int(num_blocks) == len({row // 4 for row in range(first, 23)})


def test_one_program_for_all_seeds():
    def add(total, inputs, targets, is_used):
        return total + jnp.sum(jnp.where(is_used, inputs[:, 0], 0))

    def run(key, count):
        columns = directions.flat(jax.random.fold_in(key, 1), 9, 4, 2)
        source = generated(MODEL, columns, jax.random.fold_in(key, 2), rows=8)
        return fold(source, 0, count, add, jnp.float32(0))

    sums = jax.jit(lambda keys, count: jax.lax.map(lambda key: run(key, count), keys))(
        jax.random.split(jax.random.key(0), 3), jnp.int32(11)
    )
    assert len(set(np.asarray(sums).tolist())) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Model(MODEL.link, noise=-1.0), "noise=-1.0 must be finite"),
        (lambda: Model(MODEL.link, noise=float("nan")), "noise=nan must be finite"),
        (lambda: Model.__post_init__(SimpleNamespace(link=abs)), "abs> is no Link; make one"),  # pyright: ignore[reportArgumentType]
        (lambda: Model(MODEL.link, inputs="cauchy"), "'cauchy' is no known law; choose normal,"),
        (
            lambda: generated(MODEL, COLUMNS[:, :1], jax.random.key(0)),
            r"directions of shape \(9, 1\) do not fit .* of 2 variables",
        ),
        (
            lambda: generated(MODEL, COLUMNS, jax.random.key(0), rows=0),
            "rows=0 must be a whole",
        ),
        (lambda: held(jnp.ones((3, 2)), jnp.ones(4)), r"shape \(3, 2\) .* \(4,\) disagree"),
        (lambda: held(jnp.ones((0, 2)), jnp.ones(0)), "at least one of each"),
        (lambda: held(jnp.ones((3, 2)).at[1, 0].set(jnp.nan), jnp.ones(3)), "row 1 is not finite"),
        (lambda: held(jnp.ones((3, 2)), jnp.ones(3).at[2].set(jnp.inf)), "row 2 is not finite"),
        (lambda: held(jnp.ones((3, 0)), jnp.ones(3)), "at least one of each"),
        (lambda: held([[1e300], [1.0]], [0.0, 1.0]), "row 0 is not finite"),
        (lambda: held(jnp.ones((3, 2)), np.ones(3) * 1j), "complex numbers are no rows"),
        (
            lambda: generated(MODEL, np.ones((9, 2)), jax.random.key(0)),
            "V is not orthonormal: V.T V differs from the identity by 9",
        ),
        (lambda: _fold(0, True), "last=True must be a whole number from 0"),
        (lambda: _fold(0, 4), "first=0 to last=4 goes beyond the 3 rows that are held"),
        (lambda: _fold(2, 1), "first=2 and last=1 must be in order"),
        (lambda: _fold(-1, 1), "first=-1 must be a whole number from 0"),
    ],
)
def test_wrong_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def _fold(first, last):
    source = held(jnp.ones((3, 2), jnp.float32), jnp.ones(3, jnp.float32))
    return fold(source, first, last, lambda total, *_: total, jnp.float32(0))
