"""What PruneNetwork needs in memory, said before anything is compiled.

None of it grows with the number of rows: sums for a block of basis vectors, one block of rows, and
the gradients at one basis vector while it is scored.
"""

from lottery_jax.sparse_features.data import Source

LIMIT = 2 * 10**9  # bytes, by default
_BYTES = 4  # of float32 and int32
_COPIES = 8  # of one weight's bins, while its gradients are cut and ranked
_ROW_COPIES = 6  # of a block of rows: drawn in two steps, extended, turned, times its targets


def bytes_of_weight(dim: int, *, num_pairs: int) -> int:
    """Bytes of the sums at one weight: 2 (m + 1) bins of d + 1 coordinates.

    Examples
    --------
    >>> bytes_of_weight(255, num_pairs=127)
    262144
    """
    return 2 * (num_pairs + 1) * (dim + 1) * _BYTES


def bytes_needed(dim: int, *, num_pairs: int, rows: int, block: int) -> int:
    """Bytes for `block` basis vectors at a time, and blocks of `rows` rows.

    Examples
    --------
    >>> bytes_needed(4096, num_pairs=128, rows=1024, block=256) < 2 * 10**9
    True
    """
    weight = bytes_of_weight(dim, num_pairs=num_pairs)
    of_rows = rows * _ROW_COPIES * (dim + 1) * _BYTES
    return (block + _COPIES) * weight + of_rows


def weights_at_once(dim: int, *, num_pairs: int, rows: int, limit: int = LIMIT) -> int:
    """How many basis vectors fit in `limit` bytes, in equal blocks that cover all d + 1; 0: none.

    Examples
    --------
    >>> weights_at_once(256, num_pairs=128, rows=1024)  # all at once
    257
    """
    fixed = bytes_needed(dim, num_pairs=num_pairs, rows=rows, block=0)
    most = min(dim + 1, (limit - fixed) // bytes_of_weight(dim, num_pairs=num_pairs))
    if most < 1:
        return 0
    num_blocks = -(-(dim + 1) // most)
    return -(-(dim + 1) // num_blocks)


def check_memory(source: Source, *, num_pairs: int, limit: int | None) -> int:
    """Basis vectors at a time.

    Raises
    ------
    MemoryError
        Where not even one fits; says what would.

    Examples
    --------
    >>> from lottery_jax.sparse_features.data import held
    >>> import jax.numpy as jnp
    >>> check_memory(held(jnp.ones((4, 3)), jnp.ones(4)), num_pairs=8, limit=None)
    4
    """
    there = LIMIT if limit is None else limit
    block = weights_at_once(source.dim, num_pairs=num_pairs, rows=source.rows, limit=there)
    if block:
        return block
    least = bytes_needed(source.dim, num_pairs=num_pairs, rows=source.rows, block=1)
    fewer = max(1, source.rows // 16)
    smaller = bytes_needed(source.dim, num_pairs=num_pairs, rows=fewer, block=1)
    raise MemoryError(
        f"{source.dim} inputs, {num_pairs} pairs of neurons and blocks of {source.rows} rows need "
        f"at least {least:,} bytes, of which {there:,} are allowed; blocks of {fewer} rows would "
        f"need {smaller:,}, and fewer pairs less"
    )
