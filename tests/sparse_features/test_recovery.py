"""Counts of recovery against masks worked out in NumPy, and limits that hold as often as said."""

import jax
import numpy as np
import pytest
from scipy import stats

from lottery_jax.core import keys, make_mesh, root
from lottery_jax.montecarlo.counts import Counts, collect_counts
from lottery_jax.sparse_features import data, directions, links, recovery, recovery_limits
from lottery_jax.sparse_features.prune import prune_network
from lottery_jax.sparse_features.scores import Scores
from tests.oracles.rates import assert_rate

SQUARE = links.hermite({2: 1.0})
TINY = {"dim": 12, "support_size": 3, "link": SQUARE, "sizes": (40, 400), "kept": (2, 3)}


def _draw(experiment, number):
    key = keys.lane(keys.chunk(root(5), 0), number)
    counted = jax.jit(experiment.count)(key, experiment.scalars())
    return key, {name: np.asarray(each) for name, each in counted.items()}


def _top(values, kept):
    return set(np.argsort(-np.asarray(values), kind="stable")[:kept].tolist())


def test_one_draw_is_what_prune_network_keeps():
    experiment = recovery.recovery(**TINY, num_pairs=3)
    key, counted = _draw(experiment, 0)
    hidden = directions.flat(keys.lane(key, 1), 12, 3)
    support = set(np.flatnonzero(np.asarray(hidden)[:, 0]).tolist())
    source = data.generated(data.Model(SQUARE), hidden, keys.lane(key, 0))

    @jax.jit
    def prune(size, kept):
        settings = {"num_pairs": 3, "kept": kept, "shift": 0.5}
        return prune_network(source, size, keys.lane(key, 2), **settings)

    for i, size in enumerate(TINY["sizes"]):
        for j, kept in enumerate(TINY["kept"]):
            pruned = prune(np.int32(size), np.int32(kept))
            mask = set(np.flatnonzero(pruned.kept).tolist())
            found = len(mask & support)
            lines = {name: getattr(pruned.scores, name) for name in ("first", "even", "odd")}
            at = {name: int(each[i, j]) for name, each in counted.items()}
            assert at == {
                "found": found,
                "found_squared": found**2,
                "complete": int(found == 3),
                "kept": len(mask),
                "mass": round(4096 * found / 3),
                "mass_squared": round(4096 * found / 3) ** 2,
                **{name: len(_top(each, kept) & support) for name, each in lines.items()},
                "even_squared": len(_top(lines["even"], kept) & support) ** 2,
            }


def test_the_printed_sign_exchanges_the_parts():
    scores = Scores(*np.eye(4, 6, dtype=np.float32))  # inputs 0 to 3 in turn
    scores = Scores(*(jax.numpy.asarray(each) for each in scores))
    for convention, expected in (
        ("appendix", {"even": 0, "odd": 1, "first": 2}),
        ("main_text", {"even": 1, "odd": 0, "first": 3}),
    ):
        experiment = recovery.recovery(**TINY, convention=convention)
        is_main_text = jax.numpy.int32(experiment.scalars()["is_main_text"])
        lines = recovery._lines(is_main_text, scores, jax.numpy.int32(1))
        assert {name: int(np.argmax(each)) for name, each in lines.items()} == expected
        assert all(each.shape == (5,) for each in lines.values())  # without the appended input


def test_more_rows_and_other_sizes_share_their_draws():
    one = recovery.recovery(**TINY, num_pairs=3)
    more = recovery.recovery(**TINY | {"sizes": (40, 200)}, num_pairs=3)
    assert one.count is more.count  # compiled once
    first, second = _draw(one, 1)[1], _draw(more, 1)[1]
    for name, each in first.items():
        np.testing.assert_array_equal(each[0], second[name][0])


def test_directions_of_every_law():
    pair = links.hermite({(2, 0): 1.0, (0, 2): 1.0})
    for law, size, link in (
        ("dense", 12, SQUARE),
        ("coordinates", 2, pair),
        ("power_law", 4, SQUARE),
    ):
        draw = recovery._Draw(12, size, data.Model(link), 1, law, 0.0, "normal")
        hidden = np.asarray(recovery._directions(root(1), draw), np.float64)
        np.testing.assert_allclose(hidden.T @ hidden, np.eye(link.num_indices), atol=1e-6)
        assert np.count_nonzero(np.any(hidden, axis=1)) == size
    assert set(np.unique(np.abs(recovery._directions(root(1), draw._replace(law="flat"))))) == {
        0,
        0.5,
    }
    ones = recovery._directions(root(1), draw._replace(law="coordinates", model=data.Model(pair)))
    assert set(np.unique(ones)) == {0, 1}


def test_without_biases_a_link_that_cancels_is_not_seen():
    """The gradient at e_1 vanishes for biases 0, and not for the shifted basis."""
    terms = {}
    for i in range(3):
        for degree, coefficient in ((2, 1.0), (4, 2 * 3**0.5)):
            terms[tuple(degree if j == i else 0 for j in range(3))] = coefficient
    link = links.hermite(terms)
    settings = {"dim": 20, "support_size": 3, "link": link, "sizes": [100_000], "kept": [3]}
    settings |= {"law": "coordinates", "biases": "zero"}
    mesh = make_mesh(jax.devices()[:2])
    found = []
    for shift in (1.0, 0.5):
        experiment = recovery.recovery(**settings, shift=shift)
        counts = collect_counts(experiment, key=root(0), trials=6, mesh=mesh, progress=False)
        found += recovery_limits.recalls(experiment, counts)
    hidden, shifted = found
    assert shifted.even == shifted.recall == 1
    # 18 inputs, each found by chance with probability 3 / 20.
    assert_rate(round(18 * hidden.even), 18, 3 / 20)
    with pytest.raises(AssertionError):
        assert_rate(round(18 * shifted.even), 18, 3 / 20)


