"""The study of the processes: its rows are its counts, and its verdicts follow the limits."""

import ast
import re

import numpy as np
import pytest

from lottery_jax.core import enable_x64, keys
from lottery_jax.montecarlo import Store
from lottery_jax.neuron_pruning import birth_death, process
from lottery_jax.neuron_pruning.process_replay import Address, replay
from lottery_jax.proof import process as study
from lottery_jax.proof import process_rows, process_verdicts

# The programs are those of tests/neuron_pruning/test_process.py where both run in one process.
SMALL = study.Setup(
    cases=(study.Case(length=0.5, constant=0.1, cap=2, steps=30, trials=8192),), pilot=4096
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("process") / "counts.jsonl")
    return store, study.measure(SMALL, key=keys.root(1), store=store, progress=False)


def _only(rows, what, name, at=None):
    (row,) = (
        row for row in rows if row.what == what and row.process == name and at in (None, row.at)
    )
    return row


def test_violations_of_lemma_4_are_counted_and_one_is_shown(run):
    rows = run[1]
    own, copy = (_only(rows, "above", name) for name in ("own", "copy"))
    assert own.low > 0
    assert own.hits + copy.hits == own.hits
    path = _only(rows, "path", "own")
    original, capped = _printed(path.text)
    assert capped[-1] > original[-1]
    assert all(low <= high for low, high in zip(capped[:-1], original[:-1], strict=True))
    steps = np.diff([original, capped], axis=1)
    assert set(steps.ravel().tolist()) <= {-1, 0, 1}


def _printed(text):
    """The two paths that a row prints."""
    found = re.search(r": ([\d ]+); own: ([\d ]+)$", text)
    assert found is not None
    return [[int(each) for each in part.split()] for part in found.groups()]


def test_the_path_is_found_again_from_what_is_printed(run):
    """Nothing but the row's text and the run's key: no chances of a pilot."""
    text = _only(run[1], "path", "own").text
    found = re.search(
        r"^(chunk \d+, lane \d+) of process\.experiment(\(.*\)), from step (\d+)", text
    )
    assert found is not None
    address, given, start = found.groups()
    call = ast.parse(f"f{given}", mode="eval").body
    assert isinstance(call, ast.Call)
    settings = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    chunk, lane = (int(number) for number in re.findall(r"\d+", address))
    with enable_x64():
        _, path = replay(process.experiment(**settings), Address(chunk, lane), key=keys.root(1))
    for process_, printed in zip((path.original, path.own), _printed(text), strict=True):
        assert process_[int(start) :].tolist()[: len(printed)] == printed


def test_the_bounds_are_those_of_the_chain(run):
    rows = run[1]
    p, q = (_only(rows, what, "own", 1).bound for what in ("up", "down"))
    assert 0 < q < p
    for row in rows:
        if row.what == "zero":
            assert row.bound == birth_death.law(p, q, 2, row.at)[0]
    # The coupled chain follows the law of Definition 4 as far as "own" follows its state alone.
    chain = _only(rows, "zero", "chain", 30)
    assert 0.7 < (chain.hits / chain.trials) / chain.bound < 1.3
    assert _only(rows, "above", "chain").hits == 0


def test_rates_have_limits_from_independent_chunks(run):
    """Visits of one path are not independent: the limits are wider than binomial ones."""
    rows = run[1]
    row = _only(rows, "up", "own", 1)
    share = row.hits / row.trials
    binomial = 2 * 3.89 * np.sqrt(share * (1 - share) / row.trials)
    assert row.low < share < row.high
    assert 0.9 * binomial < row.high - row.low < 10 * binomial
    assert process_rows.ratio_limits(np.zeros(5, int), np.zeros(5, int)) == (0.0, 1.0)
    low, high = process_rows.ratio_limits(np.array([5, 5, 5]), np.array([10, 10, 10]))
    assert low == high == 0.5


def test_cells_are_those_of_the_paths(run):
    """All visits of a state that has cells are in one of them, and none in two."""
    rows = run[1]
    for what in ("up", "down"):
        cells = [row for row in rows if row.what == f"{what} in steps"]
        for state in {row.at for row in cells}:
            of_state = [row for row in cells if row.at == state]
            whole = _only(rows, what, "own", state)
            assert sum(row.trials for row in of_state) == whole.trials
            assert sum(row.hits for row in of_state) == whole.hits
            steps = [tuple(map(int, row.text.split(" to "))) for row in of_state]
            later = [first for first, _ in steps[1:]]
            assert later == [last + 1 for _, last in steps[:-1]]
            assert steps[-1][1] == 30
    first = next(row for row in cells if row.at == 1)
    assert (first.text, first.trials) == ("1 to 1", 8192)


