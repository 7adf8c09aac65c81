"""Measured limits against a look at every single number of removed weights."""

import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core.compat import enable_x64
from lottery_jax.pruning_limit import measure

rng = np.random.default_rng(7)
SIZES = (30, 50)
WEIGHTS = [rng.normal(size=size) for size in SIZES]
PARAMS = {
    "a": jnp.asarray(WEIGHTS[0].reshape(5, 6), jnp.float32),
    "b": jnp.asarray(WEIGHTS[1].reshape(5, 10), jnp.float32),
}
FLAT = np.concatenate([np.asarray(PARAMS[name], np.float64).ravel() for name in "ab"])
SLOPES = rng.uniform(0.5, 1.5, size=(7, 80))  # of a batch
BATCHES = [jnp.tile(jnp.asarray(row, jnp.float32), (4, 1)) for row in SLOPES]


def loss(params, batch):
    """Rises with every weight that is removed: 1/2 sum of slope (w - w*)^2."""
    flat = jnp.concatenate([params["a"].reshape(-1), params["b"].reshape(-1)])
    return 1 + jnp.sum(jnp.mean(batch, axis=0) * (flat - jnp.asarray(FLAT, jnp.float32)) ** 2) / 2


def pruned_loss(kept):
    return 1 + np.mean(SLOPES, axis=0) @ (FLAT * ~kept) ** 2 / 2


def kept_after(removed):
    kept = np.ones(80, bool)
    kept[np.argsort(np.abs(FLAT), kind="stable")[:removed]] = False
    return kept


def test_one_shot_finds_the_last_number_that_is_allowed():
    for epsilon in (0.05, 2.0, 20.0):
        allowed = [j for j in range(81) if pruned_loss(kept_after(j)) <= 1 + epsilon]
        found = measure.one_shot_limit(loss, PARAMS, BATCHES, epsilon=epsilon)
        assert found.limit == max(allowed) / 80
        assert found.low <= found.limit <= found.high
        assert found.threshold == pytest.approx(1 + epsilon, rel=1e-6)
        assert found.num_evaluations <= 11


def test_layerwise_removes_the_same_share_of_each():
    def kept_layerwise(part):
        kept = []
        for weights in WEIGHTS:
            layer = np.ones(len(weights), bool)
            order = np.argsort(np.abs(weights.astype(np.float32)), kind="stable")
            layer[order[: int(part * len(weights) + 1e-9)]] = False
            kept.append(layer)
        return np.concatenate(kept)

    grid = np.arange(1001) / 1000
    allowed = [part for part in grid if pruned_loss(kept_layerwise(part)) <= 3]
    found = measure.one_shot_limit(loss, PARAMS, BATCHES, epsilon=2.0, scope="layerwise")
    assert found.limit == pytest.approx(1 - np.mean(kept_layerwise(max(allowed))))


def noisy_limits(tries, epsilon):
    """Limits of 1 + scale * |removed weights|^2 judged by three batches of random scales near 1."""
    weights = np.random.default_rng(5).normal(size=2000).astype(np.float32)
    held = jnp.asarray(weights)

    def noisy(params, batch):
        return 1 + jnp.mean(batch) * jnp.sum((params[:, 0] - held) ** 2)

    for scales in np.random.default_rng(6).uniform(0.9, 1.1, size=(tries, 3, 1)):
        batches = list(scales.astype(np.float32))
        yield measure.one_shot_limit(noisy, held[:, None], batches, epsilon=epsilon)


def test_limits_cover_the_limit_of_all_batches():
    """Judged by three random batches, the limit at scale 1 is inside about 95 times in 100."""
    weights = np.sort(np.abs(np.random.default_rng(5).normal(size=2000).astype(np.float32)))
    truth = np.sum(np.cumsum(weights.astype(np.float64) ** 2) <= 300) / 2000
    limits = list(noisy_limits(200, 300.0))

    def num_inside(share):
        low, high, limit = np.array([(each.low, each.high, each.limit) for each in limits]).T
        below, above = limit - share * (limit - low), limit + share * (high - limit)
        return int(np.sum((below <= truth) & (truth <= above)))

    assert num_inside(1) >= 173  # of 200 at 95 %; fewer once in 10^6
    assert num_inside(0.1) < 173
    assert num_inside(1.96 / 4.30) < 173  # the normal law for three batches


def test_a_limit_of_1_is_as_uncertain_as_any_other():
    full = float(np.sum(np.random.default_rng(5).normal(size=2000).astype(np.float32) ** 2.0))
    at_end = [each for each in noisy_limits(30, 1.001 * full) if each.limit == 1]
    assert len(at_end) >= 5
    assert all(each.high == 1 for each in at_end)
    # The mean scale of these lies below 1.001, and so do most of their limits.
    assert sum(each.low < 1 for each in at_end) >= len(at_end) // 2
    far = list(noisy_limits(3, 10 * full))
    assert [(each.limit, each.low, each.high) for each in far] == [(1, 1, 1)] * 3


def test_a_loss_that_is_not_finite_exceeds():
    def breaks(params, batch):
        is_gone = jnp.sum((params["a"] == 0).astype(jnp.float32)) > 10
        return jnp.where(is_gone, jnp.float32(np.nan), loss(params, batch))

    removed_from_a = [int((~kept_after(j)[:30]).sum()) for j in range(81)]
    last = max(j for j in range(81) if removed_from_a[j] <= 10)
    found = measure.one_shot_limit(breaks, PARAMS, BATCHES, epsilon=1e6)
    assert found.limit == last / 80