def test_recalls_from_made_up_counts():
    experiment = recovery.recovery(**TINY | {"kept": (3,)}, num_pairs=3)
    names = ("found", "found_squared", "complete", "kept", "mass", "mass_squared")
    column = np.array([[30], [28]])
    values = [column, [[90], [80]], [[10], [8]], [[40], [60]], 4096 * column // 3, [[0], [0]]]
    values[5] = [[10 * 4096**2], [9 * 4096**2]]
    totals = {name: np.asarray(each) for name, each in zip(names, values, strict=True)}
    totals |= {name: np.asarray([[15], [6]]) for name in ("first", "even", "odd")}
    totals["even_squared"] = np.asarray([[45], [18]])  # 5 draws of 3, and 2
    counts = Counts(10, totals, {}, 0.0)
    first, second = recovery_limits.recalls(experiment, counts)
    assert (first.size, first.kept_entries, first.trials) == (40, 3, 10)
    assert (first.recall, first.complete, first.kept, first.chance) == (1, 10, 4, 4 / 12)
    assert first.complete_low == pytest.approx(0.025**0.1)
    assert (first.low, first.high) == pytest.approx(
        (1 - stats.t.isf(0.025, 9) * np.sqrt(31 / 32 / 32 / 3 / 10), 1.0)
    )
    # 28 of 30 with the sum of squares 80: the variance over draws is (80 - 28^2 / 10) / 9 / 9.
    reach = stats.t.isf(0.025, 9) * np.sqrt((80 - 78.4) / 81 / 10)
    floor = stats.t.isf(0.025, 9) * np.sqrt(29 / 32 * 3 / 32 / 3 / 10)
    assert second.low == pytest.approx(28 / 30 - max(reach, floor))
    assert (second.first, second.even, second.odd) == (0.2, 0.2, 0.2)
    reach = stats.t.isf(0.025, 9) * np.sqrt((2 - 0.4) / 9 / 10)
    assert second.even_high == pytest.approx(0.2 + reach)


def test_limits_hold_as_often_as_said():
    """Draws of 12 coordinates, independent or nearly alike; a control without the spread fails."""
    rng = np.random.default_rng(0)
    repeats, trials, share = 2000, 10, 0.7
    alike = rng.beta(share * 3, (1 - share) * 3, (repeats, trials))
    for chances in (np.full((repeats, trials), share), alike):
        found = rng.binomial(12, chances)
        limits = [
            recovery_limits.limits_mean(int(row.sum()), int((row**2).sum()), trials, 12)
            for row in found
        ]
        covered = np.mean([low <= share <= high for low, high in limits])
        assert covered > 0.93
    binomial = 1.96 * np.sqrt(share * (1 - share) / 120)
    assert np.mean(np.abs(found.mean(axis=1) / 12 - share) < binomial) < 0.8


def test_limits_near_1_are_too_narrow():
    """What the docstring warns of: most often ten draws show none of the rare ones that miss much.

    A draw finds each of 12 inputs with a chance of its own, by a Beta law of mean .95 with most of
    its mass near 1. The spread over ten draws then knows little of the lower tail, so that 95 %
    limits hold less often than said; exact limits are those of complete recovery.
    """
    rng = np.random.default_rng(0)
    share, trials = 0.95, 10
    found = rng.binomial(12, rng.beta(share * 3, (1 - share) * 3, (2000, trials)))
    limits = [
        recovery_limits.limits_mean(int(row.sum()), int((row**2).sum()), trials, 12)
        for row in found
    ]
    covered = np.mean([low <= share <= high for low, high in limits])
    assert 0.6 < covered < 0.93


def test_the_mass_of_unequal_rows_is_that_of_fewer_equal_ones():
    """(sum of i^-p)^2 / sum of i^-2p for i = 1, 2, 3, 4 at p = 1: 3.05; and 2 d / pi."""
    for law, power, size in (("power_law", 1.0, 3), ("dense", 0.0, 2), ("flat", 0.0, 4)):
        settings = {"law": law, "power": power, "support_size": 4}
        assert recovery_limits._effective_size(settings) == size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 0}, "dim=0 must be a whole number from 1"),
        ({"support_size": 13}, "support_size=13 must lie between 1 and 12"),
        ({"sizes": (40, 40)}, "must be increasing; give each"),
        ({"sizes": (True, 80)}, "sizes=True must be a whole number"),
        ({"sizes": (0, 80)}, "sizes=0 must be a whole number"),
        ({"kept": (True,)}, "kept=True must be a whole number"),
        ({"num_pairs": True}, "num_pairs=True must be a whole number"),
        ({"sizes": ()}, "must be increasing; give each"),
        ({"kept": (13,)}, "13"),
        ({"kept": ()}, "kept"),
        ({"shift": 0.0}, "shift=0.0 must be above 0 and at most 1"),
        ({"shift": 1.5}, "shift=1.5 must be above 0 and at most 1"),
        ({"convention": "printed"}, "choose appendix or main_text"),
        ({"law": "dense"}, "must lie between 12 and 12 for dense"),
        ({"law": "coordinates"}, "must lie between 1 and 1 for coordinates"),
        ({"power": 1.0}, "unless law='power_law'"),
        ({"num_pairs": 0}, "num_pairs=0 must be"),
        ({"biases": "none"}, "choose normal, zero"),
        ({"noise": -1.0}, "noise=-1.0 must be finite"),
    ],
)
def test_wrong_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        recovery.recovery(**{**TINY, **changes})
    with pytest.raises(ValueError, match="have no spread"):
        recovery_limits.limits_mean(1, 1, 1, 3)
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        recovery_limits.limits_mean(1, 1, 2, 3, confidence=1.0)
