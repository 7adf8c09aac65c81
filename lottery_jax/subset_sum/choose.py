"""The one rule from the size of a question to the method that answers it exactly."""

from typing import Any

import jax
from jaxtyping import Array, Float

from lottery_jax.subset_sum import enumerate, meet_in_the_middle
from lottery_jax.subset_sum.problem import Match, check


def nearest(items: Any, target: Any) -> Match:
    """The subset of the items whose sum is nearest to the target.

    Parameters
    ----------
    items
        Shape (item,): at most 40 numbers, with a scalar target. Shape (item, dim): at most 26
        vectors, with a target (dim,); the error is then the largest one of all coordinates. Taken
        in float32.
    target
        In the units of the items.

    Returns
    -------
    Match
        The nearest subset where `is_exact`; otherwise the least error lies in [error_low, error],
        an interval no wider than num_items * 2**-27 of the sum of all magnitudes.

    Raises
    ------
    ValueError
        For shapes that do not fit, values that are not finite, or too many items.

    Notes
    -----
    `explain` says which method is used and what it costs. Compiled once for each shape. Inside
    compiled code use `nearest_sum` or `exhaustive`.

    Examples
    --------
    >>> match = nearest([3.0, 5.0, 9.0], 13.0)
    >>> match.mask.tolist(), float(match.error)
    ([False, True, True], 1.0)
    """
    items, target = check(items, target)
    explain(len(items), items.shape[1] if items.ndim == 2 else None)
    return _solve(items, target)


def explain(num_items: int, dim: int | None = None) -> str:
    """Which method `nearest` uses for this many items, and what it costs.

    Parameters
    ----------
    num_items
        Number of items.
    dim
        Dimension of the items; None for scalars.

    Raises
    ------
    ValueError
        Where no exact method is affordable; the message names the way out.

    Examples
    --------
    >>> explain(24)
    'meet in the middle: two lists of 2**12 integers, 37 merge stages, 64 KiB'
    >>> explain(20, dim=3)
    'exhaustive: 2**20 subsets in tiles of 2**11, 3 coordinates each, 48 KiB'
    """
    if num_items < 0 or (dim is not None and dim < 1):
        raise ValueError(f"{num_items=} must be at least 0 and {dim=} at least 1, or None")
    if dim is None:
        if num_items > meet_in_the_middle.MAX_ITEMS:
            raise ValueError(
                f"{num_items=} scalar items need lists of 2**{(num_items + 1) // 2} sums; above "
                f"{meet_in_the_middle.MAX_ITEMS} search a part of the items for an upper limit, or "
                "use few_items_nearest with max_kept"
            )
        half = (num_items + 1) // 2
        return (
            f"meet in the middle: two lists of 2**{half} integers, {3 * half + 1} merge stages, "
            f"{_memory(8 * 2 ** (half + 1))}"
        )
    if num_items > enumerate.MAX_ITEMS:
        raise ValueError(
            f"{num_items=} vectors have 2**{num_items} subsets; above {enumerate.MAX_ITEMS} use "
            "few_items_nearest with max_kept"
        )
    tile = min(num_items, enumerate.TILE_ITEMS)
    return (
        f"exhaustive: 2**{num_items} subsets in tiles of 2**{tile}, {dim} coordinates each, "
        f"{_memory(4 * (dim + 3) * 2**tile)}"
    )


@jax.jit
def _solve(items: Float[Array, "item *dim"], target: Float[Array, "*dim"]) -> Match:
    if items.ndim == 1:
        return meet_in_the_middle.nearest_sum(items, target)
    return enumerate.exhaustive(num_items=items.shape[0])(items, target)


def _memory(num_bytes: int) -> str:
    """Bytes in KiB or MiB, rounded up."""
    unit, name = (2**10, "KiB") if num_bytes < 2**20 else (2**20, "MiB")
    return f"{-(-num_bytes // unit)} {name}"
