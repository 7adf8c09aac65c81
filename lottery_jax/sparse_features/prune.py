"""PruneNetwork: which inputs matter, seen from gradients of an untrained network.

The inputs kept are those of the M largest entries of one neuron's gradient at e_d (line 3: finds
links of information exponent 1), the M with the largest even scores (line 4: even exponents), and
the M with the largest odd ones (line 5: odd exponents): at most 3 M. After arXiv 2406.08658, with
signs as in its appendix. The main text's exchange the two parts, which changes nothing in lines 4
and 5 taken together, but line 3: there the gradient's mean vanishes for every link.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int32, Key

from lottery_jax.core import keys
from lottery_jax.sparse_features.data import Source
from lottery_jax.sparse_features.largest import largest
from lottery_jax.sparse_features.memory import check_memory
from lottery_jax.sparse_features.scores import Scores, scores_at

CONVENTIONS = ("appendix", "main_text")

Integer = int | np.integer | Int32[Array, ""]
Number = float | Float[Array, ""]


class Pruned(NamedTuple):
    """What is left of the inputs."""

    kept: Bool[Array, " input"]  # the set J without the appended input
    keeps_noise: Bool[Array, ""]  # whether the appended input is in J too
    scores: Scores


def prune_network(
    source: Source,
    num_samples: Integer,
    key: Key[Array, ""],
    *,
    num_neurons: int,
    kept: Integer,
    shift: Number,
    convention: str = "appendix",
    memory_limit: int | None = None,
) -> Pruned:
    """The inputs that PruneNetwork keeps.

    Parameters
    ----------
    source
        The rows of data; the first `num_samples` are used.
    num_samples
        n >= 1; may be traced.
    key
        Of the biases and of the appended input; not that of the data.
    num_neurons
        m >= 1: neurons with biases of their own. Each has a mirror image with the same gradient
        but for its sign, so that the network has 2 m.
    kept
        M, 1 to d; may be traced.
    shift
        c, between 0 and 1; may be traced. Theory takes 1 / log d; 0.5 needs far fewer rows.
    convention
        ``"appendix"``, or ``"main_text"`` to see it fail at information exponent 1.
    memory_limit
        Bytes for everything but the source; by default 2 * 10**9.

    Raises
    ------
    ValueError
        For arguments outside these ranges, as far as they are not traced; for more rows than a
        held source has; or, outside compiled code, for targets that make scores infinite.
    MemoryError
        Where a single weight's sums do not fit.

    Notes
    -----
    (d + 1)^2 additions for each row. Memory does not depend on n (`memory.bytes_needed`). Inside
    ``jax.jit`` it is compiled once for all n, M and c; without, at every call.

    Examples
    --------
    >>> import jax
    >>> from lottery_jax.sparse_features import data, directions, links
    >>> V = directions.flat(keys.root(0), 30, 3)
    >>> model = data.Model(links.hermite({2: 1.0}))
    >>> source = data.generated(model, V, keys.root(1))
    >>> pruned = prune_network(source, 6000, keys.root(2), num_neurons=16, kept=3, shift=0.5)
    >>> bool(jnp.all(pruned.kept[directions.support(V)]))
    True
    """
    check_settings(source, num_samples, num_neurons=num_neurons, kept=kept, shift=shift)
    check_convention(convention)
    keys.check_key(key)
    block = check_memory(source, num_neurons=num_neurons, limit=memory_limit)
    found = scores_at(
        source,
        jnp.asarray(num_samples, jnp.int32)[None],
        key,
        num_neurons=num_neurons,
        kept=jnp.asarray(kept, jnp.int32)[None],
        shift=shift,
        block=block,
    )
    scores = Scores(*(each[0, 0] for each in found))
    _check_finite(scores)
    chosen = select(scores, kept=kept, convention=convention)
    return Pruned(chosen[:-1], chosen[-1], scores)


def select(
    scores: Scores, *, kept: Integer, convention: str = "appendix"
) -> Bool[Array, " coordinate"]:
    """The set J of PruneNetwork among all d + 1 coordinates.

    Of equal scores the lower numbers win. For scores with leading axes, use ``jax.vmap``.

    Parameters
    ----------
    kept
        M, which may be traced; lines 3, 4 and 5 add M coordinates each. Scores depend on M too:
        those for another M give another algorithm.

    Raises
    ------
    ValueError
        For M outside 1 to d, or an unknown convention.

    Examples
    --------
    >>> scores = Scores(*map(jnp.array, ([0.0, 2, 1], [3.0, 1, 2], [0.5, 0, 2], [0.0, 1, 0])))
    >>> select(scores, kept=1).tolist()
    [True, True, True]
    """
    check_convention(convention)
    check_kept(kept, scores.even.shape[-1] - 1)
    first = scores.first if convention == "appendix" else scores.printed
    some = jnp.asarray(kept, jnp.int32)
    return largest(first, some) | largest(scores.even, some) | largest(scores.odd, some)


def check_settings(
    source: Source, num_samples: Integer, *, num_neurons: int, kept: Integer, shift: Number
) -> None:
    """Raise for settings out of range, as far as they are known before the program runs."""
    check_samples(source, num_samples)
    check_kept(kept, source.dim)
    if num_neurons < 1:
        raise ValueError(f"{num_neurons=} must be at least 1")
    if is_known(shift) and not 0 < shift < 1:
        raise ValueError(f"the shift c={float(shift):g} must be between 0 and 1, as 0.5 is")


def check_samples(source: Source, num_samples: Integer) -> None:
    """Raise unless the source has so many rows, at least one."""
    if not is_known(num_samples):
        return
    if num_samples < 1:
        raise ValueError(f"num_samples={int(num_samples)} must be at least 1")
    if source.num_samples is not None and num_samples > source.num_samples:
        raise ValueError(
            f"num_samples={int(num_samples)}, but the source holds {source.num_samples} rows; "
            "take at most those"
        )


def check_kept(kept: Integer, dim: int) -> None:
    """Raise unless 1 <= M <= d."""
    if is_known(kept) and not 1 <= kept <= dim:
        raise ValueError(f"M: kept={int(kept)} must be from 1 to the {dim} inputs that there are")


def check_convention(convention: str) -> None:
    """Raise for an unknown one."""
    if convention not in CONVENTIONS:
        raise ValueError(f"{convention=} is unknown; choose {' or '.join(CONVENTIONS)}")


def is_known(value: Any) -> bool:
    """Whether this is a value, not one that a function being compiled stands for."""
    return not isinstance(value, Tracer)


def _check_finite(scores: Scores) -> None:
    if is_known(scores.even) and not bool(jnp.all(jnp.isfinite(scores.even))):
        raise ValueError(
            "the scores are not finite: rows or targets are not, or their products overflow; "
            "look for them in the source"
        )
