"""Addresses of streams: golden numbers, nesting, and keys that are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import compat, keys


def test_addresses_and_streams_are_golden():
    # These change only together with STREAM_VERSION.
    assert keys.STREAM_VERSION == 1
    lane = keys.lane(keys.chunk(keys.stream(keys.root(7), "0123456789abcdef"), 3), 5)
    assert keys.describe(lane) == "threefry2x32:9f32dc7b:91eda87e"
    words = jax.random.key_data(keys.items(lane, 2)).tolist()
    assert words == [[0xC6950EED, 0x67755BFF], [0x303C2E7F, 0xA72EFBE5]]
    assert jax.random.bits(lane, (3,), jnp.uint32).tolist() == [2715833618, 2534593946, 1344871372]
    uniform = jax.random.uniform(lane, (2,), jnp.float32)
    assert uniform.tolist() == [0.6323292255401611, 0.5901310443878174]


def test_addresses_do_not_depend_on_x64():
    def address():
        return keys.describe(keys.stream(keys.root(2**32 - 1), "ffffffff00000001"))

    with compat.enable_x64():
        wide = address()
    assert wide == address()


def test_the_first_items_never_depend_on_how_many_are_drawn():
    few, many = keys.items(keys.root(1), 3), keys.items(keys.root(1), 50)
    assert jnp.array_equal(few, many[:3])
    assert keys.items(keys.root(1), 0).shape == (0,)


def test_every_address_is_another_key():
    streams = [keys.stream(keys.root(seed), f"{seed:08x}" * 2) for seed in range(3)]
    chunks = [keys.chunk(stream, number) for stream in streams for number in range(3)]
    lanes = [keys.lane(chunk, number) for chunk in chunks for number in range(3)]
    items = [item for lane in lanes for item in keys.items(lane, 3)]
    addresses = streams + chunks + lanes + items
    assert len({keys.describe(key) for key in addresses}) == len(addresses)


def test_the_generator_can_be_chosen():
    assert keys.describe(keys.root(3, impl="threefry2x32")) == keys.describe(keys.root(3))
    with pytest.raises(ValueError, match="impl='rbg' repeats draws"):
        keys.root(3, impl="rbg")


@pytest.mark.parametrize("seed", [-1, 2**32, True])
def test_seeds_outside_32_bits_are_refused(seed):
    with pytest.raises(ValueError, match=f"seed={seed} must be"):
        keys.root(seed)


@pytest.mark.parametrize(
    ("key", "match"),
    [
        (np.zeros(2, np.uint32), "not uint32"),
        (jax.random.PRNGKey(0), "not uint32"),
        (7, "not int"),
        (jax.random.split(jax.random.key(0), 2), r"key.shape=\(2,\)"),
        (jax.random.key(0, impl="unsafe_rbg"), "impl='unsafe_rbg' repeats draws"),
    ],
)
def test_unsuitable_keys_are_refused(key, match):
    with pytest.raises(ValueError, match=match):
        keys.check_key(key)


@pytest.mark.parametrize("identity", ["", "0123", "0123456G", "ABCDEF01"])
def test_identities_that_are_not_words_are_refused(identity):
    with pytest.raises(ValueError, match="identity="):
        keys.stream(keys.root(0), identity)


def test_a_negative_number_of_items_is_refused():
    with pytest.raises(ValueError, match="num_items=-1"):
        keys.items(keys.root(0), -1)