def test_everything_may_go_where_it_costs_nothing():
    found = measure.one_shot_limit(loss, PARAMS, BATCHES, epsilon=1e6)
    assert (found.limit, found.low, found.high) == (1.0, 1.0, 1.0)


def test_reoptimised_finds_what_the_best_kept_weights_allow():
    basis = np.linalg.qr(rng.normal(size=(80, 80)))[0]
    matrix = (basis * (1 / np.arange(1, 81))) @ basis.T
    held = jnp.asarray(matrix, jnp.float32)

    def quadratic(params, batch):
        flat = jnp.concatenate([params["a"].reshape(-1), params["b"].reshape(-1)])
        moved = flat - jnp.asarray(FLAT, jnp.float32)
        return jnp.mean(batch) * jnp.dot(moved, jnp.matmul(held, moved)) / 2

    batches = [jnp.ones(2), jnp.ones(2)]
    epsilon = 0.05

    def least(removed):
        kept = kept_after(removed)
        gone = ~kept
        between = matrix[np.ix_(gone, kept)]
        schur = matrix[np.ix_(gone, gone)] - between @ np.linalg.solve(
            matrix[np.ix_(kept, kept)], between.T
        )
        return FLAT[gone] @ schur @ FLAT[gone] / 2

    exact = max(j for j in range(80) if least(j) <= epsilon) / 80
    found = measure.reoptimised_limit(
        quadratic,
        PARAMS,
        batches,
        epsilon=epsilon,
        train_batches=batches,
        passes=400,
        learning_rate=0.02,
    )
    one_shot = measure.one_shot_limit(quadratic, PARAMS, batches, epsilon=epsilon)
    assert one_shot.limit < found.limit <= exact + 1 / 80
    assert found.limit >= exact - 0.05
    # No error bar can be had from the images that chose: the ends of the bisection are told.
    assert found.low == found.limit < found.high <= found.limit + 2 / 80


def test_accuracy_rule_takes_the_last_one_that_is_no_worse():
    def accuracy(params, batch):
        """Falls to 0 at 30 removed weights and comes back once, at 60."""
        flat = jnp.concatenate([params["a"].reshape(-1), params["b"].reshape(-1)])
        removed = jnp.sum((flat == 0).astype(jnp.int32))
        return jnp.where((removed < 30) | (removed == 60), jnp.float32(1), jnp.mean(batch) * 0)

    found = measure.accuracy_limit(accuracy, PARAMS, [jnp.ones(3)], resolution=1 / 80)
    assert found.limit == 60 / 80


def test_accuracy_weighs_by_examples():
    """Two of nine images go wrong in turn: the rule must not care how they are cut."""

    def accuracy(params, batch):
        removed = jnp.sum((params["a"] == 0).astype(jnp.float32))
        is_right = jnp.where(removed < 10, batch[:, 0] < 7, batch[:, 0] > 1)
        return jnp.mean(is_right.astype(jnp.float32))

    images = np.arange(9, dtype=np.float32)[:, None]
    whole = measure.accuracy_limit(accuracy, PARAMS, [images], resolution=1 / 80)
    cut = measure.accuracy_limit(accuracy, PARAMS, [images[:7], images[7:]], resolution=1 / 80)
    assert cut.limit == whole.limit == 1
    assert cut.threshold == pytest.approx(7 / 9)


@pytest.mark.parametrize("kind", [jnp.float16, jnp.bfloat16, jnp.float64])
def test_parameters_may_be_of_other_types(kind):
    with enable_x64():
        params = jnp.asarray(np.arange(1.0, 41.0), kind)[:, None]

        def count(weights, batch):
            return jnp.mean(batch) * jnp.sum((weights == 0).astype(jnp.float32))

        found = measure.one_shot_limit(count, params, [jnp.ones(2, jnp.float32)], epsilon=9.5)
    assert found.limit == 9 / 40


def test_sweep_tells_batches_apart():
    found = measure.sweep(loss, PARAMS, BATCHES, [0.0, 0.5, 1.0])
    kept = kept_after(40)
    expected = 1 + SLOPES @ (FLAT * ~kept) ** 2 / 2
    np.testing.assert_allclose(found.values[1], expected, rtol=1e-5)
    assert found.means[0] == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epsilon": 0.0}, "epsilon=0.0 must be positive"),
        ({"epsilon": 1.0, "resolution": 0.0}, r"resolution=0.0 must lie in \(0, 1\]"),
    ],
)
def test_wrong_input_is_one_clear_error(changed, message):
    with pytest.raises(ValueError, match=message):
        measure.one_shot_limit(loss, PARAMS, BATCHES, **changed)


def test_no_batches_are_named():
    with pytest.raises(ValueError, match="there are no batches"):
        measure.one_shot_limit(loss, PARAMS, [], epsilon=1.0)


def test_reoptimised_is_never_below_one_shot():
    """Optimising on other batches can only spoil the loss of those that judge; then it stops."""
    wrong = [-batch for batch in BATCHES]
    asked = {"epsilon": 2.0, "resolution": 1 / 80}
    one_shot = measure.one_shot_limit(loss, PARAMS, BATCHES, **asked)
    found = measure.reoptimised_limit(loss, PARAMS, BATCHES, train_batches=wrong, passes=3, **asked)
    assert found.limit == one_shot.limit
