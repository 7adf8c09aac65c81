"""TinyImageNet (Stanford CS231N) from its archive: 200 classes of 500 images of 64 x 64 pixels.

The 10,000 images of its validation part are the held-out ones; those of its test part have no
labels. Images are JPEG files, decoded by pillow; grey ones get three equal channels.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32, UInt8

from lottery_jax.data import archives

NAME = "tiny-imagenet-200.zip"
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
_ROOT = "tiny-imagenet-200"
_SIDE = 64

# Images as they are stored, and their labels.
Pixels = tuple[UInt8[np.ndarray, "_ 64 64 3"], Int32[np.ndarray, " _"]]


def read(path: Path) -> tuple[Pixels, Pixels]:
    """Images to train on and held-out ones; how many is what the archive says.

    Classes are numbered in the order of wnids.txt; images to train on come class by class, held-out
    ones in the order of their list.

    Raises
    ------
    ArchiveError
        For an archive that is damaged or holds something else.
    ModuleNotFoundError
        Without pillow.
    """
    decoder = _decoder()
    lists = [f"{_ROOT}/wnids.txt", f"{_ROOT}/val/val_annotations.txt"]
    with archives.zip_members(path) as archive:
        members = frozenset(archive.namelist())
        archives.check_complete(path, lists, members)
        classes, annotations = (archive.read(name).decode("ascii").split("\n") for name in lists)
        places = {name: place for place, name in enumerate(filter(None, map(str.strip, classes)))}
        train = _training_images(members, places)
        held_out = []
        for row in filter(None, map(str.strip, annotations)):
            name, label = [*row.split("\t"), ""][:2]
            if label not in places:
                raise archives.ArchiveError(
                    f"{lists[1]} in {path} has the row {row!r}, expected an image and one of the "
                    f"{len(places)} classes; fetch the archive again"
                )
            held_out.append((f"{_ROOT}/val/images/{name}", places[label]))
        if not train or not held_out:
            raise archives.ArchiveError(
                f"{path} has {len(train)} images to train on and {len(held_out)} held-out ones; "
                "fetch it again"
            )
        archives.check_complete(path, [name for name, _ in held_out], members)
        return _decoded(path, archive, train, decoder), _decoded(path, archive, held_out, decoder)


def _training_images(members: frozenset[str], places: dict[str, int]) -> list[tuple[str, int]]:
    """Names and labels of the images to train on, class by class, then by name."""
    found = []
    for name in members:
        parts = name.split("/")
        if parts[:2] == [_ROOT, "train"] and len(parts) == 5 and name.endswith(".JPEG"):
            found.append((places.get(parts[2], -1), name))
    return [(name, label) for label, name in sorted(found) if label >= 0]


def _decoder() -> Any:
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "TinyImageNet holds JPEG images, and pillow decodes them: pip install pillow"
        ) from error
    return Image


def _decoded(
    path: Path, archive: zipfile.ZipFile, listed: list[tuple[str, int]], decoder: Any
) -> Pixels:
    images = np.zeros((len(listed), _SIDE, _SIDE, 3), np.uint8)
    for place, (name, _) in enumerate(listed):
        contents = archive.read(name)
        try:
            with decoder.open(io.BytesIO(contents), formats=["JPEG"]) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:  # as pillow tells of damage
            raise archives.ArchiveError(
                f"{name} in {path} is no JPEG image ({error}); fetch the archive again"
            ) from error
        if pixels.shape != images.shape[1:]:
            raise archives.ArchiveError(
                f"{name} in {path} has shape {pixels.shape}, expected {images.shape[1:]}; fetch "
                "the archive again"
            )
        images[place] = pixels
    return images, np.array([label for _, label in listed], np.int32)
