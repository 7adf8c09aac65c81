"""`lottery-jax network`: what it prints and writes, what it goes on from, what it refuses."""

import csv
import json

import numpy as np
import pytest

from lottery_jax import cli, network_run
from lottery_jax.weight_pruning import network, weight_search

POOL = ["network", "--quick", "--data", "digits", "--construction", "pool", "--items", "12"]


@pytest.fixture
def lottery(capsys):
    """Run a command line; gives its exit code and what it prints to both streams."""

    def run(*arguments):
        code = cli.main([*map(str, arguments), "--silent"])
        return code, *capsys.readouterr()

    return run


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(network_run, "QUICK", network_run.Setup(hidden=8, epochs=20))
    stages = tuple((num_items, 2**9) for num_items, _ in weight_search.STAGES)
    monkeypatch.setattr(weight_search, "STAGES", stages)


def check_refused(code, out, err, reason):
    assert code == 2
    assert out == ""
    assert err.startswith("lottery-jax: ")
    assert err.count("\n") == 1
    assert reason in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--epsilon", "0"], "finite and positive"),
        (["--epsilon", "nan"], "finite and positive"),
        (["--epsilon", "small"], "invalid float value: 'small'"),
        (["--items", "0"], "num_items=0 must be an integer from 1 to"),
        (["--construction", "pool", "--items", "27"], "num_items=27 must be an integer from 1 to"),
        (["--law", "normal"], "invalid choice: 'normal'"),
        (["--construction", "tree"], "invalid choice: 'tree'"),
        (["--data", "mnist"], "invalid choice: 'mnist'"),
        (["--seed", "-1"], "seed=-1"),
        (["--items", "0", "--dry-run"], "num_items=0"),
    ],
)
def test_wrong_arguments_get_one_sentence(lottery, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    check_refused(*lottery("network", *arguments), reason)
    assert list(tmp_path.iterdir()) == []


def test_both_constructions_keep_the_accuracy(lottery, tmp_path):
    folder = tmp_path / "new" / "network"
    code, out, err = lottery("network", "--quick", "--data", "digits", "--out", folder)
    assert (code, err) == (0, "")
    assert "A 64-8-10 network trained on digits, each of its 592 weights\n" in out
    with open(folder / "network.csv", newline="") as file:
        rows = {row["construction"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["independent", "pool"]
    for row in rows.values():
        assert float(row["accuracy_before"]) > 0.7
        assert row["accuracy_after"] == row["accuracy_before"]
        assert row["failed"] == row["undecided"] == "0"
        assert 0 < float(row["largest_error"]) <= 0.01
        assert 0 < int(row["kept"]) < int(row["initial"])
    assert rows["independent"]["initial"] == str(80 * (64 * (64 + 8) + 8 * (8 + 10)))
    assert rows["pool"]["initial"] == str(21 * 592)
    lines = [json.loads(line) for line in (folder / "network.jsonl").read_text().splitlines()]
    assert sum(line["trials"] for line in lines) == 2 * 592


def test_a_repeated_run_computes_nothing_and_says_the_same(lottery, tmp_path, monkeypatch):
    first = lottery(*POOL, "--out", tmp_path)
    assert first[0] == 0
    names = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name.split("-")[0] for name in names} == {"network.csv", "network.jsonl", "weights"}
    monkeypatch.delattr(network, "_run")
    monkeypatch.delattr(network_run.training, "train")
    assert lottery(*POOL, "--out", tmp_path) == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == names


def test_an_interrupted_run_goes_on_where_it_stopped(lottery, tmp_path, monkeypatch):
    whole = lottery(*POOL, "--out", tmp_path / "whole")[1]
    monkeypatch.setitem(network.CHUNK_SUMS, "pool", 80)
    run, done = network._run, []

    def interrupted(*arguments):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(arguments[1:3])
        return run(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(network, "_run", interrupted)
        code, out, err = lottery(*POOL, "--out", tmp_path / "parts")
    assert (code, out) == (130, "")
    assert err.endswith("stored, and the same command goes on from there\n")
    rows = (tmp_path / "parts" / "network.jsonl").read_text()
    assert rows.count("\n") == 4
    code, out, _ = lottery(*POOL, "--out", tmp_path / "parts")
    assert code == 0
    assert (tmp_path / "parts" / "network.jsonl").read_text().startswith(rows)
    # Only the time differs: the last word of the row in the table.
    assert [line.split()[:-1] for line in out.splitlines()[:5]] == [
        line.split()[:-1] for line in whole.splitlines()[:5]
    ]


def test_weights_that_fail_are_reported(lottery, tmp_path):
    out = lottery(*POOL, "--epsilon", "1e-6", "--out", tmp_path)[1]
    with open(tmp_path / "network.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert 0 < int(row["failed"]) <= 592
    assert float(row["largest_error"]) > 1e-6
    assert row["failed"] in out


def test_files_of_something_else_are_refused(lottery, tmp_path):
    lottery(*POOL, "--out", tmp_path)
    (weights,) = tmp_path.glob("weights-*.npz")
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    check_refused(*lottery(*POOL, "--out", tmp_path), "remove it to train again")
    np.savez(weights, np.zeros((3, 64), np.float32), np.zeros((10, 3), np.float32))
    check_refused(*lottery(*POOL, "--out", tmp_path), "remove it to train again")
    store = tmp_path / "network.jsonl"
    store.write_text("widths\n")
    check_refused(*lottery(*POOL, "--out", tmp_path), "is not a row of counts")
    store.write_text('{"id": "00", "chunk": 0, "kind": "success", "hits": [1], "undecided": [0]}\n')
    check_refused(*lottery(*POOL, "--out", tmp_path), "the counts of another experiment")
    check_refused(*lottery(*POOL, "--out", store), "File exists")


def test_dry_runs_write_nothing(lottery, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = lottery("network", "--dry-run")
    assert (code, err) == (0, "")
    assert "397000" in out
    assert "100932480" in out
    assert list(tmp_path.iterdir()) == []


def test_the_rows_are_described_by_info(lottery, tmp_path, capsys):
    lottery(*POOL, "--out", tmp_path)
    assert cli.main(["info", str(tmp_path / "network.jsonl")]) == 0
    assert "construction=pool law=uniform num_items=12 widths=64-8-10" in capsys.readouterr().out
