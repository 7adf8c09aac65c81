"""What a run of Lanczos needs in memory, said before it starts."""

import os

import jax


def memory_of(
    size: int, *, vectors: int = 1, steps: int, keeps_basis: bool = True, num_outliers: int = 0
) -> int:
    """Bytes that a run takes at its peak, besides what the operator holds and a product needs.

    Parameters
    ----------
    size
        D, the rows of the operator.
    vectors, steps
        Runs side by side, and products of each.
    keeps_basis
        False for the recursion of three terms.
    num_outliers
        Vectors off which the runs are projected.

    Notes
    -----
    A basis grows by 16 rows at a time. Beside it each run has about ten vectors: its last two, the
    product, what becomes the next, and what the compiled step and the product hand on.

    Examples
    --------
    >>> memory_of(10**7, steps=64) / (4 * 10**7)
    74.0
    """
    rows = -(-steps // 16) * 16 if keeps_basis else 0
    return 4 * size * (vectors * (rows + 10) + num_outliers)


def check_memory(needed: int, limit: int | None, *, way_out: str) -> None:
    """Raise unless `needed` bytes are there.

    Parameters
    ----------
    limit
        Bytes; None for what the devices have left, or on CPU the machine.

    Raises
    ------
    MemoryError
        Where the run cannot fit; ends with the way out.

    Examples
    --------
    >>> check_memory(3 * 10**9, 10**9, way_out="take fewer steps")
    Traceback (most recent call last):
    MemoryError: the run needs 3 GB besides the operator, of which 1 GB are there; take fewer steps
    """
    if limit is not None and limit <= 0:
        raise ValueError(f"memory_limit={limit} must be a positive number of bytes")
    there = _available() if limit is None else limit
    if needed > there:
        raise MemoryError(
            f"the run needs {needed / 1e9:.3g} GB besides the operator, of which "
            f"{there / 1e9:.3g} GB are there; {way_out}"
        )


def _available() -> int:
    device = jax.devices()[0]
    held = device.memory_stats() if device.platform != "cpu" else None
    if held and "bytes_limit" in held:
        return held["bytes_limit"] - held.get("bytes_in_use", 0)
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):  # not Linux: all that is built in
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
