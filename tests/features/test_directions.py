"""The study of directions: rows by hand from what seeds give, and a reading that follows them."""

import math

import jax
import numpy as np
import pytest
from matplotlib.axes import Axes
from scipy import stats

from lottery_jax.core import make_mesh, root
from lottery_jax.core.records import Records
from lottery_jax.features import directions, directions_report, directions_rows
from lottery_jax.features.points import CAUTION
from lottery_jax.study import Study

SMALL = directions.QUICK._replace(
    dim=12, support_size=3, sizes=(300, 3000), num_pairs=2, num_neurons=16, fresh=500, seeds=3
)


def _given(program, asked, seeds, **arguments):
    """In place of `each_seed`: numbers that tell the law, the seed and the size."""
    del program, arguments
    law, sizes = asked
    for seed in seeds:
        base = np.linspace(0.3, 0.5, len(sizes)) + 0.01 * seed + 0.1 * float(law)
        names = ("mass", "largest", "pruned", "dense")
        yield (
            seed,
            {name: base + 0.02 * i for i, name in enumerate(names)}
            | {"kept": np.full(len(sizes), 6)},
        )


@pytest.fixture
def store(tmp_path):
    return Records(tmp_path / "directions.jsonl")


def test_rows_and_a_second_run(store, monkeypatch):
    assert isinstance(directions, Study)
    monkeypatch.setattr(directions, "each_seed", _given)
    rows = directions.measure(SMALL, key=root(0), store=store, progress=False)
    assert [(row.law, row.size) for row in rows] == [
        *(("flat", 300), ("flat", 3000)),
        *(("dense", 300), ("dense", 3000)),
    ]
    for row, base in zip(rows, (0.3, 0.5, 0.4, 0.6), strict=True):  # seeds 0, 1 and 2
        assert row.mass == pytest.approx(base + 0.01)
        assert row.gain == pytest.approx(0.02)
        assert row.chance == 0.5
        assert row.seeds == 3
    monkeypatch.setattr(directions, "each_seed", lambda *_, **__: iter(()))
    assert directions.measure(SMALL, key=root(0), store=store, progress=False) == rows


def test_one_seed_is_traceable():
    law = SMALL._replace(cases=(), seeds=0)
    asked = jax.numpy.int32(0), jax.numpy.asarray(SMALL.sizes, "int32")
    measure = directions._measure(law, ("flat", "power 1", "dense"), "rademacher")
    shapes = jax.eval_shape(measure, root(0), asked)
    assert {name: each.shape for name, each in shapes.items()} == dict.fromkeys(
        ("mass", "largest", "kept", "pruned", "dense"), (2,)
    )


@pytest.mark.slow
def test_pruning_helps_where_few_inputs_matter(store):
    mesh = make_mesh(jax.devices()[:1])
    rows = directions.measure(SMALL, key=root(0), store=store, mesh=mesh, progress=False)
    flat, dense = rows[1], rows[3]
    assert flat.mass > 0.99  # the support is found
    assert flat.largest == pytest.approx(1, abs=1e-6)
    assert 3 / 12 <= flat.chance <= 9 / 12
    assert flat.pruned < 0.2
    assert (flat.effective, flat.alpha) == pytest.approx((3, math.log(3) / math.log(12)))
    assert dense.mass < 0.99
    assert dense.mass <= dense.largest


def test_a_row_by_hand():
    found = [
        {"mass": [0.5], "largest": [0.8], "kept": [6], "pruned": [0.3], "dense": [0.6]},
        {"mass": [0.7], "largest": [0.9], "kept": [3], "pruned": [0.2], "dense": [0.4]},
    ]
    row = directions._row(SMALL, directions.Case("dense", "laplace"), 0, found)
    assert (row.mass, row.largest, row.chance) == pytest.approx((0.6, 0.85, 4.5 / 12))
    assert (row.pruned, row.dense, row.gain) == pytest.approx((0.25, 0.5, 0.25))
    assert row.pruned_deviation == pytest.approx(0.05)
    reach = stats.t.isf(0.025, 1) * 0.05
    assert (row.gain_low, row.gain_high) == pytest.approx((0.25 - reach, 0.25 + reach))
    assert row.mass_low == 0


def test_effective_sizes():
    """(sum of i^-p)^2 / sum of i^-2p, and 2 d / pi for a uniform direction."""
    i = np.arange(1.0, 51)
    law = np.sum(i**-0.5) ** 2 / np.sum(i**-1.0)
    assert directions_rows.effective_size("power 0.5", 50, 7) == pytest.approx(law, rel=1e-5)
    assert directions_rows.effective_size("dense", 400, 7) == pytest.approx(800 / math.pi, rel=0.05)


def _made(law, inputs, low, high):
    middle = (low + high) / 2
    shares = {"mass": 0.8, "mass_low": 0.7, "mass_high": 0.9, "largest": 0.95, "chance": 0.2}
    errors = {"pruned": 0.3, "pruned_deviation": 0.01, "dense": 0.4, "dense_deviation": 0.01}
    gains = {"gain": middle, "gain_low": low, "gain_high": high}
    where = {"law": law, "inputs": inputs, "dim": 100, "effective": 10.0, "alpha": 0.5}
    where |= {"exponent": 2, "kept_entries": 10, "seeds": 10}
    return [
        directions_rows.Row(**where, size=size, **shares, **errors, **gains)
        for size in (1000, 4000)
    ]


def test_the_reading_follows_the_rows():
    rows = [
        *_made("flat", "normal", 0.1, 0.2),
        *_made("dense", "normal", -0.2, -0.1),
        *_made("flat", "laplace", -0.1, 0.3),
    ]
    text = directions_report.describe(rows)
    assert "the flat direction at n = 4000 the inputs kept carry 0.80 of it (at most 0.95" in text
    assert "+0.150 [+0.100, +0.200]: pruning helps" in text
    assert "-0.150 [-0.200, -0.100]: pruning hurts" in text
    assert "with laplace inputs at n = 4000" in text
    assert "[-0.100, +0.300]: no difference is seen" in text
    assert "n = 1000 the inputs" not in text
    assert CAUTION in text
    ax = directions_report.draw(rows)
    assert isinstance(ax, Axes)
    assert len(ax.figure.axes) == 4
    levels = [
        line for line in ax.get_lines() if line.get_linestyle() == ":" and len(line.get_xdata())
    ]
    assert len({line.get_color() for line in levels}) == 2  # each law has its own chance level
    assert len(directions_report.draw(rows[:4]).figure.axes) == 2


def test_the_plan():
    assert "2 laws of directions and inputs at d = 12, M = 3, n = 300, 3000" in directions.plan(
        SMALL
    )
    assert directions.plan(directions.FULL).startswith("8 laws")
