import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lottery_jax.core.leaves import choose_leaves

PARAMS = {
    "first": {"kernel": jnp.arange(6.0).reshape(3, 2), "bias": jnp.array([7.0, 8.0])},
    "second": [jnp.array([[10.0], [11.0]]), jnp.array(3.0)],
}


def test_vector_lays_the_chosen_leaves_end_to_end():
    leaves = choose_leaves(PARAMS)
    assert leaves.paths == ("first/kernel", "second/0")
    assert leaves.bounds == ((0, 6), (6, 8))
    assert leaves.vector(PARAMS).tolist() == [0, 1, 2, 3, 4, 5, 10, 11]


def test_replace_puts_them_back_and_leaves_the_others():
    leaves = choose_leaves(PARAMS)
    changed = leaves.replace(PARAMS, -leaves.vector(PARAMS))
    assert changed["first"]["kernel"].tolist() == (-PARAMS["first"]["kernel"]).tolist()
    assert changed["first"]["bias"] is PARAMS["first"]["bias"]
    assert changed["second"][0].tolist() == [[-10.0], [-11.0]]
    assert leaves.replace(PARAMS, leaves.vector(PARAMS))["second"][0].tolist() == [[10.0], [11.0]]


def test_mask_is_one_where_nothing_can_be_pruned():
    leaves = choose_leaves(PARAMS)
    mask = leaves.mask(jnp.array([True, False] * 4), PARAMS)
    assert mask["first"]["kernel"].tolist() == [[1, 0], [1, 0], [1, 0]]
    assert mask["first"]["bias"].tolist() == [1, 1]
    assert mask["second"][0].tolist() == [[1], [0]]


def test_a_function_or_a_pytree_chooses():
    def is_second(path, leaf):
        return path.startswith("second")

    assert choose_leaves(PARAMS, is_second).paths == ("second/0", "second/1")
    bools = jax.tree.map(lambda leaf: leaf.ndim == 1, PARAMS)
    assert choose_leaves(PARAMS, bools).paths == ("first/bias",)


def test_an_nnx_state_is_a_pytree_like_any_other():
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    state = nnx.state(model, nnx.Param)
    leaves = choose_leaves(state)
    assert leaves.size == 6
    assert "kernel" in leaves.paths[0]
    back = leaves.replace(state, leaves.vector(state) * 2)
    assert np.allclose(leaves.vector(back), 2 * leaves.vector(state))


@pytest.mark.parametrize(
    ("params", "chosen", "message"),
    [
        ({"bias": jnp.zeros(3)}, None, r"no prunable leaf among: bias \(3,\)"),
        ({}, None, "no leaves at all"),
        ({"n": jnp.ones((2, 2), jnp.int32)}, lambda path, leaf: True, "n holds int32"),
        ({"w": jnp.ones((2, 2))}, {"v": True}, "structure"),
        (
            {"a": jnp.ones((2, 2)), "b": jnp.ones((2, 2), jnp.bfloat16)},
            None,
            "types bfloat16, float32",
        ),
    ],
)
def test_wrong_choices_are_named(params, chosen, message):
    with pytest.raises(ValueError, match=message):
        choose_leaves(params, chosen)
