"""The lock of a directory of results, so that only one process writes there at a time."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netgraph.errors import BusyError

LOCK = ".netgraph-lock"
"""The file that a writer locks. It is there while one writes, and after one that was killed, which does no harm."""

_UNKNOWN = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTSUP)
"""Errors of file systems that have no locks."""

_LONGEST = 4096
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_PATIENCE, _PAUSE = 0.5, 0.02
"""Seconds until a lock that is held is refused, and between two trials: some are held for a moment."""

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Behind the text, which others have to read: a lock of Windows also keeps readers out.

    def _take(handle: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def sole_writer(directory: Path, *, make: bool = False) -> Iterator[None]:
    """Keep other writers out of a directory. The system removes the lock when the process ends, also when it is killed.

    On a file system without locks, as on some clusters, nothing is locked. Over NFS the lock holds between machines
    when the server has locks, as all servers of version 4 do. Processes that this one starts do not inherit the lock.

    Args:
        directory: the directory to write to.
        make: make it, and its parents, when it does not exist; it is removed again when nothing was put in it.

    Raises:
        BusyError: when another process writes there; the message names the process.
        OSError: when the directory does not exist, or cannot be written.
    """
    made = make and not directory.is_dir()
    handle = _locked(directory, make)
    try:
        yield
    finally:
        with suppress(OSError):  # Before it is let go: who waits for it looks for the file again.
            (directory / LOCK).unlink()
        os.close(handle)
        if made:
            with suppress(OSError):
                directory.rmdir()


def _locked(directory: Path, make: bool) -> int:
    """Lock a directory and return the open lock file; raise `BusyError` when another process keeps the lock."""
    file, end = directory / LOCK, time.monotonic() + _PATIENCE
    while True:
        try:
            if make:
                directory.mkdir(parents=True, exist_ok=True)
            handle = os.open(file, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
        except FileNotFoundError:
            if make:  # Who made the directory has removed it meanwhile.
                continue
            raise
        except FileExistsError:
            if os.path.lexists(directory) and not directory.is_dir():
                raise
            continue  # It was removed between the attempt to make it and the look at it.
        except PermissionError as error:
            what = f"{error.strerror}; nothing can be written into the directory"
            raise PermissionError(error.errno, what, os.fspath(directory)) from error
        try:
            _take(handle)
            if _is_there(file, handle):
                _sign(handle)
                return handle
        except BlockingIOError:
            if time.monotonic() >= end:
                writer = _writer(handle)
                os.close(handle)
                raise BusyError(
                    f"{os.fspath(directory)!r} is being written by {writer}. Wait until that has ended, or choose "
                    "another directory."
                ) from None
            time.sleep(_PAUSE)
        except OSError as error:
            if error.errno in _UNKNOWN:
                return handle
            os.close(handle)
            raise
        # Its holder has removed it on leaving, so the next one may hold a new file of this name.
        os.close(handle)


def _is_there(file: Path, handle: int) -> bool:
    """Whether a path still names an open file."""
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _sign(handle: int) -> None:
    """Write down who holds the lock. On a full disk nobody reads who it is."""
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    values = {"process": os.getpid(), "machine": socket.gethostname(), "since": started}
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(values).encode())


def _writer(handle: int) -> str:
    """Who holds a lock, in words."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        values = json.loads(os.read(handle, _LONGEST))
        process, machine, since = int(values["process"]), str(values["machine"]), str(values["since"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "another process"
    where = "" if machine == socket.gethostname() else f" on {machine!r}"
    return f"process {process}{where}, since {since[:19]!r}"
