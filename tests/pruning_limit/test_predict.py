"""The call that predicts, on quadratic losses whose spectrum is known to the last digit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from lottery_jax.core import keys
from lottery_jax.pruning_limit.measure import one_shot_limit
from lottery_jax.pruning_limit.predicting import predict
from lottery_jax.spectrum.products import SplitLoss

SIZE = 400
rng = np.random.default_rng(5)
BASIS = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
EIGENVALUES = 1 / np.arange(1, SIZE + 1)
MATRIX = (BASIS * EIGENVALUES) @ BASIS.T
WEIGHTS = rng.normal(size=SIZE)
EPSILON = 0.1 * WEIGHTS @ MATRIX @ WEIGHTS / 2

held = jnp.asarray(MATRIX, jnp.float32)
trained = {"layer": {"kernel": jnp.asarray(WEIGHTS.reshape(20, 20), jnp.float32)}}
batches = [jnp.full(8, 1.0), jnp.full(8, 3.0)]  # mean 2


def loss(params, batch):
    moved = (params["layer"]["kernel"] - trained["layer"]["kernel"]).reshape(-1)
    return jnp.mean(batch) / 2 * (0.1 + jnp.dot(moved, jnp.matmul(held, moved)) / 2)


def ask(**changed):
    return predict(loss, trained, batches, **{"key": keys.root(0), "epsilon": EPSILON, **changed})


LIMIT = ask()


def crossing(form):
    """The first j at which form(j) < j / D, by going through all of them."""
    return next(j - 1 for j in range(SIZE + 2) if j > SIZE or form(j) < j / SIZE) / SIZE


def displacement(removed):
    order = np.argsort(np.abs(WEIGHTS), kind="stable")[:removed]
    moved = np.zeros(SIZE)
    moved[order] = -WEIGHTS[order]
    return moved


def paper(removed):
    squared = displacement(removed) @ displacement(removed)
    return np.mean(2 * EPSILON / (2 * EPSILON + EIGENVALUES * squared))


def refined(removed):
    """The root for nu in the eigenbasis itself."""
    moved = BASIS.T @ displacement(removed)
    radii = 2 * EPSILON / EIGENVALUES

    def excess(nu):
        return np.sum(moved**2 / (nu + radii)) - 1

    if excess(0) <= 0:
        return 1.0
    nu = optimize.brentq(excess, 0, moved @ moved)
    return np.mean(radii / (nu + radii))


@pytest.mark.parametrize(("form", "oracle"), [("paper", paper), ("displacement", refined)])
def test_limits_are_those_of_the_dense_matrix(form, oracle):
    exact, found = crossing(oracle), LIMIT.limits[form]
    assert found.low - 2 / SIZE <= exact <= found.high + 2 / SIZE
    assert found.limit == pytest.approx(exact, abs=0.02)
    assert found.window_low <= found.low <= found.limit <= found.high <= found.window_high


def test_one_shot_is_exact_for_a_quadratic_loss():
    def pruned_loss(removed):
        return displacement(removed) @ MATRIX @ displacement(removed) / 2

    exact = next(j - 1 for j in range(1, SIZE + 1) if pruned_loss(j) > EPSILON) / SIZE
    assert LIMIT.limits["one-shot"].limit == pytest.approx(exact, abs=1.5 / SIZE)
    measured = one_shot_limit(loss, trained, batches, epsilon=EPSILON)
    assert measured.limit == pytest.approx(exact, abs=1.5 / SIZE)


def test_reoptimised_is_what_the_best_kept_weights_allow():
    def least(removed):
        order = np.argsort(np.abs(WEIGHTS), kind="stable")
        gone, kept = order[:removed], order[removed:]
        between = MATRIX[np.ix_(gone, kept)]
        inner = np.linalg.solve(MATRIX[np.ix_(kept, kept)], between.T) if len(kept) else 0.0
        schur = MATRIX[np.ix_(gone, gone)] - (between @ inner if len(kept) else 0.0)
        return WEIGHTS[gone] @ schur @ WEIGHTS[gone] / 2

    exact = next(j - 1 for j in range(1, SIZE + 1) if least(j) > EPSILON) / SIZE
    assert LIMIT.limits["reoptimised"].limit == pytest.approx(exact, abs=0.03)


def test_curves_start_at_one_and_the_refined_one_lies_above():
    for curve in LIMIT.curves.values():
        assert curve.values[0] == 1
    closed = LIMIT.curves["paper"]
    assert np.all(np.diff(closed.values) <= 1e-12)
    assert LIMIT.limits["displacement"].limit >= LIMIT.limits["paper"].limit
    assert LIMIT.limits["generic"].limit >= LIMIT.limits["paper"].limit


def test_scaling_the_loss_and_epsilon_changes_nothing():
    scaled = predict(
        lambda params, batch: 1000 * loss(params, batch),
        trained,
        batches,
        key=keys.root(0),
        epsilon=1000 * EPSILON,
        predicted=["paper", "generic"],
    )
    for form in ("paper", "generic"):
        assert scaled.limits[form].limit == pytest.approx(LIMIT.limits[form].limit, abs=0.005)


def test_epsilon_may_be_the_deviation_over_batches():
    found = ask(epsilon="deviation", predicted=["paper"])
    assert found.epsilon == pytest.approx(np.std([0.05, 0.15]), rel=1e-5)
    assert found.loss == pytest.approx(0.1, rel=1e-5)
    assert "deviation over 2 batches" in str(found)


def test_negative_eigenvalues_count_as_told():
    signs = np.where(np.arange(SIZE) % 2, -1.0, 1.0)
    indefinite = jnp.asarray((BASIS * signs) @ BASIS.T, jnp.float32)

    def saddle(params, batch):
        moved = (params["layer"]["kernel"] - trained["layer"]["kernel"]).reshape(-1)
        return jnp.mean(batch) / 4 * jnp.dot(moved, jnp.matmul(indefinite, moved))

    found = {
        negative: predict(
            saddle,
            trained,
            batches,
            key=keys.root(1),
            epsilon=4.0,
            negative=negative,
            predicted=["paper"],
        ).curves["paper"]
        for negative in ("abs", "flat")
    }
    squared = WEIGHTS @ WEIGHTS
    assert found["abs"].values[-1] == pytest.approx(8 / (8 + squared), abs=1e-3)
    assert found["flat"].values[-1] == pytest.approx(0.5 + 0.5 * 8 / (8 + squared), abs=0.05)


def test_gauss_newton_takes_the_loss_in_two_parts():
    factor = jnp.asarray(np.sqrt(EIGENVALUES)[:, None] * BASIS.T, jnp.float32)

    def outputs(params, batch):
        del batch
        moved = (params["layer"]["kernel"] - trained["layer"]["kernel"]).reshape(-1)
        return jnp.matmul(factor, moved)

    def of_outputs(values, batch):
        return jnp.mean(batch) / 4 * jnp.dot(values, values)

    found = ask(predicted=["paper"])
    split = predict(
        SplitLoss(outputs, of_outputs),
        trained,
        batches,
        key=keys.root(0),
        epsilon=EPSILON,
        negative="gauss_newton",
        predicted=["paper"],
    )
    assert split.limits["paper"].limit == pytest.approx(found.limits["paper"].limit, abs=0.01)
    with pytest.raises(ValueError, match=r"SplitLoss\(outputs, loss_of_outputs\)"):
        ask(negative="gauss_newton")


def test_a_gradient_is_told():
    def tilted(params, batch):
        return loss(params, batch) + 0.01 * jnp.sum(params["layer"]["kernel"])

    found = predict(
        tilted,
        trained,
        batches,
        key=keys.root(0),
        epsilon=EPSILON,
        predicted=["paper", "displacement"],
    )
    removed = int(found.limits["displacement"].limit * SIZE + 1e-9)
    expected = 0.01 * displacement(removed).sum()
    assert found.gradient_change == pytest.approx(expected, rel=0.05, abs=1e-3)
    assert LIMIT.gradient_change == pytest.approx(0, abs=1e-6)


def test_layers_say_what_global_pruning_takes():
    (layer,) = LIMIT.layers(0.25)
    assert (layer.path, layer.shape, layer.size, layer.removed) == (
        "layer/kernel",
        (20, 20),
        400,
        100,
    )


def test_print_tells_all_forms():
    text = str(LIMIT)
    for form in ("paper", "generic", "displacement", "reoptimised", "one-shot"):
        assert form in text
    assert "400 prunable weights" in text


def test_plot_draws_every_curve():
    axes = LIMIT.plot()
    assert len(axes.get_lines()) == 1 + len(LIMIT.curves)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epsilon": 0.0}, "epsilon=0.0 must be a positive loss"),
        ({"epsilon": -1.0}, "epsilon=-1.0 must be"),
        ({"epsilon": float("nan")}, "must be a positive loss"),
        ({"predicted": ["papers"]}, r"predicted=\['papers'\] must be a list of some of paper"),
        ({"predicted": []}, "must be a list of some of"),
        ({"predicted": "paper"}, "predicted='paper' must be a list"),
        ({"failure": 0.0}, "failure"),
        ({"products": 0}, "products"),
        ({"prunable": lambda path, leaf: False}, "no prunable leaf"),
    ],
)
def test_wrong_input_is_one_clear_error(changed, message):
    with pytest.raises(ValueError, match=message):
        ask(**changed)


def test_deviation_needs_more_than_one_batch():
    with pytest.raises(ValueError, match='epsilon="deviation" needs batches whose losses differ'):
        predict(loss, trained, batches[:1], key=keys.root(0))


def test_exact_zeros_are_removed_first_and_for_nothing():
    """Two thirds of the weights are zero already, as after proximal training."""
    sparse = np.where(rng.random(SIZE) < 0.67, 0, WEIGHTS)
    params = {"layer": {"kernel": jnp.asarray(sparse.reshape(20, 20), jnp.float32)}}

    def away(params, batch):
        return loss({"layer": {"kernel": params["layer"]["kernel"] + offset}}, batch)

    offset = trained["layer"]["kernel"] - params["layer"]["kernel"]
    found = predict(away, params, batches, key=keys.root(0), epsilon=EPSILON)
    share = np.mean(sparse == 0)
    assert all(row.limit >= share for row in found.limits.values())
    none = {"layer": {"kernel": jnp.zeros((20, 20))}}
    found = predict(
        lambda p, b: loss(p, b) * 0 + jnp.mean(b), none, batches, key=keys.root(0), epsilon=1.0
    )
    assert all(row.limit == 1 for row in found.limits.values())


def test_intervals_cover_the_limit_of_the_dense_matrix():
    """Over seeds of the probes; intervals of a tenth of the width miss it too often."""
    exact, inside, inside_narrow, total = crossing(paper), 0, 0, 40
    for seed in range(total):
        row = ask(key=keys.root(100 + seed), predicted=["paper"], products=48).limits["paper"]
        inside += row.low <= exact <= row.high
        low, high = (row.limit + (end - row.limit) / 10 for end in (row.low, row.high))
        inside_narrow += low <= exact <= high
    assert inside >= 36
    assert inside_narrow < 36


def test_the_displacement_states_what_its_short_runs_leave_open():
    exact = crossing(refined)
    found = LIMIT.limits["displacement"]
    assert found.low <= exact <= found.high
    curve = LIMIT.curves["displacement"]
    truth = np.array([refined(round(part * SIZE)) for part in curve.sparsities])
    assert np.all(np.abs(curve.values - truth) <= curve.errors + 1e-6)
    assert np.max(np.abs(curve.values - truth)) > 1e-4  # there is something to state


def test_the_first_crossing_counts():
    """A valley beyond a ridge: the quadratic model is fine at the start and at the end alone."""
    ridge = jnp.asarray(np.where(np.arange(100) % 2, 1.0, -1.0), jnp.float32)
    start = jnp.arange(1.0, 101.0)[:, None] / 100

    def crossing_loss(weights, batch):
        along = jnp.sum(jnp.where(jnp.arange(100) < 50, 1.0, -0.42) * (weights - start)[:, 0])
        return jnp.mean(batch) * along**2 + 0 * jnp.sum(ridge)

    found = predict(
        crossing_loss, start, batches, key=keys.root(0), epsilon=0.5, predicted=["one-shot"]
    )

    def change(removed):
        moved = -np.arange(1, 101) / 100 * (np.arange(100) < removed)
        return 2 * (np.where(np.arange(100) < 50, 1.0, -0.42) @ moved) ** 2

    allowed = [j for j in range(101) if change(j) <= 0.5]
    first = next(j for j in range(101) if change(j) > 0.5) - 1
    assert max(allowed) > first + 5  # or the test would show nothing
    assert found.limits["one-shot"].limit == pytest.approx(first / 100, abs=0.011)


def test_what_cannot_fit_is_refused_beforehand():
    with pytest.raises(MemoryError, match="take fewer products"):
        ask(memory_limit=1000)


def test_a_jitted_loss_is_a_loss():
    found = predict(
        jax.jit(loss), trained, batches, key=keys.root(0), epsilon=EPSILON, predicted=["paper"]
    )
    assert found.limits["paper"].limit == LIMIT.limits["paper"].limit
