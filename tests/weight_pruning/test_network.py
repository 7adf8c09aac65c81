"""Whole networks by weight pruning: sums, masks, counts, chunks, resume, and the pruned network."""

import functools

import jax
import numpy as np
import pytest

from lottery_jax.core import keys
from lottery_jax.core.compat import make_mesh
from lottery_jax.montecarlo.store import Store, StoreError
from lottery_jax.weight_pruning import expanded, network, network_audit, weight_search
from tests.oracles import expanded_network as oracle
from tests.oracles.subset_sum import least_error

WIDTHS = (6, 5, 6)  # every neuron has 11 weights: few shapes to compile
# Masks are float64 sums of exact products here, and float32 results of exact integers there.
RTOL, ATOL = 2.0**-20, 2.0**-40


@pytest.fixture(autouse=True, scope="module")
def few_rows_at_once():
    """Searches of 2**14 sums would be nearly empty here."""
    with pytest.MonkeyPatch.context() as patch:
        stages = tuple((num_items, 2**6) for num_items, _ in weight_search.STAGES)
        patch.setattr(weight_search, "STAGES", stages)
        yield


@functools.cache
def target():
    generator = np.random.default_rng(0)
    shapes = zip(WIDTHS[1:], WIDTHS[:-1], strict=True)
    return tuple(generator.uniform(-0.9, 0.9, shape).astype(np.float32) for shape in shapes)


def prune(num_items, *, construction="independent", epsilon=0.01, seed=5, **settings):
    mesh = make_mesh(jax.devices()[:1])
    settings = {"law": "uniform", "mesh": mesh, "progress": False, **settings}
    return network.prune_network(
        target(),
        key=keys.root(seed),
        epsilon=epsilon,
        num_items=num_items,
        construction=construction,
        **settings,
    )


@functools.cache
def pruned(num_items, construction="independent", epsilon=0.01, law="uniform"):
    return prune(num_items, construction=construction, epsilon=epsilon, law=law)


def layers(result):
    """Weights that may be kept and kept edges [input, edge, output] of every layer."""
    found = []
    for layer, inputs in enumerate(WIDTHS[:-1]):
        block = expanded.draw_block(result.network, layer, range(inputs))
        bits = np.unpackbits(result.masks[layer], axis=2)[..., : result.network.num_edges]
        own = block.hidden[np.arange(inputs), :, np.arange(inputs)]
        found.append((own, block.output, bits.transpose(0, 2, 1).astype(bool)))
    return found


def weight_errors(result):
    """The error of every weight [output, input] as the masks have it, layer by layer."""
    return [
        np.maximum(*(np.abs(each - matrix) for each in oracle.responses(*layer)))
        for matrix, layer in zip(target(), layers(result), strict=True)
    ]


FIRST, LAST = weight_search.STAGES[0][0], weight_search.STAGES[-1][0]


# 32: every side has the 18 items of the first search. 12: few sides have. 2: most weights fail.
@pytest.mark.parametrize(
    ("num_items", "law"),
    [(32, "uniform"), (32, "product_normal"), (12, "uniform"), (2, "uniform")],
)
def test_sums_are_the_nearest_of_their_items(num_items, law):
    result = pruned(num_items, law=law)
    for matrix, (hidden, output, _), errors in zip(
        target(), layers(result), weight_errors(result), strict=True
    ):
        nearest = oracle.least_errors(hidden, output, matrix, FIRST)
        is_final = (nearest <= 0.01) | (num_items == 2)
        assert is_final.mean() > 0.4
        # Zeros in place of missing items leave the rounding of 28-bit integers undecided.
        atol = ATOL if num_items == 32 else 1e-6
        np.testing.assert_allclose(errors[is_final], nearest[is_final], rtol=RTOL, atol=atol)


def test_counts_are_those_of_the_masks():
    for num_items in (32, 12, 2):
        result = pruned(num_items)
        errors = np.concatenate([each.ravel() for each in weight_errors(result)])
        assert result.num_targets == errors.size == 60
        assert result.failed == np.sum(errors > 0.01)
        assert result.undecided == 0
        np.testing.assert_allclose(result.largest_error, errors.max(), rtol=RTOL)
        edges = sum(int(kept.sum()) for _, _, kept in layers(result))
        neurons = sum(int(kept.any(axis=2).sum()) for _, _, kept in layers(result))
        assert result.kept == edges + neurons == network_audit.count_kept(result)
        assert result.initial == 2 * num_items * (11 * 11)
    assert pruned(32).failed == 0
    assert pruned(2).failed > 20


