"""The forms against closed forms and plain float64, their identities, and their errors."""

import numpy as np
import pytest
from scipy import optimize, stats

from lottery_jax.pruning_limit import forms, quadratics
from lottery_jax.pruning_limit.crossing import Limit, crossing, last_step
from lottery_jax.pruning_limit.known_spectra import SPECTRA
from lottery_jax.pruning_limit.measures import curvatures
from lottery_jax.pruning_limit.reoptimised import reoptimised
from lottery_jax.pruning_limit.window import window

DISTANCES = np.array([0.0, 1e-3, 0.3, 1.0, 7.0, 1e4])


def equal_weights(nodes):
    return np.full(nodes.shape, 1 / nodes.shape[-1])


def some_measure(seed, size=40):
    """A spectrum over eight decades with flat directions, and a displacement and a kept vector."""
    draws = np.random.default_rng(seed)
    nodes = 10.0 ** draws.uniform(-6, 2, size)
    nodes[: size // 5] = 0
    moved, kept = draws.standard_normal((2, size)) * (nodes + 1e-3) ** draws.uniform(-0.5, 0.5)
    kept -= moved * (kept @ moved) / (moved @ moved)
    return nodes, moved / np.linalg.norm(moved), kept / np.linalg.norm(kept)


def triple(nodes, moved, kept):
    pairs = np.stack([moved, kept, (moved + kept) / 2**0.5])
    return np.tile(nodes, (3, 1)), pairs**2


def all_forms(nodes, moved, kept):
    every = nodes, equal_weights(nodes)
    return {
        "paper": lambda **at: forms.paper(*every, **at),
        "generic": lambda **at: forms.generic(*every, **at),
        "displacement": lambda **at: forms.displacement(*every, nodes, moved**2, **at),
        "reoptimised": lambda **at: reoptimised(*every, *triple(nodes, moved, kept), **at),
    }


def test_isotropic_curvature_has_its_closed_forms():
    """r^2 = 1; (R^2 + 1)^-1 for the paper, R^-2 for the cone; no help from the kept weights."""
    nodes, ones = np.full(5, 2.0), np.full(5, 0.2)
    distance = np.array([0.5, 1.5, 2.0, 10.0])
    at = {"distance": distance, "epsilon": 1.0}
    exact = np.minimum(1, distance**-2)
    np.testing.assert_allclose(forms.paper(nodes, ones, **at), 1 / (1 + distance**2), rtol=1e-14)
    # log t is found to the last bit, which is 1e-16 of numbers below 1.
    np.testing.assert_allclose(forms.generic(nodes, ones, **at), exact, rtol=1e-13)
    np.testing.assert_allclose(
        forms.displacement(nodes, ones, nodes, ones, **at), exact, rtol=1e-13
    )
    three = np.tile(nodes, (3, 1)), np.tile(ones, (3, 1))
    np.testing.assert_allclose(reoptimised(nodes, ones, *three, **at), exact == 1, atol=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_displacement_solves_its_equation(seed):
    """The multiplier by scipy, in radii instead of curvatures."""
    nodes, moved, _ = some_measure(seed)
    distance, epsilon = 3.0, 0.01
    is_curved = nodes > 0
    radii, parts = 2 * epsilon / nodes[is_curved], (distance * moved[is_curved]) ** 2
    excess = lambda log_nu: np.sum(parts / (np.exp(log_nu) + radii)) - 1  # noqa: E731
    nu = np.exp(optimize.brentq(excess, -60, np.log(distance**2) + 1e-9, xtol=1e-15, rtol=1e-15))
    expected = (np.sum(radii / (nu + radii)) + np.sum(~is_curved)) / len(nodes)
    form = all_forms(*some_measure(seed))["displacement"]
    np.testing.assert_allclose(form(distance=distance, epsilon=epsilon), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_reoptimised_solves_the_problem_it_states(seed):
    """The least loss at c + a k by dense algebra: compressions of H in place of its resolvent."""
    nodes, moved, kept = some_measure(seed)
    distance, epsilon = 3.0, 0.02
    form = all_forms(nodes, moved, kept)["reoptimised"](distance=distance, epsilon=epsilon)
    basis = np.linalg.qr(np.column_stack([moved, kept]), mode="complete")[0]
    basis[:, :2] = np.column_stack([moved, kept])
    turned = basis.T @ np.diag(nodes) @ basis
    pair, mixed, rest = turned[:2, :2], turned[2:, :2], turned[2:, 2:]

    def needed(s):  # the least loss when the rest of H has resolvent (1 + s B)^-1
        left = pair - s * mixed.T @ np.linalg.solve(np.eye(len(rest)) + s * rest, mixed)
        return distance**2 / 2 * (left[0, 0] - left[0, 1] ** 2 / left[1, 1])

    log_s = optimize.brentq(lambda each: needed(np.exp(each)) - epsilon, -30, 30, xtol=1e-14)
    # s of 1e6 or less times a curvature of 100 loses 8 of 16 digits to the inverse.
    expected = np.mean(1 / (1 + np.exp(log_s) * nodes))
    np.testing.assert_allclose(form, expected, rtol=1e-6)


def lanczos(curvatures, start, steps):
    """Nodes and weights of a run on a diagonal matrix, in the plainest way."""
    basis, diagonal, beside = [start], [], []
    for _ in range(steps):
        vector = curvatures * basis[-1]
        diagonal.append(vector @ basis[-1])
        for _ in range(2):
            vector = vector - np.array(basis).T @ (np.array(basis) @ vector)
        beside.append(np.linalg.norm(vector))
        basis.append(vector / beside[-1])
    matrix = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    nodes, vectors = np.linalg.eigh(matrix)
    return np.maximum(nodes, 0), vectors[0] ** 2


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.5])
def test_short_runs_of_their_own_nodes_stand_for_all_eigenvalues(lean):
    """20 steps from c, k and their sum, over six decades; 3 are too few, which the check sees."""
    draws = np.random.default_rng(0)
    nodes = np.geomspace(1e-6, 1, 200)
    moved, kept = draws.standard_normal((2, 200)) * nodes ** (lean / 2)
    kept -= moved * (kept @ moved) / (moved @ moved)
    pair = [each / np.linalg.norm(each) for each in (moved, kept)]
    vectors = [*pair, (pair[0] + pair[1]) / 2**0.5]
    at = {"distance": 3.0, "epsilon": float(1.5 * pair[0] ** 2 @ nodes)}
    exact = all_forms(nodes, *pair)
    every = nodes, equal_weights(nodes)
    for steps, is_enough in [(20, True), (3, False)]:
        runs = [lanczos(nodes, each, steps) for each in vectors]
        triples = tuple(np.stack(part) for part in zip(*runs, strict=True))
        found = {
            "displacement": forms.displacement(*every, *runs[0], **at),
            "reoptimised": reoptimised(*every, *triples, **at),
        }
        off = max(abs(value - exact[name](**at)) for name, value in found.items())
        assert (off < 1e-3) == is_enough


@pytest.mark.parametrize("seed", range(20))
def test_identities(seed):
    nodes, moved, kept = some_measure(seed)
    epsilon = 0.05
    values = {
        name: form(distance=DISTANCES, epsilon=epsilon)
        for name, form in all_forms(nodes, moved, kept).items()
    }
    for name, curve in values.items():
        assert curve[0] == 1, name  # F(0) = 1
        assert np.all(np.diff(curve) <= 1e-13), name
        assert np.all((curve >= np.mean(nodes == 0) - 1e-13) & (curve <= 1)), name
    rounding = 1e-13
    assert np.all(values["displacement"] >= values["paper"] - rounding)
    assert np.all(values["generic"] >= values["paper"] - rounding)
    bound = DISTANCES**2 * nodes.mean() / (2 * epsilon)
    assert np.all(1 - values["paper"] <= bound + rounding)


def test_scaling_the_weights_is_scaling_the_distance():
    """Weights times s at the same curvature move s times as far; nothing else may change."""
    loss = quadratics.quadratic(_key(), SPECTRA["i^-1"](60))
    larger = loss._replace(weights=3.0 * loss.weights)
    for removed in (20, 50):
        pruned, stretched = quadratics.prune(loss), quadratics.prune(larger)
        moved = quadratics.displaced(loss, pruned, removed)
        every = loss.curvatures, equal_weights(loss.curvatures)
        direction = loss.curvatures, moved**2 / np.sum(moved**2)
        at = {"distance": 3 * float(pruned.distance[removed]), "epsilon": 2.0}
        again = {**at, "distance": float(stretched.distance[removed])}
        np.testing.assert_allclose(
            forms.displacement(*every, *direction, **at),
            forms.displacement(*every, *direction, **again),
            rtol=1e-12,
        )
        np.testing.assert_allclose(
            forms.paper(*every, **at), forms.paper(*every, **again), rtol=1e-12
        )


def test_only_ratios_of_curvature_and_epsilon_count():
    nodes, moved, kept = some_measure(3)
    for name, form in all_forms(nodes, moved, kept).items():
        scaled = all_forms(nodes * 1e20, moved, kept)[name]
        np.testing.assert_allclose(
            form(distance=DISTANCES, epsilon=0.05),
            scaled(distance=DISTANCES, epsilon=0.05e20),
            rtol=1e-11,
            err_msg=name,
        )


def test_the_range_of_curvatures_cannot_overflow():
    """Thirty decades, and R^2 / epsilon at the ends of float64; warnings are errors here."""
    nodes = np.array([0.0, 1e-15, 1.0, 1e15])
    moved = np.array([0.5, 0.5, 0.5, 0.5])
    kept = np.array([0.5, -0.5, 0.5, -0.5])
    for form in all_forms(nodes, moved, kept).values():
        for distance, epsilon in [(1.0, 1e-15), (1e-150, 1e300), (1e150, 1e-300), (1.0, 1e20)]:
            value = form(distance=distance, epsilon=epsilon)
            assert 0.25 <= value <= 1  # one in four is flat
    # A flat displacement stays inside of the set, however sharp the other directions are.
    sharp, flat = np.array([0.0, 1e200]), (np.array([0.0]), np.ones(1))
    at = {"distance": 1.0, "epsilon": 0.5}
    assert forms.displacement(sharp, equal_weights(sharp), *flat, **at) == 1
    # Two curvatures removed for sure, one kept for sure: the radii are 1e-15, 1 and 1e15 times R.
    assert forms.paper(nodes, equal_weights(nodes), distance=1.0, epsilon=0.5) == pytest.approx(
        (1 + 1 + 0.5 + 0) / 4, abs=1e-14
    )


def test_axes_are_those_of_the_distances_then_of_the_measures():
    """Every entry equals its own scalar call, across the border of a block."""
    draws = np.random.default_rng(0)
    nodes = draws.uniform(0, 3, (2, 3, 7))
    weights = draws.dirichlet(np.ones(7), (2, 3))
    distance = draws.uniform(0.1, 4, (4, 5))
    moved = draws.dirichlet(np.ones(6), (4, 5))
    places = draws.uniform(0, 3, (4, 5, 6))
    found = forms.displacement(nodes, weights, places, moved, distance=distance, epsilon=0.4)
    alone = forms.generic(nodes, weights, distance=distance, epsilon=0.4)
    assert found.shape == alone.shape == (4, 5, 2, 3)
    for point in [(0, 0), (3, 4)]:
        for probe in [(0, 1), (1, 2)]:
            at = {"distance": float(distance[point]), "epsilon": 0.4}
            own = nodes[probe], weights[probe]
            np.testing.assert_allclose(
                found[(*point, *probe)],
                forms.displacement(*own, places[point], moved[point], **at),
                rtol=1e-14,
            )
            np.testing.assert_allclose(
                alone[(*point, *probe)], forms.generic(*own, **at), rtol=1e-14
            )


def test_blocks_do_not_show(monkeypatch):
    from lottery_jax.pruning_limit import measures

    nodes, moved, kept = some_measure(1)
    whole = {
        n: f(distance=DISTANCES, epsilon=0.1) for n, f in all_forms(nodes, moved, kept).items()
    }
    monkeypatch.setattr(measures, "_ELEMENTS", 100)  # two distances a block
    for name, form in all_forms(nodes, moved, kept).items():
        np.testing.assert_array_equal(form(distance=DISTANCES, epsilon=0.1), whole[name])


def test_negative_curvature_needs_a_convention():
    nodes, weights = np.array([2.0, -1.0]), np.array([0.5, 0.5])
    at = {"distance": 1.0, "epsilon": 0.5}
    assert forms.paper(curvatures(nodes, "abs"), weights, **at) == pytest.approx(5 / 12)
    assert forms.paper(curvatures(nodes, "flat"), weights, **at) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="not negative, the least is -1; say what"):
        forms.paper(nodes, weights, **at)
    with pytest.raises(ValueError, match="not finite; check the loss"):
        curvatures(np.array([np.nan]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": 0.0}, "epsilon=0.0 must be positive"),
        ({"epsilon": float("nan")}, "epsilon=nan must be positive"),
        ({"distance": -1.0}, "distance=-1.0 must be finite and not negative"),
        ({"distance": np.array([1.0, np.inf])}, "must be finite"),
        ({"weights": np.array([0.5, 0.6])}, "weights must be probabilities.*1.1"),
        ({"weights": np.array([1.5, -0.5])}, "the least is -0.5"),
        ({"nodes": np.array([np.inf, 1.0])}, "must be finite"),
    ],
)
def test_wrong_input_is_refused(change, message):
    given = {"nodes": np.ones(2), "weights": np.array([0.5, 0.5]), "distance": 1.0, "epsilon": 1.0}
    given |= change
    with pytest.raises(ValueError, match=message):
        forms.paper(given.pop("nodes"), given.pop("weights"), **given)


