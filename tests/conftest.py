"""Strict settings for every test: no silent promotion, shapes and types checked at run time."""

import jax
import pytest
from jaxtyping import install_import_hook

install_import_hook("lottery_jax", "beartype.beartype")

jax.config.update("jax_num_cpu_devices", 8)  # the chunk tests need several devices


@pytest.fixture(autouse=True, scope="session")
def strict_promotion():
    """Every implicit promotion of dtype or rank inside the package is an error."""
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True, scope="module")
def forget_programs():
    """Compiled programs go with the file that needed them.

    Each maps some memory, Linux lets a process map 65,530 pieces, and beyond compiling crashes.
    """
    yield
    jax.clear_caches()