def test_cells_pool_thin_steps():
    visits = np.zeros((6, 3, 4), int)
    visits[:, 0, 1] = (0, 400, 400, 400, 900, 50)
    visits[:, 1, 1] = (1000, 1000, 0, 0, 0, 0)
    visits[:, 2, 1] = 100
    assert process_rows.cells(visits) == [(0, 1, 5), (1, 0, 0), (1, 1, 5)]
    visits[5, 0, 1] = 100
    assert process_rows.cells(visits)[:2] == [(0, 1, 3), (0, 4, 5)]


def test_p_and_q_are_beyond_every_cell():
    """Not only beyond the average over the steps: one step has most of the repairs."""
    moves = np.zeros((64, 9, 4), np.int64)
    moves[:10, 1] = (10, 1690, 300, 0)
    moves[2, 1] = (100, 1780, 100, 20)
    chain, cells = process_rows.choose_chain(
        process_rows.Counts(1, {"own_moves": moves}, {}, 0.0), 2, 10
    )
    assert [cell.first for cell in cells] == list(range(10))
    assert chain.q >= 1.25 * 0.05
    assert chain.p <= 0.85 * 0.06


def test_the_verdicts(run):
    found = {each.lemma: each.verdict for each in study.verdicts(run[1])}
    assert found["Lemma 4, path by path, own configuration"] == "fails"
    assert found["Lemma 4, path by path, copied moves"] == "undecided"  # too few paths
    assert found["Lemma 5, own configuration"] != "fails"
    assert found["Lemma 5, p, copied moves"] != "holds"
    assert found["Lemma 5, q"] == "holds with other constants"


def test_verdicts_follow_the_limits(run):
    """Rows that say the opposite turn the verdicts round."""
    changed = []
    for row in _supported(run[1]):
        if row.what == "above":
            row = row._replace(hits=0, low=0.0, high=1e-4)
        if row.what == "zero":
            row = row._replace(low=0.9, high=0.95)
        if row.what == "zero in one alone":
            row = row._replace(low=0.1, high=0.2)
        if row.what == "up" and row.process == "copy beyond":
            row = row._replace(low=0.0, high=0.001)
        changed.append(row)
    assert _judged(changed) == {
        "Lemma 4, path by path, own configuration": "holds",
        "Lemma 4, path by path, copied moves": "holds",
        "Lemma 4, own configuration": "fails",
        "Lemma 5, own configuration": "fails",
        "Lemma 5, copied moves": "fails",
        "Lemma 5, p, copied moves": "fails",
        "Lemma 5, q": "holds with other constants",
    }


def _judged(rows):
    return {each.lemma: each.verdict for each in study.verdicts(rows)}


def _measured(rows, lemma):
    return next(each.measured for each in study.verdicts(rows) if each.lemma == lemma)


def _supported(rows):
    """The rows, but for cells: these all respect p and q."""
    limits = {"up in steps": (0.9, 1.0), "down in steps": (0.0, 0.001)}
    return [
        row._replace(low=limits[row.what][0], high=limits[row.what][1])
        if row.what in limits
        else row
        for row in rows
    ]


def _with_cell(rows, what, low, high):
    """The rows, with other limits of one cell in the middle."""
    number = [n for n, row in enumerate(rows) if row.what == what][20]
    return [row._replace(low=low, high=high) if n == number else row for n, row in enumerate(rows)]


def test_lemma_5_needs_p_and_q_to_bound_every_cell(run):
    below = [row._replace(low=0.0, high=1e-9) if row.what == "zero" else row for row in run[1]]
    below = [row._replace(bound=0.5) if row.what == "zero" else row for row in _supported(below)]
    own = "Lemma 5, own configuration"
    assert _judged(below)[own] == "holds"
    p, q = (_only(below, what, "own", 1).bound for what in ("up", "down"))
    for what, low, high, said in (
        ("down in steps", q / 2, 2 * q, "undecided"),
        ("down in steps", 2 * q, 3 * q, "contradicted"),
        ("up in steps", p / 2, 2 * p, "undecided"),
        ("up in steps", p / 3, p / 2, "contradicted"),
    ):
        changed = _with_cell(below, what, low, high)
        assert process_verdicts.premise(changed) == said
        assert _judged(changed)[own] == "undecided"
        assert "in 0 of 1 cases" in _measured(changed, own)
    unknown = [row for row in below if not row.what.endswith("in steps")]
    assert process_verdicts.premise(unknown) == "undecided"


