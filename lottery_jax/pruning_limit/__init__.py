"""How far a trained network can be pruned: predicted from the curvature of its loss, and measured.

`predict` gives the limit with error bars; `one_shot_limit`, `reoptimised_limit` and
`accuracy_limit` measure it; `sweep` prunes to any sparsity. Sparsity is the fraction of the
prunable weights removed.
"""

from lottery_jax.pruning_limit.measure import (
    MeasuredLimit,
    Sweep,
    accuracy_limit,
    one_shot_limit,
    reoptimised_limit,
    sweep,
)
from lottery_jax.pruning_limit.predicting import predict
from lottery_jax.pruning_limit.prediction import FORMS, FormCurve, FormLimit, PruningLimit
from lottery_jax.spectrum.products import SplitLoss

__all__ = [
    "FORMS",
    "FormCurve",
    "FormLimit",
    "MeasuredLimit",
    "PruningLimit",
    "SplitLoss",
    "Sweep",
    "accuracy_limit",
    "one_shot_limit",
    "predict",
    "reoptimised_limit",
    "sweep",
]
