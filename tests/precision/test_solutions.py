"""The study of numbers of solutions: rows against enumeration, and what its reading hangs on."""

import numpy as np
import pytest

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.precision import solutions
from lottery_jax.precision.solutions_rows import distance
from lottery_jax.quantized import moments
from lottery_jax.study import Study
from tests.oracles import partition

SMALL = solutions.Setup(sizes=(4, 5), place=-1.0, trials=40_960)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("solutions") / "solutions.jsonl")
    found = solutions.measure(SMALL, key=root(0), store=store, progress=False)
    before = store.path.read_bytes()
    assert solutions.measure(SMALL, key=root(0), store=store, progress=False) == found
    assert store.path.read_bytes() == before
    return found


def _chosen(rows, problem, what, num_items=4):
    return [
        row for row in rows if (row.problem, row.what, row.num_items) == (problem, what, num_items)
    ]


def test_rows_are_those_of_all_instances(rows):
    """M = 4 and n = 4: shares of every number, means and pairs, by enumeration."""
    assert isinstance(solutions, Study)
    assert {row.largest for row in rows if row.num_items == 4} == {4}
    items = partition.instances(range(1, 5), 4)
    number, is_odd = partition.count_perfect(items), items.sum(axis=1) % 2 == 1
    signed = partition.instances(partition.signed_values(4), 4)
    of = {
        "even": number[~is_odd],
        "odd": number[is_odd],
        "M/2": partition.count_subsets(signed, 2),
    }
    draws = {}
    for problem, numbers in of.items():
        cells = _chosen(rows, problem, "cell")
        assert [row.cell for row in cells] == list(range(16))
        shares = np.bincount(np.minimum(numbers, 16), minlength=17)[:16] / len(numbers)
        for row, share in zip(cells, shares, strict=True):
            assert row.low <= share <= row.high
            draws[problem] = row.draws
        (mean,), (pairs,) = (_chosen(rows, problem, what) for what in ("mean", "pairs"))
        assert mean.exact == pytest.approx(numbers.mean())
        assert pairs.exact == pytest.approx(np.mean(numbers * (numbers - 1)))
        assert mean.low <= mean.exact <= mean.high
        assert pairs.low <= pairs.exact <= pairs.high
        (ratio,) = _chosen(rows, problem, "ratio")
        assert ratio.exact == pytest.approx(pairs.exact / mean.exact**2)
        assert ratio.value == pytest.approx(pairs.value / mean.value**2)
        assert ratio.low <= ratio.exact <= ratio.high
        # Draws with many pairs raise both: limits of pairs alone would be wider.
        assert ratio.high - ratio.low < (pairs.high - pairs.low) / mean.value**2
        # The measured moments are those of the histogram, where no number is above 15.
        if cells[-1].value == 0:
            histogram = sum(row.cell * row.value for row in cells)
            assert mean.value == pytest.approx(histogram)
    assert draws["even"] + draws["odd"] == draws["M/2"] == 40_960


def test_limits_of_the_laws(rows):
    """Poisson shares add up to 1, and their mean is that of the law."""
    for problem in ("even", "odd", "M/2"):
        cells = _chosen(rows, problem, "cell", 5)
        (mean,) = _chosen(rows, problem, "mean", 5)
        (pairs,) = _chosen(rows, problem, "pairs", 5)
        assert sum(row.limit for row in cells) == pytest.approx(1, abs=1e-4)
        assert sum(row.cell * row.limit for row in cells) == pytest.approx(mean.limit, rel=1e-3)
        found = sum(row.cell * (row.cell - 1) * row.limit for row in cells)
        assert found == pytest.approx(pairs.limit, rel=2e-2)
        known = moments.perfect_moments(5, mean.largest)
        if problem != "M/2":
            assert mean.exact == getattr(known, problem).mean
        # Five items are few for a law to the order 1/n.
        assert mean.exact == pytest.approx(mean.limit, rel=0.1)
        assert pairs.exact == pytest.approx(pairs.limit, rel=0.4)


def test_the_distance_from_a_law(rows):
    cells = _chosen(rows, "even", "cell")
    same = [row._replace(value=row.limit) for row in cells]
    assert distance(same) == 0
    moved = [
        same[0]._replace(value=same[0].limit + 0.1),
        same[1]._replace(value=same[1].limit - 0.1),
    ]
    assert distance([*moved, *same[2:]]) == pytest.approx(0.1)
    # What is missing from the cells is in the one beyond them.
    assert distance([same[0]._replace(value=same[0].limit - 0.1), *same[1:]]) == pytest.approx(0.1)


def test_the_reading_follows_the_rows(rows):
    text = solutions.describe(rows)
    assert "hold the exact moment at 12 of 12 points" in text
    assert ": not certainly more or less than one Poisson law would have" in text
    for low, high, verdict in ((1.01, 1.2, "more"), (0.8, 0.99, "less")):
        other = [row._replace(low=low, high=high) if row.what == "ratio" else row for row in rows]
        assert f": certainly {verdict} than one Poisson law" in solutions.describe(other)
    assert len(text.split("\n\n")[0].splitlines()) == 1 + 18
    off = [
        row._replace(low=row.high + 1, limit=0.9 * row.exact) if row.exact else row for row in rows
    ]
    text = solutions.describe(off)
    assert "hold the exact moment at 0 of 12 points" in text
    assert "the exact mean is 1 + 0.556 / n of the law's at n = 5" in text
    exact = [row._replace(value=row.limit) if row.what == "cell" else row for row in rows]
    assert "in total by 0.0000 at n = 4, 0.0000 at n = 5" in solutions.describe(exact)
    unknown = solutions.describe([row._replace(exact=None) for row in rows])
    assert "the exact mean is" not in unknown


def test_the_figure(rows):
    ax = solutions.draw(rows)
    assert ax.get_xlabel() == "number N of solutions"
    unseen = sum(row.value == 0 for row in rows if row.what == "cell" and row.num_items == 5)
    assert unseen > 0
    arrows = [line for line in ax.lines if "downarrow" in str(line.get_marker())]
    assert len(arrows) == unseen
    at = sorted(float(np.asarray(line.get_xdata()).item()) for line in arrows)
    assert np.min(np.diff(at)) > 0.25  # side by side


def test_the_plan():
    assert "4 problems, n = 4, 5, 40960 draws each" in solutions.plan(SMALL)
    for setup in (solutions.FULL, solutions.QUICK):
        for num_items in setup.sizes:
            assert len(solutions._experiments(setup, num_items)) == 2
