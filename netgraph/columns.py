"""Read-only NumPy columns: the storage of all values of edges and vertices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from netgraph.checks import Array as Array
from netgraph.checks import real_numbers, truth_values, whole_numbers
from netgraph.errors import GraphError

EDGE_DTYPES: dict[str, type[np.generic] | None] = {
    "id": np.int64,
    "src": np.int32,
    "dst": np.int32,
    "tap": np.int32,
    "weight": None,  # float32 by default
    "birth": np.int32,
    "frozen": np.bool_,
}
"""Dtypes of the columns of a link, in the order in which they are stored; None where the values keep their dtype."""

WEIGHT_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


_SMALL = 1 << 16
"""Largest size, in bytes, of an array that `digest` copies. One hash of joined copies is cheaper than many hashes."""

IDS_PER_ROW = 8
"""Largest ratio of the range of ids to the number of rows at which a table by id is worth its memory."""


def column(values: Any, dtype: Any, name: str = "column") -> Array:
    """Convert values to a frozen column.

    Memory to which somebody else could still write is copied; a frozen column is not.

    Args:
        values: an array or a list.
        dtype: dtype of the column, or None for that of the values.
        name: name of the column, for messages.

    Raises:
        GraphError: when the conversion would truncate, wrap around or invent a value.
    """
    array = converted(values, dtype, name)
    if array.flags.c_contiguous and is_frozen(array):
        return array
    own = array is not values and array.base is None and isinstance(values, np.ndarray | list | tuple)
    return freeze(array if own else array.copy())


def freeze(array: Array) -> Array:
    """Make an array read-only for good, without a copy. Nobody else may hold the array.

    The result is a view of a read-only buffer, so that `setflags(write=True)` fails on it and on all of its views.
    """
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return np.asarray(memoryview(array).toreadonly())  # type: ignore[arg-type]  # arrays are buffers


def converted(values: Any, dtype: Any, name: str) -> Array:
    """Convert values to an array of a dtype, or of their own dtype for None, without changing any value.

    Raises:
        GraphError: naming the first value that the dtype cannot hold.
    """
    if dtype is None or (isinstance(values, np.ndarray) and values.dtype == dtype):
        return np.asarray(values)
    if np.dtype(dtype).kind == "b":
        return truth_values(name, values, error=GraphError)
    if np.dtype(dtype).kind == "i":
        return whole_numbers(name, values, dtype=dtype, floats=True, error=GraphError)
    return real_numbers(name, values, dtype=dtype, infinite=True, error=GraphError)


def is_frozen(array: Array) -> bool:
    """Whether nothing can make an array writeable again, because its memory is bytes or a buffer made by `freeze`."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    if not isinstance(base, memoryview):
        return isinstance(base, bytes)
    owner = base.obj
    return base.readonly and (isinstance(owner, bytes) or (isinstance(owner, np.ndarray) and not owner.flags.writeable))


class ReadOnly:
    """Base of objects that never change. They set their attributes once, through `__dict__`; cached properties work."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"A {type(self).__name__} never changes, so {name!r} cannot be set.{self._instead()}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"A {type(self).__name__} never changes, so {name!r} cannot go.{self._instead()}")

    def _instead(self) -> str:
        """Remedy for the error messages, after a space; '' where there is none."""
        return ""


Key = TypeVar("Key")
Value = TypeVar("Value")


class FrozenDict(dict[Key, Value]):
    """A dict that cannot be changed, for attributes of immutable values. It can be pickled and written as JSON."""

    def _refuse(self, *_args: Any, **_values: Any) -> Any:
        raise TypeError("This mapping belongs to a value that never changes; copy it with dict(...) to edit the copy.")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


def digest(*parts: Any) -> bytes:
    """Hash arrays with their dtypes and shapes, bytes, and the reprs of plain values, in one pass over the bytes."""
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
    """Concatenate columns to one frozen column; an empty column of `dtype` when there are none."""
    items = list(arrays)
    if not items:
        return column(np.empty(0, dtype=dtype), None)
    if len(items) == 1:
        return column(items[0], None)
    return freeze(np.concatenate(items))


def spans(start: Array | int, size: Array) -> Array:
    """Concatenate the ranges `start[k], ..., start[k] + size[k] - 1`. With a single start, all ranges begin there.

    O(sum of sizes), in whole columns.
    """
    ends = np.cumsum(size)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) + np.repeat(start - (ends - size), size))


def by_value(values: Array) -> dict[int, Array]:
    """Return the positions of every distinct value; values and positions are in ascending order. O(n log n)."""
    if not len(values):
        return {}
    order = np.argsort(values, kind="stable")
    distinct, starts = np.unique(values[order], return_index=True)
    return {int(v): part for v, part in zip(distinct, np.split(order, starts[1:]), strict=True)}


def among(values: Array, ordered: Array) -> Array:
    """Mask of the values that are in `ordered`, an ascending column. O(log n) for each value."""
    if not len(ordered):
        return np.zeros(len(values), dtype=bool)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[place] == values)


class IdIndex(ReadOnly):
    """Index from ids to rows.

    Ids count up from 0 along a history. While most ids still exist, a table maps each id to its row: O(n) to build and
    O(1) per look-up. Otherwise ids are sorted: O(n log n) to build and O(log n) per look-up.
    """

    _table: Array | None
    _order: Array
    _sorted: Array

    def __init__(self, ids: Array) -> None:
        table, order = None, np.empty(0, np.int64)
        if len(ids) and ids.min() >= 0 and ids.max() < IDS_PER_ROW * len(ids):
            # A last row for all ids that are too large.
            table = np.full(int(ids.max()) + 2, -1, dtype=np.int32 if len(ids) < 2**31 else np.int64)
            table[ids[::-1]] = np.arange(len(ids))[::-1]  # the first row of equal ids
            table = freeze(table)
        else:
            order = np.argsort(ids, kind="stable")
        self.__dict__.update(_table=table, _order=column(order, np.int64), _sorted=freeze(ids[order]))

    def find(self, ids: Any) -> Array:
        """Return the row of each id, -1 for unknown ids.

        Raises:
            GraphError: for values that are not whole numbers, such as a mask.
        """
        wanted = whole_numbers("ids", ids, error=GraphError)
        if self._table is not None:
            last = len(self._table) - 1  # without a sign, ids below 0 are large
            return self._table[np.minimum(wanted.view(np.uint64), last).view(np.int64)].astype(np.int64)
        if not len(self._sorted):
            return np.full(wanted.shape, -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        return np.where(self._sorted[place] == wanted, self._order[place], -1)
