"""Links against NumPy's Hermite series and exact Gauss-Hermite rules."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial import hermite_e

from lottery_jax.sparse_features import links
from tests.oracles import sparse_features as oracle

LINKS = [
    links.hermite({1: 1.0}),
    links.hermite({2: 1.0, 4: -2.0}),
    links.hermite({(2, 0): 1.0, (0, 2): -1.0, (1, 2): 0.5}),
    links.hermite({(1, 1, 1): 1.0, (0, 0, 4): 0.3}),
    links.polynomial({3: 1.0, 2: 2.0, 0: -2.0}),
    links.polynomial({(2, 1): 1.0, (1, 1): 3.0}),
]


def _normal_points(num_indices, nodes=12):
    """Exact for polynomials to degree 2 nodes - 1 in every variable."""
    line, weights = hermite_e.hermegauss(nodes)
    points = np.stack(np.meshgrid(*[line] * num_indices, indexing="ij"), -1)
    mass = np.stack(np.meshgrid(*[weights] * num_indices, indexing="ij"), -1)
    mass = mass.reshape(-1, num_indices).prod(1)
    return points.reshape(-1, num_indices), mass / mass.sum()


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_values_and_moments(link):
    points, mass = _normal_points(link.num_indices)
    wanted = oracle.product_link(dict(link.terms), points)
    found = link.evaluate(jnp.asarray(points, jnp.float32))
    # A few roundings of float32 of the largest monomial at these nodes.
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=2e-6 * np.abs(wanted).max())
    assert mass @ wanted == pytest.approx(0, abs=1e-12)
    assert mass @ wanted**2 == pytest.approx(1, abs=1e-12)


def test_polynomials_by_powers():
    points, mass = _normal_points(2)
    x, y = points.T
    values = x**4 * y - 3 * y + 2 * x * y**3
    link = links.polynomial({(4, 1): 1.0, (0, 1): -3.0, (1, 3): 2.0})
    wanted = values / np.sqrt(mass @ values**2)
    np.testing.assert_allclose(oracle.product_link(dict(link.terms), points), wanted, atol=1e-9)
    # E x^4 y y = 3 takes away the linear term to the last digit.
    assert link.information_exponent == 2
    assert (0, 1) not in dict(link.terms)
    # 0.1 times 3 is not 0.3 in float64, and what is left is no term.
    assert links.polynomial({3: 0.1, 1: -0.3}).terms == (((3,), 1.0),)


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ({1: 1.0, 2: 5.0}, 1),
        ({3: 1.0, 5: 5.0}, 3),
        ({(1, 1): 1.0, (3, 0): 2.0}, 2),
        ({(1, 1, 1): 1.0}, 3),
    ],
)
def test_information_exponents(link, wanted):
    assert links.hermite(link).information_exponent == wanted


def test_a_callable_polynomial_has_its_terms():
    found = links.function(lambda z: z[:, 0] ** 2 * z[:, 1] + z[:, 0] * z[:, 1], 2, name="cubic")
    wanted = dict(links.polynomial({(2, 1): 1.0, (1, 1): 1.0}).terms)
    assert dict(found.terms) == pytest.approx(wanted, abs=found.tolerance)
    assert found.mass_beyond == 0
    points, _ = _normal_points(2, 5)
    z = jnp.asarray(points, jnp.float32)
    np.testing.assert_allclose(
        found.evaluate(z), oracle.product_link(wanted, points), rtol=2e-5, atol=2e-5
    )


@pytest.mark.parametrize(
    ("call", "shares"),
    [
        # gamma_k of |z|, sign and ReLU in closed form, as k: gamma_k^2 / k! / variance
        (
            lambda z: jnp.abs(z[:, 0]) - jnp.float32(math.sqrt(2 / math.pi)),
            {2: 1 / math.pi / (1 - 2 / math.pi), 4: 1 / 12 / math.pi / (1 - 2 / math.pi)},
        ),
        (lambda z: jnp.sign(z[:, 0]), {1: 2 / math.pi, 3: 1 / 3 / math.pi, 5: 0.15 / math.pi}),
        (
            lambda z: jax.nn.relu(z[:, 0]) - jnp.float32(1 / math.sqrt(2 * math.pi)),
            {1: 0.25 / (0.5 - 0.5 / math.pi), 2: 0.25 / math.pi / (0.5 - 0.5 / math.pi)},
        ),
    ],
    ids=["abs", "sign", "relu"],
)
def test_kinks_leave_no_noise_in_the_terms(call, shares):
    link = links.function(call, max_degree=5)
    found = {index[0]: value**2 for index, value in link.terms}
    for degree, share in shares.items():
        assert found[degree] == pytest.approx(share, abs=1e-5)
    parity = {degree % 2 for degree in found if degree > 1}
    assert len(parity) == 1  # the other parity is 0 beyond degree 1, and not rounding
    assert link.mass_beyond == pytest.approx(1 - sum(found.values()), abs=1e-12)
    assert link.mass_beyond > 0.01


def test_kinks_elsewhere_must_be_named():
    def hinge(z):
        return jnp.abs(z[:, 0] - jnp.float32(0.3)) + jnp.abs(z[:, 0] + jnp.float32(0.3))

    mean = 2 * (0.3 * math.erf(0.3 / math.sqrt(2)) + math.sqrt(2 / math.pi) * math.exp(-0.045))

    def centred(z):
        return hinge(z) - jnp.float32(mean)

    named = links.function(centred, kinks=(-0.3, 0.3))
    assert named.information_exponent == 2
    assert named.tolerance < 1e-5
    # Unnamed, terms are less certain, and none of odd degree appears all the same.
    unnamed = links.function(lambda z: centred(z) - jnp.float32(0))
    assert unnamed.tolerance > 1e-4
    assert all(index[0] % 2 == 0 for index, _ in unnamed.terms)
    with pytest.raises(ValueError, match="too rough for the quadrature"):
        links.function(lambda z: jnp.sign(z[:, 0] - 0.3) - jnp.sign(z[:, 0] + 0.3) + 0.472)


def test_three_indices():
    link = links.function(lambda z: jnp.sign(z[:, 0] * z[:, 1] * z[:, 2]), 3, max_degree=3)
    assert dict(link.terms) == pytest.approx({(1, 1, 1): (2 / math.pi) ** 1.5}, abs=1e-5)


def test_a_link_is_a_static_part_of_compiled_code():
    traces = []

    @jax.jit
    def evaluate(z):
        traces.append(1)
        return links.hermite({2: 1.0}).evaluate(z)

    assert links.hermite({2: 1.0}) == links.hermite({2: 7.0})
    assert hash(links.hermite({2: 1.0})) == hash(links.hermite({(2,): 2}))
    assert links.hermite({2: 1.0}) != links.hermite({2: 1.0, 3: 1.0})
    evaluate(jnp.ones((3, 1), jnp.float32))
    evaluate(jnp.zeros((3, 1), jnp.float32))
    assert len(traces) == 1


def test_links_of_one_function_are_equal():
    def cubic(z):
        return z[:, 0] ** 3

    first, again = links.function(cubic), links.function(cubic)
    assert first == again
    assert hash(first) == hash(again)
    assert first != links.function(lambda z: z[:, 0] ** 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: links.polynomial({2: 1.0}), "the link has the mean 1, which must be 0; subtract"),
        (lambda: links.hermite({0: 0.5, 1: 1.0}), "the link has the mean 0.5, which must be 0"),
        (lambda: links.function(lambda z: z[:, 0] ** 2), "has the mean 1, which must be 0"),
        (lambda: links.hermite({2: 0.0}), "all coefficients of the link are 0"),
        (lambda: links.hermite({}), "all coefficients of the link are 0"),
        (lambda: links.polynomial({0: 0.0}), "all coefficients of the link are 0"),
        (lambda: links.function(lambda z: 0 * z[:, 0]), "is 0 everywhere"),
        (lambda: links.hermite({2: math.nan}), "the coefficient of 2 is nan; give a finite one"),
        (lambda: links.hermite({-1: 1.0}), "-1 is no degree"),
        (lambda: links.hermite({21: 1.0}), "the degree of 21 must be at most 20"),
        (lambda: links.hermite({(1, 0): 1.0, (2,): 1.0}), "name different numbers of indices"),
        (lambda: links.function(lambda z: z), "must give one float32 a row"),
        (lambda: links.function(lambda z: 1 / z[:, 0] * 1e38), "is not finite at"),
        (
            lambda: links.function(lambda z: z[:, 0], 4),
            "num_indices=4 must be a whole",
        ),
        (lambda: links.function(lambda z: z[:, 0], max_degree=0), "max_degree=0 must be a whole"),
    ],
)
def test_wrong_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_no_exponent_up_to_the_degree_searched():
    link = links.function(lambda z: z[:, 0] ** 3 - 3 * z[:, 0], max_degree=2)
    with pytest.raises(ValueError, match="raise max_degree"):
        _ = link.information_exponent
