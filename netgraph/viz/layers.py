"""The picture of a graph with one box per layer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Layer, Link
from netgraph.markup import shortened
from netgraph.viz.colors import GRAY, ROLES, text_on
from netgraph.viz.dot import FONT, caption, digraph
from netgraph.viz.fold import MOST_ARROWS, Box, fold, rank_count
from netgraph.viz.layout import columns, operations
from netgraph.viz.scales import Scale
from netgraph.viz.text import count, label, literal, number, plain, text_width, times, visible

# More boxes one after another than this run down the page, which scrolls, instead of across it.
_MOST_ACROSS = 7


def layer_dot(graph: Graph, edge_color: Scale | None, vertex_color: Scale | None, title: str | None) -> str:
    """One box per layer and one arrow per link, from inputs to outputs.

    Where there are many layers, boxes stand for groups of them, and the middle is left out.
    """
    order, kin = order_and_kin(columns(graph), graph.layers_by_id)
    pairs = list(dict.fromkeys((link.source, link.target) for link in graph.links))
    boxes = fold(order, pairs, kin)
    page = Page(boxes, pairs)
    fills = _Means("Boxes", graph.vertices.offsets, vertex_color)
    lines = _Means("Arrows", graph.edges.offsets, edge_color)
    place = {i: at for at, i in enumerate(graph.layers_by_id)}
    for box in boxes:
        _box(page, graph, box, fills.fill([place[i] for i in box.layers]))
    said = _arrows(page, graph, boxes, lines)
    summary = (
        f"{count(graph.num_layers, 'layer')}, {count(graph.num_vertices, 'vertex', 'vertices')}, "
        f"{count(graph.num_edges, 'edge')}, density {graph.density:.3g}"
    )
    caption(page.dot, title, [summary, *said, *folded(boxes), *lines.lines, *fills.lines])
    return str(page.dot.source)


def order_and_kin(
    stacked: Sequence[Sequence[int]], layers: Mapping[int, Layer]
) -> tuple[list[int], dict[int, Hashable]]:
    """Layers, by columns, in one line from inputs to outputs, and what those of one group have in common."""
    kin: dict[int, Hashable] = {
        i: (at, layers[i].role, operations(layers[i])) for at, column in enumerate(stacked) for i in column
    }
    return list(kin), kin


class Page:
    """Boxes and arrows that Graphviz places: across the page, or down it where many stand one after another."""

    def __init__(self, boxes: Sequence[Box], pairs: Sequence[tuple[int, int]]) -> None:
        self._down = rank_count(boxes, pairs) > _MOST_ACROSS
        rank = "0.3" if self._down else "0.5"
        self.dot = digraph(rankdir="TB" if self._down else "LR", nodesep="0.35", ranksep=rank)
        self.dot.attr("node", shape="box", style="rounded,filled", fontsize="11", margin="0.15,0.08", **FONT)

    def box(self, box: Box, lines: Sequence[str], vertices: int, operations: Sequence[str], **look: str) -> None:
        """A box whose height tells its number of vertices: each factor of ten adds as much. Lines need be plain."""
        lines = [*lines, ", ".join(operations)] if self._down and operations else [*lines, *operations]
        size = {
            "height": f"{0.3 + 0.3 * math.log10(vertices + 1):.2f}",
            "width": f"{max(text_width(line, 11.0) for line in lines) / 72 + 0.3:.2f}",
        }
        self.dot.node(box.key, label(*lines), **size, **look)

    def arrow(self, source: Box, target: Box, lines: Sequence[str], edges: int, **look: str) -> None:
        """An arrow whose width tells its number of edges: each factor of ten adds as much."""
        # Blanks keep the label off the arrow, and out of other items, where the font at hand is a wide one.
        if self._down:
            lines = [", ".join(lines[at : at + 2]) for at in range(0, len(lines), 2)]
        text = label(*(f"   {line}   " for line in lines), align="l" if self._down else "n")
        width = f"{0.6 + 0.45 * math.log10(1 + edges):.2f}"
        self.dot.edge(source.key, target.key, **{"label": text, "penwidth": width, **look})


def vertices_on(n: int, grid: tuple[int, ...]) -> str:
    """`64 vertices`, or `64 vertices on 8x8`."""
    return count(n, "vertex", "vertices") + (f" on {times(grid)}" if grid else "")


def joined(boxes: Sequence[Box], links: Iterable[tuple[int, int, int]]) -> dict[tuple[Box, Box, int], list[int]]:
    """Places of the links (source, target, port) that share an arrow; those within a box have none.

    Two layers have an arrow for each port, other boxes one for all links between them.
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
        page.box(box, [gap_line(box), count(vertices, "vertex", "vertices"), *inside], 1, (), **GAP_LOOK)
        return
    first = layers[0]
    fill, line = ROLES[first.role]
    look = {"fillcolor": fill, "color": line, **look}
    if box.kind == "group":
        lines = [*group_lines(layers), count(vertices, "vertex", "vertices")]
        page.box(box, lines, vertices, operations(first), peripheries="2", **look)
        return
    name = shortened(visible(first.name))
    does = [line for line in operations(first) if line != name]
    page.box(box, [plain(name), vertices_on(vertices, first.grid)], vertices, does, tooltip=literal(first.name), **look)


