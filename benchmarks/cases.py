"""The cases by name. Each takes a scale ("quick", "full" or "long") and yields rows."""

from benchmarks.bounds import bounds
from benchmarks.bounds_integers import integer_bounds
from benchmarks.cases_features import features_scores
from benchmarks.cases_integers import integer_count, integer_exists, integer_partition
from benchmarks.cases_proof import chain, families, kinks, process
from benchmarks.cases_rare import kept_score, splitting_level
from benchmarks.cases_scalar import integer_sums, largest_gap, scalar_sums, shared_pool
from benchmarks.cases_spectrum import spectrum_cnn, spectrum_mlp
from benchmarks.cases_spectrum_large import spectrum_resnet
from benchmarks.cases_trials import corners, exponents, neuron_trial, weight_trial
from benchmarks.cases_vectors import few_items, relu_features, vector_sums

CASES = {
    "scalar_sums": scalar_sums,
    "integer_sums": integer_sums,
    "integer_exists": integer_exists,
    "integer_partition": integer_partition,
    "integer_count": integer_count,
    "vector_sums": vector_sums,
    "relu_features": relu_features,
    "few_items": few_items,
    "largest_gap": largest_gap,
    "shared_pool": shared_pool,
    "neuron_trial": neuron_trial,
    "weight_trial": weight_trial,
    "process": process,
    "families": families,
    "kinks": kinks,
    "chain": chain,
    "corners": corners,
    "exponents": exponents,
    "kept_score": kept_score,
    "splitting_level": splitting_level,
    "features_scores": features_scores,
    "spectrum_mlp": spectrum_mlp,
    "spectrum_cnn": spectrum_cnn,
    "spectrum_resnet": spectrum_resnet,
    "bounds": bounds,
    "integer_bounds": integer_bounds,
}
