"""Handwritten digits, bundled: 1,797 grey images of 8 x 8 pixels in ten classes.

The test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI Machine
Learning Repository, 1998, CC BY 4.0), as scikit-learn ships it; pixels count from 0 to 16. Larger
images are interpolated from these, so they hold no more information: they stand in for a data set
of that size where the number of weights matters and the pictures do not.
"""

from importlib import resources
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

NUM_CLASSES = 10
_SIDE = 8  # pixels
_WHITE = 16  # the largest pixel
_TEST_EVERY = 5


class Digits(NamedTuple):
    """Images and labels, split once and for all."""

    train_images: Float32[np.ndarray, "train pixel"]  # in [0, 1], row by row
    train_labels: Int32[np.ndarray, " train"]  # 0 to 9
    test_images: Float32[np.ndarray, "test pixel"]
    test_labels: Int32[np.ndarray, " test"]


def load_digits(size: int = _SIDE) -> Digits:
    """The digits as images of size x size pixels: 1,442 to train on, 355 held out.

    The split is stratified and fixed: within each class, in the order of the file, every fifth
    image is held out.

    Parameters
    ----------
    size
        Pixels along a side, 8 to 256. Above 8 pixels are interpolated linearly in both directions
        between the centres of the given ones, and are constant beyond the outermost centres. The
        arithmetic is that of integers, rounded once: the images are the same everywhere.

    Raises
    ------
    ValueError
        For a size outside this range.

    Examples
    --------
    >>> digits = load_digits(28)
    >>> digits.train_images.shape, digits.test_images.shape
    ((1442, 784), (355, 784))
    """
    if isinstance(size, bool) or not isinstance(size, int) or not _SIDE <= size <= 256:
        raise ValueError(f"{size=} must be an integer from {_SIDE} to 256")
    with (
        (resources.files("lottery_jax.data") / "digits.npz").open("rb") as file,
        np.load(file) as arrays,
    ):
        pixels, labels = arrays["images"], arrays["labels"].astype(np.int32)
    weights, divisor = _interpolation(size)
    scaled = weights @ pixels.astype(np.int64) @ weights.T / (_WHITE * divisor**2)
    images = scaled.reshape(len(labels), -1).astype(np.float32)
    is_test = _place_in_class(labels) % _TEST_EVERY == _TEST_EVERY - 1
    return Digits(images[~is_test], labels[~is_test], images[is_test], labels[is_test])


def _interpolation(size: int) -> tuple[np.ndarray, int]:
    """Integer weights [size, 8] of linear interpolation, and what each row adds up to.

    New pixel k has its centre at (k + 1/2) 8 / size - 1/2 on the given centres 0 to 7.
    """
    divisor = 2 * size
    centre = np.clip((2 * np.arange(size) + 1) * _SIDE - size, 0, (_SIDE - 1) * divisor)
    below, part = np.divmod(centre, divisor)
    weights = np.zeros((size, _SIDE), np.int64)
    weights[np.arange(size), below] = divisor - part
    weights[np.arange(size), np.minimum(below + 1, _SIDE - 1)] += part
    return weights, divisor


def _place_in_class(labels: np.ndarray) -> np.ndarray:
    """How many earlier images have the label of each one."""
    place = np.zeros(len(labels), np.int64)
    for label in range(NUM_CLASSES):
        place[labels == label] = np.arange(np.sum(labels == label))
    return place
