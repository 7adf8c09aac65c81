"""Bisection gives the widths that trying every one would give, and asks little."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.montecarlo import first_width_by_bisection


@pytest.mark.parametrize("least", [0, 2])
def test_bisection_agrees_with_trying_every_width(least):
    width = 9
    answers = [(c, p) for c in range(least, width + 2) for p in range(least, c + 1)]
    certain, possible = (jnp.array(each, jnp.int32) for each in zip(*answers, strict=True))

    def search(certain, possible):
        return first_width_by_bisection(
            lambda m: (m >= certain, m >= possible), jnp.int32(width), least=least
        )

    found = jax.jit(jax.vmap(search))(certain, possible)
    np.testing.assert_array_equal(found.certain, certain)
    np.testing.assert_array_equal(found.possible, possible)


@pytest.mark.parametrize(
    ("certain", "possible", "most"), [(700, 700, 10), (1001, 1001, 10), (700, 690, 13)]
)
def test_bisection_asks_few_questions_within_the_range(certain, possible, most):
    asked = []

    def decide(width):
        jax.debug.callback(lambda width: asked.append(int(width)), width)
        return width >= certain, width >= possible

    found = jax.block_until_ready(first_width_by_bisection(decide, 1000, least=1))
    jax.effects_barrier()
    assert (found.certain, found.possible) == (certain, possible)
    assert len(asked) <= most
    assert min(asked) >= 1
    assert max(asked) <= 1000
