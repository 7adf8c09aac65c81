"""Iterative magnitude pruning with rewinding: train, remove the smallest, go back, train again.

Frankle and Carbin (2019), and with a late rewinding point Frankle et al. (2020): after each
training run the smallest weights of the whole network are removed, and those that are left go back
to what they were after a few epochs of the first run, or at the very start. A round removes at most
a fifth of what is left; rounds between two asked sparsities are of equal ratios, so that each asked
sparsity is hit exactly, and one path through all of them serves them all.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from lottery_jax.pruning_limit import lanes
from lottery_jax.pruning_limit.lanes import Pruned, Task
from lottery_jax.pruning_limit.magnitude import keep_global

A_ROUND = 0.2  # largest part of the weights left that a round removes


def iterative(task: Task, *, rewind: int = 0) -> Pruned:
    """Networks found by iterative magnitude pruning, trained.

    Parameters
    ----------
    rewind
        Epochs after which the first run has the state to which weights, momentum and epochs go
        back; 0 is the untrained network.

    Raises
    ------
    ValueError
        Unless 0 <= rewind < epochs of the recipe.

    Notes
    -----
    Cost: the rounds up to a sparsity times the epochs of a run; 4 runs to a half, 23 to 0.99.
    """
    if not 0 <= rewind < max(task.recipe.epochs, 1):
        raise ValueError(f"{rewind=} must lie between 0 and {task.recipe.epochs - 1} epochs")
    rest = task.recipe.epochs - rewind
    kept = jnp.ones((len(task.keys), task.leaves.size), bool)
    back = lanes.starts(task)
    if rewind:
        back = lanes.train(task, back, kept, num_epochs=rewind)
    trained, found, runs = lanes.train(task, back, kept, num_epochs=rest), [], 1
    for numbers in rounds(task.num_removed.tolist(), task.leaves.size):
        for number in numbers:
            kept = _keep_smaller(jax.vmap(task.leaves.vector)(trained.params), kept, number)
            trained, runs = lanes.train(task, back, kept, num_epochs=rest), runs + 1
        found.append((trained.params, trained.state, kept, float(rewind + runs * rest)))
    params, state, kept = jax.tree.map(lambda *each: jnp.stack(each), *(f[:3] for f in found))
    return Pruned(params, state, kept, np.array([epochs for *_, epochs in found]))


def rounds(num_removed: Sequence[int], size: int) -> list[list[int]]:
    """Numbers removed after each round, for each asked number the rounds that lead there.

    Examples
    --------
    >>> rounds([200, 360, 500], 1000)
    [[200], [360], [434, 500]]
    >>> rounds([0, 10], 1000)
    [[], [10]]
    """
    found, left = [], size
    for asked in num_removed:
        goal = size - asked
        # .8 * .8 in float64 is a little above .64: a whole number of rounds stays whole.
        steps = math.ceil(math.log(goal / left) / math.log(1 - A_ROUND) - 1e-9)
        numbers = [round(left * (goal / left) ** (step / steps)) for step in range(1, steps + 1)]
        # Among a few weights two rounds may have the same number.
        found.append([size - number for number in dict.fromkeys(numbers) if number < left])
        left = goal
    return found


@jax.jit
def _keep_smaller(weights, kept, number):
    """The largest weights of those kept so far, for every seed."""
    # What was removed is zero, and so may be a weight that was kept: it ranks above.
    magnitudes = jnp.where(kept, jnp.abs(weights), np.float32(-1))
    return jax.vmap(keep_global, (0, None))(magnitudes, number)
