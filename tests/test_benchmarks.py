"""The rivals of the benchmarks give right answers: on small instances, those of enumeration."""

import importlib.util
import itertools

import numpy as np
import pytest

from benchmarks import (
    rivals,
    rivals_neurons,
    rivals_process,
    rivals_proof,
    rivals_vectors,
    solvers,
)
from benchmarks.cases import CASES
from benchmarks.extras import how_to_install, needs
from benchmarks.timing import Checked, Missing, Rival, compare
from tests.oracles.broken_bins import largest_gap


def have(package):
    found = importlib.util.find_spec(package) is not None
    return pytest.mark.skipif(not found, reason=f"{package} is in the extra `bench`")


def every_sum(items):
    masks = itertools.product((0, 1), repeat=len(items))
    return np.array([np.tensordot(mask, items, 1) for mask in masks])


def draw_numbers(num_items, batch=20):
    rng = np.random.default_rng(num_items)
    items = rng.normal(size=(batch, num_items)) * 10.0 ** rng.integers(-1, 2, (batch, num_items))
    items[0], items[1] = np.abs(items[0]), np.round(items[1])  # positive; equal sums
    targets = rng.normal(size=batch)
    targets[1] = np.round(targets[1])
    least = [np.abs(every_sum(row) - goal).min() for row, goal in zip(items, targets, strict=True)]
    return items, targets, np.array(least)


@pytest.mark.parametrize("num_items", [2, 5, 8])
def test_numpy_sums(num_items):
    items, targets, least = draw_numbers(num_items)
    close = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(rivals.nearest_sums(items, targets), least, **close)
    pairs = zip(items, targets, strict=True)
    np.testing.assert_allclose([rivals.nearest_sum(*pair) for pair in pairs], least, **close)
    pool = [np.abs(every_sum(items[0]) - goal).min() for goal in targets]
    np.testing.assert_allclose(rivals.nearest_in_pool(items[0], targets), pool, **close)


@have("numba")
@pytest.mark.parametrize("name", ["merge", "merge_mirrored", "merge_mirrored_parallel"])
def test_native_sums(name):
    from benchmarks import native_sums

    for num_items in (2, 5, 8):
        items, targets, least = draw_numbers(num_items)
        errors = getattr(native_sums, name)(items, targets)
        np.testing.assert_allclose(errors, least, rtol=0, atol=1e-12)


def radius(items, low, high):
    """The farthest of the ends and of the middles of neighbours that lie in the interval."""
    sums = np.unique(every_sum(items))
    middles = (sums[1:] + sums[:-1]) / 2
    farthest = [low, high, *middles[(middles >= low) & (middles <= high)]]
    return max(np.abs(sums - target).min() for target in farthest)


INTERVALS = [(-3.0, 2.5), (-0.5, 0.5), (0.01, 0.02), (-30.0, 30.0), (25.0, 26.0), (-26.0, -25.0)]


@pytest.mark.parametrize(("low", "high"), INTERVALS)
def test_numpy_gap(low, high):
    for items in draw_numbers(6)[0]:
        assert rivals.largest_gap(items, low, high) == pytest.approx(radius(items, low, high))


@have("numba")
def test_native_gap(monkeypatch):
    from benchmarks import native_gaps

    for most in (14, 0):  # all sums sorted; then cells
        monkeypatch.setattr(native_gaps, "_SORTED", most)
        for items, (low, high) in itertools.product(draw_numbers(8)[0], INTERVALS):
            expected = radius(items, low, high)
            assert native_gaps.radius(items, low, high) == pytest.approx(expected)


def draw_vectors(num_items, dim, seed=0):
    rng = np.random.default_rng(seed)
    items = rng.normal(size=(num_items, dim)).astype(np.float32).astype(np.float64)
    target = rng.normal(size=dim).astype(np.float32).astype(np.float64)
    return items, target


def check_all_subsets(least_error):
    for seed in range(5):
        items, target = draw_vectors(9, 3, seed)
        least = np.abs(every_sum(items) - target).max(axis=1).min()
        assert least_error(items, target) == pytest.approx(least, rel=1e-5)


def test_numpy_vectors(monkeypatch):
    check_all_subsets(rivals_vectors.nearest_of_all)
    monkeypatch.setattr(rivals_vectors, "_rounded", lambda *_: 100.0)  # nothing known beforehand
    check_all_subsets(rivals_vectors.nearest_of_all)


@have("numba")
def test_native_depth_first(monkeypatch):
    from benchmarks import native_depth_first

    check_all_subsets(native_depth_first.least_error)
    monkeypatch.setattr(native_depth_first, "_local", lambda *_: np.float32(100.0))
    check_all_subsets(native_depth_first.least_error)


def of_four(items, target):
    """Every subset of at most 4 items, with its error."""
    for size in range(5):
        for subset in itertools.combinations(range(len(items)), size):
            yield subset, np.abs(items[list(subset)].sum(axis=0) - target).max()


