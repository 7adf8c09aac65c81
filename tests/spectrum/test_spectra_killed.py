"""A killed run goes on to the same bits, and nothing else does; memory is what was said."""

import os
import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import checkpoint, keys
from lottery_jax.core.checkpoint import CheckpointError
from lottery_jax.spectrum import diagonal, estimate, estimate_spectrum, resume, spectrum_from
from lottery_jax.spectrum.memory import memory_of
from lottery_jax.spectrum.operator import Operator

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


SIZE = 20_000
VALUES = np.arange(1, SIZE + 1) ** -1.5
# Of another network of the same shapes, of one trained a little longer, and of a sharper one.
OTHERS = {
    "reversed": 1 / np.arange(SIZE, 0, -1.0),
    "nearly": VALUES * np.random.default_rng(0).uniform(0.8, 1.2, SIZE),
    "a hundredth": VALUES * np.random.default_rng(1).uniform(0.99, 1.01, SIZE),
    "sharper": VALUES * np.where(np.arange(SIZE) == 0, 3, 1),
}


def spectrum_at(path, values=VALUES, **settings):
    of = diagonal(jnp.asarray(values, jnp.float32))
    return estimate_spectrum(of, key=keys.root(0), products=100, checkpoint=path, **settings)


@pytest.mark.parametrize("other", OTHERS)
def test_checkpoints_of_another_operator_are_refused(tmp_path, other):
    path = tmp_path / "run"
    spectrum_at(path)
    with pytest.raises(CheckpointError, match=r"run\.outliers belongs to another operator"):
        spectrum_at(path, OTHERS[other])
    path.unlink()  # as after a kill before the probes
    with pytest.raises(CheckpointError, match=r"run\.outliers belongs to another operator"):
        spectrum_at(path, OTHERS[other])


@pytest.mark.parametrize("other", ["reversed", "nearly", "a hundredth"])
def test_checkpoints_of_the_probes_tell_operators_themselves(tmp_path, other):
    path, starts = tmp_path / "run", jnp.asarray(signs())
    vectors = np.zeros((1, SIZE, 1), np.float32)
    vectors[0, 0] = 1  # the first eigenvector, which is projected off
    settings = {"keeps_basis": False, "outliers": cut_like(vectors), "path": path}
    starts = starts.at[:, 0].set(np.float32(0))
    run_of = lambda values, steps: resume.run(  # noqa: E731
        diagonal(jnp.asarray(values, jnp.float32)), starts, steps, **settings
    )
    run_of(VALUES, 4)
    with pytest.raises(CheckpointError, match="another operator"):
        run_of(OTHERS[other], 6)
    # What lies along the outliers is not for this file to say. Rounding is no other operator.
    assert run_of(OTHERS["sharper"], 5).num_steps == 5
    assert run_of(VALUES * (1 + 1e-6 * np.sin(np.arange(SIZE))), 6).num_steps == 6


def signs():
    return np.random.default_rng(2).choice(np.array([-1, 1], np.float32), (2, SIZE))


def cut_like(vectors):
    """The blocks of 3 x 6,667 into which 20,000 entries are cut."""
    padded = np.zeros((3 * 6667, 1), np.float32)
    padded[:SIZE] = vectors[0]
    return jnp.asarray(padded.reshape(3, 6667, 1))


def test_checkpoints_of_another_identity_are_refused(tmp_path):
    path = tmp_path / "run"
    plain = spectrum_at(path, identity="weights 1")
    with pytest.raises(CheckpointError, match="another run"):
        spectrum_at(path, identity="weights 2")
    (tmp_path / "run.outliers").rename(tmp_path / "moved")
    path.unlink()
    starts = jnp.asarray(signs())
    of = diagonal(jnp.asarray(VALUES, jnp.float32))
    spectrum_from(of, starts, steps=2, checkpoint=path, identity="weights 1")
    with pytest.raises(CheckpointError, match="another run"):
        spectrum_from(of, starts, steps=2, checkpoint=path, identity="weights 2")
    path.unlink()
    (tmp_path / "moved").rename(tmp_path / "run.outliers")
    again = spectrum_at(path, identity="weights 1")
    np.testing.assert_array_equal(again.nodes, plain.nodes)


def test_what_is_not_finite_is_never_kept(tmp_path):
    path, calls = tmp_path / "run", []

    def product(values, vectors):
        calls.append(1)
        return values[None] * vectors * np.float32(np.nan if len(calls) > 9 else 1)

    starts = jnp.asarray(signs()[:, :60])
    host = Operator(60, product, jnp.arange(60, dtype=jnp.float32), False, False)
    with pytest.raises(FloatingPointError, match="not finite"):
        resume.run(host, starts, 20, path=path, every=4)
    sound = host._replace(product=lambda values, vectors: values[None] * vectors)
    of = diagonal(jnp.arange(60, dtype=jnp.float32))
    resumed, whole = resume.run(sound, starts, 20, path=path), resume.run(of, starts, 20)
    np.testing.assert_allclose(
        np.stack(resumed.diagonal), np.stack(whole.diagonal), rtol=0, atol=60 * 2e-5
    )
    path.unlink()
    calls.extend([1] * 9)  # from the first product on
    with pytest.raises(FloatingPointError, match="not finite"):
        resume.run(host, starts, 20, path=path, every=4)
    assert not path.exists()


def test_a_mark_that_is_no_number_is_refused(tmp_path, monkeypatch):
    path, of = tmp_path / "run", diagonal(jnp.arange(60, dtype=jnp.float32))
    starts = jnp.asarray(signs()[:, :60])
    save = checkpoint.save
    spoil = lambda path, identity, arrays: save(  # noqa: E731
        path, identity, {**arrays, "mark": np.full_like(arrays["mark"], np.nan)}
    )
    monkeypatch.setattr(checkpoint, "save", spoil)
    resume.run(of, starts, 4, path=path)
    with pytest.raises(CheckpointError, match="another operator"):
        resume.run(of, starts, 6, path=path)


def test_a_missing_folder_is_named_before_the_first_step(tmp_path):
    path, calls = tmp_path / "missing" / "run", []
    host = Operator(60, lambda _, vectors: calls.append(1) or vectors, (), False, False)
    with pytest.raises(CheckpointError, match="missing/run does not exist"):
        estimate_spectrum(host, key=keys.root(0), checkpoint=path)
    with pytest.raises(CheckpointError, match="missing/run does not exist"):
        spectrum_from(host, jnp.ones((1, 60), jnp.float32), steps=2, checkpoint=path)
    assert calls == []


def test_probes_are_counted_and_few_at_once():
    plan = estimate.plan_products(10**6, 400)
    held = memory_of(10**6, steps=plan.outlier_steps, num_outliers=plan.outliers)
    assert plan.memory(10**6) >= held + 4 * 10**6 * plan.probes
    for size in (1, 2, 7, 30, 100):
        assert estimate.plan_products(size, 400, "full").probes <= 16
