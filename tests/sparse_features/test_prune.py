"""The sets that PruneNetwork keeps: those of the definition, of known cases; and wrong settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.sparse_features import baselines, data, directions, links, prune, sums
from lottery_jax.sparse_features.scores import Scores
from tests.oracles import prune_network as oracle
from tests.sparse_features.test_scores import DIM, NEURONS, draw, noise_of


@jax.jit
def both(inputs, targets, num_samples, key, kept, shift):
    source = data.held(inputs, targets, rows=16)
    pruned = prune.prune_network(
        source, num_samples, key, num_pairs=NEURONS, kept=kept, shift=shift
    )
    return pruned, prune.select(pruned.scores, kept=kept, convention="main_text")


@pytest.mark.parametrize("seed", range(12))
def test_oracle(seed):
    """The same sets in both conventions; the seeds have no scores that rounding could exchange."""
    rng = np.random.default_rng(100 + seed)
    inputs, targets = draw(seed)
    size, kept = int(rng.integers(1, len(inputs) + 1)), int(rng.integers(1, DIM + 1))
    shift, key = float(np.float32(rng.uniform(0.05, 0.95))), keys.root(seed)
    rows = jnp.asarray(inputs), jnp.asarray(targets)
    numbers = jnp.int32(size), key, jnp.int32(kept), jnp.float32(shift)
    pruned, swapped = both(*rows, *numbers)
    biases = np.asarray(sums.draw_biases(key, NEURONS))
    for convention, found in (
        ("appendix", [*pruned.kept.tolist(), bool(pruned.keeps_noise)]),
        ("main_text", swapped.tolist()),
    ):
        wanted = oracle.prune(
            inputs[:size],
            targets[:size],
            noise_of(key, size),
            biases,
            shift=shift,
            kept=kept,
            convention=convention,
        )
        assert set(np.flatnonzero(found)) == wanted.kept


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scale_of_the_targets(scale):
    """Whose squares float32 does not hold; and more rows than there are, where n is traced."""
    inputs, targets = draw(3)
    numbers = jnp.int32(len(inputs)), keys.root(3), jnp.int32(2), jnp.float32(0.5)
    plain = both(jnp.asarray(inputs), jnp.asarray(targets), *numbers)[0]
    scaled = both(jnp.asarray(inputs), jnp.asarray(np.float32(scale) * targets), *numbers)[0]
    assert scaled.kept.tolist() == plain.kept.tolist()
    assert all(float(jnp.min(each)) > 0 and float(jnp.max(each)) < 1e20 for each in scaled.scores)
    beyond = both(jnp.asarray(inputs), jnp.asarray(targets), jnp.int32(999), *numbers[1:])[0]
    for one, other in zip(beyond.scores, plain.scores, strict=True):
        np.testing.assert_array_equal(one, other)


def test_many_at_once():
    """Data, keys and settings along an axis give what they give one by one."""
    rows = [[jnp.asarray(each) for each in draw(seed)] for seed in (1, 2)]
    numbers = [
        (jnp.int32(30 + seed), keys.root(seed), jnp.int32(seed), jnp.float32(0.3 * seed))
        for seed in (1, 2)
    ]
    each = [(*some, *others) for some, others in zip(rows, numbers, strict=True)]
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *each)
    found = jax.vmap(both)(*stacked)[0]
    for place, alone in enumerate(each):
        pruned = both(*alone)[0]
        assert found.kept[place].tolist() == pruned.kept.tolist()
        for one, other in zip(found.scores, pruned.scores, strict=True):
            np.testing.assert_allclose(one[place], other, rtol=1e-5, atol=1e-6)


@jax.jit
def found_by_lines(key):
    """How many of a support of 3 of 24 inputs the 3 largest of each kind of scores find."""
    hidden = directions.flat(jax.random.fold_in(key, 0), 24, 3)
    model = data.Model(links.hermite({1: 1.0, 2: 1.0}))
    source = data.generated(model, hidden, jax.random.fold_in(key, 1), rows=512)
    noise = jax.random.fold_in(key, 2)
    pruned = prune.prune_network(source, 8000, noise, num_pairs=8, kept=3, shift=0.5)
    chosen = Scores(*(baselines.keep(line[:-1], 3) for line in pruned.scores))
    support = directions.support(hidden)
    return jax.tree.map(lambda line: jnp.sum(line & support, dtype=jnp.int32), chosen)


def test_lines():
    """Lines 3 and 4 find the linear and the quadratic part; the printed line 3 finds neither."""
    each = [found_by_lines(keys.root(seed)) for seed in range(4)]
    assert all(int(one.first) == 3 and int(one.even) == 3 for one in each)
    assert all(int(one.printed) < 3 for one in each)


def test_select():
    """Lines 3, 4 and 5, ties to the lower number, and line 3 of the main text."""
    parts = ([5.0, 5, 1, 0, 0], [0.0, 0, 0, 2, 1], [0.0, 0, 3, 0, 0], [0.0, 0, 0, 0, 4])
    scores = Scores(*map(jnp.array, parts))
    assert prune.select(scores, kept=1).tolist() == [True, False, True, True, False]
    printed = prune.select(scores, kept=1, convention="main_text")
    assert printed.tolist() == [True, False, False, True, True]
    assert prune.select(scores, kept=2).tolist() == [True, True, True, True, True]


GOOD = {"num_samples": 4, "num_pairs": 2, "kept": 1, "shift": 0.5}
WRONG = [
    ({"kept": 4}, "M: kept=4 must be a whole number from 1 to 3"),
    ({"kept": True}, "M: kept=True must be a whole number"),
    ({"num_samples": 3_000_000_000}, "num_samples=3000000000 must be a whole number from 1 to"),
    ({"kept": 0}, "M: kept=0"),
    ({"shift": 0.0}, "c: shift=0 must be above 0 and below 1"),
    ({"shift": 1.0}, "c: shift=1 "),
    ({"shift": float("nan")}, "c: shift=nan"),
    ({"num_pairs": 0}, "num_pairs=0 must be a whole number from 1"),
    ({"num_samples": 0}, "num_samples=0 must be a whole number from 1"),
    ({"num_samples": 6}, "6 samples are asked for, but the source holds 5; take at most those"),
    ({"convention": "other"}, "convention='other' is unknown; choose appendix or main_text"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_wrong_settings(wrong, message, monkeypatch):
    """Said before anything runs."""
    monkeypatch.setattr(prune, "scores_at", lambda *_, **__: pytest.fail("it ran"))
    source = data.held(jnp.ones((5, 3)), jnp.ones(5))
    arguments = GOOD | wrong
    with pytest.raises(ValueError, match=message):
        prune.prune_network(source, arguments.pop("num_samples"), keys.root(0), **arguments)


def test_too_little_memory():
    source = data.held(jnp.ones((5, 3)), jnp.ones(5))
    arguments = {key: value for key, value in GOOD.items() if key != "num_samples"}
    with pytest.raises(MemoryError, match="of which 1,000 are allowed; blocks of 128 rows would"):
        prune.prune_network(source, 4, keys.root(0), memory_limit=1000, **arguments)


def test_not_finite():
    """A held source refuses them; one of the caller's own is found out by its scores."""
    with pytest.raises(ValueError, match="row 2 is not finite"):
        data.held(jnp.ones((5, 3)).at[2, 1].set(jnp.nan), jnp.ones(5))
    bad = data.Source(3, 4, lambda number: (jnp.full((4, 3), jnp.inf), jnp.ones(4)))
    with pytest.raises(ValueError, match="the scores are not finite"):
        prune.prune_network(bad, 4, keys.root(0), num_pairs=2, kept=1, shift=0.5)
    nothing = bad._replace(read=lambda number: (jnp.ones((4, 3)), jnp.zeros(4)))
    with pytest.raises(ValueError, match="all scores are 0: the targets"):
        prune.prune_network(nothing, 4, keys.root(0), num_pairs=2, kept=1, shift=0.5)
