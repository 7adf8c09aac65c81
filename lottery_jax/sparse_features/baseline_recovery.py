"""How much of the support other ways to choose inputs find, on the draws of PruneNetwork.

Every way but the unshifted basis, which keeps a set of its own, keeps as many inputs as
PruneNetwork does from the same rows: their recalls, and that of chance, compare directly.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Key

from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.sparse_features import baselines, data, directions, recovery
from lottery_jax.sparse_features.links import Link
from lottery_jax.sparse_features.prune import select
from lottery_jax.sparse_features.scores import scores_at

NAME = "sparse_baselines"
# The first two keep sets of their own size, the others as many inputs as the first.
METHODS = ("PruneNetwork", "unshifted", "gradient norm", "SNIP", "first order", "random")
_DATA, _DIRECTIONS, _NETWORK, _RANDOM = range(4)  # streams of a draw


def baseline_recovery(
    *,
    dim: int,
    support_size: int,
    link: Link,
    sizes: Sequence[int],
    kept: int,
    num_pairs: int = 16,
    shift: float = 0.5,
    lanes: int = 2,
) -> Experiment:
    """Recall of every method in `METHODS`, for one flat direction and every number of rows.

    Its counts are sums over draws of arrays [method, size]: ``found`` and ``found_squared``, the
    inputs of the support that are kept, and ``kept``, all inputs that are.

    Parameters
    ----------
    dim, support_size, link, sizes, num_pairs, shift, lanes
        As in `recovery.recovery`.
    kept
        M.

    Raises
    ------
    ValueError
        For arguments that `recovery.recovery` refuses.

    Examples
    --------
    >>> from lottery_jax.sparse_features import links
    >>> link = links.hermite({1: 1.0})
    >>> made = baseline_recovery(dim=9, support_size=3, link=link, sizes=[20], kept=3)
    >>> made.parameters
    (('shift', 0.5), ('kept', 3), ('size0', 20))
    """
    like = recovery.recovery(
        dim=dim,
        support_size=support_size,
        link=link,
        sizes=sizes,
        kept=[kept],
        num_pairs=num_pairs,
        shift=shift,
    )
    names = ("dim", "support_size", "link", "terms", "sizes", "kept", "num_pairs", "shift")
    settings = dict(like.settings)
    parameters: dict[str, int | float] = {"shift": float(shift), "kept": int(kept)}
    parameters |= {f"size{i}": int(size) for i, size in enumerate(sizes)}
    cost = like.seconds_per_draw
    return Experiment(
        name=NAME,
        settings=tuple((name, settings[name]) for name in names),
        count=_count(dim, support_size, data.Model(link), num_pairs, len(sizes)),
        parameters=tuple(parameters.items()),
        lanes=lanes,
        vmap_lanes=like.vmap_lanes,
        seconds_per_draw=lambda: 2 * cost() if cost else 0.0,
        bytes_per_draw=like.bytes_per_draw,
    )


@functools.cache
def _count(dim: int, support_size: int, model: data.Model, num_pairs: int, num_sizes: int):
    def count(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, "..."]]:
        stream = functools.partial(keys.lane, key)
        sizes = jnp.stack([parameters[f"size{i}"] for i in range(num_sizes)])
        hidden = directions.flat(stream(_DIRECTIONS), dim, support_size)
        source = data.generated(model, hidden, stream(_DATA))
        network, kept = stream(_NETWORK), parameters["kept"]
        settings = {"num_pairs": num_pairs, "kept": kept[None]}
        shifted = scores_at(source, sizes, network, shift=parameters["shift"], **settings)
        plain = baselines.unshifted(source, sizes, network, **settings)
        masks = [
            jax.vmap(lambda scores: select(scores, kept=kept)[:-1])(
                jax.tree.map(lambda each: each[:, 0], each)
            )
            for each in (shifted, plain)
        ]
        number = jnp.sum(masks[0], axis=1, dtype=jnp.int32)
        any_order = baselines.random(stream(_RANDOM), dim)
        others = (
            baselines.gradient_norms(source, sizes, network, num_pairs=num_pairs),
            baselines.snip(source, sizes, network, num_pairs=num_pairs),
            baselines.first_order(source, sizes),
            jnp.tile(any_order[None], (num_sizes, 1)),
        )
        masks += [jax.vmap(baselines.keep)(scores, number) for scores in others]
        chosen = jnp.stack(masks)
        is_support = directions.support(hidden)[None, None]
        found = jnp.sum(chosen & is_support, axis=2, dtype=jnp.int32)
        all_kept = jnp.sum(chosen, axis=2, dtype=jnp.int32)
        return {"found": found, "found_squared": found**2, "kept": all_kept}

    return count
