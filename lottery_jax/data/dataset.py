"""Images in classes, split into those to train on and those held out, from one call.

Whatever the source, images come as float32 [image, height, width, channel], standardised: from each
channel the mean of that channel over the training images is taken away, and the result is divided
by its standard deviation over them. Held-out images are scaled by the same two numbers.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from lottery_jax.data import archives, cifar, digits, tiny_imagenet


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
_ARCHIVES = {  # by name, the preferred one first
    "cifar10": ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"),
    "cifar100": ("cifar-100-binary.tar.gz", "cifar-100-python.tar.gz"),
    "tinyimagenet": (tiny_imagenet.NAME,),
}
NAMES = (*_DIGITS, *_ARCHIVES)


def load(source: str | os.PathLike, *, verify: bool = True) -> Dataset:
    """A data set by name, or from the path of its archive.

    Parameters
    ----------
    source
        "digits", the bundled images of 8 x 8 pixels, or "digits28", the same enlarged. "cifar10",
        "cifar100" or "tinyimagenet": the archive in the folder that the environment variable
        LOTTERY_JAX_DATA names. Or the path of cifar-10-binary.tar.gz, cifar-10-python.tar.gz,
        cifar-100-binary.tar.gz, cifar-100-python.tar.gz or tiny-imagenet-200.zip, which is known by
        its file name. Archives are read as they are distributed, and nothing is extracted.
    verify
        Compare the MD5 sum of an archive with that of the distributed one.

    Raises
    ------
    ArchiveError
        A ValueError: for a file that is missing, damaged, of another checksum, or holds something
        else; it names the file, what was found and what was expected.
    ModuleNotFoundError
        For TinyImageNet without pillow.

    Notes
    -----
    Memory: 4 bytes for each pixel and channel, and as much again while an archive is read.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.train_images.shape, digits.num_classes
    ((1442, 8, 8, 1), 10)
    """
    if source in _DIGITS:
        return _digits(str(source))
    if source not in NAMES and not Path(source).suffix:
        raise archives.ArchiveError(
            f"data {str(source)!r} are not known; choose one of {', '.join(NAMES)}, or give the "
            "path of an archive"
        )
    names = [name for group in _ARCHIVES.values() for name in group]
    path = _first_of(source) if source in _ARCHIVES else archives.find(source, names)
    if path.name == tiny_imagenet.NAME:
        md5, read, num_classes = tiny_imagenet.MD5, tiny_imagenet.read, 200
    else:
        form = cifar.FORMS[path.name]
        md5, read, num_classes = form.md5, cifar.read, form.num_classes
    if verify:
        archives.check_md5(path, md5)
    (train, train_labels), (test, test_labels) = read(path)
    table = _standardising_table(path, train)
    (name,) = (name for name, group in _ARCHIVES.items() if path.name in group)
    return Dataset(
        name, _scaled(table, train), train_labels, _scaled(table, test), test_labels, num_classes
    )


def _first_of(name) -> Path:
    """The preferred archive of that name in the folder of archives."""
    folder = os.environ.get(archives.FOLDER, "")
    there = [each for each in _ARCHIVES[name] if folder and (Path(folder) / each).is_file()]
    return archives.find(there[0] if there else _ARCHIVES[name][0], _ARCHIVES[name])


def _digits(name: str) -> Dataset:
    size = _DIGITS[name]
    held = digits.load_digits(size)
    train, test = (
        images.reshape(-1, size, size, 1) for images in (held.train_images, held.test_images)
    )
    mean, deviation = np.mean(train, dtype=np.float64), np.std(train, dtype=np.float64)
    train, test = (((images - mean) / deviation).astype(np.float32) for images in (train, test))
    return Dataset(name, train, held.train_labels, test, held.test_labels, digits.NUM_CLASSES)


def _standardising_table(
    path: Path, images: UInt8[np.ndarray, "image height width channel"]
) -> Float32[np.ndarray, "channel 256"]:
    """What each of the 256 values of a pixel becomes; mean and deviation come from exact counts."""
    values, rows = np.arange(256, dtype=np.float64), []
    for channel in np.moveaxis(images, -1, 0):
        parts = np.bincount(channel.ravel(), minlength=256) / channel.size
        mean = parts @ values
        deviation = np.sqrt(parts @ np.square(values - mean))
        if deviation == 0:
            raise archives.ArchiveError(
                f"all pixels of a channel of the training images in {path} are {mean:g}, which "
                "cannot be standardised; fetch the archive again"
            )
        rows.append((values - mean) / deviation)
    return np.array(rows, np.float32)


def _scaled(
    table: Float32[np.ndarray, "channel 256"],
    images: UInt8[np.ndarray, "image height width channel"],
) -> Float32[np.ndarray, "image height width channel"]:
    scaled = np.empty(images.shape, np.float32)
    for channel, row in enumerate(table):
        scaled[..., channel] = row[images[..., channel]]
    return scaled
