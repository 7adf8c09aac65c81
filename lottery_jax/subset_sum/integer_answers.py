"""What the questions about whole numbers are answered with, in NumPy arrays."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt32, UInt64

from lottery_jax.subset_sum.integer_rows import LARGEST, whole_numbers


class Existence(NamedTuple):
    """Which targets are sums, and how that was found."""

    exists: Bool[np.ndarray, "*target"]
    method: str  # that of most instances
    num_open: int  # instances that it left open, decided by the other method


class Reachable(NamedTuple):
    """All sums of each instance, as bits."""

    words: UInt32[np.ndarray, "*batch word"]  # bit p of word w: whether lowest + 32 w + p is a sum
    lowest: Int[np.ndarray, "*batch"]  # the least sum

    def contains(self, target: Any) -> Any:
        """Whether targets are sums.

        Parameters
        ----------
        target
            Whole numbers that broadcast against the instances, which come last: one for all, one
            for each, or of shape (..., instance). Of any shape for a single instance.

        Returns
        -------
        Bool[np.ndarray, "..."]
            Of the shape of both, broadcast; False for what is out of reach, however far.

        Raises
        ------
        ValueError
            For numbers that are not whole, of more than 64 bits, or of another shape.

        Examples
        --------
        >>> found = Reachable(np.array([[0b1001], [0b111]], np.uint32), np.array([-5, 0]))
        >>> found.contains(-2).tolist()
        [True, False]
        """
        target, lowest = whole_numbers(target, "targets"), np.asarray(self.lowest)
        try:
            shape = np.broadcast_shapes(target.shape, lowest.shape)
        except ValueError:
            raise ValueError(
                f"{target.shape=} must be one target, or end with the instances {lowest.shape}"
            ) from None
        # In two steps: the difference of far numbers would wrap around.
        is_near = (target >= -LARGEST) & (target <= LARGEST)
        position = np.where(is_near, target, -LARGEST).astype(np.int64) - lowest
        is_inside = is_near & (position >= 0) & (position < 32 * self.words.shape[-1])
        position = np.broadcast_to(np.where(is_inside, position, 0), shape)
        rows = self.words.reshape(-1, self.words.shape[-1])
        row = np.broadcast_to(np.arange(len(rows)).reshape(lowest.shape), shape)
        word = rows[row, position // 32]
        return is_inside & ((word >> (position % 32).astype(np.uint32)) & np.uint32(1) == 1)


class Counts(NamedTuple):
    """The number of subsets for every sum."""

    numbers: UInt64[np.ndarray, "*batch sum"]  # entry s: for the sum lowest + s
    lowest: Int[np.ndarray, "*batch"]  # the least sum


class Witness(NamedTuple):
    """A subset for every target that is a sum."""

    mask: Bool[np.ndarray, "*target item"]  # keeps nothing where there is none
    exists: Bool[np.ndarray, "*target"]
