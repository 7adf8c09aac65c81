"""Local search gives an upper limit on the least error; it is not the least error."""

import jax
import jax.numpy as jnp
import numpy as np

from lottery_jax.subset_sum.local_search import local_minimum
from tests.oracles import all_subsets as oracle

search = jax.jit(local_minimum, static_argnames="starts")


def instances(count: int):
    rng = np.random.default_rng(0)
    items = rng.normal(size=(count, 12, 4)).astype(np.float32)
    return items, rng.normal(size=(count, 4)).astype(np.float32)


def test_no_change_of_one_or_two_items_is_better_and_the_error_is_that_of_the_mask():
    for items, target in zip(*instances(20), strict=True):
        near = search(items, target, jnp.int32(12), starts=1)
        every = oracle.errors(items, target)
        number = int(np.asarray(near.mask) @ (1 << np.arange(12)))
        # 2**-22 is the accuracy of a sum.
        assert abs(every[number] - float(near.error)) <= 2.0**-22 * every[number]
        changes = [1 << i | 1 << j for i in range(12) for j in range(i + 1)]
        assert all(every[number ^ change] >= every[number] * (1 - 1e-6) for change in changes)


def test_the_optimum_may_be_missed_and_more_starts_never_hurt():
    missed = 0
    for items, target in zip(*instances(20), strict=True):
        least = oracle.errors(items, target).min()
        error = float(search(items, target, jnp.int32(12), starts=1).error)
        assert error >= least * (1 - 2.0**-22)
        missed += error > 1.01 * least
    assert missed > 0


def test_items_that_take_no_part_are_never_kept():
    for items, target in zip(*instances(10), strict=True):
        for few in (0, 1, 5):
            near = search(items, target, jnp.int32(few), starts=4)
            assert not np.any(near.mask[few:])
            least = oracle.errors(items[:few], target).min()
            assert float(near.error) >= least * (1 - 2.0**-22)