def test_measures_must_fit_the_distances():
    one = np.ones((2, 3)), np.full((2, 3), 1 / 3)
    with pytest.raises(ValueError, match="one for all"):
        forms.displacement(one[0][0], one[1][0], *one, distance=np.ones(3), epsilon=1.0)


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_last_step_is_the_last_step(size):
    """Against a loop over all steps, for falling sequences with ties and exact meetings."""
    draws = np.random.default_rng(size)
    for _ in range(30):
        values = np.sort(np.round(draws.uniform(0, 1, size + 1) * size) / size)[::-1]
        values[0] = 1.0
        error = draws.uniform(0, 0.2)
        found = last_step(lambda j, v=values, e=error: (float(v[j]), e), size)
        for end, shift in [(found.removed, 0), (found.low, -error), (found.high, error)]:
            steps = [j for j in range(size + 1) if values[j] + shift >= j / size - 1e-12]
            assert end == max(steps, default=0) / size
    assert last_step(lambda j: 1.0, size) == Limit(1.0, 1.0, 1.0)


def test_both_conventions():
    kept = Limit(0.75, 0.5, 0.875).kept
    assert kept == Limit(0.25, 0.125, 0.5)


def test_crossing_of_a_curve_against_a_root_finder():
    grid = np.linspace(0, 1, 2001)
    curve = lambda rho: 1 / (1 + 4 * rho**2)  # noqa: E731
    found = crossing(grid, curve(grid), np.full(grid.shape, 0.01))
    for end, shift in [(found.removed, 0), (found.low, -0.01), (found.high, 0.01)]:
        exact = optimize.brentq(lambda rho, s=shift: curve(rho) + s - rho, 0, 1)
        assert end == pytest.approx(exact, abs=1e-6)  # curvature 8 times a quarter step squared
    assert crossing([0.0, 0.5], [1.0, 0.9]).removed == 0.5
    assert crossing([0.5, 0.6], [0.1, 0.1]).removed == 0.5
    with pytest.raises(ValueError, match="sparsities must rise"):
        crossing([0.5, 0.5], [1.0, 1.0])
    with pytest.raises(ValueError, match="must be equal"):
        crossing([0.5, 0.6], [1.0])


