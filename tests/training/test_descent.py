import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.training.descent import descend, descent

rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(40, 6)).astype(np.float32)
OUTPUTS = (INPUTS @ rng.normal(size=6)).astype(np.float32)
BATCHES = [(INPUTS, OUTPUTS)]
KEPT = np.array([1, 1, 0, 1, 0, 1], np.float32)


def loss(params, batch):
    return jnp.mean((jnp.matmul(batch[0], params["w"]) - batch[1]) ** 2)


def test_finds_the_least_squares_of_the_kept_weights():
    found = descend(
        loss,
        {"w": jnp.ones(6)},
        {"w": jnp.asarray(KEPT)},
        BATCHES,
        passes=3000,
        learning_rate=0.05,
    )
    exact = np.linalg.lstsq(INPUTS[:, KEPT == 1], OUTPUTS, rcond=None)[0]
    np.testing.assert_allclose(np.asarray(found["w"])[KEPT == 1], exact, atol=1e-3)


def test_removed_weights_stay_at_zero():
    found = descend(loss, {"w": jnp.ones(6)}, {"w": jnp.asarray(KEPT)}, BATCHES, passes=5)
    assert np.all(np.asarray(found["w"])[KEPT == 0] == 0)


def test_is_deterministic_and_leaves_its_input_alone():
    params = {"w": jnp.ones(6)}
    first, second = (descend(loss, params, {"w": jnp.ones(6)}, BATCHES, passes=3) for _ in range(2))
    assert first["w"].tolist() == second["w"].tolist()
    assert params["w"].tolist() == [1.0] * 6


def test_every_batch_counts_in_every_pass():
    batches = [
        (INPUTS[:16], OUTPUTS[:16]),
        (INPUTS[16:32], OUTPUTS[16:32]),
        (INPUTS[32:], OUTPUTS[32:]),
    ]
    start, mask = {"w": jnp.ones(6)}, {"w": jnp.ones(6)}
    found = [descend(loss, start, mask, batches[:n], passes=2)["w"].tolist() for n in (1, 2, 3)]
    assert found[0] != found[1] != found[2]
    assert len(list(descent(loss, start, mask, batches, passes=4))) == 5


@pytest.mark.parametrize("changed", [{"passes": 0}, {"learning_rate": 0.0}])
def test_settings_out_of_range_are_named(changed):
    with pytest.raises(ValueError, match="must be positive"):
        descend(loss, {"w": jnp.ones(6)}, {"w": jnp.ones(6)}, BATCHES, **changed)


def test_no_batches_are_named():
    with pytest.raises(ValueError, match=r"len\(batches\)=0"):
        descend(loss, {"w": jnp.ones(6)}, {"w": jnp.ones(6)}, [])
