"""Boxes that cover the cube: exact answers, against brute force over the blocks they cut."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.random_subset_sum import covers_cube
from tests.oracles.random_subset_sum import box_cover


@functools.partial(jax.jit, static_argnums=())
def cover_many(points, counts, radii):
    return jax.lax.map(lambda each: covers_cube(*each), (points, counts, radii))


def least_radius(points):
    """The least radius at which boxes around the points cover the square, by bisection."""
    low, high = 0.0, 2.5
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if box_cover(points, middle) else (middle, high)
    return high


@pytest.mark.parametrize("dim", [2, 3])
def test_boxes_a_little_above_and_below_the_least_radius(dim):
    rng = np.random.default_rng(dim)
    points = np.float32(rng.uniform(-1.3, 1.3, (12, 40 if dim == 2 else 24, dim)))
    counts = rng.integers(points.shape[1] // 2, points.shape[1] + 1, 12).astype(np.int32)
    least = [least_radius(p[:n]) for p, n in zip(points, counts, strict=True)]
    for factor, is_covered in ((1 + 1e-4, True), (1 - 1e-4, False), (1.5, True), (0.5, False)):
        radii = np.float32(factor * np.array(least))
        cover = cover_many(points, counts, radii)
        assert (np.asarray(cover.is_covered) == is_covered).all()
        assert (np.asarray(cover.is_missed) != is_covered).all()
    # Here rounding leaves both open.
    cover = cover_many(points, counts, np.float32(least))
    assert not np.any(cover.is_covered | cover.is_missed)


def test_a_line_is_covered_as_sorted_points_say():
    rng = np.random.default_rng(5)
    points = np.float32(rng.uniform(-1.2, 1.2, (30, 200, 1)))
    line = np.sort(np.float64(points[..., 0]), axis=1)
    middles = np.clip((line[:, 1:] + line[:, :-1]) / 2, -1, 1)
    targets = np.concatenate([middles, np.full((30, 1), -1.0), np.full((30, 1), 1.0)], axis=1)
    least = np.abs(targets[:, :, None] - line[:, None]).min(axis=2).max(axis=1)
    counts = np.full(30, 200, np.int32)
    for factor, is_covered in ((1 + 1e-4, True), (1 - 1e-4, False)):
        cover = cover_many(points, counts, np.float32(factor * least))
        assert (np.asarray(cover.is_covered) == is_covered).all()
        assert (np.asarray(cover.is_missed) != is_covered).all()


def test_a_grid_of_points_in_four_dimensions_covers_from_half_its_step_on():
    axis = np.linspace(-1, 1, 9, dtype=np.float32)[1::2]
    points = np.stack(np.meshgrid(*[axis] * 4), axis=-1).reshape(-1, 4)
    whole, one_less = np.int32(256), np.int32(255)
    for count, radius, is_covered in ((whole, 0.2501, True), (whole, 0.2499, False)):
        assert bool(covers_cube(points, count, np.float32(radius)).is_covered) is is_covered
    cover = covers_cube(points, one_less, np.float32(0.26))
    assert not cover.is_covered
    assert cover.is_missed


def test_what_is_too_large_is_left_open():
    cover = covers_cube(jnp.zeros((4, 3)), jnp.int32(4), jnp.float32(1e-3))
    assert not cover.is_covered
    assert not cover.is_missed


def test_many_points_in_one_cell_never_make_a_wrong_answer():
    # The crowd fills the list of boxes that meet a corner cell, before the two that cover it.
    rng = np.random.default_rng(0)
    crowd = np.float32(rng.uniform(-0.01, 0.01, (3000, 2)))
    corners = np.float32([(1.3, 0.3), (0.05, 0.3)])
    signs = np.float32([(1, 1), (1, -1), (-1, 1), (-1, -1)])
    others = (corners[:, None] * signs).reshape(-1, 2)
    radius = np.float32(0.9)
    assert box_cover(np.concatenate([crowd[:50], others]), float(radius))
    for first, last, is_covered in ((others, crowd, True), (crowd, others, False)):
        points = np.concatenate([first, last])
        cover = covers_cube(points, np.int32(len(points)), radius)
        assert bool(cover.is_covered) is is_covered
        assert not cover.is_missed
