"""Addresses of random streams: root key -> experiment -> chunk -> lane -> item.

Each arrow is a ``fold_in``. A key is never walked by repeated splitting, so any draw can be
replayed alone, and no draw depends on the number of devices, on the order of the chunks, or on how
many draws or items are taken beside it.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PRNGKeyArray

# Raise this whenever the draw behind a given key changes: it is part of every experiment's
# identity, so results of two versions are never mixed.
STREAM_VERSION = 1


def root(seed: int, *, impl: str = "threefry2x32") -> PRNGKeyArray:
    """The key from which every stream of a run descends.

    Parameters
    ----------
    seed
        0 <= seed < 2**32.
    impl
        The generator. ``threefry2x32`` gives the same numbers on every platform and jax version;
        ``philox2x32`` and ``threefry4x32`` (jax >= 0.10.2) are several times faster on CPU.

    Raises
    ------
    ValueError
        For a seed outside the range, or a generator that is refused by `check_key`.

    Examples
    --------
    >>> root(7)
    Array((), dtype=key<fry>) overlaying:
    [0 7]
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"{seed=} must be an integer with 0 <= seed < 2**32")
    return check_key(jax.random.key(np.uint32(seed), impl=impl))


def check_key(key: object) -> PRNGKeyArray:
    """Return `key` if streams may be addressed from it, and raise otherwise.

    Raises
    ------
    ValueError
        Unless `key` is one typed key (``jax.random.key``) of the threefry or philox family. ``rbg``
        keys are refused: under ``vmap`` they use only the first key of a batch, so lanes would not
        be independent.

    Examples
    --------
    >>> check_key(jax.random.PRNGKey(0))
    Traceback (most recent call last):
    ValueError: a typed key is needed, not uint32; use lottery_jax.core.root(seed)
    """
    if not isinstance(key, jax.Array) or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        given = getattr(key, "dtype", type(key).__name__)
        raise ValueError(f"a typed key is needed, not {given}; use lottery_jax.core.root(seed)")
    if key.shape != ():
        raise ValueError(f"one key is needed, not {key.shape=}; pass one element")
    impl = str(jax.random.key_impl(key))
    if not impl.startswith(("threefry", "philox")):
        raise ValueError(f"{impl=} repeats draws under vmap; use impl='threefry2x32'")
    return key


def describe(key: PRNGKeyArray) -> str:
    """Generator and words of a key, as the identity of an experiment and its stored rows name it.

    Examples
    --------
    >>> describe(root(7))
    'threefry2x32:00000000:00000007'
    """
    words = np.asarray(jax.random.key_data(key))
    return ":".join([str(jax.random.key_impl(key)), *(f"{word:08x}" for word in words)])


def stream(key: PRNGKeyArray, identity: str) -> PRNGKeyArray:
    """The stream of one experiment: `key` with its hexadecimal identity folded in word by word.

    Raises
    ------
    ValueError
        Unless `identity` is a positive multiple of 8 lower-case hexadecimal digits.

    Examples
    --------
    >>> describe(stream(root(7), "00000001")) == describe(chunk(root(7), 1))
    True
    """
    if not re.fullmatch(r"([0-9a-f]{8})+", identity):
        raise ValueError(f"{identity=} must be a multiple of 8 lower-case hexadecimal digits")
    words = [int(word, 16) for word in re.findall(".{8}", identity)]
    return functools.reduce(jax.random.fold_in, map(np.uint32, words), key)


def chunk(key: PRNGKeyArray, number: int | Array | np.integer) -> PRNGKeyArray:
    """The key of chunk `number` (0 <= number < 2**32) of an experiment's stream.

    Examples
    --------
    >>> describe(chunk(root(7), 0))
    'threefry2x32:d817648b:74864d80'
    """
    return jax.random.fold_in(key, number)


def lane(key: PRNGKeyArray, number: int | Array | np.integer) -> PRNGKeyArray:
    """The key of draw `number` (0 <= number < 2**32) of a chunk.

    Examples
    --------
    >>> describe(lane(chunk(root(7), 0), 5))
    'threefry2x32:de43c4dc:eae43865'
    """
    return jax.random.fold_in(key, number)


def items(key: PRNGKeyArray, num_items: int) -> Key[Array, " num_items"]:
    """One key per item of a draw.

    The first n keys never depend on `num_items`: draws are nested in the number of items.

    Raises
    ------
    ValueError
        For a negative `num_items`.

    Examples
    --------
    >>> jnp.array_equal(items(root(7), 3), items(root(7), 5)[:3])
    Array(True, dtype=bool)
    """
    if num_items < 0:
        raise ValueError(f"{num_items=} must not be negative")
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(num_items, dtype=jnp.uint32))
