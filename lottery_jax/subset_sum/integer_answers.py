"""What the questions about whole numbers are answered with, in NumPy arrays."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt32, UInt64


class Existence(NamedTuple):
    """Which targets are sums, and how that was found."""

    exists: Bool[np.ndarray, "*target"]
    method: str  # that of most instances
    num_open: int  # instances that it left open, decided by the other method


class Reachable(NamedTuple):
    """All sums of each instance, as bits."""

    words: UInt32[np.ndarray, "*batch word"]  # bit p of word w: whether lowest + 32 w + p is a sum
    lowest: Int[np.ndarray, "*batch"]  # the least sum

    def contains(self, target: Any) -> Bool[np.ndarray, "*batch"]:
        """Whether one target, or one for each instance, is a sum.

        Examples
        --------
        >>> found = Reachable(np.array([[0b1001], [0b111]], np.uint32), np.array([-5, 0]))
        >>> found.contains(-2).tolist()
        [True, False]
        """
        position = np.asarray(target) - self.lowest
        is_inside = (position >= 0) & (position < 32 * self.words.shape[-1])
        position = np.where(is_inside, position, 0)
        word = np.take_along_axis(self.words, position[..., None] // 32, axis=-1)[..., 0]
        return is_inside & ((word >> (position % 32).astype(np.uint32)) & 1 == 1)


class Counts(NamedTuple):
    """The number of subsets for every sum."""

    numbers: UInt64[np.ndarray, "*batch sum"]  # entry s: for the sum lowest + s
    lowest: Int[np.ndarray, "*batch"]  # the least sum


class Witness(NamedTuple):
    """A subset for every target that is a sum."""

    mask: Bool[np.ndarray, "*target item"]  # keeps nothing where there is none
    exists: Bool[np.ndarray, "*target"]
