"""Losses along magnitude pruning against dense algebra, and limits against a loop."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import linalg, stats

from lottery_jax.core import keys, root
from lottery_jax.pruning_limit import forms, quadratics
from lottery_jax.pruning_limit.known_spectra import SPECTRA


def losses_by_dense_algebra(loss, removed):
    """One-shot and least loss with the smallest weights at 0, by least squares on the kept."""
    places = np.argsort(np.abs(loss.weights), kind="stable")
    gone, kept = places[:removed], places[removed:]
    square_root = np.sqrt(loss.curvatures)[:, None] * loss.vectors.T
    start = square_root[:, gone] @ loss.weights[gone]
    change = linalg.lstsq(square_root[:, kept], start, cond=1e-13)[0]
    rest = start - square_root[:, kept] @ change
    return start @ start / 2, rest @ rest / 2


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("lean", [0.0, 1.0])
def test_all_steps_equal_dense_algebra(name, lean):
    loss = quadratics.quadratic(root(3), SPECTRA[name](40), law="laplace", lean=lean)
    pruned = quadratics.prune(loss)
    scale = pruned.one_shot[-1]
    assert np.all(np.diff(pruned.reoptimised) >= 0)
    for removed in range(40):
        one_shot, least = losses_by_dense_algebra(loss, removed)
        assert pruned.one_shot[removed] == pytest.approx(one_shot, abs=1e-12 * scale)
        assert pruned.reoptimised[removed] == pytest.approx(least, abs=1e-12 * scale)
        moved = quadratics.displaced(loss, pruned, removed)
        assert pruned.distance[removed] == pytest.approx(np.linalg.norm(moved), abs=1e-12)
        assert moved**2 @ loss.curvatures / 2 == pytest.approx(one_shot, abs=1e-12 * scale)
    assert pruned.reoptimised[-1] == pytest.approx(scale)


def test_singular_curvature_with_small_eigenvalues_keeps_its_digits():
    """The least loss by the Schur complement in rational numbers: no rounding at all."""
    curvatures = np.array([1.0, 2.0**-30])
    vectors = np.array([[0.6, -0.8], [0.8, 0.6]])
    loss = quadratics.Quadratic(curvatures, vectors, np.array([0.5, 2.0]))
    sharp, flat = (
        [Fraction(each) * Fraction(scale) for each in vectors[:, place]]
        for place, scale in [(0, 1.0), (1, 2.0**-15)]
    )
    matrix = [[sharp[i] * sharp[j] + flat[i] * flat[j] for j in (0, 1)] for i in (0, 1)]
    exact = (matrix[0][0] - matrix[0][1] * matrix[1][0] / matrix[1][1]) / 8
    # The QR factorisation has rounding errors of 1e-16 in factors of size 1; the second part of
    # the loss, 2^-30 of the first, is their square root times 2^-15: 1e-11 relative.
    assert quadratics.prune(loss).reoptimised[1] == pytest.approx(float(exact), rel=1e-10)


def test_limit_is_the_last_step_before_the_loss_exceeds_epsilon():
    losses = np.array([0.0, 1.0, 3.0, 2.0, 5.0])
    for epsilon, steps in [(0.5, 0), (1.0, 1), (2.5, 1), (3.0, 3), (6.0, 4)]:
        assert quadratics.limit(losses, epsilon) == steps / 4


def test_predictions_are_crossings_of_the_forms():
    """Every predicted limit by a loop over all steps, with the forms called for each."""
    loss = quadratics.quadratic(root(5), SPECTRA["i^-1"](50))
    pruned = quadratics.prune(loss)
    epsilon = 0.1 * float(pruned.one_shot[-1])
    found = quadratics.predict(loss, pruned, epsilon=epsilon)
    every = loss.curvatures, np.full(50, 0.02)

    def last(form):
        return max(j for j in range(51) if j == 0 or form(j) >= j / 50) / 50

    def by_displacement(removed):
        moved = quadratics.displaced(loss, pruned, removed)
        own = loss.curvatures, moved**2 / (moved @ moved)
        distance = float(np.linalg.norm(moved))
        return forms.displacement(*every, *own, distance=distance, epsilon=epsilon)

    distances = [float(each) for each in pruned.distance]
    assert found.displacement.removed == last(by_displacement)
    for form in (forms.paper, forms.generic):
        removed = last(lambda j, f=form: f(*every, distance=distances[j], epsilon=epsilon))
        assert getattr(found, form.__name__).removed == removed


def test_reoptimised_predicts_the_existence_limit():
    """Independent and leaning weights; `displacement` and the axes are controls that must fail."""
    size, errors = 200, {}
    for name, spectrum, level, settings in [
        ("independent", "log-uniform", 0.1, {}),
        ("sharp", "log-uniform", 0.1, {"lean": 1.0}),
        ("flat", "two-level", 0.3, {"lean": -0.5}),
        ("axes", "log-uniform", 0.1, {"is_rotated": False}),
    ]:
        key = keys.chunk(root(11), len(errors))
        loss = quadratics.quadratic(key, SPECTRA[spectrum](size), **settings)
        pruned = quadratics.prune(loss)
        epsilon = level * float(pruned.one_shot[-1])
        found = quadratics.predict(loss, pruned, epsilon=epsilon)
        exact = quadratics.limit(pruned.reoptimised, epsilon)
        errors[name] = [each.removed - exact for each in (found.reoptimised, found.displacement)]
    for name in ("independent", "sharp", "flat"):
        # One draw spreads by 0.014 at most in the study, at D of 600 and more: 0.025 here.
        assert abs(errors[name][0]) <= 0.06, name
    assert abs(errors["flat"][1]) > 0.08
    assert errors["axes"][0] > 0.08


def test_isotropic_limits_are_closed_forms():
    """No setting of the kept weights helps: both limits and `reoptimised` are R = r."""
    loss = quadratics.quadratic(root(2), np.ones(200))
    pruned = quadratics.prune(loss)
    epsilon = 0.2 * float(pruned.one_shot[-1])
    np.testing.assert_allclose(pruned.one_shot, pruned.reoptimised, atol=1e-12)
    np.testing.assert_allclose(pruned.one_shot, pruned.distance**2 / 2, atol=1e-12)
    found = quadratics.predict(loss, pruned, epsilon=epsilon)
    exact = quadratics.limit(pruned.reoptimised, epsilon)
    assert found.reoptimised.removed == exact
    squares, steps = pruned.distance**2 / (2 * epsilon), np.arange(201) / 200
    assert found.displacement.removed == found.generic.removed
    # R^2 / r^2 = squares: the steps with 1 / squares >= rho and with 1 / (1 + squares) >= rho.
    assert found.generic.removed == steps[squares * steps <= 1].max()
    assert found.paper.removed == steps[(1 + squares) * steps <= 1].max()


def test_eigenvectors_are_uniform_over_rotations():
    """First entries of U sqrt(D) are standard normal in the limit; not so without the signs."""
    size = 20
    loss = [
        quadratics.quadratic(keys.lane(root(0), n), np.ones(size)).vectors[0, 0] for n in range(200)
    ]
    # The square of an entry of a uniform unit vector is Beta(1/2, (D - 1) / 2), its sign is fair.
    law = stats.beta(0.5, (size - 1) / 2)
    assert stats.kstest(np.square(loss), law.cdf).pvalue > 1e-6
    assert 60 < np.sum(np.array(loss) > 0) < 140  # 100 +- 5.6 standard deviations of 7.1
    from_lapack = [np.linalg.qr(np.random.default_rng(n).standard_normal((size, size)))[0][0, 0]
                   for n in range(200)]  # fmt: skip
    assert not 60 < np.sum(np.array(from_lapack) > 0) < 140


def test_laws_of_the_weights():
    size = 4000

    def weights(law):
        spectrum = np.ones(size)
        return quadratics.quadratic(root(8), spectrum, law=law, is_rotated=False).weights

    assert stats.kstest(weights("gaussian"), stats.norm.cdf).pvalue > 1e-6
    assert stats.kstest(weights("laplace"), stats.laplace.cdf).pvalue > 1e-6
    assert stats.kstest(weights("laplace"), stats.norm.cdf).pvalue < 1e-6
    for law, large, small in [("sparse", 0.1, 0.1), ("two_scales", 0.5, 0.01)]:
        mixture = lambda x, p=large, s=small: (  # noqa: E731
            p * stats.norm.cdf(x) + (1 - p) * stats.norm.cdf(x / s)
        )
        assert stats.kstest(weights(law), mixture).pvalue > 1e-6


def test_known_spectra_are_what_their_names_say():
    for name, spectrum in SPECTRA.items():
        values = spectrum(400)
        assert values.shape == (400,), name
        assert np.all(np.diff(values) <= 0), name
        assert values[-1] >= 0, name
    # Moments of the Marchenko-Pastur law: mean 1, variance the ratio.
    assert SPECTRA["Marchenko-Pastur .5"](4000).var() == pytest.approx(0.5, abs=0.002)
    assert SPECTRA["Marchenko-Pastur 1"](4000).mean() == pytest.approx(1, abs=0.002)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"law": "cauchy"}, "law='cauchy' must be one of gaussian"),
        ({"curvatures": np.array([1.0, -1.0])}, "not negative"),
        ({"curvatures": np.zeros(3)}, "not all 0"),
        ({"curvatures": np.array([np.nan])}, "finite"),
    ],
)
def test_wrong_input_is_refused(change, message):
    given = {"curvatures": np.ones(2), **change}
    with pytest.raises(ValueError, match=message):
        quadratics.quadratic(root(0), given.pop("curvatures"), **given)
