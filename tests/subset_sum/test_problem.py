"""What may be asked: shapes, and values that no answer would make sense for."""

import numpy as np
import pytest

from lottery_jax.subset_sum import numbers, vectors


def test_shapes_of_numbers():
    assert numbers([1.0, 2.0], 0.5).is_single
    batch = numbers(np.ones((3, 2)), np.zeros(3))
    assert (batch.batch, batch.num_items, batch.is_shared) == (3, 2, False)
    pool = numbers(np.ones(2), np.zeros(3))
    assert (pool.batch, pool.num_items, pool.is_shared) == (3, 2, True)
    empty = numbers([], 0.5)
    assert (empty.num_items, empty.dim) == (0, None)


def test_shapes_of_vectors():
    assert vectors(np.ones((4, 2)), np.zeros(2)).is_single
    # As many items as coordinates, and as many instances: nothing is guessed from lengths.
    assert vectors(np.ones((2, 2)), np.zeros((2, 2))).is_shared
    assert vectors(np.ones((3, 4, 2)), np.zeros((3, 2))).dim == 2
    assert numbers(np.ones((2, 2)), np.zeros(2)).batch == 2


def test_items_that_do_not_take_part_are_zeros():
    problem = numbers([1.0, 2.0, 4.0], 0.5, taken=[True, False, True])
    np.testing.assert_array_equal(problem.items, [[1.0, 0.0, 4.0]])


@pytest.mark.parametrize(
    ("build", "items", "targets", "message"),
    [
        (numbers, [1.0, 2.0], [[1.0]], r"items.shape=\(2,\) and targets.shape=\(1, 1\) do not fit"),
        (numbers, np.ones((3, 2)), np.zeros(2), "do not fit.*for vectors use `vectors`"),
        (numbers, np.ones((3, 2)), 0.0, "do not fit"),
        (numbers, [1.0, np.nan, np.inf], 1.0, r"items \[1, 2\], by item, are not finite"),
        (numbers, np.full((2, 1), [[1.0], [np.inf]]), np.zeros(2), r"\[\(1, 0\)\], by \(instance"),
        (numbers, [1.0], np.nan, r"targets \[0\], by instance, are not finite"),
        (numbers, [1.7e308, 1.7e308], 0.0, "sum of all magnitudes of instance 0"),
        (vectors, [1.0, 2.0], [1.0], "do not fit.*for plain numbers use `numbers`"),
        (vectors, np.ones((3, 2)), np.zeros(3), "do not fit"),
        (vectors, np.ones((3, 0)), np.zeros(0), "at least one coordinate"),
        (vectors, [[1e39]], [0.0], r"items \[0\].*not finite in float32"),
        (vectors, [[3e38], [3e38]], [0.0], "sum of all magnitudes.*rescale"),
    ],
)
def test_refusals(build, items, targets, message):
    with pytest.raises(ValueError, match=message):
        build(items, targets)


def test_the_shape_of_taken_is_checked():
    with pytest.raises(ValueError, match=r"taken.shape=\(2,\) must be items.shape=\(3,\)"):
        numbers(np.ones(3), 0.0, taken=[True, False])
