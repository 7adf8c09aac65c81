"""The study of exponents: places by hand, powers that were put in, resuming, what is claimed."""

import numpy as np
import pytest

from lottery_jax.core import keys, root
from lottery_jax.core.records import Records
from lottery_jax.features import exponents, exponents_report, exponents_rows, networks
from lottery_jax.study import Study

SMALL = exponents.Setup(
    dims={"pruned": (16,), "dense": (16,)},
    grids={"pruned": (10.0, 40.0, 80.0), "dense": (1.0, 4.0)},
    most={"pruned": 1000, "dense": 1024},  # 80 d is left out
    seeds=2,
    num_neurons=8,
    fresh=200,
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.9, 0.1, 0.1), (200.0, "inside")),  # halfway from 100 to 400 in log n
        ((0.9, 0.1, 0.9), (None, "above")),
        ((0.4, 0.9, 0.1), (800.0, "inside")),  # for good: the last place
        ((0.4, 0.3, 0.2), (None, "below")),
        ((0.9, 0.5, 0.4), (400.0, "inside")),
    ],
)
def test_places_are_interpolated(values, expected):
    """By hand, on n = 100, 400, 1600 at the level 1/2."""
    place, side = exponents_rows.last_fall(np.array([100, 400, 1600]), np.array(values), 0.5)
    assert side == expected[1]
    assert place == (pytest.approx(expected[0]) if expected[0] else None)


@pytest.mark.slow
def test_rows_come_from_the_networks_of_each_seed(tmp_path, monkeypatch):
    """Levels that each seed's error curve crosses between its two n; and a known run is not run."""
    store = Records(tmp_path / "exponents.jsonl")
    rows = exponents.measure(SMALL, key=root(3), store=store, progress=False)
    assert len(rows) == 2 * (3 + 2)  # two errors, and recall for the pruned ones
    assert {(row.smallest, row.largest) for row in rows} == {(160, 640), (256, 1024)}
    draw = networks.draw(exponents_rows.task_of(SMALL, 16), ("pruned",), most=640)
    (_, drawn), *_ = exponents_rows.each_seed(
        draw,
        np.array([160, 640], np.int32),
        [1],
        key=exponents_rows.point_key(root(3), "pruned", 16),
    )
    first, second = drawn.error[:, 0]
    level = float(np.sqrt(first * second))
    asked = SMALL._replace(levels=(level,))

    def none(*arguments, **options):
        raise AssertionError("this was known")

    monkeypatch.setattr(networks.learn, "learn", none)
    again = exponents.measure(asked, key=root(3), store=store, progress=False)
    (row,) = [
        row
        for row in again
        if (row.what, row.dim, row.seed, row.method) == ("error", 16, 1, "pruned")
    ]
    share = (first - level) / (first - second)
    assert row.side == "inside"
    assert row.crossing == pytest.approx(160 * 4**share, rel=1e-5)
    with pytest.raises(AssertionError, match="known"):
        exponents.measure(SMALL._replace(fresh=201), key=root(3), store=store, progress=False)


def made_up(pruned_power, dense_power, *, spread=0.05, open_dim=None):
    """Places of six seeds about two powers of d."""
    rows = []
    for method, power, scale in (("pruned", pruned_power, 10.0), ("dense", dense_power, 0.3)):
        for dim in (64, 256, 1024):
            for seed in range(6):
                place = scale * dim**power * np.exp(spread * (seed - 2.5))
                is_open = dim == open_dim and seed == 0
                rows.append(
                    exponents_rows.Row(
                        method=method,
                        what="error",
                        level=0.5,
                        dim=dim,
                        support_size=int(dim**0.5),
                        seed=seed,
                        crossing=None if is_open else float(place),
                        side="above" if is_open else "inside",
                        smallest=1,
                        largest=10**9,
                        degree=2,
                        neurons=8,
                        pruning_kept=8,
                        shift=0.5,
                    )
                )
    return rows


