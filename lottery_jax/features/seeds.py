"""One compiled measurement for many seeds, shared out over the devices, one seed at a time on each.

What a seed gives depends on the key and its number alone: not on the devices, nor on which other
seeds are run. A run that was killed goes on with the seeds that are missing.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float64, Key, PRNGKeyArray, PyTree

from lottery_jax.core import keys
from lottery_jax.core.compat import make_mesh
from lottery_jax.sparse_features.recovery_limits import limits_student

Measure = Callable[[Key[Array, ""], PyTree], PyTree]  # (key of the seed, arguments) -> arrays


def identity(key: PRNGKeyArray, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The name under which a result is stored: its settings, the key, and how streams are drawn.

    A result of other streams is another result, and is not found under this name.

    Examples
    --------
    >>> list(identity(keys.root(7), {"dim": 3}))
    ['dim', 'stream', 'key']
    """
    return {**settings, "stream": keys.STREAM_VERSION, "key": keys.describe(key)}


class Mean(NamedTuple):
    """A mean over seeds, and how well it tells that of all seeds."""

    mean: float
    deviation: float  # its standard error, from the spread over the seeds; nan for a single one
    low: float  # Student's limits; open for a single seed
    high: float


def mean_over(values: Float64[np.ndarray, " seed"], *, confidence: float) -> Mean:
    """The mean over seeds with Student's limits.

    Examples
    --------
    >>> mean_over(np.array([1.0, 3.0]), confidence=0.99).deviation
    1.0
    """
    mean, variance = float(values.mean()), math.nan
    if len(values) > 1:
        variance = float(values.var(ddof=1))
    ends = limits_student(mean, variance, len(values), confidence=confidence)
    return Mean(mean, math.sqrt(variance / len(values)), *ends)


def each_seed(
    measure: Measure,
    arguments: PyTree,
    seeds: Sequence[int],
    *,
    key: PRNGKeyArray,
    mesh: Mesh | None = None,
) -> Iterator[tuple[int, Any]]:
    """Measure seed after seed, and give each with its result on the host as soon as it is there.

    Parameters
    ----------
    measure
        Pure. It is compiled once for one function object and arguments of one shape.
    arguments
        Any pytree of arrays, traced.
    seeds
        Their numbers; seed n has the key fold_in(key, n).
    mesh
        By default over all devices, each of which has a seed at a time.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from lottery_jax.core import root
    >>> def measure(key, scale):
    ...     return scale * jax.random.uniform(key, (), jnp.float32)
    >>> found = dict(each_seed(measure, jnp.float32(2), [0, 3, 4], key=root(1)))
    >>> found == dict(each_seed(measure, jnp.float32(2), [4, 3, 0], key=root(1)))
    True
    """
    mesh = make_mesh() if mesh is None else mesh
    program = _program(measure, mesh, str(jax.random.key_impl(key)))
    words = np.asarray(jax.random.key_data(key))
    for first in range(0, len(seeds), mesh.size):
        group = list(seeds[first : first + mesh.size])
        filled = np.array(group + group[-1:] * (mesh.size - len(group)), np.int32)
        results = jax.device_get(program(filled, words, arguments))
        for place, seed in enumerate(group):
            yield seed, jax.tree.map(lambda each, place=place: each[place], results)


@functools.lru_cache(maxsize=32)
def _program(measure: Measure, mesh: Mesh, impl: str):
    def on_device(seeds, words, arguments):
        key = jax.random.wrap_key_data(words, impl=impl)
        return lax.map(lambda seed: measure(keys.lane(key, seed), arguments), seeds)

    lanes = PartitionSpec(mesh.axis_names)
    # Replication is not checked: it would refuse every loop that starts from a constant.
    return jax.jit(
        jax.shard_map(
            on_device,
            mesh=mesh,
            in_specs=(lanes, PartitionSpec(), PartitionSpec()),
            out_specs=lanes,
            check_vma=False,
        )
    )
