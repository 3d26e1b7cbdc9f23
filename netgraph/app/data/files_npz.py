"""Read NumPy archives (`.npz`)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netgraph.app.data.files import DAMAGE, unreadable
from netgraph.app.data.raw import Array, RawData
from netgraph.errors import DataError

_SPLIT_KEYS = ("x_train", "y_train", "x_test", "y_test")
_WHOLE_KEYS = ("x", "y")
_VALID_KEYS = ("x_valid", "y_valid")


def read_npz(path: Path) -> RawData:
    """Read a NumPy archive with x_train, y_train, x_test, y_test (and x_valid, y_valid), or with x and y.

    Args:
        path: the archive; object arrays in it are refused, since reading them can run code.

    Returns:
        Its arrays; other arrays of the file are named in the notes.

    Raises:
        DataError: the file is damaged or no archive, or lacks some of these arrays.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not a .npz archive, or it is truncated. Write it again with numpy.savez.")
    try:
        opened = np.load(path, allow_pickle=False)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise unreadable(path, error) from error
    with opened as archive:
        keys = _wanted_keys(path, archive.files)
        arrays = {key: _member(path, archive, key) for key in keys}
        unused = [key for key in archive.files if key not in keys]
    splits = {}
    for x_key, y_key in zip(keys[::2], keys[1::2], strict=True):
        splits["all" if x_key == "x" else x_key.removeprefix("x_")] = (arrays[x_key], arrays[y_key])
    notes = (f"Other arrays of the file are not used: {', '.join(unused)}.",) if unused else ()
    return RawData(path.stem, str(path), splits, notes=notes)


def _wanted_keys(path: Path, present: Sequence[str]) -> tuple[str, ...]:
    """Return the keys to read, as x, y pairs; raise `DataError` when a pair is not complete."""
    keys = _SPLIT_KEYS if set(_SPLIT_KEYS) <= set(present) else _WHOLE_KEYS
    expected = (
        f"Expected {', '.join(_SPLIT_KEYS)} (and {', '.join(_VALID_KEYS)} if there are any), or x and y; "
        "save the samples under these names as arrays of numbers (compressed images must be decoded first)."
    )
    listing = f"the file has {', '.join(sorted(present)) or 'no arrays'}"
    if not set(keys) <= set(present):
        # Name what is missing from the layout that the file seems to follow.
        started = _WHOLE_KEYS if set(_WHOLE_KEYS) & set(present) else _SPLIT_KEYS
        missing = ", ".join(key for key in started if key not in present)
        raise DataError(f"{path}: {missing} missing; {listing}. {expected}")
    valid = [key for key in _VALID_KEYS if key in present]
    if len(valid) == 1:
        raise DataError(f"{path}: {valid[0]} stands alone; {listing}. {expected}")
    return (*keys, *valid)


def _member(path: Path, archive: Mapping[str, Any], key: str) -> Array:
    """Return one array of an archive; raise `DataError` when it is damaged or holds Python objects."""
    try:
        array = archive[key]
    except (*DAMAGE, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: array {key} cannot be read ({error}). Either the file is damaged, or the array holds "
            "Python objects, which are refused; save it again as numbers or text."
        ) from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: {key} is not a NumPy array. Write the file again with numpy.savez.")
    return array
