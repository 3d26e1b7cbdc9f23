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


_SMALL = 1 << 16
"""Arrays of up to this many bytes are copied when they are hashed, which is cheaper than a call for each."""

IDS_PER_ROW = 8
"""Of so many ids one must still be there for a table of all of them to be worth its memory."""


def column(values: Any, dtype: Any) -> Array:
    """Convert to a frozen column. Memory that somebody else could still write to is copied, a frozen column is not."""
    array = np.asarray(values, dtype=dtype)
    flags = array.flags
    if flags.c_contiguous and not (flags.writeable or _writable_elsewhere(array)):
        return array
    if array is values or array.base is not None:
        array = array.copy()
    array.flags.writeable = False
    return array


def _writable_elsewhere(array: Array) -> bool:
    """Whether a read-only view shows memory that its owner can still change."""
    base = array.base
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return True
        base = base.base
    return base is not None and not isinstance(base, bytes)


def digest(*parts: Any) -> bytes:
    """Hash arrays (with dtype and shape), bytes, and reprs of plain values; one pass over the bytes."""
    h = hashlib.blake2b(digest_size=16)
    small: list[bytes | memoryview] = []
    for part in parts:
        if isinstance(part, bytes | memoryview):
            small.append(part)
        elif not isinstance(part, np.ndarray):
            small.append(repr(part).encode())
        else:
            small.append(f"{part.dtype.str}{part.shape}".encode())
            if part.nbytes <= _SMALL:
                small.append(part.tobytes())
            else:
                h.update(b"".join(small))
                small = []
                h.update(np.ascontiguousarray(part).data.cast("B"))
        small.append(b"\0")
    h.update(b"".join(small))
    return h.digest()


def concatenate(arrays: Iterable[Array], dtype: Any) -> Array:
    """Concatenate columns into one frozen column; an empty list gives an empty column."""
    items = list(arrays)
    if not items:
        return column(np.empty(0, dtype=dtype), None)
    if len(items) == 1:
        return column(items[0], None)
    joined = np.concatenate(items)
    joined.flags.writeable = False
    return joined


class IdIndex:
    """Find rows by id.

    Ids count up from 0 along a history: as long as few are gone, a table by id holds the rows, O(n) to build and O(1)
    per look-up. After that they are sorted: O(n log n) once, and O(log n) per look-up.
    """

    def __init__(self, ids: Array) -> None:
        self._table: Array | None = None
        self._order = self._sorted = ids[:0]
        if len(ids) and ids.min() >= 0 and ids.max() < IDS_PER_ROW * len(ids):
            self._table = np.full(int(ids.max()) + 1, -1, dtype=np.int32 if len(ids) < 2**31 else np.int64)
            self._table[ids[::-1]] = np.arange(len(ids))[::-1]  # the first of equal ones
            return
        self._order = np.argsort(ids, kind="stable")
        self._sorted = ids[self._order]

    def find(self, ids: Any) -> Array:
        """Row of each id, or -1 where there is none."""
        wanted = np.asarray(ids, dtype=np.int64)
        if self._table is not None:
            known = (wanted >= 0) & (wanted < len(self._table))
            return np.where(known, self._table[np.where(known, wanted, 0)], -1).astype(np.int64)
        if not len(self._sorted):
            return np.full(wanted.shape, -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        found = self._sorted[place] == wanted
        return np.where(found, self._order[place], -1)
