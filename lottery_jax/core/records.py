"""Results by their settings, kept in a file of JSON lines: what was computed is not computed again.

For results that are numbers rather than counts (see `montecarlo.store` for those). Nothing is
rewritten: each line is one result, on the disk before `add` returns. One writing process per file.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lottery_jax.core.lines import append_line

_START = b'{"settings": '  # of every line


class RecordsError(ValueError):
    """A file of results that cannot be used; the message says which line and why."""


class Records:
    """The results in one file, which need not exist yet.

    Raises
    ------
    RecordsError
        When `path` cannot be a file of results, or holds something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     records = Records(Path(folder) / "limit.jsonl")
    ...     records.add({"width": 100, "seed": 0}, {"accuracy": 0.9})
    ...     records.find({"seed": 0, "width": 100}), records.find({"width": 100, "seed": 1})
    ({'accuracy': 0.9}, None)
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        if self.path.is_dir() or not self.path.parent.is_dir():
            raise RecordsError(
                f"{self.path} cannot hold results: name a file in an existing folder"
            )
        self._results = self._read() if self.path.exists() else {}

    def find(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result at these settings, in any order; None where there is none."""
        return self._results.get(_name(settings))

    def add(self, settings: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Write one result and return when it is on the disk.

        Raises
        ------
        RecordsError
            For settings that already have a result, or a file that cannot be written.
        """
        if _name(settings) in self._results:
            raise RecordsError(f"{self.path} already holds a result for {_name(settings)}")
        line = json.dumps({"settings": dict(settings), "result": dict(result)})
        try:
            append_line(self.path, line.encode() + b"\n", self._check_torn)
        except OSError as error:
            raise RecordsError(f"{self.path} cannot be written: {error.strerror}") from error
        self._results[_name(settings)] = json.loads(line)["result"]

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            *lines, tail = self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise RecordsError(f"{self.path} cannot be read: {error.strerror}") from error
        if tail:
            self._check_torn(tail)
            warnings.warn(f"{self.path}:{len(lines) + 1} is torn and ignored", stacklevel=4)
        results = {}
        for number, line in enumerate(lines, start=1):
            record: Any = None
            with contextlib.suppress(ValueError):  # not JSON, or not text
                record = json.loads(line)
            if not (isinstance(record, dict) and record.keys() == {"settings", "result"}):
                raise RecordsError(
                    f"{self.path}:{number} is not a result; name another folder with --out"
                )
            results[_name(record["settings"])] = record["result"]
        return results

    def _check_torn(self, tail: bytes) -> None:
        if not (tail.startswith(_START) or _START.startswith(tail)):
            raise RecordsError(
                f"{self.path} is not a file of results; name another folder with --out"
            )


def _name(settings: Mapping[str, Any]) -> str:
    return json.dumps(dict(settings), sort_keys=True)
