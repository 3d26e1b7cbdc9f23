"""Writing files so that a crash or a full disk never leaves half of one."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_LONGEST_NAME = 240
"""Bytes of the name of a temporary file; most file systems take 255."""
_MOST_LINKS = 40
"""Symbolic links in a row, as on Linux."""


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file completely or not at all: temporary file, fsync, rename, fsync of the directory.

    A new file has the mode that `open` would give it. An existing one keeps its mode, and its owner and group where
    the system lets it; a symbolic link stays, and the file that it points to is written. Another hard link to the file
    keeps the old content. A device or a pipe is written as it is.

    Raises:
        OSError: when the disk is full or the place cannot be written; what was there before stays.
    """
    target = _followed(Path(path))
    try:
        old = target.stat()
    except FileNotFoundError:
        old = None
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, "There is a directory in the place of the file", os.fspath(path))
    if old is not None and (not stat.S_ISREG(old.st_mode) or _is_open_file(target)):
        with target.open("wb") as stream:
            stream.write(data)
        return
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "The folder does not exist; make it first", str(target.parent))
    temporary, handle = _temporary(target, private=old is not None)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if old is not None:
                _keep_mode(file.fileno(), old)
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)


def there(path: str | os.PathLike[str]) -> bool:
    """Whether a path leads to something; one that no file can have, such as too long a one, does not."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def expanded(path: str) -> Path:
    """A path with the home directory in place of `~`; one of a user who is not known stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, completely or not at all; see `write_atomically` and `readable`."""
    write_atomically(path, to_utf8(text))


def to_utf8(text: str) -> bytes:
    """The text in UTF-8, whatever it holds; see `readable`."""
    return readable(text).encode()


def readable(text: str) -> str:
    """The text as it can be shown and written: names of files that are not Unicode with U+FFFD for what is not.

    A name that is UTF-8, but was read under a locale that is not, becomes what it is.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        # Python keeps a byte that it cannot decode as one of U+DC80 to U+DCFF.
        escaped = re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", text)
        return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text


def file_name(text: str) -> str:
    """The name of a file, kept in a JSON file, as a process spells it under the present locale."""
    try:
        return os.fsdecode(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # It never was the name of a file, and no file is found under it.
        return text


def temporary_of(name: str) -> str | None:
    """The file for which `write_atomically` makes a temporary one of this name, or None."""
    found = re.fullmatch(r"\.(.+)\.[a-z0-9_]{8}", name)
    return found[1] if found else None


def _followed(path: Path) -> Path:
    """Where a chain of symbolic links ends; in a folder of open files it ends at their name."""
    for _ in range(_MOST_LINKS):
        if _is_open_file(path) or not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))


def _is_open_file(path: Path) -> bool:
    """Whether a path names a file that a process has open, as /dev/stdout does: a new file would not be that one."""
    return path.is_absolute() and (path.parts[1:2] == ("proc",) or path.parts[1:3] == ("dev", "fd"))


def _temporary(target: Path, *, private: bool) -> tuple[Path, int]:
    """A new file beside `target`, open for writing, with the mode of any new file, or one for its owner alone."""
    name = os.fsdecode(os.fsencode(target.name)[: _LONGEST_NAME - 10])
    while True:
        temporary = target.with_name(f".{name}.{secrets.token_hex(4)}")
        try:
            # The system takes the umask off, and there is no way to ask for it without setting it.
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600 if private else 0o666)
        except FileExistsError:
            continue
        except OSError as error:
            error.filename = os.fspath(target)  # a name that the user knows
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                what = "cannot be written, since no new file can be made in its folder"
                error.strerror = f"{error.strerror}; the file {what}"
            raise
        return temporary, handle


_BINARY = getattr(os, "O_BINARY", 0)


def _keep_mode(handle: int, old: os.stat_result) -> None:
    """Give a new file owner, group and mode of the file whose place it takes."""
    mode = stat.S_IMODE(old.st_mode)
    if not hasattr(os, "fchown"):
        return
    new = os.fstat(handle)
    if new.st_gid != old.st_gid:
        try:
            os.fchown(handle, -1, old.st_gid)
        except OSError:  # Then what the old group might do is for nobody but everybody.
            mode = mode & ~0o070 | (mode & 0o007) << 3
    if new.st_uid != old.st_uid:
        with suppress(OSError):
            os.fchown(handle, old.st_uid, -1)
    with suppress(PermissionError):
        os.fchmod(handle, mode)


def append_line(path: str | os.PathLike[str], line: str) -> None:
    """Append one line to a text file and flush it to the disk.

    When the write fails half way, the file is cut back to what it was, and the `OSError` passes on.
    """
    data = memoryview(to_utf8(line) + b"\n")
    # Not a buffered file: that would write what it still holds when it is closed, after the cut.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | _BINARY, 0o666)
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
    """Make renames in a directory last. Systems and file systems that cannot do that skip it."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a directory that may be written, and not read
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
