"""Draws of neuron pruning; the search is tested in test_unit_search and test_reductions."""

import jax.numpy as jnp

from lottery_jax.core import keys
from lottery_jax.neuron_pruning import reduction


def test_draws_are_nested_in_the_number_of_neurons():
    few, many = (reduction.draw(keys.root(3), dim=3, num_neurons=n) for n in (5, 17))
    assert jnp.array_equal(few.hidden, many.hidden[:5])
    assert jnp.array_equal(few.output, many.output[:5])
