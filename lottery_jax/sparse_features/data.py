"""Data of a target y = link(V^T x) + noise, as blocks of rows that are read one after the other.

Every row has a key of its own, so that the first n rows depend neither on n nor on the size of the
blocks. Generated data are drawn again whenever they are read: nothing is kept, and memory does not
grow with n. Data that are held already are read from the device. `fold` is the only loop over rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32, Key

from lottery_jax.core import keys, laws
from lottery_jax.sparse_features import checks
from lottery_jax.sparse_features.checks import Integer
from lottery_jax.sparse_features.directions import check_orthonormal
from lottery_jax.sparse_features.link import Link

# The hardware's own products of float32 may keep only ten bits of each factor.
EXACT = jax.lax.Precision.HIGHEST

State = TypeVar("State")
Update = Callable[
    [State, Float[Array, "row input"], Float[Array, " row"], Bool[Array, " row"]], State
]


def _normal(key: Key[Array, ""], dim: int) -> Float[Array, " input"]:
    return jax.random.normal(key, (dim,), jnp.float32)


def _uniform(key: Key[Array, ""], dim: int) -> Float[Array, " input"]:
    end = 3**0.5
    return jax.random.uniform(key, (dim,), jnp.float32, minval=-end, maxval=end)


def _rademacher(key: Key[Array, ""], dim: int) -> Float[Array, " input"]:
    return laws.signs(key, (dim,))


def _laplace(key: Key[Array, ""], dim: int) -> Float[Array, " input"]:
    return jax.random.laplace(key, (dim,), jnp.float32) * jnp.float32(0.5**0.5)


# Laws of independent inputs, each with mean 0 and variance 1.
INPUTS: dict[str, Callable[[Key[Array, ""], int], Float[Array, " input"]]] = {
    "normal": _normal,
    "uniform": _uniform,
    "rademacher": _rademacher,
    "laplace": _laplace,
}


@dataclass(frozen=True)
class Model:
    """The part of a law of data that is compiled in.

    Parameters
    ----------
    link
        Of the hidden features. Its mean and variance are 0 and 1 for normal inputs only.
    noise
        Standard deviation of the normal noise added to the targets.
    inputs
        Law of each input: ``normal``, ``uniform``, ``rademacher`` or ``laplace``, all with mean 0
        and variance 1.

    Raises
    ------
    ValueError
        For a link that is none, a negative or infinite noise, or an unknown law.

    Examples
    --------
    >>> from lottery_jax.sparse_features import links
    >>> Model(links.hermite({2: 1.0}), noise=0.1).inputs
    'normal'
    """

    link: Link
    noise: float = 0.0
    inputs: str = "normal"

    def __post_init__(self):
        if not isinstance(self.link, Link):
            raise ValueError(f"link={self.link!r} is no Link; make one by links.function")
        if not (np.isfinite(self.noise) and self.noise >= 0):
            raise ValueError(f"noise={self.noise} must be finite and at least 0")
        if self.inputs not in INPUTS:
            raise ValueError(f"inputs={self.inputs!r} is no known law; choose {', '.join(INPUTS)}")


class Source(NamedTuple):
    """Where rows come from."""

    dim: int  # d, the number of inputs
    rows: int  # of a block
    read: Callable[[Int32[Array, ""]], tuple[Float[Array, "row input"], Float[Array, " row"]]]
    num_samples: int | None = None  # rows that there are; None where they never end


def generated(
    model: Model,
    directions: ArrayLike | Sequence[Any],
    key: Key[Array, ""],
    *,
    rows: int = 2048,
) -> Source:
    """Rows that are drawn when they are read; `directions` and `key` may be traced.

    Parameters
    ----------
    model
        Link, noise and law of the inputs.
    directions
        V of shape [inputs, variables of the link], with orthonormal columns (see `directions`).
    key
        Of the whole stream: row i is drawn from its key number i.
    rows
        Of a block; which rows are drawn does not depend on it.

    Raises
    ------
    ValueError
        For shapes that disagree with the link, columns that are not orthonormal (unless traced),
        or a number of rows below 1.

    Examples
    --------
    >>> from lottery_jax.sparse_features import directions, links
    >>> model = Model(links.hermite({2: 1.0}))
    >>> V = directions.flat(jax.random.key(0), 20, 4)
    >>> source = generated(model, V, jax.random.key(1), rows=8)
    >>> inputs, targets = source.read(jnp.int32(0))
    >>> inputs.shape, targets.shape
    ((8, 20), (8,))
    """
    keys.check_key(key)
    checks.check_whole("rows", rows, 1)
    shape = np.shape(directions)
    if len(shape) != 2 or shape[1] != model.link.num_indices:
        raise ValueError(
            f"directions of shape {shape} do not fit {model.link.name} of "
            f"{model.link.num_indices} variables; give a column for each"
        )
    if checks.is_known(directions):
        check_orthonormal(directions)
    columns = jnp.asarray(directions, jnp.float32)
    dim, draw = shape[0], INPUTS[model.inputs]

    def read(block: Int32[Array, ""]) -> tuple[Float[Array, "row input"], Float[Array, " row"]]:
        each = row_keys(key, block * rows, rows)
        inputs = jax.vmap(lambda row: draw(jax.random.fold_in(row, np.uint32(0)), dim))(each)
        features = jnp.matmul(inputs, columns, precision=EXACT)
        targets = model.link.evaluate(features)
        if model.noise:
            errors = jax.vmap(lambda row: _normal(jax.random.fold_in(row, np.uint32(1)), 1))(each)
            targets += jnp.float32(model.noise) * errors[:, 0]
        return inputs, targets

    return Source(dim, rows, read)


def held(
    inputs: ArrayLike | Sequence[Any], targets: ArrayLike | Sequence[Any], *, rows: int = 2048
) -> Source:
    """Rows that are held on the device, [samples, inputs] and [samples], as a source.

    Raises
    ------
    ValueError
        For shapes that disagree, no rows or inputs, complex numbers, or entries that are not finite
        as float32 (unless traced).

    Examples
    --------
    >>> source = held(jnp.ones((5, 2)), jnp.arange(5.0), rows=4)
    >>> source.read(jnp.int32(1))[1].tolist()
    [4.0, 0.0, 0.0, 0.0]
    """
    checks.check_whole("rows", rows, 1)
    all_inputs, all_targets = _as_float32(inputs), _as_float32(targets)
    shape = all_inputs.shape
    if len(shape) != 2 or all_targets.shape != shape[:1] or not all(shape):
        raise ValueError(
            f"inputs of shape {shape} and targets of shape {all_targets.shape} disagree; give "
            "[samples, inputs] and [samples], with at least one of each"
        )
    checks.check_rows(all_inputs, all_targets)
    all_inputs, all_targets = jnp.asarray(all_inputs), jnp.asarray(all_targets)

    def read(block: Int32[Array, ""]) -> tuple[Float[Array, "row input"], Float[Array, " row"]]:
        numbers = block * rows + jnp.arange(rows, dtype=jnp.int32)
        # Beyond the last row zeros: a padded copy of all rows would take their memory once more.
        return (
            jnp.take(all_inputs, numbers, axis=0, mode="fill", fill_value=0),
            jnp.take(all_targets, numbers, mode="fill", fill_value=0),
        )

    return Source(shape[1], rows, read, shape[0])


def fold(source: Source, first: Integer, last: Integer, update: Update, state: State) -> State:
    """`state` after every block that holds some of the rows `first`, ..., `last` - 1.

    Parameters
    ----------
    source
        The rows, in blocks.
    first, last
        May be traced: other numbers of rows compile nothing. Where they go beyond a source that
        holds its rows and were not known at the call, they act as all rows (`available`).
    update
        From a state, the inputs and targets of a block, and which of its rows are among those
        wanted, to the next state. All other rows must not enter; they may be padding.
    state
        Any pytree of arrays.

    Raises
    ------
    ValueError
        For numbers, where they are known, that are negative, out of order, or beyond the source.

    Examples
    --------
    >>> source = held(jnp.ones((5, 2)), jnp.arange(5.0), rows=2)
    >>> def add(total, inputs, targets, is_used):
    ...     return total + jnp.sum(jnp.where(is_used, targets, 0))
    >>> float(fold(source, 1, 4, add, jnp.float32(0)))
    6.0
    """
    check_range(source, first, last)
    first, last = available(source, first), available(source, last)

    def step(block: Int32[Array, ""], state: Any) -> Any:
        rows = block * source.rows + jnp.arange(source.rows, dtype=jnp.int32)
        return update(state, *source.read(block), (rows >= first) & (rows < last))

    end = jnp.where(last > first, (last - 1) // source.rows + 1, first // source.rows)
    return jax.lax.fori_loop(first // source.rows, end, step, state)


def available(source: Source, number: Integer | Int32[Array, "..."]) -> Int32[Array, "..."]:
    """`number` of rows, or all that the source holds where those are fewer.

    Examples
    --------
    >>> int(available(held(jnp.ones((5, 2)), jnp.ones(5)), 9))
    5
    """
    wanted = jnp.asarray(number, jnp.int32)
    return wanted if source.num_samples is None else jnp.minimum(wanted, source.num_samples)


def row_keys(key: Key[Array, ""], first: Int32[Array, ""], rows: int) -> Key[Array, " row"]:
    """The keys of `rows` rows from number `first` on: `key` with the number of each folded in.

    Examples
    --------
    >>> again = row_keys(jax.random.key(0), jnp.int32(0), 4)[2]
    >>> bool(row_keys(jax.random.key(0), jnp.int32(2), 2)[0] == again)
    True
    """
    numbers = (first + jnp.arange(rows, dtype=jnp.int32)).astype(jnp.uint32)
    return jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)


def check_range(source: Source, first: Integer, last: Integer) -> None:
    """Raise unless `first` <= `last` are rows of the source, as far as they are known."""
    for name, number in (("first", first), ("last", last)):
        checks.check_whole(name, number, 0)
    known = [number for number in (first, last) if checks.is_known(number)]
    if len(known) == 2 and first > last:
        raise ValueError(f"{first=} and {last=} must be in order")
    if source.num_samples is not None and any(number > source.num_samples for number in known):
        raise ValueError(
            f"{first=} to {last=} goes beyond the {source.num_samples} rows that are held"
        )


def _as_float32(values: Any) -> Any:
    """Known values as NumPy has them, unless they need not be touched."""
    if not isinstance(values, jax.Array):
        values = np.asarray(values)
    if jnp.issubdtype(values.dtype, jnp.complexfloating):
        raise ValueError("complex numbers are no rows of data; give real ones")
    if values.dtype == jnp.float32 or not checks.is_known(values):
        return values if values.dtype == jnp.float32 else values.astype(jnp.float32)
    with np.errstate(over="ignore"):  # what is too large is found with all that is not finite
        return np.asarray(values).astype(np.float32)
