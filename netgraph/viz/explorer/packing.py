"""Arrays and texts of an explorer page as JSON values."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.markup import printable

Packed = dict[str, Any]
"""An array as JSON: `dtype`, `shape`, and `data`, the base64 of its little-endian bytes in row order."""

_INT32 = np.iinfo(np.int32)


def pack(values: Any) -> Packed:
    """Encode an array: truth values as uint8, whole numbers as int32, or float64 if they are larger, floats as float32.

    Ids are below `2**53`, so that float64 holds them exactly.
    """
    array = np.asarray(values)
    if array.dtype == np.bool_:
        dtype = "uint8"
    elif array.dtype.kind in "iu":
        fits = not array.size or (array.min() >= _INT32.min and array.max() <= _INT32.max)
        dtype = "int32" if fits else "float64"
    else:
        dtype = "float32"
    with np.errstate(over="ignore"):
        own = np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<"))
    return {"dtype": dtype, "shape": list(array.shape), "data": base64.b64encode(own.tobytes()).decode()}


def unpack(packed: Packed) -> Array:
    """Decode an array."""
    data = np.frombuffer(base64.b64decode(packed["data"]), np.dtype(packed["dtype"]).newbyteorder("<"))
    return data.reshape(packed["shape"])


def plain_text(value: object) -> str:
    """Return `str(value)` with characters that do not print replaced; line ends stay."""
    return printable(str(value), "\n")
