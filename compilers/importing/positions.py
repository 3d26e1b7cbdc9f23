"""Links that move positions: which position of a layer each position of another reads."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Conv2d, Grid, Identity, LinkKind, Place


class Move(NamedTuple):
    """A kind of link with the tap that moves positions as wanted."""

    kind: LinkKind
    tap: int


def move_between(positions: Array, source: Grid, target: Grid) -> Move | None:
    """Find a link by which each position of the target reads a given one of the source.

    Args:
        positions: position of the source that each position of the target reads, -1 for none, `(positions,)`.
        source, target: the grids; positions are numbered in reading order.

    Returns:
        Wires where they do it, else one tap of a convolution; None where no link does.
    """
    at = np.arange(len(positions))
    if source == target and (positions == at).all():
        return Move(Identity(), 0)
    offset = int((at - positions)[positions >= 0][0])
    placed = np.where((at >= offset) & (at - offset < math.prod(source)), at - offset, -1)
    if (placed == positions).all():
        return Move(Place(offset), 0)
    if len(source) != 2 or len(target) != 2:
        return None
    rows = _axis(positions.reshape(target), source, 0)
    columns = _axis(positions.reshape(target), source, 1)
    if rows is None or columns is None:
        return None
    (sh, oh), (sw, ow) = rows, columns
    i, j = (np.arange(size) * stride + shift for size, stride, shift in zip(target, (sh, sw), (oh, ow), strict=True))
    inside = ((i >= 0) & (i < source[0]))[:, None] & ((j >= 0) & (j < source[1]))
    wanted = np.where(inside, i[:, None] * source[1] + j, -1)
    if (wanted.reshape(-1) != positions).any():
        return None
    if (oh, ow) == (0, 0) and Identity((sh, sw)).output_grid(source) == target:
        return Move(Identity((sh, sw)), 0)
    axes = [_window(*axis) for axis in zip(source, target, (sh, sw), (oh, ow), strict=True)]
    (kh, ph, th), (kw, pw, tw) = axes
    return Move(Conv2d((kh, kw), (sh, sw), (ph, pw)), th * kw + tw)


def _axis(positions: Array, source: Grid, axis: int) -> tuple[int, int] | None:
    """Stride and shift along one axis of maps, or None where there are none."""
    known = positions >= 0
    at, read = np.nonzero(known)[axis], np.unravel_index(positions[known], source)[axis]
    first, last = at.argmin(), at.argmax()
    steps = int(at[last] - at[first])
    if steps == 0:  # one position: the others must lie outside
        inside = np.arange(positions.shape[axis]) - at[0] + read[0]
        stride = 1 if np.count_nonzero((inside >= 0) & (inside < source[axis])) == 1 else source[axis]
    else:
        stride = int(read[last] - read[first]) // steps
    return None if stride < 1 else (stride, int(read[first] - stride * at[first]))


def _window(size: int, out: int, stride: int, shift: int) -> tuple[int, int, int]:
    """Kernel, padding and tap along one axis with which `out` positions read `stride * p + shift`."""
    padding, tap = max(-shift, 0), max(shift, 0)
    kernel = size + 2 * padding - stride * (out - 1)
    more = max(0, tap + 1 - kernel)
    return kernel + 2 * more, padding + more, tap + more
