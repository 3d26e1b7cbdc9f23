"""Reader of NumPy archives (`.npz`)."""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from numpy.lib import format as npy

from netgraph.app.data.files.read import DAMAGE, unreadable
from netgraph.app.data.raw import RawData
from netgraph.columns import Array
from netgraph.errors import DataError, FileFormatError
from netgraph.storage import check_size, open_regular

_SPLIT_KEYS = ("x_train", "y_train", "x_test", "y_test")
_WHOLE_KEYS = ("x", "y")
_VALID_KEYS = ("x_valid", "y_valid")

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

# Errors that reading a damaged archive raises.
_BROKEN = (
    *DAMAGE, zipfile.BadZipFile, ValueError, TypeError, RuntimeError, NotImplementedError, MemoryError, OverflowError,
    lzma.LZMAError, struct.error, IndexError, tokenize.TokenError, SyntaxError,
)  # fmt: skip


def read_npz(path: Path) -> RawData:
    """Read a NumPy archive with x_train, y_train, x_test, y_test (and x_valid, y_valid), or with x and y.

    Args:
        path: the archive; object arrays in it are refused, since reading them can run code.

    Returns:
        Its arrays; other arrays of the file are named in the notes.

    Raises:
        DataError: the file is damaged or no archive, lacks some of these arrays, or announces too large ones.
    """
    try:
        with open_regular(path) as file, _archive(path, file) as archive:
            members = _members(path, archive)
            keys = _wanted_keys(path, list(members))
            check_size(path, sum(members[key].file_size for key in keys), path.stat().st_size)
            arrays = {key: _array(path, archive, members[key], key) for key in keys}
    except FileFormatError as error:
        raise DataError(str(error)) from error
    except OSError as error:
        raise unreadable(path, error) from error
    unused = [key for key in members if key not in keys]
    splits = {}
    for x_key, y_key in zip(keys[::2], keys[1::2], strict=True):
        splits["all" if x_key == "x" else x_key.removeprefix("x_")] = (arrays[x_key], arrays[y_key])
    notes = (f"Other arrays of the file are not used: {', '.join(unused)}.",) if unused else ()
    return RawData(path.stem, str(path), splits, notes=notes)


def _wanted_keys(path: Path, present: Sequence[str]) -> tuple[str, ...]:
    """Choose the keys to read, x and y of each split in turn; raise `DataError` when a pair is not complete."""
    keys = _SPLIT_KEYS if set(_SPLIT_KEYS) <= set(present) else _WHOLE_KEYS
    expected = (
        f"Expected {', '.join(_SPLIT_KEYS)} (and {', '.join(_VALID_KEYS)} if there are any), or x and y; "
        "save the samples under these names as arrays of numbers (compressed images must be decoded first)."
    )
    listing = f"the file has {', '.join(sorted(present)) or 'no arrays'}"
    if not set(keys) <= set(present):
        # Name the arrays that the layout of the file lacks.
        started = _WHOLE_KEYS if set(_WHOLE_KEYS) & set(present) else _SPLIT_KEYS
        missing = ", ".join(key for key in started if key not in present)
        raise DataError(f"{path}: {missing} missing; {listing}. {expected}")
    valid = [key for key in _VALID_KEYS if key in present]
    if len(valid) == 1:
        raise DataError(f"{path}: {valid[0]} stands alone; {listing}. {expected}")
    return (*keys, *valid)


def _archive(path: Path, file: BinaryIO) -> zipfile.ZipFile:
    try:
        if file.read(2) != b"PK":
            raise zipfile.BadZipFile("it does not begin like one")
        return zipfile.ZipFile(file)
    except _BROKEN as error:
        raise DataError(
            f"{path} is not a .npz archive, or it is truncated ({error}). Write it again with numpy.savez."
        ) from error


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Map the names of the arrays of an archive to its files."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        key = info.filename.removesuffix(".npy")
        if key in members:
            raise DataError(f"{path}: two arrays are called {key!r}. Write the file again with numpy.savez.")
        members[key] = info
    return members


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, key: str) -> Array:
    """Return one array of an archive, whose header is held against its size before anything is read."""
    try:
        with archive.open(info) as stream:
            if stream.read(len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
                raise DataError(f"{path}: {key} is not a NumPy array. Write the file again with numpy.savez.")
        with archive.open(info) as stream:
            version = npy.read_magic(stream)
            if version not in _HEADERS:
                raise ValueError(f"format {version[0]}.{version[1]} is not that of plain numbers or text")
            shape, _, dtype = _HEADERS[version](stream)
            size, there = math.prod(shape) * dtype.itemsize, info.file_size - stream.tell()
            if dtype.hasobject:
                raise ValueError("it holds Python objects, which are refused, since reading them can run code")
            if dtype.itemsize == 0 or size != there:
                raise ValueError(f"{dtype} of shape {shape} takes {size:,} bytes, and there are {there:,}")
        with archive.open(info) as stream:
            array: Array = npy.read_array(stream, allow_pickle=False)
            stream.read(1)  # which checks the sum over all
    except _BROKEN as error:
        raise DataError(
            f"{path}: array {key} cannot be read ({error}). Either the file is damaged, or it holds no NumPy array of "
            "numbers or text; save it again as such with numpy.savez."
        ) from error
    return array
