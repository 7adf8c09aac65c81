"""Files of lines that are only appended to, durable, and whole after a crash."""

import os
from collections.abc import Callable
from pathlib import Path


def append_line(path: Path, line: bytes, check_torn: Callable[[bytes], None]) -> None:
    r"""Write one line, which ends in a newline, and return when it is on the disk.

    A last line without its end, torn by a crash, is moved to ``PATH.torn`` first.

    Parameters
    ----------
    check_torn
        Raises if such a line is not ours.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "lines"
    ...     append_line(path, b"whole\n", print)
    ...     path.read_bytes()
    b'whole\n'
    """
    _set_torn_tail_aside(path, check_torn)
    with open(path, "ab", buffering=0) as file:
        file.write(line)  # one write: a crash can tear the last line, but no other
        os.fsync(file.fileno())


def _set_torn_tail_aside(path: Path, check_torn: Callable[[bytes], None]) -> None:
    if not path.exists():
        return
    with open(path, "rb+") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return
        file.seek(-1, os.SEEK_END)
        if file.read() == b"\n":
            return
        file.seek(0)
        content = file.read()
        whole = content.rfind(b"\n") + 1
        check_torn(content[whole:])
        with open(f"{path}.torn", "ab") as aside:
            aside.write(content[whole:] + b"\n")
        file.truncate(whole)
