"""Devices and 64-bit types on whichever jax is installed."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp

from lottery_jax.core import enable_x64, make_mesh


def _run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_x64_is_on_inside_the_context_only():
    with enable_x64():
        assert jnp.arange(2).dtype == jnp.int64
    assert jnp.arange(2).dtype == jnp.int32


def test_a_mesh_covers_the_devices_it_is_given():
    assert make_mesh().size == len(jax.devices())
    assert make_mesh(jax.devices()[2:5]).devices.tolist() == jax.devices()[2:5]


def test_all_cores_become_devices():
    code = "from lottery_jax.core import use_all_cores; use_all_cores(); import jax; "
    result = _run(code + "print(len(jax.devices('cpu')))")
    assert result.stdout.strip() == str(os.cpu_count()), result.stderr


def test_all_cores_are_too_late_after_the_start():
    code = "import os; os.cpu_count = lambda: 3\nimport jax; jax.devices()\n"
    result = _run(code + "from lottery_jax.core import use_all_cores; use_all_cores()")
    assert "RuntimeError: jax has already started" in result.stderr
