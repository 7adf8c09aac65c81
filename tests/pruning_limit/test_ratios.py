"""Numbers removed from each layer, by arithmetic, and masks that follow them."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery_jax.pruning_limit import ratios

FC5 = [3072 * 1000, 1000 * 600, 600 * 300, 300 * 100, 100 * 10]
SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=6)


@settings(deadline=None, max_examples=200)
@given(SIZES, st.floats(0, 1))
def test_equal_counts_take_the_same_part_of_every_layer(sizes, sparsity):
    removed = int(sparsity * sum(sizes))
    found = ratios.equal_counts(sizes, removed)
    assert found.sum() == removed
    for size, count in zip(sizes, found, strict=True):
        assert abs(int(count) - Fraction(size * removed, sum(sizes))) < 1


def test_equal_counts_are_exact_for_large_layers():
    total = sum(FC5)
    assert ratios.equal_counts(FC5, total).tolist() == FC5
    assert ratios.equal_counts(FC5, total // 2).tolist() == [size // 2 for size in FC5]


@settings(deadline=None, max_examples=200)
@given(SIZES, st.floats(0, 1))
def test_smart_counts_add_up_and_fit(sizes, sparsity):
    removed = int(sparsity * sum(sizes))
    found = ratios.smart_counts(sizes, removed)
    assert found.sum() == removed
    assert all(0 <= count <= size for count, size in zip(found, sizes, strict=True))


def test_smart_ratios_are_those_of_the_formula():
    """Ratios 30 : 20 : 12 : 6 for L = 5, and .3 of the last layer, where nothing is at an end."""
    kept = sum(FC5) // 50
    found = np.array(FC5) - ratios.smart_counts(FC5, sum(FC5) - kept)
    share = (kept - 0.3 * FC5[-1]) / sum(
        size * part for size, part in zip(FC5, (30, 20, 12, 6), strict=False)
    )
    expected = [size * part * share for size, part in zip(FC5, (30, 20, 12, 6), strict=False)]
    assert np.all(np.abs(found - [*expected, 0.3 * FC5[-1]]) < 1)


def test_smart_ratios_at_the_ends():
    # Ratios 12 : 6 : last. Half of 300 kept: 30 in the last layer, and 12 s + 6 s = 120 / 100 with
    # s = 1 / 15: 80 and 40.
    assert ratios.smart_counts([100, 100, 100], 150).tolist() == [20, 60, 70]
    # The first layer would keep 1.13 of its weights: it keeps 1, the second what is left of 200.
    assert ratios.smart_counts([100, 100, 100], 100).tolist() == [0, 30, 70]
    # Both are whole, and the last layer keeps more than 0.3.
    assert ratios.smart_counts([100, 100, 100], 50).tolist() == [0, 0, 50]
    # Nine kept: 30 in the last layer would be more than a third of them.
    assert ratios.smart_counts([100, 100, 100], 291).tolist() == [96, 98, 97]
    assert ratios.smart_counts([100, 100, 100], 300).tolist() == [100, 100, 100]
    assert ratios.smart_counts([100, 100, 100], 0).tolist() == [0, 0, 0]


def test_masks_lose_exactly_these_numbers():
    generator = np.random.default_rng(0)
    bounds, counts = ((0, 40), (40, 60), (60, 67)), np.array([13, 20, 0])
    scores = jnp.asarray(generator.uniform(size=67), jnp.float32)
    kept = np.asarray(ratios.keep_counts(scores, bounds, counts))
    for (start, stop), count in zip(bounds, counts, strict=True):
        part, is_kept = np.asarray(scores[start:stop]), kept[start:stop]
        assert np.sum(~is_kept) == count
        if 0 < count < stop - start:
            assert part[~is_kept].max() < part[is_kept].min()


def test_layers_are_ordered_by_the_numbers_in_their_names():
    # As pytrees sort them.
    names = tuple(f"Dense_{number}/kernel" for number in (0, 1, 10, 11, 2, 3))
    assert [names[place] for place in ratios.depth_order(names)] == [
        f"Dense_{number}/kernel" for number in (0, 1, 2, 3, 10, 11)
    ]
    assert ratios.depth_order(("2", "10", "1")) == [2, 0, 1]


@pytest.mark.parametrize("function", [ratios.equal_counts, ratios.smart_counts])
@pytest.mark.parametrize(
    ("sizes", "removed", "reason"),
    [
        ([], 0, "sizes="),
        ([3, 0], 1, "at least 1"),
        ([3], 4, "0 and 3"),
        ([3], -1, "num_removed=-1"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(function, sizes, removed, reason):
    with pytest.raises(ValueError, match=reason):
        function(sizes, removed)
