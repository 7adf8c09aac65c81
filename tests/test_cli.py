"""The command line: what it prints and writes, and what it says to wrong arguments."""

import json
import subprocess
import sys

import pytest

from lottery_jax import cli, curves, experiments, gap, rss
from lottery_jax.arguments import STUDIES
from lottery_jax.montecarlo import Store, collect
from lottery_jax.precision import HEADLINE, transition
from lottery_jax.proof import STUDIES as STEPS
from lottery_jax.proof import chain

ONE = ["run", "single_neuron", "--dim", "2", "--epsilons", "0.5,1.0", "--trials", "24576"]
SMALL = (curves.Curve("neuron", "linear", 2, (0.6, 0.5), 100, 12, 1.15),)


@pytest.fixture
def lottery(capsys):
    """Run a command line; gives its exit code and what it prints to both streams."""

    def run(*arguments):
        silent = (
            ["--silent"]
            if arguments[:1] in (("run",), ("gap",), ("proof",), ("quantized",), ("features",))
            else []
        )
        code = cli.main([*map(str, arguments), *silent])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counts.jsonl"


@pytest.fixture
def small_gap(monkeypatch):
    monkeypatch.setattr(gap, "QUICK", SMALL)


NEURON = ["run", "neuron_pruning", "--dim", "2", "--width", "4", "--epsilons", "0.5"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([*NEURON, "--epsilons", "-0.1"], "epsilons"),
        ([*NEURON, "--epsilons", "0"], "must be finite and positive"),
        ([*NEURON, "--epsilons", "nan"], "must be finite and positive"),
        ([*NEURON, "--epsilons", "0.1,0.1"], "distinct"),
        ([*NEURON, "--epsilons", "small"], "'small' is not a list like 0.4,0.2,0.1"),
        ([*NEURON, "--width", "0"], "width=0 must lie between 1 and 65536"),
        ([*NEURON, "--width", "ten"], "invalid int value: 'ten'"),
        ([*NEURON, "--dim", "1"], "neuron pruning equals weight pruning"),
        ([*NEURON, "--radius", "-2"], "radius=-2.0 must be positive"),
        ([*NEURON, "--max-kept", "65"], "max_kept=65 must lie between 1 and 64"),
        ([*NEURON, "--output", "sigmoid"], "invalid choice: 'sigmoid'"),
        ([*NEURON, "--trials", "0"], "trials=0 must be a positive integer"),
        ([*NEURON, "--seed", "4294967296"], "seed=4294967296"),
        ([*NEURON, "--seed", "-1"], "seed=-1"),
        ([*NEURON, "--shard", "3/2"], "'3/2' is not one of 0/N, 1/N"),
        ([*NEURON, "--shard", "half"], "'half' is not one of 0/N, 1/N"),
        ([*NEURON, "--trials", "1", "--shard", "1/2"], "use 0 <= i < n <= 1"),
        ([*NEURON, "--epsilons", "-0.1", "--dry-run"], "epsilons"),
        (["run", "neuron_pruning", "--dim", "2", "--width", "4"], "--epsilons"),
        (["run", "weight_pruning", "--dim", "0", "--width", "4", "--epsilons", "0.5"], "dim=0"),
        (["run", "edge_pruning"], "invalid choice: 'edge_pruning'"),
        (["prune"], "invalid choice: 'prune'"),
        ([], "COMMAND"),
        (["gap", "--seed", "5e9"], "invalid int value: '5e9'"),
        (["proof", "--seed", "-1"], "seed=-1"),
        (["run", "chain", "--epsilons", "0.1"], "unrecognized arguments: --epsilons 0.1"),
        (["run", "chain", "--quick", "--seed", "-1"], "seed=-1"),
        (["gap", "--quick", "--seed", str(2**32)], f"seed={2**32}"),
        (["info", "absent.jsonl"], "absent.jsonl does not exist"),
        (["plot", "absent.jsonl"], "absent.jsonl does not exist"),
        (["plot", "absent.csv"], "absent.csv is not a table of widths"),
        (["merge", "all.jsonl", "absent.jsonl"], "absent.jsonl cannot be read"),
    ],
)
def test_wrong_arguments_get_one_sentence(lottery, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    check_refused(*lottery(*arguments), reason)
    code, out, err = lottery("rss", "--dry-run")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) >= sum(len(curve.epsilons) for curve in rss.FULL)
    assert list(tmp_path.iterdir()) == []


