"""Operations that pick and move values, `(batch, vertices, *grid)`: rows of vertices, and positions of a grid."""

from __future__ import annotations

import math

import numpy as np

from compilers.export.forms import span
from compilers.export.onnx.parts import ModelParts
from netgraph.columns import Array
from netgraph.graph import Grid

AFTER = 2**31 - 1
"""End of a slice that goes to the end of its axis."""


def picked(parts: ModelParts, value: str, rows: Array, width: int, axes: int, *, scope: str, name: str) -> str:
    """Pick the vertices `rows` of a value; row -1 gives zeros.

    Args:
        parts: parts of the model.
        value: name of the value.
        rows: rows of the vertices.
        width: number of vertices of the value.
        axes: number of axes of its grid.
        scope: name of the layer.
        name: beginning of the name of the rows, where they become a constant.
    """
    if len(rows) == width and (rows == np.arange(width)).all():
        return value
    known = np.flatnonzero(rows >= 0)
    ends, block = span(rows[known]), span(known)
    if ends is not None and block is not None:  # consecutive vertices, and zeros around them
        value = sliced(parts, value, ends, width, 1, scope)
        return padded(parts, value, block, len(rows), (1, axes + 2), scope)
    if len(known) < len(rows):
        value = padded(parts, value, (0, width), width + 1, (1, axes + 2), scope)
        rows = np.where(rows < 0, width, rows)
    return parts.add("Gather", value, parts.rows(f"{name}_rows", rows), scope=scope, axis=1)


def sliced(parts: ModelParts, value: str, ends: tuple[int, int], size: int, axis: int, scope: str) -> str:
    """Slice `ends` of an axis with `size` entries."""
    if ends == (0, size):
        return value
    start, stop = (parts.whole(end) for end in ends)
    return parts.add("Slice", value, start, stop, parts.whole(axis), scope=scope)


def padded(parts: ModelParts, value: str, block: tuple[int, int], size: int, axis: tuple[int, int], scope: str) -> str:
    """Put a value at the places `block` of an axis that gets `size` entries, between zeros.

    `axis` is the number of the axis, and that of all axes. Zeros of all axes are counted: onnxruntime 1.32 fails on
    models in which a transposed value is padded along named axes.
    """
    at, axes = axis
    before, after = [0] * axes, [0] * axes
    before[at], after[at] = block[0], size - block[1]
    if not (before[at] or after[at]):
        return value
    return parts.add("Pad", value, parts.whole(*before, *after), scope=scope)


def strided(parts: ModelParts, value: str, stride: tuple[int, int], scope: str) -> str:
    """Read every `stride`-th position of maps."""
    starts, ends, axes = parts.whole(0, 0), parts.whole(AFTER, AFTER), parts.whole(2, 3)
    return parts.add("Slice", value, starts, ends, axes, parts.whole(*stride), scope=scope)


def placed(parts: ModelParts, value: str, width: int, offset: int, source: Grid, target: Grid, scope: str) -> str:
    """Move the positions of a value with `width` vertices as `Place(offset)` does."""
    count, size = math.prod(source), math.prod(target)
    start, stop = max(offset, 0), min(count + offset, size)
    if len(source) != 1:
        value = parts.add("Reshape", value, parts.whole(0, width, count), scope=scope)
    value = sliced(parts, value, (start - offset, stop - offset), count, 2, scope)
    value = padded(parts, value, (start, stop), size, (2, 3), scope)
    return value if len(target) == 1 else parts.add("Reshape", value, parts.whole(0, width, *target), scope=scope)


def column(values: Array, grid: Grid) -> Array:
    """Shape a vertex column so that it broadcasts over values on a grid."""
    return values.reshape(-1, *(1 for _ in grid))
