"""Sets of sums as bits against Python's own integers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.subset_sum import bit_sets, windows
from tests.oracles.integer_sums import bits_of, number_of_subsets, sums_as_bits

EXTREMES = [2**31 - 1, -(2**31), 0, 1, -1, 31, 32, 33, -31, -32, -33, 64]


@pytest.mark.parametrize("size", [1, 37])
def test_include_shifts_up_and_down(size):
    rng = np.random.default_rng(size)
    words = rng.integers(0, 2**32, (100, size), dtype=np.uint32)
    items = rng.integers(-33 * size, 33 * size + 1, 100).astype(np.int32)
    items[: len(EXTREMES)] = EXTREMES
    found = jax.jit(jax.vmap(bit_sets.include))(words, items)
    for before, item, after in zip(words, items.tolist(), found, strict=True):
        shift = min(abs(item), 64 * size)
        moved = bits_of(before) << shift if item > 0 else bits_of(before) >> shift
        truth = (bits_of(before) | moved) & (2 ** (32 * size) - 1)
        assert bits_of(after) == truth, item


def test_contains_nothing_outside():
    words = bit_sets.origin_only(64, 40) | bit_sets.origin_only(64, 0)
    positions = [0, 1, 40, 63, 64, 72, -1, -24, 2**31 - 1, -(2**31)]
    found = bit_sets.contains(words, jnp.array(positions, jnp.int32))
    assert found.tolist() == [True, False, True] + 7 * [False]


def test_origin_outside_is_refused():
    with pytest.raises(ValueError, match="origin=64 must be"):
        bit_sets.origin_only(64, 64)


def families(num_items: int, largest: int) -> dict[str, np.ndarray]:
    """Rows that are hard in different ways."""
    rng = np.random.default_rng(num_items)
    place = np.arange(num_items)
    draw = functools.partial(rng.integers, 1, largest + 1)
    even = 2 * rng.integers(1, largest // 2, num_items)
    rows = {
        "random": draw(num_items),
        "small": rng.integers(0, 4, num_items),
        "even": even,
        "one odd": np.where(place == num_items // 2, 1, even),
        "powers of two": 2 ** (place % largest.bit_length()),
        "equal": np.full(num_items, largest),
        "one huge": np.where(place == 3, largest, rng.integers(1, 5, num_items)),
        "all but few huge": np.where(place < 5, place, largest - place % 3),
        "zeros": np.where(place % 2 == 0, 0, draw(num_items)),
        "multiples of three and a one": np.where(place == 0, 1, 3 * (draw(num_items) // 3)),
    }
    return {name: np.minimum(row, largest) for name, row in rows.items()}


@pytest.mark.parametrize(("num_items", "largest", "num_sums"), [(1, 40, 41), (50, 200, 10_001)])
def test_reachable_sums(num_items, largest, num_sums):
    rows = families(num_items, largest)
    items = np.stack(list(rows.values())).astype(np.int32)
    find = jax.jit(jax.vmap(lambda row: bit_sets.reachable(row, num_sums=num_sums)))
    for name, row, words in zip(rows, items, find(items), strict=True):
        assert bits_of(words) == sums_as_bits(row), name


def test_reachable_sums_are_cut_off_at_the_end():
    items = jnp.array([3, 50, 1000, 2**29], jnp.int32)
    words = bit_sets.reachable(items, num_sums=64)
    assert bits_of(words) == sums_as_bits([3, 50])


def test_meeting_finds_the_least_split():
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 60, (2, 40, 5)).astype(np.int32)
    target = rng.integers(0, first.sum(axis=1) + second.sum(axis=1) + 1).astype(np.int32)

    def solve(first, second, target):
        sets = [
            bit_sets.reachable(items, num_sums=size)
            for items, size in ((first, 300), (second, 330))
        ]
        return bit_sets.meeting(*sets, jnp.sum(second, dtype=jnp.int32), target)

    found = jax.jit(jax.vmap(solve))(first, second, target)
    truth = []
    for row, other, goal in zip(first, second, target, strict=True):
        others = number_of_subsets(other)
        truth.append(
            min((s for s in number_of_subsets(row) if int(goal) - s in others), default=-1)
        )
    assert found.tolist() == truth
    assert -1 in truth
    assert max(truth) > 32


def check_windows(items: np.ndarray, largest: int) -> np.ndarray:
    """Every sum of rows with a certificate, read from the window and its mirror image, against the
    whole set; which rows have one.
    """
    window = windows.window_for(largest)
    found = jax.jit(jax.vmap(lambda row: windows.window_sums(row, window=window)))(items)
    targets = jnp.arange(-3, int(items.sum(axis=1).max()) + 3, dtype=jnp.int32)
    exists = np.asarray(jax.vmap(windows.contains, in_axes=(0, None))(found, targets))
    for row, is_certain, answers in zip(items, found.is_certain, exists, strict=True):
        bits = sums_as_bits(row) << 3
        truth = np.array([bits >> place & 1 for place in range(len(targets))], bool)
        assert not is_certain or np.array_equal(answers, truth), row
    return np.asarray(found.is_certain)


@pytest.mark.parametrize(("num_items", "largest"), [(12, 64), (200, 250)])
def test_a_certificate_is_never_wrong(num_items, largest):
    rows = families(num_items, largest)
    certain = check_windows(np.stack(list(rows.values())).astype(np.int32), largest)
    certain = dict(zip(rows, certain.tolist(), strict=True))
    assert not certain["even"]
    assert not certain["equal"]
    assert certain["random"] == (num_items > 12)


def test_certificates_that_are_nearly_wrong():
    """Few items have holes where a run should be, and fill some with later items."""
    rows = np.random.default_rng(5).integers(15, 45, (400, 10))
    rows[0] = [19, 20, 21, 23, 25, 26, 31, 32, 32, 36]  # the last two items fill a hole
    rows[1] = [0, 23, 23, 25, 27, 28, 31, 35, 38, 40]  # full from 96 to 127, and not from 64 on
    certain = check_windows(rows.astype(np.int32), 64)
    assert certain[0]
    assert 0.1 < certain.mean() < 0.9


def test_a_window_finds_certificates():
    """The certificate must come, not only be right: sums of 128 random items are dense."""
    items = np.random.default_rng(0).integers(1, 2**10, (50, 128)).astype(np.int32)
    found = jax.vmap(lambda row: windows.window_sums(row, window=2**11))(items)
    assert np.all(found.is_certain)
