"""Read-only NumPy columns, the storage of everything there is one of per edge or per vertex."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

EDGE_DTYPES: dict[str, type[np.generic] | None] = {
    "id": np.int64,
    "src": np.int32,
    "dst": np.int32,
    "tap": np.int32,
    "weight": None,  # float32 unless asked otherwise
    "birth": np.int32,
    "frozen": np.bool_,
}
"""Columns of a link, in the order in which they are stored."""

WEIGHT_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def freeze(array: Array) -> Array:
    """Return a contiguous view of `array` that cannot be written through."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def column(values: Any, dtype: Any) -> Array:
    """Convert to a frozen column; the caller's own array is copied when it could still be written."""
    array = np.asarray(values, dtype=dtype)
    if array is values and array.flags.writeable:
        array = array.copy()
    return freeze(array)


def digest(*parts: Any) -> bytes:
    """Hash arrays (with dtype and shape) and reprs of plain values; one pass over the bytes."""
    h = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            h.update(f"{part.dtype.str}{part.shape}".encode())
            h.update(memoryview(np.ascontiguousarray(part)).cast("B") if part.size else b"")
        elif isinstance(part, bytes):
            h.update(part)
        else:
            h.update(repr(part).encode())
        h.update(b"\0")
    return h.digest()


def concatenate(arrays: Iterable[Array], dtype: Any) -> Array:
    """Concatenate columns into one frozen column; an empty list gives an empty column."""
    items = list(arrays)
    if not items:
        return freeze(np.empty(0, dtype=dtype))
    return freeze(np.concatenate(items) if len(items) > 1 else items[0])


class IdIndex:
    """Find rows by id. Building costs O(n log n) once, each look-up O(log n) per id."""

    def __init__(self, ids: Array) -> None:
        self._order = np.argsort(ids, kind="stable")
        self._sorted = ids[self._order]

    def find(self, ids: Any) -> Array:
        """Row of each id, or -1 where there is none."""
        wanted = np.asarray(ids, dtype=np.int64)
        if not len(self._sorted):
            return np.full(wanted.shape, -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        found = self._sorted[place] == wanted
        return np.where(found, self._order[place], -1)
