"""Positions of layers and vertices, fixed by id over one graph or over all graphs of a history.

Lengths are in points. x grows to the right and y downwards, from the upper left corner at (0, 0).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np

from netgraph.columns import Array, IdIndex
from netgraph.errors import OptionError
from netgraph.graph import Graph, Layer
from netgraph.markup import shortened
from netgraph.viz.text import text_width, visible
from netgraph.viz.words import operation_names

Pixels = tuple[int, int] | tuple[int, int, int]
Level = Literal["vertices", "layers"]

HEADING_SIZE = 10.0
"""Font size of headings, in points."""
MOST_ROWS = 40
"""Largest number of vertices in a column of a layer with up to 800 vertices. Larger layers have longer columns."""
# Largest number of vertices that show their ids. In larger pictures vertices are small and close together.
_WITH_IDS = 60
_LINE, _MARGIN, _PIXEL_GAP = 13.0, 8.0, 8.0
_FRAME_GAP, _TALLEST_STACK = 22.0, 1100.0
_BOX = (150.0, 62.0)


@dataclass(frozen=True)
class Frame:
    """Position and size of the rectangle around a layer.

    Attributes:
        layer: id of the layer.
        column: index of the column of layers, 0 for inputs.
        x, y: centre.
        width, height: size, with the heading.
        lines: lines of the heading, the name first. The name comes from users and is not escaped.
        heading: height of the heading at the top of the frame. The vertices stand below it.
    """

    layer: int
    column: int
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]
    heading: float


class Layout:
    """Positions of all layers and vertices of one or several graphs, by id. They stay fixed while a network grows.

    Attributes:
        frames: frame of each layer, by layer id.
        width, height: size of the whole layout.
        cell: distance between neighbouring vertices of a layer.
        radius: radius of a vertex.
        ids: whether vertices are large enough to show their ids.
    """

    def __init__(self, frames: Mapping[int, Frame], vertex_ids: Array, places: Array, cell: float, ids: bool) -> None:
        self.frames = frames
        self.width = max((f.x + f.width / 2 for f in frames.values()), default=0.0)
        self.height = max((f.y + f.height / 2 for f in frames.values()), default=0.0)
        self.cell, self.ids = cell, ids
        self.radius = round(0.4 * cell, 1)
        self._places, self._index = places, IdIndex(vertex_ids)

    def places(self, vertex_ids: Array) -> Array:
        """Return the positions of vertices, x and y, `(ids, 2)`.

        Raises:
            OptionError: none of the graphs has one of the vertices, or only layers were laid out. The message names the
                first such vertex.
        """
        rows = self._index.find(vertex_ids)
        if (rows < 0).any():
            missing = np.asarray(vertex_ids)[rows < 0][0]
            raise OptionError(f"Vertex {missing} has no place in this layout; lay out the graph that has it as well.")
        return np.asarray(self._places[rows])


def layout(graphs: Graph | Iterable[Graph], *, level: Level = "vertices", pixels: Pixels | None = None) -> Layout:
    """Lay out one graph, or all graphs of a history together.

    The column of a layer is the length of the longest path from an input layer. Outputs stand in the last column. When
    the links of all graphs together form a cycle, its links back to layers that appeared earlier do not count. The
    vertices of a layer stand in the order of their first appearance, in several columns when there are many.

    Args:
        graphs: a graph, or an iterable of graphs of one history in order, which is read once.
        level: "vertices" places vertices and the frames around them; "layers" places boxes of equal size.
        pixels: shape of the input, `(height, width)` or `(channels, height, width)`. An input layer with this number of
            vertices is laid out as an image, its channels below each other.

    Raises:
        OptionError: no graph is given, or no input layer has as many vertices as `pixels`.

    Cost: O(layers + links + vertices) per graph, up to sorting.
    """
    union = _union(graphs)
    counts = union.counts()
    image = _image_shape(union, counts, pixels)
    stacked = _columns(union)
    ids = sum(counts.values()) <= _WITH_IDS
    cell = 32.0 if ids else 15.0
    if level == "layers":
        sizes = dict.fromkeys(union.layers, _BOX)
        headings = {i: (heading_lines(layer), 0.0) for i, layer in union.layers.items()}
        return Layout(_frames(stacked, sizes, headings), np.empty(0, np.int64), np.empty((0, 2)), cell, ids)
    own, sizes, headings = {}, {}, {}
    for i, layer in union.layers.items():
        own[i] = _own_places(counts[i], cell, image if layer.role == "input" else None)
        lines = heading_lines(layer)
        heading = _LINE * len(lines) + 4
        width, height = (own[i].max(axis=0) + cell).tolist()
        sizes[i] = (
            max(width + _MARGIN, max(text_width(line, HEADING_SIZE) for line in lines) + 10, 50.0),
            height + heading + _MARGIN,
        )
        headings[i] = (lines, heading)
    frames = _frames(stacked, sizes, headings)
    return Layout(frames, *_all_places(union, frames, own, cell), cell, ids)


def columns(graphs: Graph | Iterable[Graph]) -> list[list[int]]:
    """Return the layer ids of each column of `layout`, from inputs to outputs, without positions."""
    return _columns(_union(graphs))


def heading_lines(layer: Layer) -> tuple[str, ...]:
    """Return the heading of a layer in lines: its shortened name, and its operations."""
    name = shortened(visible(layer.name))
    lines = [name, *operation_names(layer)]
    return tuple(dict.fromkeys(lines))


# ---- the union of graphs -------------------------------------------------------------------------------


class _Union:
    """Layers, links and vertices of several graphs, each once, in the order of first appearance."""

    def __init__(self) -> None:
        self.layers: dict[int, Layer] = {}
        self.links: dict[tuple[int, int], None] = {}
        self._ids: list[Array] = []
        self._owners: list[Array] = []
        self._known = np.empty(0, np.int64)
        self.graphs = 0

    def add(self, graph: Graph) -> None:
        self.graphs += 1
        for i in graph.topological_order:
            self.layers[i] = graph.layer(i)  # a dict keeps the position of the first entry, and the latest value
        self.links.update(((source, target), None) for source, target, _port in graph.links_by_key)
        new = ~np.isin(graph.vertices.id, self._known)
        if new.any():
            self._ids.append(graph.vertices.id[new])
            self._owners.append(graph.vertices.layer[new])
            self._known = np.concatenate([self._known, self._ids[-1]])

    def vertices(self) -> tuple[Array, Array]:
        """Ids of all vertices and of their layers, grouped by layer, and within a layer in the order of appearance."""
        ids, owners = np.concatenate(self._ids), np.concatenate(self._owners)
        order = np.argsort(owners, kind="stable")
        return ids[order], owners[order]

    def counts(self) -> dict[int, int]:
        """Number of vertices of each layer over all graphs. An empty layer counts as one, so that it gets a frame."""
        layers, counts = np.unique(self.vertices()[1], return_counts=True)
        found = dict(zip(layers.tolist(), counts.tolist(), strict=True))
        return {i: found.get(i, 1) for i in self.layers}


def _union(graphs: Graph | Iterable[Graph]) -> _Union:
    union = _Union()
    for graph in [graphs] if isinstance(graphs, Graph) else graphs:
        union.add(graph)
    if not union.layers:
        raise OptionError("There is no graph to lay out.")
    return union


def _columns(union: _Union) -> list[list[int]]:
    """Layer ids by column. Within a column they follow the mean position of the layers that feed them."""
    depth = {i: int(not layer.is_source) for i, layer in union.layers.items()}
    before: dict[int, list[int]] = defaultdict(list)
    after: dict[int, list[int]] = defaultdict(list)
    for source, target in _acyclic(union):
        before[target].append(source)
        after[source].append(target)
    waiting = {i: len(before[i]) for i in union.layers}
    ready = [i for i, n in waiting.items() if n == 0]
    for i in ready:  # a queue, to which the loop appends
        for target in after[i]:
            depth[target] = max(depth[target], depth[i] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    # Outputs stand after all other layers.
    last = max(depth[i] + int(layer.role != "output") for i, layer in union.layers.items())
    found: dict[int, list[int]] = defaultdict(list)
    for i, layer in union.layers.items():
        found[last if layer.role == "output" and not after[i] else depth[i]].append(i)
    share: dict[int, float] = {}
    for _, column in sorted(found.items()):
        own = {i: [share[s] for s in before[i] if s in share] for i in column}
        # Python's sort keeps the order of appearance among equals.
        column.sort(key=lambda i: sum(own[i]) / len(own[i]) if own[i] else 0.5)
        share.update((i, (at + 0.5) / len(column)) for at, i in enumerate(column))
    return [found[at] for at in sorted(found)]


def _acyclic(union: _Union) -> list[tuple[int, int]]:
    """All links except links of a cycle that lead back to a layer that appeared earlier."""
    if union.graphs == 1 or not union.links:
        return list(union.links)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rank = {i: at for at, i in enumerate(union.layers)}
    ends = np.array([(rank[source], rank[target]) for source, target in union.links])
    n = len(rank)
    _, part = connected_components(coo_array((np.ones(len(ends)), ends.T), shape=(n, n)), connection="strong")
    keep = (part[ends[:, 0]] != part[ends[:, 1]]) | (ends[:, 0] < ends[:, 1])
    return [pair for pair, kept in zip(union.links, keep.tolist(), strict=True) if kept]


# ---- places --------------------------------------------------------------------------------------------


def _image_shape(union: _Union, counts: Mapping[int, int], pixels: Pixels | None) -> tuple[int, int, int] | None:
    if pixels is None:
        return None
    shape = tuple(pixels) if isinstance(pixels, Sequence) else ()
    if len(shape) not in (2, 3) or any(isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in shape):
        raise OptionError(f"pixels={pixels!r} is neither (height, width) nor (channels, height, width).")
    channels, height, width = (1, *shape)[-3:]
    sizes = {layer.name: counts[i] for i, layer in union.layers.items() if layer.role == "input"}
    if channels * height * width not in sizes.values():
        have = ", ".join(f"{name!r} has {n:,}" for name, n in sizes.items())
        raise OptionError(
            f"pixels={pixels!r} are {channels * height * width:,} values, and no input layer has so many vertices "
            f"({have})."
        )
    return channels, height, width


def _own_places(n: int, cell: float, image: tuple[int, int, int] | None) -> Array:
    """Positions of the vertices of a layer relative to the first one, `(n, 2)`."""
    slot = np.arange(n)
    if image is not None and n == image[0] * image[1] * image[2]:
        _, height, width = image
        channel, row, column = slot // (height * width), slot // width % height, slot % width
        return np.stack([column * cell, (channel * height + row) * cell + channel * _PIXEL_GAP], axis=1)
    columns = -(-n // max(MOST_ROWS, math.isqrt(2 * n)))
    rows = -(-n // columns)
    return np.stack([slot // rows * cell, slot % rows * cell], axis=1).astype(np.float64)


def _frames(
    columns: Sequence[Sequence[int]],
    sizes: Mapping[int, tuple[float, float]],
    headings: Mapping[int, tuple[tuple[str, ...], float]],
) -> dict[int, Frame]:
    stacks = [(at, stack) for at, column in enumerate(columns) for stack in _stacks(column, sizes)]
    heights = [sum(sizes[i][1] for i in stack) + _FRAME_GAP * (len(stack) - 1) for _, stack in stacks]
    tallest = max(heights)
    # Steep arrows are hard to follow. The gap between columns therefore grows with the height of the picture.
    gap = min(max(90.0, 0.35 * tallest), 250.0)
    frames: dict[int, Frame] = {}
    left, column = 0.0, 0
    for (at, stack), stack_height in zip(stacks, heights, strict=True):
        if stack is not stacks[0][1]:
            left += gap if at != column else _FRAME_GAP
        column, width = at, max(sizes[i][0] for i in stack)
        top = (tallest - stack_height) / 2
        for i in stack:
            own_width, height = sizes[i]
            lines, heading = headings[i]
            frames[i] = Frame(i, at, left + width / 2, top + height / 2, own_width, height, lines, heading)
            top += height + _FRAME_GAP
        left += width
    return frames


def _stacks(column: Sequence[int], sizes: Mapping[int, tuple[float, float]]) -> list[list[int]]:
    """Layers of a column, divided into stacks of limited height that stand side by side."""
    stacks: list[list[int]] = [[]]
    height = 0.0
    for i in column:
        if stacks[-1] and height + sizes[i][1] > _TALLEST_STACK:
            stacks.append([])
            height = 0.0
        stacks[-1].append(i)
        height += sizes[i][1] + _FRAME_GAP
    return stacks


def _all_places(
    union: _Union, frames: Mapping[int, Frame], own: Mapping[int, Array], cell: float
) -> tuple[Array, Array]:
    """Ids of all vertices, `(vertices,)`, and their positions, `(vertices, 2)`."""
    ids, owners = union.vertices()
    layers, counts = np.unique(owners, return_counts=True)
    corners = []
    for i in layers.tolist():
        frame, (width, _) = frames[i], own[i].max(axis=0)
        top = frame.y - frame.height / 2 + frame.heading + cell / 2
        corners.append((frame.x - float(width) / 2, top))
    inside = np.concatenate([own[i] for i in layers.tolist()])
    return ids, inside + np.repeat(np.array(corners), counts, axis=0)