def check_of_four(within, nearest):
    for seed in range(3):
        items, target = draw_vectors(10, 4, seed)
        target = target * (seed > 0)  # to zero the empty subset is nearest
        errors = dict(of_four(items, target))
        tolerance = float(np.median(list(errors.values()))) / 2
        assert within(items, target, tolerance) == {s for s in errors if errors[s] <= tolerance}
        assert nearest(items, target) == pytest.approx(min(errors.values()), rel=1e-5, abs=1e-6)


def test_numpy_of_four():
    check_of_four(rivals_vectors.of_four_within, rivals_vectors.of_four_nearest)


def test_numpy_of_two_and_of_three():
    finders = {2: rivals_vectors.within_two, 3: rivals_vectors.within_three}
    for seed, (most, within) in itertools.product(range(3), finders.items()):
        items, target = draw_vectors(10, 2, seed)
        errors = {s: error for s, error in of_four(items, target) if len(s) <= most}
        tolerance = float(np.quantile(list(errors.values()), 0.2))
        found = itertools.chain.from_iterable(within(items, target, np.full(2, tolerance)))
        subsets = {tuple(int(item) for item in row if item < 10) for row in found}
        assert subsets == {s for s in errors if errors[s] <= tolerance}


@have("numba")
def test_native_of_four(monkeypatch):
    from benchmarks import native_pairs

    check_of_four(native_pairs.within, native_pairs.least_error)
    monkeypatch.setattr(native_pairs, "_greedy", lambda *_: np.float32(100.0))
    check_of_four(native_pairs.within, native_pairs.least_error)


@pytest.mark.parametrize("max_kept", [None, 2])
def test_highs(max_kept):
    check_solver(lambda *args: solvers.highs(*args, seconds=20, max_kept=max_kept), max_kept)


@have("ortools")
@pytest.mark.parametrize("max_kept", [None, 2])
def test_cp_sat(max_kept):
    how = {"seconds": 20, "workers": 1, "max_kept": max_kept}
    check_solver(lambda *args: solvers.cp_sat(*args, **how), max_kept)


def check_solver(solve, max_kept):
    items, target = draw_vectors(7, 3)
    kept = np.array(list(itertools.product((0, 1), repeat=7))).sum(axis=1)
    errors = np.abs(every_sum(items) - target).max(axis=1)[kept <= (max_kept or 7)]
    found = solve(items, target)
    assert found.is_proved
    assert found.error == pytest.approx(errors.min(), abs=1e-5)  # 7 items rounded to 2**-20


@have("prtpy")
def test_partition():
    rng = np.random.default_rng(0)
    for share in (0.2, 0.5, 0.9):
        items = rng.integers(1, 1000, 8)
        target = int(share * items.sum())
        least = np.abs(every_sum(items) - target).min()
        assert solvers.partition(items, target).error == least


def test_neurons_in_the_plane():
    """With four neurons, at most 4 kept is any number kept."""
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(60):
        hidden, output = rng.normal(size=(4, 2)), rng.normal(size=4)
        tolerance = rng.uniform(0.1, 1.1)
        answers.append(rivals_neurons.has_any(hidden, output, tolerance))
        assert answers[-1] == rivals_neurons.has_four(hidden, output, tolerance)
    assert 5 < sum(answers) < 55


def test_few_neurons_in_the_plane():
    """Of k neurons, at most k kept is any number kept."""
    rng = np.random.default_rng(1)
    few = {1: rivals_neurons.has_one, 2: rivals_neurons.has_two, 3: rivals_neurons.has_three}
    for number, has in few.items():
        answers = []
        for _ in range(100):
            hidden, output = rng.normal(size=(number, 2)), rng.normal(size=number)
            hidden[0] = [1, rng.normal() / 3]  # near to the target often enough
            tolerance = rng.uniform(0.1, 1.0)
            answers.append(has(hidden, output, tolerance))
            assert answers[-1] == rivals_neurons.has_any(hidden, output, tolerance)
        assert 5 < sum(answers) < 95


def test_masked_neurons():
    """Two neurons: none of their weights, or one of three choices, on many points of the circle."""
    rng = np.random.default_rng(2)
    angles = np.linspace(0, 2 * np.pi, 4000)
    points = np.stack([np.cos(angles), np.sin(angles)])
    answers = []
    for _ in range(60):
        hidden, output, angle = rng.normal(size=(2, 2)), rng.normal(size=2), rng.uniform(0, 6)
        target = np.array([np.cos(angle), np.sin(angle)])
        errors = []
        for masks in itertools.product(itertools.product((0, 1), repeat=2), repeat=2):
            values = output @ np.maximum((hidden * masks) @ points, 0)
            errors.append(np.abs(values - np.maximum(target @ points, 0)).max())
        for tolerance in (min(errors) * 0.99, min(errors) * 1.01):
            answers.append(rivals_neurons.has_masked(hidden, output, target, tolerance))
    assert answers == [False, True] * 60


