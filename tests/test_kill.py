"""A run that is killed again and again ends with the counts of one that never was."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from lottery_jax.montecarlo.store import Store, merge_stores

KILLS = 20
COMMAND = [sys.executable, "-m", "lottery_jax.cli", "run", "neuron_pruning", "--dim", "2"]
COMMAND += ["--width", "16", "--radius", "1", "--epsilons", "0.2,0.4", "--trials", "250000"]
COMMAND += ["--silent"]


def counts(store: Store) -> dict:
    return {
        row["chunk"]: (row["hits"], row["undecided"], row["trials"], row["id"])
        for row in store.rows()
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torn and ignored")
def test_killed_at_twenty_random_moments(tmp_path):
    whole = tmp_path / "whole.jsonl"
    start = time.monotonic()
    printed = subprocess.run([*COMMAND, "--out", whole], check=True, capture_output=True)
    duration = time.monotonic() - start

    moments = random.Random(0)
    killed = tmp_path / "killed.jsonl"
    progress = []
    for _ in range(KILLS):
        process = subprocess.Popen(
            [*COMMAND, "--out", killed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.05, 0.25) * duration)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run ended before it was killed"
        progress.append(len(Store(killed).rows()) if killed.exists() else 0)
    assert progress == sorted(progress), "a counted chunk was lost"
    assert progress[-1] > progress[0], "no kill came after new chunks"

    resumed = subprocess.run([*COMMAND, "--out", killed], check=True, capture_output=True)
    assert resumed.stdout == printed.stdout
    assert counts(Store(killed)) == counts(Store(whole))
    lines = [json.loads(line) for line in killed.read_text().splitlines()]
    assert len(lines) == len({(line["id"], line["chunk"]) for line in lines}), "a chunk ran twice"
    assert counts(Store(killed)) == {
        row["chunk"]: (row["hits"], row["undecided"], row["trials"], row["id"])
        for row in merge_stores([killed, killed, whole])
    }