def check_refused(code, out, err, reason):
    assert code == 2
    assert out == ""
    assert err.startswith("lottery-jax: ")
    assert err.count("\n") == 1
    assert reason in err


def test_a_file_that_is_no_store_is_refused(lottery, path):
    path.write_text("epsilon,width\n0.1,75\n")
    for arguments in ([*ONE, "--out", path], ["info", path], ["plot", path], ["merge", path, path]):
        check_refused(*lottery(*arguments), f"{path}:1 is not a row of counts")
    assert path.read_text() == "epsilon,width\n0.1,75\n"


def test_places_that_cannot_be_written_are_refused(lottery, tmp_path):
    file = tmp_path / "file"
    file.touch()
    check_refused(*lottery(*ONE, "--out", tmp_path), "name a file in an existing folder")
    check_refused(*lottery(*ONE, "--out", tmp_path / "no" / "s.jsonl"), "an existing folder")
    check_refused(*lottery("gap", "--quick", "--out", file), str(file))
    check_refused(*lottery("gap", "--quick", "--out", file / "below"), "Not a directory")


def test_a_store_of_something_else_is_refused(lottery, path, tmp_path, small_gap):
    lottery(*ONE, "--quick", "--out", path)
    before = path.read_text()
    code, out, err = lottery(*NEURON, "--out", path)
    check_refused(code, out, err, "holds the counts of single_neuron, not of neuron_pruning")
    path.rename(tmp_path / "gap.jsonl")
    check_refused(*lottery("gap", "--quick", "--out", tmp_path), "the counts of another experiment")
    assert (tmp_path / "gap.jsonl").read_text() == before


def test_a_picture_that_cannot_be_drawn_is_refused(lottery, path, tmp_path):
    lottery(*ONE, "--quick", "--out", path)
    check_refused(*lottery("plot", path, "--out", tmp_path / "no" / "a.png"), "No such file")
    check_refused(*lottery("plot", path, "--out", tmp_path / "a.xyz"), "xyz")


def test_rows_that_disagree_are_refused_by_name(lottery, path, tmp_path):
    lottery(*ONE, "--out", path)
    other = tmp_path / "other.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1]["hits"][0] += 1
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = path.read_text()
    check_refused(*lottery("merge", path, other), f"{path}:2 and {other}:2 disagree about chunk 1")
    assert path.read_text() == before


