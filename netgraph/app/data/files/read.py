"""Access to the files of data sets: find and open them, with errors that name a remedy."""

from __future__ import annotations

import difflib
import gzip
import io
import zlib
from pathlib import Path

from netgraph.errors import DataError, FileFormatError
from netgraph.markup import shortened
from netgraph.storage import check_size, read_file, there

# Errors that reading and unpacking a damaged file raise.
DAMAGE = (OSError, EOFError, zlib.error)
_GZIP_MAGIC = b"\x1f\x8b"
_PART = 1 << 20
_LONGEST = 300


def require_file(path: Path) -> None:
    """Raise `DataError` with the nearest name in the same directory unless `path` exists."""
    if there(path):
        return
    name = shortened(str(path), _LONGEST)
    if not there(path.parent):
        raise DataError(
            f"{name} does not exist: there is no directory {shortened(str(path.parent), _LONGEST)}. Check the path."
        )
    near = difflib.get_close_matches(path.name, sorted(entry.name for entry in path.parent.iterdir()), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(f"{name} does not exist.{hint} Check the path.")


def unreadable(path: Path, error: Exception) -> DataError:
    """Return the error for a file that could not be read or unpacked."""
    return DataError(f"{path} cannot be read ({error}). Check that it is complete and readable.")


def read_bytes(path: Path) -> bytes:
    """Return the content of `path`, unpacked if it is gzipped (by its content, not by its name).

    Raises:
        DataError: the file is no regular one, is damaged, or is or unpacks to more than may be read.
    """
    try:
        data = read_file(path)
        if not data.startswith(_GZIP_MAGIC):
            return data
        _check_unpacked(path, data)
        return gzip.decompress(data)
    except FileFormatError as error:
        raise DataError(str(error)) from error
    except DAMAGE as error:
        raise unreadable(path, error) from error


def _check_unpacked(path: Path, data: bytes) -> None:
    """Refuse what unpacks to too much, by unpacking it without keeping it: no size in a gzip file is binding."""
    packed, size = io.BytesIO(data), 0
    with gzip.GzipFile(fileobj=packed) as file:
        while part := file.read(_PART):
            size += len(part)
            check_size(path, size, packed.tell())
