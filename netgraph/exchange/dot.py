"""DOT, the language of Graphviz."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from netgraph.columns import Array
from netgraph.exchange.labels import labels
from netgraph.exchange.rows import TextCell, table
from netgraph.graph import GraphColumns, text_column

PREFIX = "ng_"
"""First part of the names of attributes that are columns; Graphviz has meanings for `weight`, `layer` and others."""

_HEAD = """digraph netgraph {
rankdir=LR;
fontname="Helvetica";
node [shape=box, style=rounded, fontname="Helvetica", margin="0.15,0.05"];
edge [arrowsize=0.6, fontname="Helvetica", fontsize=10];
"""
_WIDEST = 3.0
_POSITIVE, _NEGATIVE = "#2166ac", "#762a83"


def dot(columns: GraphColumns) -> Iterator[str]:
    """Yield the text of a DOT file: a node per vertex under its id, an arc per edge, all columns as attributes.

    Vertices of a layer stand in a box. Arcs are blue for positive weights and purple for negative ones, and the
    thicker, the larger the weight. In a picture of layers, layers and arcs have their sizes as labels.
    """
    vertices = {name: values for name, values in columns.vertices.items() if name != "id"}
    edges = {name: values for name, values in columns.edges.items() if name not in ("source", "target")}
    ids = columns.vertices["id"]
    yield _HEAD
    heads = [TextCell("", ids), TextCell(' [label="', _names(columns), '"')]
    yield from table([*heads, *_data(vertices)], _quote, end="];\n")
    if "row" in vertices:
        yield from _boxes(columns)
    ends = [TextCell("", ids[columns.edges["source"]]), TextCell(" -> ", ids[columns.edges["target"]], " [dir=forward")]
    yield from table([*ends, *_strokes(columns.edges), *_data(edges)], _quote, end="];\n")
    yield "}\n"


def _names(columns: GraphColumns) -> Array:
    """Label of each vertex; of a layer, its name above its number of vertices."""
    if "vertices" not in columns.vertices:
        return labels(columns)
    sizes = zip(labels(columns).tolist(), columns.vertices["vertices"].tolist(), strict=True)
    return text_column([f"{name}\n{_count(size, 'vertex', 'vertices')}" for name, size in sizes])


def _count(size: int, one: str, many: str) -> str:
    return f"{size:,} {one if size == 1 else many}"


def _strokes(edges: Mapping[str, Array]) -> list[TextCell]:
    """Colour and width of arcs by their weights; of links, their numbers of edges."""
    if "weight" not in edges:
        sizes = text_column([_count(size, "edge", "edges") for size in edges["edges"].tolist()])
        return [TextCell(', label="', sizes, '"')]
    weight = edges["weight"].astype(np.float64)
    most = np.abs(weight).max(initial=0.0) or 1.0
    width = np.round(0.2 + (_WIDEST - 0.2) * np.abs(weight) / most, 2)
    color = text_column([_NEGATIVE if low else _POSITIVE for low in (weight < 0).tolist()])
    return [TextCell(', color="', color, '"'), TextCell(", penwidth=", width)]


def _data(columns: Mapping[str, Array]) -> list[TextCell]:
    names = [re.sub("[^a-zA-Z0-9_]", "_", name) for name in columns]
    return [TextCell(f', {PREFIX}{name}="', values, '"') for name, values in zip(names, columns.values(), strict=True)]


def _boxes(columns: GraphColumns) -> Iterator[str]:
    layer, ids = columns.vertices["layer"], columns.vertices["id"]
    starts = np.flatnonzero(columns.vertices["row"] == 0)
    for at, rows in enumerate(np.split(np.arange(len(ids)), starts[1:])):
        members = "; ".join(map(str, ids[rows].tolist()))
        yield f'subgraph cluster_{at} {{ label="{_quote(layer[rows[0]])}"; color="#bbbbbb"; {members}; }}\n'


def _quote(text: str) -> str:
    """Escape a text between quotation marks; Graphviz reads backslashes in labels."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "\ufffd")
