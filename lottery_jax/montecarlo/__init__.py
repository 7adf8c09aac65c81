"""Monte Carlo runs: experiments, their success probabilities and their threshold widths."""

from lottery_jax.montecarlo.bisection import first_width_by_bisection
from lottery_jax.montecarlo.collect import estimate
from lottery_jax.montecarlo.counts import Counts, collect_counts, collect_each, limits_jackknife
from lottery_jax.montecarlo.descents import RareEvent
from lottery_jax.montecarlo.estimates import Estimates
from lottery_jax.montecarlo.experiment import Experiment, FirstWidth, Trial, identity
from lottery_jax.montecarlo.splitting import Rare, choose_levels, split
from lottery_jax.montecarlo.store import Store, StoreError, merge_stores
from lottery_jax.montecarlo.threshold import Threshold, threshold

__all__ = [
    "Counts",
    "Estimates",
    "Experiment",
    "FirstWidth",
    "Rare",
    "RareEvent",
    "Store",
    "StoreError",
    "Threshold",
    "Trial",
    "choose_levels",
    "collect_counts",
    "collect_each",
    "estimate",
    "first_width_by_bisection",
    "identity",
    "limits_jackknife",
    "merge_stores",
    "split",
    "threshold",
]
