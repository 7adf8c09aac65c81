"""`lottery-jax limit`: what it prints and writes, what it goes on from, what it refuses."""

import contextlib
import csv
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax import cli, training
from lottery_jax.core import keys
from lottery_jax.core.records import Records
from lottery_jax.limit import network, network_rows
from lottery_jax.spectrum.products import gauss_newton
from lottery_jax.training import Recipe

SMALL = network.Setup(
    hidden=(8,), recipe=Recipe(0.1, l1=1e-3, epochs=4), products=40, passes=(2,), points=5
)
NOTED: dict = {"losses": 0, "batches": []}  # losses made, sizes of batches swept over in a run
FILES = {"limit.csv", "limit_sweep.csv", "limit_layers.csv", "limit.jsonl", "limit.png"}


@pytest.fixture
def lottery(capsys):
    """Run a command line; gives its exit code and what it prints to both streams."""

    def run(*arguments):
        code = cli.main([*map(str, arguments), "--silent"])
        return code, *capsys.readouterr()

    return run


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(network, "QUICK", SMALL)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of one run, and what it printed."""
    folder = tmp_path_factory.mktemp("limit")
    split_loss, sweep = network_rows.split_loss, network_rows.measuring.sweep

    def noted_loss(*arguments):
        NOTED["losses"] += 1
        return split_loss(*arguments)

    def noted_sweep(mean, params, batches, *arguments, **options):
        NOTED["batches"].extend(len(labels) for _, labels in batches)
        return sweep(mean, params, batches, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.setattr(network, "QUICK", SMALL)
        patch.setattr(network_rows, "split_loss", noted_loss)
        patch.setattr(network_rows.measuring, "sweep", noted_sweep)
        assert cli.main(["limit", "--quick", "--silent", "--out", str(folder)]) == 0
    return folder, out.getvalue()


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_one_run_trains_predicts_measures_and_draws(finished):
    folder, out = finished
    names = {path.name for path in folder.iterdir()}
    assert names >= FILES
    assert sum(name.startswith("training-") for name in names) == 1
    limits = rows_of(folder / "limit.csv")
    predicted = [row["name"] for row in limits if row["how"] == "predicted"]
    assert predicted == ["paper", "generic", "displacement", "reoptimised", "one-shot"]
    assert sum(row["how"] == "measured" for row in limits) == 5
    for row in limits:
        assert 0 <= float(row["low"]) <= float(row["removed"]) <= float(row["high"]) <= 1
        assert row["name"] in out
    sweep = rows_of(folder / "limit_sweep.csv")
    assert [float(row["sparsity"]) for row in sweep] == [0, 0.25, 0.5, 0.75, 1]
    # Everything removed: ten classes alike, but for a bias of the last layer.
    assert float(sweep[-1]["test_accuracy"]) < 0.2
    layers = rows_of(folder / "limit_layers.csv")
    assert sum(int(row["size"]) for row in layers) == 64 * 8 + 8 * 10


def test_a_second_run_trains_and_measures_nothing(lottery, finished, monkeypatch):
    folder, out = finished
    kept = (folder / "limit.jsonl").read_bytes()

    def refuse(*arguments, **options):
        raise AssertionError("this was measured before")

    monkeypatch.setattr(network_rows.measuring, "one_shot_limit", refuse)
    monkeypatch.setattr(network_rows.measuring, "reoptimised_limit", refuse)
    monkeypatch.setattr(network_rows.measuring, "sweep", refuse)
    monkeypatch.setattr("lottery_jax.training.fitting._runner", lambda *arguments: refuse)
    assert lottery("limit", "--quick", "--out", folder) == (0, out, "")
    assert (folder / "limit.jsonl").read_bytes() == kept


def test_other_settings_are_another_run_and_only_some_train_again():
    trains = [SMALL._replace(recipe=SMALL.recipe._replace(l1=1e-4)), SMALL._replace(hidden=(9,))]
    asks = [
        SMALL._replace(epsilon=0.1),
        SMALL._replace(products=41),
        SMALL._replace(points=7),
        SMALL._replace(passes=(3,)),
    ]

    def names(of):
        found = {of(setup, keys.root(0)) for setup in (SMALL, *trains, *asks)}
        return len(found | {of(SMALL, keys.root(1))})

    assert names(network.identity) == 8
    assert names(network.training_identity) == 4


def test_functions_are_made_once_and_images_come_in_small_batches(finished):
    """Every function made anew would be compiled anew; all images at once would not fit."""
    del finished
    assert NOTED["losses"] == 1
    assert max(NOTED["batches"]) == 512


@pytest.fixture(scope="module")
def briefly():
    """A network, how it is after a few epochs, and the digits."""
    dataset, model = network.load(SMALL)
    return model, training.fit(keys.root(3), model, SMALL.recipe, dataset, progress=False), dataset


def test_results_and_spectra_are_named_by_the_weights(briefly, tmp_path):
    model, state, dataset = briefly
    trained = network_rows.judged(model, state, dataset)
    moved = jax.tree.map(lambda leaf: leaf * 1.5, state.params)
    other = network_rows.judged(model, state._replace(params=moved), dataset)
    again = network_rows.judged(model, state, dataset)
    assert trained.digest == again.digest != other.digest
    records = Records(tmp_path / "limit.jsonl")
    first, second = (
        network_rows.sweep_rows(each, points=2, records=records) for each in (trained, other)
    )
    assert first[0].train_loss != second[0].train_loss
    assert network_rows.sweep_rows(again, points=2, records=records) == first


def test_held_out_rows_are_judged_by_held_out_images(briefly):
    model, state, dataset = briefly
    trained = network_rows.judged(model, state, dataset)
    rows = network_rows.measured_rows(trained, epsilon=0.1, batch=128, passes=())
    limits = {row.name: (row.removed, row.low, row.high) for row in rows}
    images = {
        "held-out": (dataset.test_images, dataset.test_labels),
        "training": (dataset.train_images, dataset.train_labels),
    }
    for judge, given in images.items():
        batches = network_rows.cut(*given, 32)
        loss = training.loss(model, state.state)
        direct = network_rows.measuring.one_shot_limit(loss, state.params, batches, epsilon=0.1)
        assert limits[f"one-shot, {judge} loss"] == (direct.limit, direct.low, direct.high)
    assert limits["one-shot, held-out loss"] != limits["one-shot, training loss"]


def test_gauss_newton_is_the_curvature_that_is_asked_for(briefly, monkeypatch):
    trained = network_rows.judged(*briefly)
    setup = SMALL._replace(negative="gauss_newton", products=16, examples=256)
    taken: list = []

    def take(*given, **options):
        taken.extend([*given, options])
        raise LookupError

    monkeypatch.setattr(network, "predict", take)
    with pytest.raises(LookupError):
        network.predict_trained(setup, trained, key=keys.root(0))
    loss, params, batches, options = taken
    assert options["negative"] == "gauss_newton"
    direct = training.loss(briefly[0], briefly[1].state)
    matrix = gauss_newton(loss.outputs, loss.of_outputs, params, batches)
    vector = jnp.ones((1, matrix.size))
    assert float(jnp.vdot(vector, matrix @ vector)) > 0
    batch = jax.tree.map(jnp.asarray, batches[0])
    assert float(loss(params, batch)) == float(direct(params, batch))
    assert [len(labels) for _, labels in batches] == [128, 128]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--epsilon", "0"], "epsilon=0.0 must be a positive loss"),
        (["--epsilon", "small"], "'small' is neither a loss nor deviation"),
        (["--hidden", "8,x"], "'8,x' is not a list like 100,60"),
        (["--hidden", "0"], "must be widths of at least 1"),
        (["--hidden", "8", "--model", "cnn"], "is for 'mlp'"),
        (["--model", "vgg"], "invalid choice: 'vgg'"),
        (["--model", "resnet18", "--data", "/nowhere.tar.gz"], "/nowhere.tar.gz"),
        (["--data", "mnist"], "mnist"),
        (["--l1", "-1"], "l1=-1.0 must be at least 0"),
        (["--learning-rate", "0"], "learning_rate=0.0 must be positive"),
        (["--batch", "5000"], "batch=5000 must lie between 1 and 1442"),
        (["--products", "1"], "products=1 must be 16 or more"),
        (["--negative", "none"], "invalid choice: 'none'"),
        (["--examples", "100"], "compares whole batches of 128 images, of which 100 images make 0"),
        (["--batch", "1000"], "of which 1442 images make 1; take 2000 images or more"),
        (["--seed", "-1"], "seed=-1"),
    ],
)
def test_wrong_arguments_get_one_sentence(lottery, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    code, out, err = lottery("limit", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("lottery-jax: ")
    assert err.count("\n") == 1
    assert reason in err
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_dry_run_says_what_would_be_run(lottery, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = lottery("limit", "--dry-run")
    assert code == 0
    assert "100 epochs of 12 batches of 128" in out
    for examples, batches in (("100000", 12), ("300", 3)):
        _, out, _ = lottery("limit", "--dry-run", "--examples", examples)
        assert f"each a pass over {batches} batches" in out
    assert lottery("limit", "--dry-run", "--examples", "100", "--epsilon", "0.1")[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_file_of_results_is_refused(lottery, tmp_path):
    (tmp_path / "limit.jsonl").write_text("something else\n")
    code, out, err = lottery("limit", "--quick", "--out", tmp_path)
    assert (code, out) == (2, "")
    assert "is not a result; name another folder with --out" in err


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_numbers(tmp_path):
    """kill -9 while it trains, estimates and measures; CPU results are the same to the bit."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}

    def start(folder):
        words = ["limit", "--quick", "--epochs", "40", "--silent", "--out", str(folder)]
        command = [sys.executable, "-m", "lottery_jax.cli", *words]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait() == 0
    kills = 0
    for wait in (9, 12, 15, 18, 21, 600):
        process = start(killed)
        try:
            assert process.wait(timeout=wait) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            time.sleep(0.1)
    assert kills >= 2
    for name in ("limit.csv", "limit_sweep.csv", "limit_layers.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    for name in (path.name for path in whole.glob("training-*.npz")):
        with np.load(whole / name) as first, np.load(killed / name) as second:
            assert all(np.array_equal(first[key], second[key]) for key in first.files)
