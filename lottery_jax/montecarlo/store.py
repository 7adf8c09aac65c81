"""Append-only rows of counts, one JSON line per chunk, durable as soon as they are written.

Rows of any number of experiments and processes may be merged: a merge is a set union by
(experiment, chunk). Nothing is ever rewritten. Each file belongs to one writing process.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from lottery_jax.core.lines import append_line

Row = dict[str, Any]

# What two runs of one chunk may differ in without disagreeing.
_INCIDENTAL = ("seconds", "versions", "device")
# What a row counts: successes at every epsilon, first widths, or anything by name.
_COUNTS = ({"hits", "undecided"}, {"certain", "possible", "undecided"}, {"counts"})
# Every row starts like this, which tells the torn last line of a store from a foreign file.
_START = b'{"id": "'


class StoreError(ValueError):
    """A file of rows that cannot be used; the message says which line and why."""


class Store:
    """The rows in one file, which need not exist yet.

    Raises
    ------
    StoreError
        When `path` cannot be a file of rows.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(Path(folder) / "counts.jsonl")
    ...     store.append({"id": "00c0ffee", "chunk": 0, "hits": [3], "undecided": [0]})
    ...     store.rows()
    [{'id': '00c0ffee', 'chunk': 0, 'hits': [3], 'undecided': [0]}]
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        if self.path.is_dir() or not self.path.parent.is_dir():
            raise StoreError(f"{self.path} cannot be a store: name a file in an existing folder")

    def rows(self) -> list[Row]:
        """All rows, equal duplicates collapsed, in the order of writing.

        Raises
        ------
        StoreError
            For a file that cannot be read or is no store, or two rows of a chunk that disagree.

        Warns
        -----
        UserWarning
            For a last line torn by a crash. It is ignored here and set aside by `append`.
        """
        return merge_stores([self.path]) if self.path.exists() else []

    def only(self, identity: str) -> dict[int, Row]:
        """The rows of one experiment by chunk number; empty when there are none."""
        return {row["chunk"]: row for row in self.rows() if row["id"] == identity}

    def append(self, row: Row) -> None:
        """Write one row and return when it is on the disk.

        A torn last line is moved to ``PATH.torn`` first. Cost: one fsync.

        Raises
        ------
        StoreError
            For a row without id and chunk, or a file that cannot be written.
        """
        line = json.dumps({"id": row.get("id"), **row}, allow_nan=False).encode() + b"\n"
        _parse(line, "the row to append")
        try:
            append_line(self.path, line, partial(_check_torn, self.path))
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error.strerror}") from error


def open_run(path: str | os.PathLike, names: Collection[str]) -> Store:
    """The store of a run that counts the experiments called `names`.

    Raises
    ------
    StoreError
        For a store that cannot be read, or that holds counts of other experiments.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open_run(Path(folder) / "gap.jsonl", ["neuron_pruning"]).rows()
    []
    """
    store = Store(path)
    if any(row.get("name") not in names for row in store.rows()):
        raise StoreError(
            f"{store.path} holds the counts of another experiment; name another folder with --out"
        )
    return store


def merge_stores(paths: Iterable[str | os.PathLike]) -> list[Row]:
    """The rows of several stores, as one set by (id, chunk); the files are only read.

    Merging a store twice, or with itself, changes nothing.

    Raises
    ------
    StoreError
        For a file that cannot be read or is no store, or two rows of a chunk that disagree; the
        message names both.

    Warns
    -----
    UserWarning
        For a torn last line, which is ignored.

    Examples
    --------
    >>> merge_stores([])
    []
    """
    found: dict[tuple[str, int], tuple[str, Row]] = {}
    for path in map(Path, paths):
        for place, row in _read(path):
            first_place, first = found.setdefault((row["id"], row["chunk"]), (place, row))
            if _essence(first) != _essence(row):
                raise StoreError(
                    f"{first_place} and {place} disagree about chunk {row['chunk']} of "
                    f"{row['id']}; find out which is wrong and remove it"
                )
    return [row for _, row in found.values()]


def _read(path: Path) -> list[tuple[str, Row]]:
    """Every complete row of a file with its place, "file:line"."""
    try:
        *lines, tail = path.read_bytes().split(b"\n")
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    if tail:
        _check_torn(path, tail)
        warnings.warn(
            f"{path}:{len(lines) + 1} is torn and ignored; its chunk will be run again",
            stacklevel=4,
        )
    return [(place := f"{path}:{n}", _parse(line, place)) for n, line in enumerate(lines, start=1)]


def _parse(line: bytes, place: str) -> Row:
    row: Any = None
    with contextlib.suppress(ValueError):  # not JSON, or not text
        row = json.loads(line)
    is_row = (
        isinstance(row, dict)
        and isinstance(row.get("id"), str)
        and isinstance(row.get("chunk"), int)
        and any(counts <= row.keys() for counts in _COUNTS)
    )
    if not is_row:
        raise StoreError(f"{place} is not a row of counts; name a file that lottery_jax wrote")
    return row


def _check_torn(path: Path, tail: bytes) -> None:
    """A last line without its end is ours only if it starts like a row."""
    if not (tail.startswith(_START) or _START.startswith(tail)):
        raise StoreError(f"{path} is not a store of counts; name a file that lottery_jax wrote")


def _essence(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _INCIDENTAL}
