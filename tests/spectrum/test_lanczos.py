"""The recursion: its quadrature is exact on polynomials, and it can be stopped and continued."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from lottery_jax.core import keys
from lottery_jax.core.checkpoint import CheckpointError
from lottery_jax.spectrum import blocks, lanczos, operator, quadrature, resume
from tests.oracles import spectrum as oracle

SPECTRUM = np.concatenate([np.linspace(-0.5, 1, 56), [3, 5, 9, -4]])
MATRIX = oracle.spectrum_with(SPECTRUM, seed=1)
DENSE = operator.dense(jnp.asarray(MATRIX))
STARTS = jax.random.normal(keys.root(1), (3, 60), jnp.float32)


def long_operator(size=20_000):
    """Outliers beside a bulk, over several blocks."""
    values = np.concatenate([np.linspace(0, 0.01, size - 12), np.geomspace(0.1, 10, 12)])
    return operator.diagonal(jnp.asarray(values, jnp.float32))


def run(of, starts, steps, **settings):
    return lanczos.extend(of, lanczos.begin(of, starts, **settings), steps)


def assert_equal(first, second):
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_polynomials_up_to_degree_2m_minus_1_are_exact():
    runs = lanczos.coefficients(run(DENSE, STARTS, 6))
    spectrum = quadrature.spectrum_of(runs, size=60, num_products=18, is_semidefinite=False)
    for degree in range(12):
        found = spectrum.rules.gauss.mean(lambda values, degree=degree: (values / 9) ** degree)
        expected = [
            oracle.quadratic_form(
                MATRIX, start, lambda values, degree=degree: (values / 9) ** degree
            )
            for start in STARTS
        ]
        # Six products of 60 float32 terms each, relative to a norm of 9: 6 * 60 * 6e-8 at most.
        np.testing.assert_allclose(found, expected, atol=2e-5, rtol=0)
    beyond = spectrum.rules.gauss.mean(lambda values: (values / 9) ** 12)
    exact = [
        oracle.quadratic_form(MATRIX, start, lambda values: (values / 9) ** 12) for start in STARTS
    ]
    assert np.max(np.abs(beyond - exact)) > 0  # degree 2m is not covered
    np.testing.assert_allclose(runs.norms, np.linalg.norm(STARTS, axis=1), rtol=1e-6)


def test_the_basis_stays_orthonormal_over_several_blocks():
    of = long_operator()
    found = run(of, jax.random.normal(keys.root(2), (1, of.size), jnp.float32), 40)
    rows = np.asarray(lanczos.ritz_vectors(found, np.eye(40)), np.float64)
    rows = rows.reshape(-1, 40)
    # Without reorthogonalisation the error is 1 by then: the outliers have converged.
    np.testing.assert_allclose(rows.T @ rows, np.eye(40), atol=2e-6)
    loose = run(
        of, jax.random.normal(keys.root(2), (1, of.size), jnp.float32), 40, keeps_basis=False
    )
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            lanczos.coefficients(loose).diagonal, lanczos.coefficients(found).diagonal, atol=1e-3
        )


def test_inner_products_over_long_vectors_keep_their_digits():
    size = 1_000_000
    first = np.random.default_rng(3).normal(size=size).astype(np.float32) + np.float32(3)
    cut = blocks.cut(size)
    blocked = cut.split(jnp.asarray(first)[None])
    exact = np.sum(np.float64(first) ** 2)
    # Rounding of 8,192 terms, then of 123: at worst 1e-3, in random directions about 1e-6.
    assert abs(float(blocks.inner(blocked, blocked)[0]) / exact - 1) < 3e-6
    np.testing.assert_array_equal(cut.join(blocked)[0], first)


def test_an_invariant_subspace_ends_a_run_and_not_its_neighbours():
    vectors = np.linalg.eigh(np.float64(MATRIX))[1]
    inside = vectors[:, [0, 30, 59]].sum(axis=1)
    starts = jnp.asarray(np.stack([inside, np.asarray(STARTS[0])]), jnp.float32)
    runs = lanczos.coefficients(run(DENSE, starts, 12))
    assert runs.has_ended.tolist() == [True, False]
    spectrum = quadrature.spectrum_of(
        runs, size=60, num_products=24, is_semidefinite=False, is_sample=False
    )
    values = np.sort(SPECTRUM)[[0, 30, 59]]
    held = spectrum.weights[0] > 1e-6
    np.testing.assert_allclose(np.sort(spectrum.nodes[0][held]), values, atol=1e-4)
    np.testing.assert_allclose(spectrum.weights[0][held], 1 / 3, atol=1e-4)
    assert np.isfinite(spectrum.nodes).all()
    np.testing.assert_allclose(spectrum.weights.sum(axis=1), 1, rtol=1e-12)


def test_going_on_is_the_same_as_asking_for_more():
    once = run(DENSE, STARTS, 24)
    again = lanczos.extend(DENSE, run(DENSE, STARTS, 12), 12)
    assert_equal(once, again)


def test_products_from_the_host_give_the_same_run():
    counted = []

    def product(matrix, vectors):
        counted.append(len(vectors))
        return jnp.matmul(vectors, matrix, precision="highest")

    host = operator.Operator(60, product, DENSE.arrays, False, False)
    found, expected = (lanczos.coefficients(run(of, STARTS, 5)) for of in (host, DENSE))
    np.testing.assert_allclose(found.diagonal, expected.diagonal, atol=1e-5)
    assert counted == [3] * 5


def test_four_devices_agree_with_one():
    mesh = jax.make_mesh((4,), ("block",), axis_types=(AxisType.Auto,), devices=jax.devices()[:4])
    of = long_operator()
    start = jax.random.normal(keys.root(2), (2, of.size), jnp.float32)
    one = run(of, start, 10)
    many = run(of, start, 10, mesh=mesh)
    assert len(many.vector.sharding.device_set) == 4
    assert len(many.basis[0].sharding.device_set) == 4
    for name in ("diagonal", "off_diagonal"):
        found, expected = (getattr(lanczos.coefficients(r), name) for r in (many, one))
        # The sums are in another order: some units of 6e-8, relative to the largest eigenvalue.
        np.testing.assert_allclose(found, expected, atol=10 * 2e-5, rtol=0)


class StopError(Exception):
    pass


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path):
    path, calls = tmp_path / "lanczos.npz", []

    def product(matrix, vectors):
        calls.append(1)
        if len(calls) == 13:
            raise StopError
        return jnp.matmul(vectors, matrix, precision="highest")

    host = operator.Operator(60, product, DENSE.arrays, False, False)
    with pytest.raises(StopError):
        resume.run(host, STARTS, 20, path=path, every=5)
    resumed = resume.run(host, STARTS, 20, path=path, every=5)
    assert len(calls) == 13 + 1 + 10  # one to recognise the operator, ten from step 10
    assert_equal(resumed, resume.run(host, STARTS, 20))
    fewer = resume.run(host, STARTS, 8, path=path)
    assert fewer.num_steps == 8


def test_checkpoints_of_something_else_are_refused(tmp_path):
    path = tmp_path / "lanczos.npz"
    resume.run(DENSE, STARTS, 4, path=path)
    with pytest.raises(CheckpointError, match="another run"):
        resume.run(DENSE, STARTS + 1, 4, path=path)
    other = operator.dense(jnp.asarray(2 * MATRIX))
    with pytest.raises(CheckpointError, match="another operator"):
        resume.run(other, STARTS, 6, path=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged"):
        resume.run(DENSE, STARTS, 4, path=path)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="must be"):
        lanczos.begin(DENSE, jnp.ones((1, 59), jnp.float32))
    with pytest.raises(ValueError, match="start vector 1 has norm 0"):
        lanczos.begin(DENSE, jnp.stack([jnp.ones(60, jnp.float32), jnp.zeros(60, jnp.float32)]))
    with pytest.raises(ValueError, match="start vector 0 has norm nan"):
        lanczos.begin(DENSE, jnp.full((1, 60), jnp.nan, jnp.float32))
    broken = operator.diagonal(jnp.asarray([1.0] * 59 + [np.nan], jnp.float32))
    with pytest.raises(FloatingPointError, match="product of step 0"):
        run(broken, jnp.ones((1, 60), jnp.float32), 3)
    with pytest.raises(ValueError, match="keeps_basis"):
        lanczos.ritz_vectors(run(DENSE, STARTS, 2, keeps_basis=False), np.eye(2))
