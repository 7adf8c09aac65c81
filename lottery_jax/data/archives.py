"""Local archives: found, verified, and read without extracting anything.

Members are read into memory by their full names, so no path inside an archive is ever followed. A
gzip file is read to its end, as only there its checksum is compared.
"""

import contextlib
import gzip
import hashlib
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

FOLDER = "LOTTERY_JAX_DATA"  # environment variable: where archives lie

_DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,  # an encrypted member, an unknown compression
    UnicodeDecodeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class ArchiveError(ValueError):
    """An archive that cannot be used; the message says which, why, and what to do."""


def find(source: str | os.PathLike, names: Sequence[str]) -> Path:
    """The archive at `source`, a path, or the first of `names` in the folder LOTTERY_JAX_DATA.

    Parameters
    ----------
    source
        A path, from here or from that folder. Its file name is one of `names`.
    names
        File names of archives that can be read.

    Raises
    ------
    ArchiveError
        If there is no such file, or it has another name.
    """
    folder = os.environ.get(FOLDER)
    places = [Path(source)]
    if folder and not Path(source).is_absolute():
        places.append(Path(folder) / source)
    found = [place for place in places if place.is_file()]
    if not found:
        raise ArchiveError(
            f"no file {' or '.join(map(str, places))}; give the path of {' or '.join(names)}, or "
            f"set {FOLDER} to the folder that holds it"
        )
    if found[0].name not in names:
        raise ArchiveError(
            f"{found[0]} has the name of no known archive; rename it to what it is: "
            f"{', '.join(names)}"
        )
    return found[0]


def check_md5(path: Path, expected: str) -> None:
    """Raise ArchiveError unless the MD5 sum of the file is the expected one."""
    with damage_named(path), open(path, "rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != expected:
        raise ArchiveError(
            f"{path} has MD5 {found}, expected {expected}: it is truncated, damaged or another "
            "version; fetch it again, or read it as it is with verify=False"
        )


def tar_members(path: Path, wanted: Sequence[str]) -> dict[str, bytes]:
    """The contents of members of a .tar.gz, in one pass.

    Raises
    ------
    ArchiveError
        For an archive that is damaged, or lacks a member.
    """
    contents = {}
    with damage_named(path), gzip.open(path) as file:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name in wanted and member.isfile():
                    contents[name] = archive.extractfile(member).read()  # type: ignore[union-attr]
        while file.read(2**20):  # to the end, where the checksum is
            pass
    check_complete(path, wanted, contents)
    return contents


@contextlib.contextmanager
def zip_members(path: Path) -> Iterator[zipfile.ZipFile]:
    """An open .zip whose damage is told as ArchiveError; each member is checked as it is read."""
    with damage_named(path), zipfile.ZipFile(path) as archive:
        yield archive


def check_complete(path: Path, wanted: Sequence[str], found: object) -> None:
    """Raise ArchiveError unless every wanted name is in `found`."""
    missing = [name for name in wanted if name not in found]  # type: ignore[operator]
    if missing:
        raise ArchiveError(
            f"{path} lacks {', '.join(missing[:3])}{' and others' if missing[3:] else ''} "
            f"({len(missing)} of {len(wanted)} members); fetch it again"
        )


@contextlib.contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn what the standard library says of a damaged archive into one ArchiveError."""
    try:
        yield
    except _DAMAGE as error:
        raise ArchiveError(
            f"{path} is truncated or damaged, {path.stat().st_size} bytes "
            f"({type(error).__name__}: {error}); fetch it again"
        ) from error