def test_gaps():
    """The largest gap between the hulls, in exact arithmetic: of rows of kinks, and of one bin."""
    rng = np.random.default_rng(3)
    places, jumps = rng.uniform(-0.5, 1.5, size=(50, 6)), rng.normal(size=(50, 6))
    found = rivals_proof.gaps(places, jumps, np.zeros(50), np.ones(50))
    for place, jump, gap in zip(places, jumps, found, strict=True):
        exact = pytest.approx(float(largest_gap(place, jump, 0, 1)), abs=1e-12)
        inside = sorted((p, j) for p, j in zip(place, jump, strict=True) if 0 < p < 1)
        assert gap == exact
        assert not inside or rivals_process._gap(inside, 0.0, 1.0) == exact


def test_suprema_in_the_plane():
    """Never below those of many points of the circle, and hardly above."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 20_000)
    points = np.stack([np.cos(angles), np.sin(angles)])
    for _ in range(20):
        hidden, output = rng.normal(size=(5, 2)), rng.normal(size=5)
        masks = rng.random((8, 5)) < 0.5
        values = (masks * output) @ np.maximum(hidden @ points, 0) - np.maximum(points[0], 0)
        sampled = np.abs(values).max(axis=1)
        exact = rivals_neurons._plane_suprema(hidden, output, masks)
        assert (exact >= sampled - 1e-12).all()
        # The steepest form turns by less than a step between two points.
        assert (exact <= sampled + 2e-4 * np.abs(hidden).sum() * np.abs(output).max() + 4e-4).all()


def test_weights():
    items, targets = [np.array([0.5, 0.25]), np.array([1.0])], np.array([0.7, 0.9])
    assert rivals.has_weights(items, targets, 0.11)
    assert not rivals.has_weights(items, targets, 0.09)


def test_rows():
    def rival(name, answer):
        agree = lambda mine, theirs: Checked(1, mine == theirs)  # noqa: E731
        return Rival(name, lambda: answer, 2, agree, compiles=True)

    rivals_ = [rival("same", 3), Missing("none", "nothing"), rival("other", 4)]
    same, missing, other = compare("three", work="run", ours=lambda: 3, units=1, rivals=rivals_)
    assert (same.agree, other.agree, same.checked) == (True, False, 1)
    assert same.ratio > 0
    assert isinstance(missing, Missing)


def test_missing_package():
    (missing,) = needs("no_such_package", "Rival", lambda: pytest.fail("must not be made"))
    assert "pip install" in how_to_install(missing)


def test_a_limit_is_noted():
    solved = [solvers.Solved(1.0, True), solvers.Solved(2.0, False)]
    checked = solvers.check_solved(np.array([1.0, 1.5]), solved, 1e-6)
    assert checked.agree
    assert "1 of 2" in checked.note
    assert not solvers.check_solved(np.array([1.0, 2.5]), solved, 1e-6).agree


COUNTS = {
    "process": (rivals_process, "processes"),
    "families": (rivals_proof, "families"),
    "chain": (rivals_proof, "chain"),
    "kinks": (rivals_proof, "single_kinks"),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case == "kinks")) for case in COUNTS]
)
def test_counts_of_the_studies(case, monkeypatch):
    """Ours and those of NumPy agree; one count too many is noticed, and twice as many by chance."""
    rows = list(CASES[case]("quick"))
    assert [row.agree for row in rows] == [True] * len(rows)
    right = getattr(*COUNTS[case])

    def one_more(*args, **settings):
        counts = right(*args, **settings)
        name = list(counts)[-1]
        counts[name] = np.array(counts[name])
        counts[name][(0,) * counts[name].ndim] += 1
        return counts

    def twice(*args, **settings):
        return {name: 2 * np.asarray(each) for name, each in right(*args, **settings).items()}

    for wrong, expected in ((one_more, [False, True]), (twice, [False, False])):
        monkeypatch.setattr(*COUNTS[case], wrong)
        assert [row.agree for row in itertools.islice(CASES[case]("quick"), 2)] == expected


@pytest.mark.slow
@pytest.mark.parametrize("case", ["corners", "exponents"])
def test_trials_of_the_studies(case, monkeypatch):
    rows = list(CASES[case]("quick"))
    assert [row.agree for row in rows] == [True] * len(rows)
    for name in ("has_masked", "has_one", "has_two", "has_three"):
        right = getattr(rivals_neurons, name)
        wrong = lambda *args, right=right: right(*args[:-1], 0.9 * args[-1])  # noqa: E731
        monkeypatch.setattr(rivals_neurons, name, wrong)
    assert not any(row.agree for row in CASES[case]("quick"))
