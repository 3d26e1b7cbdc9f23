"""The picture of a graph in Graphviz's DOT language: one box per layer, or one circle per vertex."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from netgraph.errors import OptionError
from netgraph.graph import Conv2d, Graph, Identity, Layer, Link
from netgraph.graph.columns import Array
from netgraph.viz.colors import GRAY, NEGATIVE, POSITIVE, ROLES
from netgraph.viz.layout import Frame, layout, operations, shortened, times

# More layers than this are not drawn one by one.
_MAX_LAYERS = 60
_SHOWN_AT_EACH_END = 25
# Graphviz takes half a minute for 2000 arrows, and nobody can follow them.
_MAX_ARROWS = 300
# More arrows than this are drawn without labels, which would cover each other.
_MAX_LABELLED = 150

_FONT = {"fontname": "Helvetica", "fontcolor": "#1f2328"}
_LEGEND = "Blue: weight above 0. Red: below 0. Grey: 0. Width: |weight|, at most {largest:.3g}."


def layer_dot(graph: Graph, title: str | None = None) -> str:
    """One box per layer and one arrow per link, left to right.

    Of more than 60 layers, only the first and last ones in topological order have a box of
    their own; one more box says what was left out.
    """
    dot = _digraph(title, rankdir="LR", nodesep="0.4", ranksep="0.5")
    dot.attr("node", shape="box", style="rounded,filled", fontsize="11", margin="0.24,0.1", **_FONT)
    order = graph.topological_order
    hidden = set(order[_SHOWN_AT_EACH_END:-_SHOWN_AT_EACH_END]) if len(order) > _MAX_LAYERS else set()
    for at, i in enumerate(order):
        if i not in hidden:
            _box(dot, graph.layer(i))
        elif at == _SHOWN_AT_EACH_END:
            _gap_box(dot, graph, hidden)
    shown = [k for k in graph.links if k.source not in hidden and k.target not in hidden]
    drawn = sorted(shown, key=len, reverse=True)[:_MAX_ARROWS]
    labelled = len(drawn) <= _MAX_LABELLED
    for link in sorted(drawn, key=lambda link: link.key):
        _arrow(dot, graph, link, labelled)
    _gap_arrows(dot, graph, hidden)
    missing = (
        [f"The {len(shown) - len(drawn):,} links with the fewest edges are left out."]
        if len(shown) > len(drawn)
        else []
    )
    missing += [] if labelled else ["The counts of edges at the arrows are left out."]
    _caption(dot, title, *missing)
    return str(dot.source)


def vertex_dot(graph: Graph, title: str | None = None) -> str:
    """One circle per vertex, with its id, in one frame per layer; edges coloured by the sign of their weight.

    The edges of a convolution between two vertices share an arrow, which says how many they are and has
    the colour and width of the one with the largest weight.
    """
    dot = _digraph(title, layout="neato", inputscale="72", splines="line", outputorder="edgesfirst")
    dot.attr("node", shape="circle", fixedsize="true", width="0.36", fontsize="9", style="filled", **_FONT)
    dot.attr("edge", arrowsize="0.45")
    places = layout(graph)
    for i, frame in places.frames.items():
        layer = graph.layer(i)
        _frame(dot, layer, frame, places.places(layer.vertex_ids), places.radius, places.ids)
    weights = [np.abs(k.weight[~k.frozen]).max() for k in graph.links if not k.frozen.all()]
    largest = float(max(weights, default=0.0))
    for link in graph.links:
        _vertex_arrows(dot, graph, link, largest)
    caption = [_LEGEND.format(largest=largest)]
    if any(link.frozen.any() for link in graph.links):
        caption.append("Dashed: wires, which are not trained.")
    if any(isinstance(link.kind, Conv2d) for link in graph.links):
        caption.append("xn: n kernel positions, drawn as the largest of them.")
    _caption(dot, title, *caption)
    return str(dot.source)


def _digraph(title: str | None, **attributes: str) -> Any:
    try:
        import graphviz
    except ImportError:
        raise OptionError("Drawing needs the package graphviz, which is not installed: pip install graphviz.") from None
    dot = graphviz.Digraph(graph_attr={"bgcolor": "white", "labelloc": "t", "fontsize": "11", **_FONT, **attributes})
    dot.attr("edge", color=GRAY, fontsize="9", arrowsize="0.6", fontname="Helvetica", fontcolor="#57606a")
    _caption(dot, title)
    return dot


def _caption(dot: Any, title: str | None, *lines: str) -> None:
    heading = [] if title is None else [_plain(title)]
    if heading or lines:
        # Blanks at both ends keep the text inside the picture where the font at hand is a wide one.
        dot.attr(label=_label(*(f"{' ' * 12}{line}{' ' * 12}" for line in (*heading, *lines))))


# ---- layers --------------------------------------------------------------------------------------------


def _box(dot: Any, layer: Layer) -> None:
    fill, line = ROLES[layer.role]
    width = _count(len(layer), "vertex", "vertices")
    lines = [width + (f" on {times(layer.grid)}" if layer.grid else ""), *operations(layer)]
    dot.node(f"layer {layer.id}", _label(_plain(shortened(layer.name)), *lines), fillcolor=fill, color=line)


def _arrow(dot: Any, graph: Graph, link: Link, labelled: bool) -> None:
    kind, n = link.kind, len(link)
    attributes = {"penwidth": f"{_pen_width(n):.2f}"}
    lines = [] if link.port == 0 else [f"port {link.port}"]
    if isinstance(kind, Identity):
        attributes["style"] = "dashed"
        lines += [_count(n, "wire", "wires")] + ([f"stride {times(kind.stride)}"] if kind.stride != (1, 1) else [])
    else:
        admissible = len(graph.layer(link.source)) * len(graph.layer(link.target)) * kind.taps
        frozen = int(np.count_nonzero(link.frozen))
        lines += [f"{times(kind.kernel)} convolution"] if isinstance(kind, Conv2d) else []
        lines += [_count(n, "edge", "edges"), f"density {n / admissible:.3g}"]
        lines += [f"{frozen:,} frozen"] if frozen else []
    if labelled:
        attributes["label"] = _label(*lines)
    dot.edge(f"layer {link.source}", f"layer {link.target}", **attributes)


def _gap_box(dot: Any, graph: Graph, hidden: set[int]) -> None:
    """The box that stands for the layers that are not shown."""
    inside = [k for k in graph.links if k.source in hidden and k.target in hidden]
    vertices = sum(len(graph.layer(i)) for i in hidden)
    lines = (
        _count(vertices, "vertex", "vertices"),
        f"{_count(len(inside), 'link', 'links')} among them",
        f"with {_count(sum(map(len, inside)), 'edge', 'edges')}",
    )
    heading = f"… {_count(len(hidden), 'layer', 'layers')} left out …"
    dot.node("left out", _label(heading, *lines), style="rounded,dashed", color=GRAY)


def _gap_arrows(dot: Any, graph: Graph, hidden: set[int]) -> None:
    """One arrow between each shown layer and the layers left out, for all links between them."""
    links: Counter[tuple[str, str]] = Counter()
    edges: Counter[tuple[str, str]] = Counter()
    for link in graph.links:
        source, target = ("left out" if i in hidden else f"layer {i}" for i in (link.source, link.target))
        if source != target and "left out" in (source, target):
            links[source, target] += 1
            edges[source, target] += len(link)
    for pair, n in edges.items():
        label = _label(_count(links[pair], "link", "links"), _count(n, "edge", "edges"))
        dot.edge(*pair, label=label, penwidth=f"{_pen_width(n):.2f}")


def _pen_width(edges: int) -> float:
    return 0.6 + 0.6 * math.log10(1 + edges)


# ---- vertices ------------------------------------------------------------------------------------------


def _frame(dot: Any, layer: Layer, frame: Frame, places: Array, radius: float, ids: bool) -> None:
    """The box around a layer, its heading, and its vertices in the order of their rows."""
    fill, line = ROLES[layer.role]
    size = {"width": f"{frame.width / 72:.3f}", "height": f"{frame.height / 72:.3f}", "pos": _at(frame.x, frame.y)}
    dot.node(f"layer {layer.id}", "", shape="box", style="rounded", color=line, **size)
    middle = _at(frame.x, frame.y - frame.height / 2 + frame.heading / 2 + 2)
    heading = _label(*map(_plain, frame.lines))
    dot.node(f"name of layer {layer.id}", heading, shape="plaintext", style="", fontsize="10", pos=middle)
    diameter = f"{2 * radius / 72:.3f}"
    for i, (x, y) in zip(layer.vertex_ids.tolist(), places.tolist(), strict=True):
        label = str(i) if ids else ""
        dot.node(f"vertex {i}", label, fillcolor=fill, color=line, width=diameter, pos=_at(x, y))


def _at(x: float, y: float) -> str:
    return f"{x:.1f},{-y:.1f}!"


def _vertex_arrows(dot: Any, graph: Graph, link: Link, largest: float) -> None:
    sources, targets = graph.layer(link.source).vertex_ids, graph.layer(link.target).vertex_ids
    # Within a pair, the edge with the largest weight comes first and lends its looks.
    order = np.lexsort((-np.abs(link.weight), link.src, link.dst))
    pairs = np.stack([link.dst, link.src], axis=1)[order]
    unique, first, counts = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    for (dst, src), row, n in zip(unique.tolist(), order[first].tolist(), counts.tolist(), strict=True):
        attributes = {"label": f"x{n}"} if n > 1 else {}
        weight = float(link.weight[row])
        if link.frozen[row]:
            attributes.update(style="dashed", color=GRAY)
        else:
            color = POSITIVE[1] if weight > 0 else NEGATIVE[1] if weight < 0 else GRAY
            share = abs(weight) / largest if largest else 0.0
            attributes.update(color=color, penwidth=f"{0.3 + 2.2 * share:.2f}")
        dot.edge(f"vertex {sources[src]}", f"vertex {targets[dst]}", **attributes)


# ---- text ----------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Take any text literally; characters that XML forbids or that do not show are replaced."""
    visible = "".join(c if c.isprintable() else "\ufffd" for c in text) or "(no name)"
    return visible.replace("\\", "\\\\").replace("&", "&amp;")


def _label(*lines: str) -> str:
    from graphviz import nohtml

    return str(nohtml("\\n".join(lines)))


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"
