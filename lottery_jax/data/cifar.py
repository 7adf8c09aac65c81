"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from their archives, binary or of Python pickles.

60,000 images of 32 x 32 pixels in three channels, 50,000 of them to train on, in 10 or 100 classes.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, UInt8

from lottery_jax.data import archives
from lottery_jax.data.pickles import PickleError, load_arrays

_PIXELS = 3 * 32 * 32


class Form(NamedTuple):
    """One archive as it is distributed."""

    md5: str
    num_classes: int
    train: tuple[str, ...]  # members
    test: tuple[str, ...]
    labels: bytes | int  # key of the labels in a pickle, or bytes of labels before the pixels


def _numbered(folder: str, ending: str) -> tuple[str, ...]:
    return tuple(f"{folder}/data_batch_{number}{ending}" for number in range(1, 6))


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "cifar-10-binary.tar.gz": Form(
            "c32a1d4ab5d03f1284b67883e8d87530",
            10,
            _numbered("cifar-10-batches-bin", ".bin"),
            ("cifar-10-batches-bin/test_batch.bin",),
            1,
        ),
        "cifar-10-python.tar.gz": Form(
            "c58f30108f718f92721af3b95e74349a",
            10,
            _numbered("cifar-10-batches-py", ""),
            ("cifar-10-batches-py/test_batch",),
            b"labels",
        ),
        "cifar-100-binary.tar.gz": Form(
            "03b5dce01913d631647c71ecec9e9cb8",
            100,
            ("cifar-100-binary/train.bin",),
            ("cifar-100-binary/test.bin",),
            2,  # of the 20 coarse classes, then of the 100 fine ones
        ),
        "cifar-100-python.tar.gz": Form(
            "eb9058c3a382ffc7106e4002c42a8d85",
            100,
            ("cifar-100-python/train",),
            ("cifar-100-python/test",),
            b"fine_labels",
        ),
    }
)


class Pixels(NamedTuple):
    """Images as they are stored, and their labels."""

    images: UInt8[np.ndarray, "image 32 32 3"]
    labels: Int32[np.ndarray, " image"]


def read(path: Path) -> tuple[Pixels, Pixels]:
    """Images to train on and held-out ones; how many is what the archive says.

    Raises
    ------
    ArchiveError
        For an archive that is damaged or holds something else.
    """
    form = FORMS[path.name]
    contents = archives.tar_members(path, form.train + form.test)
    train, test = (
        [_part(path, form, name, contents[name]) for name in names]
        for names in (form.train, form.test)
    )
    return _joined(train), _joined(test)


def _part(path: Path, form: Form, name: str, contents: bytes) -> Pixels:
    """The images of one member."""
    if isinstance(form.labels, int):
        pixels, labels = _records(path, form.labels, name, contents)
    else:
        pixels, labels = _pickled(path, form.labels, name, contents)
    if labels.size and not 0 <= labels.min() <= labels.max() < form.num_classes:
        raise archives.ArchiveError(
            f"{name} in {path} has labels from {labels.min()} to {labels.max()}, expected 0 to "
            f"{form.num_classes - 1}; fetch the archive again"
        )
    planes = pixels.reshape(-1, 3, 32, 32)
    return Pixels(planes.transpose(0, 2, 3, 1), labels.astype(np.int32))


def _records(path: Path, num_labels: int, name: str, contents: bytes):
    """Pixels and labels of records: bytes of labels, the last one is ours, then those of pixels."""
    record = num_labels + _PIXELS
    if not contents or len(contents) % record:
        raise archives.ArchiveError(
            f"{name} in {path} has {len(contents)} bytes, expected a multiple of {record}; fetch "
            "the archive again"
        )
    rows = np.frombuffer(contents, np.uint8).reshape(-1, record)
    return rows[:, num_labels:], rows[:, num_labels - 1]


def _pickled(path: Path, key: bytes, name: str, contents: bytes):
    """Pixels and labels of a pickled dict."""
    try:
        held = load_arrays(contents)
    except PickleError as error:
        raise archives.ArchiveError(
            f"{name} in {path} was not read: {error}; fetch the archive again, or take the binary "
            "one"
        ) from error
    pixels = held.get(b"data") if isinstance(held, dict) else None
    labels = held.get(key) if isinstance(held, dict) else None
    is_right = (
        isinstance(pixels, np.ndarray)
        and isinstance(labels, list)
        and pixels.dtype == np.uint8
        and pixels.shape == (len(labels), _PIXELS)
        and len(labels) > 0
        and all(type(label) is int for label in labels)
    )
    if not is_right:
        raise archives.ArchiveError(
            f"{name} in {path} is not a dict of data, uint8 [image, {_PIXELS}], and "
            f"{key.decode()}, a list of as many integers; fetch the archive again"
        )
    return np.asarray(pixels), np.array(labels, np.int64)


def _joined(parts: list[Pixels]) -> Pixels:
    return Pixels(*map(np.concatenate, zip(*parts, strict=True)))
