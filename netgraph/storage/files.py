"""Writing of files so that a crash or a full disk never leaves half of a file, and conversion of their names."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_LONGEST_NAME = 240
"""Largest number of bytes in the name of a temporary file; most file systems allow 255."""
_MAX_LINKS = 40
"""Largest number of symbolic links in a chain, as on Linux."""


def write_atomically(path: str | os.PathLike[str], data: bytes, *, durable: bool = True) -> None:
    """Write a file completely or not at all: temporary file, fsync, rename, fsync of the directory.

    Without `durable` there is no fsync: the file is whole even if the process is killed, but it may be damaged after a
    failure of the power. That is some 10 ms faster, for files whose loss does no harm.

    A new file has the mode that `open` would give it. An existing file keeps its mode, and its owner and group where
    the system allows it. A symbolic link stays, and the file to which it points is written. Another hard link to the
    file keeps the old content. A device or a pipe is written directly.

    Raises:
        OSError: when the disk is full or the file cannot be written; a file that existed before stays unchanged.
    """
    target = _follow(Path(path))
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
            if durable:
                os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(target.parent)


def there(path: str | os.PathLike[str]) -> bool:
    """Whether a path leads to a file or folder; False also for names that no file can have, such as too long ones."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def expanded(path: str) -> Path:
    """Replace `~` in a path by the home directory; the path stays unchanged for an unknown user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, completely or not at all; see `write_atomically` and `readable`."""
    write_atomically(path, to_utf8(text))


def to_utf8(text: str) -> bytes:
    """Encode a text in UTF-8; characters that UTF-8 cannot hold are replaced first, see `readable`."""
    return readable(text).encode()


def readable(text: str) -> str:
    """Return a text that can be shown and written, also for names of files that are not valid Unicode.

    Bytes of a name that are UTF-8, but were read under another locale, are decoded. Everything else that UTF-8 cannot
    hold becomes U+FFFD.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        # Python represents a byte that it cannot decode by one of U+DC80 to U+DCFF.
        escaped = re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", text)
        return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text


def file_name(text: str) -> str:
    """Return a file name that was read from JSON, decoded anew by the locale of this process."""
    try:
        return os.fsdecode(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # cannot be the name of a file
        return text


def temporary_of(name: str) -> str | None:
    """Return the name of the file that a temporary file of `write_atomically` stands for, or None for other names."""
    found = re.fullmatch(r"\.(.+)\.[a-z0-9_]{8}", name)
    return found[1] if found else None


def _follow(path: Path) -> Path:
    """Follow a chain of symbolic links to its end, or to the name of an open file, see `_is_open_file`."""
    for _ in range(_MAX_LINKS):
        if _is_open_file(path) or not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))


def _is_open_file(path: Path) -> bool:
    """Whether a path lies in /proc or /dev/fd, the folders of open files, to which /dev/stdout leads.

    Such a file must be written in place: a new file beside it would be another one.
    """
    return path.is_absolute() and (path.parts[1:2] == ("proc",) or path.parts[1:3] == ("dev", "fd"))


def _temporary(target: Path, *, private: bool) -> tuple[Path, int]:
    """Create a new file beside `target` and open it for writing.

    Args:
        target: the file that is to be written.
        private: whether only the owner may read the new file; else it has the mode of any new file.
    """
    name = os.fsdecode(os.fsencode(target.name)[: _LONGEST_NAME - 10])
    while True:
        temporary = target.with_name(f".{name}.{secrets.token_hex(4)}")
        try:
            # The system applies the umask to 0o666; Python could read the umask only by setting it.
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600 if private else 0o666)
        except FileExistsError:
            continue
        except OSError as error:
            error.filename = os.fspath(target)  # the user does not know the temporary name
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                what = "cannot be written, since no new file can be made in its folder"
                error.strerror = f"{error.strerror}; the file {what}"
            raise
        return temporary, handle


_BINARY = getattr(os, "O_BINARY", 0)


def _keep_mode(handle: int, old: os.stat_result) -> None:
    """Give a new file the owner, group and mode of the file that it replaces."""
    mode = stat.S_IMODE(old.st_mode)
    if not hasattr(os, "fchown"):
        return
    new = os.fstat(handle)
    if new.st_gid != old.st_gid:
        try:
            os.fchown(handle, -1, old.st_gid)
        except OSError:  # The new group gets only the rights that everybody has.
            mode = mode & ~0o070 | (mode & 0o007) << 3
    if new.st_uid != old.st_uid:
        with suppress(OSError):
            os.fchown(handle, old.st_uid, -1)
    with suppress(PermissionError):
        os.fchmod(handle, mode)


def append_line(path: str | os.PathLike[str], line: str) -> None:
    """Append one line to a text file and flush it to the disk.

    Raises:
        OSError: when the write fails; the file is then cut back to its old size.
    """
    data = memoryview(to_utf8(line) + b"\n")
    # Not a buffered file: on closing it would write the rest of its buffer, after the file was cut back.
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
    """Flush a directory to the disk, so that renames in it last. Skipped where the system cannot do it."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # the directory may be written, but not read
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
