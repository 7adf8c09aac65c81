"""PruneNetwork: which inputs matter, seen from gradients of an untrained network.

The inputs kept are those of the M largest entries of one neuron's gradient at e_d (line 3: finds
links of information exponent 1), the M with the largest even scores (line 4: even exponents), and
the M with the largest odd ones (line 5: odd exponents): at most 3 M. After arXiv 2406.08658, with
signs as in its appendix. The main text's exchange the two parts, which changes nothing in lines 4
and 5 taken together, but line 3: there the gradient's mean vanishes for every link. (It also prints
a shifted basis vector in line 3, without saying which; here that is e_d for both.)
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Key

from lottery_jax.core import keys
from lottery_jax.sparse_features import checks, data
from lottery_jax.sparse_features.checks import Integer, Number
from lottery_jax.sparse_features.largest import largest
from lottery_jax.sparse_features.memory import check_memory
from lottery_jax.sparse_features.scores import Scores, scores_at


class Pruned(NamedTuple):
    """What is left of the inputs."""

    kept: Bool[Array, " input"]  # the set J without the appended input
    keeps_noise: Bool[Array, ""]  # whether the appended input is in J too
    scores: Scores


def prune_network(
    source: data.Source,
    num_samples: Integer,
    key: Key[Array, ""],
    *,
    num_pairs: int,
    kept: Integer,
    shift: Number,
    convention: str = "appendix",
    memory_limit: int | None = None,
) -> Pruned:
    """The inputs that PruneNetwork keeps.

    Parameters
    ----------
    source
        The rows of data; the first `num_samples` are used. Inputs of mean 0 and variance 1: what is
        compared are averages of y x_i, which grow with the size of an input. Targets of mean 0: a
        mean adds to the gradients a part that knows nothing of the link. Their size is free.
    num_samples
        n >= 1; may be traced. More than a held source has act as all its rows, where traced.
    key
        Of the biases and of the appended input; not that of the data.
    num_pairs
        m >= 1: pairs of mirrored neurons, each with a bias of its own. Both have the same gradient
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
        held source has; or, outside compiled code, for scores that are not finite, or all 0.
    MemoryError
        Where a single weight's sums do not fit.

    Notes
    -----
    (d + 1)^2 additions for each row. Memory does not depend on n (`memory.bytes_needed`). Inside
    ``jax.jit`` it is compiled once for all n, M and c; without, at every call.

    Examples
    --------
    >>> import jax
    >>> inputs = jax.random.normal(keys.root(0), (500, 4))
    >>> targets = inputs[:, 1] ** 2 - 1
    >>> @jax.jit
    ... def chosen(inputs, targets, num_samples):
    ...     source = data.held(inputs, targets)
    ...     key = keys.root(1)
    ...     return prune_network(source, num_samples, key, num_pairs=8, kept=1, shift=0.5)
    >>> bool(chosen(inputs, targets, 500).kept[1])
    True
    """
    keys.check_key(key)
    checks.check_whole("num_samples", num_samples, 1)
    checks.check_sizes([num_samples], source.num_samples)
    checks.check_pairs(num_pairs)
    checks.check_kept(kept, source.dim)
    checks.check_shift(shift)
    checks.check_convention(convention)
    block = check_memory(source, num_pairs=num_pairs, limit=memory_limit)
    found = scores_at(
        source,
        jnp.asarray(num_samples, jnp.int32)[None],
        key,
        num_pairs=num_pairs,
        kept=jnp.asarray(kept, jnp.int32)[None],
        shift=shift,
        block=block,
    )
    scores = Scores(*(each[0, 0] for each in found))
    checks.check_scores(scores)
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
    checks.check_convention(convention)
    checks.check_kept(kept, scores.even.shape[-1] - 1)
    first = scores.first if convention == "appendix" else scores.printed
    some = jnp.asarray(kept, jnp.int32)
    return largest(first, some) | largest(scores.even, some) | largest(scores.odd, some)
