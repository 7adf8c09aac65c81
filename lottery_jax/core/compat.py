"""The few jax names that differ between the supported versions, and the settings of devices."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
from jax.sharding import AxisType, Mesh


def enable_x64(enabled: bool = True) -> AbstractContextManager:
    """A context in which 64-bit types are on, wherever this version of jax keeps it.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> with enable_x64():
    ...     print(jnp.ones((), jnp.int64).dtype)
    int64
    """
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(enabled)
    from jax import experimental

    return experimental.enable_x64(enabled)  # pyright: ignore[reportAttributeAccessIssue]


def make_mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A one-dimensional mesh over `devices`; by default over all devices of all processes.

    Examples
    --------
    >>> make_mesh(jax.devices()[:1]).axis_names
    ('lanes',)
    """
    devices = jax.devices() if devices is None else devices
    # The default axis type became Explicit; shard_map with plain arrays inside wants Auto.
    return jax.make_mesh((len(devices),), ("lanes",), axis_types=(AxisType.Auto,), devices=devices)


def use_all_cores() -> None:
    """Let jax treat every CPU core as a device, so that the lanes of a chunk run side by side.

    Call it before anything asks jax for a device. Accelerators are not affected.

    Raises
    ------
    RuntimeError
        When jax has already started with another number of CPU devices.

    Examples
    --------
    >>> use_all_cores()  # doctest: +SKIP
    """
    num_cores = os.cpu_count() or 1
    try:
        jax.config.update("jax_num_cpu_devices", num_cores)
    except RuntimeError as error:
        raise RuntimeError(
            f"jax has already started, so its CPU devices can no longer become {num_cores}; "
            "call use_all_cores() right after the imports"
        ) from error
