"""Arrows between vertices: the choice of the edges to draw, and the path of each arrow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.graph import EdgeTable, Graph
from netgraph.viz.layout import Frame

MIN_ARROWS, MAX_ARROWS = 200, 600
"""Numbers of arrows drawn at most in the lowest and in the tallest picture. A reader cannot follow more."""
# Fraction of the arrows that is divided evenly among the links.
_EVEN_FRACTION = 0.25
TIP = 4.5
"""Length of an arrowhead, in points."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a source and a target vertex in one link, each with all edges between them.

    In a convolution the edges of a pair are the taps of its kernel, in wires into a head its slots. Elsewhere a pair
    has one edge.

    Attributes:
        row: row of the most important edge of each pair in the table of edges, `(pairs,)`.
        count: number of edges of each pair, `(pairs,)`.
    """

    row: Array
    count: Array

    def __len__(self) -> int:
        return len(self.row)


def pairs_of(edges: EdgeTable, importance: Array) -> Pairs:
    """Group edges by link, source and target; the most important edge represents its group.

    Args:
        edges: edges in canonical order.
        importance: importance of each edge, `(edges,)`.

    Cost: O(E log E) at most.
    """
    if not len(edges):
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64))
    keys = np.stack([edges.link, edges.target_row, edges.source_row])
    # In canonical order the edges of a pair are neighbours.
    starts = np.flatnonzero(np.concatenate([[True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)]))
    counts = np.diff(np.append(starts, len(edges)))
    if len(starts) == len(edges):
        return Pairs(starts, counts)
    order = np.lexsort((-importance, np.repeat(np.arange(len(starts)), counts)))
    return Pairs(order[starts], counts)


def link_ends(graph: Graph) -> Array:
    """Return the source and target layer ids of all links, in the order of `graph.links_by_key`, `(links, 2)`."""
    return np.array([key[:2] for key in graph.links_by_key], np.int64).reshape(-1, 2)


def room_for(height: float) -> int:
    """Return the number of arrows that a reader can follow in a picture of this height, from 200 to 600."""
    return int(min(max(1.1 * height, MIN_ARROWS), MAX_ARROWS))


def most_important(groups: Array, importance: Array, limit: int) -> Array:
    """Select the rows of at most `limit` items by importance, in ascending order.

    A quarter of the rows is divided evenly among the groups, and goes to the most important items of each. The other
    rows go to the most important items of all. Without that quarter, a link of small weights would seem to be absent.

    Args:
        groups: number of the group of each item, `(items,)`.
        importance: importance of each item, `(items,)`.
        limit: largest number of rows.
    """
    n = len(importance)
    if n <= limit:
        return np.arange(n)
    order = np.lexsort((-importance, groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    place = np.empty(n, np.int64)
    place[order] = np.arange(n) - np.repeat(starts, np.diff(np.append(starts, n)))
    floor = max(1, int(_EVEN_FRACTION * limit / len(starts)))
    first = place < floor
    ranked = np.lexsort((-importance, ~first))
    return np.sort(ranked[:limit])


@dataclass(frozen=True)
class Way:
    """Detour of an arrow around the layers between its ends, in points.

    The arrow runs from `left` to `right` at the height `y`, above or below these layers.
    """

    left: float
    right: float
    y: float


def ways(frames: Mapping[int, Frame], source: Array, target: Array, start: Array, end: Array) -> list[Way | None]:
    """Find the detour of each arrow around the layers between its ends, or None for a straight arrow.

    Args:
        frames: frame of each layer, by layer id.
        source, target: ids of the layers at the ends, `(arrows,)`.
        start, end: positions of the ends in points, `(arrows, 2)`.
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
    """Lead each arrow above or below all layers between its ends, on the nearer side.

    An arrow whose ends are further from that side keeps a larger distance from the layers.
    """
    left, right = min(f.x - f.width / 2 for f in between), max(f.x + f.width / 2 for f in between)
    top, bottom = min(f.y - f.height / 2 for f in between), max(f.y + f.height / 2 for f in between)
    middle = (start[:, 1] + end[:, 1]) / 2
    up = middle < (top + bottom) / 2
    away = np.maximum(np.where(up, middle - top, bottom - middle), 0.0)
    lift = 8.0 + 30.0 * away / max(bottom - top, 1.0)
    return [Way(left, right, y) for y in np.where(up, top - lift, bottom + lift).tolist()]


def courses(start: Array, end: Array, around: list[Way | None], radius: float, head: bool) -> list[str]:
    """Format the path of each arrow for DOT, from the rim of one vertex to the rim of another.

    Arrows with the same ends are bent by different amounts, so that each is visible.

    Args:
        start, end: centres of the vertices in points, `(arrows, 2)`.
        around: detour of each arrow, or None for a straight one.
        radius: radius of a vertex in points.
        head: whether arrows have heads, which need room before the rim.
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
    """Path that rises (or falls) to the height of the detour, follows it, and returns to the end."""
    (x0, y0), (x1, y1) = start, end
    near, far = (way.left, way.right) if x0 <= x1 else (way.right, way.left)
    sign = 1.0 if x0 <= x1 else -1.0
    tip = x1 - sign * radius
    x0, x1 = x0 + sign * radius, tip - (sign * TIP if head else 0.0)
    up, down, y = (x0 + near) / 2, (far + x1) / 2, way.y
    points = [(x0, y0), (up, y0), (up, y), (near, y), (near, y), (far, y), (far, y), (down, y), (down, y1), (x1, y1)]
    return points, (tip, y1) if head else None
