"""Images in classes, split into those to train on and those held out, from one call.

Whatever the source, images come as float32 [image, height, width, channel], standardised: from each
channel the mean of that channel over the training images is taken away, and the result is divided
by its standard deviation over them. Held-out images are scaled by the same two numbers.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from lottery_jax.data import digits


class Dataset(NamedTuple):
    """Standardised images and their labels."""

    name: str
    train_images: Float32[np.ndarray, "train height width channel"]
    train_labels: Int32[np.ndarray, " train"]  # 0 to num_classes - 1
    test_images: Float32[np.ndarray, "test height width channel"]
    test_labels: Int32[np.ndarray, " test"]
    num_classes: int

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels


_DIGITS = {"digits": 8, "digits28": 28}  # pixels along a side


def load(source: str) -> Dataset:
    """A data set by name.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.train_images.shape, digits.num_classes
    ((1442, 8, 8, 1), 10)
    """
    if source not in _DIGITS:
        raise ValueError(f"{source=} must be one of {', '.join(_DIGITS)}")
    size = _DIGITS[source]
    held = digits.load_digits(size)
    train, test = (
        images.reshape(-1, size, size, 1) for images in (held.train_images, held.test_images)
    )
    mean, deviation = np.mean(train, dtype=np.float64), np.std(train, dtype=np.float64)
    train, test = (((images - mean) / deviation).astype(np.float32) for images in (train, test))
    return Dataset(source, train, held.train_labels, test, held.test_labels, digits.NUM_CLASSES)
