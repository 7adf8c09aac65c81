"""A training that is killed and goes on ends with the bits of one that never was."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

# Arguments: the checkpoint, the file of the weights.
PROGRAM = """
import sys
import jax
import numpy as np
from lottery_jax import data, models, training
from lottery_jax.core import keys

model = models.build("mlp", input_shape=(8, 8, 1), num_classes=10)
recipe = training.Recipe(0.05, l1=1e-4, epochs=1500)
trained = training.fit(
    keys.root(3), model, recipe, data.load("digits"),
    checkpoint=sys.argv[1], checkpoint_every=20, progress=False,
)
np.savez(sys.argv[2], *jax.tree.leaves((trained.params, trained.memory)))
"""


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    def command(name):
        return [sys.executable, "-c", PROGRAM, tmp_path / f"{name}.npz", tmp_path / f"{name}-w.npz"]

    subprocess.run(command("whole"), check=True)
    moments, kills = np.random.default_rng(0), 0
    for _ in range(4):
        # Killed some steps after its first new checkpoint, so that every life gets further.
        before = stamp(tmp_path / "killed.npz")
        process = subprocess.Popen(command("killed"))
        while stamp(tmp_path / "killed.npz") == before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.3))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills >= 3
    assert not (tmp_path / "killed-w.npz").exists()
    subprocess.run(command("killed"), check=True)
    with np.load(tmp_path / "whole-w.npz") as whole, np.load(tmp_path / "killed-w.npz") as killed:
        assert len(whole.files) == 20
        for name in whole.files:
            np.testing.assert_array_equal(killed[name], whole[name])


def stamp(path):
    return path.stat().st_mtime_ns if path.exists() else None