def test_the_process_exits_with_2_and_without_a_traceback():
    command = [sys.executable, "-m", "lottery_jax.cli", *NEURON, "--width", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    check_refused(done.returncode, done.stdout, done.stderr, "width=0")


def test_running_twice_prints_and_stores_the_same(lottery, path):
    first = lottery(*ONE, "--out", path)
    rows = path.read_text()
    assert rows.count("\n") == 3
    assert first[0] == 0
    assert "single_neuron (dim=2, radius=2.0): 24576 trials, 95 % exact limits" in first[1]
    assert lottery(*ONE, "--out", path) == first
    assert path.read_text() == rows
    assert lottery(*ONE) == first
    assert lottery(*ONE, "--seed", "1") != first


def test_an_interrupted_run_goes_on_where_it_stopped(lottery, path, tmp_path, monkeypatch):
    whole = lottery(*ONE, "--out", tmp_path / "whole.jsonl")
    run_success = collect.run_success

    def interrupted(experiment, key, number, **arguments):
        if number == 2:
            raise KeyboardInterrupt
        return run_success(experiment, key, number, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(collect, "run_success", interrupted)
        code, out, err = lottery(*ONE, "--out", path)
        assert (code, out) == (130, "")
        assert err.endswith("stored, and the same command goes on from there\n")
        assert "--out" in lottery(*ONE)[2]  # without a store there is nothing to go on from
    assert [row["chunk"] for row in Store(path).rows()] == [0, 1]
    assert lottery(*ONE, "--out", path) == whole
    assert [row["chunk"] for row in Store(path).rows()] == [0, 1, 2]


def test_shards_merge_to_the_whole(lottery, path, tmp_path):
    shards = [tmp_path / f"{number}.jsonl" for number in range(3)]
    for number, shard in enumerate(shards):
        lottery(*ONE, "--out", shard, "--shard", f"{number}/3")
    assert lottery("merge", path, *shards) == (0, f"{path}: 3 rows, 3 of them new\n", "")
    rows = path.read_text()
    assert lottery("merge", path, path, *shards) == (0, f"{path}: 3 rows, 0 of them new\n", "")
    assert path.read_text() == rows
    assert lottery(*ONE, "--out", path) == lottery(*ONE)
    assert path.read_text() == rows


def test_a_torn_line_is_a_warning(lottery, path):
    whole = lottery(*ONE, "--out", path)
    path.write_bytes(path.read_bytes()[:-20])
    code, out, err = lottery(*ONE, "--out", path)
    assert (code, out) == whole[:2]
    assert err.startswith(f"lottery-jax: warning: {path}:3 is torn and ignored")


def test_dry_runs_say_what_they_would_do_and_write_nothing(lottery, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = lottery(*NEURON, "--trials", "3000", "--out", "s.jsonl", "--dry-run")[1]
    assert "3 chunks of 1024 draws" in out
    assert "2 chunks" in lottery(*NEURON, "--trials", "3000", "--shard", "0/2", "--dry-run")[1]
    assert "1 accuracies, 1 chunks" in lottery(*NEURON, "--quick", "--dry-run")[1]
    code, out, err = lottery("gap", "--dry-run")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 3 + sum(len(curve.epsilons) for curve in gap.FULL)
    assert list(tmp_path.iterdir()) == []


def test_list_names_every_experiment_with_its_settings(lottery):
    out = lottery("list")[1]
    assert "lottery-jax run neuron_pruning --dim DIM --width WIDTH [--radius 2.0]" in out
    assert out.count("lottery-jax run ") == len(experiments.CATALOGUE) + len(STUDIES)


def test_info_describes_the_machine_and_a_store(lottery, path):
    assert "devices: cpu:0" in lottery("info")[1]
    lottery(*ONE, "--out", path)
    header, row = lottery("info", path)[1].splitlines()
    assert " ".join(header.split()) == "id experiment kind settings epsilons chunks trials seconds"
    assert " ".join(row.split()[1:-1]) == "single_neuron success dim=2 radius=2.0 2 3 24576"


def test_a_store_is_plotted(lottery, path):
    lottery(*ONE, "--out", path)
    assert lottery("plot", path) == (0, f"written: {path.with_suffix('.png')}\n", "")
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    picture = path.with_suffix(".svg")
    assert lottery("plot", path, "--out", picture)[0] == 0
    assert picture.read_text().startswith("<?xml")


def test_gap_writes_table_rows_and_figure_and_repeats_itself(
    lottery, tmp_path, small_gap, monkeypatch
):
    folder = tmp_path / "new" / "gap"
    first = lottery("gap", "--quick", "--out", folder)
    assert first[0] == 0
    curve = "neuron pruning, linear output, d = 2, at most 4 kept"
    assert f"{curve}: width grows like (1/epsilon)^a, a = " in first[1]
    assert {file.name for file in folder.iterdir()} == {"gap.csv", "gap.jsonl", "gap.png"}
    header, *table = (folder / "gap.csv").read_text().splitlines()
    assert header.startswith("pruning,output,dim,epsilon,radius,max_kept,probability,width,")
    for epsilon, line in zip((0.6, 0.5), table, strict=True):
        assert line.startswith(f"neuron,linear,2,{epsilon},1.0,4,0.5,1")
        assert line.endswith(",upper")
    texts = {name: (folder / name).read_bytes() for name in ("gap.csv", "gap.jsonl")}

    monkeypatch.delattr(collect, "run_first_width")  # nothing is left to run
    assert lottery("gap", "--quick", "--out", folder) == first
    assert {name: (folder / name).read_bytes() for name in texts} == texts
    assert lottery("plot", folder / "gap.csv", "--out", folder / "again.png")[0] == 0
    assert (folder / "again.png").read_bytes() == (folder / "gap.png").read_bytes()
    assert "no success counts" in lottery("plot", folder / "gap.jsonl")[2]


def test_a_study_writes_rows_figure_and_words_and_repeats_itself(lottery, tmp_path, monkeypatch):
    folder = tmp_path / "chain"
    first = lottery("run", "chain", "--quick", "--out", folder)
    assert first[0] == 0
    assert {file.name for file in folder.iterdir()} == {"chain.csv", "chain.jsonl", "chain.png"}
    monkeypatch.delattr("lottery_jax.montecarlo.collect.run_counts")  # nothing is left to run
    assert lottery("run", "chain", "--quick", "--out", folder) == first
    check_refused(*lottery("run", "kinks", "--out", folder / "chain.csv"), "File exists")
    (folder / "chain.jsonl").rename(folder / "kinks.jsonl")
    check_refused(*lottery("run", "kinks", "--quick", "--out", folder), "another experiment")


def test_dry_runs_of_studies_say_what_they_would_do(lottery, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in STUDIES:
        code, out, err = lottery("run", name, "--dry-run")
        assert (code, err) == (0, "")
        assert len(out) > 40
    assert all(f"{name}: " in lottery("proof", "--dry-run")[1] for name in STEPS)
    assert all(f"{name}: " in lottery("quantized", "--dry-run")[1] for name in HEADLINE)
    assert "features_error: " in lottery("features", "--dry-run")[1]
    assert list(tmp_path.iterdir()) == []


def test_quantized_runs_its_studies_into_one_folder(lottery, tmp_path, monkeypatch):
    monkeypatch.setattr("lottery_jax.precision.HEADLINE", {transition.NAME: transition})
    small = transition.QUICK._replace(sizes=(8,), kappas=(0.5, 0.7, 0.9, 1.1))
    monkeypatch.setattr(transition, "QUICK", small)
    code, out, err = lottery("quantized", "--quick", "--out", tmp_path)
    assert (code, err) == (0, "")
    assert out.startswith(transition.QUESTION)
    names = [f"{transition.NAME}.{end}" for end in ("csv", "jsonl", "png")]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert all(str(tmp_path / name) in out for name in names)
    counts = (tmp_path / f"{transition.NAME}.jsonl").read_bytes()
    assert lottery("quantized", "--quick", "--out", tmp_path)[1] == out
    assert (tmp_path / f"{transition.NAME}.jsonl").read_bytes() == counts


def test_the_proof_is_one_table_of_all_studies(lottery, tmp_path, monkeypatch):
    monkeypatch.setattr("lottery_jax.proof.table.STUDIES", {"chain": chain})
    code, out, err = lottery("proof", "--quick", "--out", tmp_path)
    assert (code, err) == (0, "")
    assert "lottery-jax run chain" in out.replace("\n", " ")
    assert "statements; holds: " in out
    assert out.endswith(": chain\n")
    assert {"verdicts.csv", "chain.csv", "chain.png", "chain.jsonl"} == {
        file.name for file in tmp_path.iterdir()
    }
    header, *lines = (tmp_path / "verdicts.csv").read_text().splitlines()
    assert header == "lemma,claim,measured,verdict,command"
    assert lines
