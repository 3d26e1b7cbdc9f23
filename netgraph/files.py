"""Writing files so that a crash or a full disk never leaves half of one."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file completely or not at all: temporary file, fsync, rename, fsync of the directory.

    Raises:
        OSError: when the disk is full or the place cannot be written; what was there before stays.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "The folder does not exist; make it first", str(target.parent))
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)


def append_line(path: str | os.PathLike[str], line: str) -> None:
    """Append one line to a text file and flush it to the disk.

    When the write fails half way, the file is cut back to what it was, and the `OSError` passes on.
    """
    data = memoryview(line.encode() + b"\n")
    # Not a buffered file: that would write what it still holds when it is closed, after the cut.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        start = os.lseek(handle, 0, os.SEEK_END)
        try:
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, start)
            raise
    finally:
        os.close(handle)


def sync_directory(path: Path) -> None:
    """Make renames in a directory last. Systems that cannot open a directory skip it."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
