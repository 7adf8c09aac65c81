"""The study of the softer transition: its rows, and a reading that other rows would change."""

import numpy as np
import pytest

from lottery_jax.core import root
from lottery_jax.montecarlo import Store
from lottery_jax.precision import transition
from lottery_jax.quantized import subset_sum_laws
from lottery_jax.study import Study
from tests.oracles import partition
from tests.oracles.rates import assert_rate

SMALL = transition.Setup(sizes=(4,), kappas=(0.5, 1.0), trials=4096)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("transition") / "transition.jsonl")
    found = transition.measure(SMALL, key=root(0), store=store, progress=False)
    before = store.path.read_bytes()
    assert transition.measure(SMALL, key=root(0), store=store, progress=False) == found
    assert store.path.read_bytes() == before
    return found


def test_rows(rows):
    assert isinstance(transition, Study)
    assert [row.problem for row in rows] == ["partition"] * 2 + ["M/2"] * 2 + ["0"] * 2
    assert [row.largest for row in rows] == [4, 16] * 3
    assert sum(row.disagree for row in rows) == 0
    law = subset_sum_laws.solvable(4, 4.0, 0.5).success
    assert rows[3].law == pytest.approx(float(law))
    assert rows[3].next_order != rows[3].law


def test_shares_are_those_of_all_instances(rows):
    """Enumerated: 8^4 signed instances, each target; the empty subset does not count."""
    items = partition.instances(partition.signed_values(4), 4)
    for row, target in ((rows[2], 2), (rows[4], 0)):
        found = partition.count_subsets(items, target) - (target == 0) > 0
        assert_rate(row.hits, row.trials, found.mean())
    perfect = partition.count_perfect(partition.instances(range(1, 5), 4)) > 0
    assert_rate(rows[0].hits, rows[0].trials, perfect.mean())
    with pytest.raises(AssertionError):
        assert_rate(rows[0].hits, rows[0].trials, 0.9 * perfect.mean())


def _made(problem, shares, num_items=12):
    """A row for each share, kappa from 0.5 in steps of 0.1, limits 0.01 either way."""
    return [
        transition.Row(
            problem=problem,
            num_items=num_items,
            largest=100,
            kappa=0.5 + 0.1 * step,
            trials=1000,
            hits=round(1000 * share),
            low=share - 0.01,
            high=share + 0.01,
            law=share,
            next_order=share,
            disagree=0,
        )
        for step, share in enumerate(shares)
    ]


def test_the_reading_follows_the_rows():
    soft, hard = [0.9, 0.6, 0.3, 0.1], [0.9, 0.8, 0.1, 0.1]
    good = [*_made("partition", hard), *_made("M/2", soft), *_made("0", soft)]
    text = transition.describe(good)
    assert "For a subset with sum 0 the limits hold the law at 4 of 4 points" in text
    assert "at most 0 beyond the limits." in text
    assert "by more for both sums than for partitions at 1 of 1 n" in text
    assert "within 0.15 / n of the law at 12 of 12 points" in text
    assert "contradict each other on 0 of 12000 draws" in text
    assert "twice as frequent" not in text
    # Failures twice as frequent as by the law are inside the limits: no finding.
    unsure = [row._replace(law=1 - (1 - row.hits / row.trials) / 2) for row in good]
    assert "twice as frequent" not in transition.describe(unsure)
    bad = [row._replace(disagree=1, law=0.999, next_order=0.0) for row in good]
    bad = [
        row._replace(problem={"partition": "0", "0": "partition"}.get(row.problem, "M/2"))
        for row in bad
    ]
    text = transition.describe(bad)
    assert "at 0 of 1 n" in text
    assert "hold the law at 0 of 4 points, and with its terms of order 1 / n at 0;" in text
    assert "at n = 12 and kappa = 0.80" in text
    assert "within 0.15 / n of the law at 0 of 12 points" in text
    assert "contradict each other on 12 of 12000 draws" in text
    assert "twice as frequent as the law says, limits included, at 12 points" in text
    assert "From a share of 3/4" not in transition.describe(good[:4])


def test_shares_that_rise_by_chance_are_read_in_order():
    """0.9, 0.3, 0.4, 0.1: from 3/4 to 1/4 as if they were 0.9, 0.4, 0.4, 0.1."""
    rising = transition._range(_made("0", [0.9, 0.3, 0.4, 0.1]))
    assert rising == pytest.approx(0.2 + 0.1 * 0.15 / 0.3 - 0.1 * 0.15 / 0.5)
    assert transition._range(_made("0", [0.7, 0.1])) is None
    assert transition._range([]) is None


def test_the_title_fits_the_figure(rows):
    """With one n, too: every line of it, as drawn."""
    figure = transition.draw(rows).figure
    figure.canvas.draw()  # type: ignore[union-attr]
    box = figure._suptitle.get_window_extent()  # type: ignore[union-attr]
    assert box.x0 > 0
    assert box.x1 < figure.bbox.x1


def test_the_figure_shows_zero_hits_as_limits(rows):
    """In the upper panel where no draw had a solution, in the lower where all had."""
    ax = transition.draw(rows)
    assert ax.get_ylabel() == "probability of a solution"
    assert len(ax.figure.axes) == 2
    none, every = (
        [row._replace(hits=hits, low=low, high=high) for row in rows]
        for hits, low, high in ((0, 0.0, 0.01), (4096, 0.98, 1.0))
    )
    for chosen, place, limit in ((none, 0, 0.01), (every, 1, 0.02)):
        lines = transition.draw(chosen).figure.axes[place].lines
        arrows = [each for each in lines if "downarrow" in str(each.get_marker())]
        heights = np.concatenate([np.asarray(each.get_ydata()) for each in arrows])
        assert heights == pytest.approx([limit] * 6)


def test_the_plan():
    assert "6 points, n = 4, 4096 draws each" in transition.plan(SMALL)
    for setup in (transition.FULL, transition.QUICK):
        assert all(case.experiment().count for case in transition._cases(setup))