def test_fits_find_the_powers_that_were_put_in():
    """Seeds lie alike about every place, so that the powers come out.

    Student's limits with 5 degrees of freedom are 2.571 standard errors, .0935 / sqrt(6), of the
    log; through three points log(4) apart, the slope's half width is that / sqrt(2) / log(4).
    """
    pruned, dense = exponents_report.curves(made_up(1.1, 1.9))
    half = 2.571 * 0.0935 / np.sqrt(6) / np.sqrt(2) / np.log(4)
    for curve, power, scale in ((pruned, 1.1, 10.0), (dense, 1.9, 0.3)):
        assert curve.line is not None
        assert curve.line.slope.value == pytest.approx(power, abs=1e-9)
        assert curve.line.slope.high - power == pytest.approx(half, rel=1e-3)
        assert np.exp(curve.line.intercept.value) == pytest.approx(scale, rel=1e-6)


def test_an_open_dimension_is_left_out():
    """The mean of the seeds inside would be too low; the table tells how many they are."""
    pruned, _ = exponents_report.curves(made_up(1.0, 2.0, open_dim=1024))
    assert [point.open for point in pruned.points] == [0, 0, 1]
    assert pruned.line is not None
    assert pruned.line.slope.value == pytest.approx(1.0, abs=1e-9)
    said = exponents.describe(made_up(1.0, 2.0, open_dim=1024))
    assert "5 of 6 inside" in said
    assert "between d = 64 and 256, a factor 4" in said


def test_claims_follow_from_the_rows():
    """Powers off theory's are said to be off, and equal ones not told apart."""
    said = exponents.describe(made_up(1.0, 2.0))
    assert "the limits hold theory's 1 and exclude 2" in said
    assert "the limits hold theory's 2 and exclude 1" in said
    assert "exponents are apart" in said
    said = exponents.describe(made_up(1.5, 1.5))
    assert "the limits lie above theory's 1" in said
    assert "the limits lie below theory's 2" in said
    assert "not told apart" in said
    said = exponents.describe(made_up(2.0, 1.0))
    assert "the limits lie above theory's 1, by 1 at the estimate, and hold 2" in said
    said = exponents.describe(made_up(1.0, 2.0, spread=2.0))
    assert "limits so wide hold theory's 1 and 2 alike, and decide nothing" in said
    alone = [row for row in made_up(1.0, 2.0) if row.seed == 0]
    said = exponents.describe(alone)
    assert said.count("no power is fitted: one seed has no spread") == 2
    assert "inf" not in said
    exponents.draw(alone)


def test_dimensions_and_methods_have_draws_of_their_own(tmp_path, monkeypatch):
    """A fit takes its points for independent: no two share a key."""
    used = []

    def none(program, sizes, seeds, *, key, mesh):
        del program, mesh
        used.append(keys.describe(key))
        made = np.zeros((len(sizes), 1)), np.ones((len(sizes), 1, 1), bool), np.ones(1, bool)
        return ((seed, networks.Drawn(made[0], made[0], made[0], *made[1:])) for seed in seeds)

    monkeypatch.setattr(exponents_rows, "each_seed", none)
    dims = (16, 25)
    asked = SMALL._replace(dims={"pruned": dims, "dense": dims})
    store = Records(tmp_path / "exponents.jsonl")
    exponents.measure(asked, key=root(3), store=store, progress=False)
    assert len(set(used)) == len(used) == 4


def test_it_is_a_study_with_a_figure():
    """Every axis is labelled; the bound's line is there."""
    assert isinstance(exponents, Study)
    assert "2 seeds each" in exponents.plan(SMALL)
    ax = exponents.draw(made_up(1.0, 2.0, open_dim=1024))
    assert ax.get_ylabel() == "samples n"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any("CSQ" in label for label in labels)
    assert any(label.startswith("dense: d^2.0") for label in labels)
