"""Pruning before training, to learn sparse features from few samples in high dimension.

A target is a `links` function of a few `directions` of its inputs; `data` draws rows of it, or
reads those that are held. `prune_network` ranks inputs by the gradients of an untrained network,
`baselines` by other means; `learn` fits networks on the inputs that are kept, `trained` all of
their weights. `population` has the gradients in closed form, on `hermite`; `recovery` and
`baseline_recovery` count how often the inputs that matter are found.
"""

from lottery_jax.sparse_features import (
    baseline_recovery,
    baselines,
    data,
    directions,
    hermite,
    learn,
    links,
    population,
    recovery,
    trained,
)
from lottery_jax.sparse_features.prune import Pruned, prune_network
from lottery_jax.sparse_features.scores import Scores, scores_at

__all__ = [
    "Pruned",
    "Scores",
    "baseline_recovery",
    "baselines",
    "data",
    "directions",
    "hermite",
    "learn",
    "links",
    "population",
    "prune_network",
    "recovery",
    "scores_at",
    "trained",
]
