"""Picture of a graph with one box per layer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Layer, Link, LinkKey
from netgraph.markup import shortened
from netgraph.viz.colors import GRAY, QUIET, ROLES, text_on
from netgraph.viz.dot import FONT, caption, digraph
from netgraph.viz.fold import MOST_ARROWS, Box, Kin, fold, rank_count
from netgraph.viz.layout import columns
from netgraph.viz.scales import Scale
from netgraph.viz.text import format_count, label, literal, number, plain, text_width, visible
from netgraph.viz.words import kind_lines, operation_names, port_line, size_line

# Largest number of boxes on a path that runs from left to right. Longer ones run down the page, which can scroll.
_MOST_ACROSS = 7


def layer_dot(graph: Graph, edge_color: Scale | None, vertex_color: Scale | None, title: str | None) -> str:
    """Draw one box per layer and one arrow per link, from inputs to outputs, as DOT.

    Of many layers, similar ones share a box, and the middle ones are left out.

    Args:
        graph: the graph.
        edge_color, vertex_color: columns whose means colour arrows and boxes; None for the usual colours.
        title: heading, or None.
    """
    order, kin = order_and_kin(columns(graph), graph.layers_by_id, graph.links_by_key)
    pairs = list(dict.fromkeys((link.source, link.target) for link in graph.links))
    boxes = fold(order, pairs, kin)
    page = Page(boxes, pairs)
    fills = _Means("Boxes", graph.vertices.offsets, vertex_color)
    lines = _Means("Arrows", graph.edges.offsets, edge_color)
    place = {i: at for at, i in enumerate(graph.layers_by_id)}
    for box in boxes:
        _box(page, graph, box, fills.fill([place[i] for i in box.layers]))
    page.frame_blocks(boxes)
    notes = _arrows(page, graph, boxes, lines)
    summary = (
        f"{format_count(graph.num_layers, 'layer')}, {format_count(graph.num_vertices, 'vertex', 'vertices')}, "
        f"{format_count(graph.num_edges, 'edge')}, density {graph.density:.3g}"
    )
    caption(page.dot, title, [summary, *notes, *group_note(boxes), *lines.lines, *fills.lines])
    return str(page.dot.source)


def order_and_kin(
    stacked: Sequence[Sequence[int]],
    layers: Mapping[int, Layer],
    links: Mapping[LinkKey, Link],
    states: Mapping[int, Hashable] | None = None,
) -> tuple[list[int], Kin]:
    """Return all layers in order from inputs to outputs, and the keys by which `fold` finds similar layers.

    Args:
        stacked: layer ids by column, see `layout.columns`.
        layers, links: the layers by id and the links by key.
        states: further keys by layer id; layers with different ones are not similar.
    """
    into: dict[int, list[Hashable]] = defaultdict(list)
    read: dict[int, set[Hashable]] = defaultdict(set)
    for (source, target, port), link in links.items():
        into[target].append((port, link.kind.wires, link.kind.words))
        read[source].add((port, layers[target].merge))
    beside: dict[int, Hashable] = {}
    blocks: dict[int, Hashable] = {}
    for at, column in enumerate(stacked):
        for i in column:
            own = (layers[i].role, operation_names(layers[i]), frozenset(read[i]), states and states[i])
            beside[i] = (at, own)
            blocks[i] = (own, len(layers[i]), layers[i].grid, tuple(sorted(into[i], key=repr)))
    return list(beside), Kin(beside, blocks)


class Page:
    """Boxes and arrows whose layout Graphviz computes, from left to right, or downwards when a path is long."""

    def __init__(self, boxes: Sequence[Box], pairs: Sequence[tuple[int, int]]) -> None:
        self._down = rank_count(boxes, pairs) > _MOST_ACROSS
        rank = "0.3" if self._down else "0.5"
        self.dot = digraph(rankdir="TB" if self._down else "LR", nodesep="0.35", ranksep=rank)
        self.dot.attr("node", shape="box", style="rounded,filled", fontsize="11", margin="0.15,0.08", **FONT)

    def frame_blocks(self, boxes: Sequence[Box]) -> None:
        """Add a frame around each block that stands for several alike ones."""
        for at, (blocks, run) in enumerate(groupby(boxes, key=lambda box: 0 if box.kind == "gap" else box.blocks)):
            if blocks:
                text = plain(f"  one of {blocks} alike blocks  ")
                with self.dot.subgraph(name=f"cluster {at}") as frame:
                    frame.attr(label=label(text), labeljust="r", fontsize="10", style="rounded,dashed", color=GRAY)
                    frame.attr(fontcolor=QUIET, margin="14")
                    for box in run:
                        frame.node(box.key)

    def box(self, box: Box, lines: Sequence[str], vertices: int, operations: Sequence[str], **look: str) -> None:
        """Add a box whose height grows by 0.3 inches per factor of ten in its number of vertices.

        Args:
            box: the box.
            lines: its text, escaped by `plain`.
            vertices: number of vertices.
            operations: names of operations, below the text.
            look: further attributes in DOT.
        """
        lines = [*lines, ", ".join(operations)] if self._down and operations else [*lines, *operations]
        size = {
            "height": f"{0.3 + 0.3 * math.log10(vertices + 1):.2f}",
            "width": f"{max(text_width(line, 11.0) for line in lines) / 72 + 0.3:.2f}",
        }
        self.dot.node(box.key, label(*lines), **size, **look)

    def arrow(self, source: Box, target: Box, lines: Sequence[str], edges: int, **look: str) -> None:
        """Add an arrow whose width grows by 0.45 points per factor of ten in its number of edges."""
        # Blanks keep the label away from the arrow and from other items when the installed font is wide.
        if self._down:
            lines = [", ".join(lines[at : at + 2]) for at in range(0, len(lines), 2)]
        text = label(*(f"   {line}   " for line in lines), align="l" if self._down else "n")
        width = f"{0.6 + 0.45 * math.log10(1 + edges):.2f}"
        self.dot.edge(source.key, target.key, **{"label": text, "penwidth": width, **look})


def links_by_arrow(
    boxes: Sequence[Box], links: Iterable[tuple[int, int, int]]
) -> dict[tuple[Box, Box, int], list[int]]:
    """Group links by the arrow that they share. Links within a box have no arrow.

    Two layers have one arrow per port. Other boxes have one arrow for all links between them.

    Args:
        boxes: boxes of all layers.
        links: (source, target, port) of each link.

    Returns:
        Positions in `links` by arrow, `(source box, target box, port)`, with port 0 where ports share an arrow.
    """
    home = {i: box for box in boxes for i in box.layers}
    result: dict[tuple[Box, Box, int], list[int]] = defaultdict(list)
    for at, (a, b, port) in enumerate(links):
        source, target = home[a], home[b]
        if source is not target:
            alone = source.kind == target.kind == "layer"
            result[source, target, port if alone else 0].append(at)
    return result


# ---- boxes and arrows ----------------------------------------------------------------------------------


def _box(page: Page, graph: Graph, box: Box, look: Mapping[str, str]) -> None:
    layers = [graph.layer(i) for i in box.layers]
    vertices = sum(map(len, layers))
    if box.kind == "gap":
        inside = _inside(graph, box)
        page.box(box, [gap_line(box), format_count(vertices, "vertex", "vertices"), *inside], 1, (), **GAP_LOOK)
        return
    first = layers[0]
    fill, line = ROLES[first.role]
    look = {"fillcolor": fill, "color": line, **look}
    if box.kind == "group":
        lines = [*group_lines(layers), format_count(vertices, "vertex", "vertices")]
        page.box(box, lines, vertices, operation_names(first), peripheries="2", **look)
        return
    name = shortened(visible(first.name))
    does = [line for line in operation_names(first) if line != name]
    page.box(box, [plain(name), size_line(first)], vertices, does, tooltip=literal(first.name), **shape(first), **look)


_SHAPES = {"attend": "hexagon", "mix": "octagon", "product": "ellipse"}


def shape(layer: Layer) -> dict[str, str]:
    """Return the shape of the box of a layer in DOT: a shape of its own for each merge, else that of all boxes."""
    return {"shape": _SHAPES[layer.merge.name]} if layer.merge is not None else {}


GAP_LOOK = {"style": "rounded,dashed", "color": GRAY, "fillcolor": "white"}


def gap_line(box: Box) -> str:
    """Format the heading of a box that stands for layers left out."""
    if box.blocks:
        return f"… {format_count(box.blocks, 'alike block')} left out …"
    return f"… {format_count(len(box.layers), 'layer')} left out …"


def group_lines(layers: Sequence[Layer]) -> list[str]:
    """Format the heading of a box that stands for similar layers, in lines."""
    ends = f"{plain(shortened(visible(layers[0].name)))} … {plain(shortened(visible(layers[-1].name)))}"
    return [f"{len(layers):,} layers side by side", ends]


def _inside(graph: Graph, box: Box) -> list[str]:
    hidden = set(box.layers)
    inside = [k for i in box.layers for k in graph.outgoing[i] if k.target in hidden]
    edges = sum(len(k) - int(np.count_nonzero(k.frozen)) for k in inside)
    return [f"{format_count(len(inside), 'link')} among them", f"with {format_count(edges, 'edge')}"]


def _arrows(page: Page, graph: Graph, boxes: Sequence[Box], means: _Means) -> list[str]:
    """Draw the arrows, and return a note about arrows left out, if any."""
    links = list(graph.links)
    arrows = links_by_arrow(boxes, graph.links_by_key)
    size = {ends: sum(len(links[at]) for at in members) for ends, members in arrows.items()}
    drawn = set(sorted(arrows, key=lambda ends: -size[ends])[:MOST_ARROWS])
    for ends, members in arrows.items():
        if ends in drawn:
            source, target, _port = ends
            look = means.line(members)
            if source.kind == target.kind == "layer":
                link = links[members[0]]
                look |= {"style": "dashed"} if link.kind.wires else {}
                lines = _link_lines(graph, link)
            else:
                wires = sum(int(np.count_nonzero(links[at].frozen)) for at in members)
                parts = [(size[ends] - wires, "edge"), (wires, "wire")]
                lines = [format_count(len(members), "link"), *(format_count(n, noun) for n, noun in parts if n)]
            page.arrow(source, target, lines, size[ends], **look)
    missing = len(arrows) - len(drawn)
    return [f"The {missing:,} arrows with the fewest edges are left out."] if missing else []


def _link_lines(graph: Graph, link: Link) -> list[str]:
    n, source, target = len(link), graph.layer(link.source), graph.layer(link.target)
    port, kind = port_line(target, link.port), kind_lines(link, source, target)
    if link.kind.wires:
        return [*port, format_count(n, "wire"), *kind]
    admissible = link.kind.admissible_edges(len(source), len(target))
    frozen = int(np.count_nonzero(link.frozen))
    lines = [*port, *kind, format_count(n, "edge"), f"density {n / admissible:.3g}"]
    return lines + ([f"{frozen:,} frozen"] if frozen else [])


# ---- columns -------------------------------------------------------------------------------------------


class _Means:
    """Colours of arrows or boxes by the mean of a column, over the edges of links or the vertices of layers.

    Attributes:
        lines: lines of the legend; empty without a column.
    """

    def __init__(self, what: str, offsets: Array, column: Scale | None) -> None:
        self.lines: list[str] = []
        self._scale: Scale | None = None
        if column is not None:
            known = ~np.isnan(column.values)
            # Each group has a sum of its own: differences of a running sum would lose small values after large ones.
            n = len(offsets) - 1
            owner = np.repeat(np.arange(n), np.diff(offsets))[known]
            self._sums = np.bincount(owner, column.values[known], minlength=n)
            self._counts = np.bincount(owner, minlength=n)
            means = np.full(len(self._sums), np.nan)
            np.divide(self._sums, self._counts, out=means, where=self._counts > 0)
            self._scale = Scale.of(column.name, means)
            self.lines = [_legend(what, self._scale)]

    def fill(self, members: Sequence[int]) -> dict[str, str]:
        """Attributes of a box for the layers at some positions; empty without a column."""
        if self._scale is None:
            return {}
        color = self._color(self._scale, members)
        return {"fillcolor": color, "fontcolor": text_on(color)}

    def line(self, members: Sequence[int]) -> dict[str, str]:
        """Attributes of an arrow for the links at some positions; empty without a column."""
        return {} if self._scale is None else {"color": self._color(self._scale, members)}

    def _color(self, scale: Scale, members: Sequence[int]) -> str:
        rows = np.asarray(members)
        known = int(self._counts[rows].sum())
        mean = float(self._sums[rows].sum()) / known if known else math.nan
        return scale.colors(np.array([mean]))[0]


def _legend(what: str, scale: Scale) -> str:
    missing = "; light grey: no value" if scale.missing else ""
    if scale.signed:
        return (
            f"{what}: mean {scale.name}; blue above 0, purple below 0, strongest at {number(scale.largest)}{missing}."
        )
    low, high = number(scale.low), number(scale.high)
    return f"{what}: mean {scale.name}, from {low} (light green) to {high} (dark blue){missing}."


def group_note(boxes: Sequence[Box]) -> list[str]:
    """Format the line of the caption that explains boxes of several layers, if there are any."""
    groups = sum(box.kind == "group" for box in boxes)
    return (
        [f"{format_count(groups, 'box')} with a double line: layers that are alike, at the same depth."]
        if groups
        else []
    )
