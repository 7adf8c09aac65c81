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

import numpy as np
import pytest

from lottery_jax import cli
from lottery_jax.core import keys
from lottery_jax.limit import network, network_rows
from lottery_jax.training import Recipe

SMALL = network.Setup(
    hidden=(8,), recipe=Recipe(0.1, l1=1e-3, epochs=4), products=40, passes=(2,), points=5
)
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
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.setattr(network, "QUICK", SMALL)
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


def test_other_settings_are_another_run():
    others = [
        SMALL._replace(recipe=SMALL.recipe._replace(l1=1e-4)),
        SMALL._replace(hidden=(9,)),
        SMALL._replace(epsilon=0.1),
        SMALL._replace(products=41),
    ]
    names = {network.identity(setup, keys.root(0)) for setup in (SMALL, *others)}
    assert len(names | {network.identity(SMALL, keys.root(1))}) == 6


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