def test_sums_that_do_not_do_are_searched_among_more_items():
    result = pruned(32, epsilon=1e-6)
    improved = 0
    for matrix, (hidden, output, _), errors in zip(
        target(), layers(result), weight_errors(result), strict=True
    ):
        first = oracle.least_errors(hidden, output, matrix, FIRST)
        last = oracle.least_errors(hidden, output, matrix, LAST)
        failed = errors > 1e-6
        # Each sum of a weight stops where it does: the other one is what failed.
        np.testing.assert_allclose(errors[failed], last[failed], rtol=RTOL, atol=ATOL)
        assert np.all(errors <= np.maximum(first, 1e-6) * (1 + RTOL) + ATOL)
        improved += np.sum((first > 1e-6) & ~failed)
    assert improved > 20


@pytest.mark.parametrize("law", expanded.LAWS)
def test_a_pool_gives_the_nearest_sums_of_all_its_items(law):
    result = pruned(10, construction="pool", law=law)
    items = expanded.pool(result.network)
    assert len(np.unique(items)) == 10
    total = 0
    for matrix, (_, output, kept) in zip(target(), layers(result), strict=True):
        np.testing.assert_array_equal(output, np.broadcast_to(items[None, :, None], output.shape))
        found = (np.float64(output) * kept).sum(axis=1).T
        nearest = np.vectorize(lambda weight: least_error(items, weight))(matrix)
        np.testing.assert_allclose(np.abs(found - matrix), nearest, rtol=RTOL, atol=ATOL)
        total += int(kept.sum())
    assert result.kept == total == network_audit.count_kept(result)
    assert result.initial == 10 * 60


@pytest.mark.parametrize(("construction", "num_items"), [("independent", 32), ("pool", 10)])
def test_the_audit_sees_the_network_and_not_the_sums(construction, num_items):
    result = pruned(num_items, construction)
    generator = np.random.default_rng(1)
    images, labels = generator.normal(size=(40, 6)), generator.integers(0, 6, 40)
    found = network_audit.audit(result, target(), images, labels)
    wanted = np.maximum(images @ np.float64(target()[0]).T, 0) @ np.float64(target()[1]).T
    if construction == "pool":
        after = images
        for number, (_, output, kept) in enumerate(layers(result)):
            matrix = (np.float64(output) * kept).sum(axis=1)
            after = (after if number == 0 else np.maximum(after, 0)) @ matrix
    else:
        after = oracle.outputs(layers(result), images)
        errors = np.concatenate([each.ravel() for each in weight_errors(result)])
        np.testing.assert_allclose(found.weight_error, errors.max(), rtol=1e-12)
    np.testing.assert_allclose(network_audit.evaluate(result, images), after, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.output_difference, np.abs(after - wanted).max(), rtol=1e-9)
    np.testing.assert_allclose(found.weight_error, result.largest_error, rtol=RTOL)
    assert found.accuracy_before == np.mean(wanted.argmax(axis=1) == labels)
    assert found.accuracy_after == np.mean(after.argmax(axis=1) == labels)


def test_the_audit_does_not_depend_on_the_parts(monkeypatch):
    images = np.random.default_rng(1).normal(size=(4, 6))
    whole = network_audit.evaluate(pruned(32), images)
    monkeypatch.setattr(network_audit, "BLOCK", 2)
    parts = list(network_audit.lift(pruned(32), 0))
    assert len(parts) == 3
    assert all(part.hidden.shape == (128, 6) and (part.hidden != 0).all() for part in parts)
    np.testing.assert_allclose(network_audit.evaluate(pruned(32), images), whole, atol=1e-12)


def test_one_wrong_edge_is_seen_by_the_audit():
    result = pruned(32)
    masks = [each.copy() for each in result.masks]
    masks[1][2, 1, 3] ^= 1
    images, labels = np.eye(6), np.zeros(6, int)
    wrong = network_audit.audit(result._replace(masks=tuple(masks)), target(), images, labels)
    right = network_audit.audit(result, target(), images, labels)
    assert wrong.weight_error > 5 * right.weight_error


def test_chunks_and_devices_do_not_matter(monkeypatch):
    whole = pruned(32)
    monkeypatch.setitem(network.CHUNK_SUMS, "independent", 1)
    for result in (prune(32), prune(32, mesh=make_mesh(jax.devices()[:3]))):
        assert len(network.chunks(result.network)) == 6 + 5
        for mask, wanted in zip(result.masks, whole.masks, strict=True):
            np.testing.assert_array_equal(mask, wanted)
        assert result._replace(seconds=0, masks=()) == whole._replace(seconds=0, masks=())


@pytest.mark.parametrize(("construction", "numbers"), [("independent", (2, 12)), ("pool", (3, 10))])
def test_a_random_network_is_the_beginning_of_a_larger_one(construction, numbers):
    few, many = (
        expanded.random_network(
            keys.root(0), WIDTHS, construction=construction, law="uniform", num_items=number
        )
        for number in numbers
    )
    some, more = (expanded.draw_block(each, 1, range(1, 4)) for each in (few, many))
    np.testing.assert_array_equal(some.hidden, more.hidden[:, : few.num_edges])
    np.testing.assert_array_equal(some.output, more.output[:, : few.num_edges])


