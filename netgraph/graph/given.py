"""Checks and conversions of the arguments of a builder."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from netgraph.checks import whole, whole_numbers
from netgraph.columns import WEIGHT_DTYPES, Array, freeze
from netgraph.errors import GraphError, OptionError
from netgraph.graph.grid import int_pair

_LARGEST_LAYER = 2**31 - 1
"""Largest number of vertices of a layer; rows are stored in 32 bits."""


def axis_pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    """Convert one number for both axes, or a pair, to `(height, width)`."""
    return int_pair(name, (value, value) if np.ndim(value) == 0 and not isinstance(value, str) else value)


def layer_size(name: str, size: int) -> int:
    """Return the number of vertices of a layer. Raises `GraphError` unless it is a whole number of at least 1."""
    size = whole(f"Layer {name!r}: size", size, most=_LARGEST_LAYER, error=GraphError)
    if size < 1:
        raise GraphError(f"Layer {name!r} has size {size}; a layer needs at least one vertex.")
    return size


def edge_rows(name: str, values: Any, count: int) -> Array:
    """Convert rows or taps to int32. Raises `GraphError` for numbers beyond 32 bits.

    Numbers within 32 bits but outside `0..count - 1` are refused later, by `build`.
    """
    rows = whole_numbers(name, values, error=GraphError)
    fits = not rows.size or (rows.min() >= -_LARGEST_LAYER and rows.max() <= _LARGEST_LAYER)
    if not fits:
        whole_numbers(name, rows, least=0, most=count - 1, error=GraphError)
    return rows.astype(np.int32)


def weight_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the dtype of weights. Raises `OptionError` unless it is float32 or float64."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)
        if found in WEIGHT_DTYPES:
            return found
    except TypeError:
        pass
    raise OptionError(f"dtype {dtype} is not float32 or float64.")


def cells_along(shape: tuple[int, ...], axis: int) -> Array:
    """Index along `axis` of every cell of an array of this shape, cells in C order, `(cells,)` int32."""
    index = np.empty(math.prod(shape), np.int32)
    index.reshape(shape)[...] = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return freeze(index)
