"""The law of products against loops over all pairs, and the multiplication table."""

from collections import Counter
from itertools import product

import jax
import numpy as np
import pytest

from lottery_jax.core import keys, root
from lottery_jax.quantized import products, width_bounds
from lottery_jax.quantized.weight_widths import draw
from tests.oracles.rates import assert_rate

A027424 = {1: 1, 2: 3, 4: 9, 8: 30, 16: 97, 32: 354}  # distinct entries of the n x n table


@pytest.mark.parametrize("bits", [0, 1, 2, 3, 4])
def test_the_law_is_that_of_all_pairs(bits):
    grid = range(-(2**bits), 2**bits + 1)
    ways = Counter(b * max(a, 0) for a, b in product(grid, grid))
    law = products.product_law(bits)
    assert law.pairs == len(grid) ** 2
    assert {v: w for v, w in zip(law.values.tolist(), law.ways.tolist(), strict=True) if w} == ways
    least = min(ways.values())
    assert products.acceptance(bits) == pytest.approx(len(ways) * least / law.pairs, abs=1e-15)
    live = sum(a > 0 and b != 0 for a, b in product(grid, grid)) / len(grid) ** 2
    assert width_bounds.live_share(bits) == pytest.approx(live, abs=1e-15)


@pytest.mark.parametrize(("size", "distinct"), A027424.items())
def test_products_are_the_multiplication_table(size, distinct):
    bits = size.bit_length() - 1
    found = products.is_product(bits)
    assert found.shape == (size**2 + 1,)
    assert np.sum(found[1:]) == distinct
    assert products.share(bits) == pytest.approx((distinct + 1) / (size**2 + 1), abs=1e-15)


def test_ten_of_the_17_points_are_products_at_a_quarter():
    missing = np.flatnonzero(~products.is_product(2)).tolist()
    assert missing == [5, 7, 10, 11, 13, 14, 15]


def test_a_draw_follows_the_law():
    law = products.product_law(2)
    keys_ = keys.items(root(1), 2_000)
    drawn = np.asarray(
        jax.vmap(lambda key: draw(key, bits=2, law="product", num_units=20))(keys_)
    ).ravel()
    live = np.asarray(jax.vmap(lambda key: draw(key, bits=2, law="live", num_units=20))(keys_))
    for value, ways in zip(law.values.tolist(), law.ways.tolist(), strict=True):
        hits = int(np.sum(drawn == value))
        assert_rate(hits, drawn.size, ways / law.pairs)
        if value:  # a > 0 and b != 0 are 4 * 8 of the pairs
            assert_rate(int(np.sum(live == value)), live.size, ways / 32)
    assert not np.any(live == 0)
    with pytest.raises(AssertionError):
        assert_rate(int(np.sum(drawn == 0)), drawn.size, 0.55)


def test_the_control_is_uniform_where_a_is_positive():
    keys_ = keys.items(root(2), 2_000)
    drawn = np.asarray(
        jax.vmap(lambda key: draw(key, bits=1, law="uniform", num_units=20))(keys_)
    ).ravel()
    for value in range(-4, 5):
        chance = 0.4 / 9 + (0.6 if value == 0 else 0)
        assert_rate(int(np.sum(drawn == value)), drawn.size, chance)


def test_the_subset_bounds_are_those_of_plain_sums():
    for bits, units in ((1, 12), (3, 20)):
        grid = range(-(2**bits), 2**bits + 1)
        live = sum(a > 0 and b != 0 for a, b in product(grid, grid)) / len(grid) ** 2
        law = np.array([1.0])
        for _ in range(units):
            law = np.convolve(law, [1 - live, live])
        sums = 2.0 ** np.arange(units + 1)
        chance = {
            "all": law[sums >= len(grid)].sum(),
            "one": (law * np.minimum(1, sums / len(grid))).sum(),
        }
        for event, most in chance.items():
            at = width_bounds.by_subsets(bits, event=event, probability=most - 1e-9)
            beyond = width_bounds.by_subsets(bits, event=event, probability=most + 1e-9)
            assert (at, beyond) == (units, units + 1)


def test_what_is_too_large_is_refused():
    with pytest.raises(ValueError, match="use at most 12"):
        products.product_law(13)
    with pytest.raises(ValueError, match="'all' or 'one'"):
        width_bounds.by_subsets(3, event="layer", probability=0.5)
    with pytest.raises(ValueError, match="strictly between"):
        width_bounds.by_subsets(3, event="all", probability=1.0)
