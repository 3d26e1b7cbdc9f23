"""Picture of a graph with one circle per vertex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Layer, Merge
from netgraph.viz.arrows import Way, courses, link_ends, most_important, pairs_of, room_for, ways
from netgraph.viz.colors import GRAY, MISSING, ROLES, text_on
from netgraph.viz.dot import FONT, Notes, at, digraph
from netgraph.viz.layout import Layout, Pixels, layout
from netgraph.viz.scales import Scale
from netgraph.viz.text import format_count, label, literal, number, plain, text_width
from netgraph.viz.words import kind_lines

# Largest number of arrows with heads. More heads would cover the vertices; all arrows run from left to right anyway.
MOST_HEADS = 150
# Opacity of arrows without heads, as the last two digits of a colour.
_VEIL = "b4"
# Factor of the width of arrows without heads.
_THIN = 0.65
# Largest numbers of arrows with labels, and of wires labelled with slots. More labels would cover each other.
_MOST_LABELS, _MOST_SLOTS = 40, 16


@dataclass(frozen=True)
class Style:
    """Scales of the colours and widths in a picture.

    Attributes:
        edge_color, edge_width: None for the same colour or width everywhere.
        vertex_color: None for the colours of roles.
    """

    edge_color: Scale | None
    edge_width: Scale | None
    vertex_color: Scale | None


@dataclass(frozen=True, eq=False)
class Arrows:
    """Arrows with their appearance, a row for each, in drawing order: later ones cover earlier ones.

    Attributes:
        source, target: vertex ids, `(arrows,)`.
        source_layer, target_layer: ids of their layers, `(arrows,)`.
        attributes: attributes of each arrow in DOT.
    """

    source: Array
    target: Array
    source_layer: Array
    target_layer: Array
    attributes: Sequence[dict[str, str]]


def vertex_dot(graph: Graph, style: Style, title: str | None, pixels: Pixels | None) -> str:
    """Draw, as DOT, a frame per layer, a circle per vertex, and an arrow for each of the most important edges.

    The edges of a convolution between two vertices share an arrow. It is labelled with their number, and has the colour
    and width of the most important one.

    Args:
        graph: the graph.
        style: scales of colours and widths.
        title: heading, or None.
        pixels: shape of the input, see `layout`.
    """
    places = layout(graph, pixels=pixels)
    dot = empty_picture(places)
    for layer in graph.layers_by_id.values():
        frame(dot, places, layer)
    circles(dot, places, graph, style.vertex_color)
    drawn, note = _arrows(graph, style, room_for(places.height))
    top, bottom = draw_arrows(dot, places, drawn)
    notes = Notes(dot, top, bottom)
    notes.title(title)
    _legend(notes, graph, style, len(drawn.source), note)
    return str(dot.source)


def empty_picture(places: Layout) -> Any:
    """Return an empty picture for items at fixed positions."""
    dot = digraph(layout="nop2", splines="line", outputorder="edgesfirst")
    size = {"width": f"{2 * places.radius / 72:.4f}", "fontsize": "9" if places.ids else "6"}
    dot.attr("node", shape="circle", fixedsize="true", style="filled", **size, **FONT)
    dot.attr("edge", arrowsize="0.45")
    return dot


def frame(dot: Any, places: Layout, layer: Layer, line: str | None = None, **attributes: str) -> None:
    """Add the frame around a layer, with its heading.

    Args:
        dot: the picture.
        places: layout that has the layer.
        layer: the layer.
        line: colour of the frame; by default that of the role.
        attributes: further attributes of the frame in DOT.
    """
    own = places.frames[layer.id]
    color = line or ROLES[layer.role][1]
    size = {"width": f"{own.width / 72:.4f}", "height": f"{own.height / 72:.4f}", "pos": at(own.x, own.y)}
    box = {"shape": "box", "style": "rounded", "color": color, "tooltip": literal(layer.name), **size, **attributes}
    dot.node(f"layer {layer.id}", "", **box)
    # The half-transparent field behind the heading must not cover the lines of the frame.
    size = {"width": f"{(own.width - 10) / 72:.4f}", "height": f"{(own.heading - 4) / 72:.4f}"}
    size["pos"] = at(own.x, own.y - own.height / 2 + own.heading / 2 + 1)
    heading = label(*map(plain, own.lines))
    more = {
        "shape": "plaintext",
        "fillcolor": "#ffffffc0",
        "fontsize": "10",
        "margin": "0",
        "tooltip": literal(layer.name),
    }
    dot.node(f"name of layer {layer.id}", heading, **size, **more)


def circles(dot: Any, places: Layout, graph: Graph, scale: Scale | None) -> None:
    """Add the circles of all vertices, coloured by role or by a column."""
    colors = scale.colors(scale.values) if scale else None
    vertices = graph.vertices
    where = places.places(vertices.id).tolist()
    for row, (i, own) in enumerate(zip(vertices.id.tolist(), vertices.layer.tolist(), strict=True)):
        layer = graph.layer(own)
        fill, line = ROLES[layer.role]
        tooltip = f"vertex {i}, row {int(vertices.row[row])} of {layer.name}"
        style = {"fillcolor": fill, "color": line}
        if scale and colors:
            style |= {"fillcolor": colors[row], "fontcolor": text_on(colors[row])}
            tooltip += f", {scale.name} {_value(float(scale.values[row]))}"
        circle(dot, places, i, where[row], tooltip, **style)


def circle(dot: Any, places: Layout, vertex: int, where: Sequence[float], tooltip: str, **attributes: str) -> None:
    """Add the circle of one vertex at the position `where`."""
    text = str(vertex) if places.ids else ""
    if len(text) > 4:  # a long id has to fit into the circle
        attributes["fontsize"] = f"{1.5 * places.radius / text_width(text, 1.0):.1f}"
    dot.node(f"vertex {vertex}", text, pos=at(*where), tooltip=literal(tooltip), **attributes)


def draw_arrows(dot: Any, places: Layout, arrows: Arrows) -> tuple[float, float]:
    """Add arrows: straight ones between neighbouring columns, and detours around the layers between all others.

    Returns:
        y of the upper and of the lower end of the picture, with its detours.
    """
    first, last = places.places(arrows.source), places.places(arrows.target)
    around = ways(places.frames, arrows.source_layer, arrows.target_layer, first, last)
    heads = len(arrows.source) <= MOST_HEADS
    courses_ = courses(first, last, around, places.radius, heads)
    ends = zip(arrows.source.tolist(), arrows.target.tolist(), courses_, strict=True)
    for k, (source, target, pos) in enumerate(ends):
        attributes = {**arrows.attributes[k], "pos": pos}
        if not heads:
            attributes |= {"arrowhead": "none", "color": attributes["color"] + _VEIL}
        if "label" in attributes:
            attributes["lp"] = at(*_label_place(first[k], last[k], around[k], source % 3))
        dot.edge(f"vertex {source}", f"vertex {target}", **attributes)
    passed = [way.y for way in around if way is not None]
    return min([0.0, *passed]), max([places.height, *passed])


def _label_place(first: Array, last: Array, way: Way | None, turn: int) -> tuple[float, float]:
    if way is not None:
        return (way.left + way.right) / 2, way.y - 5
    # Different fractions of the way keep the labels of crossing arrows apart.
    x, y = (first + (0.4 + 0.15 * turn) * (last - first)).tolist()
    return x, y - 5


# ---- which edges, and how ------------------------------------------------------------------------------


def _arrows(graph: Graph, style: Style, limit: int) -> tuple[Arrows, str | None]:
    """At most `limit` arrows, the most important last, and a note about edges left out, or None."""
    edges = graph.edges
    ranking = style.edge_width or style.edge_color
    importance = np.nan_to_num(np.abs(ranking.values if ranking else edges.weight.astype(np.float64)), nan=-1.0)
    pairs = pairs_of(edges, importance)
    links = edges.link[pairs.row]
    chosen = most_important(links, importance[pairs.row], limit)
    note = None
    if len(chosen) < len(pairs):
        by = "weight" if ranking is None else ranking.name
        what = "edges" if len(pairs) == len(edges) else "linked pairs of maps"
        note = f"{len(chosen):,} of {len(pairs):,} {what} are drawn: the largest by |{by}|"
        every = len(graph.links) > 1 and len(np.unique(links[chosen])) == len(np.unique(links))
        note += ", and some of each link." if every else "."
    chosen = chosen[np.argsort(importance[pairs.row[chosen]], kind="stable")]
    rows, counts = pairs.row[chosen], pairs.count[chosen]
    keys = link_ends(graph)[links[chosen]]
    looks = _looks(graph, style, rows, counts)
    return Arrows(edges.source[rows], edges.target[rows], keys[:, 0], keys[:, 1], looks), note


def _looks(graph: Graph, style: Style, rows: Array, counts: Array) -> list[dict[str, str]]:
    edges = graph.edges
    n = len(rows)
    color, width = style.edge_color, style.edge_width
    colors = color.colors(color.values[rows]) if color else [GRAY] * n
    thin = 1.0 if n <= MOST_HEADS else _THIN
    widths = (thin * width.widths(width.values[rows])).tolist() if width else [thin] * n
    taps = np.array([kind.taps for kind in edges.link_kinds], np.int64)[edges.link[rows]]
    merges = [graph.layer(target).merge for _source, target, _port in graph.links_by_key]
    moves = [
        "".join(f", {line}" for line in kind_lines(link, graph.layer(link.source), graph.layer(link.target)))
        if link.kind.places
        else ""
        for link in graph.links
    ]
    labelled = n <= _MOST_LABELS
    slotted = np.array([merge is not None and merge.slotted for merge in merges], bool)[edges.link[rows]]
    slots = np.count_nonzero(slotted) <= _MOST_SLOTS
    scales = {scale.name: scale for scale in (color, width) if scale}
    columns = zip(edges.id[rows].tolist(), edges.source[rows].tolist(), edges.target[rows].tolist(), strict=True)
    attributes = []
    for k, (i, source, target) in enumerate(columns):
        tooltip = f"edge {i}: {source} to {target}"
        tooltip += f", {counts[k]} of {taps[k]} kernel positions" if taps[k] > 1 else ""
        tooltip += moves[edges.link[rows[k]]]
        tooltip += _port(merges[edges.link[rows[k]]], int(edges.port[rows[k]]), int(edges.tap[rows[k]]), int(counts[k]))
        tooltip += "".join(f", {name} {_value(float(scale.values[rows[k]]))}" for name, scale in scales.items())
        own = {"color": colors[k], "penwidth": f"{widths[k]:.2f}", "tooltip": literal(tooltip)}
        if edges.frozen[rows[k]]:
            own["style"] = "dashed"
            if color and color.name == "weight":
                own |= {"color": GRAY, "penwidth": "0.8"}
        if labelled and counts[k] < taps[k]:
            own["label"] = f"{counts[k]}/{taps[k]}"
        elif slots and slotted[k]:
            own["label"] = f"slot {edges.tap[rows[k]]}"
        attributes.append(own)
    return attributes


def _port(merge: Merge | None, port: int, slot: int, wires: int) -> str:
    """Format the port and the slot at which wires from one vertex enter a vertex of a merging layer."""
    if merge is None:
        return ""
    if not merge.slotted:
        return f", {merge.port_names[port]}"
    return f", {merge.port_names[port]}, slot {slot}" + (f" and {wires - 1:,} more" if wires > 1 else "")


def _value(value: float) -> str:
    return "missing" if np.isnan(value) else f"{value:.4g}"


# ---- legend --------------------------------------------------------------------------------------------


def _legend(notes: Notes, graph: Graph, style: Style, drawn: int, note: str | None) -> None:
    notes.line(
        f"{format_count(graph.num_vertices, 'vertex', 'vertices')}, {format_count(graph.num_edges, 'edge')} in "
        f"{format_count(len(graph.links), 'link')}, left to right."
    )
    if note:
        notes.line(note)
    color, width = style.edge_color, style.edge_width
    if graph.num_edges:
        if color:
            notes.scale("Edge colour", color)
        if width and width.largest:
            thin = 1.0 if drawn <= MOST_HEADS else _THIN
            values = np.array([width.largest / 4, width.largest / 2, width.largest])
            samples = [(thin * float(w), number(v)) for w, v in zip(width.widths(values), values.tolist(), strict=True)]
            notes.strokes(f"Edge width: |{width.name}|", samples)
    if style.vertex_color:
        notes.scale("Vertex colour", style.vertex_color)
    _missing(notes, style, graph.num_edges > 0)
    if any(link.frozen.any() for link in graph.links):
        notes.line("Dashed: wires, which are not trained.")
    if any(link.kind.taps > 1 for link in graph.links):
        notes.line("An arrow is all kernel positions between two maps, drawn as the largest (4/9: 4 of 9).")


def _missing(notes: Notes, style: Style, edges: bool) -> None:
    scales = [(scale, "edge", "edges") for scale in (style.edge_color, style.edge_width) if edges and scale]
    scales += [(style.vertex_color, "vertex", "vertices")] if style.vertex_color else []
    texts = dict.fromkeys(
        f"{format_count(s.missing, *noun)} without a value of {s.name}" for s, *noun in scales if s.missing
    )
    for text in texts:
        notes.colors("Grey", [(MISSING, text)])
