"""Grids of layers, and sizes along their axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netgraph.checks import whole
from netgraph.errors import GraphError

Grid = tuple[int, ...]
"""Sizes of the axes along which a vertex has values: `()` for a number, `(height, width)`, `(tokens,)`."""

_LARGEST_SIDE = 2**15
"""Largest height or width of a kernel, window, stride or padding, so that taps fit in 32 bits."""


def int_pair(name: str, values: Any) -> tuple[int, int]:
    """Convert to two plain ints, `(height, width)`. Raises `GraphError` that shows the given value."""
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray) or len(values) != 2:
        raise GraphError(f"{name}={values!r} needs two numbers, (height, width).")
    height, width = (whole(name, value, most=_LARGEST_SIDE, error=GraphError) for value in values)
    return height, width


def int_axes(name: str, values: Any) -> tuple[int, ...]:
    """Convert to plain ints, one per axis of a grid. Raises `GraphError` that shows the given value."""
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray) or len(values) not in (1, 2):
        raise GraphError(f"{name}={values!r} needs one number per axis: (height, width), or (positions,) for tokens.")
    return tuple(whole(name, value, most=_LARGEST_SIDE, error=GraphError) for value in values)