def test_weights_are_independent_and_products_are_exact():
    wide = expanded.random_network(
        keys.root(0), (16, 16, 16), construction="independent", law="uniform", num_items=8
    )
    drawn = []
    for layer in (0, 1):
        block = expanded.draw_block(wide, layer, range(16))
        product = np.float64(block.output) * np.float64(block.own(range(16)))[..., None]
        np.testing.assert_array_equal(np.float32(product), product)
        drawn += [block.hidden.ravel(), block.output.ravel()]
    drawn = np.concatenate(drawn).astype(np.float64)
    assert np.abs(drawn).max() <= 1
    # 12 significant bits leave 2**13 or so values of either sign: nothing else makes them repeat.
    assert len(np.unique(drawn)) > 8_000
    # The mean square of n uniform numbers errs by sqrt(4 / 45 / n), their mean by sqrt(1 / 3 / n).
    assert abs(np.mean(drawn**2) - 1 / 3) < 5 * (4 / 45 / drawn.size) ** 0.5
    assert abs(np.mean(drawn)) < 5 * (1 / 3 / drawn.size) ** 0.5
    correlations = np.corrcoef(drawn.reshape(-1, 16).T) - np.eye(16)
    assert np.abs(correlations).max() < 6 / (drawn.size / 16) ** 0.5


class StoppedError(Exception):
    """Something ended the run from outside."""


def test_a_run_that_was_stopped_goes_on(tmp_path, monkeypatch):
    monkeypatch.setitem(network.CHUNK_SUMS, "independent", 20)
    path = tmp_path / "rows.jsonl"
    run, calls = network._run, []

    def stops(*arguments):
        calls.append(arguments[1:3])
        if len(calls) == 3:
            raise StoppedError
        return run(*arguments)

    monkeypatch.setattr(network, "_run", stops)
    with pytest.raises(StoppedError):
        prune(32, store=path)
    assert [row["chunk"] for row in Store(path).rows()] == [0, 1]
    told = []
    result = prune(32, store=Store(path), progress=lambda done, of: told.append((done, of)))
    assert len(set(calls)) == len(calls) - 1  # only the one that was stopped ran twice
    assert told[-1] == (60, 60)
    for mask, wanted in zip(result.masks, pruned(32).masks, strict=True):
        np.testing.assert_array_equal(mask, wanted)
    number, text = len(calls), path.read_text()
    again = prune(32, store=path)
    assert (len(calls), path.read_text()) == (number, text)
    assert again._replace(masks=()) == result._replace(masks=())
    for changed in ({"epsilon": 0.02}, {"seed": 6}, {"law": "product_normal"}):
        calls[:] = calls[:2]
        with pytest.raises(StoppedError):  # nothing stored serves another question
            prune(32, store=path, **changed)


def test_rows_of_one_target_never_serve_another(tmp_path):
    path, settings = tmp_path / "rows.jsonl", {"construction": "pool", "num_items": 10}
    prune(**settings, store=path)
    other = [-matrix for matrix in target()]
    settings.update(key=keys.root(5), epsilon=0.01, progress=False)
    found = network.prune_network(other, **settings, store=path)
    fresh = network.prune_network(other, **settings)
    for mask, wanted in zip(found.masks, fresh.masks, strict=True):
        np.testing.assert_array_equal(mask, wanted)


def test_a_store_that_is_none_is_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_text("epsilon,width\n")
    with pytest.raises(StoreError, match="not a row of counts"):
        prune(10, construction="pool", store=tmp_path / "rows.jsonl")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"num_items": 0}, "num_items=0 must be an integer from 1 to 128"),
        ({"num_items": 27, "construction": "pool"}, "from 1 to 26"),
        ({"num_items": 5, "construction": "tree"}, "construction='tree'"),
        ({"num_items": 5, "law": "normal"}, "law='normal'"),
        ({"num_items": 5, "epsilon": 0.0}, "finite and positive"),
    ],
)
def test_settings_outside_their_range_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        prune(**settings)


def test_default_items_stay_within_the_range():
    for construction, most in expanded.MAX_ITEMS.items():
        found = [network.default_items(epsilon, construction) for epsilon in (1e3, 0.01, 1e-30)]
        assert found == sorted(found)
        assert (found[0] >= 1, found[-1]) == (True, most)
    with pytest.raises(ValueError, match="construction='tree'"):
        network.default_items(0.01, "tree")


@pytest.mark.parametrize(
    "weights",
    [
        [],
        [np.zeros(3)],
        [np.zeros((0, 3))],
        [np.zeros((2, 3)), np.zeros((4, 3))],
        [np.full((2, 3), np.nan)],
        [np.full((2, 3), 1e300)],
    ],
)
def test_matrices_that_are_no_network_are_refused(weights):
    with pytest.raises(ValueError, match=r"follow|finite"):
        network.prune_network(weights, key=keys.root(0), epsilon=0.01, progress=False)
