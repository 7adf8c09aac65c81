"""A killed run goes on to the same bits, and takes the memory that was said."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

RUN = """
import sys, time
import jax, jax.numpy as jnp, numpy as np
from lottery_jax.core import keys
from lottery_jax.spectrum import Operator, estimate_spectrum

def product(values, vectors):
    time.sleep(float(sys.argv[2]))
    return values[None] * vectors + jnp.sum(vectors, axis=1, keepdims=True)

operator = Operator(9000, product, jnp.geomspace(1e-4, 10, 9000), False, True)
path = None if sys.argv[1] == "none" else sys.argv[1]
spectrum = estimate_spectrum(operator, key=keys.root(4), products=160, checkpoint=path)
np.savez(sys.argv[3], nodes=spectrum.nodes, weights=spectrum.weights)
"""

PEAK = """
import sys
import jax.numpy as jnp
from lottery_jax.spectrum import diagonal, lanczos
from lottery_jax.spectrum.memory import memory_of

size, steps = int(sys.argv[1]), int(sys.argv[2])
small = diagonal(jnp.linspace(0, 1, 100, dtype=jnp.float32))
lanczos.extend(small, lanczos.begin(small, jnp.ones((1, 100))), steps)
operator = diagonal(jnp.linspace(0, 1, size, dtype=jnp.float32))
starts = jnp.ones((1, size), jnp.float32).block_until_ready()
# Of this program alone: what getrusage says begins at the size of the process that started it.
status = lambda: open("/proc/self/status").read()
peak = lambda: int(status().split("VmHWM:")[1].split()[0]) * 1024
before = peak()
lanczos.extend(operator, lanczos.begin(operator, starts), steps)
print(peak() - before, memory_of(size, steps=steps))
"""


def start(path, pause, out):
    return subprocess.Popen([sys.executable, "-c", RUN, str(path), str(pause), str(out)])


@pytest.mark.slow
@pytest.mark.parametrize("part", ["run.outliers", "run"])
def test_killed_while_it_runs(tmp_path, part):
    assert start("none", 0, tmp_path / "whole.npz").wait() == 0
    victim = start(tmp_path / "run", 0.2, tmp_path / "never.npz")
    while not (tmp_path / part).exists():
        assert victim.poll() is None
        time.sleep(0.05)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert not (tmp_path / "never.npz").exists()
    assert start(tmp_path / "run", 0, tmp_path / "resumed.npz").wait() == 0
    whole, resumed = (np.load(tmp_path / f"{name}.npz") for name in ("whole", "resumed"))
    for name in ("nodes", "weights"):
        np.testing.assert_array_equal(whole[name], resumed[name])


def peak_and_stated(size, steps):
    command = [sys.executable, "-c", PEAK, str(size), str(steps)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return map(int, done.stdout.split())


@pytest.mark.parametrize(
    ("size", "steps"), [(10**6, 32), pytest.param(10**7, 64, marks=pytest.mark.slow)]
)
def test_the_peak_is_what_was_stated(size, steps):
    peak, stated = peak_and_stated(size, steps)
    print(f"D={size}, m={steps}: peak {peak / 1e9:.3f} GB, stated {stated / 1e9:.3f} GB")
    # What programs and threads take beside arrays does not grow with D.
    assert peak <= stated + 60e6
    assert peak >= 0.75 * stated
