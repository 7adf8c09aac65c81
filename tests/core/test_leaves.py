import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lottery_jax.core import compat
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


@pytest.mark.parametrize("other", [jnp.float16, jnp.bfloat16, jnp.float64])
def test_the_vector_is_float32_and_goes_back_in_the_types_of_the_leaves(other):
    with compat.enable_x64():
        params = {"a": jnp.ones((2, 2), other), "b": jnp.full((1, 2), 3, jnp.float32)}
        leaves = choose_leaves(params)
        vector = leaves.vector(params)
        assert vector.dtype == jnp.float32
        back = leaves.replace(params, 2 * vector)
        mask = leaves.mask(jnp.array([True, False] * 3), params)
        for tree in (back, mask):
            assert (tree["a"].dtype, tree["b"].dtype) == (other, jnp.float32)
        assert mask["a"].tolist() == [[1, 0], [1, 0]]
        assert back["a"].tolist() == [[2, 2], [2, 2]]


def test_shapes_are_as_good_as_arrays():
    shapes = jax.eval_shape(lambda: PARAMS)
    assert choose_leaves(shapes) == choose_leaves(PARAMS)
    with pytest.raises(ValueError, match="n holds int32"):
        choose_leaves({"n": jax.ShapeDtypeStruct((2, 2), jnp.int32)}, lambda path, leaf: True)


def test_an_array_alone_has_a_path_to_print():
    assert choose_leaves(jnp.ones((2, 2))).paths == ("params",)


@pytest.mark.parametrize(
    ("params", "chosen", "message"),
    [
        ({"bias": jnp.zeros(3)}, None, r"no prunable leaf among: bias \(3,\)"),
        ({}, None, "no leaves at all"),
        ({"n": jnp.ones((2, 2), jnp.int32)}, lambda path, leaf: True, "n holds int32"),
        ({"w": jnp.ones((2, 2))}, {"v": True}, "structure"),
        (jnp.zeros(3), None, r"no prunable leaf among: params \(3,\)"),
    ],
)
def test_wrong_choices_are_named(params, chosen, message):
    with pytest.raises(ValueError, match=message):
        choose_leaves(params, chosen)
