"""Arrows between vertices: which of the edges are drawn, and how they run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.graph import EdgeTable, Graph
from netgraph.viz.layout import Frame

FEWEST, MOST = 200, 600
"""Arrows that a small and a tall picture have room for; nobody can follow more."""
_FLOOR_SHARE = 0.25
TIP = 4.5
"""Length of the head of an arrow."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Edges that share both ends, as the kernel positions of a convolution do, taken together.

    Attributes:
        row: (pairs,) row, in the table of edges, of the most important edge of each pair.
        count: (pairs,) how many edges it stands for.
    """

    row: Array
    count: Array

    def __len__(self) -> int:
        return len(self.row)


def pairs_of(edges: EdgeTable, importance: Array) -> Pairs:
    """Group edges by link and ends; the edge of the largest importance stands for its group. O(E log E) at most."""
    if not len(edges):
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64))
    keys = np.stack([edges.link, edges.target_row, edges.source_row])
    # Edges are in canonical order, so those of one pair stand together.
    starts = np.flatnonzero(np.concatenate([[True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)]))
    counts = np.diff(np.append(starts, len(edges)))
    if len(starts) == len(edges):
        return Pairs(starts, counts)
    order = np.lexsort((-importance, np.repeat(np.arange(len(starts)), counts)))
    return Pairs(order[starts], counts)


def link_ends(graph: Graph) -> Array:
    """(links, 2) ids of the layers at the ends of each link, in the order of `graph.links_by_key`."""
    return np.array([key[:2] for key in graph.links_by_key], np.int64).reshape(-1, 2)


def room_for(height: float) -> int:
    """How many arrows can be followed in a picture of this height."""
    return int(min(max(1.1 * height, FEWEST), MOST))


def most_important(groups: Array, importance: Array, most: int) -> Array:
    """Rows of at most `most` items: the largest of each group for a quarter of them, then the largest of all.

    Without the first part a link of small weights would look as if it were not there.
    """
    n = len(importance)
    if n <= most:
        return np.arange(n)
    order = np.lexsort((-importance, groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    place = np.empty(n, np.int64)
    place[order] = np.arange(n) - np.repeat(starts, np.diff(np.append(starts, n)))
    floor = max(1, int(_FLOOR_SHARE * most / len(starts)))
    first = place < floor
    ranked = np.lexsort((-importance, ~first))
    return np.sort(ranked[:most])


@dataclass(frozen=True)
class Way:
    """The way of an arrow around the layers between its ends: it passes above or below them, from `left` to `right`."""

    left: float
    right: float
    y: float


def ways(frames: Mapping[int, Frame], source: Array, target: Array, start: Array, end: Array) -> list[Way | None]:
    """How arrows get around the layers between their ends; None for a straight one.

    Args:
        frames: places of layers.
        source, target: (arrows,) ids of the layers at the ends.
        start, end: (arrows, 2) places of the ends.
    """
    result: list[Way | None] = [None] * len(source)
    if not result:
        return result
    by_column: dict[int, list[Frame]] = {}
    for frame in frames.values():
        by_column.setdefault(frame.column, []).append(frame)
    pairs, group = np.unique(np.stack([source, target], axis=1), axis=0, return_inverse=True)
    for k, (a, b) in enumerate(pairs.tolist()):
        first, last = sorted((frames[a].column, frames[b].column))
        between = [frame for column in range(first + 1, last) for frame in by_column.get(column, [])]
        if between:
            rows = np.flatnonzero(group.ravel() == k)
            for row, way in zip(rows.tolist(), _around(between, start[rows], end[rows]), strict=True):
                result[row] = way
    return result


def _around(between: list[Frame], start: Array, end: Array) -> list[Way]:
    """Above or below everything between the ends, whichever is nearer; longer ways keep further off."""
    left, right = min(f.x - f.width / 2 for f in between), max(f.x + f.width / 2 for f in between)
    top, bottom = min(f.y - f.height / 2 for f in between), max(f.y + f.height / 2 for f in between)
    middle = (start[:, 1] + end[:, 1]) / 2
    up = middle < (top + bottom) / 2
    away = np.maximum(np.where(up, middle - top, bottom - middle), 0.0)
    lift = 8.0 + 30.0 * away / max(bottom - top, 1.0)
    return [Way(left, right, y) for y in np.where(up, top - lift, bottom + lift).tolist()]


def courses(start: Array, end: Array, around: list[Way | None], radius: float, head: bool) -> list[str]:
    """The way of each arrow for DOT, from the rim of one vertex to the rim of another.

    Arrows that share both ends bow out, so that each is seen.
    """
    _, group = np.unique(np.concatenate([start, end], axis=1), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    firsts = np.flatnonzero(np.diff(group.ravel()[order], prepend=-1))
    bows = np.empty(len(order))
    bows[order] = 14.0 * (np.arange(len(order)) - np.repeat(firsts, np.diff(np.append(firsts, len(order)))))
    rows = zip(start.tolist(), end.tolist(), around, bows.tolist(), strict=True)
    return [
        _course(*_straight(a, b, bow, radius, head) if way is None else _detour(a, b, way, radius, head))
        for a, b, way, bow in rows
    ]


Point = tuple[float, float]


def _course(points: list[Point], tip: Point | None) -> str:
    text = " ".join(f"{x:.1f},{-y:.1f}" for x, y in points)
    return text if tip is None else f"e,{tip[0]:.1f},{-tip[1]:.1f} {text}"


def _straight(
    start: Sequence[float], end: Sequence[float], bow: float, radius: float, head: bool
) -> tuple[list[Point], Point | None]:
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    back = radius + (TIP if head else 0.0)
    a, b = (x0 + radius * ux, y0 + radius * uy), (x1 - back * ux, y1 - back * uy)
    inner = [(a[0] + k * (b[0] - a[0]) - bow * uy, a[1] + k * (b[1] - a[1]) + bow * ux) for k in (1 / 3, 2 / 3)]
    return [a, *inner, b], (x1 - radius * ux, y1 - radius * uy) if head else None


def _detour(
    start: Sequence[float], end: Sequence[float], way: Way, radius: float, head: bool
) -> tuple[list[Point], Point | None]:
    """Up, along, and down again."""
    (x0, y0), (x1, y1) = start, end
    near, far = (way.left, way.right) if x0 <= x1 else (way.right, way.left)
    sign = 1.0 if x0 <= x1 else -1.0
    tip = x1 - sign * radius
    x0, x1 = x0 + sign * radius, tip - (sign * TIP if head else 0.0)
    up, down, y = (x0 + near) / 2, (far + x1) / 2, way.y
    points = [(x0, y0), (up, y0), (up, y), (near, y), (near, y), (far, y), (far, y), (down, y), (down, y1), (x1, y1)]
    return points, (tip, y1) if head else None
