"""The table of ways to prune: name -> method. All take a task and give networks of one form.

What a method may look at, and what it costs, differs: masks for untrained networks cost one
training run, iterative pruning one for every round. `Pruned.epochs` says how many epochs of
training are behind one network.
"""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from lottery_jax.pruning_limit import after_training, at_start, edge_popup, gradual, iterative
from lottery_jax.pruning_limit.lanes import Pruned, Task

REWIND = 2  # epochs


class Method(NamedTuple):
    """One way to prune."""

    prune: Callable[[Task], Pruned]
    told: str  # what it does, for tables and legends
    is_at_start: bool = False  # the weights are chosen before they are trained, if ever


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "random_equal": Method(at_start.random_equal, "random (equal ratios)", True),
        "random_smart": Method(at_start.random_smart, "random (smart ratios)", True),
        "magnitude_start": Method(at_start.magnitude, "magnitude at start", True),
        "snip": Method(at_start.snip, "SNIP", True),
        "grasp": Method(at_start.grasp, "GraSP", True),
        "synflow": Method(at_start.synflow, "SynFlow", True),
        "edge_popup": Method(edge_popup.edge_popup, "edge-popup", True),
        "one_shot_global": Method(after_training.one_shot_global, "one-shot (global)"),
        "one_shot_layerwise": Method(after_training.one_shot_layerwise, "one-shot (layer-wise)"),
        "fine_tuned": Method(after_training.fine_tuned_global, "one-shot + fine-tuning"),
        "gradual": Method(gradual.gradual, "gradual l1 + fine-tuning"),
        "iterative": Method(
            functools.partial(iterative.iterative, rewind=REWIND), "iterative + rewinding"
        ),
    }
)


def check_methods(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, if all of them are in the table.

    Raises
    ------
    ValueError
        Otherwise.

    Examples
    --------
    >>> check_methods(("snip", "magic"))
    Traceback (most recent call last):
    ValueError: method 'magic' is not known; choose among random_equal, random_smart,
    magnitude_start, snip, grasp, synflow, edge_popup, one_shot_global, one_shot_layerwise,
    fine_tuned, gradual, iterative
    """
    for name in names:
        if name not in METHODS:
            raise ValueError(f"method {name!r} is not known; choose among {', '.join(METHODS)}")
    return names


def prune(name: str, task: Task) -> Pruned:
    """The task's networks pruned by the method of that name, for every sparsity and seed.

    Exactly floor(sparsity * D) weights are removed by every method.

    Raises
    ------
    ValueError
        For an unknown name, before anything is compiled; FloatingPointError if training diverges.

    Examples
    --------
    >>> [name for name, method in METHODS.items() if not method.is_at_start]
    ['one_shot_global', 'one_shot_layerwise', 'fine_tuned', 'gradual', 'iterative']

    ``prune("snip", lanes.task(key, model, recipe, dataset, sparsities=(0.5, 0.9), num_seeds=5))``
    """
    check_methods((name,))
    return METHODS[name].prune(task)
