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
        ({"predicted": ["papers"]}, r"predicted=\('papers',\) must be among paper, generic"),
        ({"predicted": []}, "must be among"),
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


def test_a_jitted_loss_is_a_loss():
    found = predict(
        jax.jit(loss), trained, batches, key=keys.root(0), epsilon=EPSILON, predicted=["paper"]
    )
    assert found.limits["paper"].limit == LIMIT.limits["paper"].limit
