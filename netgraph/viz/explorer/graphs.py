"""Graphs of an explorer page: layers, vertices and edges as columns, with positions that all its graphs share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Layer, Link
from netgraph.statistics import Statistics
from netgraph.viz.explorer.packing import Packed, pack, plain_text
from netgraph.viz.layout import Frame, Layout
from netgraph.viz.text import number, times
from netgraph.viz.words import kind_lines, operation_names, port_line, size_line


def graph_part(
    graph: Graph,
    name: str,
    places: Layout,
    stats: Statistics | None = None,
    more: Mapping[str, Mapping[str, Array]] | None = None,
) -> dict[str, Any]:
    """Return one graph of a page as JSON values.

    Rows of vertices and edges are those of `graph.vertices` and `graph.edges`; layers follow each other by id, as the
    rows of their vertices do.

    Args:
        graph: the graph.
        name: name of the graph on the page.
        places: layout that has all its vertices.
        stats: statistics of this graph, which become columns.
        more: further columns of "edges" and "vertices", by name.

    Cost: O(layers + links + vertices + edges).
    """
    at = {layer_id: index for index, layer_id in enumerate(graph.layers_by_id)}
    frames = [places.frames[i] for i in at]
    more = more or {}
    given = {"edges": stats.edges if stats else {}, "vertices": stats.vertices if stats else {}}
    return {
        "name": plain_text(name),
        "layers": [
            _layer(layer, frame, graph.vertices.offset(layer.id))
            for layer, frame in zip(graph.layers_by_id.values(), frames, strict=True)
        ],
        "vertices": {"columns": _packed(_vertices(graph, places), more.get("vertices", {}), given["vertices"])},
        "edges": {"columns": _packed(_edges(graph), more.get("edges", {}), given["edges"])},
        "links": [_link(link, graph, at) for link in graph.links],
    }


def _packed(*parts: Mapping[str, Array]) -> dict[str, Packed]:
    """Columns of all parts by name. A name that an earlier part has too is followed by "(2)"."""
    columns: dict[str, Packed] = {}
    for part in parts:
        for name, values in part.items():
            text = plain_text(name)
            columns[f"{text} (2)" if text in columns else text] = pack(values)
    return columns


def _vertices(graph: Graph, places: Layout) -> dict[str, Array]:
    """Columns of the vertices: id, index of the layer, position, birth, numbers of edges, and values such as biases."""
    table = graph.vertices
    x, y = places.places(table.id).T
    columns = {
        "id": table.id,
        "layer": np.repeat(np.arange(graph.num_layers), np.diff(table.offsets)),
        "x": x,
        "y": y,
        "birth": table.birth,
        "edges in": np.bincount(graph.edges.target_row, minlength=len(table)),
        "edges out": np.bincount(graph.edges.source_row, minlength=len(table)),
    }
    names = dict.fromkeys(name for layer in graph.layers_by_id.values() for name in layer.values)
    return columns | {name: table.column(name) for name in names}


def _edges(graph: Graph) -> dict[str, Array]:
    table = graph.edges
    return {
        "id": table.id,
        "source": table.source_row,
        "target": table.target_row,
        "tap": table.tap,
        "port": table.port,
        "weight": table.weight,
        "birth": table.birth,
        "frozen": table.frozen,
        "link": table.link,
    }


def _layer(layer: Layer, frame: Frame, first: int) -> dict[str, Any]:
    """A layer as JSON values; texts for people, but `id`, `first`, `depth`, and `frame`, its centre and its size."""
    facts: dict[str, Any] = {
        "id": layer.id,
        "name": plain_text(layer.name),
        "size": len(layer),
        "role": layer.role,
        "activation": layer.activation,
        "norm": layer.norm,
        "grid": times(layer.grid),
        "first": first,
        "depth": frame.column,
        "frame": [round(float(value), 2) for value in (frame.x, frame.y, frame.width, frame.height)],
        "vertices": size_line(layer),
        "operations": ", ".join(operation_names(layer)),
    }
    if layer.pool is not None:
        grid = times(layer.output_grid) or "one number"
        facts["pool"] = f"{layer.pool.kind} {times(layer.pool.size)}, to {grid}"
    if layer.merge is not None:
        facts["merge"] = " ".join(layer.merge.words)
    if layer.domain is not None:
        low, high = (np.asarray(end) for end in layer.domain)
        facts["domain"] = f"{_end(low.min())} to {_end(high.max())}"
    if layer.trainable:
        facts["trained"] = ", ".join(layer.trainable)
    return facts


def _end(value: float) -> str:
    return number(value) if math.isfinite(value) else str(value)


def _link(link: Link, graph: Graph, at: Mapping[int, int]) -> dict[str, Any]:
    source, target = graph.layer(link.source), graph.layer(link.target)
    words = [*port_line(target, link.port), *kind_lines(link, source, target)]
    return {
        "source": at[link.source],
        "target": at[link.target],
        "port": link.port,
        "kind": plain_text(", ".join(words) or link.kind.name),
        "edges": len(link),
    }
