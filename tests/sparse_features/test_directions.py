"""Hidden directions: orthonormal columns, where their rows lie and how long they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lottery_jax.sparse_features import directions
from tests.oracles.rates import FALSE_ALARM, assert_rate


def _deviation(columns):
    columns = np.asarray(columns, np.float64)
    return np.max(np.abs(columns.T @ columns - np.eye(columns.shape[1])))


@pytest.mark.parametrize(
    ("dim", "support_size", "num_directions"),
    [(5, 1, 1), (9, 5, 4), (6, 6, 6)],
)
def test_flat_directions(dim, support_size, num_directions):
    columns = directions.flat(jax.random.key(3), dim, support_size, num_directions)
    assert columns.shape == (dim, num_directions)
    assert columns.dtype == jnp.float32
    assert _deviation(columns) < 1e-6  # a few roundings of 6e-8 of entries below 1
    lengths = np.linalg.norm(columns, axis=1)
    assert np.sum(lengths > 0) == support_size
    wanted = np.sqrt(num_directions / support_size)
    np.testing.assert_allclose(lengths[lengths > 0], wanted, rtol=1e-6)
    assert int(directions.support(columns).sum()) == support_size


def test_power_law_rows():
    columns = directions.power_law(jax.random.key(1), 50, 9, 0.7)
    found = np.sort(np.abs(columns[:, 0]))[::-1]
    wanted = np.concatenate([np.arange(1.0, 10) ** -0.7, np.zeros(41)])
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), rtol=1e-6)
    several = directions.power_law(jax.random.key(1), 50, 9, 0.7, 3)
    assert _deviation(several) < 1e-6
    lengths = np.sort(np.linalg.norm(several, axis=1))[::-1]
    assert np.sum(lengths > 0) == 9
    assert 1 + 1e-6 > lengths[0] > 2 * lengths[8]


def test_supports_and_rotations_are_random():
    draws = 4000
    keys = jax.random.split(jax.random.key(0), draws)
    columns = jax.jit(jax.vmap(lambda key: directions.flat(key, 10, 3, 2)))(keys)
    present = np.any(np.asarray(columns) != 0, axis=2)
    for place in range(10):
        assert_rate(int(present[:, place].sum()), draws, 0.3)
    assert_rate(int((present[:, 0] & present[:, 1]).sum()), draws, 3 * 2 / (10 * 9))
    with pytest.raises(AssertionError):  # the control: as if places were drawn with replacement
        assert_rate(int((present[:, 0] & present[:, 1]).sum()), draws, 0.3**2)
    # A row of length sqrt(2/3), turned: its first entry has the arcsine law.
    entries = np.asarray(columns)[present[:, 0], 0, 0]
    assert_rate(int((entries > 0).sum()), len(entries), 0.5)
    is_small = np.abs(entries) < 0.5 * np.sqrt(2 / 3)
    assert_rate(int(is_small.sum()), len(entries), 2 / np.pi * np.arcsin(0.5))


def test_signs_of_one_direction_are_random():
    column = directions.flat(jax.random.key(0), 5, 5)
    others = directions.flat(jax.random.key(1), 5, 5)
    signs = np.sign(np.stack([column, others]))
    assert set(signs.ravel().tolist()) == {-1.0, 1.0}
    assert abs(signs[0, :, 0] @ signs[1, :, 0]) < 5


@pytest.mark.parametrize("num_directions", [1, 2])
def test_dense_directions_are_uniform(num_directions):
    keys = jax.random.split(jax.random.key(7), 4000)
    columns = jax.jit(jax.vmap(lambda key: directions.dense(key, 5, num_directions)))(keys)
    assert _deviation(columns[0]) < 1e-6
    # Any entry, squared, has the law Beta(1/2, (d - 1)/2), and either sign.
    for place in ((0, 0), (4, num_directions - 1)):
        entries = np.asarray(columns)[:, place[0], place[1]]
        law = stats.beta(0.5, 2)
        assert stats.kstest(entries**2, law.cdf).pvalue > FALSE_ALARM
        assert stats.kstest(entries**2, stats.beta(0.5, 2.5).cdf).pvalue < FALSE_ALARM
        assert_rate(int((entries > 0).sum()), len(entries), 0.5)


def test_quasi_norms():
    columns = directions.flat(jax.random.key(0), 40, 8, 2)
    for q in (0.5, 1.0, 1.5):  # s^(1 - q/2) r^(q/2), to the power 1/q
        wanted = (8 ** (1 - q / 2) * 2 ** (q / 2)) ** (1 / q)
        assert directions.quasi_norm(columns, q) == pytest.approx(wanted, rel=1e-6)
    assert directions.quasi_norm(columns, 0) == 8


def test_given_directions():
    columns = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 3)))[0]
    np.testing.assert_allclose(directions.given(columns), columns, atol=1e-7)
    np.testing.assert_allclose(directions.given(columns.astype(np.float32)), columns, atol=1e-7)
    assert directions.given(columns[:, 0]).shape == (9, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: directions.given(np.eye(4, 2) * 2), "differs from the identity by 3; take the Q"),
        (lambda: directions.given(np.ones((4, 2)) / 2), "differs from the identity by 1;"),
        (lambda: directions.given(np.eye(2, 4)), r"shape \(2, 4\) are no V"),
        (lambda: directions.given(np.ones(())), r"shape \(\) are no V"),
        (lambda: directions.given(np.array([1.0, np.nan])), r"V\[1, 0\] is nan; give finite"),
        (lambda: directions.flat(jax.random.key(0), 4, 5), "support_size=5 must lie between"),
        (lambda: directions.flat(jax.random.key(0), 9, 2, 3), "support_size=2 must lie between"),
        (
            lambda: directions.flat(jax.random.key(0), 3, 3, 0),
            "num_directions=0 must be a whole",
        ),
        (lambda: directions.flat(jax.random.key(0), 9, True), "support_size=True must be a whole"),
        (
            lambda: directions.power_law(jax.random.key(0), 200, 100, 25.0),
            "make the last row 1e-50 long, which float32",
        ),
        (lambda: directions.power_law(jax.random.key(0), 9, 3, -1.0), "power=-1.0 must be finite"),
        (lambda: directions.dense(jax.random.key(0), 3, 4), "num_directions=4 must lie"),
        (lambda: directions.quasi_norm(jnp.ones((1, 1)), 3.0), r"q=3.0 must lie in \[0, 2\]"),
    ],
)
def test_wrong_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