GAP_LOOK = {"style": "rounded,dashed", "color": GRAY, "fillcolor": "white"}


def gap_line(box: Box) -> str:
    """Heading of a box that stands for layers left out."""
    return f"… {count(len(box.layers), 'layer')} left out …"


def group_lines(layers: Sequence[Layer]) -> list[str]:
    """Heading of a box that stands for layers that are alike."""
    ends = f"{plain(shortened(visible(layers[0].name)))} … {plain(shortened(visible(layers[-1].name)))}"
    return [f"{len(layers):,} layers side by side", ends]


def _inside(graph: Graph, box: Box) -> list[str]:
    hidden = set(box.layers)
    inside = [k for i in box.layers for k in graph.outgoing[i] if k.target in hidden]
    edges = sum(len(k) - int(np.count_nonzero(k.frozen)) for k in inside)
    return [f"{count(len(inside), 'link')} among them", f"with {count(edges, 'edge')}"]


def _arrows(page: Page, graph: Graph, boxes: Sequence[Box], means: _Means) -> list[str]:
    """Draw the arrows, and say what is left out."""
    links = list(graph.links)
    arrows = joined(boxes, graph.links_by_key)
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
                told = [(size[ends] - wires, "edge"), (wires, "wire")]
                lines = [count(len(members), "link"), *(count(n, noun) for n, noun in told if n)]
            page.arrow(source, target, lines, size[ends], **look)
    missing = len(arrows) - len(drawn)
    return [f"The {missing:,} arrows with the fewest edges are left out."] if missing else []


def _link_lines(graph: Graph, link: Link) -> list[str]:
    kind, n = link.kind, len(link)
    port = [] if link.port == 0 else [f"port {link.port}"]
    if kind.wires:
        return [*port, count(n, "wire"), *kind.words]
    admissible = kind.admissible_edges(len(graph.layer(link.source)), len(graph.layer(link.target)))
    frozen = int(np.count_nonzero(link.frozen))
    lines = [*port, *kind.words, count(n, "edge"), f"density {n / admissible:.3g}"]
    return lines + ([f"{frozen:,} frozen"] if frozen else [])


# ---- columns -------------------------------------------------------------------------------------------


class _Means:
    """Colours by the mean of a column over the edges of links, or over the vertices of layers."""

    def __init__(self, what: str, offsets: Array, column: Scale | None) -> None:
        self.lines: list[str] = []
        self._scale: Scale | None = None
        if column is not None:
            known = ~np.isnan(column.values)
            # Each by itself: differences of a running sum would lose small values behind large ones.
            n = len(offsets) - 1
            owner = np.repeat(np.arange(n), np.diff(offsets))[known]
            self._sums = np.bincount(owner, column.values[known], minlength=n)
            self._counts = np.bincount(owner, minlength=n)
            means = np.full(len(self._sums), np.nan)
            np.divide(self._sums, self._counts, out=means, where=self._counts > 0)
            self._scale = Scale.of(column.name, means)
            self.lines = [_legend(what, self._scale)]

    def fill(self, members: Sequence[int]) -> dict[str, str]:
        """Attributes of the box of some layers, given by their places."""
        if self._scale is None:
            return {}
        color = self._color(self._scale, members)
        return {"fillcolor": color, "fontcolor": text_on(color)}

    def line(self, members: Sequence[int]) -> dict[str, str]:
        """Attributes of the arrow of some links, given by their places."""
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


def folded(boxes: Sequence[Box]) -> list[str]:
    """What a picture says of its groups."""
    groups = sum(box.kind == "group" for box in boxes)
    return [f"{count(groups, 'box')} with a double line: layers that are alike, at the same depth."] if groups else []