def test_last_step_refuses_what_is_no_fraction():
    with pytest.raises(ValueError, match=r"F\(\d+\) = nan"):
        last_step(lambda j: float("nan"), 10)
    with pytest.raises(ValueError, match="size=0"):
        last_step(lambda j: 1.0, 0)


def test_window_has_the_constants_of_the_theorem():
    """The paper on the formula gives a_0.01 < 7 and a_0.001 < 9."""
    assert 6.5 < window(1, 0.01) < 7
    assert 8 < window(1, 0.001) < 9
    assert window(400, 0.01) == pytest.approx(window(1, 0.01) / 20)
    for size, failure in [(0, 0.1), (5, 0.0), (5, 1.0)]:
        with pytest.raises(ValueError, match="size="):
            window(size, failure)


@pytest.mark.parametrize(("size", "sine_squared"), [(500, 0.3), (500, 0.7), (5000, 0.9)])
def test_window_holds_for_circular_cones(size, sine_squared):
    """The squared length of the axis projected on a random subspace has a beta law."""

    def meets(rho):  # a subspace of dimension (1 - rho) D and a cone of this angle
        kept = (1 - rho) * size
        return stats.beta(kept / 2, (size - kept) / 2).sf(1 - sine_squared)

    for failure in (0.3, 0.01):
        half = window(size, failure)
        low, high = sine_squared - half, sine_squared + half
        assert low <= 0 or meets(low) >= 1 - failure
        assert high >= 1 or meets(high) <= failure
    # The control: without the window neither holds.
    assert 0.3 < meets(sine_squared) < 0.7


def _key():
    from lottery_jax.core import root

    return root(0)
