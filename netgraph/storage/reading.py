"""Reading of files from unknown sources: only regular files, complete, and small enough for the memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from netgraph.errors import FileFormatError, OptionError

LIMIT = "NETGRAPH_MAX_BYTES"
"""Name of the environment variable that limits the bytes of a file in memory, as read or unpacked."""

FREE_EXPANSION = 32 << 20
"""Number of unpacked bytes up to which `MAX_EXPANSION` does not apply."""

MAX_EXPANSION = 100
"""Largest ratio of unpacked to stored bytes of a file that unpacks to more than `FREE_EXPANSION`.

Deflate reaches 1,032 on zeros; real data hardly reach 20.
"""

_UNKNOWN = 1 << 34


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading; links are followed. It never waits, as opening a pipe would.

    Raises:
        FileFormatError: for a directory, a pipe, a socket or a device.
        OSError: when the file cannot be opened.
    """
    _require_regular(path, Path(path).stat())  # first, because opening some devices has effects
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _require_regular(path, os.fstat(handle))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_file(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Read a regular file, up to the size that the file system states.

    Files without a size, as those of `/proc`, count as empty.

    Args:
        path: the file; links are followed.
        most: largest allowed number of bytes; None for no limit but that of `check_size`, which always holds.

    Raises:
        FileFormatError: when it is not a regular file, or is larger.
        OSError: when the file cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise FileFormatError(
                f"{os.fspath(path)!r} has {size:,} bytes, and such a file at most {most:,}; it is damaged, or not one."
            )
        check_size(path, size)
        return file.read(size)


def check_size(path: str | os.PathLike[str], size: int, stored: int | None = None) -> None:
    """Refuse a file that would not fit into memory, or that unpacks to far more bytes than it has.

    Args:
        path: the file.
        size: number of bytes that it takes in memory, or has taken so far.
        stored: number of stored bytes from which they are unpacked; None for a file that is not packed.

    Raises:
        FileFormatError: naming the size, the limit, and the setting that raises the limit.
    """
    given = os.environ.get(LIMIT)
    if given is not None and not given.isdecimal():
        raise OptionError(f"{LIMIT}={given!r} is no number of bytes; give a whole number, or unset it.")
    limit = int(given) if given is not None else available_memory()
    if given is None and stored is not None and size > FREE_EXPANSION:
        limit = min(limit, max(FREE_EXPANSION, MAX_EXPANSION * stored))
    if size > limit:
        what = "has" if stored is None else f"unpacks from {stored:,} bytes to"
        raise FileFormatError(
            f"{os.fspath(path)!r} {what} {size:,} bytes or more, above the limit of {limit:,}, and was not read. "
            f"If it is meant to be so large, set the environment variable {LIMIT} to the bytes that may be read."
        )


def available_memory() -> int:
    """Number of bytes of memory that this process could still take; 16 GiB where the system does not state it."""
    found = [value for value in (_meminfo(), _control_group()) if value is not None]
    return min(found, default=_UNKNOWN)


def _meminfo() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _control_group() -> int | None:
    """Number of bytes that the memory limit of a container still allows, or None without a limit."""
    try:
        most, used = (
            int(Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii")) for name in ("max", "current")
        )
    except (OSError, ValueError):  # no such group, or one without a limit
        return None
    return max(most - used, 0)


def _require_regular(path: str | os.PathLike[str], found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    kind = next((words for is_kind, words in kinds if is_kind(found.st_mode)), "no file")
    raise FileFormatError(f"{os.fspath(path)!r} is {kind}, not a regular file; give a file.")