def test_points_that_cannot_tell_are_counted(run):
    rows = _supported(run[1])
    zero = [row for row in rows if row.what == "zero" and row.process == "own"]
    telling = {row.at for row in zero[:3]}
    rows = [
        row._replace(bound=0.5 if row.at in telling else 1e-6, low=0.0, high=0.1)
        if row.what == "zero"
        else row
        for row in rows
    ]
    own = "Lemma 5, own configuration"
    assert f"3 of {len(zero)} points there can tell" in _measured(rows, own)
    assert _judged(rows)[own] == "holds"


def test_one_frequent_repair_in_any_case_is_enough_against_q(run):
    rows = run[1]
    other = [row._replace(cap=1, steps=31) for row in rows]
    assert _judged([*rows, *other])["Lemma 5, q"] == "holds with other constants"
    much = process_verdicts.mass(other[0])
    for low, high, judged in (
        (much / 2, much * 1.1, "undecided"),
        (much * 1.1, much * 1.2, "fails"),
    ):
        changed = [*rows, *_with_cell(other, "down in steps", low, high)]
        assert _judged(changed)["Lemma 5, q"] == judged
        assert f"{much / high:.3g} times" in _measured(changed, "Lemma 5, q")


def test_lemma_4_is_judged_at_all_steps_of_all_cases(run):
    lemma = "Lemma 4, own configuration"
    clear = [
        row._replace(low=0.6, high=0.9) if row.what == "zero in one alone" else row
        for row in run[1]
    ]
    assert _judged(clear)[lemma] == "holds"
    number = [n for n, row in enumerate(clear) if row.what == "zero in one alone"][4]
    for low, high, judged in ((0.4, 0.6, "holds"), (0.1, 0.49, "fails")):
        changed = list(clear)
        changed[number] = clear[number]._replace(low=low, high=high, trials=5)
        assert _judged(changed)[lemma] == judged
        assert "of 5 paths" in _measured(changed, lemma)
    open_ = [
        row._replace(low=0.4, high=0.9) if row.what == "zero in one alone" else row
        for row in run[1]
    ]
    assert _judged(open_)[lemma] == "undecided"


def test_a_case_without_violations_does_not_hide_a_wide_limit(run):
    quiet = [row._replace(low=0.0, high=1e-4) if row.what == "above" else row for row in run[1]]
    wide = [
        row._replace(cap=1, high=0.01) if row.what == "above" else row._replace(cap=1)
        for row in quiet
    ]
    lemma = "Lemma 4, path by path, own configuration"
    assert _judged(quiet)[lemma] == "holds"
    for rows in ([*quiet, *wide], [*wide, *quiet]):
        assert _judged(rows)[lemma] == "undecided"


def test_a_resumed_run_gives_the_same_rows(run):
    store, rows = run
    size = store.path.stat().st_size
    assert study.measure(SMALL, key=keys.root(1), store=store, progress=False) == rows
    assert store.path.stat().st_size == size


def test_the_text_and_the_figure(run):
    rows = run[1]
    text = study.describe(rows)
    own = _only(rows, "above", "own")
    assert f"{own.hits} of {own.trials} paths" in text
    assert _only(rows, "path", "own").text in text
    left = study.draw(rows)
    (law,) = (line for line in left.get_lines() if "exact" in line.get_label())
    assert law.get_ydata()[-1] == _only(rows, "zero", "chain", 30).bound
    lowest = left.get_ylim()[0]
    shares = [row.hits / row.trials or row.high for row in rows if row.what == "zero"]
    assert min(shares) / 3 < lowest < min(shares)
    assert "20480 paths" in study.plan(study.QUICK)


def test_a_pilot_that_is_too_small_is_refused():
    nothing = process_rows.Counts(1, {"own_moves": np.zeros((64, 9, 4), np.int64)}, {}, 0.0)
    with pytest.raises(ValueError, match=r"1000 times; give it more paths"):
        process_rows.choose_chain(nothing, 2, 30)


def test_the_bound_on_q_is_the_mass_of_the_central_bins(run):
    row = run[1][0]
    draws = np.random.default_rng(0).standard_cauchy(10**6)
    share = np.mean(np.abs(draws) <= row.cap * row.length / 2)
    assert abs(process_verdicts.mass(row) - share) < 4e-3
