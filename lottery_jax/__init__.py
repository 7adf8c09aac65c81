"""Whether pruning alone can work, and how far it can go: exact Monte Carlo and theory in JAX.

Experiments are built by topic (`neuron_pruning`, `weight_pruning`), counted by `estimate`, and
turned into widths by `threshold`; `subset_sum` and `geometry` are the exact engines beneath.
`pruning_limit.predict` says how far a trained network can be pruned, from the curvature of its
loss, by the engine `spectrum`. `quantized` asks when pruning represents a network exactly,
and `sparse_features` which inputs pruning before training should keep.

Examples
--------
>>> import lottery_jax as lj
>>> experiment = lj.neuron_pruning.experiment(dim=2, width=16, radius=1.0)
>>> result = lj.estimate(
...     experiment, key=lj.key(0), trials=100, epsilons=[0.2, 0.4], progress=False
... )
>>> result.trials
1024
"""

from lottery_jax import (
    geometry,
    neuron_pruning,
    pruning_limit,
    quantized,
    sparse_features,
    spectrum,
    subset_sum,
    weight_pruning,
)
from lottery_jax.core.compat import use_all_cores
from lottery_jax.core.keys import root as key
from lottery_jax.montecarlo.collect import estimate
from lottery_jax.montecarlo.estimates import Estimates
from lottery_jax.montecarlo.experiment import Experiment, FirstWidth, Trial
from lottery_jax.montecarlo.store import Store, StoreError, merge_stores
from lottery_jax.montecarlo.threshold import Threshold, threshold

__version__ = "0.1.0"

__all__ = [
    "Estimates",
    "Experiment",
    "FirstWidth",
    "Store",
    "StoreError",
    "Threshold",
    "Trial",
    "estimate",
    "geometry",
    "key",
    "merge_stores",
    "neuron_pruning",
    "pruning_limit",
    "quantized",
    "sparse_features",
    "spectrum",
    "subset_sum",
    "threshold",
    "use_all_cores",
    "weight_pruning",
]
