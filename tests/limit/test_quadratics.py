"""The study of random quadratic losses: rows that read back, and words that follow the rows."""

import pytest
from matplotlib.axes import Axes

from lottery_jax.core import root
from lottery_jax.core.records import Records
from lottery_jax.limit import quadratics
from lottery_jax.limit.quadratics_report import FORMS
from lottery_jax.limit.quadratics_rows import Case, Point, Row
from lottery_jax.pruning_limit.known_spectra import SPECTRA
from lottery_jax.pruning_limit.quadratics import LAWS

SMALL = quadratics.Setup(
    cases=(
        Case("isotropic", 100, "gaussian", 0.3),
        Case("i^-1", 100, "gaussian", 0.1),
        Case("two-level", 100, "laplace", 0.3, lean=-0.5),
        Case("i^-1", 100, "gaussian", 0.1, is_rotated=False),
    ),
    points=(Point("generic c", "i^-1", 100, 0.0),),
    draws=2,
    cone_draws=50,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("quadratics") / "limit_quadratics.jsonl"


@pytest.fixture(scope="module")
def rows(path):
    return quadratics.measure(SMALL, key=root(0), store=Records(path), progress=False)


def test_rows_hold_limits_and_cones(rows):
    isotropic, _, _, axes, point = rows
    assert [row.size for row in rows] == [100] * 5
    for row in rows[:4]:
        assert row.draws == 2
        for limit in (row.existence, row.one_shot, *(getattr(row, form) for form in FORMS)):
            assert 0 < limit < 1
        assert row.existence >= row.one_shot
    # Exactly: the kept weights cannot help without curvature between them and the removed ones.
    for row in (isotropic, axes):
        assert row.existence == row.one_shot
    assert isotropic.reoptimised == isotropic.existence
    assert isotropic.reoptimised_sd == 0
    assert point.draws == 0
    assert point.existence is None
    assert all(abs(row.cone - row.cone_second) < 4.9 * row.cone_error for row in rows)


def test_a_second_run_reads_the_store(rows, path):
    calls = []
    before = path.read_bytes()
    again = quadratics.measure(
        SMALL, key=root(0), store=Records(path), progress=lambda *call: calls.append(call)
    )
    assert again == rows
    assert path.read_bytes() == before
    assert calls[-1] == (5, 5)


def test_an_interrupted_run_goes_on(rows, path, tmp_path):
    """The rows of a case depend on the case and the key alone, not on what came before."""
    store = Records(tmp_path / "half.jsonl")
    first = SMALL._replace(cases=SMALL.cases[2:3])
    quadratics.measure(first, key=root(0), store=store, progress=False)
    last = SMALL._replace(cases=SMALL.cases[1:3], points=())
    assert quadratics.measure(last, key=root(0), store=store, progress=False) == rows[1:3]
    other = quadratics.measure(last, key=root(1), store=store, progress=False)
    assert other[0].existence != rows[1].existence


def test_the_setups_are_what_the_issue_asks_for():
    rotated = [case for case in quadratics.FULL.cases if case.is_rotated]
    assert sum(case.spectrum != "isotropic" for case in rotated) >= 12
    assert any(case.spectrum == "isotropic" for case in rotated)
    for case in (*quadratics.FULL.cases, *quadratics.QUICK.cases):
        assert case.spectrum in SPECTRA
        assert case.law in LAWS
        assert 200 <= case.size <= 1000
    names = [repr(case) for case in quadratics.FULL.cases]
    assert len(set(names)) == len(names)
    assert "18 cases exactly, and 2000 projections" in quadratics.plan(quadratics.FULL)


def test_the_figure_has_all_forms(rows):
    ax = quadratics.draw(rows)
    assert isinstance(ax, Axes)
    labels = ax.get_legend_handles_labels()[1]
    assert set(labels) == {*FORMS, "one-shot limit"}


def test_the_tables_show_every_row(rows):
    text = quadratics.describe(rows)
    for row in rows:
        assert row.case in text
    assert "in 2 cases that are rotated and not isotropic" in text


def test_the_paragraph_follows_the_rows(rows):
    """Rows that say the opposite turn every conclusion round."""

    def change(row: Row, **given) -> Row:
        return row._replace(**given)

    right = [
        change(row, **dict.fromkeys(FORMS, row.existence)) if row.draws else row for row in rows
    ]
    text = quadratics.describe(right)
    assert "paper in 2, generic in 2, displacement in 2, reoptimised in 2" in text
    for clause in ("displacement is too high", "It is too low for", "needs directions", "failures"):
        assert clause not in text.split("Within")[1], clause

    high = [change(row, displacement=row.existence + 0.1) if row.draws else row for row in right]
    text = quadratics.describe(high)
    assert "displacement in 0, reoptimised in 2" in text
    assert "displacement is off by +0.100 at most" in text
    assert "of its 2 failures 2 are too high" in text
    largest = max(row.existence for row in rows[1:3])
    assert f"in cases with limits up to {largest:.3f}" in text
    assert "It is too low for" not in text

    low = [change(row, displacement=row.existence - 0.1) if row.draws else row for row in right]
    text = quadratics.describe(low)
    assert "of its 2 failures 0 are too high" in text
    assert f"It is too low for {rows[1].case}; {rows[2].case}" in text

    off = [change(row, cone_second=row.cone + 10 * row.cone_error) for row in rows]
    assert "next term at 0 of 5 points" in quadratics.describe(off)
    assert quadratics.describe(rows).count("optimising the kept weights does not help") == 2
    helped = [change(row, one_shot=row.existence - 0.2) if row.draws else row for row in rows]
    text = quadratics.describe(helped)
    assert "optimising the kept weights helps" in text
    assert "does not help" not in text
    assert "The one-shot limit lies 0.200 to 0.200 below" in text
    shot = [change(row, one_shot=row.paper) if row.draws else row for row in rows]
    assert "within 0.03 of it: paper in 2, generic" in quadratics.describe(shot)
    control = [*rows[:3], change(rows[3], reoptimised=rows[3].existence + 0.2), rows[4]]
    assert "every form needs directions that are random" in quadratics.describe(control)
